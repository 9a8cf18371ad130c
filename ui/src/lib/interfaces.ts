import type { InterfaceStatus, Status } from '../generated/model';
import type { Dictionary } from './dictionary';
import { plain } from './plain';

type Kind = keyof Dictionary['network']['kind'];
const KINDS: readonly string[] = ['ethernet', 'wifi', 'mobile', 'tunnel', 'bridge', 'virtual', 'other'] satisfies Kind[];

/** What sort it is, as far as the words go. */
export function kindOf(there: InterfaceStatus | undefined): Kind {
  const kind = there?.type ?? 'other';
  return KINDS.includes(kind) ? (kind as Kind) : 'other';
}

/** More would say nothing to a person; the helpdesk sees all of them. */
const MOST = 4;

/** The interfaces that carry IPv4 now, one way or the other; where none does, those that are connected. */
export function carriers(status: Status): InterfaceStatus[] {
  const native = status.interfaces.filter((there) => there.v4_native);
  if (status.state === 'standby_native' && native.length > 0) return native.slice(0, MOST);
  const uplink = status.interfaces.filter((there) => there.name === status.uplink?.name);
  return uplink.length > 0 ? uplink : status.interfaces.filter((there) => there.up).slice(0, MOST);
}

/** What people call it: the system's title, and the name that the helpdesk asks for. */
export function called(there: InterfaceStatus): string {
  return there.title && there.title !== there.name ? `${plain(there.title, 60)} (${there.name})` : there.name;
}

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

/** The interfaces that carry IPv4 now, one way or the other. */
export function carriers(status: Status): InterfaceStatus[] {
  const native = status.interfaces.filter((there) => there.v4_native);
  const uplink = status.interfaces.filter((there) => there.name === status.uplink?.name);
  return status.state === 'standby_native' ? native : uplink;
}

/** What people call it: the system's title, and the name that the helpdesk asks for. */
export function called(there: InterfaceStatus): string {
  return there.title && there.title !== there.name ? `${plain(there.title, 60)} (${there.name})` : there.name;
}

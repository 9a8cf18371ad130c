import { CODES, type Code, type Status } from '../generated/model';
import type { Icon, View } from '../generated/view';

/** The headlines there are; each has its words in every language. */
export type Headline =
  | 'connecting'
  | 'waiting'
  | 'unreachable'
  | 'silent'
  | 'denied'
  | 'tooOld'
  | 'tooNew'
  | 'working'
  | 'ready'
  | 'unanswered'
  | 'standbyNative'
  | 'standbyOs'
  | 'checking'
  | 'limited'
  | 'down'
  | 'signIn'
  | 'paused'
  | 'pausedUntil'
  | 'switchedOff'
  | 'noNetwork';

/** How it feels; colour only repeats what shape and words say. */
export type Tone = 'good' | 'calm' | 'warn' | 'bad';

/** What is going on, as far as the page may claim it. */
export interface Condition {
  headline: Headline;
  icon: Icon;
  tone: Tone;
  /** Its code; null while there is no verdict, or with one that only a newer service knows. */
  code: Code | null;
  /** The code as it was said, for helpdesks. */
  said: string | null;
}

/** So many packets may go out before the first answer can have come back; `everclat status` says the same. */
const MANY = 10;

/** The status, when it is one of now: a service that is gone has none, whatever was heard last. */
export function current(view: View | null): Status | null {
  return view?.service.kind === 'connected' ? view.status : null;
}

export function condition(view: View | null): Condition {
  const service = view?.service ?? { kind: 'connecting' as const };
  switch (service.kind) {
    case 'connecting':
      return { headline: 'connecting', icon: 'checking', tone: 'calm', code: null, said: null };
    case 'unreachable':
      return { headline: 'unreachable', icon: 'no_service', tone: 'bad', code: 'CL-901', said: 'CL-901' };
    case 'denied':
      return { headline: 'denied', icon: 'no_service', tone: 'warn', code: 'CL-904', said: 'CL-904' };
    case 'too_old':
      return { headline: 'tooOld', icon: 'no_service', tone: 'warn', code: 'CL-902', said: 'CL-902' };
    case 'too_new':
      return { headline: 'tooNew', icon: 'no_service', tone: 'warn', code: 'CL-902', said: 'CL-902' };
    case 'connected': {
      const status = current(view);
      if (!status) return { headline: 'waiting', icon: 'checking', tone: 'calm', code: null, said: null };
      const known = isCode(status.code) ? status.code : null;
      return { ...verdict(status), code: status.state === 'checking' ? null : known, said: status.code };
    }
  }
}

/** Connected, and nothing is heard: what was said last is no longer now. */
export const SILENT: Condition = { headline: 'silent', icon: 'no_service', tone: 'warn', code: null, said: null };

export function isCode(text: string): text is Code {
  return (CODES as readonly string[]).includes(text);
}

/** Whether anything has come back: without that, nothing "works". */
export function proven(status: Status): boolean {
  return status.state === 'working' && status.evidence.kind !== 'none' && status.code !== 'CL-004';
}

/** Apps have asked, more than once, and nobody has answered. */
function unanswered(status: Status): boolean {
  const packets = status.clat?.packets;
  return status.evidence.kind === 'none' && packets !== undefined && packets.out >= MANY && packets.in === 0;
}

function verdict(status: Status): Pick<Condition, 'headline' | 'icon' | 'tone'> {
  switch (status.state) {
    case 'working':
      if (proven(status)) return { headline: 'working', icon: 'working', tone: 'good' };
      return unanswered(status)
        ? { headline: 'unanswered', icon: 'working', tone: 'warn' }
        : { headline: 'ready', icon: 'working', tone: 'calm' };
    case 'standby_native':
      return { headline: 'standbyNative', icon: 'standby', tone: 'calm' };
    case 'standby_os':
      return { headline: 'standbyOs', icon: 'os', tone: 'calm' };
    case 'checking':
      return { headline: 'checking', icon: 'checking', tone: 'calm' };
    case 'limited':
      return { headline: 'limited', icon: 'limited', tone: 'warn' };
    case 'down':
      return { headline: status.code === 'CL-102' ? 'signIn' : 'down', icon: 'down', tone: 'bad' };
    case 'paused':
      if (!status.pause) return { headline: 'switchedOff', icon: 'paused', tone: 'calm' };
      return { headline: status.pause.until ? 'pausedUntil' : 'paused', icon: 'paused', tone: 'calm' };
    case 'no_network':
      return { headline: 'noNetwork', icon: 'no_network', tone: 'warn' };
  }
}

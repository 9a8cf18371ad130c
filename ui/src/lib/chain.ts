import type { Status } from '../generated/model';
import { proven } from './condition';

export const LINKS = ['device', 'network', 'names', 'gateway', 'translation', 'internet'] as const;
export type LinkName = (typeof LINKS)[number];

/** `ok` rests on something seen; what nobody has looked at is `unknown`. */
export type Verdict = 'ok' | 'ready' | 'checking' | 'problem' | 'weak' | 'idle' | 'off' | 'unknown';

/** What is said of a link; each has its words in every language. */
export type Note =
  | 'deviceOk'
  | 'deviceOff'
  | 'deviceVpn'
  | 'deviceRefused'
  | 'deviceConflict'
  | 'networkOk'
  | 'networkNoLink'
  | 'networkNoAddress'
  | 'networkUnstable'
  | 'networkSignIn'
  | 'networkUnknown'
  | 'namesOk'
  | 'namesCustom'
  | 'namesProblem'
  | 'namesUnknown'
  | 'gatewayOk'
  | 'gatewayReady'
  | 'gatewayMissing'
  | 'gatewayFaulty'
  | 'gatewaySilent'
  | 'gatewayPartial'
  | 'gatewayIdle'
  | 'gatewayUnknown'
  | 'translationOk'
  | 'translationReady'
  | 'translationFailed'
  | 'translationOs'
  | 'translationIdle'
  | 'translationOff'
  | 'translationHeld'
  | 'internetOk'
  | 'internetLarge'
  | 'internetUnknown'
  | 'internetIdle'
  | 'beingChecked';

export interface Link {
  name: LinkName;
  verdict: Verdict;
  note: Note;
}

type Said = readonly [Verdict, Note];

/** The way of a packet, link by link: what is known of each, and no more than that. */
export function chain(status: Status): Link[] {
  const say = { device, network, names, gateway, translation, internet };
  return LINKS.map((name) => {
    const [verdict, note] = say[name](status);
    return { name, verdict, note };
  });
}

const CHECKING: Said = ['checking', 'beingChecked'];

function device({ state, code }: Status): Said {
  switch (code) {
    case 'CL-601':
    case 'CL-602':
      return ['problem', 'deviceRefused'];
    case 'CL-603':
    case 'CL-605':
      return ['problem', 'deviceConflict'];
    case 'CL-604':
      return ['problem', 'deviceVpn'];
    default:
      return state === 'paused' ? ['ok', 'deviceOff'] : ['ok', 'deviceOk'];
  }
}

function network({ state, code, interfaces, uplink }: Status): Said {
  if (state === 'checking' && /^CL-[12]/.test(code)) return CHECKING;
  switch (code) {
    case 'CL-101':
      return ['problem', 'networkNoLink'];
    case 'CL-102':
      return ['problem', 'networkSignIn'];
    case 'CL-201':
      return ['problem', 'networkNoAddress'];
    case 'CL-202':
    case 'CL-203':
      return ['weak', 'networkUnstable'];
    default: {
      const usable = interfaces.some((there) => there.up && (there.v6.length > 0 || there.v4_native));
      return uplink || usable ? ['ok', 'networkOk'] : ['unknown', 'networkUnknown'];
    }
  }
}

function names({ code, pref64 }: Status): Said {
  if (code === 'CL-401') return ['problem', 'namesProblem'];
  if (code === 'CL-402') return ['unknown', 'namesCustom'];
  // Only a gateway learnt by asking for a name shows that names are answered.
  return pref64.some((known) => known.source === 'dns') ? ['ok', 'namesOk'] : ['unknown', 'namesUnknown'];
}

function gateway(status: Status): Said {
  const { state, code } = status;
  if (state === 'checking') return CHECKING;
  switch (code) {
    case 'CL-301':
    case 'CL-303':
      return ['problem', 'gatewayMissing'];
    case 'CL-302':
      return ['problem', 'gatewayFaulty'];
    case 'CL-501':
    case 'CL-503':
      return ['problem', 'gatewaySilent'];
    case 'CL-502':
      return ['weak', 'gatewayPartial'];
    default:
      if (state === 'standby_native' || state === 'standby_os') return ['idle', 'gatewayIdle'];
      if (proven(status)) return ['ok', 'gatewayOk'];
      return ['unknown', status.pref64.length > 0 ? 'gatewayReady' : 'gatewayUnknown'];
  }
}

function translation(status: Status): Said {
  switch (status.state) {
    case 'standby_native':
      return ['idle', 'translationIdle'];
    case 'standby_os':
      return ['idle', 'translationOs'];
    case 'paused':
      return ['off', 'translationOff'];
    case 'checking':
      return CHECKING;
    case 'working':
      return proven(status) ? ['ok', 'translationOk'] : ['ready', 'translationReady'];
    case 'limited':
      return status.plane ? ['ready', 'translationReady'] : ['unknown', 'translationHeld'];
    case 'down':
    case 'no_network':
      return /^CL-60[1235]$/.test(status.code) ? ['problem', 'translationFailed'] : ['unknown', 'translationHeld'];
  }
}

function internet(status: Status): Said {
  if (status.state === 'standby_native' || status.state === 'standby_os') return ['unknown', 'internetIdle'];
  if (status.code === 'CL-701') return ['weak', 'internetLarge'];
  if (status.state === 'checking') return CHECKING;
  return proven(status) ? ['ok', 'internetOk'] : ['unknown', 'internetUnknown'];
}

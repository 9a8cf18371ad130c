import type { Cause, Code, Status } from '../generated/model';
import type { Icon } from '../generated/view';
import { ago, BARE, CLAT, ETHERNET, showing, WIFI } from './base';
import type { Story } from './story';

const REARM = {
  time: ago(95),
  reason: 'uplink-lost',
  gap_ms: 41,
  standby_ms: null,
  from: 'eth0',
  to: 'wlan0',
  left: 'link-lost',
  done: ['took-reserve', 'moved-x'],
  first_reply_ms: 12,
  flows_ended: 3,
};

/** What a service with a list of re-armings says. */
export const REARMS = {
  count: 17,
  last_ms: 41,
  last_reason: 'uplink-lost',
  history: [
    { ...REARM, number: 17 },
    { ...REARM, number: 16, time: ago(3_600), reason: 'prefix-changed', gap_ms: 0, from: 'eth0', to: 'eth0', left: null, done: ['took-prefix', 'kept-x'] },
    { ...REARM, number: 15, time: ago(40_000), reason: 'native-ipv4', gap_ms: 230, standby_ms: 5_400_000, from: null, to: 'eth0', left: null, done: ['opened-tunnel'] },
    { ...REARM, number: 14, time: ago(90_000), reason: 'something-new', gap_ms: 1_800, from: 'wlan0', to: 'eth0', left: null },
  ],
};

function cause(code: Code, detail: string): Cause[] {
  return [{ code, since: ago(40), detail }];
}

function failing(name: string, icon: Icon, changes: Partial<Status> & { code: Code }, detail: string, says: string[]): Story {
  return { name, view: showing(icon, { since: ago(40), causes: cause(changes.code, detail), ...changes }), says };
}

function down(code: Code, detail: string, says: string[], changes: Partial<Status> = {}): Story {
  return failing(`down-${code}`, 'down', { ...BARE, state: 'down', code, ...changes }, detail, ['IPv4 apps cannot connect', ...says]);
}

function limited(code: Code, detail: string, says: string[]): Story {
  const changes: Partial<Status> & { code: Code } = { state: 'limited', code };
  return failing(`limited-${code}`, 'limited', changes, detail, ['IPv4 apps may be slow or fail', ...says]);
}

function checking(code: Code, changes: Partial<Status> = {}): Story {
  const view = showing('checking', { ...BARE, state: 'checking', code, since: ago(1), pref64: [], ...changes });
  return { name: `checking-${code}`, view, says: ['Checking this network…', 'Checking'] };
}

/** Every state with every code that the service gives it, and those it may come to give. */
export const STATES: Story[] = [
  { name: 'working', view: showing('working', {}), traffic: true, says: ['IPv4 apps work', 'Answer to an app', 'IPv4 traffic'] },
  {
    name: 'working-probe',
    view: showing('working', { evidence: { kind: 'probe', age_s: 140 }, spare: null, interfaces: [ETHERNET] }),
    says: ['IPv4 apps work', 'Answer to a test'],
  },
  {
    name: 'working-relay',
    view: showing('working', { plane: 'relay', clat: null, spare: null, interfaces: [WIFI], uplink: { name: 'wlan0', mtu: 1280, gateway: 'fe80::1' } }),
    clicks: ['details summary'],
    says: ['IPv4 apps work', 'relay (user-space endpoints)'],
  },
  {
    name: 'working-rearms',
    view: showing('working', { rearms: REARMS, uplink: { name: 'wlan0', mtu: 1500, gateway: 'fe80::1' }, spare: null }),
    traffic: true,
    says: ['17 times since the service started', 'The connection had been lost', 'Without interruption', 'Away for 41', 'eth0 → wlan0', 'something-new'],
  },
  {
    name: 'working-rearm-once',
    view: showing('working', { rearms: { count: 1, last_ms: 12, last_reason: 'paused', history: [] } }),
    says: ['Once since the service started', 'A pause had ended'],
  },
  {
    name: 'working-dns',
    view: showing('working', {
      pref64: [{ prefix: '64:ff9b::/96', source: 'dns', expires_s: 86_000, uplink: 'eth0' }],
      spare: null,
    }),
    clicks: ['[data-link=names] button'],
    says: ['This network’s name service has answered.'],
  },
  {
    name: 'ready',
    view: showing('working', { code: 'CL-004', evidence: { kind: 'none', age_s: null }, clat: { ...CLAT, packets: { out: 0, in: 0 }, bytes: { out: 0, in: 0 }, drops: {} } }),
    says: ['Ready, not used yet', 'None yet'],
  },
  {
    name: 'ready-unanswered',
    view: showing('working', { code: 'CL-004', evidence: { kind: 'none', age_s: null }, clat: { ...CLAT, packets: { out: 64, in: 0 }, bytes: { out: 4_820, in: 0 }, drops: {} } }),
    says: ['Ready, nobody has answered yet'],
  },
  {
    name: 'working-without-evidence',
    view: showing('working', { evidence: { kind: 'none', age_s: null } }),
    says: ['Ready, not used yet'],
  },
  {
    name: 'standby-native',
    view: showing('standby', { ...BARE, state: 'standby_native', code: 'CL-001', pref64: [], interfaces: [{ ...ETHERNET, v4_native: true, opt108: null }, WIFI] }),
    says: ['Nothing to do here', 'Not needed'],
  },
  {
    name: 'standby-os',
    view: showing('os', { ...BARE, state: 'standby_os', code: 'CL-002', owner: 'other' }),
    says: ['Your system does this itself'],
  },
  checking('CL-101', { interfaces: [] }),
  checking('CL-201'),
  checking('CL-301'),
  checking('CL-004', { uplink: { name: 'eth0', mtu: 1500, gateway: 'fe80::1' }, plane: 'translate' }),
  limited('CL-202', 'the router on eth0 does not answer', ['comes and goes']),
  limited('CL-303', 'the lifetime of the last PREF64 ended and no router announced another', ['has stopped saying where']),
  limited('CL-502', 'TCP passes, UDP does not', ['lets only some of the traffic through']),
  limited('CL-503', 'nothing has come back for 30 s', ['worked and then stopped']),
  limited('CL-701', 'packets above 1280 bytes vanish', ['large ones get stuck']),
  failing('down-CL-102', 'down', { ...BARE, state: 'down', code: 'CL-102' }, 'the network on eth0 wants somebody to sign in at https://portal.example/sign-in?from=lab', ['Sign in to this network first', 'I have signed in']),
  down('CL-201', 'no IPv6 default route on an interface with a link', ['no usable address'], { pref64: [], interfaces: [{ ...ETHERNET, v6: [] }] }),
  down('CL-203', 'two routers announce different prefixes', ['contradicts itself']),
  down('CL-301', 'no router on this network announces a PREF64 (RFC 8781)', ['offers no way to reach the older IPv4', 'Your app is not at fault'], { pref64: [] }),
  down('CL-302', 'a PREF64 of length 95', ['cannot be right'], { pref64: [], ignored: { router_options: 3 } }),
  down('CL-303', 'the lifetime of the last PREF64 ended and no router announced another', ['has stopped saying where'], { pref64: [] }),
  down('CL-401', 'no resolver answers', ['does not turn names of websites into addresses']),
  down('CL-501', 'the router on eth0 answers, nothing behind 2001:db8:64::/96 does', ['that gateway is not answering', 'Other apps and websites may still work'], { plane: 'translate', uplink: { name: 'eth0', mtu: 1500, gateway: 'fe80::1' } }),
  down('CL-601', 'TUN device: Operation not permitted', ['does not let Everclat start']),
  down('CL-602', 'somebody has removed the default route 5 times within a minute', ['keeps undoing what Everclat sets up']),
  down('CL-603', 'another CLAT has come up beside this one', ['get in each other’s way']),
  down('CL-604', 'packets to 2001:db8:64::/96 leave through tun0', ['A VPN takes all traffic']),
  down('CL-605', 'every address of 192.0.0.0/29 is in use on this host', ['already used by somebody else']),
  {
    name: 'down-unknown-code',
    view: showing('down', { ...BARE, state: 'down', code: 'CL-999' as Code, causes: cause('CL-999' as Code, 'something that only a newer service knows') }),
    clicks: ['details summary'],
    says: ['IPv4 apps cannot connect', 'a reason that this window does not know', 'CL-999'],
  },
  {
    name: 'paused-until',
    view: showing('paused', { ...BARE, state: 'paused', code: 'CL-003', pause: { until: ago(-1_500), reason: 'video call with the bank' } }),
    says: ['Paused until', 'Resume now', 'video call with the bank'],
  },
  {
    name: 'paused-open',
    view: showing('paused', { ...BARE, state: 'paused', code: 'CL-003', pause: { until: null, reason: '' } }),
    says: ['Paused', 'until somebody resumes it'],
  },
  {
    name: 'switched-off',
    view: showing('paused', { ...BARE, state: 'paused', code: 'CL-003', causes: cause('CL-003', 'switched off by the setting Enabled') }),
    says: ['Switched off'],
  },
  {
    name: 'no-network',
    view: showing('no_network', { ...BARE, state: 'no_network', code: 'CL-101', pref64: [], interfaces: [{ ...ETHERNET, up: false, v6: [] }] }),
    says: ['No network', 'Plug in a network cable'],
  },
];

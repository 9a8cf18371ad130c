import type { InterfaceStatus } from '../generated/model';
import { ago, CLAT, ETHERNET, PREFS, settings, showing, status, view, WORKING } from './base';
import { REARMS } from './states';
import type { Story } from './story';

const POLICY = '/etc/everclat/policy.d/10-desktop.json';
const LONG = 'a-very-long-name-that-somebody-in-a-hurry-has-given-to-a-thing-and-nobody-has-ever-dared-to-change-since';

function many(count: number): InterfaceStatus[] {
  return Array.from({ length: count }, (_, index) => ({ ...ETHERNET, name: `eth${index}`, v6: [`2001:db8:${index}::2/64`] }));
}

const LOCKED = {
  settings: settings(
    [
      { key: 'AllowUserPause', value: 'false', origin: 'policy', locked: true, source: POLICY },
      { key: 'ProbeTargetsV4', value: '["198.51.100.10:443", "198.51.100.11:443"]', origin: 'policy', locked: true, source: POLICY },
      { key: 'Mtu', value: '1400', origin: 'config', source: '/etc/everclat/config.toml' },
    ],
    [
      {
        code: 'CL-801',
        file: POLICY,
        line: 7,
        key: 'Pref64Deny',
        text: '"2001:db8::/129" is not allowed; use IPv6 prefixes; it stays []',
      },
    ],
  ),
  prefs_locked: { language: 'Example GmbH', autostart: 'Example GmbH', notifications: POLICY },
  denied: { pause: POLICY },
};

/** The service is not there, or not as it should be. */
const SERVICES: Story[] = [
  { name: 'connecting', view: view({ service: { kind: 'connecting' }, status: null, settings: null, shown: { icon: 'checking' } }), says: ['One moment…'] },
  { name: 'connected-no-status', view: view({ status: null, settings: null, shown: { icon: 'checking' } }), says: ['One moment…'] },
  {
    name: 'unreachable',
    view: view({
      service: {
        kind: 'unreachable',
        detail: 'nobody listens at /run/everclat/everclatd.sock',
        hint: 'sudo systemctl start everclatd.service',
        since: ago(75),
      },
      status: null,
      settings: null,
      shown: { icon: 'no_service' },
    }),
    clicks: ['details summary'],
    says: ['Background service is not running', 'sudo systemctl start everclatd.service', 'not known', 'Copy command', 'CL-901', 'nobody listens'],
  },
  {
    // The app takes the status away; should it ever not, the page does.
    name: 'unreachable-with-old-status',
    view: view({
      service: { kind: 'unreachable', detail: 'the connection broke', hint: 'sc start Everclat', since: ago(4_000) },
      shown: { icon: 'no_service' },
    }),
    says: ['Background service is not running'],
  },
  {
    name: 'denied',
    view: view({ service: { kind: 'denied', detail: 'no permission to connect to /run/everclat/everclatd.sock' }, status: null, settings: null, shown: { icon: 'no_service' } }),
    says: ['You may not see the status', 'Ask your helpdesk'],
  },
  {
    name: 'too-old',
    view: view({ service: { kind: 'too_old', service: 'everclat 0.0.3' }, status: null, settings: null, shown: { icon: 'no_service' } }),
    says: ['The background service is too old'],
  },
  {
    name: 'too-new',
    view: view({ service: { kind: 'too_new', service: 'everclat 3.0.0' }, status: null, settings: null, shown: { icon: 'no_service' } }),
    says: ['This app is too old'],
  },
  {
    name: 'outdated',
    view: view({ service: { kind: 'connected', version: '0.0.9', protocol: 1, outdated: true, newer: false } }),
    says: ['is older than this app', 'IPv4 apps work'],
  },
  {
    name: 'newer',
    view: view({ service: { kind: 'connected', version: '0.3.0', protocol: 3, outdated: false, newer: true } }),
    says: ['is newer than this app', 'IPv4 apps work'],
  },
  { name: 'stale', view: view(), silent: 42, says: ['The background service is silent', 'Last heard 42 seconds ago'] },
];

/** Something is under way, or did not work. */
const ACTIONS: Story[] = [
  { name: 'busy-rearm', view: view({ busy: { action: 'rearm' } }), says: ['Re-arming…'] },
  { name: 'busy-pause', view: view({ busy: { action: 'pause' } }), says: ['Pausing…'] },
  {
    name: 'busy-resume',
    view: { ...showing('paused', { state: 'paused', code: 'CL-003', pause: { until: ago(-600), reason: '' }, clat: null, plane: null }), busy: { action: 'resume' } },
    says: ['Resuming…'],
  },
  {
    name: 'failed-rearm',
    view: view({ failed: { action: 'rearm', kind: 'unreachable', message: 'the service did not answer within 5 s' } }),
    says: ['Re-arming did not work.', 'did not answer within 5 s', 'Close'],
  },
  {
    name: 'failed-pause',
    view: view({ failed: { action: 'pause', kind: 'denied', message: 'a pause of 240 minutes is longer than PauseMaxMinutes allows (60)' } }),
    says: ['Pausing did not work.', 'You may not do this'],
  },
  {
    name: 'failed-setting',
    view: view({ failed: { action: 'settings', kind: 'refused', message: 'the autostart folder cannot be written' } }),
    page: 'settings',
    says: ['The setting could not be saved.'],
  },
  { name: 'pause-form', view: view(), clicks: ['[data-action=pause]'], says: ['For how long?', 'At most 1 hr is allowed.', 'Why? (optional)'] },
  {
    name: 'pause-form-any',
    view: view({ settings: settings([{ key: 'PauseMaxMinutes', value: '0', origin: 'config', source: '/etc/everclat/config.toml' }]), longest_pause: null }),
    clicks: ['[data-action=pause]'],
    says: ['Until I resume', '4 hr'],
  },
  {
    name: 'pause-form-short',
    view: view({ settings: settings([{ key: 'PauseMaxMinutes', value: '3', origin: 'policy', locked: true, source: POLICY }]), longest_pause: 3 }),
    clicks: ['[data-action=pause]'],
    says: ['3 min'],
  },
  { name: 'pause-forbidden', view: view(LOCKED), says: ['Pausing is not allowed.', POLICY, 'One setting on this computer is not valid.'] },
  {
    // No service forbids it today; the window is ready for one that does.
    name: 'all-forbidden',
    view: view({ denied: { rearm: 'Example GmbH', pause: '' } }),
    says: ['Re-arming is not allowed. Set by Example GmbH.', 'Pausing is not allowed. Set by your organisation.'],
  },
];

/** Other pages, opened parts, and what is odd. */
const REST: Story[] = [
  { name: 'settings', view: view(), page: 'settings', says: ['Language', 'Appearance', 'everything is at its default'] },
  {
    name: 'settings-locked',
    view: view(LOCKED),
    page: 'settings',
    says: ['Set by Example GmbH', `Set in ${POLICY}`, 'Everybody may pause', 'Not valid', 'line 7'],
  },
  {
    name: 'settings-no-tray',
    view: view({ app: { ...view().app, tray: false } }),
    page: 'settings',
    says: ['This desktop has no place for it'],
  },
  {
    name: 'settings-no-service',
    view: view({ service: { kind: 'denied', detail: '' }, status: null, settings: null }),
    page: 'settings',
    says: ['Language'],
  },
  { name: 'about', view: view(), page: 'about', says: ['About Everclat', 'everclatd 0.1.0', 'protocol 2'] },
  { name: 'about-codes', view: view(), page: 'about', clicks: ['details summary'], says: ['CL-904', 'IPv4 gateway does not answer'] },
  {
    name: 'about-no-service',
    view: view({ service: { kind: 'unreachable', detail: '', hint: 'x', since: ago(5) }, status: null }),
    page: 'about',
    says: ['not known'],
  },
  {
    name: 'details',
    view: showing('working', { rearms: REARMS }),
    clicks: ['details summary'],
    traffic: true,
    says: ['NAT64 prefix (PREF64)', '2001:db8:64::/96', 'router advertisement', 'hidden', 'illegal-destination'],
  },
  {
    name: 'private-destinations',
    view: showing('working', { clat: { ...CLAT, drops: { 'private-destination': 1_204 } } }),
    says: ['1,204 packets to private IPv4 addresses', 'need IPv6 or a VPN'],
  },
  {
    name: 'details-slow',
    view: showing('working', {
      clat: {
        ...CLAT,
        fast_path: {
          state: 'off',
          reason: 'permission',
          detail: 'load the programs: Operation not permitted (os error 1)',
          packets: { in: 0, out: 0 },
        },
      },
    }),
    clicks: ['details summary'],
    says: ['off: the system does not permit it', 'Operation not permitted'],
  },
  {
    name: 'details-addresses',
    view: showing('working', { rearms: REARMS }),
    clicks: ['details summary', 'details .reveal input'],
    says: ['2001:db8:1:0:ccea:97e0:36c4:c89b', 'fe80::1'],
  },
  {
    name: 'chain-gateway',
    view: showing('working', {}),
    clicks: ['[data-link=gateway] button'],
    says: ['It answers.', 'leads from IPv6 to the older IPv4'],
  },
  {
    name: 'no-interfaces',
    view: showing('no_network', { state: 'no_network', code: 'CL-101', interfaces: [], uplink: null, clat: null, plane: null, spare: null, pref64: [] }),
    clicks: ['details summary'],
    says: ['none that could be an uplink'],
  },
  {
    name: 'many-interfaces',
    view: showing('working', { interfaces: many(24), uplink: { name: 'eth3', mtu: 1500, gateway: 'fe80::1' } }),
    clicks: ['details summary'],
    says: ['eth23'],
  },
  {
    name: 'long-texts',
    view: {
      ...showing('down', {
        state: 'down',
        code: 'CL-102',
        causes: [{ code: 'CL-102', since: ago(9), detail: `${LONG} `.repeat(6) }],
        interfaces: [{ ...ETHERNET, name: 'enx0123456789abcdef', title: LONG }, { ...ETHERNET, name: LONG }],
        uplink: { name: 'enx0123456789abcdef', mtu: 1500, gateway: 'fe80::1' },
        spare: { ...(WORKING.spare ?? { pref64: '', v6: '', ready: false }), name: LONG, ready: false },
        clat: { ...CLAT, drops: { [LONG]: 123_456_789_012 }, bytes: { in: 9.2e15, out: 8.1e15 } },
        rearms: { count: 1_234_567, last_ms: 86_400_000, last_reason: LONG, history: [] },
      }),
      failed: { action: 'pause', kind: 'refused', message: `${LONG}\u202e\u0007 `.repeat(5) },
    },
    clicks: ['details summary'],
    says: [LONG.slice(0, 40)],
  },
  {
    name: 'long-locks',
    view: view({
      prefs_locked: { language: LONG, theme: `/etc/everclat/policy.d/${LONG}.json`, show_tray: '' },
      settings: settings([{ key: 'Pref64Allow', value: `["${Array.from({ length: 9 }, (_, index) => `2001:db8:${index}::/48`).join('", "')}"]`, origin: 'policy', locked: true, source: `/etc/everclat/policy.d/${LONG}.json` }]),
    }),
    page: 'settings',
    says: [LONG, 'Set by your organisation'],
  },
  { name: 'system-theme', view: view({ prefs: { ...PREFS, theme: 'system' }, status: status({ spare: null }) }), says: ['IPv4 apps work'] },
];

/** All that is no state of the service itself. */
export const OTHERS: Story[] = [...SERVICES, ...ACTIONS, ...REST];

import type { SettingsReport } from '../generated/ipc';
import { SETTING_KEYS, type ClatStatus, type InterfaceStatus, type SettingEntry, type Status } from '../generated/model';
import type { Icon, Prefs, View } from '../generated/view';

/** RFC 3339, so many seconds ago. */
export function ago(seconds: number): string {
  return new Date(Date.now() - seconds * 1000).toISOString().replace(/\.\d+Z$/, 'Z');
}

export const ETHERNET: InterfaceStatus = {
  name: 'eth0',
  type: 'ethernet',
  title: null,
  up: true,
  v6: ['2001:db8:1:0:ec:ff:fe00:102/64'],
  v4_native: false,
  opt108: 1800,
  mtu: 1500,
  resolvers: ['2001:db8:53:1::53'],
};

export const WIFI: InterfaceStatus = {
  name: 'wlan0',
  type: 'wifi',
  title: 'Office',
  up: true,
  v6: ['2001:db8:2:0:ec:ff:fe00:202/64'],
  v4_native: false,
  opt108: null,
  mtu: 1500,
  resolvers: ['2001:db8:53:2::53'],
};

export const CLAT: ClatStatus = {
  iface: 'everclat0',
  v4: '192.0.0.2',
  v6: '2001:db8:1:0:ccea:97e0:36c4:c89b',
  mtu: 1472,
  packets: { out: 48_231, in: 91_774 },
  bytes: { out: 6_120_441, in: 118_402_331 },
  drops: { 'illegal-destination': 12, 'ttl-expired': 3 },
  fast_path: { state: 'on', reason: null, detail: '', packets: { in: 88_102, out: 45_910 } },
};

/** A service at work, with evidence. */
export const WORKING: Status = {
  schema: 'everclat.status/1',
  product: { version: '0.1.0', protocol: 2 },
  service: { pid: 812, uptime_s: 86_412 },
  state: 'working',
  code: 'CL-000',
  title: 'IPv4 apps work',
  since: ago(4_380),
  time: ago(0),
  owner: 'self',
  plane: 'translate',
  uplink: { name: 'eth0', mtu: 1500, gateway: 'fe80::1' },
  spare: { name: 'wlan0', pref64: '2001:db8:65::/96', v6: '2001:db8:2:0:913e:6f9e:1011:533b', ready: true },
  pref64: [
    { prefix: '2001:db8:64::/96', source: 'ra', expires_s: 1_790, uplink: 'eth0' },
    { prefix: '2001:db8:65::/96', source: 'ra', expires_s: 1_612, uplink: 'wlan0' },
  ],
  clat: CLAT,
  rearms: { count: 0, last_ms: null, last_reason: null, history: [] },
  evidence: { kind: 'traffic', age_s: 0.4 },
  pause: null,
  ignored: { router_options: 0 },
  causes: [],
  interfaces: [ETHERNET, WIFI],
};

/** Nothing of ours is on the host. */
export const BARE: Partial<Status> = {
  owner: 'none',
  plane: null,
  uplink: null,
  spare: null,
  clat: null,
  evidence: { kind: 'none', age_s: null },
};

export function status(changes: Partial<Status> = {}): Status {
  return { ...WORKING, ...changes };
}

const DEFAULTS: Record<string, string> = {
  Enabled: 'true',
  Pref64Sources: '["ra", "dns"]',
  ClatIpv4: '"192.0.0.2"',
  Dad: '"optimistic"',
  FastPath: 'auto',
  Ipv4RouteMetric: '2048',
  Mtu: '0',
  LowestIpv6Mtu: '1280',
  AllowUserPause: 'true',
  PauseMaxMinutes: '60',
  AllowUserConfig: 'false',
  ProbeEnabled: 'true',
  ProbeIntervalSeconds: '300',
  AllowInternetProbe: 'false',
};

/** Every setting at its default but those given. */
export function settings(given: Partial<SettingEntry>[] = [], details: SettingsReport['details'] = []): SettingsReport {
  const entries = SETTING_KEYS.map((key): SettingEntry => {
    const entry: SettingEntry = { key, value: DEFAULTS[key] ?? '[]', origin: 'default', locked: false, source: null };
    return { ...entry, ...given.find((one) => one.key === key) };
  });
  return { settings: entries, problems: details.map((problem) => problem.text), details };
}

export const PREFS: Prefs = {
  language: 'en',
  theme: 'light',
  autostart: true,
  notifications: 'problems',
  show_tray: true,
};

export function view(changes: Partial<View> = {}): View {
  return {
    app: { version: '0.1.0', protocol: 2, os: 'linux', tray: true, language_os: 'en-GB' },
    service: { kind: 'connected', version: '0.1.0', protocol: 2, outdated: false, newer: false },
    status: WORKING,
    settings: settings(),
    prefs: PREFS,
    prefs_locked: {},
    denied: {},
    longest_pause: 60,
    shown: { icon: 'working' },
    busy: null,
    failed: null,
    ...changes,
  };
}

/** A view of this status, with the icon that goes with it. */
export function showing(icon: Icon, changes: Partial<Status>): View {
  return view({ status: status(changes), shown: { icon } });
}

// Made from crates/model by its test `typescript`; do not edit by hand.

/** Every code, in order of number. */
export const CODES = [
  'CL-000',
  'CL-001',
  'CL-002',
  'CL-003',
  'CL-004',
  'CL-101',
  'CL-102',
  'CL-201',
  'CL-202',
  'CL-203',
  'CL-301',
  'CL-302',
  'CL-303',
  'CL-401',
  'CL-402',
  'CL-501',
  'CL-502',
  'CL-503',
  'CL-601',
  'CL-602',
  'CL-603',
  'CL-604',
  'CL-605',
  'CL-701',
  'CL-801',
  'CL-802',
  'CL-803',
  'CL-901',
  'CL-902',
  'CL-903',
  'CL-904',
] as const;

/** Why packets were dropped. */
export const DROP_REASONS = [
  'truncated',
  'not-ipv4',
  'not-ipv6',
  'bad-header-length',
  'bad-ipv4-checksum',
  'bad-total-length',
  'foreign-source',
  'illegal-source',
  'private-source',
  'illegal-destination',
  'private-destination',
  'not-for-us',
  'not-from-pref64',
  'ttl-expired',
  'too-big',
  'too-long',
  'source-route',
  'routing-header',
  'extension-header',
  'fragmented-extension',
  'bad-fragment',
  'fragment-without-checksum',
  'fragmented-icmp',
  'bad-transport',
  'udp-zero-checksum',
  'udp-zero-checksum-fragment',
  'igmp',
  'wrong-icmp-family',
  'icmp-type',
  'icmp-code',
  'icmp-pointer',
  'bad-icmp-checksum',
  'bad-inner-packet',
  'foreign-inner-packet',
  'nested-icmp-error',
  'bad-offload',
  'send-error',
] as const;

/** Why the fast path is off. */
export const FAST_REASONS = [
  'starting',
  'setting',
  'unsupported',
  'permission',
  'refused',
  'self-test',
  'not-neutral',
  'big-tcp',
] as const;

/** Why IPv4 had to be armed again. */
export const REARM_REASONS = [
  'address-changed',
  'address-conflict',
  'asked-for',
  'captive-portal',
  'gateway-changed',
  'host-configuration',
  'native-ipv4',
  'path-dead',
  'paused',
  'plane-failed',
  'prefix-changed',
  'prefix-expired',
  'prefix-withdrawn',
  'settings-changed',
  'undone',
  'uplink-changed',
  'uplink-lost',
  'vpn',
] as const;

/** What was done to arm it again. */
export const REARM_STEPS = [
  'opened-tunnel',
  'took-reserve',
  'opened-uplink',
  'put-route-back',
  'silenced-kernel',
  'took-prefix',
  'took-router',
  'kept-x',
  'moved-x',
  'moved-v4',
] as const;

/** Why an uplink was left. */
export const DEPARTURES = [
  'link-lost',
  'route-lost',
  'prefix-lost',
  'gateway-silent',
  'path-dead',
  'captive-portal',
  'refused',
  'better-uplink',
] as const;

/** Every key of configuration and policy. */
export const SETTING_KEYS = [
  'Enabled',
  'Pref64Static',
  'Pref64Sources',
  'Pref64Allow',
  'Pref64Deny',
  'InterfacesInclude',
  'InterfacesExclude',
  'ClatIpv4',
  'Dad',
  'FastPath',
  'Ipv4RouteMetric',
  'Mtu',
  'LowestIpv6Mtu',
  'AllowUserPause',
  'PauseMaxMinutes',
  'AllowUserConfig',
  'ProbeEnabled',
  'ProbeTargetsV4',
  'ProbeIntervalSeconds',
  'AllowInternetProbe',
] as const;

export type Code = (typeof CODES)[number];

/**
 * What users and scripts branch on.
 */
export type State = "working" | "standby_native" | "standby_os" | "checking" | "limited" | "down" | "paused" | "no_network";

/**
 * Who gives this host its IPv4.
 */
export type Owner = "self" | "other" | "none";

/**
 * How packets get from the tunnel to the NAT64.
 */
export type PlaneKind = "translate" | "relay";

/**
 * How a PREF64 was learnt.
 */
export type Pref64Source = "ra" | "dns" | "policy" | "config";

/**
 * What the claim "IPv4 works" rests on.
 */
export type EvidenceKind = "traffic" | "probe" | "none";

/**
 * Where a value came from; later ones win.
 */
export type Origin = "default" | "config" | "policy";

/**
 * The whole state of the service, as clients see it.
 */
export type Status = { 
/**
 * [`STATUS_SCHEMA`].
 */
schema: string, 
/**
 * Versions.
 */
product: Product, 
/**
 * The process.
 */
service: ServiceInfo, 
/**
 * The state in one word.
 */
state: State, 
/**
 * The state's code.
 */
code: Code, 
/**
 * The code's title in English.
 */
title: string, 
/**
 * When state and code became what they are (RFC 3339, UTC).
 */
since: string, 
/**
 * When this document was made (RFC 3339, UTC).
 */
time: string, 
/**
 * Who translates.
 */
owner: Owner, 
/**
 * The plane in use; null when there is none.
 */
plane: PlaneKind | null, 
/**
 * The uplink in use; null when there is none.
 */
uplink: UplinkStatus | null, 
/**
 * The second uplink that is kept ready; null when there is none.
 */
spare: SpareStatus | null, 
/**
 * Known NAT64 prefixes in order of use.
 */
pref64: Array<Pref64Status>, 
/**
 * The translator; null when it is not armed.
 */
clat: ClatStatus | null, 
/**
 * Re-arming so far.
 */
rearms: Rearms, 
/**
 * What "works" rests on.
 */
evidence: Evidence, 
/**
 * Set while a person has paused Everclat.
 */
pause: PauseStatus | null, 
/**
 * What was heard and had to be ignored.
 */
ignored: Ignored, 
/**
 * Why the state is not a good one, root cause first.
 */
causes: Array<Cause>, 
/**
 * The interfaces that could be an uplink.
 */
interfaces: Array<InterfaceStatus>, };

/**
 * Versions.
 */
export type Product = { 
/**
 * Version of the service.
 */
version: string, 
/**
 * Version of the local protocol.
 */
protocol: number, };

/**
 * The service's process.
 */
export type ServiceInfo = { 
/**
 * Process id.
 */
pid: number, 
/**
 * Seconds since it started, sleep included.
 */
uptime_s: number, };

/**
 * The uplink in use.
 */
export type UplinkStatus = { 
/**
 * Interface name.
 */
name: string, 
/**
 * IPv6 MTU in bytes.
 */
mtu: number, 
/**
 * Next hop towards the NAT64.
 */
gateway: string, };

/**
 * An uplink that is kept ready.
 */
export type SpareStatus = { 
/**
 * Interface name.
 */
name: string, 
/**
 * The prefix that it would translate with.
 */
pref64: string, 
/**
 * X there.
 */
v6: string, 
/**
 * Whether nobody objected to X, so that a change costs nothing but the change.
 */
ready: boolean, };

/**
 * One known NAT64 prefix.
 */
export type Pref64Status = { 
/**
 * The prefix.
 */
prefix: string, 
/**
 * How it was learnt.
 */
source: Pref64Source, 
/**
 * Seconds until it ends; null when it does not.
 */
expires_s: number | null, 
/**
 * The uplink it belongs to; null when it belongs to all (configured).
 */
uplink: string | null, };

/**
 * Packets or bytes by direction, seen from the host's apps.
 */
export type Bytes = { 
/**
 * From apps to the network.
 */
out: number, 
/**
 * From the network to apps.
 */
in: number, };

/**
 * The armed translator.
 */
export type ClatStatus = { 
/**
 * Name of the tunnel interface.
 */
iface: string, 
/**
 * The host's IPv4 address on it.
 */
v4: string, 
/**
 * X, the IPv6 address that stands for it on the uplink.
 */
v6: string, 
/**
 * MTU of the IPv4 default route, in bytes.
 */
mtu: number, 
/**
 * Packets translated.
 */
packets: Bytes, 
/**
 * Bytes of IPv4 translated.
 */
bytes: Bytes, 
/**
 * Packets dropped, by reason; reasons never seen are left out.
 */
drops: { [key in string]: number }, 
/**
 * Whether the kernel translates flows by itself; null from a service that knows no such thing.
 */
fast_path: FastStatus | null, };

/**
 * On or off.
 */
export type FastState = "on" | "off";

/**
 * The fast path in the status document.
 */
export type FastStatus = { 
/**
 * Whether it is on.
 */
state: FastState, 
/**
 * Why it is off, by [name](FastReason::name); null while it is on.
 */
reason: string | null, 
/**
 * The same in words; may be empty.
 */
detail: string, 
/**
 * Packets that went by it, counted in `packets` of the translator, too.
 */
packets: Bytes, };

/**
 * One re-arming, in the status document. Words are text, so that those of a newer service can be read.
 */
export type Rearm = { 
/**
 * Which one it was, counted from 1 when the service started.
 */
number: number, 
/**
 * When IPv4 was armed again (RFC 3339, UTC).
 */
time: string, 
/**
 * Why: one of [`REARM_REASONS`].
 */
reason: string, 
/**
 * From the loss, as the service noticed it, until IPv4 was armed again; in milliseconds, without `standby_ms`.
 */
gap_ms: number, 
/**
 * How long nobody missed us before that, because others provided IPv4 or a person had paused us, in milliseconds; null
 * when that was not so.
 */
standby_ms: number | null, 
/**
 * The uplink before.
 */
from: string | null, 
/**
 * The uplink after.
 */
to: string | null, 
/**
 * Why the uplink was left although there was another one at once: a word of [`Departure`]; else null.
 */
left: string | null, 
/**
 * What was done, in order: words of [`RearmStep`].
 */
done: Array<string>, 
/**
 * From then until IPv4 was first seen to work, in milliseconds: a reply to an app or a probe. Null: not seen before the
 * next loss, or not yet.
 */
first_reply_ms: number | null, 
/**
 * Flows that could not go on and were ended in the eyes of their apps, so that these begin anew.
 */
flows_ended: number, };

/**
 * Re-arming so far.
 */
export type Rearms = { 
/**
 * How often IPv4 was armed again after it had been lost.
 */
count: number, 
/**
 * How long the last one took, in milliseconds.
 */
last_ms: number | null, 
/**
 * What it was about.
 */
last_reason: string | null, 
/**
 * The last ones, newest first; empty from a service that keeps none.
 */
history: Array<Rearm>, };

/**
 * What "works" rests on.
 */
export type Evidence = { 
/**
 * Sort of evidence.
 */
kind: EvidenceKind, 
/**
 * Its age in seconds; null when there is none.
 */
age_s: number | null, };

/**
 * A pause.
 */
export type PauseStatus = { 
/**
 * When it ends by itself (RFC 3339, UTC); null: when somebody resumes.
 */
until: string | null, 
/**
 * Why, in the words of who paused; may be empty.
 */
reason: string, };

/**
 * What was heard and had to be ignored.
 */
export type Ignored = { 
/**
 * Options of router advertisements that break their RFC.
 */
router_options: number, };

/**
 * One cause of a state.
 */
export type Cause = { 
/**
 * Its code.
 */
code: Code, 
/**
 * When it began (RFC 3339, UTC).
 */
since: string, 
/**
 * Details for a helpdesk, in English; may be empty.
 */
detail: string, };

/**
 * An interface that could be an uplink.
 */
export type InterfaceStatus = { 
/**
 * Interface name.
 */
name: string, 
/**
 * What sort it is: ethernet, wifi, mobile, tunnel, bridge, virtual or other; null until it is known.
 */
type: string | null, 
/**
 * What the system calls it, when that is more than its name.
 */
title: string | null, 
/**
 * Whether it is up with carrier.
 */
up: boolean, 
/**
 * Global IPv6 addresses with prefix length.
 */
v6: Array<string>, 
/**
 * Whether native IPv4 leaves through it.
 */
v4_native: boolean, 
/**
 * DHCPv4 option 108, IPv6-only preferred, seen there: V6ONLY_WAIT in seconds (RFC 8925); null when it was not.
 */
opt108: number | null, 
/**
 * IPv6 MTU in bytes.
 */
mtu: number, 
/**
 * Resolvers its network gave (RFC 8106, DHCPv6), in order.
 */
resolvers: Array<string>, };

/**
 * One setting, for people.
 */
export type SettingEntry = { 
/**
 * The key.
 */
key: string, 
/**
 * The effective value as it would stand in the file.
 */
value: string, 
/**
 * Where it came from.
 */
origin: Origin, 
/**
 * Whether lower layers may not override it.
 */
locked: boolean, 
/**
 * The file it came from; null for a default, and from a service that does not say.
 */
source: string | null, };

/**
 * Something in a file that could not be taken as written.
 */
export type ConfigProblem = { 
/**
 * The code for helpdesks; `None` for a note about something that is as it should be.
 */
code: Code | null, 
/**
 * The file, or the directory.
 */
file: string, 
/**
 * The line, from 1; `None` when it is about the file as a whole.
 */
line: number | null, 
/**
 * The key; `None` when it is about none, or about one that does not exist.
 */
key: string | null, 
/**
 * What is wrong, what is allowed, and what holds now.
 */
text: string, };

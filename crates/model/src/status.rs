use std::collections::BTreeMap;
use std::net::{Ipv4Addr, Ipv6Addr};

use ipnet::Ipv6Net;
use serde::{Deserialize, Serialize};
use xlat::Pref64;

use crate::{Code, FastStatus, Owner, PlaneKind, Rearm};

/// Name and version of the status document. Fields are only ever added under it.
pub const STATUS_SCHEMA: &str = "everclat.status/1";

/// What users and scripts branch on.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "ts", derive(ts_rs::TS))]
#[serde(rename_all = "snake_case")]
pub enum State {
    /// IPv4 passes through Everclat, or would if an app asked (see [`Status::evidence`]).
    Working,
    /// The network provides IPv4: a healthy state.
    StandbyNative,
    /// The system or another program translates: a healthy state.
    StandbyOs,
    /// Looking at a network that has just appeared.
    Checking,
    /// Some IPv4 works.
    Limited,
    /// IPv4 does not work.
    Down,
    /// Switched off by a person or by policy.
    Paused,
    /// There is no link.
    NoNetwork,
}

impl State {
    /// The name as it stands in the status document.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Working => "working",
            Self::StandbyNative => "standby_native",
            Self::StandbyOs => "standby_os",
            Self::Checking => "checking",
            Self::Limited => "limited",
            Self::Down => "down",
            Self::Paused => "paused",
            Self::NoNetwork => "no_network",
        }
    }
}

/// How a PREF64 was learnt.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "ts", derive(ts_rs::TS))]
#[serde(rename_all = "lowercase")]
pub enum Pref64Source {
    /// Router advertisement (RFC 8781).
    Ra,
    /// DNS (RFC 7050).
    Dns,
    /// The administrator's policy.
    Policy,
    /// The configuration file.
    Config,
}

/// What the claim "IPv4 works" rests on.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "ts", derive(ts_rs::TS))]
#[serde(rename_all = "lowercase")]
pub enum EvidenceKind {
    /// Translated replies to the host's own traffic.
    Traffic,
    /// A reply to a probe of ours.
    Probe,
    /// Nothing yet.
    None,
}

/// The whole state of the service, as clients see it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "ts", derive(ts_rs::TS))]
pub struct Status {
    /// [`STATUS_SCHEMA`].
    pub schema: String,
    /// Versions.
    pub product: Product,
    /// The process.
    pub service: ServiceInfo,
    /// The state in one word.
    pub state: State,
    /// The state's code.
    pub code: Code,
    /// The code's title in English.
    pub title: String,
    /// When state and code became what they are (RFC 3339, UTC).
    pub since: String,
    /// When this document was made (RFC 3339, UTC).
    pub time: String,
    /// Who translates.
    pub owner: Owner,
    /// The plane in use; null when there is none.
    pub plane: Option<PlaneKind>,
    /// The uplink in use; null when there is none.
    pub uplink: Option<UplinkStatus>,
    /// The second uplink that is kept ready; null when there is none.
    #[serde(default)]
    pub spare: Option<SpareStatus>,
    /// Known NAT64 prefixes in order of use.
    pub pref64: Vec<Pref64Status>,
    /// The translator; null when it is not armed.
    pub clat: Option<ClatStatus>,
    /// Re-arming so far.
    pub rearms: Rearms,
    /// What "works" rests on.
    pub evidence: Evidence,
    /// Set while a person has paused Everclat.
    pub pause: Option<PauseStatus>,
    /// What was heard and had to be ignored.
    pub ignored: Ignored,
    /// Why the state is not a good one, root cause first.
    pub causes: Vec<Cause>,
    /// The interfaces that could be an uplink.
    pub interfaces: Vec<InterfaceStatus>,
}

/// Versions.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "ts", derive(ts_rs::TS))]
pub struct Product {
    /// Version of the service.
    pub version: String,
    /// Version of the local protocol.
    pub protocol: u32,
}

/// The service's process.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "ts", derive(ts_rs::TS))]
pub struct ServiceInfo {
    /// Process id.
    pub pid: u32,
    /// Seconds since it started, sleep included.
    pub uptime_s: u64,
}

/// The uplink in use.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "ts", derive(ts_rs::TS))]
pub struct UplinkStatus {
    /// Interface name.
    pub name: String,
    /// IPv6 MTU in bytes.
    pub mtu: u16,
    /// Next hop towards the NAT64.
    pub gateway: Ipv6Addr,
}

/// An uplink that is kept ready.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "ts", derive(ts_rs::TS))]
pub struct SpareStatus {
    /// Interface name.
    pub name: String,
    /// The prefix that it would translate with.
    #[cfg_attr(feature = "ts", ts(as = "String"))]
    pub pref64: Pref64,
    /// X there.
    pub v6: Ipv6Addr,
    /// Whether nobody objected to X, so that a change costs nothing but the change.
    pub ready: bool,
}

/// One known NAT64 prefix.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "ts", derive(ts_rs::TS))]
pub struct Pref64Status {
    /// The prefix.
    #[cfg_attr(feature = "ts", ts(as = "String"))]
    pub prefix: Pref64,
    /// How it was learnt.
    pub source: Pref64Source,
    /// Seconds until it ends; null when it does not.
    pub expires_s: Option<u64>,
    /// The uplink it belongs to; null when it belongs to all (configured).
    pub uplink: Option<String>,
}

/// Packets or bytes by direction, seen from the host's apps.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "ts", derive(ts_rs::TS))]
pub struct Bytes {
    /// From apps to the network.
    pub out: u64,
    /// From the network to apps.
    #[serde(rename = "in")]
    pub inward: u64,
}

/// The armed translator.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "ts", derive(ts_rs::TS))]
pub struct ClatStatus {
    /// Name of the tunnel interface.
    pub iface: String,
    /// The host's IPv4 address on it.
    pub v4: Ipv4Addr,
    /// X, the IPv6 address that stands for it on the uplink.
    pub v6: Ipv6Addr,
    /// MTU of the IPv4 default route, in bytes.
    pub mtu: u16,
    /// Packets translated.
    pub packets: Bytes,
    /// Bytes of IPv4 translated.
    pub bytes: Bytes,
    /// Packets dropped, by reason; reasons never seen are left out.
    pub drops: BTreeMap<String, u64>,
    /// Whether the kernel translates flows by itself; null from a service that knows no such thing.
    #[serde(default)]
    pub fast_path: Option<FastStatus>,
}

/// Re-arming so far.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "ts", derive(ts_rs::TS))]
pub struct Rearms {
    /// How often IPv4 was armed again after it had been lost.
    pub count: u64,
    /// How long the last one took, in milliseconds.
    pub last_ms: Option<u64>,
    /// What it was about.
    pub last_reason: Option<String>,
    /// The last ones, newest first; empty from a service that keeps none.
    #[serde(default)]
    pub history: Vec<Rearm>,
}

/// What "works" rests on.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "ts", derive(ts_rs::TS))]
pub struct Evidence {
    /// Sort of evidence.
    pub kind: EvidenceKind,
    /// Its age in seconds; null when there is none.
    pub age_s: Option<f64>,
}

/// A pause.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "ts", derive(ts_rs::TS))]
pub struct PauseStatus {
    /// When it ends by itself (RFC 3339, UTC); null: when somebody resumes.
    pub until: Option<String>,
    /// Why, in the words of who paused; may be empty.
    pub reason: String,
}

/// What was heard and had to be ignored.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "ts", derive(ts_rs::TS))]
pub struct Ignored {
    /// Options of router advertisements that break their RFC.
    pub router_options: u64,
}

/// One cause of a state.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "ts", derive(ts_rs::TS))]
pub struct Cause {
    /// Its code.
    pub code: Code,
    /// When it began (RFC 3339, UTC).
    pub since: String,
    /// Details for a helpdesk, in English; may be empty.
    pub detail: String,
}

/// An interface that could be an uplink.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "ts", derive(ts_rs::TS))]
pub struct InterfaceStatus {
    /// Interface name.
    pub name: String,
    /// What sort it is: ethernet, wifi, mobile, tunnel, bridge, virtual or other; null until it is known.
    #[serde(rename = "type", default)]
    pub kind: Option<String>,
    /// What the system calls it, when that is more than its name.
    #[serde(default)]
    pub title: Option<String>,
    /// Whether it is up with carrier.
    pub up: bool,
    /// Global IPv6 addresses with prefix length.
    #[cfg_attr(feature = "ts", ts(as = "Vec<String>"))]
    pub v6: Vec<Ipv6Net>,
    /// Whether native IPv4 leaves through it.
    pub v4_native: bool,
    /// DHCPv4 option 108, IPv6-only preferred, seen there: V6ONLY_WAIT in seconds (RFC 8925); null when it was not.
    #[serde(default)]
    pub opt108: Option<u64>,
    /// IPv6 MTU in bytes.
    pub mtu: u16,
    /// Resolvers its network gave (RFC 8106, DHCPv6), in order.
    pub resolvers: Vec<Ipv6Addr>,
}

impl Status {
    /// Whether IPv4 is armed: packets would be translated now. Satisfies `everclat wait --for ready`.
    #[must_use]
    pub fn is_ready(&self) -> bool {
        match self.state {
            State::Working | State::Limited | State::StandbyNative | State::StandbyOs => true,
            State::Checking | State::Down | State::Paused | State::NoNetwork => false,
        }
    }

    /// Whether IPv4 is known to work. Satisfies `everclat wait --for working`.
    #[must_use]
    pub fn is_working(&self) -> bool {
        match self.state {
            State::Working => self.evidence.kind != EvidenceKind::None,
            State::StandbyNative | State::StandbyOs => true,
            State::Limited | State::Checking | State::Down | State::Paused | State::NoNetwork => false,
        }
    }
}

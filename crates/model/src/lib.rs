//! The words all parts of Everclat share.
//!
//! Values only: nothing here reads a clock, a file, the network or the environment. Time is a [`Timestamp`] that
//! the service measures and passes in.

#![forbid(unsafe_code)]

mod code;
mod config;
mod delta;
mod dns;
mod fast;
mod intent;
mod memory;
mod network;
mod news;
mod plane;
mod rearm;
mod selection;
mod settings;
mod status;
mod time;

pub use code::{Code, Owner};
pub use config::{
    ConfigProblem, KeyReference, Layer, Layered, SettingEntry, key_references, lay, parse_config, parse_policy,
    setting_entries, unknown_key,
};
pub use delta::{DeltaReason, NetworkDelta};
pub use dns::DnsAnswer;
pub use fast::{FastPath, FastReason, FastState, FastStatus, FlowKey};
pub use intent::{Applied, HostIntent, Ipv4Default, StepFailure};
pub use memory::{Memory, NetworkId, RememberedNetwork, RememberedPref64};
pub use network::{
    AddressFlags, IPV4_HALVES, Link, LinkAddress, LinkKind, MacAddress, Neighbour, NetworkSnapshot, Route, RouteKind,
    RouteLookup, ipv4_through, solicited_node,
};
pub use news::{LinkNews, PortalAnswer};
pub use plane::{
    Beside, CounterSnapshot, Generation, PlaneConfig, PlaneEvent, PlaneKind, SEND_ERROR, SpareConfig, TrafficSample,
    UplinkConfig,
};
pub use rearm::{Departure, REARM_REASONS, Rearm, RearmStep};
pub use selection::{InterfaceGlob, ProbeTarget};
pub use settings::{Dad, InvalidSetting, Origin, Setting, Settings};
pub use status::{
    Bytes, Cause, ClatStatus, Evidence, EvidenceKind, Ignored, InterfaceStatus, PauseStatus, Pref64Source,
    Pref64Status, Product, Rearms, STATUS_SCHEMA, ServiceInfo, SpareStatus, State, Status, UplinkStatus,
};
pub use time::Timestamp;
pub use xlat::{DropReason, Pref64, Pref64Error};

use std::net::Ipv4Addr;

/// The IPv4 gateway the host sees (RFC 7335); it exists only as a next hop and as source of our ICMPv4 errors.
pub const GATEWAY_V4: Ipv4Addr = Ipv4Addr::new(192, 0, 0, 1);

/// The host's own IPv4 address while Everclat translates, unless it is taken (RFC 7335).
pub const DEFAULT_CLAT_V4: Ipv4Addr = Ipv4Addr::new(192, 0, 0, 2);

/// Whether `address` lies in 192.0.0.0/29, the range set aside for IPv4 continuity (RFC 7335).
#[must_use]
pub fn is_continuity_address(address: Ipv4Addr) -> bool {
    let [a, b, c, d] = address.octets();
    (a, b, c) == (192, 0, 0) && d < 8
}

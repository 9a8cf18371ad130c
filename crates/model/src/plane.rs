use std::net::{Ipv4Addr, Ipv6Addr};

use serde::{Deserialize, Serialize};
use xlat::{DropReason, Pref64};

use crate::{Dad, MacAddress, ProbeTarget, Timestamp};

/// Counts decisions of the engine. A result that carries an older one is ignored.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Generation(pub u64);

impl Generation {
    /// The following one.
    #[must_use]
    pub const fn next(self) -> Self {
        Self(self.0.saturating_add(1))
    }
}

impl std::fmt::Display for Generation {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        self.0.fmt(f)
    }
}

/// How packets get from the tunnel to the NAT64.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "ts", derive(ts_rs::TS))]
#[serde(rename_all = "lowercase")]
pub enum PlaneKind {
    /// Stateless translation (RFC 7915) with a dedicated IPv6 address.
    Translate,
    /// User-space endpoints that open ordinary IPv6 sockets.
    Relay,
}

/// The uplink a plane sends through.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct UplinkConfig {
    /// Interface index.
    pub link: u32,
    /// Interface name.
    pub name: String,
    /// Our link-layer address there.
    pub mac: MacAddress,
    /// The next hop towards the NAT64.
    pub gateway: Ipv6Addr,
    /// Its link-layer address as the kernel knows it.
    pub gateway_mac: MacAddress,
    /// IPv6 MTU, in bytes.
    pub mtu6: u16,
}

/// Everything a translating plane needs; replaced as a whole.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PlaneConfig {
    /// The decision this belongs to.
    pub generation: Generation,
    /// Which plane.
    pub kind: PlaneKind,
    /// The uplink.
    pub uplink: UplinkConfig,
    /// The NAT64 prefix.
    pub pref64: Pref64,
    /// The largest IPv6 packet that the path to the NAT64 and behind it takes, in bytes: the uplink's MTU, or less.
    pub path_mtu: u16,
    /// IPv6 packets that their apps let routers fragment are cut to this, in bytes (RFC 7915 section 4).
    pub lowest_ipv6_mtu: u16,
    /// The host's IPv4 address on the tunnel.
    pub v4: Ipv4Addr,
    /// The gateway's, from which our ICMP errors come.
    pub gateway_v4: Ipv4Addr,
    /// X, the IPv6 address that stands for it on the uplink.
    pub v6: Ipv6Addr,
    /// How X is claimed.
    pub dad: Dad,
    /// X has been claimed on this very network by way of another uplink: it is ours, and is only to be announced.
    pub owned: bool,
    /// How often X has come into doubt since it was chosen. Another number has it claimed again while it is in use.
    pub round: u32,
    /// Link-layer addresses of our other uplinks on the same network: what they say about X is no objection.
    pub own_macs: Vec<MacAddress>,
}

/// What a line beside the one in use is there for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Beside {
    /// The second uplink, kept ready.
    Spare,
    /// A second X on the uplink in use: the next one, or the one before.
    Twin,
}

/// A second uplink that is kept ready, or a second X.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SpareConfig {
    /// What it would be used with.
    pub plane: PlaneConfig,
    /// Whether X is claimed and answered for there now. Not while the uplink in use has the very same X.
    pub answers: bool,
    /// Whether flows that began there go on there.
    pub lingers: bool,
}

/// Beside the translator's reasons in the status: a translated packet that the system did not take, or that was held back
/// because X is in doubt.
pub const SEND_ERROR: &str = "send-error";

/// What went through the plane since it was last asked.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct TrafficSample {
    /// Packets from apps, since the service started.
    pub sent: u64,
    /// Translated packets handed to apps, since the service started.
    pub received: u64,
    /// Some of the destinations that were sent to and have not answered.
    pub mute: Vec<Ipv4Addr>,
    /// Some of the destinations that have answered.
    pub answered: Vec<Ipv4Addr>,
}

/// What a plane, or a line beside it, tells the engine.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum PlaneEvent {
    /// The tunnel is open and packets can flow.
    Started {
        /// Index of the tunnel interface.
        tun: u32,
        /// Name of the tunnel interface.
        name: String,
    },
    /// DAD ended without an objection: X is ours.
    Claimed(Ipv6Addr),
    /// Another node uses or claims X.
    Duplicate(Ipv6Addr),
    /// The first translated reply of this generation arrived.
    FirstReply,
    /// Apps send again after a pause.
    Traffic,
    /// The gateway has said its link-layer address when it was asked.
    GatewayAnswered,
    /// A probe was answered.
    ProbeAnswered(ProbeTarget<Ipv4Addr>),
    /// An app has sent one large segment again and again, and nobody acknowledges it.
    Unacknowledged {
        /// To whom.
        server: Ipv4Addr,
        /// As an IPv6 packet, in bytes.
        size: u16,
    },
    /// An echo request of a size that was to be tried was answered.
    Passed {
        /// By whom.
        server: Ipv4Addr,
        /// The size asked for: of the IPv6 packet, in bytes.
        size: u16,
    },
    /// No flow goes on any more by the line of this generation, which is kept for those that began there.
    Abandoned,
    /// So many flows have been ended in the eyes of their apps.
    FlowsEnded(u64),
    /// The plane ended; packets no longer flow.
    Failed(String),
}

/// Counters of the plane, as read at one moment. Directions are seen from the host's apps.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct CounterSnapshot {
    /// Packets from apps that were translated and sent (a super-packet counts once).
    pub packets_out: u64,
    /// Translated packets handed to apps.
    pub packets_in: u64,
    /// Bytes of IPv4 packets out.
    pub bytes_out: u64,
    /// Bytes of IPv4 packets in.
    pub bytes_in: u64,
    /// Drops by the translator's reason, those not zero.
    pub drops: Vec<(DropReason, u64)>,
    /// Packets that were not taken from us, or that were held back; see [`SEND_ERROR`].
    pub send_errors: u64,
    /// Duration between the service's start and the last translated reply.
    pub last_reply: Option<Timestamp>,
}

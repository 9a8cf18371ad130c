//! What a system that can translate by itself is told, and what it tells.

use std::io;
use std::net::{Ipv4Addr, Ipv6Addr};
use std::time::Duration;

use model::{FastReason, FlowKey, MacAddress};
use thiserror::Error;
use xlat::Pref64;

use crate::TunId;

/// Why there is no fast path.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
#[error("{detail}")]
pub struct FastRefusal {
    /// In one word.
    pub reason: FastReason,
    /// In more, for people.
    pub detail: String,
}

impl FastRefusal {
    /// Says both.
    pub fn new(reason: FastReason, detail: impl Into<String>) -> Self {
        Self { reason, detail: detail.into() }
    }
}

/// What the fast path translates by. X has to be neutral for the prefix: checksums of TCP and UDP are not touched.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FastConfig {
    /// The tunnel.
    pub tun: u32,
    /// The uplink.
    pub link: u32,
    /// The host's IPv4 address.
    pub v4: Ipv4Addr,
    /// X.
    pub v6: Ipv6Addr,
    /// The NAT64 prefix, of 96 or 32 bits.
    pub pref64: Pref64,
    /// Our link-layer address on the uplink.
    pub mac: MacAddress,
    /// That of the next hop, as the plane knows it: the system may take a replaced router for the former one for longer.
    pub gateway_mac: MacAddress,
    /// The longest IPv6 packet that may leave, in bytes.
    pub mtu6: u16,
    /// The longest one that may leave where the app's packet could have been fragmented, in bytes.
    pub divisible: u16,
    /// The longest IPv4 packet that may be handed to apps, in bytes.
    pub mtu4: u16,
    /// IPv4 identifications that nobody else uses: this one and `id_mask` after it.
    pub first_id: u16,
    /// One less than how many there are, a power of two.
    pub id_mask: u16,
    /// Where among them to begin.
    pub id_start: u16,
}

/// How far a flow has got when the fast path takes it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct FastSeed {
    /// TCP: the byte that the app expects next.
    pub expects: u32,
    /// TCP: the byte after the last one that it has sent.
    pub end: u32,
    /// UDP: the app sends datagrams in super-packets.
    pub udp_gso: bool,
}

/// What the fast path knows of a flow.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct FastFlow {
    /// TCP: the byte that the app expects next.
    pub expects: u32,
    /// How long ago the app last sent by the fast path, or was admitted.
    pub sent: Duration,
    /// How long ago it last got something by it; `None`: never.
    pub answered: Option<Duration>,
}

/// What went by the fast path since it was loaded. A super-packet counts once.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct FastTotals {
    /// Packets from apps.
    pub packets_out: u64,
    /// Bytes of IPv4 of them.
    pub bytes_out: u64,
    /// Packets to apps.
    pub packets_in: u64,
    /// Bytes of IPv4 of them.
    pub bytes_in: u64,
    /// Packets that could not be handed on.
    pub lost: u64,
    /// Frames above 64 KiB that came by the uplink.
    pub huge: u64,
    /// How long ago an app last got something; `None`: never.
    pub answered: Option<Duration>,
}

/// The kernel's own translation, for flows that it has been told of. Everything else it leaves to the plane. It ends with
/// the value.
pub trait FastLane: Send + Sync + 'static {
    /// Puts it between the tunnel and each of `links`, and nowhere else. Slow: the first time it is tried out, too. It is
    /// off until it is [started](Self::start); where it was on, it stays so. Says where it is in place.
    ///
    /// # Errors
    /// When the system refuses, or the trial failed. Without a tunnel any more ([`FastReason::Starting`]), nothing is said
    /// about the next one.
    fn attach(&self, tun: &TunId, links: &[u32]) -> Result<Vec<u32>, FastRefusal>;

    /// Leaves all interfaces. Slow.
    fn detach(&self);

    /// Translates by `config` from here on. The flows it has been told of before are none any more.
    ///
    /// # Errors
    /// When the system refuses; then it is off.
    fn start(&self, config: &FastConfig) -> io::Result<()>;

    /// Translates nothing from here on.
    fn stop(&self);

    /// Leaves what apps send to the plane for the moment, or no longer.
    fn hold(&self, held: bool);

    /// Takes a flow, or says anew how far it is.
    ///
    /// # Errors
    /// When there are too many.
    fn admit(&self, key: &FlowKey, seed: &FastSeed) -> io::Result<()>;

    /// Leaves a flow to the plane.
    fn remove(&self, key: &FlowKey);

    /// The flows it has been told of.
    fn flows(&self) -> Vec<(FlowKey, FastFlow)>;

    /// Leaves all flows to the plane.
    fn clear(&self);

    /// What went through so far.
    fn totals(&self) -> FastTotals;
}

use std::net::{Ipv4Addr, Ipv6Addr};

use crate::Generation;

/// What the host should look like, in words of no particular operating system.
///
/// Each platform expands it into ordered, verified steps: Linux into an address and a route, macOS into a delegate,
/// a rank and a copy of the name service, Windows into interface metrics.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct HostIntent {
    /// The decision this belongs to.
    pub generation: Generation,
    /// Be the IPv4 default; `None`: have no IPv4 address and no route of ours.
    pub default_v4: Option<Ipv4Default>,
    /// IPv6 addresses that the host itself must neither answer for nor complain about (X, see RFC 6877 section 6.3), in
    /// order. Only asked for on hosts that forward; others are silent by themselves.
    pub silent_v6: Vec<Ipv6Addr>,
}

impl HostIntent {
    /// Whether nothing of ours is wanted on the host.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.default_v4.is_none() && self.silent_v6.is_empty()
    }
}

/// "Be the IPv4 default through uplink U."
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Ipv4Default {
    /// The uplink whose name service and rank apply.
    pub uplink: u32,
    /// The host's IPv4 address on the tunnel.
    pub address: Ipv4Addr,
    /// The next hop of the default route.
    pub gateway: Ipv4Addr,
    /// MTU of the default route, in bytes.
    pub route_mtu: u16,
    /// MTU of the tunnel device, in bytes: what an unfragmented DF packet may have (RFC 7915 section 4.1).
    pub device_mtu: u16,
    /// Metric of the default route; worse than any native one.
    pub metric: u32,
    /// Whether the route itself is wanted. Without it only the address stays, for routes that others have laid through
    /// the tunnel: a VPN's to its own server.
    pub leads: bool,
}

/// What is really in place after an intent was applied.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Applied {
    /// The intent's generation.
    pub generation: Generation,
    /// The IPv4 default that was read back; `None` when there is none.
    pub default_v4: Option<Ipv4Default>,
    /// The addresses, of those asked for, that the host is silent about.
    pub silent_v6: Vec<Ipv6Addr>,
    /// Steps that failed. An intent with a failed step is not in place as a whole.
    pub failures: Vec<StepFailure>,
}

/// One step of the plan that failed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StepFailure {
    /// The step, as the platform's plan prints it.
    pub step: String,
    /// The operating system's answer.
    pub error: String,
}

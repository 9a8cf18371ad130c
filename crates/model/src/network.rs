use std::collections::BTreeMap;
use std::fmt;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::time::Duration;

use ipnet::{IpNet, Ipv6Net};

/// A link-layer address of an Ethernet-like interface.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct MacAddress(pub [u8; 6]);

impl fmt::Display for MacAddress {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let [a, b, c, d, e, g] = self.0;
        write!(f, "{a:02x}:{b:02x}:{c:02x}:{d:02x}:{e:02x}:{g:02x}")
    }
}

impl fmt::Debug for MacAddress {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

/// What sort of interface it is, as far as it matters for choosing an uplink.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LinkKind {
    /// Ethernet framing with neighbour discovery: wired, Wi-Fi, veth.
    Ethernet,
    /// Ethernet framing without a wire of its own: a bridge or a dummy. An uplink only if a default route says so.
    Bridge,
    /// The loopback interface.
    Loopback,
    /// A layer-3 tunnel (TUN, WireGuard, PPP, raw IP): no neighbour discovery.
    PointToPoint,
    /// A member of a bridge or bond, or framing we do not know.
    Other,
}

/// State of an IPv6 or IPv4 address on an interface.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct AddressFlags {
    /// DAD is under way and the address is not optimistic.
    pub tentative: bool,
    /// DAD found a duplicate.
    pub dad_failed: bool,
    /// The preferred lifetime has ended.
    pub deprecated: bool,
    /// RFC 8981 temporary address.
    pub temporary: bool,
}

/// One address of an interface.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct LinkAddress {
    /// Address and prefix length.
    pub net: IpNet,
    /// State.
    pub flags: AddressFlags,
}

/// One network interface.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Link {
    /// The kernel's number for it.
    pub index: u32,
    /// Its name.
    pub name: String,
    /// What sort of interface it is.
    pub kind: LinkKind,
    /// Its link-layer address, when it has an Ethernet one.
    pub mac: Option<MacAddress>,
    /// IPv6 MTU in bytes (a router advertisement may have lowered it below the link's).
    pub mtu6: u16,
    /// Switched on by the administrator.
    pub up: bool,
    /// The other end is there.
    pub carrier: bool,
    /// Whether the host forwards IPv6 packets that arrive here.
    pub forwards_ipv6: bool,
    /// Its addresses.
    pub addresses: Vec<LinkAddress>,
}

impl Link {
    /// Up, with carrier: packets may pass.
    #[must_use]
    pub fn is_usable(&self) -> bool {
        self.up && self.carrier
    }

    /// Its IPv6 addresses that are not link-local, with their prefix.
    pub fn global_v6(&self) -> impl Iterator<Item = (Ipv6Net, AddressFlags)> {
        self.addresses.iter().filter_map(|address| match address.net {
            IpNet::V6(net) if !net.addr().is_unicast_link_local() && !net.addr().is_loopback() => {
                Some((net, address.flags))
            }
            IpNet::V6(_) | IpNet::V4(_) => None,
        })
    }
}

/// What a route does with packets.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RouteKind {
    /// Delivers them.
    Unicast,
    /// Discards or refuses them (blackhole, unreachable, prohibit) or belongs to the host itself.
    Other,
}

/// One route of the main table.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Route {
    /// Destination.
    pub destination: IpNet,
    /// Next hop, when there is one. An IPv4 route may have an IPv6 next hop.
    pub gateway: Option<IpAddr>,
    /// Outgoing interface (0 when none).
    pub link: u32,
    /// Metric; the lower one wins.
    pub metric: u32,
    /// What it does.
    pub kind: RouteKind,
    /// Whether Everclat put it there.
    pub ours: bool,
}

impl Route {
    /// Whether this is a default route of IPv4 that delivers packets.
    #[must_use]
    pub fn is_ipv4_default(&self) -> bool {
        self.kind == RouteKind::Unicast && matches!(self.destination, IpNet::V4(net) if net.prefix_len() == 0)
    }

    /// Whether this is a default route of IPv6 that delivers packets.
    #[must_use]
    pub fn is_ipv6_default(&self) -> bool {
        self.kind == RouteKind::Unicast && matches!(self.destination, IpNet::V6(net) if net.prefix_len() == 0)
    }
}

/// What the kernel answers when asked where a packet to a destination would go, rules included.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RouteLookup {
    /// Outgoing interface.
    pub link: u32,
    /// Next hop; none when the destination is on the link.
    pub gateway: Option<Ipv6Addr>,
}

/// A resolved neighbour.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Neighbour {
    /// Interface it was seen on.
    pub link: u32,
    /// Its address.
    pub address: Ipv6Addr,
    /// Its link-layer address.
    pub mac: MacAddress,
}

/// The network as the host sees it at one moment. Decisions are made on this, never on notifications.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct NetworkSnapshot {
    /// Interfaces by index; Everclat's own tunnel is left out.
    pub links: BTreeMap<u32, Link>,
    /// Routes of the main table; those through Everclat's own tunnel are left out.
    pub routes: Vec<Route>,
    /// IPv6 neighbours whose link-layer address is known.
    pub neighbours: Vec<Neighbour>,
    /// Answers to the destinations the engine asked about; no entry means unreachable.
    pub lookups: BTreeMap<Ipv6Addr, RouteLookup>,
    /// The interface by which all of IPv4 leaves as the kernel sees it, rules included; none when it is our own tunnel,
    /// not the same for both halves of the address space, or when there is no way.
    pub ipv4_through: Option<u32>,
    /// How often the carrier of each link has gone so far, where the host counts: a blink that fell between two snapshots
    /// shows here. No change by itself.
    pub blinks: BTreeMap<u32, u32>,
    /// When a router, or whoever keeps addresses, last spoke of a /64 on a link, by a clock of the host's own that need
    /// not count sleep. Missing for what nobody refreshes: addresses set by hand. No change by itself.
    pub refreshed: BTreeMap<(u32, Ipv6Net), Duration>,
}

impl NetworkSnapshot {
    /// The link-layer address of `address` on interface `link`, if it is known.
    #[must_use]
    pub fn neighbour(&self, link: u32, address: Ipv6Addr) -> Option<MacAddress> {
        self.neighbours.iter().find(|n| n.link == link && n.address == address).map(|n| n.mac)
    }
}

/// One address of each half of IPv4, as VPNs divide it, that hardly anybody has a route of its own for. Nothing is sent
/// there.
pub const IPV4_HALVES: [Ipv4Addr; 2] = [Ipv4Addr::new(11, 0, 0, 1), Ipv4Addr::new(203, 0, 113, 1)];

/// [`NetworkSnapshot::ipv4_through`] where there is nothing but one table: the longest matching route decides, then its
/// metric.
#[must_use]
pub fn ipv4_through(routes: &[Route]) -> Option<u32> {
    let best = |destination: Ipv4Addr| {
        let covers = |route: &&Route| matches!(route.destination, IpNet::V4(net) if net.contains(&destination));
        let usable = routes.iter().filter(|route| route.kind == RouteKind::Unicast).filter(covers);
        usable
            .max_by_key(|route| (route.destination.prefix_len(), std::cmp::Reverse(route.metric)))
            .map(|route| route.link)
    };
    let [lower, upper] = IPV4_HALVES.map(best);
    lower.filter(|_| lower == upper)
}

/// The solicited-node multicast address of `address` (RFC 4291 section 2.7.1).
#[must_use]
pub fn solicited_node(address: Ipv6Addr) -> Ipv6Addr {
    let [.., a, b, c] = address.octets();
    Ipv6Addr::from([0xff, 2, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1, 0xff, a, b, c])
}

#[cfg(test)]
mod tests {
    use super::*;

    fn route(destination: &str, link: u32, metric: u32) -> Route {
        let destination = destination.parse().unwrap();
        Route { destination, gateway: None, link, metric, kind: RouteKind::Unicast, ours: false }
    }

    #[test]
    fn both_halves_have_to_leave_the_same_way() {
        let default = route("0.0.0.0/0", 2, 100);
        assert_eq!(ipv4_through(&[]), None);
        assert_eq!(ipv4_through(std::slice::from_ref(&default)), Some(2));
        assert_eq!(ipv4_through(&[default.clone(), route("0.0.0.0/0", 7, 50)]), Some(7));
        let half = route("0.0.0.0/1", 7, 500);
        assert_eq!(ipv4_through(&[default.clone(), half.clone()]), None, "a split tunnel");
        assert_eq!(ipv4_through(&[default, half, route("128.0.0.0/1", 7, 500)]), Some(7), "the longest match");
    }
}

//! The scripted network: what the host would see if it looked.

use std::net::{IpAddr, Ipv6Addr};
use std::time::Duration;

use model::{
    AddressFlags, Link, LinkAddress, LinkKind, MacAddress, Neighbour, NetworkSnapshot, Route, RouteKind, RouteLookup,
};

pub(crate) const ETH: u32 = 2;
pub(crate) const WLAN: u32 = 3;
pub(crate) const VPN: u32 = 7;

/// Both routers use it, as routers do.
pub(crate) const ROUTER: &str = "fe80::1";

/// What the host sees; lookups are answered when it is looked at.
#[derive(Clone, Debug, Default)]
pub(crate) struct Network {
    pub(crate) seen: NetworkSnapshot,
    /// An interface that takes everything, whatever the main table says.
    pub(crate) captured_by: Option<u32>,
}

impl Network {
    /// Ethernet without an address yet.
    pub(crate) fn cable() -> Self {
        let mut network = Self::default();
        network.add_link(ETH, "eth0", LinkKind::Ethernet);
        network
    }

    /// Ethernet on an IPv6-only network, the router resolved.
    pub(crate) fn ipv6_only() -> Self {
        let mut network = Self::cable();
        network.uplink(ETH, "2001:db8:1::5/64", 100);
        network
    }

    /// The same, and Wi-Fi as second choice on a /64 of its own.
    pub(crate) fn two_uplinks() -> Self {
        let mut network = Self::ipv6_only();
        network.add_link(WLAN, "wlan0", LinkKind::Ethernet);
        network.uplink(WLAN, "2001:db8:2::5/64", 600);
        network
    }

    /// Ethernet and Wi-Fi of one home router.
    pub(crate) fn shared_prefix() -> Self {
        let mut network = Self::ipv6_only();
        network.add_link(WLAN, "wlan0", LinkKind::Ethernet);
        network.uplink(WLAN, "2001:db8:1::6/64", 600);
        network
    }

    pub(crate) fn add_link(&mut self, index: u32, name: &str, kind: LinkKind) {
        let last = u8::try_from(index).unwrap();
        let link = Link {
            index,
            name: name.into(),
            kind,
            mac: (kind != LinkKind::PointToPoint).then_some(MacAddress([2, 0, 0, 0, 0, last])),
            mtu6: 1500,
            up: true,
            carrier: true,
            forwards_ipv6: false,
            addresses: Vec::new(),
        };
        self.seen.links.insert(index, link);
    }

    /// Gives a link an address, a default route and a resolved router.
    pub(crate) fn uplink(&mut self, link: u32, net: &str, metric: u32) {
        self.add_address(link, net);
        self.add_route("::/0", Some(ROUTER), link, metric);
        self.resolve(link);
    }

    pub(crate) fn add_address(&mut self, link: u32, net: &str) {
        let address = LinkAddress { net: net.parse().unwrap(), flags: AddressFlags::default() };
        self.link(link).addresses.push(address);
    }

    pub(crate) fn add_route(&mut self, destination: &str, gateway: Option<&str>, link: u32, metric: u32) {
        self.seen.routes.push(Route {
            destination: destination.parse().unwrap(),
            gateway: gateway.map(|gateway| gateway.parse().unwrap()),
            link,
            metric,
            kind: RouteKind::Unicast,
            ours: false,
        });
    }

    pub(crate) fn remove_route(&mut self, destination: &str) {
        let destination: ipnet::IpNet = destination.parse().unwrap();
        self.seen.routes.retain(|route| route.destination != destination);
    }

    pub(crate) fn resolve(&mut self, link: u32) {
        self.resolve_as(link, ROUTER, u8::try_from(link).unwrap());
    }

    /// A router is known by a link-layer address with this last octet.
    pub(crate) fn resolve_as(&mut self, link: u32, router: &str, last: u8) {
        let address = router.parse().unwrap();
        self.seen.neighbours.retain(|neighbour| (neighbour.link, neighbour.address) != (link, address));
        self.seen.neighbours.push(Neighbour { link, address, mac: MacAddress([2, 0, 0, 0, 1, last]) });
    }

    /// A router has spoken of this /64 at that moment, by the host's clock in seconds.
    pub(crate) fn refresh(&mut self, link: u32, net: &str, at: u64) {
        self.seen.refreshed.insert((link, net.parse().unwrap()), Duration::from_secs(at));
    }

    /// Whether addresses are deprecated.
    pub(crate) fn deprecate(&mut self, link: u32, net: &str) {
        let net: ipnet::IpNet = net.parse().unwrap();
        for address in self.link(link).addresses.iter_mut().filter(|address| address.net == net) {
            address.flags.deprecated = true;
        }
    }

    pub(crate) fn remove_address(&mut self, link: u32, net: &str) {
        let net: ipnet::IpNet = net.parse().unwrap();
        self.link(link).addresses.retain(|address| address.net != net);
    }

    pub(crate) fn forget_neighbours(&mut self, link: u32) {
        self.seen.neighbours.retain(|neighbour| neighbour.link != link);
    }

    pub(crate) fn link(&mut self, index: u32) -> &mut Link {
        self.seen.links.get_mut(&index).unwrap()
    }

    /// The other end is gone; the kernel has already dropped the routes.
    pub(crate) fn unplug(&mut self, index: u32) {
        self.link(index).carrier = false;
        self.link(index).addresses.clear();
        self.seen.routes.retain(|route| route.link != index);
        self.forget_neighbours(index);
    }

    /// A snapshot that answers `targets`.
    pub(crate) fn snapshot(&self, targets: &[Ipv6Addr]) -> NetworkSnapshot {
        let mut snapshot = self.seen.clone();
        let usable = |link: u32| self.seen.links.get(&link).is_some_and(Link::is_usable);
        let best = self.seen.routes.iter().filter(|r| r.is_ipv6_default() && usable(r.link)).min_by_key(|r| r.metric);
        let lookup = match (self.captured_by, best) {
            (Some(link), _) => Some(RouteLookup { link, gateway: None }),
            (None, Some(route)) => {
                let gateway = route.gateway.map(|gateway| match gateway {
                    IpAddr::V6(gateway) => gateway,
                    IpAddr::V4(_) => unreachable!("an IPv6 route"),
                });
                Some(RouteLookup { link: route.link, gateway })
            }
            (None, None) => None,
        };
        snapshot.lookups = lookup.map(|found| targets.iter().map(|t| (*t, found)).collect()).unwrap_or_default();
        snapshot
    }
}

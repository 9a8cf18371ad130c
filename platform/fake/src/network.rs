//! Networks to begin with, and what routers say.

use std::cmp::Reverse;
use std::net::{IpAddr, Ipv6Addr};

use ipnet::{IpNet, Ipv4Net};
use model::{
    AddressFlags, Ipv4Default, Link, LinkAddress, LinkKind, MacAddress, Neighbour, NetworkSnapshot, Pref64, Route,
    RouteKind, RouteLookup, ipv4_through,
};

use crate::io::TUN;

/// Index of `eth0`.
pub const ETH: u32 = 2;

/// The router's address on every link.
pub const ROUTER: &str = "fe80::1";

/// The router's link-layer address on every link.
pub const ROUTER_MAC: MacAddress = MacAddress([2, 0, 0, 0, 1, 1]);

/// `eth0` on an IPv6-only network, 2001:db8:1::/64, its router resolved.
#[must_use]
pub fn ipv6_only() -> NetworkSnapshot {
    let mut network = NetworkSnapshot::default();
    add_ethernet(&mut network, ETH, "eth0", "2001:db8:1::5/64", 100);
    network
}

/// Adds an Ethernet with an address, a default route of that metric and a resolved router.
///
/// # Panics
/// When `net` is no address with a prefix length.
pub fn add_ethernet(network: &mut NetworkSnapshot, index: u32, name: &str, net: &str, metric: u32) {
    let [.., last] = index.to_be_bytes();
    let net: IpNet = net.parse().expect("an address with its prefix length");
    let router: Ipv6Addr = ROUTER.parse().expect("an IPv6 address");
    let link = Link {
        index,
        name: name.to_owned(),
        kind: LinkKind::Ethernet,
        mac: Some(MacAddress([2, 0, 0, 0, 0, last])),
        mtu6: 1500,
        up: true,
        carrier: true,
        forwards_ipv6: false,
        addresses: vec![LinkAddress { net, flags: AddressFlags::default() }],
    };
    network.links.insert(index, link);
    network.routes.push(Route {
        destination: "::/0".parse().expect("a prefix"),
        gateway: Some(router.into()),
        link: index,
        metric,
        kind: RouteKind::Unicast,
        ours: false,
    });
    network.neighbours.push(Neighbour { link: index, address: router, mac: ROUTER_MAC });
}

/// The other end of `index` is gone, and the kernel has dropped what belonged to it.
pub fn unplug(network: &mut NetworkSnapshot, index: u32) {
    if let Some(link) = network.links.get_mut(&index) {
        link.carrier = false;
        link.addresses.clear();
    }
    network.routes.retain(|route| route.link != index);
    network.neighbours.retain(|neighbour| neighbour.link != index);
}

/// A PREF64 option (RFC 8781 section 4).
#[must_use]
pub fn pref64_option(prefix: Pref64, lifetime: u16) -> Vec<u8> {
    let code = match prefix.prefix_len() {
        64 => 1,
        56 => 2,
        48 => 3,
        40 => 4,
        32 => 5,
        _ => 0,
    };
    let mut option = vec![38, 2];
    option.extend(((lifetime & !0b111) | code).to_be_bytes());
    option.extend(prefix.prefix().octets().iter().take(12));
    option
}

/// `network` as the host sees it: with the answers to `targets` by its routes, and with the interface by which IPv4 leaves,
/// unless the test has set one. `ours` is our own default route.
pub(crate) fn seen(network: &NetworkSnapshot, targets: &[Ipv6Addr], ours: Option<&Ipv4Default>) -> NetworkSnapshot {
    let usable = |link: u32| network.links.get(&link).is_some_and(Link::is_usable);
    let lookup = |to: Ipv6Addr| {
        let covers = |route: &&Route| match route.destination {
            IpNet::V6(net) => route.kind == RouteKind::Unicast && usable(route.link) && net.contains(&to),
            IpNet::V4(_) => false,
        };
        let routes = network.routes.iter().filter(covers);
        let best = routes.min_by_key(|route| (Reverse(route.destination.prefix_len()), route.metric))?;
        let gateway = match best.gateway {
            Some(IpAddr::V6(gateway)) => Some(gateway),
            Some(IpAddr::V4(_)) | None => None,
        };
        Some((to, RouteLookup { link: best.link, gateway }))
    };
    let mut snapshot = network.clone();
    snapshot.lookups = targets.iter().filter_map(|to| lookup(*to)).collect();
    if snapshot.ipv4_through.is_none() {
        let mut routes = network.routes.clone();
        routes.extend(ours.map(|route| Route {
            destination: IpNet::V4(Ipv4Net::default()),
            gateway: Some(route.gateway.into()),
            link: TUN,
            metric: route.metric,
            kind: RouteKind::Unicast,
            ours: true,
        }));
        snapshot.ipv4_through = ipv4_through(&routes).filter(|link| *link != TUN);
    }
    snapshot
}

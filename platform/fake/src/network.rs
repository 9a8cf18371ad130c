//! Networks to begin with, and what routers say.

use std::net::Ipv6Addr;

use ipnet::IpNet;
use model::{
    AddressFlags, Link, LinkAddress, LinkKind, MacAddress, Neighbour, NetworkSnapshot, Pref64, Route, RouteKind,
    RouteLookup,
};

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

/// `network` with the answers to `targets`: by the best IPv6 default route.
pub(crate) fn with_lookups(network: &NetworkSnapshot, targets: &[Ipv6Addr]) -> NetworkSnapshot {
    let usable = |link: u32| network.links.get(&link).is_some_and(Link::is_usable);
    let defaults = network.routes.iter().filter(|route| route.is_ipv6_default() && usable(route.link));
    let best = defaults.min_by_key(|route| route.metric);
    let mut snapshot = network.clone();
    if let Some(route) = best {
        let gateway = match route.gateway {
            Some(std::net::IpAddr::V6(gateway)) => Some(gateway),
            Some(std::net::IpAddr::V4(_)) | None => None,
        };
        snapshot.lookups = targets.iter().map(|to| (*to, RouteLookup { link: route.link, gateway })).collect();
    }
    snapshot
}

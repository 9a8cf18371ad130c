//! The tables, put together.

use std::collections::BTreeMap;
use std::net::{IpAddr, Ipv6Addr};

use ipnet::IpNet;
use model::{
    AddressFlags, Link, LinkAddress, LinkKind, MacAddress, Neighbour, NetworkSnapshot, Route, RouteKind, RouteLookup,
};

use super::{AddressRow, InterfaceRow, NeighbourRow, RouteRow, Tables, kind};

/// `IfOperStatusUp` (`ifdef.h`).
const OPER_UP: i32 = 1;
/// `NET_IF_ADMIN_STATUS_UP` (`ifdef.h`).
const ADMIN_UP: i32 = 1;
/// `MediaConnectStateDisconnected` (`ifdef.h`).
const MEDIA_DISCONNECTED: i32 = 2;

// `NL_DAD_STATE` (`nldef.h`).
const DAD_INVALID: i32 = 0;
const DAD_TENTATIVE: i32 = 1;
const DAD_DUPLICATE: i32 = 2;
const DAD_DEPRECATED: i32 = 3;

/// `IpSuffixOriginRandom` (`nldef.h`).
const SUFFIX_RANDOM: i32 = 5;

/// `NlnsProbe` to `NlnsPermanent` (`nldef.h`): unreachable and incomplete ones come before.
const NEIGHBOUR_RESOLVED: std::ops::RangeInclusive<i32> = 2..=6;

/// IPv6 needs this much (RFC 8200 section 5); a link that says less has IPv6 off.
const MIN_MTU6: u16 = 1280;

/// The network of `tables` and `lookups`, without the loopback interface, without filters and without our own tunnel
/// `own`.
#[must_use]
pub fn snapshot(tables: &Tables, lookups: BTreeMap<Ipv6Addr, RouteLookup>, own: Option<u32>) -> NetworkSnapshot {
    let links: BTreeMap<u32, Link> = tables
        .interfaces
        .iter()
        .filter(|row| Some(row.index) != own)
        .filter_map(|row| link(row, tables))
        .map(|link| (link.index, link))
        .collect();
    let mut routes: Vec<Route> = tables.routes.iter().filter_map(|row| route(row, tables, &links)).collect();
    routes.sort_by_key(|route| route.metric);
    let mut neighbours: Vec<Neighbour> = tables.neighbours.iter().filter_map(neighbour).collect();
    // Only routers can be a gateway; all others come and go without meaning anything to us.
    neighbours.retain(|neighbour| {
        routes.iter().any(|route| route.gateway == Some(IpAddr::V6(neighbour.address)))
            || lookups.values().any(|lookup| lookup.gateway == Some(neighbour.address))
    });
    neighbours.sort_unstable_by_key(|neighbour| (neighbour.link, neighbour.address));
    let ipv4_through = model::ipv4_through(&routes);
    NetworkSnapshot { links, routes, neighbours, lookups, ipv4_through, ..NetworkSnapshot::default() }
}

fn link(row: &InterfaceRow, tables: &Tables) -> Option<Link> {
    let kind = kind(row).filter(|kind| *kind != LinkKind::Loopback)?;
    let ip6 = tables.ip_interfaces.iter().find(|ip| ip.v6 && ip.index == row.index);
    let mtu6 = ip6.map_or(row.mtu, |ip| ip.mtu);
    Some(Link {
        index: row.index,
        name: row.alias.clone(),
        kind,
        mac: mac(&row.physical_address),
        mtu6: u16::try_from(mtu6).unwrap_or(u16::MAX).max(MIN_MTU6),
        up: row.admin_status == ADMIN_UP,
        // Tunnels have no medium; their state is unknown.
        carrier: row.oper_status == OPER_UP && row.media_connect_state != MEDIA_DISCONNECTED,
        forwards_ipv6: ip6.is_some_and(|ip| ip.forwarding),
        addresses: tables.addresses.iter().filter(|a| a.index == row.index).filter_map(address).collect(),
    })
}

fn address(row: &AddressRow) -> Option<LinkAddress> {
    Some(LinkAddress { net: IpNet::new(row.address, row.prefix_len).ok()?, flags: address_flags(row) })
}

/// The state of the address `row`. One that Windows skips as a source is as good as deprecated.
#[must_use]
pub fn address_flags(row: &AddressRow) -> AddressFlags {
    AddressFlags {
        // Invalid: the interface is not connected, so DAD has yet to come.
        tentative: matches!(row.dad_state, DAD_INVALID | DAD_TENTATIVE),
        dad_failed: row.dad_state == DAD_DUPLICATE,
        deprecated: row.dad_state == DAD_DEPRECATED || row.skip_as_source,
        temporary: row.address.is_ipv6() && row.suffix_origin == SUFFIX_RANDOM,
    }
}

/// A route through one of `links`. Windows keeps the routes of interfaces that are not connected: those are left out.
fn route(row: &RouteRow, tables: &Tables, links: &BTreeMap<u32, Link>) -> Option<Route> {
    let link = links.get(&row.index).filter(|link| link.carrier)?;
    let destination = IpNet::new(row.destination, row.prefix_len).ok()?.trunc();
    let broadcast = matches!(row.destination, IpAddr::V4(address) if address.is_broadcast());
    if broadcast || destination.addr().is_multicast() {
        return None;
    }
    let v6 = row.destination.is_ipv6();
    let of_interface = tables.ip_interfaces.iter().find(|ip| ip.v6 == v6 && ip.index == row.index);
    Some(Route {
        destination,
        gateway: Some(row.next_hop).filter(|next_hop| !next_hop.is_unspecified()),
        link: link.index,
        metric: row.metric.saturating_add(of_interface.map_or(0, |ip| ip.metric)),
        kind: if row.loopback { RouteKind::Other } else { RouteKind::Unicast },
        ours: false,
    })
}

/// The answer to "where would a packet go?". `None` when it would not leave this computer.
#[must_use]
pub fn route_lookup(row: &RouteRow) -> Option<RouteLookup> {
    let gateway = match row.next_hop {
        IpAddr::V6(next_hop) if !next_hop.is_unspecified() => Some(next_hop),
        IpAddr::V6(_) | IpAddr::V4(_) => None,
    };
    (!row.loopback && row.index != 0).then_some(RouteLookup { link: row.index, gateway })
}

fn neighbour(row: &NeighbourRow) -> Option<Neighbour> {
    let known = NEIGHBOUR_RESOLVED.contains(&row.state) && !row.address.is_multicast();
    Some(Neighbour { link: row.index, address: row.address, mac: mac(&row.physical_address)? }).filter(|_| known)
}

fn mac(bytes: &[u8]) -> Option<MacAddress> {
    <[u8; 6]>::try_from(bytes).ok().filter(|mac| *mac != [0; 6]).map(MacAddress)
}

#[cfg(test)]
mod tests {
    use super::super::IpInterfaceRow;
    use super::*;

    const MAC: [u8; 6] = [2, 0, 0, 0, 0, 1];

    fn ip(text: &str) -> IpAddr {
        text.parse().unwrap()
    }

    fn v6(text: &str) -> Ipv6Addr {
        text.parse().unwrap()
    }

    fn interface(index: u32, if_type: u32, medium: i32, flags: u8) -> InterfaceRow {
        InterfaceRow {
            index,
            alias: format!("interface {index}"),
            if_type,
            medium,
            flags,
            mtu: 1500,
            physical_address: MAC.to_vec(),
            oper_status: 1,
            admin_status: 1,
            media_connect_state: 1,
        }
    }

    fn default_route(index: u32, next_hop: &str, metric: u32) -> RouteRow {
        let next_hop = ip(next_hop);
        let destination = if next_hop.is_ipv6() { ip("::") } else { ip("0.0.0.0") };
        RouteRow { index, destination, prefix_len: 0, next_hop, metric, loopback: false }
    }

    fn ip_interface(v6: bool, index: u32, metric: u32, mtu: u32) -> IpInterfaceRow {
        IpInterfaceRow { v6, index, metric, mtu, forwarding: false }
    }

    fn address(index: u32, text: &str, dad_state: i32, suffix_origin: i32, skip_as_source: bool) -> AddressRow {
        AddressRow { index, address: ip(text), prefix_len: 64, dad_state, suffix_origin, skip_as_source }
    }

    /// Ethernet 7 with a filter 8 on it, Wi-Fi 9, a Wintun adapter 11, loopback 1.
    fn tables() -> Tables {
        let loopback = InterfaceRow { physical_address: Vec::new(), ..interface(1, 24, 17, 0) };
        let wintun = InterfaceRow { physical_address: Vec::new(), mtu: 65535, ..interface(11, 53, 19, 0) };
        let prefix = RouteRow { destination: ip("2001:db8:1::"), prefix_len: 64, ..default_route(7, "::", 256) };
        let neighbour = |text: &str, state: i32| NeighbourRow {
            index: 7,
            address: v6(text),
            physical_address: vec![2, 0, 0, 0, 0, 9],
            state,
        };
        Tables {
            interfaces: vec![loopback, interface(7, 6, 0, 5), interface(8, 6, 0, 2), interface(9, 71, 0, 5), wintun],
            ip_interfaces: vec![
                ip_interface(true, 7, 25, 1480),
                ip_interface(false, 7, 30, 1500),
                ip_interface(true, 9, 50, 1500),
            ],
            addresses: vec![
                address(7, "2001:db8:1::7", 4, 4, false),
                address(7, "2001:db8:1::beef", 4, 5, false),
                address(1, "::1", 4, 2, false),
            ],
            routes: vec![
                default_route(9, "fe80::2", 16),
                default_route(7, "fe80::1", 16),
                default_route(7, "192.0.2.1", 0),
                prefix,
                RouteRow { destination: ip("ff00::"), prefix_len: 8, ..default_route(7, "::", 256) },
                RouteRow { destination: ip("255.255.255.255"), prefix_len: 32, ..default_route(7, "0.0.0.0", 256) },
                RouteRow { destination: ip("::1"), prefix_len: 128, loopback: true, ..default_route(1, "::", 256) },
            ],
            neighbours: vec![neighbour("fe80::1", 4), neighbour("fe80::2", 1), neighbour("2001:db8:1::5", 5)],
        }
    }

    #[test]
    fn a_computer_with_two_uplinks() {
        let lookup = RouteLookup { link: 7, gateway: Some(v6("fe80::1")) };
        let seen = snapshot(&tables(), BTreeMap::from([(v6("64:ff9b::c000:aa"), lookup)]), None);
        assert_eq!(seen.links.keys().copied().collect::<Vec<_>>(), [7, 9, 11]);
        let ethernet = &seen.links[&7];
        assert_eq!((ethernet.kind, ethernet.mtu6, ethernet.mac), (LinkKind::Ethernet, 1480, Some(MacAddress(MAC))));
        assert!(ethernet.is_usable() && ethernet.addresses.len() == 2 && ethernet.addresses[1].flags.temporary);
        assert_eq!((seen.links[&11].kind, seen.links[&11].mtu6), (LinkKind::PointToPoint, 65535));
        let routes: Vec<_> =
            seen.routes.iter().map(|r| (r.destination.to_string(), r.gateway.is_some(), r.link, r.metric)).collect();
        assert_eq!(
            routes,
            [
                ("0.0.0.0/0".into(), true, 7, 30),
                ("::/0".into(), true, 7, 41),
                ("::/0".into(), true, 9, 66),
                ("2001:db8:1::/64".into(), false, 7, 281),
            ]
        );
        let mac = MacAddress([2, 0, 0, 0, 0, 9]);
        assert_eq!(seen.neighbours, [Neighbour { link: 7, address: v6("fe80::1"), mac }]);
    }

    #[test]
    fn our_own_tunnel_and_its_routes_are_left_out() {
        let mut tables = tables();
        tables.routes.push(default_route(11, "192.0.0.1", 500));
        assert!(snapshot(&tables, BTreeMap::new(), None).routes.iter().any(|route| route.link == 11));
        let seen = snapshot(&tables, BTreeMap::new(), Some(11));
        assert!(!seen.links.contains_key(&11) && seen.routes.iter().all(|route| route.link != 11));
    }

    #[test]
    fn an_unplugged_interface_has_no_routes() {
        let mut tables = tables();
        tables.interfaces[1].media_connect_state = 2;
        tables.interfaces[1].oper_status = 2;
        let seen = snapshot(&tables, BTreeMap::new(), None);
        assert_eq!((seen.links[&7].up, seen.links[&7].carrier), (true, false));
        assert!(seen.routes.iter().all(|route| route.link == 9));
    }

    #[test]
    fn states_of_addresses() {
        let none = AddressFlags::default();
        let cases = [
            (4, 4, false, none),
            (0, 4, false, AddressFlags { tentative: true, ..none }),
            (1, 4, false, AddressFlags { tentative: true, ..none }),
            (2, 4, false, AddressFlags { dad_failed: true, ..none }),
            (3, 5, false, AddressFlags { deprecated: true, temporary: true, ..none }),
            (4, 1, true, AddressFlags { deprecated: true, ..none }),
        ];
        for (dad, origin, skip, expected) in cases {
            assert_eq!(address_flags(&address(7, "2001:db8::1", dad, origin, skip)), expected, "{dad} {origin} {skip}");
        }
        assert!(!address_flags(&address(7, "192.0.2.7", 4, 5, false)).temporary);
    }

    #[test]
    fn lookups() {
        let row = default_route(7, "fe80::1", 16);
        assert_eq!(route_lookup(&row), Some(RouteLookup { link: 7, gateway: Some(v6("fe80::1")) }));
        assert_eq!(route_lookup(&default_route(7, "::", 16)), Some(RouteLookup { link: 7, gateway: None }));
        assert_eq!(route_lookup(&RouteRow { loopback: true, ..row }), None);
    }
}

//! Dumps of the kernel's tables, one message at a time.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::time::Duration;

use ipnet::{IpNet, Ipv4Net, Ipv6Net};
use model::{AddressFlags, Link, LinkAddress, LinkKind, MacAddress, Neighbour, Route, RouteKind, RouteLookup};
use netlink_packet_route::AddressFamily;
use netlink_packet_route::address::{AddressAttribute, AddressFlags as KernelFlags, AddressMessage};
use netlink_packet_route::link::{
    AfSpecInet6, AfSpecUnspec, InfoKind, LinkAttribute, LinkFlags, LinkInfo, LinkLayerType, LinkMessage,
};
use netlink_packet_route::neighbour::{NeighbourAddress, NeighbourAttribute, NeighbourMessage, NeighbourState};
use netlink_packet_route::route::{
    RouteAddress, RouteAttribute, RouteHeader, RouteMessage, RouteMetric, RouteType, RouteVia,
};

use crate::ROUTE_PROTOCOL;

/// IPv6 needs this much (RFC 8200 section 5); a link that says less has IPv6 off.
const MIN_MTU6: u16 = 1280;

/// Links without Ethernet framing and neighbour discovery: tunnels, PPP, mobile broadband.
const POINT_TO_POINT: [LinkLayerType; 6] = [
    LinkLayerType::None,
    LinkLayerType::Ppp,
    LinkLayerType::Tunnel,
    LinkLayerType::Tunnel6,
    LinkLayerType::Sit,
    LinkLayerType::Rawip,
];

/// One interface, still without addresses. `None` when the message is not about an interface.
#[must_use]
pub fn link(message: &LinkMessage) -> Option<Link> {
    let header = &message.header;
    let mut name = None;
    let mut mac = None;
    let mut mtu = 0;
    let mut mtu6 = None;
    let mut forwards_ipv6 = false;
    let mut enslaved = false;
    let mut framed_without_wire = false;
    for attribute in &message.attributes {
        if let LinkAttribute::IfName(text) = attribute {
            name = Some(text.clone());
        } else if let LinkAttribute::Address(bytes) = attribute {
            mac = <[u8; 6]>::try_from(bytes.as_slice()).ok().map(MacAddress);
        } else if let LinkAttribute::Mtu(value) = attribute {
            mtu = *value;
        } else if let LinkAttribute::Controller(index) = attribute {
            enslaved = *index != 0;
        } else if let LinkAttribute::LinkInfo(infos) = attribute {
            framed_without_wire = infos.iter().any(|info| {
                matches!(info, LinkInfo::Kind(InfoKind::Bridge | InfoKind::Dummy | InfoKind::Ifb | InfoKind::Vrf))
            });
        } else if let LinkAttribute::AfSpecUnspec(families) = attribute {
            for family in families {
                let AfSpecUnspec::Inet6(entries) = family else { continue };
                if let Some(AfSpecInet6::DevConf(conf)) = entries.iter().find(|e| matches!(e, AfSpecInet6::DevConf(_)))
                {
                    mtu6 = u32::try_from(conf.mtu6).ok();
                    forwards_ipv6 = conf.forwarding != 0 || conf.force_forwarding != 0;
                }
            }
        }
    }
    let framed = header.link_layer_type == LinkLayerType::Ether;
    let kind = if header.link_layer_type == LinkLayerType::Loopback {
        LinkKind::Loopback
    } else if framed && enslaved {
        LinkKind::Other
    } else if framed && framed_without_wire {
        LinkKind::Bridge
    } else if framed {
        LinkKind::Ethernet
    } else if POINT_TO_POINT.contains(&header.link_layer_type) {
        LinkKind::PointToPoint
    } else {
        LinkKind::Other
    };
    Some(Link {
        index: header.index,
        name: name?,
        kind,
        mac: mac.filter(|mac| mac.0 != [0; 6]),
        mtu6: u16::try_from(mtu6.unwrap_or(mtu)).unwrap_or(u16::MAX).max(MIN_MTU6),
        up: header.flags.contains(LinkFlags::Up),
        carrier: header.flags.contains(LinkFlags::LowerUp),
        forwards_ipv6,
        addresses: Vec::new(),
    })
}

/// Whether the kernel itself listens to routers on this interface. Network managers that do it themselves switch it off.
#[must_use]
pub fn hears_routers(message: &LinkMessage) -> bool {
    let conf = message.attributes.iter().find_map(|attribute| {
        let LinkAttribute::AfSpecUnspec(families) = attribute else { return None };
        families.iter().find_map(|family| {
            let AfSpecUnspec::Inet6(entries) = family else { return None };
            entries.iter().find_map(|entry| if let AfSpecInet6::DevConf(conf) = entry { Some(conf) } else { None })
        })
    });
    // accept_ra: 0 never, 1 unless the interface forwards, 2 always.
    conf.is_none_or(|conf| conf.accept_ra == 2 || (conf.accept_ra == 1 && conf.forwarding == 0))
}

/// One address and the interface that has it.
#[must_use]
pub fn address(message: &AddressMessage) -> Option<(u32, LinkAddress)> {
    let mut local = None;
    let mut peer = None;
    let mut flags = KernelFlags::from_bits_retain(u32::from(message.header.flags.bits()));
    for attribute in &message.attributes {
        if let AddressAttribute::Local(address) = attribute {
            local = Some(*address);
        } else if let AddressAttribute::Address(address) = attribute {
            peer = Some(*address);
        } else if let AddressAttribute::Flags(all) = attribute {
            flags = *all;
        }
    }
    let net = IpNet::new(local.or(peer)?, message.header.prefix_len).ok()?;
    let flags = AddressFlags {
        tentative: flags.contains(KernelFlags::Tentative) && !flags.contains(KernelFlags::Optimistic),
        dad_failed: flags.contains(KernelFlags::Dadfailed),
        deprecated: flags.contains(KernelFlags::Deprecated),
        // The same bit says "secondary" for IPv4 and "temporary" for IPv6.
        temporary: net.addr().is_ipv6() && flags.contains(KernelFlags::Secondary),
    };
    Some((message.header.index, LinkAddress { net, flags }))
}

/// When whoever keeps an IPv6 address last spoke of it, by its link and /64. `None` for what nobody refreshes, and for
/// other lengths.
#[must_use]
pub fn refreshed(message: &AddressMessage) -> Option<((u32, Ipv6Net), Duration)> {
    let (link, address) = address(message)?;
    let net = match address.net {
        IpNet::V6(net) if net.prefix_len() == 64 => net.trunc(),
        IpNet::V6(_) | IpNet::V4(_) => return None,
    };
    let mut permanent = u32::from(message.header.flags.bits()) & KernelFlags::Permanent.bits() != 0;
    let mut at = None;
    for attribute in &message.attributes {
        if let AddressAttribute::Flags(all) = attribute {
            permanent = all.contains(KernelFlags::Permanent);
        } else if let AddressAttribute::CacheInfo(info) = attribute {
            // Hundredths of a second.
            at = Some(Duration::from_millis(u64::from(info.tstamp) * 10));
        }
    }
    Some(((link, net), at.filter(|_| !permanent)?))
}

/// How often the carrier of an interface has gone.
#[must_use]
pub fn blinks(message: &LinkMessage) -> Option<(u32, u32)> {
    let count = message
        .attributes
        .iter()
        .find_map(|attribute| if let LinkAttribute::CarrierDownCount(count) = attribute { Some(*count) } else { None });
    Some((message.header.index, count?))
}

/// One route of the main table, its next hops one by one. Routes of other tables are none of our business: where a
/// packet really goes is what lookups are for.
#[must_use]
pub fn route(message: &RouteMessage) -> Vec<Route> {
    let parts = parts(message);
    if parts.table != u32::from(RouteHeader::RT_TABLE_MAIN) {
        return Vec::new();
    }
    let Some(destination) = parts.destination else { return Vec::new() };
    parts
        .hops
        .iter()
        .map(|(link, gateway)| Route {
            destination,
            gateway: *gateway,
            link: *link,
            metric: parts.metric,
            kind: if message.header.kind == RouteType::Unicast { RouteKind::Unicast } else { RouteKind::Other },
            ours: u8::from(message.header.protocol) == ROUTE_PROTOCOL,
        })
        .collect()
}

/// The kernel's answer to "where would a packet go?". `None` when it would not go anywhere.
#[must_use]
pub fn route_lookup(message: &RouteMessage) -> Option<RouteLookup> {
    if message.header.kind != RouteType::Unicast {
        return None;
    }
    let (link, gateway) = *parts(message).hops.first()?;
    let gateway = match gateway {
        Some(IpAddr::V6(gateway)) => Some(gateway),
        Some(IpAddr::V4(_)) | None => None,
    };
    (link != 0).then_some(RouteLookup { link, gateway })
}

/// A resolved IPv6 neighbour.
#[must_use]
pub fn neighbour(message: &NeighbourMessage) -> Option<Neighbour> {
    let resolved = matches!(
        message.header.state,
        NeighbourState::Reachable
            | NeighbourState::Stale
            | NeighbourState::Delay
            | NeighbourState::Probe
            | NeighbourState::Permanent
    );
    let mut address = None;
    let mut mac = None;
    for attribute in &message.attributes {
        if let NeighbourAttribute::Destination(NeighbourAddress::Inet6(destination)) = attribute {
            address = Some(*destination);
        } else if let NeighbourAttribute::LinkLayerAddress(bytes) = attribute {
            mac = <[u8; 6]>::try_from(bytes.as_slice()).ok().map(MacAddress);
        }
    }
    // Multicast groups are listed as neighbours, too.
    let address = address.filter(|address| resolved && !address.is_multicast())?;
    Some(Neighbour { link: message.header.ifindex, address, mac: mac? })
}

/// A route of ours, whatever its table.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OwnRoute {
    /// Destination.
    pub destination: IpNet,
    /// Next hop.
    pub gateway: Option<IpAddr>,
    /// Outgoing interface; 0 for a blackhole route.
    pub link: u32,
    /// Metric.
    pub metric: u32,
    /// MTU metric, 0 when there is none.
    pub mtu: u32,
    /// Whether it delivers packets.
    pub kind: RouteKind,
}

/// The message as a route of ours, if it is one.
#[must_use]
pub fn own_route(message: &RouteMessage) -> Option<OwnRoute> {
    if u8::from(message.header.protocol) != ROUTE_PROTOCOL {
        return None;
    }
    let parts = parts(message);
    let (link, gateway) = parts.hops.first().copied().unwrap_or((0, None));
    Some(OwnRoute {
        destination: parts.destination?,
        gateway,
        link,
        metric: parts.metric,
        mtu: parts.mtu,
        kind: if message.header.kind == RouteType::Unicast { RouteKind::Unicast } else { RouteKind::Other },
    })
}

struct Parts {
    table: u32,
    destination: Option<IpNet>,
    metric: u32,
    mtu: u32,
    hops: Vec<(u32, Option<IpAddr>)>,
}

fn parts(message: &RouteMessage) -> Parts {
    let header = &message.header;
    let mut table = u32::from(header.table);
    let mut destination = None;
    let mut metric = 0;
    let mut mtu = 0;
    let mut hops = Vec::new();
    for attribute in &message.attributes {
        if let RouteAttribute::Table(number) = attribute {
            table = *number;
        } else if let RouteAttribute::Destination(address) = attribute {
            destination = route_address(address);
        } else if let RouteAttribute::Priority(value) = attribute {
            metric = *value;
        } else if let RouteAttribute::Metrics(metrics) = attribute {
            for value in metrics {
                if let RouteMetric::Mtu(value) = value {
                    mtu = *value;
                }
            }
        } else if let RouteAttribute::MultiPath(next_hops) = attribute {
            hops.extend(next_hops.iter().map(|hop| (hop.interface_index, hop_of(&hop.attributes).1)));
        }
    }
    if hops.is_empty() {
        let (link, gateway) = hop_of(&message.attributes);
        hops.push((link.unwrap_or(0), gateway));
    }
    let length = header.destination_prefix_length;
    let destination = match (destination, header.address_family) {
        (Some(address), _) => IpNet::new(address, length).ok(),
        (None, AddressFamily::Inet) => Ipv4Net::new(Ipv4Addr::UNSPECIFIED, length).ok().map(IpNet::V4),
        (None, AddressFamily::Inet6) => Ipv6Net::new(Ipv6Addr::UNSPECIFIED, length).ok().map(IpNet::V6),
        (None, _) => None,
    };
    Parts { table, destination, metric, mtu, hops }
}

fn hop_of(attributes: &[RouteAttribute]) -> (Option<u32>, Option<IpAddr>) {
    let mut link = None;
    let mut gateway = None;
    for attribute in attributes {
        if let RouteAttribute::Oif(index) = attribute {
            link = Some(*index);
        } else if let RouteAttribute::Gateway(address) = attribute {
            gateway = route_address(address);
        } else if let RouteAttribute::Via(RouteVia::Inet6(address)) = attribute {
            gateway = Some(IpAddr::V6(*address));
        }
    }
    (link, gateway)
}

fn route_address(address: &RouteAddress) -> Option<IpAddr> {
    if let RouteAddress::Inet(address) = address {
        Some(IpAddr::V4(*address))
    } else if let RouteAddress::Inet6(address) = address {
        Some(IpAddr::V6(*address))
    } else {
        None
    }
}

#[cfg(test)]
mod tests {
    use netlink_packet_route::address::CacheInfo;

    use super::*;

    fn route_message(attributes: Vec<RouteAttribute>, family: AddressFamily, length: u8, protocol: u8) -> RouteMessage {
        let mut message = RouteMessage::default();
        message.header.address_family = family;
        message.header.destination_prefix_length = length;
        message.header.table = RouteHeader::RT_TABLE_MAIN;
        message.header.kind = RouteType::Unicast;
        message.header.protocol = protocol.into();
        message.attributes = attributes;
        message
    }

    #[test]
    fn a_native_default_and_ours() {
        let hop = vec![
            RouteAttribute::Gateway(RouteAddress::Inet(Ipv4Addr::new(192, 0, 2, 1))),
            RouteAttribute::Oif(3),
            RouteAttribute::Priority(100),
        ];
        let native = route(&route_message(hop.clone(), AddressFamily::Inet, 0, 3));
        assert_eq!((native.len(), native[0].link, native[0].metric, native[0].ours), (1, 3, 100, false));
        assert!(native[0].is_ipv4_default());
        assert!(route(&route_message(hop, AddressFamily::Inet, 0, ROUTE_PROTOCOL))[0].ours);
    }

    fn address_message(flags: KernelFlags, tstamp: u32) -> AddressMessage {
        let mut message = AddressMessage::default();
        (message.header.index, message.header.prefix_len) = (2, 64);
        let mut info = CacheInfo::default();
        info.tstamp = tstamp;
        message.attributes = vec![
            AddressAttribute::Address("2001:db8:1::5".parse().unwrap()),
            AddressAttribute::Flags(flags),
            AddressAttribute::CacheInfo(info),
        ];
        message
    }

    #[test]
    fn the_last_word_about_a_prefix_and_none_about_what_is_set_by_hand() {
        let net = "2001:db8:1::/64".parse().unwrap();
        let heard = refreshed(&address_message(KernelFlags::empty(), 1234));
        assert_eq!(heard, Some(((2, net), Duration::from_millis(12_340))));
        assert_eq!(refreshed(&address_message(KernelFlags::Permanent, 1234)), None);
        let mut longer = address_message(KernelFlags::empty(), 1234);
        longer.header.prefix_len = 128;
        assert_eq!(refreshed(&longer), None, "DHCPv6");
    }

    #[test]
    fn carriers_that_went_are_counted() {
        let mut message = LinkMessage::default();
        message.header.index = 3;
        assert_eq!(blinks(&message), None, "a kernel that does not count");
        message.attributes.push(LinkAttribute::CarrierDownCount(7));
        assert_eq!(blinks(&message), Some((3, 7)));
    }

    #[test]
    fn routes_of_other_tables_are_left_out() {
        let hop = vec![RouteAttribute::Oif(3), RouteAttribute::Table(51820)];
        assert!(route(&route_message(hop, AddressFamily::Inet, 0, 3)).is_empty());
    }

    #[test]
    fn an_ipv4_route_through_an_ipv6_router_has_a_gateway() {
        let router: Ipv6Addr = "fe80::1".parse().unwrap();
        let hop = vec![RouteAttribute::Via(RouteVia::Inet6(router)), RouteAttribute::Oif(3)];
        assert_eq!(route(&route_message(hop, AddressFamily::Inet, 0, 3))[0].gateway, Some(IpAddr::V6(router)));
    }

    #[test]
    fn an_unreachable_lookup_is_none() {
        let mut message = route_message(vec![RouteAttribute::Oif(1)], AddressFamily::Inet6, 128, 2);
        assert_eq!(route_lookup(&message), Some(RouteLookup { link: 1, gateway: None }));
        message.header.kind = RouteType::Unreachable;
        assert_eq!(route_lookup(&message), None);
    }

    #[test]
    fn unresolved_and_multicast_neighbours_are_none() {
        let mut message = NeighbourMessage::default();
        message.header.ifindex = 2;
        message.header.state = NeighbourState::Stale;
        message.attributes = vec![
            NeighbourAttribute::Destination(NeighbourAddress::Inet6("fe80::1".parse().unwrap())),
            NeighbourAttribute::LinkLayerAddress(vec![2, 0, 0, 0, 0, 1]),
        ];
        assert_eq!(neighbour(&message).map(|n| n.mac), Some(MacAddress([2, 0, 0, 0, 0, 1])));
        message.header.state = NeighbourState::Failed;
        assert_eq!(neighbour(&message), None);
        message.header.state = NeighbourState::Permanent;
        message.attributes[0] = NeighbourAttribute::Destination(NeighbourAddress::Inet6("ff02::1".parse().unwrap()));
        assert_eq!(neighbour(&message), None);
    }
}

//! Routes and neighbours, which macOS keeps in one table (`struct rt_msghdr`, `net/route.h`).

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use ipnet::IpNet;
use model::{Neighbour, NetworkSnapshot, Route, RouteKind, RouteLookup};

use super::message::{self, Message, messages, slot};
use super::sockaddr::{AF_INET6, AF_LINK, DL_LENGTH, IN6_LENGTH, ip, link_layer, prefix_len};

const RTM_INDEX: usize = 4;
const RTM_FLAGS: usize = 8;
const RTM_ADDRS: usize = 12;
const RTM_PID: usize = 16;
const RTM_SEQ: usize = 20;
const RTM_ERRNO: usize = 24;
const RTM_LENGTH: usize = 92;

// `RTF_*`.
const UP: u32 = 0x1;
const GATEWAY: u32 = 0x2;
const HOST: u32 = 0x4;
const REJECT: u32 = 0x8;
const LLINFO: u32 = 0x400;
const BLACKHOLE: u32 = 0x1000;
const WASCLONED: u32 = 0x2_0000;
const LOCAL: u32 = 0x20_0000;
const BROADCAST: u32 = 0x40_0000;
const MULTICAST: u32 = 0x80_0000;
const IFSCOPE: u32 = 0x100_0000;
const CONDEMNED: u32 = 0x200_0000;
const DEAD: u32 = 0x2000_0000;

/// What the table remembers about single destinations and the host's own addresses: not what we call a route.
const NOT_ROUTES: u32 = LLINFO | WASCLONED | LOCAL | BROADCAST | MULTICAST | CONDEMNED | DEAD;

/// Metric of a default route that only sockets bound to its interface use. macOS has no metrics: its one default route
/// without a scope has 0 here, that of every other interface this.
pub const SCOPED_METRIC: u32 = 1000;

/// The routes in the answer to `NET_RT_DUMP`.
///
/// Of the routes with an interface scope only IPv6 defaults are listed, since they name the router of an uplink that
/// is not the first choice now. A scoped IPv4 default serves no application that does not ask for it: it is not IPv4.
#[must_use]
pub fn routes(dump: &[u8]) -> Vec<Route> {
    messages(dump).filter(|message| message.kind == message::kind::GET).filter_map(|message| route(&message)).collect()
}

fn route(message: &Message<'_>) -> Option<Route> {
    let flags = message.u32(RTM_FLAGS)?;
    if flags & UP == 0 || flags & NOT_ROUTES != 0 {
        return None;
    }
    let addresses = message.addresses(message.u32(RTM_ADDRS)?, RTM_LENGTH);
    let destination = destination(flags, &addresses)?;
    let scoped = flags & IFSCOPE != 0;
    if destination.addr().is_multicast() || (scoped && destination != IpNet::from(default_v6())) {
        return None;
    }
    Some(Route {
        destination,
        gateway: addresses[slot::GATEWAY].filter(|_| flags & GATEWAY != 0).and_then(ip),
        link: u32::from(message.u16(RTM_INDEX)?),
        metric: if scoped { SCOPED_METRIC } else { 0 },
        kind: if flags & (REJECT | BLACKHOLE) == 0 { RouteKind::Unicast } else { RouteKind::Other },
        ours: false,
    })
}

fn default_v6() -> ipnet::Ipv6Net {
    ipnet::Ipv6Net::default()
}

fn destination(flags: u32, addresses: &[Option<&[u8]>; slot::COUNT]) -> Option<IpNet> {
    let address = ip(addresses[slot::DST]?)?;
    let length = match addresses[slot::NETMASK] {
        Some(mask) => prefix_len(mask, address)?,
        None if flags & HOST != 0 => match address {
            IpAddr::V4(_) => 32,
            IpAddr::V6(_) => 128,
        },
        // The mask of a default route is all zeros, of which nothing may be left to tell.
        None if address == IpAddr::V4(Ipv4Addr::UNSPECIFIED) || address == IpAddr::V6(Ipv6Addr::UNSPECIFIED) => 0,
        None => return None,
    };
    Some(IpNet::new(address, length).ok()?.trunc())
}

/// The resolved IPv6 neighbours in the answer to `NET_RT_FLAGS` with `RTF_LLINFO`.
#[must_use]
pub fn neighbours(dump: &[u8]) -> Vec<Neighbour> {
    messages(dump).filter(|message| message.kind == message::kind::GET).filter_map(|m| neighbour(&m)).collect()
}

fn neighbour(message: &Message<'_>) -> Option<Neighbour> {
    let flags = message.u32(RTM_FLAGS)?;
    // The host's own addresses are in the table, too, with the host's own link-layer address.
    if flags & LLINFO == 0 || flags & (LOCAL | REJECT | CONDEMNED | DEAD) != 0 {
        return None;
    }
    let addresses = message.addresses(message.u32(RTM_ADDRS)?, RTM_LENGTH);
    let IpAddr::V6(address) = ip(addresses[slot::DST]?)? else { return None };
    let mac = link_layer(addresses[slot::GATEWAY]?)?.mac?;
    (!address.is_multicast()).then_some(Neighbour { link: u32::from(message.u16(RTM_INDEX)?), address, mac })
}

/// The question where a packet to `destination` would go, to be written to a routing socket.
#[must_use]
pub fn lookup_request(destination: Ipv6Addr, sequence: u32) -> Vec<u8> {
    let addresses = usize::from(IN6_LENGTH) + usize::from(DL_LENGTH);
    let mut bytes = vec![0; RTM_LENGTH];
    let length = u16::try_from(RTM_LENGTH + addresses).unwrap_or(u16::MAX);
    bytes[..2].copy_from_slice(&length.to_le_bytes());
    bytes[2..4].copy_from_slice(&[5, message::kind::GET]);
    let flags = UP | GATEWAY | HOST;
    bytes[RTM_FLAGS..RTM_FLAGS + 4].copy_from_slice(&flags.to_le_bytes());
    // Without room for the interface older kernels do not name it.
    let mask: u32 = (1 << slot::DST) | (1 << slot::IFP);
    bytes[RTM_ADDRS..RTM_ADDRS + 4].copy_from_slice(&mask.to_le_bytes());
    bytes[RTM_SEQ..RTM_SEQ + 4].copy_from_slice(&sequence.to_le_bytes());
    bytes.extend([IN6_LENGTH, AF_INET6, 0, 0, 0, 0, 0, 0]);
    bytes.extend(destination.octets());
    bytes.extend([0; 4]);
    bytes.extend([DL_LENGTH, AF_LINK]);
    bytes.resize(RTM_LENGTH + addresses, 0);
    bytes
}

/// Whether `message` answers the question `sequence` of process `pid`; a routing socket hears everybody's.
#[must_use]
pub fn reply_is_to(message: &[u8], pid: u32, sequence: u32) -> bool {
    messages(message).next().is_some_and(|message| {
        message.kind == message::kind::GET
            && message.u32(RTM_PID) == Some(pid)
            && message.u32(RTM_SEQ) == Some(sequence)
    })
}

/// The kernel's answer to [`lookup_request`]. `None` when the packet would not leave the host.
#[must_use]
pub fn lookup_reply(message: &[u8]) -> Option<RouteLookup> {
    let message = messages(message).next()?;
    let flags = message.u32(RTM_FLAGS)?;
    if message.u32(RTM_ERRNO)? != 0 || flags & UP == 0 || flags & (REJECT | BLACKHOLE | LOCAL) != 0 {
        return None;
    }
    let addresses = message.addresses(message.u32(RTM_ADDRS)?, RTM_LENGTH);
    let gateway = match addresses[slot::GATEWAY].filter(|_| flags & GATEWAY != 0).and_then(ip) {
        Some(IpAddr::V6(gateway)) => Some(gateway),
        Some(IpAddr::V4(_)) | None => None,
    };
    let link = u32::from(message.u16(RTM_INDEX)?);
    (link != 0).then_some(RouteLookup { link, gateway })
}

/// Puts the better routes first and keeps only neighbours that are a gateway; all others come and go without meaning
/// anything to us.
pub fn tidy(snapshot: &mut NetworkSnapshot) {
    snapshot.routes.sort_by_key(|route| route.metric);
    snapshot.ipv4_through = model::ipv4_through(&snapshot.routes);
    let NetworkSnapshot { routes, neighbours, lookups, .. } = snapshot;
    neighbours.retain(|neighbour| {
        routes.iter().any(|route| route.gateway == Some(IpAddr::V6(neighbour.address)))
            || lookups.values().any(|lookup| lookup.gateway == Some(neighbour.address))
    });
    neighbours.sort_unstable_by_key(|neighbour| (neighbour.link, neighbour.address));
}

#[cfg(test)]
mod tests {
    use super::*;
    use model::MacAddress;

    /// Constructed from `struct rt_msghdr`; `addresses` in the order of their bits.
    fn message(index: u8, flags: u32, mask: u8, addresses: &[&[u8]]) -> Vec<u8> {
        let mut bytes = vec![0; RTM_LENGTH];
        bytes[2..4].copy_from_slice(&[5, 4]);
        bytes[RTM_INDEX] = index;
        bytes[RTM_FLAGS..RTM_FLAGS + 4].copy_from_slice(&flags.to_le_bytes());
        bytes[RTM_ADDRS] = mask;
        for address in addresses {
            bytes.extend(*address);
            bytes.resize(bytes.len().next_multiple_of(4), 0);
            if address[0] == 0 {
                assert_eq!(address.len(), 4, "an empty address takes four bytes");
            }
        }
        let length = u16::try_from(bytes.len()).unwrap();
        bytes[..2].copy_from_slice(&length.to_le_bytes());
        bytes
    }

    fn in6(address: &str, embedded_scope: u8) -> Vec<u8> {
        let mut bytes = vec![28, 30, 0, 0, 0, 0, 0, 0];
        bytes.extend(address.parse::<Ipv6Addr>().unwrap().octets());
        bytes[11] |= embedded_scope;
        bytes.extend([0; 4]);
        bytes
    }

    const DEFAULT_V4: [u8; 16] = [16, 2, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0];
    const ROUTER_V4: [u8; 16] = [16, 2, 0, 0, 192, 0, 2, 1, 0, 0, 0, 0, 0, 0, 0, 0];
    const EMPTY: [u8; 4] = [0; 4];

    #[test]
    fn default_routes_with_and_without_a_scope() {
        // UP GATEWAY STATIC PRCLONING GLOBAL, as `netstat -rn` prints UGScg; with I for the scoped ones.
        let (plain, scoped) = (0x4001_0803, 0x4101_0803);
        let router = in6("fe80::1", 4);
        let default6 = in6("::", 0);
        let mut dump = message(5, scoped, 0b111, &[&default6, &in6("fe80::2", 5), &EMPTY]);
        dump.extend(message(4, plain, 0b111, &[&default6, &router, &EMPTY]));
        dump.extend(message(4, plain, 0b111, &[&DEFAULT_V4, &ROUTER_V4, &EMPTY]));
        dump.extend(message(5, scoped, 0b111, &[&DEFAULT_V4, &ROUTER_V4, &EMPTY]));
        let mut snapshot = NetworkSnapshot { routes: routes(&dump), ..NetworkSnapshot::default() };
        tidy(&mut snapshot);
        let seen: Vec<_> = snapshot
            .routes
            .iter()
            .map(|r| (r.destination.to_string(), r.gateway.unwrap().to_string(), r.link, r.metric))
            .collect();
        assert_eq!(
            seen,
            [
                ("::/0".into(), "fe80::1".into(), 4, 0),
                ("0.0.0.0/0".into(), "192.0.2.1".into(), 4, 0),
                ("::/0".into(), "fe80::2".into(), 5, SCOPED_METRIC),
            ]
        );
        assert!(snapshot.routes[0].is_ipv6_default() && snapshot.routes[1].is_ipv4_default());
    }

    #[test]
    fn a_default_route_without_netmask_or_gateway_address() {
        // A tunnel's default: the gateway is the link itself.
        let utun = [20, 18, 9, 0, 1, 5, 0, 0, b'u', b't', b'u', b'n', b'3', 0, 0, 0, 0, 0, 0, 0];
        let found = routes(&message(9, 0x801, 0b11, &[&in6("::", 0), &utun]));
        assert_eq!((found[0].destination.to_string().as_str(), found[0].gateway, found[0].link), ("::/0", None, 9));
    }

    #[test]
    fn a_prefix_and_a_blackhole() {
        let link = [20, 18, 4, 0, 6, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0];
        // `rn_addmask` fills what is before the address with ones.
        let mask64 = [16, 255, 255, 255, 255, 255, 255, 255, 255, 255, 255, 255, 255, 255, 255, 255];
        let mut dump = message(4, 0x101, 0b111, &[&in6("2001:db8:1::", 0), &link, &mask64]);
        dump.extend(message(1, 0x1805, 0b11, &[&in6("2001:db8:1::464", 0), &in6("::1", 0)]));
        let found = routes(&dump);
        assert_eq!((found[0].destination.to_string().as_str(), found[0].gateway), ("2001:db8:1::/64", None));
        assert_eq!(
            (found[1].destination.to_string().as_str(), found[1].kind),
            ("2001:db8:1::464/128", RouteKind::Other)
        );
    }

    #[test]
    fn clones_own_addresses_and_groups_are_no_routes() {
        let link = [20, 18, 4, 0, 6, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0];
        for (flags, destination) in [
            (0x2_0007, "2001:db8:9::9"),
            (0x20_0405, "2001:db8:1::42"),
            (0x405, "fe80::1"),
            (0x105, "ff02::1"),
            (0x104, "2001:db8:8::8"),
        ] {
            assert!(routes(&message(4, flags, 0b11, &[&in6(destination, 0), &link])).is_empty(), "{destination}");
        }
    }

    #[test]
    fn neighbours_that_are_resolved() {
        let mac = [20, 18, 4, 0, 6, 0, 6, 0, 0x3c, 0x22, 0xfb, 9, 9, 9, 0, 0, 0, 0, 0, 0];
        let none = [20, 18, 4, 0, 6, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0];
        let router = in6("fe80::1", 4);
        let mut dump = message(4, 0x1002_0405, 0b11, &[&router, &mac]);
        dump.extend(message(4, 0x2_0405, 0b11, &[&in6("fe80::5", 4), &none]));
        dump.extend(message(1, 0x20_0405, 0b11, &[&in6("2001:db8:1::42", 0), &mac]));
        dump.extend(message(4, 0x2_0405, 0b11, &[&in6("2001:db8:1::77", 0), &mac]));
        let found = neighbours(&dump);
        let mac = MacAddress([0x3c, 0x22, 0xfb, 9, 9, 9]);
        let at = |text: &str| Neighbour { link: 4, address: text.parse().unwrap(), mac };
        assert_eq!(found, [at("fe80::1"), at("2001:db8:1::77")]);

        let default = message(4, 0x803, 0b111, &[&in6("::", 0), &router, &EMPTY]);
        let mut snapshot =
            NetworkSnapshot { routes: routes(&default), neighbours: found, ..NetworkSnapshot::default() };
        tidy(&mut snapshot);
        assert_eq!(snapshot.neighbours, [at("fe80::1")]);
    }

    #[test]
    fn a_question_and_its_answers() {
        let question = lookup_request("64:ff9b::c000:aa".parse().unwrap(), 7);
        assert_eq!(question.len(), 92 + 28 + 20);
        assert_eq!(&question[..4], &[140, 0, 5, 4]);
        assert_eq!(&question[92..94], &[28, 30]);
        assert_eq!(&question[120..122], &[20, 18]);
        // Written by us, without a process number yet.
        assert!(reply_is_to(&question, 0, 7) && !reply_is_to(&question, 0, 8) && !reply_is_to(&question, 1, 7));

        let name = [20, 18, 4, 0, 6, 3, 0, 0, b'e', b'n', b'0', 0, 0, 0, 0, 0, 0, 0, 0, 0];
        let router = in6("fe80::1", 4);
        let answer = message(4, 0x843, 0b1_0111, &[&in6("::", 0), &router, &EMPTY, &name]);
        let gateway = Some("fe80::1".parse().unwrap());
        assert_eq!(lookup_reply(&answer), Some(RouteLookup { link: 4, gateway }));
        let on_link = message(4, 0x2_0445, 0b11, &[&in6("2001:db8:1::77", 0), &name]);
        assert_eq!(lookup_reply(&on_link), Some(RouteLookup { link: 4, gateway: None }));
        let refused = message(1, 0x84b, 0b111, &[&in6("::", 0), &in6("::1", 0), &EMPTY]);
        assert_eq!(lookup_reply(&refused), None);
        let mut unreachable = question;
        unreachable[RTM_ERRNO] = 3;
        assert_eq!(lookup_reply(&unreachable), None);
    }
}

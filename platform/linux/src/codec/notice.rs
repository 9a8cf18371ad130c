//! Notifications of rtnetlink (`rtnetlink(7)`), read as far as they are needed: most are hints to take a snapshot.
//! Neighbour discovery options have no type in netlink-packet-route, so they are read here.

use std::net::Ipv6Addr;

const NLMSG_HEADER: usize = 16;
const NLMSG_ERROR: u16 = 2;
const RTM_NEWNEIGH: u16 = 28;
const RTM_DELNEIGH: u16 = 29;
const RTM_NEWNDUSEROPT: u16 = 68;

/// `struct nduseroptmsg` of `linux/rtnetlink.h`.
const USEROPT_HEADER: usize = 16;
const USEROPT_SOURCE: u16 = 1;
const ROUTER_ADVERTISEMENT: u8 = 134;

const AF_INET6: u8 = 10;
const NDMSG: usize = 12;
/// `NUD_REACHABLE | NUD_STALE | NUD_PERMANENT | NUD_NOARP`: states in which a link-layer address is known and that are
/// not steps of a verification under way.
const NUD_SETTLED: u16 = 0x02 | 0x04 | 0x80 | 0x40;

/// What one notification means to us.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Notice {
    /// Take a snapshot.
    Changed,
    /// One option of a router advertisement.
    RouterOption {
        /// Interface it was heard on.
        link: u32,
        /// The router.
        router: Option<Ipv6Addr>,
        /// The option as on the wire.
        bytes: Vec<u8>,
    },
}

/// The notices in one datagram from the kernel, hints folded into one. What cannot be read is a hint, too: a snapshot
/// never harms.
#[must_use]
pub fn notices(mut datagram: &[u8]) -> Vec<Notice> {
    let mut found = Vec::new();
    let mut changed = false;
    while let Some((kind, body, rest)) = next_message(datagram) {
        datagram = rest;
        match kind {
            RTM_NEWNDUSEROPT => router_options(body, &mut found),
            RTM_NEWNEIGH | RTM_DELNEIGH => changed |= neighbour_matters(body),
            NLMSG_ERROR => {}
            // NLMSG_OVERRUN among them: something was lost.
            _ => changed = true,
        }
    }
    changed |= !datagram.is_empty();
    if changed {
        found.push(Notice::Changed);
    }
    found
}

fn next_message(datagram: &[u8]) -> Option<(u16, &[u8], &[u8])> {
    let length = usize::try_from(u32::from_ne_bytes(*datagram.first_chunk()?)).ok()?;
    let kind = u16::from_ne_bytes(*datagram.get(4..)?.first_chunk()?);
    let body = datagram.get(NLMSG_HEADER..length)?;
    let rest = datagram.get(length.next_multiple_of(4)..).unwrap_or_default();
    Some((kind, body, rest))
}

/// Neighbours come and go all the time; only IPv6 ones whose link-layer address is settled can be our gateway.
fn neighbour_matters(body: &[u8]) -> bool {
    let Some((header, _)) = body.split_at_checked(NDMSG) else { return true };
    let state = header.get(8..).and_then(|rest| rest.first_chunk()).map_or(NUD_SETTLED, |raw| u16::from_ne_bytes(*raw));
    header.first() == Some(&AF_INET6) && state & NUD_SETTLED != 0
}

fn router_options(body: &[u8], found: &mut Vec<Notice>) {
    let Some((header, rest)) = body.split_at_checked(USEROPT_HEADER) else { return };
    let (Some(length), Some(link)) = (u16_at(header, 2), u32_at(header, 4)) else { return };
    if header.first() != Some(&AF_INET6) || header.get(8) != Some(&ROUTER_ADVERTISEMENT) {
        return;
    }
    let length = usize::from(length);
    let Some(mut options) = rest.get(..length) else { return };
    let router = attribute(rest.get(length.next_multiple_of(4)..).unwrap_or_default(), USEROPT_SOURCE)
        .and_then(|value| value.first_chunk::<16>())
        .map(|octets| Ipv6Addr::from(*octets));
    while let [_, units, ..] = *options {
        let size = usize::from(units) * 8;
        let cut = options.split_at_checked(size).filter(|_| size > 0);
        // A length that cannot be is for the engine to count.
        let (option, rest) = cut.unwrap_or((options, &[]));
        found.push(Notice::RouterOption { link, router, bytes: option.to_vec() });
        options = rest;
    }
}

fn attribute(mut attributes: &[u8], wanted: u16) -> Option<&[u8]> {
    loop {
        let length = usize::from(u16_at(attributes, 0)?);
        let kind = u16_at(attributes, 2)?;
        let value = attributes.get(4..length)?;
        if kind == wanted {
            return Some(value);
        }
        attributes = attributes.get(length.next_multiple_of(4)..)?;
    }
}

fn u16_at(bytes: &[u8], at: usize) -> Option<u16> {
    Some(u16::from_ne_bytes(*bytes.get(at..)?.first_chunk()?))
}

fn u32_at(bytes: &[u8], at: usize) -> Option<u32> {
    Some(u32::from_ne_bytes(*bytes.get(at..)?.first_chunk()?))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Laid out by `linux/rtnetlink.h`: nlmsghdr, nduseroptmsg, one PREF64 option, NDUSEROPT_SRCADDR.
    fn pref64_message() -> Vec<u8> {
        let mut body = vec![AF_INET6, 0];
        body.extend(16u16.to_ne_bytes());
        body.extend(7u32.to_ne_bytes());
        body.extend([ROUTER_ADVERTISEMENT, 0, 0, 0, 0, 0, 0, 0]);
        body.extend([38, 2, 0x07, 0x08, 0, 0x64, 0xff, 0x9b, 0, 0, 0, 0, 0, 0, 0, 0]);
        body.extend(20u16.to_ne_bytes());
        body.extend(USEROPT_SOURCE.to_ne_bytes());
        body.extend("fe80::1".parse::<Ipv6Addr>().unwrap().octets());
        message(RTM_NEWNDUSEROPT, &body)
    }

    fn message(kind: u16, body: &[u8]) -> Vec<u8> {
        let mut bytes = u32::try_from(NLMSG_HEADER + body.len()).unwrap().to_ne_bytes().to_vec();
        bytes.extend(kind.to_ne_bytes());
        bytes.extend([0; 10]);
        bytes.extend(body);
        bytes
    }

    #[test]
    fn a_pref64_option_with_its_router() {
        let [Notice::RouterOption { link: 7, router, bytes }] = &notices(&pref64_message())[..] else {
            panic!("not one option");
        };
        assert_eq!(*router, Some("fe80::1".parse().unwrap()));
        assert_eq!((bytes.len(), bytes[0]), (16, 38));
    }

    #[test]
    fn hints_are_folded_and_keep_company_with_options() {
        let mut datagram = message(16, &[0; 16]);
        datagram.extend(message(20, &[0; 8]));
        datagram.extend(pref64_message());
        let found = notices(&datagram);
        assert_eq!(found.len(), 2);
        assert_eq!(found[1], Notice::Changed);
    }

    #[test]
    fn only_settled_ipv6_neighbours_matter() {
        let neighbour = |family: u8, state: u16| {
            let mut body = vec![family, 0, 0, 0];
            body.extend(2u32.to_ne_bytes());
            body.extend(state.to_ne_bytes());
            body.extend([0, 0]);
            notices(&message(RTM_NEWNEIGH, &body))
        };
        assert_eq!(neighbour(AF_INET6, 0x02), [Notice::Changed]);
        assert_eq!(neighbour(AF_INET6, 0x10), [], "NUD_PROBE");
        assert_eq!(neighbour(2, 0x02), [], "IPv4");
    }

    #[test]
    fn cut_and_crooked_messages_do_no_harm() {
        let whole = pref64_message();
        for cut in 0..whole.len() {
            let _ = notices(&whole[..cut]);
        }
        let mut zero_length = whole.clone();
        zero_length[NLMSG_HEADER + USEROPT_HEADER + 1] = 0;
        assert!(matches!(&notices(&zero_length)[..], [Notice::RouterOption { bytes, .. }] if bytes.len() == 16));
        assert_eq!(notices(&[4, 0, 0, 0, 1, 0]), [Notice::Changed], "a length below the header's");
        assert_eq!(notices(&[]), []);
        for at in 0..whole.len() {
            for value in [0, 1, 0x7f, 0xff] {
                let mut bent = whole.clone();
                bent[at] = value;
                let _ = notices(&bent);
            }
        }
    }
}

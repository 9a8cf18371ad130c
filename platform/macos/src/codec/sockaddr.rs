//! Socket addresses within routing messages (`sys/socket.h`, `netinet/in.h`, `netinet6/in6.h`, `net/if_dl.h`).

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use super::message::slot;
use model::MacAddress;

pub(super) const AF_INET: u8 = 2;
pub(super) const AF_LINK: u8 = 18;
pub(super) const AF_INET6: u8 = 30;

/// Size of `sockaddr_in6`.
pub(super) const IN6_LENGTH: u8 = 28;
/// Size of `sockaddr_dl` with the shortest data part.
pub(super) const DL_LENGTH: u8 = 20;

const IN_ADDRESS: usize = 4;
const IN6_ADDRESS: usize = 8;

/// What the kernel tells instead of a hardware address when the caller may not know it (`dlil_ifaddr_bytes`).
const WITHHELD: [u8; 6] = [2, 0, 0, 0, 0, 0];

/// Splits what follows a header into the addresses that `mask` lists. Each takes its length rounded up to four bytes,
/// an empty one takes four, the last one may lack its padding.
pub(super) fn split(mask: u32, mut bytes: &[u8]) -> [Option<&[u8]>; slot::COUNT] {
    let mut found = [None; slot::COUNT];
    for (bit, place) in found.iter_mut().enumerate() {
        if mask & (1 << bit) == 0 {
            continue;
        }
        let Some(length) = bytes.first().map(|length| usize::from(*length)) else { break };
        let Some(address) = bytes.get(..length) else { break };
        *place = Some(address);
        bytes = bytes.get(length.next_multiple_of(4).max(4)..).unwrap_or_default();
    }
    found
}

/// The address in a `sockaddr_in` or `sockaddr_in6`, without the scope that the kernel keeps within link-local ones.
pub(super) fn ip(address: &[u8]) -> Option<IpAddr> {
    match *address.get(1)? {
        AF_INET => Some(IpAddr::V4(Ipv4Addr::from(*address.get(IN_ADDRESS..)?.first_chunk::<4>()?))),
        AF_INET6 => {
            let mut octets = *address.get(IN6_ADDRESS..)?.first_chunk::<16>()?;
            if has_scope(octets) {
                octets[2..4].fill(0);
            }
            Some(IpAddr::V6(Ipv6Addr::from(octets)))
        }
        _ => None,
    }
}

/// `IN6_IS_SCOPE_EMBED`: link-local unicast; multicast of interface or link scope.
fn has_scope(octets: [u8; 16]) -> bool {
    matches!(octets, [0xfe, 0x80..=0xbf, ..]) || matches!(octets, [0xff, scope, ..] if matches!(scope & 0xf, 1 | 2))
}

/// The prefix length that a netmask means for an address like `of`. Masks lose their trailing zeros, and their family
/// byte says nothing. `None` when the ones are not in one piece.
pub(super) fn prefix_len(mask: &[u8], of: IpAddr) -> Option<u8> {
    let (start, width) = if of.is_ipv4() { (IN_ADDRESS, 4) } else { (IN6_ADDRESS, 16) };
    let mut length = 0;
    let mut ended = false;
    for byte in mask.get(start..).unwrap_or_default().iter().take(width) {
        let ones = byte.leading_ones();
        if byte.count_ones() != ones || (ended && ones > 0) {
            return None;
        }
        ended |= ones < 8;
        length += ones;
    }
    u8::try_from(length).ok()
}

/// What a `sockaddr_dl` says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct LinkLayer {
    pub(super) name: String,
    pub(super) mac: Option<MacAddress>,
}

/// The link-layer address in `address`, if it is one.
pub(super) fn link_layer(address: &[u8]) -> Option<LinkLayer> {
    let [_, AF_LINK, _, _, _, name_length, address_length, _, data @ ..] = address else { return None };
    let (name, rest) = data.split_at_checked(usize::from(*name_length))?;
    let mac = rest.get(..usize::from(*address_length)).and_then(|bytes| <[u8; 6]>::try_from(bytes).ok());
    Some(LinkLayer {
        name: String::from_utf8_lossy(name).into_owned(),
        mac: mac.filter(|mac| *mac != [0; 6] && *mac != WITHHELD).map(MacAddress),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn v6(text: &str) -> IpAddr {
        IpAddr::V6(text.parse().unwrap())
    }

    #[test]
    fn an_empty_address_takes_four_bytes_and_the_last_needs_no_padding() {
        // Constructed: destination of five bytes, empty netmask, gateway in between absent, interface of three bytes.
        let bytes = [5, 2, 0, 0, 7, 0, 0, 0, 0, 0, 0, 0, 3, 18, 9];
        let found = split(0b1_0101, &bytes);
        assert_eq!(found[slot::DST], Some(&bytes[..5]));
        assert_eq!(found[slot::GATEWAY], None);
        assert_eq!(found[slot::NETMASK], Some(&[][..]));
        assert_eq!(found[slot::IFP], Some(&bytes[12..]));
    }

    #[test]
    fn an_address_that_does_not_fit_ends_the_list() {
        assert_eq!(split(0b11, &[16, 2, 0, 0]), [None; slot::COUNT]);
    }

    #[test]
    fn the_embedded_scope_is_taken_out() {
        let mut bytes = vec![IN6_LENGTH, AF_INET6, 0, 0, 0, 0, 0, 0];
        bytes.extend([0xfe, 0x80, 0, 4, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1]);
        bytes.extend([0, 0, 0, 0]);
        assert_eq!(ip(&bytes), Some(v6("fe80::1")));
        bytes[8..12].copy_from_slice(&[0x20, 0x01, 0x0d, 0xb8]);
        assert_eq!(ip(&bytes), Some(v6("2001:db8::1")));
        bytes[8..12].copy_from_slice(&[0xff, 0x02, 0, 4]);
        assert_eq!(ip(&bytes), Some(v6("ff02::1")));
    }

    #[test]
    fn netmasks_in_all_their_shapes() {
        let v4 = IpAddr::V4(Ipv4Addr::new(192, 0, 2, 0));
        let doc = v6("2001:db8::");
        let cases: [(&[u8], IpAddr, Option<u8>); 10] = [
            (&[], v4, Some(0)),
            (&[5, 0xff, 0xff, 0xff, 0xff], v4, Some(8)),
            (&[7, 0, 0, 0, 0xff, 0xff, 0xfe], v4, Some(23)),
            (&[16, 2, 0, 0, 0xff, 0xff, 0xff, 0, 0, 0, 0, 0, 0, 0, 0, 0], v4, Some(24)),
            (&[8, 2, 0, 0, 0xff, 0, 0xff, 0], v4, None),
            (&[8, 2, 0, 0, 0xff, 0xfd, 0, 0], v4, None),
            (&[2, 30], doc, Some(0)),
            (&[9, 30, 0, 0, 0, 0, 0, 0, 0xe0], doc, Some(3)),
            (
                &[16, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff],
                doc,
                Some(64),
            ),
            (
                &[
                    28, 30, 0, 0, 0, 0, 0, 0, 255, 255, 255, 255, 255, 255, 255, 255, 255, 255, 255, 255, 255, 255,
                    255, 255, 0, 0, 0, 0,
                ],
                doc,
                Some(128),
            ),
        ];
        for (mask, of, expected) in cases {
            assert_eq!(prefix_len(mask, of), expected, "{mask:?}");
        }
    }

    #[test]
    fn link_layer_addresses() {
        let en0 = [20, 18, 4, 0, 6, 3, 6, 0, b'e', b'n', b'0', 0x3c, 0x22, 0xfb, 1, 2, 3, 0, 0, 0];
        let parsed = link_layer(&en0).unwrap();
        assert_eq!((parsed.name.as_str(), parsed.mac), ("en0", Some(MacAddress([0x3c, 0x22, 0xfb, 1, 2, 3]))));
        let unresolved = [20, 18, 4, 0, 6, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0];
        assert_eq!(link_layer(&unresolved).unwrap().mac, None);
        let withheld = [20, 18, 4, 0, 6, 0, 6, 0, 2, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0];
        assert_eq!(link_layer(&withheld).unwrap().mac, None);
        assert_eq!(link_layer(&[16, 2, 0, 0, 192, 0, 2, 1, 0, 0, 0, 0, 0, 0, 0, 0]), None);
    }
}

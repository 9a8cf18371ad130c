//! Neighbour solicitations and advertisements as Ethernet frames.

use std::net::Ipv6Addr;

use model::{MacAddress, solicited_node};
use thiserror::Error;

const ETHERTYPE_IPV6: [u8; 2] = [0x86, 0xdd];
const NEXT_HEADER_ICMPV6: u8 = 58;
/// RFC 4861 section 7.1: anything else was forwarded and is not from this link.
const HOP_LIMIT: u8 = 255;
const TYPE_SOLICITATION: u8 = 135;
const TYPE_ADVERTISEMENT: u8 = 136;
const OPTION_SOURCE_LINK_ADDRESS: u8 = 1;
const OPTION_TARGET_LINK_ADDRESS: u8 = 2;
const FLAG_ROUTER: u8 = 0x80;
const FLAG_SOLICITED: u8 = 0x40;
const FLAG_OVERRIDE: u8 = 0x20;

const ETHERNET: usize = 14;
const IPV6: usize = 40;
const ND_FIXED: usize = 24;
const LINK_OPTION: usize = 8;

/// The longest frame this module writes.
pub const MAX_FRAME: usize = ETHERNET + IPV6 + ND_FIXED + LINK_OPTION;

/// ff02::1, all nodes of the link.
const ALL_NODES: Ipv6Addr = Ipv6Addr::new(0xff02, 0, 0, 0, 0, 0, 0, 1);
const ALL_ROUTERS: Ipv6Addr = Ipv6Addr::new(0xff02, 0, 0, 0, 0, 0, 0, 2);

/// Why a frame is not a valid neighbour discovery message. None of these is an error of ours.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
pub enum NdError {
    /// Not an ICMPv6 neighbour solicitation or advertisement.
    #[error("not neighbour discovery")]
    OtherTraffic,
    /// Cut short.
    #[error("cut short")]
    Truncated,
    /// RFC 4861 section 7.1: hop limit, code, checksum, addresses or option lengths are not as they must be.
    #[error("not valid by RFC 4861 section 7.1")]
    Invalid,
}

/// A neighbour discovery message, with the frame's link-layer addresses.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Message {
    /// RFC 4861 section 4.3.
    Solicitation {
        /// Sender of the frame.
        from_mac: MacAddress,
        /// Sender of the packet; unspecified during DAD.
        source: Ipv6Addr,
        /// Whom it asks for.
        target: Ipv6Addr,
    },
    /// RFC 4861 section 4.4.
    Advertisement {
        /// Sender of the frame.
        from_mac: MacAddress,
        /// Who speaks.
        target: Ipv6Addr,
        /// The target's link-layer address, if given.
        target_mac: Option<MacAddress>,
        /// Whether it may replace what is known.
        overrides: bool,
    },
}

impl Message {
    /// Reads an IPv6 packet that came in a frame from `from_mac`.
    ///
    /// # Errors
    /// When it is something else or must be ignored silently (RFC 4861 section 7.1).
    pub fn parse(from_mac: MacAddress, packet: &[u8]) -> Result<Self, NdError> {
        let (header, rest) = packet.split_at_checked(IPV6).ok_or(NdError::Truncated)?;
        if header.first().map(|byte| byte >> 4) != Some(6) || header.get(6) != Some(&NEXT_HEADER_ICMPV6) {
            return Err(NdError::OtherTraffic);
        }
        let length = usize::from(u16::from_be_bytes(array(header, 4)?));
        let icmp = rest.get(..length).ok_or(NdError::Truncated)?;
        let (kind, code) = match icmp {
            [kind @ (TYPE_SOLICITATION | TYPE_ADVERTISEMENT), code, ..] => (*kind, *code),
            _ => return Err(NdError::OtherTraffic),
        };
        if icmp.len() < ND_FIXED {
            return Err(NdError::Truncated);
        }
        let source = Ipv6Addr::from(array::<16>(header, 8)?);
        let destination = Ipv6Addr::from(array::<16>(header, 24)?);
        let target = Ipv6Addr::from(array::<16>(icmp, 8)?);
        let valid = header.get(7) == Some(&HOP_LIMIT)
            && code == 0
            && !target.is_multicast()
            && xlat::icmpv6_checksum(source, destination, icmp).to_be_bytes() == array(icmp, 2)?;
        if !valid {
            return Err(NdError::Invalid);
        }
        let link_address = |wanted| link_option(icmp.get(ND_FIXED..).unwrap_or_default(), wanted);
        if kind == TYPE_SOLICITATION {
            let source_link = link_address(OPTION_SOURCE_LINK_ADDRESS)?;
            // DAD goes to the solicited-node address and names no source link-layer address.
            if source.is_unspecified() && (destination != solicited_node(target) || source_link.is_some()) {
                return Err(NdError::Invalid);
            }
            return Ok(Self::Solicitation { from_mac, source, target });
        }
        let flags = icmp.get(4).copied().unwrap_or_default();
        if destination.is_multicast() && flags & FLAG_SOLICITED != 0 {
            return Err(NdError::Invalid);
        }
        let target_mac = link_address(OPTION_TARGET_LINK_ADDRESS)?;
        Ok(Self::Advertisement { from_mac, target, target_mac, overrides: flags & FLAG_OVERRIDE != 0 })
    }
}

/// DAD: asks whether anyone has `target` (RFC 4862 section 5.4.2).
pub(crate) fn dad_probe(mac: MacAddress, target: Ipv6Addr) -> Vec<u8> {
    let group = solicited_node(target);
    let mut body = [0; ND_FIXED];
    body[0] = TYPE_SOLICITATION;
    body[8..24].copy_from_slice(&target.octets());
    frame(mac, multicast_mac(group), Ipv6Addr::UNSPECIFIED, group, &body, None)
}

/// Asks for `target` from `source`, which the asked one then knows too (RFC 4861 section 7.2.2).
pub(crate) fn solicitation(mac: MacAddress, source: Ipv6Addr, target: Ipv6Addr) -> Vec<u8> {
    let group = solicited_node(target);
    let mut body = [0; ND_FIXED];
    body[0] = TYPE_SOLICITATION;
    body[8..24].copy_from_slice(&target.octets());
    frame(mac, multicast_mac(group), source, group, &body, Some((OPTION_SOURCE_LINK_ADDRESS, mac)))
}

/// Asks `target`, whose link-layer address is `to`, whether it is still there (RFC 4861 section 7.3.3).
pub(crate) fn reachability_probe(mac: MacAddress, source: Ipv6Addr, target: Ipv6Addr, to: MacAddress) -> Vec<u8> {
    let mut body = [0; ND_FIXED];
    body[0] = TYPE_SOLICITATION;
    body[8..24].copy_from_slice(&target.octets());
    frame(mac, to, source, target, &body, Some((OPTION_SOURCE_LINK_ADDRESS, mac)))
}

/// Where an advertisement goes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Audience {
    /// The one who asked.
    Asker { mac: MacAddress, address: Ipv6Addr },
    /// Everyone: in answer to a DAD probe (RFC 4861 section 7.2.4), or because the link-layer address is another one
    /// (section 7.2.6).
    AllNodes,
    /// The routers: an address that is new here (RFC 9131 section 6.1.2).
    AllRouters,
}

/// Says that `address` is at `mac`; the packet's source is `address` itself, which is what address-binding tables of
/// Wi-Fi controllers look at.
pub(crate) fn advertisement(mac: MacAddress, address: Ipv6Addr, audience: Audience, overrides: bool) -> Vec<u8> {
    let (to_mac, to, solicited) = match audience {
        Audience::Asker { mac, address } => (mac, address, FLAG_SOLICITED),
        Audience::AllNodes => (multicast_mac(ALL_NODES), ALL_NODES, 0),
        Audience::AllRouters => (multicast_mac(ALL_ROUTERS), ALL_ROUTERS, 0),
    };
    let mut body = [0; ND_FIXED];
    body[0] = TYPE_ADVERTISEMENT;
    body[4] = solicited | if overrides { FLAG_OVERRIDE } else { 0 };
    debug_assert_eq!(body[4] & FLAG_ROUTER, 0);
    body[8..24].copy_from_slice(&address.octets());
    frame(mac, to_mac, address, to, &body, Some((OPTION_TARGET_LINK_ADDRESS, mac)))
}

fn frame(
    from_mac: MacAddress,
    to_mac: MacAddress,
    source: Ipv6Addr,
    destination: Ipv6Addr,
    body: &[u8; ND_FIXED],
    option: Option<(u8, MacAddress)>,
) -> Vec<u8> {
    let mut icmp = body.to_vec();
    if let Some((kind, mac)) = option {
        icmp.extend([kind, 1]);
        icmp.extend(mac.0);
    }
    let checksum = xlat::icmpv6_checksum(source, destination, &icmp);
    icmp[2..4].copy_from_slice(&checksum.to_be_bytes());

    let mut frame = Vec::with_capacity(MAX_FRAME);
    frame.extend(to_mac.0);
    frame.extend(from_mac.0);
    frame.extend(ETHERTYPE_IPV6);
    frame.extend([0x60, 0, 0, 0]);
    frame.extend(u16::try_from(icmp.len()).unwrap_or_default().to_be_bytes());
    frame.extend([NEXT_HEADER_ICMPV6, HOP_LIMIT]);
    frame.extend(source.octets());
    frame.extend(destination.octets());
    frame.extend(icmp);
    frame
}

/// RFC 2464 section 7.
fn multicast_mac(group: Ipv6Addr) -> MacAddress {
    let [.., a, b, c, d] = group.octets();
    MacAddress([0x33, 0x33, a, b, c, d])
}

fn link_option(mut options: &[u8], wanted: u8) -> Result<Option<MacAddress>, NdError> {
    let mut found = None;
    while let [kind, units, ..] = *options {
        let size = usize::from(units) * 8;
        if size == 0 {
            return Err(NdError::Invalid);
        }
        let (option, rest) = options.split_at_checked(size).ok_or(NdError::Truncated)?;
        if kind == wanted && units == 1 {
            found = Some(MacAddress(array(option, 2)?));
        }
        options = rest;
    }
    if options.is_empty() { Ok(found) } else { Err(NdError::Truncated) }
}

fn array<const N: usize>(bytes: &[u8], at: usize) -> Result<[u8; N], NdError> {
    bytes.get(at..).and_then(|rest| rest.first_chunk::<N>()).copied().ok_or(NdError::Truncated)
}

#[cfg(test)]
mod tests {
    use super::*;

    const MAC: MacAddress = MacAddress([2, 0, 0, 0, 0, 1]);

    fn parse(frame: &[u8]) -> Result<Message, NdError> {
        Message::parse(MAC, frame.get(ETHERNET..).unwrap_or_default())
    }

    fn x() -> Ipv6Addr {
        "2001:db8:1::a1:b2c3".parse().unwrap()
    }

    /// Written by hand from RFC 4861 sections 4.3, RFC 4862 section 5.4.2 and RFC 2464; the checksum was computed
    /// with the pseudo-header of RFC 8200 section 8.1 on paper: see `checksum_by_hand`.
    #[test]
    fn dad_probe_bytes() {
        let frame = dad_probe(MAC, x());
        let mut expected = vec![0x33, 0x33, 0xff, 0xa1, 0xb2, 0xc3, 2, 0, 0, 0, 0, 1, 0x86, 0xdd];
        expected.extend([0x60, 0, 0, 0, 0, 24, 58, 255]);
        expected.extend([0; 16]);
        expected.extend([0xff, 2, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1, 0xff, 0xa1, 0xb2, 0xc3]);
        expected.extend([135, 0]);
        expected.extend(checksum_by_hand(&[
            0xff02, 0, 0, 0, 0, 1, 0xffa1, 0xb2c3, 24, 58, 0x8700, 0x2001, 0x0db8, 1, 0, 0, 0, 0x00a1, 0xb2c3,
        ]));
        expected.extend([0; 4]);
        expected.extend(x().octets());
        assert_eq!(frame, expected);
    }

    fn checksum_by_hand(words: &[u32]) -> [u8; 2] {
        let mut sum: u32 = words.iter().sum();
        while sum > 0xffff {
            sum = (sum & 0xffff) + (sum >> 16);
        }
        u16::try_from(0xffff - sum).unwrap().to_be_bytes()
    }

    #[test]
    fn an_answer_comes_from_x_itself() {
        let asker = Audience::Asker { mac: MacAddress([2, 0, 0, 0, 0, 9]), address: "fe80::9".parse().unwrap() };
        let frame = advertisement(MAC, x(), asker, true);
        assert_eq!(&frame[..6], &[2, 0, 0, 0, 0, 9]);
        assert_eq!(&frame[22..38], &x().octets(), "source is X");
        assert_eq!(frame[54], 136);
        assert_eq!(frame[58], 0x60, "solicited, override, not a router");
        assert_eq!(&frame[78..], &[2, 1, 2, 0, 0, 0, 0, 1]);
        assert_eq!(
            parse(&frame),
            Ok(Message::Advertisement { from_mac: MAC, target: x(), target_mac: Some(MAC), overrides: true })
        );
    }

    #[test]
    fn messages_that_were_forwarded_or_forged_are_ignored() {
        let good = solicitation(MAC, x(), "fe80::1".parse().unwrap());
        assert!(parse(&good).is_ok());
        for (at, value) in [(21, 254), (55, 1), (60, 0xff)] {
            let mut bad = good.clone();
            bad[at] = value;
            assert_eq!(parse(&bad), Err(NdError::Invalid), "byte {at}");
        }
        let mut zero_option = good.clone();
        zero_option[79] = 0;
        assert_eq!(parse(&zero_option), Err(NdError::Invalid), "its checksum is wrong already");
        for cut in 0..good.len() {
            assert!(parse(&good[..cut]).is_err(), "cut at {cut}");
        }
    }

    #[test]
    fn options_of_length_zero_do_not_loop() {
        assert_eq!(link_option(&[1, 0, 0, 0], 1), Err(NdError::Invalid));
        assert_eq!(link_option(&[1, 2, 0, 0], 1), Err(NdError::Truncated));
        assert_eq!(link_option(&[7], 1), Err(NdError::Truncated));
        assert_eq!(
            link_option(&[5, 1, 0, 0, 0, 0, 0, 0, 1, 1, 2, 0, 0, 0, 0, 7], 1),
            Ok(Some(MacAddress([2, 0, 0, 0, 0, 7])))
        );
    }
}

//! Every reason to refuse a packet, each with a packet that meets it.

use std::collections::BTreeSet;

use everclat_xlat::{DropReason, UdpZeroChecksum, VnetHeader};

use crate::support::{
    Fields, HOST, ICMP, ICMPV6, MF, Outcome, PEER, PEER6, PLAIN, PLAIN_FIELDS, TCP, UDP, Way, bytes, config, error4,
    error6, fragment_header, icmp, ipv4, ipv4_with, ipv6, ipv6_with, run, udp, udp4, udp6,
};

fn with(mut packet: Vec<u8>, at: usize, value: u8) -> Vec<u8> {
    packet[at] = value;
    packet
}

fn fields(frag: u16) -> Fields {
    Fields { frag, ..PLAIN_FIELDS }
}

fn outgoing() -> Vec<(DropReason, Vec<u8>)> {
    use DropReason as R;
    let to_host = ipv4(PEER, HOST, UDP, &udp(b""));
    let nested = ipv4(PEER, HOST, ICMP, &icmp(3, 1, [0; 4], &bytes(28)));
    vec![
        (R::Truncated, Vec::new()),
        (R::Truncated, udp4(b"")[..19].to_vec()),
        (R::Truncated, udp4(b"data")[..31].to_vec()),
        (R::NotIpv4, udp6(PLAIN, b"")),
        (R::NotIpv4, vec![0]),
        (R::BadHeaderLength, with(udp4(b""), 0, 0x44)),
        (R::BadHeaderLength, with(udp4(b""), 0, 0x4f)),
        (R::BadTotalLength, with(udp4(b""), 3, 19)),
        (R::BadIpv4Checksum, with(udp4(b""), 1, 4)),
        (R::ForeignSource, ipv4(PEER, PEER, UDP, &udp(b""))),
        (R::IllegalSource, ipv4([0; 4].into(), PEER, UDP, &udp(b""))),
        (R::IllegalDestination, ipv4(HOST, [224, 0, 0, 1].into(), UDP, &udp(b""))),
        (R::PrivateDestination, ipv4(HOST, [10, 0, 0, 1].into(), UDP, &udp(b""))),
        (R::TtlExpired, ipv4_with(HOST, PEER, UDP, &udp(b""), &[], Fields { ttl: 1, ..PLAIN_FIELDS })),
        (R::TooBig, udp4(&bytes(1453))),
        (R::SourceRoute, ipv4_with(HOST, PEER, UDP, &udp(b""), &[131, 7, 4, 1, 2, 3, 4, 0], PLAIN_FIELDS)),
        (R::BadFragment, ipv4_with(HOST, PEER, UDP, &bytes(64), &[], fields(0x1fff))),
        (R::FragmentWithoutChecksum, ipv4_with(HOST, PEER, TCP, &bytes(8), &[], fields(MF))),
        (R::FragmentedIcmp, ipv4_with(HOST, PEER, ICMP, &icmp(8, 0, [0; 4], b""), &[], fields(MF))),
        (R::BadTransport, ipv4(HOST, PEER, TCP, &bytes(19))),
        (R::BadTransport, ipv4(HOST, PEER, UDP, &bytes(7))),
        (R::BadTransport, ipv4(HOST, PEER, ICMP, &bytes(7))),
        (R::UdpZeroChecksum, ipv4(HOST, PEER, UDP, &udp(b"x"))),
        (R::UdpZeroChecksumFragment, ipv4_with(HOST, PEER, UDP, &udp(b"x"), &[], fields(MF))),
        (R::Igmp, ipv4(HOST, PEER, 2, &bytes(8))),
        (R::WrongIcmpFamily, ipv4(HOST, PEER, ICMPV6, &bytes(8))),
        (R::IcmpType, error4(13, 0, [0; 4], &bytes(12))),
        (R::IcmpCode, error4(3, 14, [0; 4], &to_host)),
        (R::IcmpPointer, error4(12, 0, [6, 0, 0, 0], &to_host)),
        (R::BadIcmpChecksum, with(error4(3, 1, [0; 4], &to_host), 22, 0)),
        (R::BadInnerPacket, error4(3, 1, [0; 4], &to_host[..19])),
        (R::BadInnerPacket, error4(3, 1, [0; 4], &with(to_host.clone(), 0, 0x65))),
        (R::BadInnerPacket, error4(3, 1, [0; 4], &with(to_host.clone(), 0, 0x44))),
        (R::BadInnerPacket, error4(3, 1, [0; 4], &with(to_host.clone(), 0, 0x4f))),
        // The length says that the quotation ends inside its IP header.
        (R::BadInnerPacket, error4(3, 1, [0, 4, 0, 0], &to_host)),
        (R::ForeignInnerPacket, error4(3, 1, [0; 4], &udp4(b""))),
        (R::ForeignInnerPacket, error4(3, 1, [0; 4], &ipv4(PEER, HOST, ICMPV6, &bytes(8)))),
        (R::NestedIcmpError, error4(3, 1, [0; 4], &nested)),
        (R::IcmpType, error4(3, 1, [0; 4], &ipv4(PEER, HOST, ICMP, &icmp(13, 0, [0; 4], b"")))),
    ]
}

fn incoming() -> Vec<(DropReason, Vec<u8>)> {
    use DropReason as R;
    let outsider = "2001:db8:ffff::1".parse().unwrap();
    let ours = ipv6(PLAIN, PEER6, UDP, &udp(b""));
    let nested = ipv6(PLAIN, PEER6, ICMPV6, &icmp(1, 0, [0; 4], &bytes(48)));
    let routing = [vec![UDP, 0, 0, 1, 0, 0, 0, 0], udp(b"")].concat();
    let fragment = |next: u8, offset: u16, more: bool, body: &[u8]| {
        ipv6(PEER6, PLAIN, 44, &[fragment_header(next, offset, more, 1).as_slice(), body].concat())
    };
    let error = |rest: [u8; 4], quoted: &[u8]| error6(PEER6, PLAIN, 1, 0, rest, quoted);
    let endless: Vec<u8> = [60, 0, 1, 4, 0, 0, 0, 0].repeat(17);
    vec![
        (R::Truncated, udp6(PLAIN, b"")[..39].to_vec()),
        (R::Truncated, udp6(PLAIN, b"data")[..51].to_vec()),
        (R::NotIpv6, udp4(b"")),
        (R::NotForUs, udp6(PEER6, b"")),
        (R::NotFromPref64, ipv6(outsider, PLAIN, UDP, &udp(b""))),
        (R::IllegalSource, ipv6("64:ff9b::127.0.0.1".parse().unwrap(), PLAIN, UDP, &udp(b""))),
        (R::PrivateSource, ipv6("64:ff9b::10.0.0.1".parse().unwrap(), PLAIN, UDP, &udp(b""))),
        (R::TtlExpired, ipv6_with(PEER6, PLAIN, UDP, &udp(b""), 0, 1)),
        (R::TooBig, udp6(PLAIN, &bytes(1453))),
        (R::TooLong, ipv6(PEER6, PLAIN, 47, &bytes(65_516))),
        (R::RoutingHeader, ipv6(PEER6, PLAIN, 43, &routing)),
        (R::ExtensionHeader, ipv6(PEER6, PLAIN, 60, &[UDP])),
        (R::ExtensionHeader, ipv6(PEER6, PLAIN, 60, &[UDP, 1, 0, 0, 0, 0, 0, 0])),
        (R::ExtensionHeader, ipv6(PEER6, PLAIN, 44, &bytes(7))),
        (R::ExtensionHeader, ipv6(PEER6, PLAIN, 60, &endless)),
        (R::FragmentedExtension, fragment(60, 0, true, &bytes(8))),
        (R::BadFragment, fragment(UDP, 0x1fff, false, &bytes(64))),
        (R::FragmentWithoutChecksum, fragment(UDP, 0, true, &bytes(7))),
        (R::FragmentedIcmp, fragment(ICMPV6, 0, true, &bytes(8))),
        (R::BadTransport, ipv6(PEER6, PLAIN, TCP, &bytes(19))),
        (R::BadTransport, fragment(UDP, 0, false, &bytes(7))),
        (R::BadTransport, ipv6(PEER6, PLAIN, ICMPV6, &bytes(7))),
        (R::WrongIcmpFamily, ipv6(PEER6, PLAIN, ICMP, &bytes(8))),
        (R::IcmpType, error6(PEER6, PLAIN, 135, 0, [0; 4], &bytes(16))),
        (R::IcmpCode, error6(PEER6, PLAIN, 1, 5, [0; 4], &ours)),
        (R::IcmpPointer, error6(PEER6, PLAIN, 4, 0, [0, 0, 0, 2], &ours)),
        (R::BadIcmpChecksum, with(error([0; 4], &ours), 42, 0)),
        (R::BadInnerPacket, error([0; 4], &ours[..39])),
        (R::BadInnerPacket, error([0; 4], &with(ours.clone(), 0, 0x45))),
        (R::BadInnerPacket, error([0; 4], &with(ours.clone(), 6, 60)[..41])),
        (R::BadInnerPacket, error([1, 0, 0, 0], &ours)),
        (R::ForeignInnerPacket, error([0; 4], &udp6(PLAIN, b""))),
        (R::ForeignInnerPacket, error([0; 4], &ipv6(PLAIN, PLAIN, UDP, &udp(b"")))),
        (R::ForeignInnerPacket, error([0; 4], &ipv6(PLAIN, PEER6, ICMP, &bytes(8)))),
        (R::NestedIcmpError, error([0; 4], &nested)),
        (R::IcmpType, error([0; 4], &ipv6(PLAIN, PEER6, ICMPV6, &icmp(135, 0, [0; 4], b"")))),
    ]
}

#[test]
fn every_reason_has_a_packet_that_meets_it() {
    let mut config = config(PLAIN);
    config.udp_zero_checksum = UdpZeroChecksum::Drop;
    let mut met = BTreeSet::new();
    let mut try_one = |way: Way, reason: DropReason, packet: &[u8], vnet: VnetHeader| {
        let found = match run(way, &config, packet, vnet) {
            Outcome::Drop(found) | Outcome::Reply(found, _) => Some(found),
            Outcome::Forward(..) | Outcome::Fragments(_) => None,
        };
        assert_eq!(found, Some(reason), "{packet:02x?}");
        met.insert(reason);
    };
    for (reason, packet) in outgoing() {
        try_one(Way::Out, reason, &packet, VnetHeader::default());
    }
    for (reason, packet) in incoming() {
        try_one(Way::In, reason, &packet, VnetHeader::default());
    }
    let vnet = VnetHeader { flags: 1, csum_start: 3, ..VnetHeader::default() };
    try_one(Way::Out, DropReason::BadOffload, &udp4(b""), vnet);
    assert_eq!(met.into_iter().collect::<Vec<_>>(), DropReason::ALL);
}

#[test]
fn the_list_is_complete_and_names_are_stable() {
    assert_eq!(DropReason::ALL.len(), DropReason::COUNT);
    let mut names = BTreeSet::new();
    for (index, reason) in DropReason::ALL.iter().enumerate() {
        assert_eq!(reason.index(), index);
        assert!(reason.name().bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-'));
        assert!(names.insert(reason.name()), "{} twice", reason.name());
    }
    assert_eq!(DropReason::NotFromPref64.name(), "not-from-pref64");
}

//! RFC 7915 section 4.1, the header from IPv4 to IPv6: R45 to R52.

use std::net::Ipv4Addr;

use everclat_xlat::DropReason;

use crate::support::{
    DF, Fields, GATEWAY, HOST, NEUTRAL, Outcome, PEER, PEER6, PLAIN, PLAIN_FIELDS, TCP, UDP, addresses4, addresses6,
    bytes, checksum, config, icmp, ipv4, ipv4_with, ipv6_with, outbound, sealed, tcp, udp, udp4,
};

fn udp4_with(options: &[u8], fields: Fields) -> Vec<u8> {
    ipv4_with(HOST, PEER, UDP, &sealed(udp(b"data"), UDP, &addresses4(HOST, PEER)), options, fields)
}

fn expected(class: u8, hops: u8) -> Vec<u8> {
    ipv6_with(PLAIN, PEER6, UDP, &sealed(udp(b"data"), UDP, &addresses6(PLAIN, PEER6)), class, hops)
}

#[test]
fn r47_traffic_class_is_copied_or_zero_and_flow_label_zero() {
    for tos in 0..=u8::MAX {
        let packet = udp4_with(&[], Fields { tos, ..PLAIN_FIELDS });
        assert_eq!(outbound(&config(PLAIN), &packet).forwarded(), expected(tos, 63));
        let mut plain = config(PLAIN);
        plain.copy_traffic_class = false;
        assert_eq!(outbound(&plain, &packet).forwarded(), expected(0, 63));
    }
}

#[test]
fn r48_what_follows_the_total_length_is_no_payload() {
    let mut packet = udp4_with(&[], PLAIN_FIELDS);
    packet.extend([0xaa; 14]);
    assert_eq!(outbound(&config(PLAIN), &packet).forwarded(), expected(0, 63));
}

#[test]
fn r49_other_protocols_are_copied() {
    let special = [1, 2, 6, 17, 33, 58, 136];
    for number in (0..=u8::MAX).filter(|number| !special.contains(number)) {
        let out = outbound(&config(PLAIN), &ipv4(HOST, PEER, number, b"opaque")).forwarded();
        assert_eq!(out, ipv6_with(PLAIN, PEER6, number, b"opaque", 0, 63), "protocol {number}");
    }
}

#[test]
fn r50_the_hop_limit_is_decremented_once() {
    for ttl in 2..=u8::MAX {
        let packet = udp4_with(&[], Fields { ttl, ..PLAIN_FIELDS });
        assert_eq!(outbound(&config(PLAIN), &packet).forwarded(), expected(0, ttl - 1));
    }
}

#[test]
fn r50_at_zero_the_host_is_told() {
    for ttl in [0, 1] {
        let (reason, error) = outbound(&config(PLAIN), &udp4_with(&[], Fields { ttl, ..PLAIN_FIELDS })).reply();
        assert_eq!(reason, DropReason::TtlExpired);
        assert_eq!(error[12..16], GATEWAY.octets());
        assert_eq!(error[16..20], HOST.octets());
        assert_eq!(error[20..22], [11, 0]);
    }
}

#[test]
fn r51_sources_nobody_may_use_are_dropped_silently() {
    for text in ["0.0.0.0", "127.0.0.1", "224.0.0.1", "240.0.0.1", "255.255.255.255"] {
        let packet = ipv4(text.parse().unwrap(), PEER, UDP, &udp(b""));
        assert_eq!(outbound(&config(PLAIN), &packet), Outcome::Drop(DropReason::IllegalSource), "{text}");
    }
    for text in ["192.0.0.3", "10.1.1.1", "169.254.1.1", "198.51.100.1"] {
        let packet = ipv4(text.parse().unwrap(), PEER, UDP, &udp(b""));
        assert_eq!(outbound(&config(PLAIN), &packet), Outcome::Drop(DropReason::ForeignSource), "{text}");
    }
}

#[test]
fn destinations_that_stay_off_the_wire() {
    let refused = ["0.0.0.0", "0.1.2.3", "127.0.0.1", "169.254.0.1", "224.0.0.251", "239.1.1.1", "240.0.0.1"];
    for text in refused.into_iter().chain(["255.255.255.255", "192.0.0.0", "192.0.0.1", "192.0.0.7", "192.0.0.8"]) {
        let dst: Ipv4Addr = text.parse().unwrap();
        let packet = ipv4(HOST, dst, UDP, &sealed(udp(b""), UDP, &addresses4(HOST, dst)));
        assert_eq!(outbound(&config(PLAIN), &packet), Outcome::Drop(DropReason::IllegalDestination), "{text}");
    }
    for text in ["1.0.0.0", "126.0.0.1", "128.0.0.1", "169.253.0.1", "169.255.0.1", "223.255.255.255", "192.0.0.9"] {
        let dst: Ipv4Addr = text.parse().unwrap();
        outbound(&config(PLAIN), &ipv4(HOST, dst, UDP, &sealed(udp(b""), UDP, &addresses4(HOST, dst)))).forwarded();
    }
}

#[test]
fn r52_options_are_ignored() {
    let kinds: [&[u8]; 7] = [
        &[1, 1, 1, 0],
        &[7, 7, 4, 0, 0, 0, 0, 0],
        // Router alert.
        &[148, 4, 0, 0],
        // A source route that is used up.
        &[131, 7, 8, 198, 51, 100, 9, 0],
        // Malformed: length 0, length 1, beyond the header.
        &[7, 0, 0, 0],
        &[7, 1, 131, 3],
        &[7, 200, 0, 0],
    ];
    for options in kinds {
        let out = outbound(&config(PLAIN), &udp4_with(options, PLAIN_FIELDS)).forwarded();
        assert_eq!(out, expected(0, 63), "{options:?}");
    }
}

#[test]
fn r52_a_source_route_with_hops_left_is_answered_with_3_5() {
    for options in [
        [131, 7, 4, 198, 51, 100, 9, 0],
        [137, 7, 4, 198, 51, 100, 9, 0],
        [1, 131, 7, 4, 198, 51, 100, 9],
        // Used up is a route whose pointer is greater than its length, not one where they are the same.
        [131, 7, 7, 198, 51, 100, 9, 0],
    ] {
        let packet = udp4_with(&options, PLAIN_FIELDS);
        let (reason, error) = outbound(&config(PLAIN), &packet).reply();
        assert_eq!(reason, DropReason::SourceRoute);
        assert_eq!(error[20..22], [3, 5]);
        assert_eq!(error[28..], packet);
    }
}

#[test]
fn r46_df_and_too_big_is_answered_with_the_mtu_that_fits() {
    // 1480 + 20 fits into 1500, one byte more does not.
    let fits = udp4(&bytes(1480 - 28));
    let out = outbound(&config(PLAIN), &fits).forwarded();
    assert_eq!(out.len(), 1500);
    let packet = udp4(&bytes(1481 - 28));
    let (reason, error) = outbound(&config(PLAIN), &packet).reply();
    assert_eq!(reason, DropReason::TooBig);
    assert_eq!(error[20..22], [3, 4]);
    assert_eq!(error[24..28], [0, 0, 0x05, 0xc8]);
    assert_eq!(error.len(), 576);
    assert_eq!(error[28..], packet[..548]);
}

#[test]
fn r46_with_options_the_result_counts_not_the_original() {
    let options = [1; 40];
    let message = sealed(udp(&bytes(1452)), UDP, &addresses4(HOST, PEER));
    let packet = ipv4_with(HOST, PEER, UDP, &message, &options, PLAIN_FIELDS);
    assert_eq!(packet.len(), 1520);
    assert_eq!(outbound(&config(PLAIN), &packet).forwarded().len(), 1500);
}

#[test]
fn r46_a_fragment_with_df_leaves_room_for_its_fragment_header() {
    let fields = Fields { frag: DF | 0x2000 | 185, ..PLAIN_FIELDS };
    let packet = ipv4_with(HOST, PEER, UDP, &bytes(1456), &[], fields);
    let (reason, error) = outbound(&config(PLAIN), &packet).outcome_or_drop();
    // A later fragment is not answered (RFC 1812 section 4.3.2.7).
    assert_eq!((reason, error), (DropReason::TooBig, None));
    let fields = Fields { frag: DF | 0x2000, ..PLAIN_FIELDS };
    let packet = ipv4_with(HOST, PEER, UDP, &bytes(1456), &[], fields);
    let (_, error) = outbound(&config(PLAIN), &packet).reply();
    assert_eq!(error[24..28], [0, 0, 0x05, 0xc0]);
}

impl Outcome {
    #[track_caller]
    fn outcome_or_drop(self) -> (DropReason, Option<Vec<u8>>) {
        match self {
            Self::Reply(reason, packet) => (reason, Some(packet)),
            Self::Drop(reason) => (reason, None),
            Self::Forward(..) | Self::Fragments(_) => panic!("passed: {self:?}"),
        }
    }
}

#[test]
fn r45_no_fragment_header_for_what_fits() {
    let fields = Fields { frag: 0, id: 0x1234, ..PLAIN_FIELDS };
    assert_eq!(outbound(&config(PLAIN), &udp4_with(&[], fields)).forwarded(), expected(0, 63));
    // Up to 1280 in IPv6.
    let message = sealed(udp(&bytes(1232)), UDP, &addresses4(HOST, PEER));
    let out = outbound(&config(PLAIN), &ipv4_with(HOST, PEER, UDP, &message, &[], fields)).forwarded();
    assert_eq!((out.len(), out[6]), (1280, UDP));
}

#[test]
fn r54_an_echo_gets_a_pseudo_header() {
    let ping = sealed(icmp(8, 0, [0x12, 0x34, 0, 1], b"payload"), 1, &[]);
    let out = outbound(&config(NEUTRAL), &ipv4(HOST, PEER, 1, &ping)).forwarded();
    let pong = sealed(icmp(128, 0, [0x12, 0x34, 0, 1], b"payload"), 58, &addresses6(NEUTRAL, PEER6));
    assert_eq!(out, ipv6_with(NEUTRAL, PEER6, 58, &pong, 0, 63));
}

#[test]
fn a_tcp_segment() {
    let message = sealed(tcp(b"hello"), TCP, &addresses4(HOST, PEER));
    let out = outbound(&config(PLAIN), &ipv4(HOST, PEER, TCP, &message)).forwarded();
    let message = sealed(tcp(b"hello"), TCP, &addresses6(PLAIN, PEER6));
    assert_eq!(out, ipv6_with(PLAIN, PEER6, TCP, &message, 0, 63));
}

/// The header checksum is right, so that nothing but the length is wrong.
#[test]
fn a_total_length_below_the_header_is_no_packet() {
    for total in [0, 1, 19] {
        let mut packet = udp4_with(&[], PLAIN_FIELDS);
        let stated = u16::from_be_bytes([packet[2], packet[3]]);
        let sum = u16::from_be_bytes([packet[10], packet[11]]);
        packet[2..4].copy_from_slice(&u16::to_be_bytes(total));
        packet[10..12].copy_from_slice(&(sum + (stated - total)).to_be_bytes());
        assert_eq!(checksum(&[&packet[..20]]), 0);
        assert_eq!(outbound(&config(PLAIN), &packet), Outcome::Drop(DropReason::BadTotalLength), "{total}");
    }
}

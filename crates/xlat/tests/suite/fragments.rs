//! Fragmentation towards IPv6 and of fragments: R44, R53, R65.

use everclat_xlat::{DropReason, VnetHeader};

use crate::support::{
    FRAGMENT, Fields, HOST, ICMP, ICMPV6, MF, NEUTRAL, Outcome, PEER, PEER6, PLAIN, PLAIN_FIELDS, UDP, Way, addresses4,
    addresses6, bytes, config, fragment_header, half_sealed, icmp, inbound, ipv4_with, ipv6, ipv6_with, outbound, run,
    sealed, udp,
};

const DIVISIBLE: Fields = Fields { id: 0xcafe, frag: 0, ..PLAIN_FIELDS };

/// The pieces a correct translator makes of `message`.
fn pieces(message: &[u8], next: u8, step: usize, first: u16, more: bool) -> Vec<Vec<u8>> {
    let last = message.len().div_ceil(step) - 1;
    let piece = |(index, chunk): (usize, &[u8])| {
        let offset = first + u16::try_from(index * step / 8).unwrap();
        let header = fragment_header(next, offset, more || index < last, 0xcafe);
        ipv6_with(PLAIN, PEER6, FRAGMENT, &[&header, chunk].concat(), 0, 63)
    };
    message.chunks(step).enumerate().map(piece).collect()
}

#[test]
fn r44_a_divisible_packet_is_cut_to_1280() {
    // One byte above, two pieces, three, sixty-four kilobytes.
    for len in [1233, 1400, 2456, 2457, 65_507] {
        let message = sealed(udp(&bytes(len)), UDP, &addresses4(HOST, PEER));
        let packet = ipv4_with(HOST, PEER, UDP, &message, &[], DIVISIBLE);
        let message = sealed(udp(&bytes(len)), UDP, &addresses6(PLAIN, PEER6));
        let out = outbound(&config(PLAIN), &packet).fragments();
        assert!(out.iter().all(|piece| piece.len() <= 1280));
        assert_eq!(out, pieces(&message, UDP, 1232, 0, false), "{len} bytes");
    }
}

#[test]
fn r44_the_threshold_can_be_raised() {
    let mut config = config(PLAIN);
    config.lowest_ipv6_mtu = 1400;
    let message = sealed(udp(&bytes(1352)), UDP, &addresses4(HOST, PEER));
    let out = outbound(&config, &ipv4_with(HOST, PEER, UDP, &message, &[], DIVISIBLE)).forwarded();
    assert_eq!(out.len(), 1400);
    let message = sealed(udp(&bytes(1400)), UDP, &addresses4(HOST, PEER));
    let out = outbound(&config, &ipv4_with(HOST, PEER, UDP, &message, &[], DIVISIBLE)).fragments();
    assert_eq!(out, pieces(&sealed(udp(&bytes(1400)), UDP, &addresses6(PLAIN, PEER6)), UDP, 1352, 0, false));
    // Beyond the uplink's MTU it means nothing, below 1280 neither.
    config.lowest_ipv6_mtu = 9000;
    let message = sealed(udp(&bytes(3000)), UDP, &addresses4(HOST, PEER));
    let big = ipv4_with(HOST, PEER, UDP, &message, &[], DIVISIBLE);
    assert_eq!(outbound(&config, &big).fragments()[0].len(), 1496);
    config.lowest_ipv6_mtu = 0;
    assert_eq!(outbound(&config, &big).fragments()[0].len(), 1280);
}

#[test]
fn r44_an_unfinished_checksum_is_finished_before_the_cut() {
    for x in [PLAIN, NEUTRAL] {
        let message = half_sealed(udp(&bytes(2000)), UDP, &addresses4(HOST, PEER));
        let packet = ipv4_with(HOST, PEER, UDP, &message, &[], DIVISIBLE);
        let vnet = VnetHeader { flags: 1, csum_start: 20, csum_offset: 6, ..VnetHeader::default() };
        let out = run(Way::Out, &config(x), &packet, vnet).fragments();
        let joined: Vec<u8> = out.iter().flat_map(|piece| piece[48..].to_vec()).collect();
        assert_eq!(joined, sealed(udp(&bytes(2000)), UDP, &addresses6(x, PEER6)));
    }
}

#[test]
fn r44_a_big_echo_is_cut_too() {
    let ping = sealed(icmp(8, 0, [1, 2, 3, 4], &bytes(2000)), ICMP, &[]);
    let out = outbound(&config(PLAIN), &ipv4_with(HOST, PEER, ICMP, &ping, &[], DIVISIBLE)).fragments();
    let ping = sealed(icmp(128, 0, [1, 2, 3, 4], &bytes(2000)), ICMPV6, &addresses6(PLAIN, PEER6));
    assert_eq!(out, pieces(&ping, ICMPV6, 1232, 0, false));
}

#[test]
fn r53_fragments_keep_offset_flag_and_identification() {
    let body = sealed(udp(&bytes(1000)), UDP, &addresses4(HOST, PEER));
    for (offset, more) in [(0, true), (126, true), (126, false), (8000, false)] {
        let fields = Fields { frag: offset | if more { MF } else { 0 }, ..DIVISIBLE };
        let out = outbound(&config(PLAIN), &ipv4_with(HOST, PEER, UDP, &body, &[], fields)).forwarded();
        let new = if offset == 0 { sealed(udp(&bytes(1000)), UDP, &addresses6(PLAIN, PEER6)) } else { body.clone() };
        assert_eq!(vec![out], pieces(&new, UDP, 1232, offset, more), "offset {offset}");
    }
}

#[test]
fn r53_a_fragment_may_be_cut_again() {
    let body = bytes(1480);
    for more in [true, false] {
        let fields = Fields { frag: 185 | if more { MF } else { 0 }, ..DIVISIBLE };
        let out = outbound(&config(PLAIN), &ipv4_with(HOST, PEER, UDP, &body, &[], fields)).fragments();
        assert_eq!(out, pieces(&body, UDP, 1232, 185, more));
    }
}

#[test]
fn a_first_fragment_without_the_checksum_field_passes_only_unchanged() {
    let fields = Fields { frag: MF, ..DIVISIBLE };
    let packet = ipv4_with(HOST, PEER, 6, &bytes(16), &[], fields);
    assert_eq!(outbound(&config(PLAIN), &packet), Outcome::Drop(DropReason::FragmentWithoutChecksum));
    outbound(&config(NEUTRAL), &packet).forwarded();
    let packet = ipv6(PEER6, PLAIN, 44, &[fragment_header(6, 0, true, 1), bytes(16)].concat());
    assert_eq!(inbound(&config(PLAIN), &packet), Outcome::Drop(DropReason::FragmentWithoutChecksum));
}

#[test]
fn r65_a_first_fragment_of_udp_without_checksum_is_dropped() {
    let fields = Fields { frag: MF, ..DIVISIBLE };
    let packet = ipv4_with(HOST, PEER, UDP, &udp(&bytes(1000)), &[], fields);
    assert_eq!(outbound(&config(NEUTRAL), &packet), Outcome::Drop(DropReason::UdpZeroChecksumFragment));
}

#[test]
fn fragmented_icmp_is_dropped_both_ways_and_a_lone_fragment_passes() {
    for frag in [MF, MF | 185, 185] {
        let packet = ipv4_with(HOST, PEER, ICMP, &icmp(8, 0, [0; 4], &bytes(64)), &[], Fields { frag, ..DIVISIBLE });
        assert_eq!(outbound(&config(PLAIN), &packet), Outcome::Drop(DropReason::FragmentedIcmp));
    }
    let echo = sealed(icmp(129, 0, [0; 4], &bytes(64)), ICMPV6, &addresses6(PEER6, PLAIN));
    for (offset, more) in [(0, true), (9, true), (9, false)] {
        let payload = [fragment_header(ICMPV6, offset, more, 1), echo.clone()].concat();
        let packet = ipv6(PEER6, PLAIN, FRAGMENT, &payload);
        assert_eq!(inbound(&config(PLAIN), &packet), Outcome::Drop(DropReason::FragmentedIcmp));
    }
    let payload = [fragment_header(ICMPV6, 0, false, 7), echo].concat();
    let out = inbound(&config(PLAIN), &ipv6(PEER6, PLAIN, FRAGMENT, &payload)).forwarded();
    let fields = Fields { tos: 0, id: 7, frag: 0, ttl: 63 };
    let echo = sealed(icmp(0, 0, [0; 4], &bytes(64)), ICMP, &[]);
    assert_eq!(out, ipv4_with(PEER, HOST, ICMP, &echo, &[], fields));
}

#[test]
fn a_fragment_beyond_65535_is_dropped() {
    let fields = Fields { frag: 8189, ..DIVISIBLE };
    outbound(&config(PLAIN), &ipv4_with(HOST, PEER, UDP, &bytes(23), &[], fields)).forwarded();
    let packet = ipv4_with(HOST, PEER, UDP, &bytes(24), &[], fields);
    assert_eq!(outbound(&config(PLAIN), &packet), Outcome::Drop(DropReason::BadFragment));
    // IPv4 counts the header in.
    let fragment =
        |len: usize| ipv6(PEER6, PLAIN, FRAGMENT, &[fragment_header(UDP, 8189, false, 1), bytes(len)].concat());
    inbound(&config(PLAIN), &fragment(3)).forwarded();
    assert_eq!(inbound(&config(PLAIN), &fragment(4)), Outcome::Drop(DropReason::BadFragment));
}

#[test]
fn fragments_from_the_uplink_are_cut_for_a_small_ipv4_link() {
    let mut config = config(PLAIN);
    config.mtu4 = 68;
    let packet = ipv6(PEER6, PLAIN, FRAGMENT, &[fragment_header(UDP, 10, true, 0xcafe), bytes(120)].concat());
    let out = inbound(&config, &packet).fragments();
    for (piece, (start, end)) in out.iter().zip([(0, 48), (48, 96), (96, 120)]) {
        let frag = MF | (10 + u16::try_from(start / 8).unwrap());
        let fields = Fields { tos: 0, id: 0xcafe, frag, ttl: 63 };
        assert_eq!(*piece, ipv4_with(PEER, HOST, UDP, &bytes(120)[start..end], &[], fields));
    }
    assert_eq!(out.len(), 3);
}

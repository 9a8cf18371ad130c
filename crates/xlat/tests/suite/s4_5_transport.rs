//! RFC 7915 sections 4.5 and 5.5, transport checksums: R64, R65.

use everclat_xlat::{DropReason, UdpZeroChecksum};

use crate::support::{
    HOST, Outcome, PEER, PEER6, PLAIN, PLAIN_FIELDS, TCP, UDP, addresses4, addresses6, bytes, checksum, config,
    inbound, ipv4, ipv4_with, ipv6, outbound, pseudo_tail, sealed, tcp, udp,
};

#[test]
fn r64_odd_and_even_lengths_both_ways() {
    for len in 0..70 {
        for (number, message) in [(TCP, tcp(&bytes(len))), (UDP, udp(&bytes(len)))] {
            let v4 = sealed(message.clone(), number, &addresses4(HOST, PEER));
            let v6 = sealed(message.clone(), number, &addresses6(PLAIN, PEER6));
            assert_eq!(outbound(&config(PLAIN), &ipv4(HOST, PEER, number, &v4)).forwarded()[40..], v6);
            let v6 = sealed(message.clone(), number, &addresses6(PEER6, PLAIN));
            let v4 = sealed(message, number, &addresses4(PEER, HOST));
            assert_eq!(inbound(&config(PLAIN), &ipv6(PEER6, PLAIN, number, &v6)).forwarded()[20..], v4);
        }
    }
}

#[test]
fn r64_a_wrong_checksum_stays_wrong() {
    let mut message = sealed(udp(b"data"), UDP, &addresses4(HOST, PEER));
    message[9] ^= 0x40;
    let out = outbound(&config(PLAIN), &ipv4(HOST, PEER, UDP, &message)).forwarded();
    assert_ne!(checksum(&[&addresses6(PLAIN, PEER6), &pseudo_tail(UDP, 12), &out[40..]]), 0);
}

#[test]
fn r64_a_udp_checksum_that_comes_out_zero_is_sent_as_ones() {
    // The payload word that makes the sum come out so is found by trying.
    let hit = |addresses: &[u8]| {
        (0..=u16::MAX)
            .map(|word| udp(&word.to_be_bytes()))
            .find(|message| checksum(&[addresses, &pseudo_tail(UDP, 10), message]) == 0)
    };
    let message = hit(&addresses6(PLAIN, PEER6)).unwrap();
    let v4 = sealed(message.clone(), UDP, &addresses4(HOST, PEER));
    let out = outbound(&config(PLAIN), &ipv4(HOST, PEER, UDP, &v4)).forwarded();
    assert_eq!(out[46..48], [0xff, 0xff]);
    // With options it is not the straight line's.
    let out = outbound(&config(PLAIN), &ipv4_with(HOST, PEER, UDP, &v4, &[1; 4], PLAIN_FIELDS)).forwarded();
    assert_eq!(out[46..48], [0xff, 0xff]);
    let message = hit(&addresses4(PEER, HOST)).unwrap();
    let v6 = sealed(message, UDP, &addresses6(PEER6, PLAIN));
    let out = inbound(&config(PLAIN), &ipv6(PEER6, PLAIN, UDP, &v6)).forwarded();
    assert_eq!(out[26..28], [0xff, 0xff]);
    let chain = [vec![UDP, 0, 1, 4, 0, 0, 0, 0], v6].concat();
    let out = inbound(&config(PLAIN), &ipv6(PEER6, PLAIN, 60, &chain)).forwarded();
    assert_eq!(out[26..28], [0xff, 0xff]);
}

#[test]
fn r65_udp_without_checksum_gets_one_or_goes() {
    let packet = ipv4(HOST, PEER, UDP, &udp(b"no checksum"));
    let out = outbound(&config(PLAIN), &packet).forwarded();
    assert_eq!(out[40..], sealed(udp(b"no checksum"), UDP, &addresses6(PLAIN, PEER6)));
    let mut strict = config(PLAIN);
    strict.udp_zero_checksum = UdpZeroChecksum::Drop;
    assert_eq!(outbound(&strict, &packet), Outcome::Drop(DropReason::UdpZeroChecksum));
}

#[test]
fn r65_the_checksum_covers_what_udp_says_is_its_own() {
    // UDP length 10, four stray bytes behind.
    let packet = ipv4(HOST, PEER, UDP, &[udp(b"hi"), vec![9; 4]].concat());
    let out = outbound(&config(PLAIN), &packet).forwarded();
    assert_eq!(out[40..50], sealed(udp(b"hi"), UDP, &addresses6(PLAIN, PEER6)));
    for length in [7, 15] {
        let mut message = udp(b"hi");
        message[5] = length;
        let packet = ipv4(HOST, PEER, UDP, &message);
        assert_eq!(outbound(&config(PLAIN), &packet), Outcome::Drop(DropReason::BadTransport));
    }
}

#[test]
fn udp_without_checksum_from_the_uplink_stays_without() {
    let out = inbound(&config(PLAIN), &ipv6(PEER6, PLAIN, UDP, &udp(b"tunnel"))).forwarded();
    assert_eq!(out[20..], udp(b"tunnel"));
}

#[test]
fn dccp_and_udp_lite_checksums_follow_too() {
    for number in [33, 136] {
        let body = |addresses: &[u8]| {
            let mut message = bytes(24);
            message[6..8].fill(0);
            let sum = checksum(&[addresses, &pseudo_tail(number, 24), &message]);
            message[6..8].copy_from_slice(&sum.to_be_bytes());
            message
        };
        let packet = ipv4(HOST, PEER, number, &body(&addresses4(HOST, PEER)));
        assert_eq!(outbound(&config(PLAIN), &packet).forwarded()[40..], body(&addresses6(PLAIN, PEER6)));
    }
}

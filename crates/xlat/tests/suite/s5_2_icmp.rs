//! RFC 7915 sections 5.2 and 5.3, ICMPv6 to ICMPv4: R72 to R75, R77.

use std::net::{Ipv4Addr, Ipv6Addr};

use everclat_xlat::{Config, DropReason, Pref64};

use crate::support::{
    DF, Fields, HOST, ICMP, ICMPV6, MF, Outcome, PEER, PEER6, PLAIN, UDP, addresses4, addresses6, bytes, config,
    error6, fragment_header, icmp, inbound, ipv4_with, ipv6, ipv6_with, sealed, udp,
};

const ROUTER: Ipv4Addr = Ipv4Addr::new(203, 0, 113, 9);

fn router6() -> Ipv6Addr {
    Pref64::WELL_KNOWN.embed(ROUTER)
}

/// A packet we sent, as the uplink saw it and as the host had sent it.
fn quoted(payload: &[u8]) -> (Vec<u8>, Vec<u8>) {
    let v6 = ipv6_with(PLAIN, PEER6, UDP, &sealed(udp(payload), UDP, &addresses6(PLAIN, PEER6)), 0x28, 9);
    let frag = if payload.len() + 28 > 1260 { DF } else { 0 };
    let fields = Fields { tos: 0x28, id: 0, frag, ttl: 9 };
    (v6, ipv4_with(HOST, PEER, UDP, &sealed(udp(payload), UDP, &addresses4(HOST, PEER)), &[], fields))
}

const OUTER: Fields = Fields { tos: 0, id: 1, frag: 0, ttl: 63 };

fn expected(kind: u8, code: u8, rest: [u8; 4], quoted: &[u8]) -> Vec<u8> {
    ipv4_with(ROUTER, HOST, ICMP, &sealed(icmp(kind, code, rest, quoted), ICMP, &[]), &[], OUTER)
}

fn translate(kind: u8, code: u8, rest: [u8; 4], quoted: &[u8]) -> Outcome {
    inbound(&config(PLAIN), &error6(router6(), PLAIN, kind, code, rest, quoted))
}

#[test]
fn r72_echo_and_reply() {
    for (v6, v4, code) in [(128, 8, 0), (129, 0, 0), (128, 8, 7), (129, 0, 255)] {
        let message = sealed(icmp(v6, code, [1, 2, 3, 4], &bytes(57)), ICMPV6, &addresses6(PEER6, PLAIN));
        let out = inbound(&config(PLAIN), &ipv6(PEER6, PLAIN, ICMPV6, &message)).forwarded();
        let message = sealed(icmp(v4, code, [1, 2, 3, 4], &bytes(57)), ICMP, &[]);
        assert_eq!(out, ipv4_with(PEER, HOST, ICMP, &message, &[], OUTER));
    }
}

/// Zero and 0xffff are the same to a sum, but for one message: an echo reply of nothing but zeroes sums up to 0, so that its
/// checksum is 0xffff, and a receiver that finds 0 there takes it for damaged.
#[test]
fn r72_an_echo_reply_of_zeroes_has_a_checksum_of_ones() {
    for len in [0, 1, 35] {
        let message = sealed(icmp(129, 0, [0; 4], &vec![0; len]), ICMPV6, &addresses6(PEER6, PLAIN));
        let out = inbound(&config(PLAIN), &ipv6(PEER6, PLAIN, ICMPV6, &message)).forwarded();
        assert_eq!(out[20..24], [0, 0, 0xff, 0xff], "{len} bytes");
        assert!(out[24..].iter().all(|byte| *byte == 0));
    }
}

#[test]
fn r72_types_without_counterpart_are_dropped() {
    for kind in (0..=u8::MAX).filter(|kind| ![1, 2, 3, 4, 128, 129].contains(kind)) {
        assert_eq!(translate(kind, 0, [0; 4], &quoted(b"").0), Outcome::Drop(DropReason::IcmpType), "type {kind}");
    }
}

#[test]
fn r73_every_code_of_destination_unreachable() {
    let (v6, v4) = quoted(b"0123456789");
    for code in 0..=u8::MAX {
        let out = translate(1, code, [0; 4], &v6);
        let new = match code {
            0 | 2 | 3 => 1,
            1 => 10,
            4 => 3,
            5.. => {
                assert_eq!(out, Outcome::Drop(DropReason::IcmpCode), "code {code}");
                continue;
            }
        };
        assert_eq!(out.forwarded(), expected(3, new, [0; 4], &v4), "code {code}");
    }
}

#[test]
fn r73_time_exceeded_keeps_its_code() {
    let (v6, v4) = quoted(b"x");
    for code in 0..=u8::MAX {
        assert_eq!(translate(3, code, [0; 4], &v6).forwarded(), expected(11, code, [0; 4], &v4));
    }
}

#[test]
fn r73_every_pointer_and_code_of_parameter_problem() {
    let (v6, v4) = quoted(b"x");
    for pointer in (0..=300_u32).chain([0x0100_0000, u32::MAX]) {
        let out = translate(4, 0, pointer.to_be_bytes(), &v6);
        let new = match pointer {
            0 => 0,
            1 => 1,
            4 | 5 => 2,
            6 => 9,
            7 => 8,
            8..=23 => 12,
            24..=39 => 16,
            2 | 3 | 40.. => {
                assert_eq!(out, Outcome::Drop(DropReason::IcmpPointer), "pointer {pointer}");
                continue;
            }
        };
        assert_eq!(out.forwarded(), expected(12, 0, [new, 0, 0, 0], &v4), "pointer {pointer}");
    }
    assert_eq!(translate(4, 1, [0, 0, 0, 6], &v6).forwarded(), expected(3, 2, [0; 4], &v4));
    for code in 2..=u8::MAX {
        assert_eq!(translate(4, code, [0; 4], &v6), Outcome::Drop(DropReason::IcmpCode));
    }
}

fn translated_mtu(config: &Config, mtu: u32, quoted: &[u8]) -> [u8; 4] {
    let out = inbound(config, &error6(router6(), PLAIN, 2, 0, mtu.to_be_bytes(), quoted)).forwarded();
    assert_eq!(out[20..22], [3, 4]);
    [out[24], out[25], out[26], out[27]]
}

#[test]
fn r74_the_mtu_is_20_less_within_bounds() {
    let (plain, _) = quoted(&bytes(64));
    let message = sealed(udp(&bytes(64)), UDP, &addresses6(PLAIN, PEER6));
    let fragment = ipv6(PLAIN, PEER6, 44, &[fragment_header(UDP, 0, true, 5), message].concat());
    let mut config = config(PLAIN);
    config.mtu4 = 2000;
    config.mtu6 = 1900;
    for (mtu, expected) in [(1280, 1260_u32), (1400, 1380), (1900, 1880), (5000, 1880), (u32::MAX, 1880)] {
        assert_eq!(translated_mtu(&config, mtu, &plain), expected.to_be_bytes(), "MTU {mtu}");
        assert_eq!(translated_mtu(&config, mtu, &fragment), (expected - 8).to_be_bytes(), "MTU {mtu}");
    }
    config.mtu4 = 1300;
    assert_eq!(translated_mtu(&config, 1500, &plain), 1300_u32.to_be_bytes());
    // RFC 8201 section 4: no lower than 1280 on anybody's word.
    for mtu in [0, 68, 1279] {
        assert_eq!(translated_mtu(&config, mtu, &plain), 1260_u32.to_be_bytes());
    }
}

/// RFC 4443 section 3.2: receivers ignore it; ICMPv4 has 4, whatever it was.
#[test]
fn r74_packet_too_big_with_any_code() {
    let (v6, v4) = quoted(b"x");
    for code in 0..=u8::MAX {
        assert_eq!(translate(2, code, [0, 0, 5, 0x78], &v6).forwarded(), expected(3, 4, [0, 0, 5, 0x64], &v4));
    }
}

#[test]
fn r75_a_quotation_cut_short_is_translated_as_far_as_it_goes() {
    let (v6, v4) = quoted(&bytes(600));
    // Up to the cut to 576 bytes.
    for kept in 0..=528 {
        let out = translate(1, 4, [0; 4], &v6[..40 + kept]).forwarded();
        let mut inner = v4[..20 + kept].to_vec();
        if kept == 7 {
            // The field is not whole, so it is left alone.
            inner[26] = v6[46];
        }
        assert_eq!(out, expected(3, 3, [0; 4], &inner), "{kept} bytes kept");
    }
    for kept in 0..40 {
        let out = translate(1, 4, [0; 4], &v6[..kept]);
        assert_eq!(out, Outcome::Drop(DropReason::BadInnerPacket), "{kept} bytes of the header");
    }
}

/// The chain that our packets do not have but a router may have put in between, and the Fragment header that they do have.
#[test]
fn r75_quoted_extension_headers_are_left_out_and_may_be_cut_anywhere() {
    let body = sealed(udp(&bytes(32)), UDP, &addresses6(PLAIN, PEER6));
    let chain = [vec![60, 0, 1, 4, 0, 0, 0, 0], vec![44, 1, 1, 12], vec![0; 12]].concat();
    let v6 = ipv6(PLAIN, PEER6, 0, &[chain.clone(), fragment_header(UDP, 0, true, 7), body].concat());
    let new = sealed(udp(&bytes(32)), UDP, &addresses4(HOST, PEER));
    let v4 = ipv4_with(HOST, PEER, UDP, &new, &[], Fields { tos: 0, id: 7, frag: MF, ttl: 64 });
    let upper = 40 + chain.len() + 8;
    for kept in 0..upper {
        let out = translate(3, 1, [0; 4], &v6[..kept]);
        assert_eq!(out, Outcome::Drop(DropReason::BadInnerPacket), "{kept} bytes");
    }
    for kept in (upper..=v6.len()).filter(|kept| *kept != upper + 7) {
        let out = translate(3, 1, [0; 4], &v6[..kept]).forwarded();
        assert_eq!(out, expected(11, 1, [0; 4], &v4[..20 + kept - upper]), "{kept} bytes");
    }
}

#[test]
fn r75_no_more_than_576_bytes() {
    let (v6, v4) = quoted(&bytes(1180));
    assert_eq!(translate(1, 0, [0; 4], &v6).forwarded(), expected(3, 1, [0; 4], &v4[..548]));
    let (v6, v4) = quoted(&bytes(1400));
    assert_eq!(translate(1, 0, [0; 4], &v6[..1232]).forwarded(), expected(3, 1, [0; 4], &v4[..548]));
}

#[test]
fn r75_a_quoted_fragment_loses_its_fragment_header() {
    for (offset, more) in [(0, true), (9, true), (9, false)] {
        let body = sealed(udp(&bytes(32)), UDP, &addresses6(PLAIN, PEER6));
        let v6 = ipv6(PLAIN, PEER6, 44, &[fragment_header(UDP, offset, more, 0xbeef), body.clone()].concat());
        let new = if offset == 0 { sealed(udp(&bytes(32)), UDP, &addresses4(HOST, PEER)) } else { body };
        let fields = Fields { tos: 0, id: 0xbeef, frag: offset | if more { MF } else { 0 }, ttl: 64 };
        let v4 = ipv4_with(HOST, PEER, UDP, &new, &[], fields);
        assert_eq!(translate(3, 1, [0; 4], &v6).forwarded(), expected(11, 1, [0; 4], &v4));
    }
}

#[test]
fn r70_an_error_in_an_atomic_fragment_keeps_its_identification() {
    let (v6, v4) = quoted(b"x");
    let message = sealed(icmp(1, 4, [0; 4], &v6), ICMPV6, &addresses6(router6(), PLAIN));
    let payload = [fragment_header(ICMPV6, 0, false, 0x0001_beef), message].concat();
    let out = inbound(&config(PLAIN), &ipv6(router6(), PLAIN, 44, &payload)).forwarded();
    let message = sealed(icmp(3, 3, [0; 4], &v4), ICMP, &[]);
    assert_eq!(out, ipv4_with(ROUTER, HOST, ICMP, &message, &[], Fields { id: 0xbeef, ..OUTER }));
}

#[test]
fn r75_a_quoted_echo_is_translated_with_its_checksum() {
    let ping = sealed(icmp(128, 0, [1, 2, 3, 4], &bytes(40)), ICMPV6, &addresses6(PLAIN, PEER6));
    let v6 = ipv6(PLAIN, PEER6, ICMPV6, &ping);
    let fields = Fields { tos: 0, id: 0, frag: 0, ttl: 64 };
    let v4 = ipv4_with(HOST, PEER, ICMP, &sealed(icmp(8, 0, [1, 2, 3, 4], &bytes(40)), ICMP, &[]), &[], fields);
    for cut in [0, 40] {
        let out = translate(3, 0, [0; 4], &v6[..v6.len() - cut]).forwarded();
        assert_eq!(out, expected(11, 0, [0; 4], &v4[..v4.len() - cut]));
    }
}

#[test]
fn r75_extensions_keep_their_bytes_and_the_least_quotation_is_padded() {
    let extensions = bytes(20);
    // 128 bytes shrink to 108, and RFC 4884 wants 128; 152 shrink to 132, which is 33 words of 4.
    for (len, words, padding) in [(128, 32, 20), (152, 33, 0)] {
        let (v6, v4) = quoted(&bytes(len - 48));
        let body = [v6, extensions.clone()].concat();
        let inner = [v4, vec![0; padding], extensions.clone()].concat();
        let eighths = u8::try_from(len / 8).unwrap();
        for (kind, new, code) in [(1, 3, 1), (3, 11, 0)] {
            let out = translate(kind, 0, [eighths, 0, 0, 0], &body).forwarded();
            assert_eq!(out, expected(new, code, [0, words, 0, 0], &inner));
        }
    }
}

#[test]
fn r75_extensions_survive_the_cut_to_576() {
    let (v6, v4) = quoted(&bytes(952));
    let body = [v6, bytes(40)].concat();
    // 548 - 40 = 508 = 127 words.
    let out = translate(1, 0, [125, 0, 0, 0], &body).forwarded();
    assert_eq!(out, expected(3, 1, [0, 127, 0, 0], &[&v4[..508], &bytes(40)].concat()));
}

#[test]
fn r77_routers_without_an_ipv4_address_speak_as_192_0_0_8() {
    let (v6, v4) = quoted(b"probe");
    for source in ["2001:db8:ffff::1", "fe80::1", "fd00::1"] {
        for (kind, code, new) in [(1, 0, [3, 1]), (2, 0, [3, 4]), (3, 0, [11, 0]), (4, 0, [12, 0])] {
            let rest = if kind == 2 { [0, 0, 5, 0x78] } else { [0; 4] };
            let packet = error6(source.parse().unwrap(), PLAIN, kind, code, rest, &v6);
            let out = inbound(&config(PLAIN), &packet).forwarded();
            assert_eq!(out[12..16], [192, 0, 0, 8]);
            assert_eq!(out[20..22], new);
            assert_eq!(out[28..28 + v4.len()], v4);
        }
    }
}

#[test]
fn r77_nothing_else_does() {
    let outsider: Ipv6Addr = "2001:db8:ffff::1".parse().unwrap();
    let echo = sealed(icmp(129, 0, [0; 4], b""), ICMPV6, &addresses6(outsider, PLAIN));
    for (next, body) in [(ICMPV6, echo), (UDP, udp(b"")), (ICMPV6, vec![]), (44, fragment_header(ICMPV6, 5, false, 1))]
    {
        let out = inbound(&config(PLAIN), &ipv6(outsider, PLAIN, next, &body));
        assert_eq!(out, Outcome::Drop(DropReason::NotFromPref64));
    }
    for source in ["::", "::1", "ff02::1"] {
        let packet = error6(source.parse().unwrap(), PLAIN, 3, 0, [0; 4], &quoted(b"").0);
        assert_eq!(inbound(&config(PLAIN), &packet), Outcome::Drop(DropReason::IllegalSource));
    }
    // R78: a source with an IPv4 address keeps it.
    assert_eq!(translate(3, 0, [0; 4], &quoted(b"").0).forwarded()[12..16], ROUTER.octets());
}

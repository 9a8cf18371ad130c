//! RFC 7915 sections 4.2 and 4.3, ICMPv4 to ICMPv6: R54 to R62.

use everclat_xlat::{Config, DropReason};

use crate::support::{
    Fields, HOST, ICMP, ICMPV6, MF, Outcome, PEER, PEER6, PLAIN, PLAIN_FIELDS, TCP, UDP, addresses4, addresses6, bytes,
    config, error4, fragment_header, icmp, ipv4, ipv4_with, ipv6, ipv6_with, outbound, sealed, tcp, udp,
};

/// The packet a host error is about, in both families: UDP from the peer, TTL 57.
fn quoted(payload: &[u8]) -> (Vec<u8>, Vec<u8>) {
    let fields = Fields { ttl: 57, id: 7, frag: 0, tos: 0x28 };
    let v4 = ipv4_with(PEER, HOST, UDP, &sealed(udp(payload), UDP, &addresses4(PEER, HOST)), &[], fields);
    let message = sealed(udp(payload), UDP, &addresses6(PEER6, PLAIN));
    (v4, ipv6_with(PEER6, PLAIN, UDP, &message, 0x28, 57))
}

fn expected(kind: u8, code: u8, rest: [u8; 4], quoted: &[u8]) -> Vec<u8> {
    let message = sealed(icmp(kind, code, rest, quoted), ICMPV6, &addresses6(PLAIN, PEER6));
    ipv6_with(PLAIN, PEER6, ICMPV6, &message, 0, 63)
}

#[test]
fn r55_echo_and_reply_with_any_code() {
    for (v4, v6) in [(8, 128), (0, 129)] {
        for code in [0, 7] {
            let message = sealed(icmp(v4, code, [1, 2, 3, 4], &bytes(57)), ICMP, &[]);
            let translated = sealed(icmp(v6, code, [1, 2, 3, 4], &bytes(57)), ICMPV6, &addresses6(PLAIN, PEER6));
            let out = outbound(&config(PLAIN), &ipv4(HOST, PEER, ICMP, &message)).forwarded();
            assert_eq!(out, ipv6_with(PLAIN, PEER6, ICMPV6, &translated, 0, 63));
        }
    }
}

#[test]
fn r56_types_without_counterpart_are_dropped() {
    for kind in (0..=u8::MAX).filter(|kind| ![0, 3, 8, 11, 12].contains(kind)) {
        let out = outbound(&config(PLAIN), &error4(kind, 0, [0; 4], &quoted(b"").0));
        assert_eq!(out, Outcome::Drop(DropReason::IcmpType), "type {kind}");
    }
    assert_eq!(outbound(&config(PLAIN), &ipv4(HOST, PEER, 2, &[0x16; 8])), Outcome::Drop(DropReason::Igmp));
}

#[test]
fn r57_every_code_of_destination_unreachable() {
    let (v4, v6) = quoted(b"0123456789");
    for code in 0..=u8::MAX {
        let out = outbound(&config(PLAIN), &error4(3, code, [0; 4], &v4));
        let (kind, new, rest) = match code {
            0 | 1 | 5 | 6 | 7 | 8 | 11 | 12 => (1, 0, [0; 4]),
            2 => (4, 1, [0, 0, 0, 6]),
            3 => (1, 4, [0; 4]),
            // MTU 0, see r59: nothing below 38 bytes, so 1280.
            4 => (2, 0, [0, 0, 5, 0]),
            9 | 10 | 13 | 15 => (1, 1, [0; 4]),
            14 | 16.. => {
                assert_eq!(out, Outcome::Drop(DropReason::IcmpCode), "code {code}");
                continue;
            }
        };
        assert_eq!(out.forwarded(), expected(kind, new, rest, &v6), "code {code}");
    }
}

fn translated_mtu(config: &Config, mtu: u16, quoted_len: usize) -> u32 {
    let [high, low] = mtu.to_be_bytes();
    let inner = ipv4(PEER, HOST, UDP, &sealed(udp(&bytes(quoted_len - 28)), UDP, &addresses4(PEER, HOST)));
    // Cut like routers do.
    let out = outbound(config, &error4(3, 4, [0, 0, high, low], &inner[..28])).forwarded();
    assert_eq!(out[40..42], [2, 0]);
    u32::from_be_bytes([out[44], out[45], out[46], out[47]])
}

#[test]
fn r58_the_mtu_is_20_more_within_bounds() {
    let mut config = config(PLAIN);
    config.mtu6 = 9000;
    config.mtu4 = 5000;
    for (mtu, expected) in [(68, 1280), (1259, 1280), (1260, 1280), (1261, 1281), (1400, 1420), (5000, 5020)] {
        assert_eq!(translated_mtu(&config, mtu, 6000), expected, "MTU {mtu}");
    }
    assert_eq!(translated_mtu(&config, 5001, 6000), 5020);
    config.mtu6 = 4000;
    assert_eq!(translated_mtu(&config, 5001, 6000), 4000);
}

#[test]
fn r59_mtu_zero_means_the_plateau_below_the_total_length() {
    let mut config = config(PLAIN);
    config.mtu6 = 65_000;
    config.mtu4 = 65_000;
    let cases = [(32_001, 32_000), (32_000, 17_914), (17_914, 8166), (8166, 4352), (4353, 4352), (4352, 2002)];
    for (total, expected) in cases.into_iter().chain([(2002, 1492), (1493, 1492), (1492, 1280), (576, 1280)]) {
        assert_eq!(translated_mtu(&config, 0, total), expected, "length {total}");
    }
    config.mtu6 = 1500;
    assert_eq!(translated_mtu(&config, 0, 9000), 1500);
}

#[test]
fn r60_time_exceeded_keeps_its_code() {
    let (v4, v6) = quoted(b"x");
    for code in 0..=u8::MAX {
        let out = outbound(&config(PLAIN), &error4(11, code, [0; 4], &v4)).forwarded();
        assert_eq!(out, expected(3, code, [0; 4], &v6));
    }
}

#[test]
fn r60_every_pointer_and_code_of_parameter_problem() {
    let (v4, v6) = quoted(b"x");
    for code in 0..=u8::MAX {
        for pointer in 0..=u8::MAX {
            let out = outbound(&config(PLAIN), &error4(12, code, [pointer, 0, 0, 0], &v4));
            if ![0, 2].contains(&code) {
                assert_eq!(out, Outcome::Drop(DropReason::IcmpCode));
                break;
            }
            let new = match pointer {
                0 => 0,
                1 => 1,
                2 | 3 => 4,
                8 => 7,
                9 => 6,
                12..=15 => 8,
                16..=19 => 24,
                4..=7 | 10 | 11 | 20.. => {
                    assert_eq!(out, Outcome::Drop(DropReason::IcmpPointer), "pointer {pointer}");
                    continue;
                }
            };
            assert_eq!(out.forwarded(), expected(4, 0, [0, 0, 0, new], &v6), "pointer {pointer}");
        }
    }
}

#[test]
fn r62_the_quoted_hop_limit_stays_even_when_zero() {
    let fields = Fields { ttl: 0, ..PLAIN_FIELDS };
    let v4 = ipv4_with(PEER, HOST, 89, b"ospf", &[], fields);
    let out = outbound(&config(PLAIN), &error4(3, 1, [0; 4], &v4)).forwarded();
    assert_eq!(out, expected(1, 0, [0; 4], &ipv6_with(PEER6, PLAIN, 89, b"ospf", 0, 0)));
}

#[test]
fn r62_a_quotation_cut_short_is_translated_as_far_as_it_goes() {
    let (v4, v6) = quoted(&bytes(600));
    for kept in 0..=v4.len() - 20 {
        let out = outbound(&config(PLAIN), &error4(3, 3, [0; 4], &v4[..20 + kept])).forwarded();
        let mut inner = v6[..40 + kept].to_vec();
        if kept == 7 {
            // The field is not whole, so it is left alone.
            inner[46] = v4[26];
        }
        assert_eq!(out, expected(1, 4, [0; 4], &inner), "{kept} bytes kept");
    }
    for kept in 0..20 {
        let out = outbound(&config(PLAIN), &error4(3, 3, [0; 4], &v4[..kept]));
        assert_eq!(out, Outcome::Drop(DropReason::BadInnerPacket), "{kept} bytes of the header");
    }
}

#[test]
fn r62_a_quoted_segment_or_echo_may_be_cut_anywhere_too() {
    let tcp4 = ipv4(PEER, HOST, TCP, &sealed(tcp(&bytes(40)), TCP, &addresses4(PEER, HOST)));
    let tcp6 = ipv6(PEER6, PLAIN, TCP, &sealed(tcp(&bytes(40)), TCP, &addresses6(PEER6, PLAIN)));
    let ping = sealed(icmp(8, 0, [1, 2, 3, 4], &bytes(40)), ICMP, &[]);
    let ping6 = sealed(icmp(128, 0, [1, 2, 3, 4], &bytes(40)), ICMPV6, &addresses6(PEER6, PLAIN));
    let echo = (ipv4(PEER, HOST, ICMP, &ping), ipv6(PEER6, PLAIN, ICMPV6, &ping6));
    for ((v4, v6), half) in [((tcp4, tcp6), 16), (echo, 2)] {
        for kept in 0..=v4.len() - 20 {
            let out = outbound(&config(PLAIN), &error4(3, 3, [0; 4], &v4[..20 + kept])).forwarded();
            let mut inner = v6[..40 + kept].to_vec();
            if kept == half + 1 {
                inner[40 + half] = v4[20 + half];
            }
            assert_eq!(out, expected(1, 4, [0; 4], &inner), "{kept} bytes kept");
        }
    }
}

#[test]
fn r62_quoted_options_are_skipped() {
    let message = sealed(udp(b"x"), UDP, &addresses4(PEER, HOST));
    let v4 = ipv4_with(PEER, HOST, UDP, &message, &[1, 1, 1, 1, 148, 4, 0, 0], PLAIN_FIELDS);
    let out = outbound(&config(PLAIN), &error4(3, 3, [0; 4], &v4)).forwarded();
    let inner = ipv6(PEER6, PLAIN, UDP, &sealed(udp(b"x"), UDP, &addresses6(PEER6, PLAIN)));
    assert_eq!(out, expected(1, 4, [0; 4], &inner));
}

#[test]
fn r62_a_quoted_fragment_gets_its_fragment_header() {
    for (frag, offset, more) in [(MF, 0, true), (MF | 185, 185, true), (185, 185, false)] {
        let fields = Fields { frag, id: 0xbeef, ..PLAIN_FIELDS };
        let body = sealed(udp(&bytes(32)), UDP, &addresses4(PEER, HOST));
        let v4 = ipv4_with(PEER, HOST, UDP, &body, &[], fields);
        let new = if offset == 0 { sealed(udp(&bytes(32)), UDP, &addresses6(PEER6, PLAIN)) } else { body };
        let inner = [fragment_header(UDP, offset, more, 0xbeef), new].concat();
        let out = outbound(&config(PLAIN), &error4(11, 1, [0; 4], &v4)).forwarded();
        assert_eq!(out, expected(3, 1, [0; 4], &ipv6(PEER6, PLAIN, 44, &inner)));
    }
}

#[test]
fn r62_a_quoted_echo_is_translated_with_its_checksum() {
    let ping = sealed(icmp(8, 0, [1, 2, 3, 4], &bytes(40)), ICMP, &[]);
    let ping6 = sealed(icmp(128, 0, [1, 2, 3, 4], &bytes(40)), ICMPV6, &addresses6(PEER6, PLAIN));
    let v4 = ipv4(PEER, HOST, ICMP, &ping);
    let v6 = ipv6(PEER6, PLAIN, ICMPV6, &ping6);
    // Also cut: the length in the pseudo-header is that of the packet, not of what is left of it.
    for cut in [0, 30, 40] {
        let out = outbound(&config(PLAIN), &error4(3, 1, [0; 4], &v4[..v4.len() - cut])).forwarded();
        assert_eq!(out, expected(1, 0, [0; 4], &v6[..v6.len() - cut]));
    }
}

#[test]
fn r61_extensions_keep_their_bytes_and_the_length_is_counted_anew() {
    let extensions = bytes(20);
    // In words of 4: quotation of 128 and of 132 bytes; in words of 8 afterwards: 148 -> 152, 152.
    for (words, padding) in [(32_u8, 4), (33, 0)] {
        let (v4, v6) = quoted(&bytes(usize::from(words) * 4 - 28));
        let body = [v4, extensions.clone()].concat();
        let inner = [v6, vec![0; padding], extensions.clone()].concat();
        for (kind, code, new) in [(3, 1, 1), (11, 0, 3)] {
            let out = outbound(&config(PLAIN), &error4(kind, code, [0, words, 0, 0], &body)).forwarded();
            assert_eq!(out, expected(new, 0, [19, 0, 0, 0], &inner), "{words} words");
        }
    }
}

#[test]
fn r61_where_icmpv6_has_no_room_for_them_extensions_go() {
    let (v4, v6) = quoted(&bytes(100));
    let body = [v4, bytes(20)].concat();
    let out = outbound(&config(PLAIN), &error4(3, 4, [0, 32, 0x05, 0x14], &body)).forwarded();
    assert_eq!(out, expected(2, 0, [0, 0, 0x05, 0x28], &v6));
    let out = outbound(&config(PLAIN), &error4(12, 0, [8, 32, 0, 0], &body)).forwarded();
    assert_eq!(out, expected(4, 0, [0, 0, 0, 7], &v6));
}

#[test]
fn r61_a_length_beyond_the_message_means_no_extensions() {
    let (v4, v6) = quoted(&bytes(40));
    let out = outbound(&config(PLAIN), &error4(3, 1, [0, 200, 0, 0], &v4)).forwarded();
    assert_eq!(out, expected(1, 0, [0; 4], &v6));
}

#[test]
fn r61_too_long_a_message_loses_the_end_of_its_quotation() {
    // 40 + 8 + 1232 = 1280.
    let (v4, v6) = quoted(&bytes(1300));
    let out = outbound(&config(PLAIN), &error4(3, 1, [0; 4], &v4)).forwarded();
    assert_eq!(out, expected(1, 0, [0; 4], &v6[..1232]));
    // With 20 bytes of extensions 1212 remain, 1208 in words of 8.
    let (v4, v6) = quoted(&bytes(1020 - 28 + 200));
    let body = [&v4[..1020], &bytes(220)].concat();
    let out = outbound(&config(PLAIN), &error4(3, 1, [0, 255, 0, 0], &body)).forwarded();
    let inner = [&v6[..1008], &bytes(220)].concat();
    assert_eq!(out, expected(1, 0, [126, 0, 0, 0], &inner));
}

#[test]
fn r61_extensions_that_leave_no_room_for_the_quotation_go() {
    let (v4, v6) = quoted(&bytes(100));
    let body = [v4, bytes(1200)].concat();
    let out = outbound(&config(PLAIN), &error4(3, 1, [0, 32, 0, 0], &body)).forwarded();
    assert_eq!(out, expected(1, 0, [0; 4], &v6));
}

#[test]
fn r62_a_quoted_first_fragment_of_an_echo_keeps_a_checksum_that_nobody_can_know() {
    let ping = sealed(icmp(8, 0, [1, 2, 3, 4], &bytes(40)), ICMP, &[]);
    let fields = Fields { frag: MF, id: 0xbeef, ..PLAIN_FIELDS };
    let v4 = ipv4_with(PEER, HOST, ICMP, &ping, &[], fields);
    // Right but for the pseudo-header, whose length would be that of the whole.
    let ping = sealed(icmp(128, 0, [1, 2, 3, 4], &bytes(40)), ICMP, &[]);
    let inner = [fragment_header(ICMPV6, 0, true, 0xbeef), ping].concat();
    let out = outbound(&config(PLAIN), &error4(11, 1, [0; 4], &v4)).forwarded();
    assert_eq!(out, expected(3, 1, [0; 4], &ipv6(PEER6, PLAIN, 44, &inner)));
}

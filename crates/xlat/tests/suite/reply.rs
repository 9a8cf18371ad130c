//! ICMP errors of our own: RFC 7915 sections 4.4 and 5.4, RFC 1812 section 4.3, RFC 4443 section 2.4. R63, R75.

use everclat_xlat::{DropReason, VnetHeader};

use crate::support::{
    DF, Fields, GATEWAY, HOST, ICMP, ICMPV6, Outcome, PEER, PEER6, PLAIN, PLAIN_FIELDS, UDP, Way, addresses4,
    addresses6, bytes, config, fragment_header, half_sealed, icmp, inbound, ipv4_with, ipv6_with, outbound, run,
    sealed, tcp, udp,
};

const SPENT: Fields = Fields { ttl: 1, ..PLAIN_FIELDS };

#[test]
fn an_icmpv4_error_comes_from_the_gateway_and_quotes_up_to_576_bytes() {
    for len in [0, 520, 521, 1400] {
        let message = sealed(udp(&bytes(len)), UDP, &addresses4(HOST, PEER));
        let packet = ipv4_with(HOST, PEER, UDP, &message, &[], SPENT);
        let (reason, error) = outbound(&config(PLAIN), &packet).reply();
        assert_eq!(reason, DropReason::TtlExpired);
        let quoted = &packet[..packet.len().min(548)];
        let message = sealed(icmp(11, 0, [0; 4], quoted), ICMP, &[]);
        let fields = Fields { tos: 0, id: 1, frag: 0, ttl: 64 };
        assert_eq!(error, ipv4_with(GATEWAY, HOST, ICMP, &message, &[], fields));
    }
}

#[test]
fn an_icmpv6_error_comes_from_x_and_quotes_up_to_1280_bytes() {
    for len in [0, 1184, 1185, 1400] {
        let message = sealed(udp(&bytes(len)), UDP, &addresses6(PEER6, PLAIN));
        let packet = ipv6_with(PEER6, PLAIN, UDP, &message, 0, 1);
        let (reason, error) = inbound(&config(PLAIN), &packet).reply();
        assert_eq!(reason, DropReason::TtlExpired);
        let quoted = &packet[..packet.len().min(1232)];
        let message = sealed(icmp(3, 0, [0; 4], quoted), ICMPV6, &addresses6(PLAIN, PEER6));
        assert_eq!(error, ipv6_with(PLAIN, PEER6, ICMPV6, &message, 0, 64));
    }
}

#[test]
fn an_error_about_a_super_packet_has_no_offload_header() {
    let message = half_sealed(tcp(&bytes(9000)), 6, &addresses4(HOST, PEER));
    let packet = ipv4_with(HOST, PEER, 6, &message, &[], SPENT);
    let vnet = VnetHeader { flags: 1, gso_type: 1, hdr_len: 40, gso_size: 1400, csum_start: 20, csum_offset: 16 };
    // `support::drive` asserts that it is reset.
    run(Way::Out, &config(PLAIN), &packet, vnet).reply();
}

#[test]
fn icmp_errors_are_never_answered_and_queries_are() {
    for kind in 0..=u8::MAX {
        let message = sealed(icmp(kind, 0, [0; 4], &bytes(28)), ICMP, &[]);
        let out = outbound(&config(PLAIN), &ipv4_with(HOST, PEER, ICMP, &message, &[], SPENT));
        if [0, 8, 9, 10, 13, 14, 15, 16, 17, 18].contains(&kind) {
            out.reply();
        } else {
            assert_eq!(out, Outcome::Drop(DropReason::TtlExpired), "type {kind}");
        }
        let message = sealed(icmp(kind, 0, [0; 4], &bytes(48)), ICMPV6, &addresses6(PEER6, PLAIN));
        let out = inbound(&config(PLAIN), &ipv6_with(PEER6, PLAIN, ICMPV6, &message, 0, 1));
        if kind >= 128 && kind != 137 {
            out.reply();
        } else {
            assert_eq!(out, Outcome::Drop(DropReason::TtlExpired), "type {kind}");
        }
    }
}

#[test]
fn icmp_without_a_type_is_not_answered() {
    let packet = ipv4_with(HOST, PEER, ICMP, &[], &[], SPENT);
    assert_eq!(outbound(&config(PLAIN), &packet), Outcome::Drop(DropReason::TtlExpired));
    let packet = ipv6_with(PEER6, PLAIN, ICMPV6, &[], 0, 1);
    assert_eq!(inbound(&config(PLAIN), &packet), Outcome::Drop(DropReason::TtlExpired));
}

#[test]
fn only_first_fragments_are_answered() {
    for (offset, answered) in [(0, true), (1, false)] {
        let fields = Fields { frag: DF | 0x2000 | offset, ..SPENT };
        let out = outbound(&config(PLAIN), &ipv4_with(HOST, PEER, UDP, &bytes(64), &[], fields));
        assert_eq!(matches!(out, Outcome::Reply(..)), answered);
        let payload = [fragment_header(UDP, offset, true, 1), bytes(64)].concat();
        let out = inbound(&config(PLAIN), &ipv6_with(PEER6, PLAIN, 44, &payload, 0, 1));
        assert_eq!(matches!(out, Outcome::Reply(..)), answered);
    }
}

#[test]
fn an_error_hidden_behind_extension_headers_is_not_answered() {
    let message = sealed(icmp(1, 0, [0; 4], &bytes(48)), ICMPV6, &addresses6(PEER6, PLAIN));
    let payload = [vec![ICMPV6, 0, 0, 1, 0, 0, 0, 0], message].concat();
    let out = inbound(&config(PLAIN), &ipv6_with(PEER6, PLAIN, 43, &payload, 0, 64));
    assert_eq!(out, Outcome::Drop(DropReason::RoutingHeader));
}

#[test]
fn the_gateway_address_is_configurable() {
    let mut config = config(PLAIN);
    config.gateway_v4 = [192, 0, 0, 6].into();
    let packet = ipv4_with(HOST, PEER, UDP, &udp(b""), &[], SPENT);
    assert_eq!(outbound(&config, &packet).reply().1[12..16], [192, 0, 0, 6]);
}

//! Unfinished checksums and super-packets: data-path.md section 10.

use everclat_xlat::{DropReason, VnetHeader};

use crate::support::{
    DF, Fields, HOST, ICMP, ICMPV6, NEUTRAL, Outcome, PEER, PEER6, PLAIN, PLAIN_FIELDS, TCP, UDP, Way, addresses4,
    addresses6, bytes, config, drive, half_sealed, icmp, ipv4, ipv4_with, ipv6, ipv6_with, run, sealed, tcp, udp,
};

fn vnet(gso_type: u8, hdr_len: u16, gso_size: u16, csum_start: u16, csum_offset: u16) -> VnetHeader {
    VnetHeader { flags: 1, gso_type, hdr_len, gso_size, csum_start, csum_offset }
}

#[test]
fn a_tcp_super_packet_out() {
    for x in [PLAIN, NEUTRAL] {
        for ecn in [0, 0x80] {
            let message = half_sealed(tcp(&bytes(60_000)), TCP, &addresses4(HOST, PEER));
            let packet = ipv4(HOST, PEER, TCP, &message);
            let (out, after) = run(Way::Out, &config(x), &packet, vnet(1 | ecn, 40, 1400, 20, 16)).with_offload();
            assert_eq!(after, vnet(4 | ecn, 60, 1400, 40, 16));
            let message = half_sealed(tcp(&bytes(60_000)), TCP, &addresses6(x, PEER6));
            assert_eq!(out, ipv6_with(x, PEER6, TCP, &message, 0, 63));
        }
    }
}

#[test]
fn a_tcp_super_packet_in() {
    for x in [PLAIN, NEUTRAL] {
        let message = half_sealed(tcp(&bytes(60_000)), TCP, &addresses6(PEER6, x));
        let packet = ipv6(PEER6, x, TCP, &message);
        let (out, after) = run(Way::In, &config(x), &packet, vnet(4 | 0x80, 60, 1400, 40, 16)).with_offload();
        assert_eq!(after, vnet(1 | 0x80, 40, 1400, 20, 16));
        let message = half_sealed(tcp(&bytes(60_000)), TCP, &addresses4(PEER, HOST));
        let fields = Fields { tos: 0, id: 0, frag: DF, ttl: 63 };
        assert_eq!(out, ipv4_with(PEER, HOST, TCP, &message, &[], fields));
    }
}

#[test]
fn a_udp_super_packet_both_ways() {
    let message = half_sealed(udp(&bytes(12_000)), UDP, &addresses4(HOST, PEER));
    let packet = ipv4(HOST, PEER, UDP, &message);
    let (out, after) = run(Way::Out, &config(PLAIN), &packet, vnet(5, 28, 1200, 20, 6)).with_offload();
    assert_eq!(after, vnet(5, 48, 1200, 40, 6));
    assert_eq!(out[40..], half_sealed(udp(&bytes(12_000)), UDP, &addresses6(PLAIN, PEER6)));
    let message = half_sealed(udp(&bytes(12_000)), UDP, &addresses6(PEER6, PLAIN));
    let packet = ipv6(PEER6, PLAIN, UDP, &message);
    let (out, after) = run(Way::In, &config(PLAIN), &packet, vnet(5, 48, 1200, 40, 6)).with_offload();
    assert_eq!(after, vnet(5, 28, 1200, 20, 6));
    assert_eq!(out[20..], half_sealed(udp(&bytes(12_000)), UDP, &addresses4(PEER, HOST)));
}

#[test]
fn a_single_packet_keeps_its_unfinished_checksum() {
    let message = half_sealed(tcp(b"x"), TCP, &addresses4(HOST, PEER));
    let (out, after) =
        run(Way::Out, &config(PLAIN), &ipv4(HOST, PEER, TCP, &message), vnet(0, 0, 0, 20, 16)).with_offload();
    assert_eq!(after, vnet(0, 0, 0, 40, 16));
    assert_eq!(out[40..], half_sealed(tcp(b"x"), TCP, &addresses6(PLAIN, PEER6)));
}

#[test]
fn options_and_extension_headers_move_the_offsets_by_their_length() {
    let message = half_sealed(tcp(&bytes(4000)), TCP, &addresses4(HOST, PEER));
    let packet = ipv4_with(HOST, PEER, TCP, &message, &[1; 12], PLAIN_FIELDS);
    let (_, after) = run(Way::Out, &config(PLAIN), &packet, vnet(1, 52, 1000, 32, 16)).with_offload();
    assert_eq!(after, vnet(4, 60, 1000, 40, 16));
    let message = half_sealed(tcp(&bytes(4000)), TCP, &addresses6(PEER6, PLAIN));
    let packet = ipv6(PEER6, PLAIN, 60, &[vec![TCP, 0, 1, 4, 0, 0, 0, 0], message].concat());
    let (_, after) = run(Way::In, &config(PLAIN), &packet, vnet(4, 68, 1000, 48, 16)).with_offload();
    assert_eq!(after, vnet(1, 40, 1000, 20, 16));
}

#[test]
fn a_tunnels_inner_checksum_moves_along_and_the_outer_one_is_complete() {
    let message = sealed(udp(&bytes(100)), UDP, &addresses4(HOST, PEER));
    let packet = ipv4(HOST, PEER, UDP, &message);
    let (out, after) = run(Way::Out, &config(PLAIN), &packet, vnet(0, 0, 0, 78, 16)).with_offload();
    assert_eq!(after, vnet(0, 0, 0, 98, 16));
    assert_eq!(out[40..], sealed(udp(&bytes(100)), UDP, &addresses6(PLAIN, PEER6)));
}

#[test]
fn r46_the_size_of_a_segment_counts_whatever_df_says() {
    for frag in [DF, 0] {
        let message = half_sealed(tcp(&bytes(9000)), TCP, &addresses4(HOST, PEER));
        let packet = ipv4_with(HOST, PEER, TCP, &message, &[], Fields { frag, ..PLAIN_FIELDS });
        // 60 + 1440 = 1500.
        run(Way::Out, &config(PLAIN), &packet, vnet(1, 40, 1440, 20, 16)).forwarded();
        let (reason, error) = run(Way::Out, &config(PLAIN), &packet, vnet(1, 40, 1441, 20, 16)).reply();
        assert_eq!(reason, DropReason::TooBig);
        assert_eq!(error[24..28], [0, 0, 0x05, 0xc8]);
    }
}

#[test]
fn r67_small_segments_are_divisible_and_use_up_one_identification_each() {
    let mut translator = everclat_xlat::Translator::new(config(PLAIN));
    let mut buf = everclat_xlat::PacketBuf::new();
    let message = half_sealed(tcp(&bytes(5000)), TCP, &addresses6(PEER6, PLAIN));
    let packet = ipv6(PEER6, PLAIN, TCP, &message);
    let mut send = |size: u16| {
        let out = drive(&mut translator, &mut buf, Way::In, &packet, vnet(4, 60, size, 40, 16)).forwarded();
        (u16::from_be_bytes([out[4], out[5]]), out[6])
    };
    assert_eq!(send(1000), (1, 0));
    // 1000 + 40 is at most 1260; so is 1220 + 40; 1221 is not.
    assert_eq!(send(1220), (6, 0));
    assert_eq!(send(1221), (0, 0x40));
    assert_eq!(send(999), (11, 0));
    assert_eq!(send(1000), (17, 0));
}

#[test]
fn an_unfinished_icmp_checksum_is_finished_here() {
    let addresses = addresses6(PEER6, PLAIN);
    let echo = half_sealed(icmp(129, 0, [1, 2, 3, 4], b"ping"), ICMPV6, &addresses);
    let packet = ipv6(PEER6, PLAIN, ICMPV6, &echo);
    let (out, after) = run(Way::In, &config(PLAIN), &packet, vnet(0, 0, 0, 40, 2)).with_offload();
    assert_eq!(after, VnetHeader::default());
    assert_eq!(out[20..], sealed(icmp(0, 0, [1, 2, 3, 4], b"ping"), ICMP, &[]));
    let echo = icmp(8, 0, [1, 2, 3, 4], b"ping");
    let packet = ipv4(HOST, PEER, ICMP, &echo);
    let (out, after) = run(Way::Out, &config(PLAIN), &packet, vnet(0, 0, 0, 20, 2)).with_offload();
    assert_eq!(after, VnetHeader::default());
    assert_eq!(out[40..], sealed(icmp(128, 0, [1, 2, 3, 4], b"ping"), ICMPV6, &addresses6(PLAIN, PEER6)));
}

#[test]
fn a_stale_header_length_does_not_outlive_the_packet() {
    let packet = ipv6(PEER6, PLAIN, UDP, &sealed(udp(b""), UDP, &addresses6(PEER6, PLAIN)));
    let stale = VnetHeader { flags: 2, hdr_len: 48, ..VnetHeader::default() };
    let (_, after) = run(Way::In, &config(PLAIN), &packet, stale).with_offload();
    assert_eq!(after, VnetHeader { flags: 2, ..VnetHeader::default() });
}

#[test]
fn contradictions_are_refused() {
    let message = half_sealed(tcp(&bytes(2000)), TCP, &addresses4(HOST, PEER));
    let tcp4 = ipv4(HOST, PEER, TCP, &message);
    let udp4 = ipv4(HOST, PEER, UDP, &half_sealed(udp(&bytes(2000)), UDP, &addresses4(HOST, PEER)));
    let fragment = ipv4_with(HOST, PEER, TCP, &message, &[], Fields { frag: 0x2000, ..PLAIN_FIELDS });
    let echo = ipv4(HOST, PEER, ICMP, &icmp(8, 0, [0; 4], &bytes(2000)));
    let other = ipv4(HOST, PEER, 47, &bytes(2000));
    let bare = ipv4(HOST, PEER, UDP, &udp(&bytes(2000)));
    let unmarked = VnetHeader { flags: 0, ..vnet(5, 28, 1000, 20, 6) };
    let cases = [
        ("start in the IP header", &tcp4, vnet(0, 0, 0, 19, 16)),
        ("field behind the end", &tcp4, vnet(0, 0, 0, 2040, 16)),
        ("offsets at the limit", &tcp4, vnet(0, 0, 0, u16::MAX, u16::MAX)),
        ("field of another protocol", &tcp4, vnet(0, 0, 0, 20, 6)),
        ("inner checksum in a super-packet", &tcp4, vnet(1, 40, 1000, 60, 16)),
        ("kind of the other family", &tcp4, vnet(4, 40, 1000, 20, 16)),
        ("kind of another protocol", &udp4, vnet(1, 28, 1000, 20, 6)),
        ("UFO", &udp4, vnet(3, 28, 1000, 20, 6)),
        ("unknown kind", &tcp4, vnet(9, 40, 1000, 20, 16)),
        ("no segment size", &tcp4, vnet(1, 40, 0, 20, 16)),
        ("header length too small", &tcp4, vnet(1, 19, 1000, 20, 16)),
        ("header length too big", &tcp4, vnet(1, 2041, 1000, 20, 16)),
        ("a fragment unfinished", &fragment, vnet(0, 0, 0, 20, 16)),
        ("a fragment super", &fragment, vnet(1, 40, 1000, 20, 16)),
        ("an echo super", &echo, vnet(1, 40, 1000, 20, 2)),
        ("GRE super", &other, vnet(1, 40, 1000, 20, 16)),
        ("UDP super without a checksum", &bare, unmarked),
    ];
    for (what, packet, vnet) in cases {
        assert_eq!(run(Way::Out, &config(PLAIN), packet, vnet), Outcome::Drop(DropReason::BadOffload), "{what}");
    }
}

//! RFC 7915 section 5.1, the header from IPv6 to IPv4: R67 to R71.

use everclat_xlat::{DropReason, PacketBuf, Translator, VnetHeader};

use crate::support::{
    DF, Fields, HOST, MF, Outcome, PEER, PEER6, PLAIN, PLAIN_FIELDS, TCP, UDP, Way, addresses4, addresses6, bytes,
    config, drive, fragment_header, inbound, ipv4_with, ipv6, ipv6_with, sealed, tcp, udp, udp6,
};

fn message6(payload: &[u8]) -> Vec<u8> {
    sealed(udp(payload), UDP, &addresses6(PEER6, PLAIN))
}

fn expected(payload: &[u8], fields: Fields) -> Vec<u8> {
    ipv4_with(PEER, HOST, UDP, &sealed(udp(payload), UDP, &addresses4(PEER, HOST)), &[], fields)
}

/// The first packet of a translator gets identification 1.
const FIRST: Fields = Fields { tos: 0, id: 1, frag: 0, ttl: 63 };

#[test]
fn r67_df_only_above_1260_bytes_and_identifications_count() {
    let mut translator = Translator::new(config(PLAIN));
    let mut buf = PacketBuf::new();
    let mut send = |len: usize| {
        drive(&mut translator, &mut buf, Way::In, &udp6(PLAIN, &bytes(len)), VnetHeader::default()).forwarded()
    };
    assert_eq!(send(1232), expected(&bytes(1232), Fields { id: 1, ..FIRST }));
    assert_eq!(send(0), expected(&[], Fields { id: 2, ..FIRST }));
    assert_eq!(send(1233), expected(&bytes(1233), Fields { id: 0, frag: DF, ..FIRST }));
    assert_eq!(send(1), expected(&bytes(1), Fields { id: 3, ..FIRST }));
}

#[test]
fn r68_traffic_class_and_ttl() {
    for class in 0..=u8::MAX {
        let packet = ipv6_with(PEER6, PLAIN, UDP, &message6(b"x"), class, 64);
        assert_eq!(inbound(&config(PLAIN), &packet).forwarded(), expected(b"x", Fields { tos: class, ..FIRST }));
        let mut plain = config(PLAIN);
        plain.copy_traffic_class = false;
        assert_eq!(inbound(&plain, &packet).forwarded(), expected(b"x", FIRST));
    }
    for hops in 2..=u8::MAX {
        let packet = ipv6_with(PEER6, PLAIN, UDP, &message6(b"x"), 0, hops);
        assert_eq!(inbound(&config(PLAIN), &packet).forwarded(), expected(b"x", Fields { ttl: hops - 1, ..FIRST }));
    }
}

#[test]
fn r68_the_flow_label_and_ethernet_padding_are_left_behind() {
    let mut packet = udp6(PLAIN, b"x");
    packet[1..4].copy_from_slice(&[0x0f, 0xff, 0xff]);
    packet.extend([0; 9]);
    assert_eq!(inbound(&config(PLAIN), &packet).forwarded(), expected(b"x", FIRST));
}

#[test]
fn other_protocols_are_copied() {
    let special = [0, 1, 2, 6, 17, 33, 43, 44, 58, 60, 136];
    for number in (0..=u8::MAX).filter(|number| !special.contains(number)) {
        let out = inbound(&config(PLAIN), &ipv6(PEER6, PLAIN, number, b"opaque")).forwarded();
        assert_eq!(out, ipv4_with(PEER, HOST, number, b"opaque", &[], FIRST), "protocol {number}");
    }
}

#[test]
fn r69_extension_headers_are_skipped() {
    let hop_by_hop = |next: u8| vec![next, 0, 1, 4, 0, 0, 0, 0];
    let destination = |next: u8| [vec![next, 1, 1, 12], vec![0; 12]].concat();
    let routing = |next: u8| [vec![next, 2, 0, 0], vec![0; 20]].concat();
    let chains = [
        (0, hop_by_hop(UDP)),
        (60, destination(UDP)),
        (43, routing(UDP)),
        (0, [hop_by_hop(60), destination(43), routing(60), destination(UDP)].concat()),
    ];
    for (first, chain) in chains {
        let packet = ipv6(PEER6, PLAIN, first, &[chain, message6(b"data")].concat());
        assert_eq!(inbound(&config(PLAIN), &packet).forwarded(), expected(b"data", FIRST));
    }
}

/// Also RFC 4302, RFC 4303, RFC 6275, RFC 7401, RFC 5533 and "no next header": to IPv4 they are protocols like others.
#[test]
fn r69_what_is_not_to_be_skipped_is_copied_with_its_number() {
    for next in [50, 51, 59, 135, 139, 140] {
        for (first, chain) in [(next, vec![]), (0, vec![next, 0, 1, 4, 0, 0, 0, 0])] {
            let out = inbound(&config(PLAIN), &ipv6(PEER6, PLAIN, first, &[chain, bytes(24)].concat())).forwarded();
            assert_eq!(out, ipv4_with(PEER, HOST, next, &bytes(24), &[], FIRST), "{next}");
        }
    }
}

#[test]
fn r56_igmp_comes_no_more_in_than_it_goes_out() {
    let igmp = [0x11, 0, 0xee, 0xff, 0, 0, 0, 0];
    assert_eq!(inbound(&config(PLAIN), &ipv6(PEER6, PLAIN, 2, &igmp)), Outcome::Drop(DropReason::Igmp));
    let fragment = [fragment_header(2, 0, false, 1), igmp.to_vec()].concat();
    assert_eq!(inbound(&config(PLAIN), &ipv6(PEER6, PLAIN, 44, &fragment)), Outcome::Drop(DropReason::Igmp));
}

#[test]
fn r69_segments_left_are_answered_with_their_position() {
    let destination = [60_u8, 0, 1, 4, 0, 0, 0, 0];
    let routing = |next: u8| [vec![next, 0, 0, 1], vec![0; 4]].concat();
    for (first, chain, pointer) in [
        (43, routing(UDP), 43),
        (60, [vec![43, 0, 1, 4, 0, 0, 0, 0], routing(UDP)].concat(), 51),
        (60, [destination.to_vec(), vec![43, 0, 1, 4, 0, 0, 0, 0], routing(UDP)].concat(), 59),
    ] {
        let packet = ipv6(PEER6, PLAIN, first, &[chain, message6(b"data")].concat());
        let (reason, error) = inbound(&config(PLAIN), &packet).reply();
        assert_eq!(reason, DropReason::RoutingHeader);
        assert_eq!(error[40..42], [4, 0]);
        assert_eq!(error[44..48], [0, 0, 0, pointer]);
        assert_eq!(error[48..], packet);
    }
}

#[test]
fn r70_fragments_keep_offset_flag_and_low_identification() {
    let body = message6(&bytes(32));
    for (offset, more) in [(0, true), (5, true), (5, false), (8000, false)] {
        let payload = [fragment_header(UDP, offset, more, 0xdead_beef), body.clone()].concat();
        let out = inbound(&config(PLAIN), &ipv6(PEER6, PLAIN, 44, &payload)).forwarded();
        let frag = offset | if more { MF } else { 0 };
        let fields = Fields { id: 0xbeef, frag, ..FIRST };
        let new = if offset == 0 { sealed(udp(&bytes(32)), UDP, &addresses4(PEER, HOST)) } else { body.clone() };
        assert_eq!(out, ipv4_with(PEER, HOST, UDP, &new, &[], fields));
    }
}

#[test]
fn r70_an_atomic_fragment_never_gets_df() {
    let payload = [fragment_header(UDP, 0, false, 0x0001_0002), message6(&bytes(1400))].concat();
    let out = inbound(&config(PLAIN), &ipv6(PEER6, PLAIN, 44, &payload)).forwarded();
    assert_eq!(out, expected(&bytes(1400), Fields { id: 2, ..FIRST }));
}

#[test]
fn r70_extension_headers_behind_a_fragment_header_are_refused() {
    for number in [0, 43, 44, 51, 60, 135, 139, 140] {
        let payload = [fragment_header(number, 0, true, 1), vec![0; 16]].concat();
        let out = inbound(&config(PLAIN), &ipv6(PEER6, PLAIN, 44, &payload));
        assert_eq!(out, Outcome::Drop(DropReason::FragmentedExtension), "{number}");
    }
    let payload = [fragment_header(50, 0, true, 1), vec![0; 16]].concat();
    inbound(&config(PLAIN), &ipv6(PEER6, PLAIN, 44, &payload)).forwarded();
}

#[test]
fn r71_what_ipv6_guarantees_is_fragmented_for_a_smaller_ipv4_link() {
    let mut config = config(PLAIN);
    config.mtu4 = 576;
    let out = inbound(&config, &udp6(PLAIN, &bytes(1232))).fragments();
    let whole = expected(&bytes(1232), FIRST);
    // 552 is the greatest multiple of 8 within 556.
    for (index, piece) in (0_u16..).zip(&out) {
        let start = usize::from(index) * 552;
        let end = whole.len().min(20 + start + 552);
        let more = if end < whole.len() { MF } else { 0 };
        let fields = Fields { frag: (index * 69) | more, ..FIRST };
        assert_eq!(*piece, ipv4_with(PEER, HOST, UDP, &whole[20 + start..end], &[], fields));
    }
    assert_eq!(out.len(), 3);
}

#[test]
fn r71_more_than_that_is_answered_packet_too_big() {
    let mut config = config(PLAIN);
    for (mtu4, told) in [(1300_u16, [0, 0, 0x05, 0x28]), (576, [0, 0, 0x05, 0])] {
        config.mtu4 = mtu4;
        let (reason, error) = inbound(&config, &udp6(PLAIN, &bytes(1300))).reply();
        assert_eq!(reason, DropReason::TooBig);
        assert_eq!(error[40..42], [2, 0]);
        assert_eq!(error[44..48], told);
    }
}

#[test]
fn tcp_and_the_peer_a_packet_names() {
    let message = sealed(tcp(b"hello"), TCP, &addresses6(PEER6, PLAIN));
    let out = inbound(&config(PLAIN), &ipv6(PEER6, PLAIN, TCP, &message)).forwarded();
    let message = sealed(tcp(b"hello"), TCP, &addresses4(PEER, HOST));
    assert_eq!(out, ipv4_with(PEER, HOST, TCP, &message, &[], Fields { ttl: 63, ..FIRST }));
    assert_eq!(PLAIN_FIELDS.ttl, 64);
}

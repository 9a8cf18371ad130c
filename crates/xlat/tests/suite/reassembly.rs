//! Fragmented ICMP. The pieces are cut by hand, the whole is compared with a message that nobody cut.

use std::time::Duration;

use everclat_xlat::{DropReason, PacketBuf, Reassembler, Translator, Verdict};

use crate::support::{
    FRAGMENT, Fields, HOST, ICMP, ICMPV6, NEUTRAL, Outcome, PEER, PEER6, addresses6, bytes, config, icmp, ipv4,
    ipv4_with, ipv6, outbound, sealed,
};

const NOW: Duration = Duration::from_secs(100);

fn echo6() -> Vec<u8> {
    sealed(icmp(129, 0, [0, 7, 0, 1], &bytes(2992)), ICMPV6, &addresses6(PEER6, NEUTRAL))
}

/// From the NAT64, `range` of `message`.
fn piece6(message: &[u8], range: std::ops::Range<usize>, id: u32) -> Vec<u8> {
    let offset = u16::try_from(range.start).unwrap();
    let more = range.end < message.len();
    let head = [[ICMPV6, 0].as_slice(), &(offset | u16::from(more)).to_be_bytes(), &id.to_be_bytes()].concat();
    ipv6(PEER6, NEUTRAL, FRAGMENT, &[&head, &message[range]].concat())
}

fn piece4(message: &[u8], range: std::ops::Range<usize>) -> Vec<u8> {
    let more = if range.end < message.len() { 0x2000 } else { 0 };
    let frag = u16::try_from(range.start / 8).unwrap() | more;
    ipv4_with(HOST, PEER, ICMP, &message[range], &[], Fields { tos: 0, id: 5, frag, ttl: 64 })
}

/// As the plane does it.
fn pass(reassembler: &mut Reassembler, packet: &[u8], now: Duration) -> Option<Vec<u8>> {
    let mut translator = Translator::new(config(NEUTRAL));
    let mut buf = PacketBuf::new();
    assert!(buf.set_packet(packet));
    let Verdict::Drop(DropReason::FragmentedIcmp) = translator.v6_to_v4(&mut buf) else { panic!("not refused") };
    assert_eq!(buf.packet(), packet, "as it came");
    if !reassembler.add(&mut buf, now) {
        return None;
    }
    match translator.v6_to_v4(&mut buf) {
        Verdict::Forward => Some(buf.packet().to_vec()),
        Verdict::Fragments(mut pieces) => {
            let mut payload = Vec::new();
            while pieces.next(&mut buf) {
                payload.extend_from_slice(&buf.packet()[20..]);
            }
            Some(payload)
        }
        other @ (Verdict::Reply(_) | Verdict::Drop(_)) => panic!("{other:?}"),
    }
}

#[test]
fn a_long_reply_arrives_in_any_order() {
    let message = echo6();
    let expected = sealed(icmp(0, 0, [0, 7, 0, 1], &bytes(2992)), ICMP, &[]);
    let pieces = [piece6(&message, 0..1232, 9), piece6(&message, 1232..2464, 9), piece6(&message, 2464..3000, 9)];
    for order in [[0, 1, 2], [2, 1, 0], [1, 2, 0], [0, 2, 1]] {
        let mut reassembler = Reassembler::new();
        assert_eq!(pass(&mut reassembler, &pieces[order[0]], NOW), None);
        assert_eq!(pass(&mut reassembler, &pieces[order[1]], NOW), None);
        assert_eq!(pass(&mut reassembler, &pieces[order[1]], NOW), None, "the same twice does no harm");
        assert_eq!(pass(&mut reassembler, &pieces[order[2]], NOW).as_ref(), Some(&expected), "{order:?}");
        assert_eq!(reassembler.take_lost(), 0);
    }
}

#[test]
fn a_long_request_leaves_as_ipv6_fragments() {
    let message = sealed(icmp(8, 0, [0, 7, 0, 1], &bytes(2992)), ICMP, &[]);
    let whole = ipv4_with(HOST, PEER, ICMP, &message, &[], Fields { tos: 0, id: 5, frag: 0, ttl: 64 });
    let mut translator = Translator::new(config(NEUTRAL));
    let mut reassembler = Reassembler::new();
    let mut buf = PacketBuf::new();
    for (number, range) in [0..1400, 1400..2800, 2800..3000].into_iter().enumerate() {
        assert!(buf.set_packet(&piece4(&message, range)));
        assert!(matches!(translator.v4_to_v6(&mut buf), Verdict::Drop(DropReason::FragmentedIcmp)));
        assert_eq!(reassembler.add(&mut buf, NOW), number == 2);
    }
    assert_eq!(buf.packet(), whole);
    assert!(matches!(outbound(&config(NEUTRAL), buf.packet()), Outcome::Fragments(pieces) if pieces.len() == 3));
}

#[test]
fn headers_between_are_left_behind() {
    let message = echo6();
    let with_options = |range, next: u8| {
        let packet = piece6(&message, range, 9);
        let options = [FRAGMENT, 0, 1, 4, 0, 0, 0, 0];
        ipv6(PEER6, NEUTRAL, next, &[&options, &packet[40..]].concat())
    };
    let mut reassembler = Reassembler::new();
    assert_eq!(pass(&mut reassembler, &with_options(0..1232, 60), NOW), None);
    assert!(pass(&mut reassembler, &with_options(1232..3000, 0), NOW).is_some());
}

#[test]
fn fragments_that_overlap_end_their_message() {
    let message = echo6();
    let mut other = message.clone();
    other[2000] ^= 1;
    for (what, second) in [
        ("overlap", piece6(&message, 1224..2464, 9)),
        ("within", piece6(&message, 8..16, 9)),
        ("the same place, other bytes", piece6(&other, 1232..2464, 9)),
    ] {
        let mut reassembler = Reassembler::new();
        assert_eq!(pass(&mut reassembler, &piece6(&message, 0..1232, 9), NOW), None);
        assert_eq!(pass(&mut reassembler, &piece6(&message, 1232..2464, 9), NOW), None);
        assert_eq!(pass(&mut reassembler, &second, NOW), None, "{what}");
        assert_eq!(reassembler.take_lost(), 1, "{what}");
        assert_eq!(pass(&mut reassembler, &piece6(&message, 2464..3000, 9), NOW), None, "{what}");
        assert_eq!(reassembler.take_lost(), 0, "once is enough");
    }
}

#[test]
fn an_end_that_contradicts_ends_it_too() {
    let message = echo6();
    let last = piece6(&message, 2464..3000, 9);
    let beyond = |more: u8| [&[ICMPV6, 0, 0x13, 0x88 | more, 0, 0, 0, 9], bytes(800).as_slice()].concat();
    for (what, second) in [
        ("more behind the end", ipv6(PEER6, NEUTRAL, FRAGMENT, &beyond(1))),
        ("another end", ipv6(PEER6, NEUTRAL, FRAGMENT, &beyond(0))),
        ("an end before what is there", piece6(&message[..1600], 1232..1600, 9)),
    ] {
        let mut reassembler = Reassembler::new();
        assert_eq!(pass(&mut reassembler, &last, NOW), None);
        assert_eq!(pass(&mut reassembler, &second, NOW), None);
        assert_eq!(reassembler.take_lost(), 1, "{what}");
    }
}

#[test]
fn crooked_pieces_are_refused() {
    let message = echo6();
    let mut reassembler = Reassembler::new();
    for (what, packet) in [
        ("no multiple of eight", piece6(&message, 0..1231, 9)),
        ("nothing in it", piece6(&message, 0..0, 9)),
        (
            "beyond 65535",
            ipv6(PEER6, NEUTRAL, FRAGMENT, &[&[ICMPV6, 0, 0xff, 0xf9, 0, 0, 0, 9], bytes(800).as_slice()].concat()),
        ),
    ] {
        let mut buf = PacketBuf::new();
        assert!(buf.set_packet(&packet));
        assert!(!reassembler.add(&mut buf, NOW), "{what}");
        assert_eq!(reassembler.take_lost(), 1, "{what}");
    }
    for len in 0..48 {
        let mut buf = PacketBuf::new();
        assert!(buf.set_packet(&piece6(&message, 0..1232, 9)[..len]));
        assert!(!reassembler.add(&mut buf, NOW), "cut to {len}");
    }
}

#[test]
fn what_does_not_come_in_time_is_given_up() {
    let message = echo6();
    let mut reassembler = Reassembler::new();
    assert_eq!(pass(&mut reassembler, &piece6(&message, 0..1232, 9), NOW), None);
    assert_eq!(pass(&mut reassembler, &piece6(&message, 1232..3000, 9), NOW + Duration::from_secs(30)), None);
    assert_eq!(reassembler.take_lost(), 1);
    assert!(pass(&mut reassembler, &piece6(&message, 0..1232, 9), NOW + Duration::from_secs(31)).is_some());
}

#[test]
fn a_flood_costs_only_the_oldest() {
    let message = echo6();
    let mut reassembler = Reassembler::new();
    for id in 0..1000_u32 {
        let now = NOW + Duration::from_millis(id.into());
        assert_eq!(pass(&mut reassembler, &piece6(&message, 0..1232, id), now), None);
    }
    assert_eq!(reassembler.take_lost(), 992);
    let now = NOW + Duration::from_secs(1);
    assert_eq!(pass(&mut reassembler, &piece6(&message, 1232..3000, 991), now), None);
    assert!(pass(&mut reassembler, &piece6(&message, 1232..3000, 992), now).is_none(), "the one before took its place");
    assert!(pass(&mut reassembler, &piece6(&message, 1232..3000, 999), now).is_some());
}

#[test]
fn requests_of_one_piece_need_none_of_this() {
    let message = sealed(icmp(8, 0, [0, 7, 0, 1], b"ping"), ICMP, &[]);
    assert!(matches!(outbound(&config(NEUTRAL), &ipv4(HOST, PEER, ICMP, &message)), Outcome::Forward(..)));
}

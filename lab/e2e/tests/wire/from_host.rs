//! RFC 7915 section 4: from IPv4 to IPv6.

use std::net::Ipv4Addr;

use anyhow::Result;

use crate::Checks;
use crate::packets::{
    DF, Ends, FRAGMENT, ICMP, ICMPV6, MF, TCP, UDP, V4, V6, bytes, fragment_header, icmp, open_tcp, sealed, tcp, udp,
};
use crate::wire::{PEER, Wire};

const GATEWAY: Ipv4Addr = Ipv4Addr::new(192, 0, 0, 1);
/// RFC 1812 section 4.3.2.3: an error and what it quotes.
const LONGEST_ERROR: usize = 576;

/// Section 4.1, field by field.
pub(crate) fn headers(wire: &mut Wire, checks: &mut Checks) -> Result<()> {
    let message = udp(b"header");
    let (message4, message6) = (wire.sealed4(message.clone(), UDP), wire.sealed6(message, UDP));
    let (v4, v6) = (wire.v4_out(UDP), wire.v6_out(UDP));
    let classes =
        [0x01, 0x02, 0x80, 0xb8, 0xff].map(|tos| ("the whole TOS", V4 { tos, ..v4 }, V6 { class: tos, ..v6 }));
    let others = [
        ("plain", v4, v6),
        ("DF leaves nothing behind", V4 { fragment: DF, ..v4 }, v6),
        ("the reserved flag is ignored", V4 { fragment: 0x8000, ..v4 }, v6),
        ("TTL 2", V4 { ttl: 2, ..v4 }, V6 { hops: 1, ..v6 }),
        ("TTL 255", V4 { ttl: 255, ..v4 }, V6 { hops: 254, ..v6 }),
        ("options are ignored", V4 { options: &[7, 7, 4, 0, 0, 0, 0, 0], ..v4 }, v6),
        // RFC 791 section 3.1: pointer 8 is beyond length 7.
        ("a source route used up", V4 { options: &[131, 7, 8, 198, 51, 100, 9, 0], ..v4 }, v6),
        ("a crooked option", V4 { options: &[68, 0, 0, 0], ..v4 }, v6),
    ];
    for (what, v4, v6) in classes.into_iter().chain(others) {
        let found = wire.outbound(&[v4.with(&message4)])?;
        checks.passes(&format!("4.1 {what}"), &found, v6.with(&message6));
    }
    Ok(())
}

/// Section 4.5, and what has no ports.
pub(crate) fn transports(wire: &mut Wire, checks: &mut Checks) -> Result<()> {
    let cases = [
        ("UDP of no bytes", UDP, udp(b"")),
        ("UDP of odd length", UDP, udp(&bytes(333))),
        ("UDP as long as the route takes", UDP, udp(&bytes(1472 - 28))),
        ("TCP with options", TCP, tcp(b"")),
        ("TCP with data", TCP, tcp(&bytes(1200))),
        ("TCP in an open connection", TCP, open_tcp(b"")),
        ("TCP of odd length", TCP, open_tcp(&bytes(777))),
        ("TCP as long as the route takes", TCP, open_tcp(&bytes(1472 - 40))),
        ("UDP whose sum is zero", UDP, zero_sum(wire)),
    ];
    for (what, protocol, message) in cases {
        let packet = V4 { fragment: DF, ..wire.v4_out(protocol) };
        let found = wire.outbound(&[packet.with(&wire.sealed4(message.clone(), protocol))])?;
        checks.passes(&format!("4.5 {what}"), &found, wire.v6_out(protocol).with(&wire.sealed6(message, protocol)));
    }
    let found = wire.outbound(&[wire.v4_out(UDP).with(&udp(b"no checksum"))])?;
    let expected = wire.v6_out(UDP).with(&wire.sealed6(udp(b"no checksum"), UDP));
    checks.passes("4.5 UDP without a checksum gets one", &found, expected);
    let mut wrong = wire.sealed4(tcp(b"damaged"), TCP);
    wrong[20] ^= 0xff;
    let found = wire.outbound(&[wire.v4_out(TCP).with(&wrong)])?;
    let still_wrong =
        found.passed.first().is_some_and(|packet| wire.sealed6(packet[40..].to_vec(), TCP) != packet[40..]);
    checks.holds("4.5 a damaged segment stays damaged", still_wrong, &found);
    // Protocols without a pseudo-header, known and unknown, go as they are.
    for protocol in [4_u8, 41, 47, 50, 51, 103, 115, 132, 253] {
        let found = wire.outbound(&[wire.v4_out(protocol).with(&bytes(64))])?;
        checks.passes(&format!("4.1 protocol {protocol}"), &found, wire.v6_out(protocol).with(&bytes(64)));
    }
    Ok(())
}

/// A datagram whose IPv6 checksum would be zero, which says "none".
fn zero_sum(wire: &Wire) -> Vec<u8> {
    let mut message = wire.sealed6(udp(&[0, 0]), UDP);
    let sum = [message[6], message[7]];
    message[8..].copy_from_slice(&sum);
    message
}

/// Section 4.1: fragments, and what is cut into them.
pub(crate) fn fragments(wire: &mut Wire, checks: &mut Checks) -> Result<()> {
    let whole = udp(&bytes(1400));
    let (whole4, whole6) = (wire.sealed4(whole.clone(), UDP), wire.sealed6(whole, UDP));
    let next = |wire: &Wire| wire.v6_out(FRAGMENT);
    // 1280 - 40 - 8, in eights: 1232.
    let found = wire.outbound(&[wire.v4_out(UDP).with(&whole4)])?;
    let ids: Vec<u32> =
        found.passed.iter().filter_map(|p| p[44..48].first_chunk().copied()).map(u32::from_be_bytes).collect();
    let id = ids.first().copied().unwrap_or_default();
    let expected = [
        next(wire).with(&[fragment_header(UDP, 0, true, id), whole6[..1232].to_vec()].concat()),
        next(wire).with(&[fragment_header(UDP, 154, false, id), whole6[1232..].to_vec()].concat()),
    ];
    checks.holds("4.1 without DF it is cut to 1280 bytes", found.passed == expected, &found);
    checks.holds("4.1 its identification is IPv4's", id == 0x4711, &found);
    let found = wire.outbound(&[V4 { fragment: DF, ..wire.v4_out(UDP) }.with(&whole4)])?;
    checks.passes("4.1 with DF it is not", &found, wire.v6_out(UDP).with(&whole6));

    let (first, last) = (wire.v4_out(UDP), wire.v4_out(UDP));
    let first = V4 { fragment: MF, ..first }.with(&whole4[..800]);
    let found = wire.outbound(&[first])?;
    let expected = next(wire).with(&[fragment_header(UDP, 0, true, 0x4711), whole6[..800].to_vec()].concat());
    checks.passes("4.1 a first fragment", &found, expected);
    let found = wire.outbound(&[V4 { fragment: 100, ..last }.with(&whole4[800..])])?;
    let expected = next(wire).with(&[fragment_header(UDP, 100, false, 0x4711), whole6[800..].to_vec()].concat());
    checks.passes("4.1 a last fragment", &found, expected);
    let found = wire.outbound(&[V4 { fragment: MF | 10, ..last }.with(&bytes(640))])?;
    let expected = next(wire).with(&[fragment_header(UDP, 10, true, 0x4711), bytes(640)].concat());
    checks.passes("4.1 a middle fragment", &found, expected);
    let found = wire.outbound(&[V4 { fragment: MF, ..wire.v4_out(UDP) }.with(&udp(&bytes(800)))])?;
    checks.silent("4.5 a first fragment of UDP without a checksum", &found);
    // ICMP's checksum covers the whole message, so one fragment alone cannot be translated (section 1.2).
    let echo = |kind| icmp(kind, 0, 1, &bytes(1592));
    let echo4 = wire.sealed4(echo(8), ICMP);
    let (first, last) = (V4 { fragment: MF, ..wire.v4_out(ICMP) }, V4 { fragment: 100, ..wire.v4_out(ICMP) });
    let found = wire.outbound(&[first.with(&echo4[..800])])?;
    checks.silent("1.2 a fragment of an echo", &found);
    let found = wire.outbound(&[last.with(&echo4[800..])])?;
    let echo6 = wire.sealed6(echo(128), ICMPV6);
    let expected = [
        next(wire).with(&[fragment_header(ICMPV6, 0, true, 0x4711), echo6[..1232].to_vec()].concat()),
        next(wire).with(&[fragment_header(ICMPV6, 154, false, 0x4711), echo6[1232..].to_vec()].concat()),
    ];
    checks.holds("4.2 the whole echo, once it is there", found.passed == expected && found.back.is_empty(), &found);
    let found = wire.outbound(&[V4 { fragment: 0x1fff, ..wire.v4_out(UDP) }.with(&bytes(800))])?;
    checks.silent("RFC 791 a fragment beyond 65535", &found);
    Ok(())
}

/// Sections 4.2 and 4.3.
pub(crate) fn errors(wire: &mut Wire, checks: &mut Checks) -> Result<()> {
    for (what, from, to) in [("echo request", 8, 128), ("echo reply", 0, 129)] {
        let found =
            wire.outbound(&[wire.v4_out(ICMP).with(&wire.sealed4(icmp(from, 0, 0x0102_0304, b"ping"), ICMP))])?;
        let expected = wire.v6_out(ICMPV6).with(&wire.sealed6(icmp(to, 0, 0x0102_0304, b"ping"), ICMPV6));
        checks.passes(&format!("4.2 {what}"), &found, expected);
    }
    for kind in [4, 5, 6, 9, 10, 13, 14, 15, 16, 17, 18, 19, 255] {
        let found = wire.outbound(&[wire.v4_out(ICMP).with(&wire.sealed4(icmp(kind, 0, 1, b"what?"), ICMP))])?;
        checks.silent(&format!("4.2 type {kind}"), &found);
    }
    // What the host complains about came from the peer, as both sides know it.
    let datagram = udp(b"to a closed port");
    let quoted4 = V4 { ttl: 60, ..wire.v4_in(UDP) }.with(&wire.sealed4(datagram.clone(), UDP));
    let quoted6 = V6 { hops: 60, ..wire.v6_in(UDP) }.with(&wire.sealed6(datagram, UDP));
    // Type, code and second word: IPv4's, then IPv6's.
    let errors = [
        ((3, 0, 0), (1, 0, 0)),
        ((3, 1, 0), (1, 0, 0)),
        ((3, 2, 0), (4, 1, 6)),
        ((3, 3, 0), (1, 4, 0)),
        ((3, 4, 1400), (2, 0, 1420)),
        ((3, 4, 600), (2, 0, 1280)),
        ((3, 5, 0), (1, 0, 0)),
        ((3, 9, 0), (1, 1, 0)),
        ((3, 10, 0), (1, 1, 0)),
        ((3, 13, 0), (1, 1, 0)),
        ((3, 15, 0), (1, 1, 0)),
        ((11, 0, 0), (3, 0, 0)),
        ((11, 1, 0), (3, 1, 0)),
        ((12, 0, 0x0900_0000), (4, 0, 6)),
        ((12, 0, 0x0c00_0000), (4, 0, 8)),
        ((12, 2, 0x1000_0000), (4, 0, 24)),
    ];
    for ((kind4, code4, word4), (kind6, code6, word6)) in errors {
        let found =
            wire.outbound(&[wire.v4_out(ICMP).with(&wire.sealed4(icmp(kind4, code4, word4, &quoted4), ICMP))])?;
        let expected = wire.v6_out(ICMPV6).with(&wire.sealed6(icmp(kind6, code6, word6, &quoted6), ICMPV6));
        checks.passes(&format!("4.2 error {kind4}/{code4}, {word4:#x}"), &found, expected);
    }
    for (what, kind, code, word) in
        [("3/14", 3, 14, 0), ("12/1", 12, 1, 0), ("pointer 4", 12, 0, 0x0400_0000), ("pointer 20", 12, 0, 0x1400_0000)]
    {
        let found = wire.outbound(&[wire.v4_out(ICMP).with(&wire.sealed4(icmp(kind, code, word, &quoted4), ICMP))])?;
        checks.silent(&format!("4.2 error {what}"), &found);
    }
    // RFC 792: the header and eight bytes are enough.
    let found = wire.outbound(&[wire.v4_out(ICMP).with(&wire.sealed4(icmp(3, 3, 0, &quoted4[..28]), ICMP))])?;
    let expected = wire.v6_out(ICMPV6).with(&wire.sealed6(icmp(1, 4, 0, &quoted6[..48]), ICMPV6));
    checks.passes("4.3 a quotation cut short", &found, expected);
    let nested = wire.v4_in(ICMP).with(&wire.sealed4(icmp(3, 3, 0, &quoted4), ICMP));
    let found = wire.outbound(&[wire.v4_out(ICMP).with(&wire.sealed4(icmp(11, 0, 0, &nested), ICMP))])?;
    checks.silent("4.3 an error about an error", &found);
    let mut wrong = wire.sealed4(icmp(3, 3, 0, &quoted4), ICMP);
    wrong[2] ^= 1;
    let found = wire.outbound(&[wire.v4_out(ICMP).with(&wrong)])?;
    checks.silent("4.2 an error with a wrong checksum is not made right", &found);
    Ok(())
}

/// What must not pass, and who is told.
pub(crate) fn refusals(wire: &mut Wire, checks: &mut Checks) -> Result<()> {
    let message = wire.sealed4(udp(b"refused"), UDP);
    let route = V4 { options: &[131, 7, 4, 198, 51, 100, 9, 0], ..wire.v4_out(UDP) };
    let strict = V4 { options: &[1, 137, 7, 4, 198, 51, 100, 9], ..wire.v4_out(UDP) };
    let answered = [
        ("4.1 TTL 1", V4 { ttl: 1, ..wire.v4_out(UDP) }, 11, 0),
        ("4.1 TTL 0", V4 { ttl: 0, ..wire.v4_out(UDP) }, 11, 0),
        ("4.1 a loose source route", route, 3, 5),
        ("4.1 a strict source route", strict, 3, 5),
    ];
    for (what, header, kind, code) in answered {
        let packet = header.with(&message);
        let found = wire.outbound(std::slice::from_ref(&packet))?;
        checks.answered(what, &found, error(wire, &found.back, kind, code, &packet));
    }
    let found =
        wire.outbound(&[V4 { ttl: 1, ..wire.v4_out(ICMP) }.with(&wire.sealed4(icmp(3, 3, 0, &bytes(28)), ICMP))])?;
    checks.silent("RFC 1122 no error about an error", &found);
    for protocol in [2, ICMPV6] {
        let found = wire.outbound(&[wire.v4_out(protocol).with(&bytes(64))])?;
        checks.silent(&format!("4.2 protocol {protocol}"), &found);
    }
    for destination in
        [[224, 0, 0, 251], [239, 1, 2, 3], [240, 0, 0, 1], [169, 254, 9, 9], [192, 0, 0, 3], [192, 0, 0, 7]]
    {
        let destination = Ipv4Addr::from(destination);
        let message = sealed(udp(b"martian"), UDP, Ends::V4(wire.host, destination));
        let found = wire.outbound(&[V4 { destination, ..wire.v4_out(UDP) }.with(&message)])?;
        checks.silent(&format!("RFC 6890 to {destination}"), &found);
    }
    for source in [[10, 0, 0, 1], [127, 0, 0, 1], [192, 0, 0, 3], [224, 0, 0, 1], [203, 0, 113, 9]] {
        let source = Ipv4Addr::from(source);
        let message = sealed(udp(b"not ours"), UDP, Ends::V4(source, PEER));
        let found = wire.outbound(&[V4 { source, ..wire.v4_out(UDP) }.with(&message)])?;
        checks.silent(&format!("4.1 from {source}"), &found);
    }
    Ok(())
}

/// The ICMPv4 error that tells the app; its identification is anything.
fn error(wire: &Wire, found: &[Vec<u8>], kind: u8, code: u8, about: &[u8]) -> Vec<u8> {
    let id = found.first().and_then(|packet| packet.get(4..6)).map_or(0, |id| u16::from_be_bytes([id[0], id[1]]));
    let quoted = &about[..about.len().min(LONGEST_ERROR - 28)];
    let header = V4 { id, source: GATEWAY, destination: wire.host, ttl: 64, ..wire.v4_out(ICMP) };
    header.with(&sealed(icmp(kind, code, 0, quoted), ICMP, Ends::None))
}

/// RFC 6052 section 3.1, for an address that is not global.
pub(crate) fn private(wire: &mut Wire, checks: &mut Checks, destination: Ipv4Addr) -> Result<()> {
    let message = sealed(udp(b"private"), UDP, Ends::V4(wire.host, destination));
    let packet = V4 { destination, ..wire.v4_out(UDP) }.with(&message);
    let found = wire.outbound(std::slice::from_ref(&packet))?;
    checks.answered(&format!("RFC 6052 3.1 to {destination}"), &found, error(wire, &found.back, 3, 13, &packet));
    Ok(())
}

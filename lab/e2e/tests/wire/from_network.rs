//! RFC 7915 section 5: from IPv6 to IPv4.

use std::net::{Ipv4Addr, Ipv6Addr};

use anyhow::Result;

use crate::Checks;
use crate::packets::{
    DESTINATION_OPTIONS, DF, Ends, FRAGMENT, ICMP, ICMPV6, MF, ROUTING, TCP, UDP, V4, V6, bytes, fragment_header, icmp,
    open_tcp, sealed, tcp, udp,
};
use crate::wire::{Out, Wire};

/// RFC 7600 section 4.8: who speaks for routers without an IPv4 address.
const DUMMY: Ipv4Addr = Ipv4Addr::new(192, 0, 0, 8);

/// Type, code and second word of an ICMP message.
type Head = (u8, u8, u32);

/// The identification of the one packet that passed: anything, but not zero where DF is clear.
fn id(found: &Out) -> u16 {
    found.passed.first().map_or(0, |packet| u16::from_be_bytes([packet[4], packet[5]]))
}

/// Section 5.1, field by field.
pub(crate) fn headers(wire: &mut Wire, checks: &mut Checks) -> Result<()> {
    let message = udp(b"header");
    let (message4, message6) = (wire.sealed4(message.clone(), UDP), wire.sealed6(message, UDP));
    let (v4, v6) = (wire.v4_in(UDP), wire.v6_in(UDP));
    let classes =
        [0x01, 0x80, 0xb8, 0xff].map(|class| ("the whole traffic class", V6 { class, ..v6 }, V4 { tos: class, ..v4 }));
    let others = [
        ("plain", v6, v4),
        ("hop limit 2", V6 { hops: 2, ..v6 }, V4 { ttl: 1, ..v4 }),
        ("hop limit 255", V6 { hops: 255, ..v6 }, V4 { ttl: 254, ..v4 }),
    ];
    for (what, v6, v4) in classes.into_iter().chain(others) {
        let found = wire.inbound(&[v6.with(&message6)])?;
        checks.passes(&format!("5.1 {what}"), &found, V4 { id: id(&found), ..v4 }.with(&message4));
    }
    let mut labelled = v6.with(&message6);
    labelled[1..4].copy_from_slice(&[0x0a, 0xbc, 0xde]);
    let found = wire.inbound(&[labelled])?;
    checks.passes("5.1 a flow label", &found, V4 { id: id(&found), ..v4 }.with(&message4));
    let found = wire.inbound(&[[v6.with(&message6), vec![0; 6]].concat()])?;
    checks.passes("5.1 bytes behind the packet", &found, V4 { id: id(&found), ..v4 }.with(&message4));

    // RFC 7915 section 5.1: DF up to 1260 bytes of IPv4 packet clear, above set.
    for (what, len, flags) in [("1260", 1232, 0), ("1261", 1233, DF), ("1480", 1452, DF)] {
        let message = udp(&bytes(len));
        let found = wire.inbound(&[v6.with(&wire.sealed6(message.clone(), UDP))])?;
        let id = if flags == DF { 0 } else { id(&found) };
        let expected = V4 { id, fragment: flags, ..v4 }.with(&wire.sealed4(message, UDP));
        checks.passes(&format!("5.1 {what} bytes"), &found, expected);
    }
    let found = wire.inbound(&[v6.with(&message6), v6.with(&message6)])?;
    let ids: Vec<&[u8]> = found.passed.iter().map(|packet| &packet[4..6]).collect();
    checks.holds("5.1 identifications differ", ids.len() == 2 && ids[0] != ids[1], &found);

    let cases = [
        ("TCP", TCP, tcp(&bytes(700))),
        ("TCP in an open connection", TCP, open_tcp(&bytes(701))),
        ("UDP of no bytes", UDP, udp(b"")),
    ];
    for (what, protocol, message) in cases {
        let found = wire.inbound(&[wire.v6_in(protocol).with(&wire.sealed6(message.clone(), protocol))])?;
        let expected = V4 { id: id(&found), ..wire.v4_in(protocol) }.with(&wire.sealed4(message, protocol));
        checks.passes(&format!("5.5 {what}"), &found, expected);
    }
    for protocol in [4_u8, 41, 47, 103, 115, 132, 253] {
        let found = wire.inbound(&[wire.v6_in(protocol).with(&bytes(64))])?;
        let expected = V4 { id: id(&found), ..wire.v4_in(protocol) }.with(&bytes(64));
        checks.passes(&format!("5.1 protocol {protocol}"), &found, expected);
    }
    Ok(())
}

/// Section 5.1: headers between.
pub(crate) fn extensions(wire: &mut Wire, checks: &mut Checks) -> Result<()> {
    let message = udp(b"behind headers");
    let (message4, message6) = (wire.sealed4(message.clone(), UDP), wire.sealed6(message, UDP));
    let options = |next: u8| vec![next, 0, 1, 4, 0, 0, 0, 0];
    let route = |next: u8, left: u8| [vec![next, 2, 0, left, 0, 0, 0, 0], bytes(16)].concat();
    let cases = [
        ("hop-by-hop options", 0, options(UDP)),
        ("destination options", DESTINATION_OPTIONS, options(UDP)),
        ("a route at its end", ROUTING, route(UDP, 0)),
        (
            "all of them",
            0,
            [options(DESTINATION_OPTIONS), options(ROUTING), route(DESTINATION_OPTIONS, 0), options(UDP)].concat(),
        ),
    ];
    for (what, next, headers) in cases {
        let found = wire.inbound(&[wire.v6_in(next).with(&[headers, message6.clone()].concat())])?;
        checks.passes(&format!("5.1 {what}"), &found, V4 { id: id(&found), ..wire.v4_in(UDP) }.with(&message4));
    }
    let packet = wire.v6_in(ROUTING).with(&[route(UDP, 1), message6.clone()].concat());
    let found = wire.inbound(std::slice::from_ref(&packet))?;
    // Points at segments left: 40 bytes of header, and the fourth byte.
    checks.answered("5.1 a route that goes on", &found, error(wire, 4, 0, 43, &packet));
    let packet = wire.v6_in(0).with(&[options(ROUTING), route(UDP, 1), message6].concat());
    let found = wire.inbound(std::slice::from_ref(&packet))?;
    checks.answered("5.1 a route that goes on, behind options", &found, error(wire, 4, 0, 51, &packet));
    let found = wire.inbound(&[wire.v6_in(DESTINATION_OPTIONS).with(&[UDP, 9, 1, 4, 0, 0, 0, 0])])?;
    checks.silent("5.1 options that end beyond the packet", &found);
    Ok(())
}

/// The ICMPv6 error that X sends back (RFC 4443 section 2.4).
fn error(wire: &Wire, kind: u8, code: u8, word: u32, about: &[u8]) -> Vec<u8> {
    let header = V6 { hops: 64, ..wire.v6_out(ICMPV6) };
    header.with(&wire.sealed6(icmp(kind, code, word, &about[..about.len().min(1232)]), ICMPV6))
}

/// Section 5.1.1.
pub(crate) fn fragments(wire: &mut Wire, checks: &mut Checks) -> Result<()> {
    let whole = udp(&bytes(1400));
    let (whole4, whole6) = (wire.sealed4(whole.clone(), UDP), wire.sealed6(whole, UDP));
    let part = |offset, more, bytes: &[u8]| [fragment_header(UDP, offset, more, 0xabcd_4711), bytes.to_vec()].concat();
    let header = V4 { id: 0x4711, ..wire.v4_in(UDP) };
    let cases = [
        ("a first fragment", part(0, true, &whole6[..800]), MF, &whole4[..800]),
        ("a middle fragment", part(20, true, &whole6[160..800]), MF | 20, &whole4[160..800]),
        ("a last fragment", part(100, false, &whole6[800..]), 100, &whole4[800..]),
        ("a fragment that is all", part(0, false, &whole6), 0, &whole4[..]),
    ];
    for (what, payload, fragment, expected) in cases {
        let found = wire.inbound(&[wire.v6_in(FRAGMENT).with(&payload)])?;
        checks.passes(&format!("5.1.1 {what}"), &found, V4 { fragment, ..header }.with(expected));
    }
    // ICMPv6's checksum covers the whole message, so one fragment alone cannot be translated (section 1.2).
    let echo = |kind| icmp(kind, 0, 1, &bytes(1392));
    let echo6 = wire.sealed6(echo(129), ICMPV6);
    let part =
        |offset, more, bytes: &[u8]| [fragment_header(ICMPV6, offset, more, 0xabcd_4712), bytes.to_vec()].concat();
    let found = wire.inbound(&[wire.v6_in(FRAGMENT).with(&part(100, false, &echo6[800..]))])?;
    checks.silent("1.2 a fragment of an echo reply", &found);
    let found = wire.inbound(&[wire.v6_in(FRAGMENT).with(&part(0, true, &echo6[..800]))])?;
    let expected = V4 { id: 0x4712, ..wire.v4_in(ICMP) }.with(&wire.sealed4(echo(0), ICMP));
    checks.passes("5.2 the whole reply, once it is there", &found, expected);
    let inner =
        [fragment_header(DESTINATION_OPTIONS, 0, true, 1), vec![UDP, 0, 1, 4, 0, 0, 0, 0], whole6[..800].to_vec()];
    let found = wire.inbound(&[wire.v6_in(FRAGMENT).with(&inner.concat())])?;
    checks.silent("5.1.1 an extension header within the fragments", &found);
    Ok(())
}

/// Sections 5.2 and 5.3.
pub(crate) fn errors(wire: &mut Wire, checks: &mut Checks) -> Result<()> {
    for (what, from, to) in [("echo reply", 129, 0), ("echo request", 128, 8)] {
        let found =
            wire.inbound(&[wire.v6_in(ICMPV6).with(&wire.sealed6(icmp(from, 0, 0x0102_0304, b"pong"), ICMPV6))])?;
        let message = wire.sealed4(icmp(to, 0, 0x0102_0304, b"pong"), ICMP);
        checks.passes(&format!("5.2 {what}"), &found, V4 { id: id(&found), ..wire.v4_in(ICMP) }.with(&message));
    }
    for kind in [100, 127, 130, 131, 132, 138, 139, 143, 144, 200] {
        let found = wire.inbound(&[wire.v6_in(ICMPV6).with(&wire.sealed6(icmp(kind, 0, 1, &bytes(20)), ICMPV6))])?;
        checks.silent(&format!("5.2 type {kind}"), &found);
    }
    let datagram = udp(b"to a closed port");
    let quoted6 = V6 { hops: 60, ..wire.v6_out(UDP) }.with(&wire.sealed6(datagram.clone(), UDP));
    let quoted4 = V4 { id: 0, ttl: 60, ..wire.v4_out(UDP) };
    let datagram4 = wire.sealed4(datagram, UDP);
    let quoted4 = |id: u16, fragment: u16| V4 { id, fragment, ..quoted4 }.with(&datagram4);
    let mut expect: Vec<(Head, Option<Head>)> = vec![
        ((1, 0, 0), Some((3, 1, 0))),
        ((1, 1, 0), Some((3, 10, 0))),
        ((1, 2, 0), Some((3, 1, 0))),
        ((1, 3, 0), Some((3, 1, 0))),
        ((1, 4, 0), Some((3, 3, 0))),
        ((1, 5, 0), None),
        ((2, 0, 1400), Some((3, 4, 1380))),
        ((2, 0, 1280), Some((3, 4, 1260))),
        ((3, 0, 0), Some((11, 0, 0))),
        ((3, 1, 0), Some((11, 1, 0))),
        ((4, 1, 6), Some((3, 2, 0))),
        ((4, 2, 40), None),
    ];
    let pointers =
        [(0, Some(0)), (1, Some(1)), (2, None), (3, None), (4, Some(2)), (5, Some(2)), (6, Some(9)), (7, Some(8))];
    let pointers =
        pointers.into_iter().chain([(8, Some(12)), (23, Some(12)), (24, Some(16)), (39, Some(16)), (40, None)]);
    expect.extend(pointers.map(|(from, to)| ((4, 0, from), to.map(|to: u32| (12, 0, to << 24)))));
    for ((kind, code, word), expected) in expect {
        let message = wire.sealed6(icmp(kind, code, word, &quoted6), ICMPV6);
        let found = wire.inbound(&[wire.v6_in(ICMPV6).with(&message)])?;
        let what = format!("5.2 error {kind}/{code}, {word}");
        let Some((kind, code, word)) = expected else {
            checks.silent(&what, &found);
            continue;
        };
        // The quoted packet's identification and DF were ours to choose.
        let inner =
            found.passed.first().and_then(|packet| packet.get(32..36)).map_or([0; 4], |b| [b[0], b[1], b[2], b[3]]);
        let quoted = quoted4(u16::from_be_bytes([inner[0], inner[1]]), u16::from_be_bytes([inner[2], inner[3]]));
        let expected = wire.sealed4(icmp(kind, code, word, &quoted), ICMP);
        checks.passes(&what, &found, V4 { id: id(&found), ..wire.v4_in(ICMP) }.with(&expected));
    }
    let nested = wire.v6_out(ICMPV6).with(&wire.sealed6(icmp(1, 4, 0, &quoted6), ICMPV6));
    let found = wire.inbound(&[wire.v6_in(ICMPV6).with(&wire.sealed6(icmp(3, 0, 0, &nested), ICMPV6))])?;
    checks.silent("5.3 an error about an error", &found);
    let mut wrong = wire.sealed6(icmp(1, 4, 0, &quoted6), ICMPV6);
    wrong[2] ^= 1;
    let found = wire.inbound(&[wire.v6_in(ICMPV6).with(&wrong)])?;
    checks.silent("5.2 an error with a wrong checksum is not made right", &found);

    // A router on the way has no IPv4 address.
    let router: Ipv6Addr = "2001:db8:ffff::1".parse()?;
    for (kind, code, word) in [(1, 0, 0), (3, 0, 0), (2, 0, 1400)] {
        let message = sealed(icmp(kind, code, word, &quoted6), ICMPV6, Ends::V6(router, wire.x));
        let found = wire.inbound(&[V6 { source: router, ..wire.v6_in(ICMPV6) }.with(&message)])?;
        let speaks = found.passed.first().is_some_and(|packet| packet[12..16] == DUMMY.octets() && packet[9] == ICMP);
        checks.holds(
            &format!("RFC 7915 6, icmpext: error {kind} of a router"),
            speaks && found.back.is_empty(),
            &found,
        );
    }
    Ok(())
}

/// What must not pass, and who is told.
pub(crate) fn refusals(wire: &mut Wire, checks: &mut Checks) -> Result<()> {
    let message = wire.sealed6(udp(b"refused"), UDP);
    for hops in [0, 1] {
        let packet = V6 { hops, ..wire.v6_in(UDP) }.with(&message);
        let found = wire.inbound(std::slice::from_ref(&packet))?;
        checks.answered(&format!("5.1 hop limit {hops}"), &found, error(wire, 3, 0, 0, &packet));
    }
    for outside in ["2001:db8:65::cb00:7107", "2001:db8::1", "fe80::1"] {
        let source: Ipv6Addr = outside.parse()?;
        let message = sealed(udp(b"refused"), UDP, Ends::V6(source, wire.x));
        let found = wire.inbound(&[V6 { source, ..wire.v6_in(UDP) }.with(&message)])?;
        checks.silent(&format!("5 from {source}"), &found);
    }
    for martian in [
        [0, 0, 0, 1],
        [127, 0, 0, 1],
        [169, 254, 1, 1],
        [224, 0, 0, 1],
        [240, 0, 0, 1],
        [255, 255, 255, 255],
        [192, 0, 0, 2],
    ] {
        let source = wire.pref64.embed(martian.into());
        let message = sealed(udp(b"refused"), UDP, Ends::V6(source, wire.x));
        let found = wire.inbound(&[V6 { source, ..wire.v6_in(UDP) }.with(&message)])?;
        checks.silent(&format!("5.1 from {}", Ipv4Addr::from(martian)), &found);
    }
    let whole = wire.v6_in(UDP).with(&message);
    let found = wire.inbound(&[whole[..whole.len() - 3].to_vec()])?;
    checks.silent("5.1 a packet shorter than it says", &found);
    let found = wire.inbound(&[wire.v6_in(ICMP).with(&bytes(64))])?;
    checks.silent("5.2 ICMPv4 in IPv6", &found);
    // RFC 6052 section 2.2: a suffix is ignored.
    if wire.pref64.prefix_len() < 96 {
        let source = Ipv6Addr::from(wire.peer().to_bits() | 0x00ab_cdef);
        let message = sealed(udp(b"suffix"), UDP, Ends::V6(source, wire.x));
        let found = wire.inbound(&[V6 { source, ..wire.v6_in(UDP) }.with(&message)])?;
        let expected = V4 { id: id(&found), ..wire.v4_in(UDP) }.with(&wire.sealed4(udp(b"suffix"), UDP));
        checks.passes("RFC 6052 2.2 a suffix", &found, expected);
    }
    Ok(())
}

/// RFC 6052 section 3.1, for an address that is not global.
pub(crate) fn private(wire: &mut Wire, checks: &mut Checks, source: Ipv4Addr) -> Result<()> {
    let from = wire.pref64.embed(source);
    let message = sealed(udp(b"private"), UDP, Ends::V6(from, wire.x));
    let found = wire.inbound(&[V6 { source: from, ..wire.v6_in(UDP) }.with(&message)])?;
    checks.silent(&format!("RFC 6052 3.1 from {source}"), &found);
    Ok(())
}

//! Packets at the end of what a length field can say, of every protocol and every ICMP type: lots rarely fall there.

#![expect(clippy::unwrap_used, reason = "a test may panic")]

use everclat_fuzzing::Bench;
use xlat_oracle::generator::Way;
use xlat_oracle::{Offload, Prefix, Setup};

const X: [u8; 16] = [0x20, 1, 0x0d, 0xb8, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xc1, 0xa7];
const SERVER: [u8; 4] = [198, 51, 100, 1];
/// Payloads that an IPv4 packet just holds, and some that only an IPv6 packet does (RFC 8200 section 3).
const PAYLOADS: [usize; 5] = [65_514, 65_515, 65_516, 65_532, 65_535];

fn bench(mtu6: u16) -> Bench {
    Bench::new(&Setup {
        prefix: Prefix::WELL_KNOWN,
        v4: [192, 0, 0, 2],
        v6: X,
        gateway: [192, 0, 0, 1],
        mtu6,
        mtu4: mtu6 - 20,
        lowest_ipv6_mtu: 1280,
        copy_traffic_class: true,
        drop_udp_without_checksum: false,
    })
    .for_sound_packets()
}

/// The checksum of RFC 1071, the slow way.
fn checksum(parts: &[&[u8]]) -> [u8; 2] {
    let sum: u64 =
        parts.concat().chunks(2).map(|pair| u64::from(pair[0]) << 8 | u64::from(*pair.get(1).unwrap_or(&0))).sum();
    let mut folded = sum;
    while folded > 0xffff {
        folded = (folded >> 16) + (folded & 0xffff);
    }
    (!u16::try_from(folded).unwrap()).to_be_bytes()
}

fn server6() -> [u8; 16] {
    Prefix::WELL_KNOWN.embed(SERVER)
}

/// From the server to X, with an atomic Fragment header if `fragment`.
fn inward(next: u8, payload: &[u8], fragment: bool) -> Option<Vec<u8>> {
    let extension: &[u8] = if fragment { &[next, 0, 0, 0, 0, 0, 0, 1] } else { &[] };
    let length = u16::try_from(extension.len() + payload.len()).ok()?;
    let mut packet = vec![0x60, 0, 0, 0];
    packet.extend(length.to_be_bytes());
    packet.extend([if fragment { 44 } else { next }, 64]);
    packet.extend(server6());
    packet.extend(X);
    packet.extend(extension);
    packet.extend(payload);
    Some(packet)
}

fn out(protocol: u8, payload: &[u8]) -> Option<Vec<u8>> {
    let [high, low] = u16::try_from(20 + payload.len()).ok()?.to_be_bytes();
    let mut header = vec![0x45, 0, high, low, 0, 7, 0, 0, 64, protocol, 0, 0, 192, 0, 0, 2];
    header.extend(SERVER);
    let sum = checksum(&[&header]);
    header[10..12].copy_from_slice(&sum);
    header.extend(payload);
    Some(header)
}

/// An ICMP message of `length` bytes that quotes a packet of ours.
fn icmp(kind: u8, length: usize, quoted: &[u8], pseudo: &[u8]) -> Vec<u8> {
    let mut message = vec![kind, 0, 0, 0, 0, 0, 0, 0];
    message.extend(quoted);
    message.resize(length, 0x5a);
    let sum = checksum(&[pseudo, &message]);
    message[2..4].copy_from_slice(&sum);
    message
}

#[test]
fn icmp_of_every_type() {
    for mtu6 in [1500, 65_535] {
        let mut bench = bench(mtu6);
        let mut came_out = 0;
        for length in PAYLOADS {
            for kind in 0..=255 {
                let upper = [&u32::try_from(length).unwrap().to_be_bytes()[..], &[0, 0, 0, 58]].concat();
                let pseudo = [&server6()[..], &X, &upper].concat();
                let mut quoted = vec![0x60, 0, 0, 0, 0xff, 0xdc, 17, 1];
                quoted.extend(X);
                quoted.extend(server6());
                let message = icmp(kind, length, &quoted, &pseudo);
                for packet in [inward(58, &message, false), inward(58, &message, true)].into_iter().flatten() {
                    came_out += u32::from(bench.check(Way::In, &packet, Offload::default()));
                }
                let quoted =
                    [&[0x45, 0, 0xff, 0xff, 0, 0, 0x40, 0, 1, 17, 0x81, 0x9f][..], &SERVER, &[192, 0, 0, 2]].concat();
                let message = icmp(kind, length, &quoted, &[]);
                if let Some(packet) = out(1, &message) {
                    came_out += u32::from(bench.check(Way::Out, &packet, Offload::default()));
                }
            }
        }
        assert!(came_out > 20, "{came_out}");
    }
}

#[test]
fn every_protocol() {
    for mtu6 in [1500, 65_535] {
        let mut bench = bench(mtu6);
        let mut came_out = 0;
        for length in PAYLOADS {
            // TCP and UDP with right checksums, and a header that can be one; ICMP has a test of its own.
            for protocol in (0..=255).filter(|protocol| ![1, 58].contains(protocol)) {
                let pseudo6 =
                    [&server6()[..], &X, &u32::try_from(length).unwrap().to_be_bytes(), &[0, 0, 0, protocol]].concat();
                let upper = u16::try_from(length).unwrap().to_be_bytes();
                let pseudo4 = [&[192, 0, 0, 2][..], &SERVER, &[0, protocol], &upper].concat();
                let body = |pseudo: &[u8]| {
                    let mut body = vec![0x12, 0x34, 0, 80];
                    match protocol {
                        17 => body.extend([upper[0], upper[1], 0, 0]),
                        6 => body.extend([0, 0, 0, 7, 0, 0, 0, 9, 0x50, 0x10, 1, 0, 0, 0, 0, 0]),
                        // No extension header of IPv6 that would be read as one: eight bytes, then nothing.
                        _ => body[0] = 59,
                    }
                    body.resize(length, 0x5a);
                    if let Some(at) = [(6, 16), (17, 6)].iter().find(|(of, _)| *of == protocol).map(|(_, at)| *at) {
                        let sum = checksum(&[pseudo, &body]);
                        body[at..at + 2].copy_from_slice(&sum);
                    }
                    body
                };
                let body6 = body(&pseudo6);
                for packet in [inward(protocol, &body6, false), inward(protocol, &body6, true)].into_iter().flatten() {
                    came_out += u32::from(bench.check(Way::In, &packet, Offload::default()));
                }
                if let Some(packet) = out(protocol, &body(&pseudo4)) {
                    came_out += u32::from(bench.check(Way::Out, &packet, Offload::default()));
                }
            }
        }
        assert!(came_out > 200, "{came_out}");
    }
}

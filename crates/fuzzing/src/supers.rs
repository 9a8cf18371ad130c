//! A super-packet is translated once and cut afterwards; the result has to be what translating each segment would give.

use xlat_oracle::Offload;
use xlat_oracle::generator::{Generator, Way};
use xlat_oracle::segment::segments;

use crate::{Bench, hex};

/// Cuts `count` generated super-packets before translation and after it, and holds the segments against each other. Returns
/// how many segments that were.
///
/// One thing is allowed to differ: in IPv4 every segment repeats the header of the first. Where the full segments are longer
/// than 1260 bytes the last one has their DF and identification, although by itself it would be divisible (RFC 7915
/// section 5.1).
///
/// # Panics
/// When a segment differs.
#[must_use]
pub fn super_packets_are_their_segments(seed: u64, count: u64) -> u64 {
    let mut generator = Generator::sound(seed);
    let mut packet = Vec::new();
    let (mut done, mut compared) = (0, 0);
    while done < count {
        generator.renew();
        let way = if done % 2 == 0 { Way::Out } else { Way::In };
        let offload = generator.packet(&mut packet, way, true);
        let Some(before) = segments(&packet, way, offload) else { continue };
        done += 1;
        let mut bench = Bench::new(generator.setup());
        let Some((whole, moved)) = bench.forwarded(way, &packet, offload) else { continue };
        let other = if way == Way::Out { Way::In } else { Way::Out };
        let after = segments(&whole, other, moved).expect("a super-packet remains one");
        assert_eq!(after.len(), before.len());
        // Fresh, so that identifications begin where they began.
        let mut bench = Bench::new(generator.setup());
        for (segment, expected) in before.iter().zip(&after) {
            // With DF clear, what is above the threshold is cut; super-packets are not (docs/rfc-compliance.md, R44).
            let Some((translated, _)) = bench.forwarded(way, segment, Offload::default()) else { continue };
            let alike = match way {
                Way::Out => translated == *expected,
                Way::In => {
                    translated == *expected || without_df(&translated) == without_df(expected) && is_df(expected)
                }
            };
            assert!(
                alike,
                "{way:?} {}\n{offload:?}\n{:?}\nexpected: {}\ntranslated: {}",
                hex(&packet),
                generator.setup(),
                hex(expected),
                hex(&translated)
            );
            compared += 1;
        }
    }
    compared
}

fn is_df(packet: &[u8]) -> bool {
    packet[6] & 0x40 != 0
}

/// An IPv4 packet without identification, DF and header checksum.
fn without_df(packet: &[u8]) -> Vec<u8> {
    let mut packet = packet.to_vec();
    packet[4..8].fill(0);
    packet[10..12].fill(0);
    packet
}

//! The tables of RFC 7915 sections 4.2 and 5.2: types, codes, pointers and sizes of ICMP errors.

use super::{Refusal, silent};
use crate::Setup;
use crate::numbers::short;

/// What an ICMP error becomes. `extensible`: it has a length attribute on both sides (RFC 4884 section 4).
#[derive(Clone, Copy, Debug)]
pub(crate) struct Meaning {
    pub(crate) kind: u8,
    pub(crate) code: u8,
    pub(crate) rest: [u8; 4],
    pub(crate) extensible: bool,
}

fn meaning(kind: u8, code: u8, rest: [u8; 4], extensible: bool) -> Result<Meaning, Refusal> {
    Ok(Meaning { kind, code, rest, extensible })
}

/// RFC 1191 section 7, without the numbers below 1280 that would be raised anyway.
const PLATEAUS: [usize; 7] = [65_535, 32_000, 17_914, 8166, 4352, 2002, 1492];

/// ICMPv4 to ICMPv6. `rest` are the four bytes behind the checksum, `total` is the length of the packet in error.
pub(crate) fn to_v6(setup: &Setup, kind: u8, code: u8, rest: [u8; 4], total: usize) -> Result<Meaning, Refusal> {
    let none = [0; 4];
    match (kind, code) {
        (3, 0 | 1 | 5 | 6 | 7 | 8 | 11 | 12) => meaning(1, 0, none, true),
        (3, 2) => meaning(4, 1, [0, 0, 0, 6], false),
        (3, 3) => meaning(1, 4, none, true),
        (3, 4) => {
            let told = usize::from(u16::from_be_bytes([rest[2], rest[3]]));
            // A router older than RFC 1191 says 0: the greatest plateau below the packet's length.
            let told = match told {
                0 => PLATEAUS.into_iter().find(|plateau| *plateau < total).unwrap_or(0),
                _ => told + 20,
            };
            let mtu = told.min(setup.mtu6()).min(setup.mtu4() + 20).max(1280);
            let [high, low] = short(mtu).to_be_bytes();
            meaning(2, 0, [0, 0, high, low], false)
        }
        (3, 9 | 10 | 13 | 15) => meaning(1, 1, none, true),
        (11, _) => meaning(3, code, none, true),
        (12, 0 | 2) => {
            let pointer = match rest[0] {
                0 => 0,
                1 => 1,
                2 | 3 => 4,
                8 => 7,
                9 => 6,
                12..=15 => 8,
                16..=19 => 24,
                _ => return silent("icmp-pointer"),
            };
            meaning(4, 0, [0, 0, 0, pointer], false)
        }
        _ => silent("icmp-code"),
    }
}

/// ICMPv6 to ICMPv4. `fragmented`: the packet in error has a Fragment header.
pub(crate) fn to_v4(setup: &Setup, kind: u8, code: u8, rest: [u8; 4], fragmented: bool) -> Result<Meaning, Refusal> {
    let none = [0; 4];
    match (kind, code) {
        (1, 0 | 2 | 3) => meaning(3, 1, none, true),
        (1, 1) => meaning(3, 10, none, true),
        (1, 4) => meaning(3, 3, none, true),
        (2, _) => {
            // RFC 8201 section 4: less than 1280 is nobody's MTU.
            let told = usize::try_from(u32::from_be_bytes(rest)).expect("32 bits").max(1280);
            let mtu = (told - 20).min(setup.mtu4()).min(setup.mtu6() - 20);
            // RFC 7915 wants the Fragment header taken into account; less than it allows does no harm.
            let mtu = if fragmented { mtu - 8 } else { mtu };
            let [high, low] = short(mtu).to_be_bytes();
            meaning(3, 4, [0, 0, high, low], false)
        }
        (3, _) => meaning(11, code, none, true),
        (4, 0) => {
            let pointer = match u32::from_be_bytes(rest) {
                0 => 0,
                1 => 1,
                4 | 5 => 2,
                6 => 9,
                7 => 8,
                8..=23 => 12,
                24..=39 => 16,
                _ => return silent("icmp-pointer"),
            };
            meaning(12, 0, [pointer, 0, 0, 0], false)
        }
        (4, 1) => meaning(3, 2, none, false),
        _ => silent("icmp-code"),
    }
}

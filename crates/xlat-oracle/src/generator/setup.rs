//! Configurations by lot.

use super::Chance;
use crate::numbers::{put16, sum};
use crate::{Prefix, Setup, V6};

/// All six lengths, neutral addresses or not, usual and odd sizes.
pub fn draw_setup(chance: &mut Chance) -> Setup {
    let prefix = if chance.one_in(3) { Prefix::WELL_KNOWN } else { prefix(chance) };
    let v4 = [192, 0, 0, chance.of(&[2, 2, 2, 3, 7])];
    let mut v6 = any(chance);
    v6[0] = 0x20;
    if chance.one_in(2) {
        // RFC 6052 section 4.1: the sums of (v4, peer) and (v6, embedded peer) are the same. Possible for all peers
        // under a /32 and a /96 only, but it hurts nowhere.
        put16(&mut v6, 12, 0);
        let missing = u32::from(sum(&[&v4])) + 2 * 0xffff - u32::from(sum(&[&v6])) - u32::from(sum(&[&prefix.bits]));
        put16(&mut v6, 12, u16::try_from(missing % 0xffff).unwrap_or_default());
    }
    let usual = chance.one_in(2);
    let mut size = |expected: u16| match chance.below(if usual { 1 } else { 5 }) {
        0 | 1 => expected,
        2 => chance.of(&[0, 67, 68, 69, 576, 1259, 1260, 1279, 1280, 1281, 1300, 9000, 65_515, u16::MAX]),
        3 => chance.u16() % 2000,
        _ => chance.u16(),
    };
    Setup {
        prefix,
        v4,
        v6,
        gateway: [192, 0, 0, 1],
        mtu6: size(1500),
        mtu4: size(1480),
        lowest_ipv6_mtu: size(1280),
        copy_traffic_class: !chance.one_in(4),
        drop_udp_without_checksum: chance.one_in(4),
    }
}

fn any(chance: &mut Chance) -> V6 {
    let mut address = [0; 16];
    address[..8].copy_from_slice(&chance.next().to_be_bytes());
    address[8..].copy_from_slice(&chance.next().to_be_bytes());
    address
}

fn prefix(chance: &mut Chance) -> Prefix {
    let length = chance.of(&[32, 40, 48, 56, 64, 96_u8]);
    let mut bits = any(chance);
    bits[0] = 0x20;
    bits[8] = 0;
    bits[usize::from(length / 8)..].fill(0);
    Prefix { bits, length }
}

//! Packets for both translators. An input is: two bytes that a setup is drawn from, one that says what is put right before
//! it goes in, for super-packets the ten bytes of a virtio-net header, and the packet.

use xlat_oracle::generator::{Chance, Way, draw_setup, seal};
use xlat_oracle::{Offload, Setup};

use crate::Bench;

/// Puts the host's own address in: with any other nothing comes further than the front door.
const ADDRESS: u8 = 1;
/// The same in the packet that an ICMP error is about.
const INNER_ADDRESS: u8 = 2;
/// Puts right the checksum of the IPv4 header and of ICMP.
const CHECKSUMS: u8 = 4;
/// For super-packets: IPv6.
const IPV6: u8 = 8;
/// Puts the prefix into the far end's address.
const PREFIX: u8 = 16;

/// From the host.
pub fn v4_to_v6(input: &[u8]) {
    if let Some((setup, mode, packet)) = head(input) {
        check(&setup, mode, Way::Out, packet, Offload::default());
    }
}

/// From the uplink.
pub fn v6_to_v4(input: &[u8]) {
    if let Some((setup, mode, packet)) = head(input) {
        check(&setup, mode, Way::In, packet, Offload::default());
    }
}

/// Either way, with an offload header.
pub fn super_packets(input: &[u8]) {
    let Some((setup, mode, rest)) = head(input) else { return };
    let Some((vnet, packet)) = rest.split_first_chunk::<10>() else { return };
    let word = |at: usize| u16::from_le_bytes([vnet[at], vnet[at + 1]]);
    let offload = Offload {
        flags: vnet[0],
        gso_type: vnet[1],
        hdr_len: word(2),
        gso_size: word(4),
        csum_start: word(6),
        csum_offset: word(8),
    };
    check(&setup, mode, if mode & IPV6 == 0 { Way::Out } else { Way::In }, packet, offload);
}

/// The input that makes a target give this packet to the translators as it is, but for addresses.
#[must_use]
pub fn seed_of(setup: u16, way: Way, packet: &[u8], offload: Option<Offload>) -> Vec<u8> {
    let mut seed = setup.to_be_bytes().to_vec();
    seed.push(ADDRESS | INNER_ADDRESS | CHECKSUMS | PREFIX | if way == Way::In { IPV6 } else { 0 });
    if let Some(Offload { flags, gso_type, hdr_len, gso_size, csum_start, csum_offset }) = offload {
        seed.extend([flags, gso_type]);
        for word in [hdr_len, gso_size, csum_start, csum_offset] {
            seed.extend(word.to_le_bytes());
        }
    }
    seed.extend(packet);
    seed
}

/// The setup that the first bytes of an input stand for.
fn head(input: &[u8]) -> Option<(Setup, u8, &[u8])> {
    let ([high, low, mode], rest) = input.split_first_chunk()?;
    let setup = draw_setup(&mut Chance::new(u16::from_be_bytes([*high, *low]).into()));
    (rest.len() <= xlat::MAX_PACKET).then_some((setup, *mode, rest))
}

fn check(setup: &Setup, mode: u8, way: Way, packet: &[u8], offload: Offload) {
    let mut packet = packet.to_vec();
    repair(setup, mode, way, &mut packet);
    Bench::new(setup).check(way, &packet, offload);
}

fn put(packet: &mut [u8], at: usize, bytes: &[u8]) {
    if let Some(place) = packet.get_mut(at..at + bytes.len()) {
        place.copy_from_slice(bytes);
    }
}

fn repair(setup: &Setup, mode: u8, way: Way, packet: &mut [u8]) {
    let prefix = &setup.prefix.bits[..usize::from(setup.prefix.length / 8)];
    // Where a quotation begins, if there is one: extension headers and options are not looked for.
    let (host, far, message, inner) = match way {
        Way::Out => (12, None, 20, 28),
        Way::In => (24, Some(8), 40, 48),
    };
    let own = |way: Way| if way == Way::Out { setup.v4.as_slice() } else { setup.v6.as_slice() };
    if mode & ADDRESS != 0 {
        put(packet, host, own(way));
    }
    if mode & PREFIX != 0
        && let Some(far) = far
    {
        put(packet, far, prefix);
        put(packet, far + 8, &[0]);
    }
    let is_error = packet.get(message).is_some_and(|kind| match way {
        Way::Out => packet[9] == 1 && [3, 11, 12].contains(kind),
        Way::In => packet[6] == 58 && *kind < 128,
    });
    if mode & INNER_ADDRESS != 0 && is_error {
        // What the error is about went the other way.
        put(packet, inner + if way == Way::Out { 16 } else { 8 }, own(way));
        if way == Way::In && mode & PREFIX != 0 {
            put(packet, inner + 24, prefix);
            put(packet, inner + 32, &[0]);
        }
    }
    if mode & CHECKSUMS != 0 {
        seal(packet, way);
    }
}

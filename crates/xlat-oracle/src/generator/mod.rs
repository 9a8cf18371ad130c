//! Packets by chance, but always the same ones for the same seed: most are valid with every field drawn by lot, some are
//! bent a little, a few are noise.

mod chance;
mod packet;
mod setup;
mod transport;

pub use chance::Chance;
pub use packet::seal;
pub use setup::draw_setup;

use crate::address::{V4, V6};
use crate::{Offload, Setup};

/// The way a packet goes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Way {
    /// From the host, IPv4.
    Out,
    /// From the uplink, IPv6.
    In,
}

/// How many packets are made for one setup.
const PER_SETUP: u32 = 64;

/// An endless row of packets.
#[derive(Debug)]
pub struct Generator {
    chance: Chance,
    setup: Setup,
    left: u32,
    /// Random bytes that payloads are cut from.
    pool: Vec<u8>,
    /// Only what is to be translated as it stands: no mutation, no noise, no wrong checksum.
    sound: bool,
}

impl Generator {
    /// The row that `seed` stands for.
    #[must_use]
    pub fn new(seed: u64) -> Self {
        let mut chance = Chance::new(seed);
        let setup = draw_setup(&mut chance);
        Self::begin(chance, setup)
    }

    /// Packets for a given setup, until the first [`renew`](Self::renew) that says otherwise.
    #[must_use]
    pub fn with_setup(seed: u64, setup: Setup) -> Self {
        Self::begin(Chance::new(seed), setup)
    }

    fn begin(mut chance: Chance, setup: Setup) -> Self {
        let mut pool = Vec::with_capacity(1 << 17);
        while pool.len() < 1 << 17 {
            pool.extend(chance.next().to_be_bytes());
        }
        Self { chance, setup, left: PER_SETUP, pool, sound: false }
    }

    /// The same without what is bent: every packet is well-formed and its checksums are right.
    #[must_use]
    pub fn sound(seed: u64) -> Self {
        Self { sound: true, ..Self::new(seed) }
    }

    /// What the packets from [`next`](Self::next) are for.
    #[must_use]
    pub fn setup(&self) -> &Setup {
        &self.setup
    }

    /// Whether the next packet is for another setup; if so, it is in force from now on.
    pub fn renew(&mut self) -> bool {
        if self.left > 0 {
            self.left -= 1;
            return false;
        }
        self.left = PER_SETUP - 1;
        self.setup = draw_setup(&mut self.chance);
        true
    }

    /// Writes the next packet over `packet`; says which way it goes, and with what offload header.
    pub fn next(&mut self, packet: &mut Vec<u8>) -> (Way, Offload) {
        let way = if self.chance.one_in(2) { Way::Out } else { Way::In };
        let super_packet = self.chance.one_in(10);
        (way, self.packet(packet, way, super_packet))
    }

    /// The same for a given way; super-packets and unfinished checksums, if `super_packet`.
    pub fn packet(&mut self, packet: &mut Vec<u8>, way: Way, super_packet: bool) -> Offload {
        packet.clear();
        if !self.sound && self.chance.one_in(50) {
            self.noise(packet, way);
            return self.offload_noise();
        }
        let (peer4, peer6) = self.peer(way);
        match way {
            Way::Out => {
                let src = if self.bent(60) { self.any_v4() } else { self.setup.v4 };
                self.ipv4(packet, src, peer4, 0, super_packet);
            }
            Way::In => {
                let dst = if self.bent(60) { self.any_v6() } else { self.setup.v6 };
                self.ipv6(packet, peer6, dst, 0, super_packet);
            }
        }
        let mut offload = if super_packet { self.super_packet(packet, way) } else { Offload::default() };
        if self.bent(6) {
            self.mutate(packet, way);
        }
        if self.bent(40) {
            offload = self.offload_noise();
        }
        if self.chance.one_in(30) {
            let padding = self.chance.below(20);
            self.payload(packet, padding);
            // What a buffer holds: a full IPv6 payload behind its header.
            packet.truncate(65_535 + 40);
        }
        offload
    }

    /// One in `n`, but never where everything is to be sound.
    fn bent(&mut self, n: u32) -> bool {
        !self.sound && self.chance.one_in(n)
    }

    fn any_v4(&mut self) -> V4 {
        const ODD: [V4; 16] = [
            [0, 0, 0, 0],
            [10, 1, 2, 3],
            [100, 64, 0, 1],
            [127, 0, 0, 1],
            [169, 254, 1, 1],
            [172, 16, 0, 1],
            [192, 0, 0, 1],
            [192, 0, 0, 7],
            [192, 0, 0, 8],
            [192, 0, 0, 9],
            [192, 168, 1, 1],
            [224, 0, 0, 251],
            [240, 0, 0, 1],
            [255, 255, 255, 255],
            [192, 0, 0, 170],
            [198, 18, 0, 1],
        ];
        if self.chance.one_in(2) { self.chance.of(&ODD) } else { self.chance.u32().to_be_bytes() }
    }

    fn any_v6(&mut self) -> V6 {
        let mut address = [0; 16];
        match self.chance.below(7) {
            0 => {}
            1 => address[15] = 1,
            2 => address[..2].copy_from_slice(&[0xff, 2]),
            3 => address[..2].copy_from_slice(&[0xfe, 0x80]),
            4 => address[..4].copy_from_slice(&[0x20, 1, 0x0d, 0xb8]),
            5 => address[10..12].fill(0xff),
            _ => {
                address[..8].copy_from_slice(&self.chance.next().to_be_bytes());
                address[8..].copy_from_slice(&self.chance.next().to_be_bytes());
            }
        }
        if self.chance.one_in(2) {
            address[12..].copy_from_slice(&self.chance.u32().to_be_bytes());
        }
        address
    }

    /// A far end in both families, as seen from `way`.
    fn peer(&mut self, way: Way) -> (V4, V6) {
        let v4 = if self.bent(12) {
            self.any_v4()
        } else {
            // 1 to 99 are global but for 10; every other octet is drawn.
            let [_, b, c, d] = self.chance.u32().to_be_bytes();
            [self.chance.of(&[1, 8, 9, 11, 99, 198, 223]), b, c, d]
        };
        let mut v6 = self.setup.prefix.embed(v4);
        if way == Way::In {
            if self.chance.one_in(20) && self.setup.prefix.length < 96 {
                // A suffix counts for nothing (RFC 6052 section 2.2).
                v6[13..].copy_from_slice(&self.chance.u32().to_be_bytes()[..3]);
            }
            if self.bent(15) {
                v6 = self.any_v6();
            }
            if self.bent(100) {
                v6[8] = 1;
            }
        }
        (v4, v6)
    }

    fn payload(&mut self, out: &mut Vec<u8>, length: usize) {
        // Sums of zeroes are where checksums go wrong.
        if self.chance.one_in(24) {
            out.extend(std::iter::repeat_n(0, length));
            return;
        }
        let start = self.chance.below(1 << 16);
        out.extend(&self.pool[start..start + length]);
    }

    fn noise(&mut self, out: &mut Vec<u8>, way: Way) {
        let length = self.chance.below(200);
        self.payload(out, length);
        if let Some(first) = out.first_mut().filter(|_| !self.chance.one_in(8)) {
            *first = if way == Way::Out { 0x45 } else { 0x60 };
        }
    }

    /// Changes a few bytes or cuts the end off; then, mostly, makes the checksums fit again, so that the change is met
    /// further in.
    fn mutate(&mut self, packet: &mut Vec<u8>, way: Way) {
        let near = packet.len().min(140);
        if near == 0 {
            return;
        }
        if self.chance.one_in(4) {
            let length = self.chance.below(packet.len());
            packet.truncate(length);
        }
        for _ in 0..=self.chance.below(3) {
            let at = self.chance.below(near);
            let value = if self.chance.one_in(2) { self.chance.u8() } else { self.chance.of(&[0, 1, 4, 5, 8, 0xff]) };
            if let Some(byte) = packet.get_mut(at) {
                *byte = value;
            }
        }
        if !self.chance.one_in(4) {
            seal(packet, way);
        }
    }
}

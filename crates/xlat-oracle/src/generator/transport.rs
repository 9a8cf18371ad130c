//! Transport messages, ICMP errors and offload headers by lot.

use super::{Generator, Way};
use crate::Offload;
use crate::numbers::{be16, put16, short, sum};
use crate::translate::{ICMP, ICMPV6, TCP, UDP};

/// Most messages are short, so that many can be tried; the lengths around which something changes come up often enough.
const LENGTHS: [(usize, usize); 12] = [
    (0, 12),
    (0, 30),
    (0, 70),
    (0, 70),
    (0, 70),
    (20, 70),
    (0, 200),
    (0, 200),
    (100, 600),
    (480, 560),
    (1180, 120),
    (0, 1600),
];

impl Generator {
    fn length(&mut self, big: bool, depth: u8) -> usize {
        if big {
            return match self.chance.below(20) {
                0 => self.chance.below(65_000),
                1..=6 => self.chance.below(9000),
                _ => self.chance.below(800),
            };
        }
        if depth == 0 && self.chance.one_in(100) {
            let most = self.chance.of(&[3000, 3000, 9000, 65_530]);
            return self.chance.below(most);
        }
        let (least, more) = self.chance.of(&LENGTHS);
        least + self.chance.below(more)
    }

    /// Appends a message between `addresses` (the two of a pseudo-header) and returns its protocol.
    pub(super) fn message(&mut self, out: &mut Vec<u8>, addresses: &[u8], depth: u8, big: bool) -> u8 {
        let six = addresses.len() == 32;
        let start = out.len();
        let length = self.length(big, depth);
        match self.chance.below(if big { 8 } else { 16 }) {
            0..=3 => {
                out.extend(self.chance.next().to_be_bytes());
                out.extend(self.chance.u32().to_be_bytes());
                let words = if self.chance.one_in(6) { 5 + self.chance.u8() % 4 } else { 5 };
                out.extend([words << 4, 0x10, 0xff, 0xff, 0, 0, 0, 0]);
                self.payload(out, length + usize::from(words - 5) * 4);
                if self.bent(50) {
                    out[start + 12] = self.chance.u8();
                }
                self.checksum(out, start, addresses, TCP, Some(16));
                TCP
            }
            4..=7 => {
                out.extend(self.chance.u32().to_be_bytes());
                out.extend([0; 4]);
                self.payload(out, length);
                let stated = short((out.len() - start).min(65_535));
                put16(out, start + 4, if self.bent(50) { stated ^ (self.chance.u16() & 0xf) } else { stated });
                if self.chance.one_in(12) {
                    return UDP;
                }
                self.checksum(out, start, addresses, UDP, Some(6));
                UDP
            }
            8..=10 => {
                let kinds = if six { [128, 129] } else { [8, 0] };
                let kind = if self.chance.one_in(12) { self.chance.u8() } else { self.chance.of(&kinds) };
                out.extend([kind, if self.chance.one_in(8) { self.chance.u8() } else { 0 }, 0, 0]);
                let number = if self.chance.one_in(8) { 0 } else { self.chance.u32() };
                out.extend(number.to_be_bytes());
                self.payload(out, length);
                self.icmp_checksum(out, start, addresses)
            }
            11..=14 if depth < 2 => {
                self.error(out, addresses, depth);
                self.icmp_checksum(out, start, addresses)
            }
            _ => {
                self.payload(out, length);
                let any = self.chance.u8();
                let known = [33, 136, 33, 136, 47, 50, 132];
                let strange = [33, 136, 33, 136, 2, 1, 58, 59, 51, any, any];
                let protocol = if self.bent(2) { self.chance.of(&strange) } else { self.chance.of(&known) };
                if [33, 136].contains(&protocol) && out.len() - start >= 8 {
                    self.checksum(out, start, addresses, protocol, Some(6));
                }
                protocol
            }
        }
    }

    /// Writes the checksum that `message` has to have; now and then one that is wrong.
    fn checksum(&mut self, out: &mut [u8], start: usize, addresses: &[u8], protocol: u8, at: Option<usize>) {
        let Some(at) = at else { return };
        put16(out, start + at, 0);
        let length = u32::try_from(out.len() - start).unwrap_or_default().to_be_bytes();
        let mut checksum = !sum(&[addresses, &length, &[0, protocol], &out[start..]]);
        if self.bent(40) {
            checksum = if self.chance.one_in(2) { 0xffff } else { self.chance.u16() };
        }
        if checksum == 0 && protocol != TCP && protocol != 33 && protocol != ICMPV6 {
            checksum = 0xffff;
        }
        put16(out, start + at, checksum);
    }

    fn icmp_checksum(&mut self, out: &mut [u8], start: usize, addresses: &[u8]) -> u8 {
        if addresses.len() == 32 {
            self.checksum(out, start, addresses, ICMPV6, Some(2));
            return ICMPV6;
        }
        put16(out, start + 2, 0);
        let checksum = !sum(&[&out[start..]]);
        put16(out, start + 2, if self.bent(40) { self.chance.u16() } else { checksum });
        ICMP
    }

    /// Appends an ICMP error without its checksum: about a packet that went the other way, mostly.
    fn error(&mut self, out: &mut Vec<u8>, addresses: &[u8], depth: u8) {
        let six = addresses.len() == 32;
        let start = out.len();
        let kinds: &[u8] = if six { &[1, 1, 1, 2, 3, 4] } else { &[3, 3, 3, 11, 12] };
        let kind = self.chance.of(kinds);
        let code = match self.chance.below(8) {
            0 => self.chance.u8(),
            1..=4 => 0,
            _ => self.chance.u8() % 16,
        };
        out.extend([kind, code, 0, 0]);
        let rest = match self.chance.below(5) {
            0 => self.chance.u32(),
            1 => u32::from(self.chance.u16()),
            2 => self.chance.u32() % 41,
            3 => (self.chance.u32() % 41) << 24,
            _ => 0,
        };
        out.extend(rest.to_be_bytes());
        let quotation = out.len();
        let depth = if self.chance.one_in(30) { depth + 1 } else { depth + 2 };
        let (peer4, peer6) = self.peer(if six { Way::Out } else { Way::In });
        let (host4, host6) = (self.setup.v4, self.setup.v6);
        if six {
            let src = if self.bent(30) { self.any_v6() } else { host6 };
            self.ipv6(out, src, peer6, depth, false);
        } else {
            let dst = if self.bent(30) { self.any_v4() } else { host4 };
            self.ipv4(out, peer4, dst, depth, false);
        }
        match self.chance.below(8) {
            0 => {
                let header = if six { 40 } else { 20 };
                out.truncate((quotation + header + 8).min(out.len()));
            }
            1 => {
                let kept = self.chance.below(out.len() - quotation + 1);
                out.truncate(quotation + kept);
            }
            2..=4 => self.extensions(out, start, quotation, six),
            _ => {}
        }
    }

    /// Puts an extension structure (RFC 4884) behind the quotation.
    fn extensions(&mut self, out: &mut Vec<u8>, start: usize, quotation: usize, six: bool) {
        let unit = if six { 8 } else { 4 };
        if self.chance.one_in(2) {
            let length = 128 + self.chance.below(400);
            out.truncate((quotation + length).min(out.len()));
        }
        while out.len() - quotation < 128 || !(out.len() - quotation).is_multiple_of(unit) {
            out.push(0);
        }
        let units = (out.len() - quotation) / unit;
        out[start + if six { 4 } else { 5 }] =
            if self.bent(12) { self.chance.u8() } else { u8::try_from(units).unwrap_or_default() };
        let structure = out.len();
        let objects = if self.chance.one_in(8) { self.chance.below(1200) / 4 * 4 } else { self.chance.below(8) * 4 };
        out.extend([0x20, 0, 0, 0]);
        out.extend(short(objects + 4).to_be_bytes());
        out.extend([1, 1]);
        self.payload(out, objects);
        if !self.chance.one_in(8) {
            let checksum = !sum(&[&out[structure..]]);
            put16(out, structure + 2, checksum);
        }
    }

    /// Makes a packet unfinished or super, if it is one that can be; the offload header says how.
    pub(super) fn super_packet(&mut self, packet: &mut [u8], way: Way) -> Offload {
        let (ip, protocol) = match way {
            Way::Out => (usize::from(packet[0] & 0x0f) * 4, packet[9]),
            Way::In => {
                let (mut at, mut next) = (40, packet[6]);
                while [0, 43, 60].contains(&next) && packet.len() > at + 1 {
                    next = packet[at];
                    at += usize::from(packet[at + 1]) * 8 + 8;
                }
                (at, next)
            }
        };
        let (at, least) = match protocol {
            TCP => (16, 20),
            UDP => (6, 8),
            _ => (2, 8),
        };
        if packet.len() < ip + least || ![TCP, UDP, ICMP, ICMPV6].contains(&protocol) {
            return Offload::default();
        }
        let (addresses, offset) = if way == Way::Out { (&packet[12..20], 20) } else { (&packet[8..40], 40) };
        let own = if protocol == ICMP { &[] } else { addresses };
        let length = u32::try_from(packet.len() - ip).unwrap_or_default().to_be_bytes();
        let sum = if protocol == ICMP { 0 } else { sum(&[own, &length, &[0, protocol]]) };
        debug_assert!(ip >= offset);
        if self.chance.one_in(8) && packet.len() > ip + least + 40 && protocol == UDP {
            // A tunnel's inner checksum.
            let inner = ip + least + 20;
            return Offload { flags: 1, csum_start: short(inner), csum_offset: 6, ..Offload::default() };
        }
        let complete = self.chance.one_in(12);
        let mut offload = Offload::default();
        if complete {
            offload.flags = if self.chance.one_in(2) { 2 } else { 0 };
        } else {
            put16(packet, ip + at, sum);
            offload = Offload { flags: 1, csum_start: short(ip), csum_offset: short(at), ..offload };
        }
        if protocol == ICMP || protocol == ICMPV6 || self.chance.one_in(4) {
            return offload;
        }
        let header = if protocol == TCP { usize::from(packet[ip + 12] >> 4) * 4 } else { 8 };
        offload.gso_type = match (protocol, way) {
            (UDP, _) => 5,
            (_, Way::Out) => 1,
            (_, Way::In) => 4,
        };
        if protocol == TCP && self.chance.one_in(4) {
            offload.gso_type |= 0x80;
        }
        offload.gso_size = match self.chance.below(4) {
            0 => 1 + self.chance.u16() % 2000,
            1 => 1200 + self.chance.u16() % 64,
            _ => 1 + self.chance.u16() % 1440,
        };
        offload.hdr_len = short((ip + header).min(65_535));
        if self.chance.one_in(8) {
            offload.hdr_len = short(packet.len().min(65_535));
        }
        debug_assert!(be16(packet, 0) != 0);
        offload
    }

    /// An offload header that nobody sends.
    pub(super) fn offload_noise(&mut self) -> Offload {
        if self.chance.one_in(2) {
            return Offload::default();
        }
        let mut number = || match self.chance.below(4) {
            0 => self.chance.u16() % 80,
            1 => self.chance.of(&[0, 20, 40, 60]),
            2 => self.chance.of(&[2, 6, 16]),
            _ => self.chance.u16(),
        };
        let (hdr_len, gso_size, csum_start, csum_offset) = (number(), number(), number(), number());
        let gso_type = self.chance.of(&[0, 0, 0, 1, 3, 4, 5, 0x80, 0x81, 0x85, 9]);
        Offload { flags: self.chance.u8() & 3, gso_type, hdr_len, gso_size, csum_start, csum_offset }
    }
}

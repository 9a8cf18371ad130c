//! IP headers by lot.

use super::{Generator, Way};
use crate::address::{V4, V6};
use crate::numbers::{be16, put16, short, sum};
use crate::translate::{FRAGMENT, ICMP, ICMPV6};

impl Generator {
    /// Appends an IPv4 packet. `depth` is above 0 for a quotation.
    pub(super) fn ipv4(&mut self, out: &mut Vec<u8>, src: V4, dst: V4, depth: u8, big: bool) {
        let start = out.len();
        let df = if self.chance.one_in(2) { 0x4000 } else { 0 };
        let frag = df | if !big && self.chance.one_in(8) { self.fragment() } else { 0 };
        let ttl = self.ttl();
        out.extend([0x45, if self.chance.one_in(3) { self.chance.u8() } else { 0 }, 0, 0]);
        out.extend(self.chance.u16().to_be_bytes());
        out.extend(frag.to_be_bytes());
        out.extend([ttl, 0, 0, 0]);
        out.extend(src);
        out.extend(dst);
        if self.chance.one_in(10) {
            self.options(out);
            let words = (out.len() - start) / 4;
            out[start] = 0x40 | u8::try_from(words).unwrap_or_default();
        }
        let header = out.len();
        out[start + 9] = self.message(out, &[src, dst].concat(), depth, big);
        self.fit_fragment(out, header, frag & 0x2000 != 0, usize::from(frag & 0x1fff));
        if out.len() - start > 65_535 {
            out.truncate(start + 65_535);
        }
        let total = short(out.len() - start);
        put16(out, start + 2, total);
        let sum = !sum(&[&out[start..header]]);
        put16(out, start + 10, sum);
    }

    /// Appends an IPv6 packet.
    pub(super) fn ipv6(&mut self, out: &mut Vec<u8>, src: V6, dst: V6, depth: u8, big: bool) {
        let start = out.len();
        let class = if self.chance.one_in(3) { self.chance.u8() } else { 0 };
        let label = if self.chance.one_in(3) { self.chance.u16() } else { 0 };
        let hops = self.ttl();
        out.extend([0x60 | class >> 4, class << 4]);
        out.extend(label.to_be_bytes());
        out.extend([0, 0, 0, hops]);
        out.extend(src);
        out.extend(dst);
        // Where the number of the next header is to be written.
        let mut number = start + 6;
        if self.chance.one_in(8) {
            let most = if self.bent(20) { 20 } else { 3 };
            for _ in 0..=self.chance.below(most) {
                number = self.extension(out, number);
            }
        }
        let mut part = None;
        if !big && self.chance.one_in(8) {
            let frag = if self.chance.one_in(3) { 0 } else { self.fragment() };
            let (more, offset) = (frag >> 13 & 1, frag & 0x1fff);
            out[number] = FRAGMENT;
            number = out.len();
            out.extend([0, 0]);
            out.extend((offset << 3 | more).to_be_bytes());
            out.extend(self.chance.u32().to_be_bytes());
            part = Some((more != 0, usize::from(offset)));
            if self.bent(20) {
                number = self.extension(out, number);
            }
        }
        let message = out.len();
        let protocol = self.message(out, &[src, dst].concat(), depth, big);
        out[number] = protocol;
        if let Some((more, offset)) = part {
            self.fit_fragment(out, message, more, offset);
        }
        if out.len() - start - 40 > 65_535 {
            out.truncate(start + 40 + 65_535);
        }
        let length = short(out.len() - start - 40);
        put16(out, start + 4, length);
    }

    /// A fragment other than the last has whole units of 8 bytes, and none reaches too far; now and then one does.
    fn fit_fragment(&mut self, out: &mut Vec<u8>, start: usize, more: bool, offset: usize) {
        if (!more && offset == 0) || self.bent(20) {
            return;
        }
        let mut length = out.len() - start;
        if more {
            length = length / 8 * 8;
        }
        out.truncate(start + length.min(65_500_usize.saturating_sub(offset * 8)));
    }

    /// Flag and offset: a first one, one behind it, or the last.
    fn fragment(&mut self) -> u16 {
        let offset = match self.chance.below(4) {
            0 | 1 => 0,
            2 => self.chance.u16() % 200,
            _ => self.chance.u16() & 0x1fff,
        };
        offset | if offset == 0 || self.chance.one_in(2) { 0x2000 } else { 0 }
    }

    fn ttl(&mut self) -> u8 {
        match self.chance.below(40) {
            0 => 0,
            1 => 1,
            2..=9 => self.chance.u8(),
            _ => 64,
        }
    }

    /// Up to 40 bytes of options, in whole words.
    fn options(&mut self, out: &mut Vec<u8>) {
        let start = out.len();
        for _ in 0..=self.chance.below(3) {
            match self.chance.below(7) {
                0 => out.push(1),
                1 => out.extend([148, 4, 0, 0]),
                2 => out.extend([7, 7, 4, 0, 0, 0, 0]),
                3 => out.extend([131, 7, self.chance.of(&[4, 7, 8, 12]), 198, 51, 100, 9]),
                4 => out.extend([137, 7, self.chance.of(&[4, 8]), 198, 51, 100, 9]),
                5 => out.push(0),
                _ => out.extend([self.chance.u8(), self.chance.u8() % 12, self.chance.u8()]),
            }
        }
        while !(out.len() - start).is_multiple_of(4) {
            out.push(self.chance.of(&[0, 0, 1, 7]));
        }
    }

    /// Appends an extension header that is skipped, mostly; its number goes to `number`. Returns where the next one's
    /// number is to be written.
    fn extension(&mut self, out: &mut Vec<u8>, number: usize) -> usize {
        let kind = self.chance.of(&[0, 43, 60]);
        out[number] = kind;
        let start = out.len();
        let units = self.chance.below(3);
        let left = if kind == 43 && self.chance.one_in(6) { 1 + self.chance.u8() % 3 } else { 0 };
        out.extend([0, u8::try_from(units).unwrap_or_default()]);
        // PadN over all the rest; for Routing the type, the segments left, and no addresses.
        let rest = u8::try_from(units * 8 + 4).unwrap_or_default();
        out.extend(if kind == 43 { [0, left] } else { [1, rest] });
        out.extend(std::iter::repeat_n(0, units * 8 + 4));
        start
    }
}

/// Makes the checksums of the outermost headers fit what is there now.
pub fn seal(packet: &mut [u8], way: Way) {
    let Some(first) = packet.first() else { return };
    match way {
        Way::Out => {
            let header = usize::from(first & 0x0f) * 4;
            if header < 20 || packet.len() < header {
                return;
            }
            put16(packet, 10, 0);
            let checksum = !sum(&[&packet[..header]]);
            put16(packet, 10, checksum);
            let end = usize::from(be16(packet, 2)).min(packet.len());
            if packet[9] == ICMP && end >= header + 8 {
                put16(packet, header + 2, 0);
                let checksum = !sum(&[&packet[header..end]]);
                put16(packet, header + 2, checksum);
            }
        }
        Way::In => {
            if packet.len() < 48 || packet[6] != ICMPV6 {
                return;
            }
            let end = (40 + usize::from(be16(packet, 4))).min(packet.len());
            if end < 48 {
                return;
            }
            put16(packet, 42, 0);
            let tail = u32::try_from(end - 40).unwrap_or_default().to_be_bytes();
            let checksum = !sum(&[&packet[8..40], &tail, &[0, ICMPV6], &packet[40..end]]);
            put16(packet, 42, checksum);
        }
    }
}

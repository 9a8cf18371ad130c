//! Packets by the book: everything that the tests send and expect is put together here, from the RFCs' pictures.

use std::net::{Ipv4Addr, Ipv6Addr};

pub(crate) const ICMP: u8 = 1;
pub(crate) const TCP: u8 = 6;
pub(crate) const UDP: u8 = 17;
pub(crate) const ROUTING: u8 = 43;
pub(crate) const FRAGMENT: u8 = 44;
pub(crate) const ICMPV6: u8 = 58;
pub(crate) const DESTINATION_OPTIONS: u8 = 60;

pub(crate) const DF: u16 = 0x4000;
pub(crate) const MF: u16 = 0x2000;

/// RFC 791 section 3.1.
#[derive(Clone, Copy)]
pub(crate) struct V4<'a> {
    pub(crate) tos: u8,
    pub(crate) id: u16,
    /// Flags and offset.
    pub(crate) fragment: u16,
    pub(crate) ttl: u8,
    pub(crate) protocol: u8,
    pub(crate) source: Ipv4Addr,
    pub(crate) destination: Ipv4Addr,
    pub(crate) options: &'a [u8],
}

impl V4<'_> {
    pub(crate) fn with(&self, payload: &[u8]) -> Vec<u8> {
        let words = u8::try_from(5 + self.options.len() / 4).unwrap();
        let total = u16::try_from(usize::from(words) * 4 + payload.len()).unwrap();
        let mut packet = vec![0x40 | words, self.tos];
        packet.extend(total.to_be_bytes());
        packet.extend(self.id.to_be_bytes());
        packet.extend(self.fragment.to_be_bytes());
        packet.extend([self.ttl, self.protocol, 0, 0]);
        packet.extend(self.source.octets());
        packet.extend(self.destination.octets());
        packet.extend(self.options);
        let sum = checksum(&packet);
        packet[10..12].copy_from_slice(&sum.to_be_bytes());
        packet.extend(payload);
        packet
    }
}

/// RFC 8200 section 3; the flow label is zero.
#[derive(Clone, Copy)]
pub(crate) struct V6 {
    pub(crate) class: u8,
    pub(crate) hops: u8,
    pub(crate) next: u8,
    pub(crate) source: Ipv6Addr,
    pub(crate) destination: Ipv6Addr,
}

impl V6 {
    pub(crate) fn with(&self, payload: &[u8]) -> Vec<u8> {
        let mut packet = vec![0x60 | (self.class >> 4), self.class << 4, 0, 0];
        packet.extend(u16::try_from(payload.len()).unwrap().to_be_bytes());
        packet.extend([self.next, self.hops]);
        packet.extend(self.source.octets());
        packet.extend(self.destination.octets());
        packet.extend(payload);
        packet
    }
}

/// RFC 8200 section 4.5; `fragment` is the offset in units of eight bytes.
pub(crate) fn fragment_header(next: u8, fragment: u16, more: bool, id: u32) -> Vec<u8> {
    let mut header = vec![next, 0];
    header.extend((fragment << 3 | u16::from(more)).to_be_bytes());
    header.extend(id.to_be_bytes());
    header
}

/// RFC 1071, over the bytes as they are.
pub(crate) fn checksum(bytes: &[u8]) -> u16 {
    let words = bytes.chunks(2).map(|word| u64::from(word[0]) << 8 | word.get(1).map_or(0, |low| u64::from(*low)));
    let mut sum: u64 = words.sum();
    while sum > 0xffff {
        sum = (sum & 0xffff) + (sum >> 16);
    }
    !u16::try_from(sum).unwrap()
}

/// The two ends of a packet, as the pseudo-header has them.
#[derive(Clone, Copy)]
pub(crate) enum Ends {
    V4(Ipv4Addr, Ipv4Addr),
    V6(Ipv6Addr, Ipv6Addr),
    /// ICMP has no pseudo-header.
    None,
}

/// `message` with the checksum of its protocol at the right place: RFC 9293 section 3.1, RFC 768, RFC 792, RFC 4443.
pub(crate) fn sealed(mut message: Vec<u8>, protocol: u8, ends: Ends) -> Vec<u8> {
    let at = match protocol {
        TCP => 16,
        UDP => 6,
        ICMP | ICMPV6 => 2,
        _ => return message,
    };
    message[at..at + 2].fill(0);
    let length = u32::try_from(message.len()).unwrap().to_be_bytes();
    let mut covered = match ends {
        Ends::V4(source, destination) => [source.octets(), destination.octets()].concat(),
        Ends::V6(source, destination) => [source.octets(), destination.octets()].concat(),
        Ends::None => Vec::new(),
    };
    if !covered.is_empty() {
        covered.extend(length);
        covered.extend([0, 0, 0, protocol]);
    }
    covered.extend(&message);
    let sum = match checksum(&covered) {
        0 if protocol == UDP => 0xffff,
        sum => sum,
    };
    message[at..at + 2].copy_from_slice(&sum.to_be_bytes());
    message
}

/// A UDP datagram from port 4660 to port 9, not sealed.
pub(crate) fn udp(payload: &[u8]) -> Vec<u8> {
    let mut message = vec![0x12, 0x34, 0, 9];
    message.extend(u16::try_from(8 + payload.len()).unwrap().to_be_bytes());
    message.extend([0, 0]);
    message.extend(payload);
    message
}

/// A TCP segment with the MSS option (1400), not sealed.
pub(crate) fn tcp(payload: &[u8]) -> Vec<u8> {
    let mut message = vec![0x12, 0x34, 0, 9, 0, 0, 0, 1, 0, 0, 0, 2, 0x60, 0x12, 0xfa, 0xf0, 0, 0, 0, 0, 2, 4, 5, 0x78];
    message.extend(payload);
    message
}

/// A segment of a connection that is open: ACK alone, no options.
pub(crate) fn open_tcp(payload: &[u8]) -> Vec<u8> {
    let mut message = tcp(payload);
    message.drain(20..24);
    message[12..14].copy_from_slice(&[0x50, 0x10]);
    message
}

/// Type, code and second word, then the rest, not sealed.
pub(crate) fn icmp(kind: u8, code: u8, word: u32, rest: &[u8]) -> Vec<u8> {
    let mut message = vec![kind, code, 0, 0];
    message.extend(word.to_be_bytes());
    message.extend(rest);
    message
}

/// Bytes that differ.
pub(crate) fn bytes(count: usize) -> Vec<u8> {
    (0..count).map(|at| u8::try_from(at % 251).unwrap()).collect()
}

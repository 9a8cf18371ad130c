//! IP headers, read into plain structures and written from them.

use super::{FRAGMENT, Refusal, silent};
use crate::numbers::{be16, be32, put16, short, sum};
use crate::{V4, V6};

/// What an IPv4 header says. `payload` is what follows it, as far as it is there.
#[derive(Clone, Debug)]
pub(crate) struct Ipv4 {
    pub(crate) header: usize,
    pub(crate) tos: u8,
    pub(crate) total: usize,
    pub(crate) id: u16,
    pub(crate) df: bool,
    pub(crate) mf: bool,
    /// In units of 8 bytes.
    pub(crate) offset: u16,
    pub(crate) ttl: u8,
    pub(crate) protocol: u8,
    pub(crate) src: V4,
    pub(crate) dst: V4,
    pub(crate) options: Vec<u8>,
    pub(crate) payload: Vec<u8>,
}

/// Reads the header at the front of `bytes`, whose version and length the caller has looked at.
pub(crate) fn read4(bytes: &[u8]) -> Ipv4 {
    let header = usize::from(bytes[0] & 0x0f) * 4;
    let flags = be16(bytes, 6);
    Ipv4 {
        header,
        tos: bytes[1],
        total: usize::from(be16(bytes, 2)),
        id: be16(bytes, 4),
        df: flags & 0x4000 != 0,
        mf: flags & 0x2000 != 0,
        offset: flags & 0x1fff,
        ttl: bytes[8],
        protocol: bytes[9],
        src: [bytes[12], bytes[13], bytes[14], bytes[15]],
        dst: [bytes[16], bytes[17], bytes[18], bytes[19]],
        options: bytes[20..header].to_vec(),
        payload: bytes[header..].to_vec(),
    }
}

/// Checks a whole packet (RFC 791 section 3.1) and reads it; what follows its total length is left out.
pub(crate) fn whole4(bytes: &[u8]) -> Result<Ipv4, Refusal> {
    let Some(first) = bytes.first() else { return silent("truncated") };
    if first >> 4 != 4 {
        return silent("not-ipv4");
    }
    if bytes.len() < 20 {
        return silent("truncated");
    }
    let header = usize::from(first & 0x0f) * 4;
    if header < 20 || header > bytes.len() {
        return silent("bad-header-length");
    }
    let total = usize::from(be16(bytes, 2));
    if total < header {
        return silent("bad-total-length");
    }
    if total > bytes.len() {
        return silent("truncated");
    }
    if sum(&[&bytes[..header]]) != 0xffff {
        return silent("bad-ipv4-checksum");
    }
    Ok(read4(&bytes[..total]))
}

/// The header of 20 bytes that says this, and its payload. The total length is what it is, or `total` for a packet of
/// which only the beginning is there.
pub(crate) fn write4(ip: &Ipv4, total: Option<usize>) -> Vec<u8> {
    let mut flags = ip.offset;
    if ip.df {
        flags |= 0x4000;
    }
    if ip.mf {
        flags |= 0x2000;
    }
    let mut bytes = vec![0x45, ip.tos];
    bytes.extend(short(total.unwrap_or(20 + ip.payload.len())).to_be_bytes());
    bytes.extend(ip.id.to_be_bytes());
    bytes.extend(flags.to_be_bytes());
    bytes.extend([ip.ttl, ip.protocol, 0, 0]);
    bytes.extend(ip.src);
    bytes.extend(ip.dst);
    let checksum = !sum(&[&bytes]);
    put16(&mut bytes, 10, checksum);
    bytes.extend(&ip.payload);
    bytes
}

/// What an IPv6 header and the extension headers behind it say.
#[derive(Clone, Debug)]
pub(crate) struct Ipv6 {
    pub(crate) class: u8,
    /// The length field.
    pub(crate) length: usize,
    pub(crate) hops: u8,
    pub(crate) src: V6,
    pub(crate) dst: V6,
    /// The protocol behind the extension headers.
    pub(crate) next: u8,
    /// Bytes of extension headers.
    pub(crate) extensions: usize,
    pub(crate) fragment: Option<Fragment>,
    /// Where the segments left of a Routing header stand that still has some, from the start of the packet.
    pub(crate) segments_left: Option<usize>,
    /// What follows all headers.
    pub(crate) payload: Vec<u8>,
}

/// What a Fragment header says.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Fragment {
    /// In units of 8 bytes.
    pub(crate) offset: u16,
    pub(crate) more: bool,
    pub(crate) id: u32,
}

impl Ipv6 {
    /// RFC 7915 section 5.1.1: a fragment that goes on with a further extension header. The numbers are IANA's list of
    /// them without ESP (50).
    pub(crate) fn is_fragmented_extension(&self) -> bool {
        self.fragment.is_some() && [0, 43, FRAGMENT, 51, 60, 135, 139, 140].contains(&self.next)
    }

    /// Part of something: an atomic fragment (RFC 6946) is not.
    pub(crate) fn is_part(&self) -> bool {
        self.fragment.is_some_and(|fragment| fragment.more || fragment.offset != 0)
    }

    pub(crate) fn is_later_part(&self) -> bool {
        self.fragment.is_some_and(|fragment| fragment.offset != 0)
    }
}

/// The most extension headers that are walked through; one Fragment header may follow them.
const MOST_EXTENSIONS: usize = 15;

/// Reads the fixed header at the front of `bytes`, which are at least 40 and of version 6.
pub(crate) fn read6(bytes: &[u8]) -> Ipv6 {
    let mut src = [0; 16];
    src.copy_from_slice(&bytes[8..24]);
    let mut dst = [0; 16];
    dst.copy_from_slice(&bytes[24..40]);
    Ipv6 {
        class: bytes[0] << 4 | bytes[1] >> 4,
        length: usize::from(be16(bytes, 4)),
        hops: bytes[7],
        src,
        dst,
        next: bytes[6],
        extensions: 0,
        fragment: None,
        segments_left: None,
        payload: bytes[40..].to_vec(),
    }
}

/// Walks through the extension headers (RFC 8200 section 4): Hop-by-Hop Options, Destination Options and Routing are
/// skipped, a Fragment header is read, and then there may be no more of them.
pub(crate) fn walk(ip: &mut Ipv6) -> Result<(), Refusal> {
    let mut at = 0;
    let mut next = ip.next;
    let mut count = 0;
    while [0, 43, 60, FRAGMENT].contains(&next) {
        count += 1;
        let too_many = count > MOST_EXTENSIONS && next != FRAGMENT;
        if too_many || ip.payload.len() < at + 8 {
            return silent("extension-header");
        }
        let header = &ip.payload[at..];
        if next == FRAGMENT {
            let word = be16(header, 2);
            ip.fragment = Some(Fragment { offset: word >> 3, more: word & 1 != 0, id: be32(header, 4) });
            next = header[0];
            at += 8;
            break;
        }
        let length = usize::from(header[1]) * 8 + 8;
        if header.len() < length {
            return silent("extension-header");
        }
        if next == 43 && header[3] != 0 && ip.segments_left.is_none() {
            ip.segments_left = Some(40 + at + 3);
        }
        next = header[0];
        at += length;
    }
    ip.next = next;
    ip.extensions = at;
    ip.payload.drain(..at);
    Ok(())
}

/// Checks a whole packet and reads it; what follows its length is left out. Extension headers are not looked at yet.
pub(crate) fn whole6(bytes: &[u8]) -> Result<Ipv6, Refusal> {
    let Some(first) = bytes.first() else { return silent("truncated") };
    if first >> 4 != 6 {
        return silent("not-ipv6");
    }
    if bytes.len() < 40 || bytes.len() < 40 + usize::from(be16(bytes, 4)) {
        return silent("truncated");
    }
    Ok(read6(&bytes[..40 + usize::from(be16(bytes, 4))]))
}

/// What is needed to write an IPv6 header.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Head6 {
    pub(crate) class: u8,
    pub(crate) hops: u8,
    pub(crate) src: V6,
    pub(crate) dst: V6,
    pub(crate) next: u8,
    pub(crate) fragment: Option<Fragment>,
}

/// The headers and `payload`. The length is what it is, or `length` (behind the fixed header) for a packet of which
/// only the beginning is there. The flow label is zero.
pub(crate) fn write6(head: Head6, payload: &[u8], length: Option<usize>) -> Vec<u8> {
    let mut extension = Vec::new();
    if let Some(fragment) = head.fragment {
        extension.extend([head.next, 0]);
        extension.extend((fragment.offset << 3 | u16::from(fragment.more)).to_be_bytes());
        extension.extend(fragment.id.to_be_bytes());
    }
    let mut bytes = vec![0x60 | head.class >> 4, head.class << 4, 0, 0];
    bytes.extend(short(length.unwrap_or(extension.len() + payload.len())).to_be_bytes());
    bytes.extend([if head.fragment.is_some() { FRAGMENT } else { head.next }, head.hops]);
    bytes.extend(head.src);
    bytes.extend(head.dst);
    bytes.extend(extension);
    bytes.extend(payload);
    bytes
}

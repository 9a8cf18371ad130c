//! Headers as they lie in the packet, and the numbers in them.

use core::net::{Ipv4Addr, Ipv6Addr};

use zerocopy::byteorder::network_endian::{U16, U32};
use zerocopy::{FromBytes, Immutable, IntoBytes, KnownLayout, Unaligned, transmute};

use crate::PacketBuf;
use crate::checksum::Sum;

/// Protocol and next header numbers.
pub(crate) mod protocol {
    pub(crate) const HOP_BY_HOP: u8 = 0;
    pub(crate) const ICMP: u8 = 1;
    pub(crate) const IGMP: u8 = 2;
    pub(crate) const TCP: u8 = 6;
    pub(crate) const UDP: u8 = 17;
    pub(crate) const DCCP: u8 = 33;
    pub(crate) const ROUTING: u8 = 43;
    pub(crate) const FRAGMENT: u8 = 44;
    pub(crate) const AUTHENTICATION: u8 = 51;
    pub(crate) const ICMPV6: u8 = 58;
    pub(crate) const DESTINATION: u8 = 60;
    pub(crate) const MOBILITY: u8 = 135;
    pub(crate) const UDP_LITE: u8 = 136;
    pub(crate) const HIP: u8 = 139;
    pub(crate) const SHIM6: u8 = 140;
}

pub(crate) const IPV4_LEN: usize = 20;
pub(crate) const IPV6_LEN: usize = 40;
pub(crate) const FRAGMENT_LEN: usize = 8;
pub(crate) const ICMP_LEN: usize = 8;
pub(crate) const UDP_LEN: usize = 8;
pub(crate) const TCP_LEN: usize = 20;

/// The IPv4 header without options (RFC 791 section 3.1), taken apart.
///
/// The two IP headers are plain values instead of views: they are read and written in words of the packet's own layout
/// and live in registers between. A view that is copied about goes through memory in pieces of other sizes, and each
/// such copy stalls for longer than the rest of the translation takes.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Ipv4Header {
    pub(crate) version_ihl: u8,
    pub(crate) tos: u8,
    pub(crate) total_len: u16,
    pub(crate) id: u16,
    pub(crate) flags_offset: u16,
    pub(crate) ttl: u8,
    pub(crate) protocol: u8,
    pub(crate) checksum: u16,
    pub(crate) src: u32,
    pub(crate) dst: u32,
}

impl Ipv4Header {
    pub(crate) const DONT_FRAGMENT: u16 = 0x4000;
    pub(crate) const MORE_FRAGMENTS: u16 = 0x2000;
    pub(crate) const OFFSET: u16 = 0x1fff;

    /// `None` if `bytes` is too short.
    #[inline(always)]
    pub(crate) fn parse(bytes: &[u8]) -> Option<Self> {
        let [version_ihl, tos, a, b, c, d, e, f, ttl, protocol, g, h, rest @ ..] = bytes.first_chunk::<IPV4_LEN>()?;
        let (src, dst) = rest.split_first_chunk::<4>()?;
        Some(Self {
            version_ihl: *version_ihl,
            tos: *tos,
            total_len: u16::from_be_bytes([*a, *b]),
            id: u16::from_be_bytes([*c, *d]),
            flags_offset: u16::from_be_bytes([*e, *f]),
            ttl: *ttl,
            protocol: *protocol,
            checksum: u16::from_be_bytes([*g, *h]),
            src: u32::from_be_bytes(*src),
            dst: u32::from_be_bytes(*dst.first_chunk()?),
        })
    }

    /// Puts the header in front of the packet; `None` without room.
    #[inline(always)]
    pub(crate) fn push(self, buf: &mut PacketBuf) -> Option<()> {
        let slot = buf.push_front::<IPV4_LEN>()?;
        let (front, middle, addresses) = self.words();
        *slot.first_chunk_mut()? = front.to_be_bytes();
        *slot.last_chunk_mut::<12>()?.first_chunk_mut()? = middle.to_be_bytes();
        *slot.last_chunk_mut()? = addresses.to_be_bytes();
        Some(())
    }

    #[inline]
    pub(crate) fn version(&self) -> u8 {
        self.version_ihl >> 4
    }

    /// Header length in bytes, options included, as stated.
    #[inline]
    pub(crate) fn header_len(&self) -> usize {
        usize::from(self.version_ihl & 0x0f) * 4
    }

    #[inline]
    pub(crate) fn src(&self) -> Ipv4Addr {
        Ipv4Addr::from_bits(self.src)
    }

    #[inline]
    pub(crate) fn dst(&self) -> Ipv4Addr {
        Ipv4Addr::from_bits(self.dst)
    }

    #[inline]
    pub(crate) fn dont_fragment(&self) -> bool {
        self.flags_offset & Self::DONT_FRAGMENT != 0
    }

    #[inline]
    pub(crate) fn more_fragments(&self) -> bool {
        self.flags_offset & Self::MORE_FRAGMENTS != 0
    }

    /// Fragment offset in units of 8 bytes.
    #[inline]
    pub(crate) fn offset(&self) -> u16 {
        self.flags_offset & Self::OFFSET
    }

    #[inline]
    pub(crate) fn is_fragment(&self) -> bool {
        self.flags_offset & (Self::MORE_FRAGMENTS | Self::OFFSET) != 0
    }

    /// The header in three pieces, as few as there can be: up to the fragment offset, up to the checksum, addresses.
    #[inline(always)]
    fn words(&self) -> (u64, u32, u64) {
        let front = u64::from(u16::from_be_bytes([self.version_ihl, self.tos])) << 48
            | u64::from(self.total_len) << 32
            | u64::from(self.id) << 16
            | u64::from(self.flags_offset);
        let middle = u32::from(u16::from_be_bytes([self.ttl, self.protocol])) << 16 | u32::from(self.checksum);
        (front, middle, u64::from(self.src) << 32 | u64::from(self.dst))
    }

    /// Sum of the header without options, checksum included: zero if that is right.
    #[inline(always)]
    pub(crate) fn sum(&self) -> Sum {
        let (front, middle, _) = self.words();
        let (high, low) = (front >> 32, front & 0xffff_ffff);
        Sum::fold(high + low + u64::from(middle) + u64::from(self.src) + u64::from(self.dst))
    }

    /// Whether the first 20 bytes sum to zero, as those of a header without options must. As [`sum`](Self::sum), from where
    /// they lie: of the words of the machine, whose byte order does not matter to zero.
    #[inline(always)]
    pub(crate) fn is_sum_zero(bytes: &[u8]) -> bool {
        let Some((front, rest)) = bytes.split_first_chunk::<8>() else { return false };
        let Some((middle, rest)) = rest.split_first_chunk::<4>() else { return false };
        let Some(addresses) = rest.first_chunk::<8>() else { return false };
        let (sum, carry) = u64::from_ne_bytes(*front).overflowing_add(u64::from_ne_bytes(*addresses));
        // The carry of 2^64 is one, and `middle` is too small for a second one to be lost.
        let (sum, more) = sum.overflowing_add(u64::from(u32::from_ne_bytes(*middle)) + u64::from(carry));
        Sum::fold(sum.wrapping_add(u64::from(more))).is_zero()
    }

    /// With the header checksum set; for a header without options.
    #[inline(always)]
    pub(crate) fn with_checksum(mut self) -> Self {
        self.checksum = 0;
        self.checksum = self.sum().field();
        self
    }
}

/// The IPv6 header (RFC 8200 section 3), taken apart.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Ipv6Header {
    /// Version, traffic class, flow label.
    pub(crate) first_word: u32,
    pub(crate) payload_len: u16,
    pub(crate) next_header: u8,
    pub(crate) hop_limit: u8,
    pub(crate) src: u128,
    pub(crate) dst: u128,
}

impl Ipv6Header {
    /// `None` if `bytes` is too short.
    #[inline(always)]
    pub(crate) fn parse(bytes: &[u8]) -> Option<Self> {
        let (head, rest) = bytes.first_chunk::<IPV6_LEN>()?.split_first_chunk::<8>()?;
        let [a, b, c, d, e, f, next_header, hop_limit] = *head;
        Some(Self {
            first_word: u32::from_be_bytes([a, b, c, d]),
            payload_len: u16::from_be_bytes([e, f]),
            next_header,
            hop_limit,
            src: u128::from_be_bytes(*rest.first_chunk()?),
            dst: u128::from_be_bytes(*rest.last_chunk()?),
        })
    }

    /// Puts the header in front of the packet; `None` without room.
    #[inline(always)]
    pub(crate) fn push(self, buf: &mut PacketBuf) -> Option<()> {
        let slot = buf.push_front::<IPV6_LEN>()?;
        let (head, rest) = slot.split_first_chunk_mut::<8>()?;
        let behind = u16::from_be_bytes([self.next_header, self.hop_limit]);
        let word = u64::from(self.first_word) << 32 | u64::from(self.payload_len) << 16 | u64::from(behind);
        *head = word.to_be_bytes();
        *rest.first_chunk_mut()? = self.src.to_be_bytes();
        *rest.last_chunk_mut()? = self.dst.to_be_bytes();
        Some(())
    }

    /// The first word: version 6, this traffic class, flow label zero.
    #[inline]
    pub(crate) fn first_word(traffic_class: u8) -> u32 {
        (6 << 28) | (u32::from(traffic_class) << 20)
    }

    #[inline]
    pub(crate) fn version(&self) -> u32 {
        self.first_word >> 28
    }

    #[inline]
    pub(crate) fn traffic_class(&self) -> u8 {
        let [class, ..] = (self.first_word << 4).to_be_bytes();
        class
    }

    #[inline]
    pub(crate) fn src(&self) -> Ipv6Addr {
        Ipv6Addr::from_bits(self.src)
    }

    #[inline]
    pub(crate) fn dst(&self) -> Ipv6Addr {
        Ipv6Addr::from_bits(self.dst)
    }
}

/// The Fragment header (RFC 8200 section 4.5).
#[derive(Clone, Copy, FromBytes, IntoBytes, Immutable, KnownLayout, Unaligned)]
#[repr(C)]
pub(crate) struct FragmentHeader {
    pub(crate) next_header: u8,
    pub(crate) reserved: u8,
    pub(crate) offset_more: U16,
    pub(crate) id: U32,
}

impl FragmentHeader {
    /// As it goes on the wire.
    #[inline]
    pub(crate) fn bytes(self) -> [u8; FRAGMENT_LEN] {
        transmute!(self)
    }

    pub(crate) fn new(next_header: u8, offset: u16, more: bool, id: u32) -> Self {
        Self { next_header, reserved: 0, offset_more: U16::new((offset << 3) | u16::from(more)), id: U32::new(id) }
    }

    /// Fragment offset in units of 8 bytes.
    pub(crate) fn offset(&self) -> u16 {
        self.offset_more.get() >> 3
    }

    pub(crate) fn more(&self) -> bool {
        self.offset_more.get() & 1 != 0
    }

    pub(crate) fn id(&self) -> u32 {
        self.id.get()
    }

    /// The low half of the identification, all that IPv4 has room for (RFC 7915 section 5.1.1).
    pub(crate) fn low_id(&self) -> u16 {
        let [_, _, a, b] = self.id.to_bytes();
        u16::from_be_bytes([a, b])
    }
}

/// The first eight bytes of an ICMP message, either family.
#[derive(Clone, Copy, FromBytes, IntoBytes, Immutable, KnownLayout, Unaligned)]
#[repr(C)]
pub(crate) struct IcmpHeader {
    pub(crate) kind: u8,
    pub(crate) code: u8,
    pub(crate) checksum: U16,
    pub(crate) rest: [u8; 4],
}

impl IcmpHeader {
    /// As it goes on the wire.
    #[inline]
    pub(crate) fn bytes(self) -> [u8; ICMP_LEN] {
        transmute!(self)
    }
}

//! The Internet checksum as what it is: arithmetic modulo 65535.
//!
//! Summing 16-bit words with end-around carry (RFC 1071) is addition in the group of integers modulo 65535, in which
//! 0x0000 and 0xffff are the same element and the bitwise complement of a number is its negative. So:
//! - a difference of two sums (old addresses against new ones) can be computed once and added to any packet;
//! - a checksum *field* holds the complement of the sum: to change the sum by `delta`, complement, add, complement
//!   (RFC 1624, equation 3). A field marked NEEDS_CSUM holds the plain sum of the pseudo-header: just add;
//! - adding a delta that is zero changes nothing, which is what "checksum-neutral" means (RFC 6052 section 4.1).

use core::net::{Ipv4Addr, Ipv6Addr};
use core::ops::{Add, Neg, Sub};

use crate::Pref64;
use crate::wire::protocol;

/// The 16-bit word at index `word_index` that makes an address checksum-neutral, put in place.
///
/// For every destination d, `v4` and d then sum to the same as the result and d embedded in `pref64`; transport
/// checksums need no update. `word_index` counts 16-bit words of `base` and must be inside the interface identifier,
/// 4 to 7. `None` when it is not, or when the prefix length has no solution for all destinations at once (only /32
/// and /96 have; see [`Pref64::is_neutral_possible`]).
#[must_use]
pub fn neutral_address(base: Ipv6Addr, word_index: usize, v4: Ipv4Addr, pref64: Pref64) -> Option<Ipv6Addr> {
    if !pref64.is_neutral_possible() || !(4..8).contains(&word_index) {
        return None;
    }
    let mut words = base.segments();
    let word = words.get_mut(word_index)?;
    *word = 0;
    let rest = Sum::of_v6(Ipv6Addr::from(words));
    let free = Sum::of_v4(v4) - Sum::of_v6(pref64.prefix()) - rest;
    *words.get_mut(word_index)? = free.normal();
    Some(Ipv6Addr::from(words))
}

/// Whether translating between `v4` and `v6` leaves transport checksums unchanged for every peer under `pref64`.
#[must_use]
pub fn is_neutral(v4: Ipv4Addr, v6: Ipv6Addr, pref64: Pref64) -> bool {
    pref64.is_neutral_possible() && (Sum::of_v6(v6) + Sum::of_v6(pref64.prefix()) - Sum::of_v4(v4)).is_zero()
}

/// The ICMPv6 checksum of the message `icmp` (RFC 4443 section 2.3), as it belongs in the field.
///
/// Whatever stands in the checksum field of `icmp` is taken as zero. A message above 65535 bytes cannot exist.
#[must_use]
pub fn icmpv6_checksum(src: Ipv6Addr, dst: Ipv6Addr, icmp: &[u8]) -> u16 {
    let field = match icmp {
        [_, _, high, low, ..] => Sum(u16::from_be_bytes([*high, *low])),
        [..] => Sum::ZERO,
    };
    let pseudo = Sum::of_v6(src) + Sum::of_v6(dst) + Sum::of_len(icmp.len()) + Sum(u16::from(protocol::ICMPV6));
    (pseudo + Sum::of(icmp) - field).field()
}

/// The checksum of the upper-layer packet `body` under `next_header` (RFC 8200 section 8.1), whose own checksum field is
/// zero, as it belongs in that field.
#[must_use]
pub fn transport_checksum(src: Ipv6Addr, dst: Ipv6Addr, next_header: u8, body: &[u8]) -> u16 {
    let pseudo = Sum::of_v6(src) + Sum::of_v6(dst) + Sum::of_len(body.len()) + Sum(u16::from(next_header));
    (pseudo + Sum::of(body)).field()
}

/// An element of the group. 0x0000 and 0xffff are equal; compare with [`Sum::is_zero`] after subtraction.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Sum(pub(crate) u16);

impl Sum {
    pub(crate) const ZERO: Self = Self(0);

    /// Sum of the big-endian words of `bytes`; an odd last byte is padded with zero on the right.
    pub(crate) fn of(bytes: &[u8]) -> Self {
        // 32-bit words into 64 bits: no carry is lost below 2^32 words, and the loop vectorises. In the machine's byte
        // order, as an exchange of the bytes of all words exchanges those of the sum (RFC 1071 section 2 (B)).
        let (words, rest) = bytes.as_chunks::<4>();
        let sum: u64 = words.iter().map(|w| u64::from(u32::from_ne_bytes(*w))).sum();
        let tail = match *rest {
            [a] => u32::from_ne_bytes([a, 0, 0, 0]),
            [a, b] => u32::from_ne_bytes([a, b, 0, 0]),
            [a, b, c] => u32::from_ne_bytes([a, b, c, 0]),
            [..] => 0,
        };
        Self(u16::from_be_bytes(Self::fold(sum + u64::from(tail)).0.to_ne_bytes()))
    }

    #[inline]
    pub(crate) fn of_v4(address: Ipv4Addr) -> Self {
        Self::fold(u64::from(address.to_bits()))
    }

    #[inline]
    pub(crate) fn of_v6(address: Ipv6Addr) -> Self {
        let [a, b, c, d, e, f, g, h, rest @ ..] = address.octets();
        let (sum, carry) = u64::from_be_bytes([a, b, c, d, e, f, g, h]).overflowing_add(u64::from_be_bytes(rest));
        // Cannot overflow again, as in `add`.
        Self::fold(sum.wrapping_add(u64::from(carry)))
    }

    /// A length in a pseudo-header, at most 65535 here.
    #[inline]
    pub(crate) fn of_len(len: usize) -> Self {
        Self(u16::try_from(len).unwrap_or(u16::MAX))
    }

    /// Two octets as one word, such as ICMP type and code.
    #[inline]
    pub(crate) fn of_pair(high: u8, low: u8) -> Self {
        Self(u16::from_be_bytes([high, low]))
    }

    #[inline]
    pub(crate) fn is_zero(self) -> bool {
        matches!(self.0, 0 | 0xffff)
    }

    /// The sum that a checksum field stands for.
    #[inline]
    pub(crate) fn from_field(field: u16) -> Self {
        Self(!field)
    }

    /// The checksum field for data that sum to this.
    #[inline]
    pub(crate) fn field(self) -> u16 {
        !self.0
    }

    /// With 0x0000 for zero.
    #[inline]
    fn normal(self) -> u16 {
        if self.is_zero() { 0 } else { self.0 }
    }

    #[inline(always)]
    pub(crate) fn fold(sum: u64) -> Self {
        // Added to itself with its halves exchanged, a number has in its upper half the sum of both, carry included.
        let [a, b, c, d, ..] = sum.wrapping_add(sum.rotate_left(32)).to_be_bytes();
        let sum = u32::from_be_bytes([a, b, c, d]);
        let [a, b, ..] = sum.wrapping_add(sum.rotate_left(16)).to_be_bytes();
        Self(u16::from_be_bytes([a, b]))
    }
}

impl Add for Sum {
    type Output = Self;
    #[inline]
    fn add(self, other: Self) -> Self {
        let (sum, carry) = self.0.overflowing_add(other.0);
        // Cannot overflow again: after a carry `sum` is at most 0xfffe.
        Self(sum.wrapping_add(u16::from(carry)))
    }
}

impl Neg for Sum {
    type Output = Self;
    #[inline]
    fn neg(self) -> Self {
        Self(!self.0)
    }
}

impl Sub for Sum {
    type Output = Self;
    #[inline]
    fn sub(self, other: Self) -> Self {
        self + -other
    }
}

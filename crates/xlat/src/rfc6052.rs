//! IPv4 addresses inside IPv6 addresses (RFC 6052).

use core::fmt;
use core::net::{Ipv4Addr, Ipv6Addr};
use core::str::FromStr;

/// A NAT64 prefix: one of the six lengths of RFC 6052 section 2.2, host bits and bits 64 to 71 zero. Of the addresses that
/// RFC 4291 section 2.4 sets apart, none: nothing that is sent to them comes to a translator.
///
/// ```
/// use everclat_xlat::Pref64;
/// let prefix: Pref64 = "2001:db8:122::/48".parse()?;
/// let embedded = prefix.embed([192, 0, 2, 33].into());
/// assert_eq!(embedded.to_string(), "2001:db8:122:c000:2:2100::");
/// assert_eq!(prefix.extract(embedded), Some([192, 0, 2, 33].into()));
/// # Ok::<(), everclat_xlat::Pref64Error>(())
/// ```
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Pref64 {
    bits: u128,
    len: u8,
}

/// Why something is not a NAT64 prefix.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Pref64Error {
    /// A length RFC 6052 section 2.2 does not know.
    #[error("/{0} is no NAT64 prefix length; allowed are 32, 40, 48, 56, 64 and 96")]
    Length(u8),
    /// Bits behind the prefix length are set.
    #[error("{prefix}/{len} has bits set behind the prefix length; the rest of the address must be zero")]
    HostBits {
        /// As given.
        prefix: Ipv6Addr,
        /// As given.
        len: u8,
    },
    /// Bits 64 to 71 are set, in a /96.
    #[error("{0} has bits 64 to 71 set; RFC 6052 section 2.2 wants that octet zero")]
    UOctet(Ipv6Addr),
    /// Within fe80::/10 (RFC 4291 section 2.5.6).
    #[error("{0} is link-local: no router passes such packets on, so no NAT64 can be there")]
    LinkLocal(Ipv6Addr),
    /// Within ff00::/8 (RFC 4291 section 2.7).
    #[error("{0} is multicast, so no NAT64 can be there")]
    Multicast(Ipv6Addr),
    /// Within ::/8: unspecified, loopback, IPv4-mapped, or reserved (RFC 4291 section 4), but for the ranges of RFC 6052
    /// section 2.1 and RFC 8215.
    #[error("{0} lies in ::/8, where NAT64s have 64:ff9b::/96 and 64:ff9b:1::/48 alone")]
    Reserved(Ipv6Addr),
    /// Not of the form `address/length`.
    #[error("a NAT64 prefix is of the form address/length, for example 64:ff9b::/96")]
    Syntax,
}

/// 64:ff9b:1::/48, for prefixes of any network's own (RFC 8215).
const LOCAL_USE: Pref64 = Pref64 { bits: 0x0064_ff9b_0001 << 80, len: 48 };

/// Bits 64 to 71, zero in every IPv4-embedded address.
const U_OCTET: u128 = 0xff << 56;

impl Pref64 {
    /// 64:ff9b::/96 (RFC 6052 section 2.1).
    pub const WELL_KNOWN: Self = Self { bits: 0x0064_ff9b << 96, len: 96 };

    /// Checks a prefix.
    ///
    /// # Errors
    /// Says which of the rules of RFC 6052 section 2.2 is broken, or why no NAT64 can be there.
    pub fn new(prefix: Ipv6Addr, len: u8) -> Result<Self, Pref64Error> {
        if !matches!(len, 32 | 40 | 48 | 56 | 64 | 96) {
            return Err(Pref64Error::Length(len));
        }
        let bits = prefix.to_bits();
        if bits & !mask(len) != 0 {
            return Err(Pref64Error::HostBits { prefix, len });
        }
        if bits & U_OCTET != 0 {
            return Err(Pref64Error::UOctet(prefix));
        }
        // No range is longer than the shortest prefix, but for the two that are let in.
        let found = Self { bits, len };
        if prefix.is_multicast() {
            return Err(Pref64Error::Multicast(prefix));
        }
        if prefix.is_unicast_link_local() {
            return Err(Pref64Error::LinkLocal(prefix));
        }
        if bits >> 120 == 0 && !found.is_well_known() && !LOCAL_USE.covers(found) {
            return Err(Pref64Error::Reserved(prefix));
        }
        Ok(found)
    }

    /// The prefix with all other bits zero.
    #[must_use]
    pub fn prefix(&self) -> Ipv6Addr {
        Ipv6Addr::from_bits(self.bits)
    }

    /// Its length in bits: 32, 40, 48, 56, 64 or 96.
    #[must_use]
    pub fn prefix_len(&self) -> u8 {
        self.len
    }

    /// The IPv6 form of `v4`, suffix zero (RFC 6052 section 2.2).
    #[inline]
    #[must_use]
    pub fn embed(&self, v4: Ipv4Addr) -> Ipv6Addr {
        let v4 = v4.to_bits();
        if self.len == 96 {
            return Ipv6Addr::from_bits(self.bits | u128::from(v4));
        }
        // The u octet splits the IPv4 address: its first 64 - len bits lie in front, the others behind.
        let front = 64 - u32::from(self.len);
        let v4 = u64::from(v4);
        let high = v4 >> (32 - front);
        let low = v4 & ((1 << (32 - front)) - 1);
        Ipv6Addr::from_bits(self.bits | (u128::from(high) << 64) | (u128::from(low) << (24 + front)))
    }

    /// The IPv4 address inside `v6`, or `None` if it is not under this prefix or its bits 64 to 71 are set.
    /// Suffix bits are ignored (RFC 6052 section 2.2: SHOULD).
    #[inline]
    #[must_use]
    pub fn extract(&self, v6: Ipv6Addr) -> Option<Ipv4Addr> {
        let bits = v6.to_bits();
        let v4 = if self.len == 96 {
            // The usual case, with shifts that are constant. The u octet is part of the prefix.
            if bits >> 32 != self.bits >> 32 {
                return None;
            }
            bits
        } else {
            if bits & (mask(self.len) | U_OCTET) != self.bits {
                return None;
            }
            let front = 64 - u32::from(self.len);
            let low_mask = (1 << (32 - front)) - 1;
            (((bits >> 64) << (32 - front)) & 0xffff_ffff & !low_mask) | ((bits >> (24 + front)) & low_mask)
        };
        let [.., a, b, c, d] = v4.to_be_bytes();
        Some(Ipv4Addr::new(a, b, c, d))
    }

    /// Whether `v6` begins with this prefix (whatever follows).
    #[must_use]
    pub fn contains(&self, v6: Ipv6Addr) -> bool {
        v6.to_bits() & mask(self.len) == self.bits
    }

    /// Whether `other` is this prefix or a part of it.
    fn covers(&self, other: Self) -> bool {
        other.len >= self.len && self.contains(other.prefix())
    }

    /// Whether this is 64:ff9b::/96, for which RFC 6052 section 3.1 forbids non-global IPv4 addresses.
    #[must_use]
    pub fn is_well_known(&self) -> bool {
        *self == Self::WELL_KNOWN
    }

    /// Whether one address of ours can make every checksum come out unchanged, which is so where the embedded
    /// address keeps its 16-bit alignment: /32 and /96.
    #[must_use]
    pub fn is_neutral_possible(&self) -> bool {
        matches!(self.len, 32 | 96)
    }
}

impl fmt::Display for Pref64 {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.prefix(), self.len)
    }
}

impl fmt::Debug for Pref64 {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl FromStr for Pref64 {
    type Err = Pref64Error;

    fn from_str(s: &str) -> Result<Self, Self::Err> {
        let (prefix, len) = s.split_once('/').ok_or(Pref64Error::Syntax)?;
        // `u8::from_str` would take a sign.
        if !len.bytes().all(|b| b.is_ascii_digit()) {
            return Err(Pref64Error::Syntax);
        }
        let (prefix, len) = (prefix.parse(), len.parse());
        Self::new(prefix.map_err(|_| Pref64Error::Syntax)?, len.map_err(|_| Pref64Error::Syntax)?)
    }
}

#[cfg(feature = "serde")]
impl serde::Serialize for Pref64 {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

#[cfg(feature = "serde")]
impl<'de> serde::Deserialize<'de> for Pref64 {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Text;
        impl serde::de::Visitor<'_> for Text {
            type Value = Pref64;
            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a NAT64 prefix such as \"64:ff9b::/96\"")
            }
            fn visit_str<E: serde::de::Error>(self, text: &str) -> Result<Pref64, E> {
                text.parse().map_err(E::custom)
            }
        }
        deserializer.deserialize_str(Text)
    }
}

/// `len` is one of the six, so never 0 and never above 96.
fn mask(len: u8) -> u128 {
    u128::MAX << (128 - u32::from(len))
}

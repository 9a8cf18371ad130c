//! Which addresses there are (RFC 6052), and which may pass.

use crate::Setup;

/// An IPv4 address.
pub type V4 = [u8; 4];
/// An IPv6 address.
pub type V6 = [u8; 16];

/// A NAT64 prefix (RFC 6052 section 2.2).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Prefix {
    /// Its bits; all behind `length` are zero, and so are bits 64 to 71.
    pub bits: V6,
    /// 32, 40, 48, 56, 64 or 96.
    pub length: u8,
}

impl Prefix {
    /// 64:ff9b::/96.
    pub const WELL_KNOWN: Self = Self { bits: [0, 0x64, 0xff, 0x9b, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0], length: 96 };

    /// Where the four octets stand: behind the prefix, but octet 8 is left out (RFC 6052 section 2.2, figure 1).
    fn places(self) -> [usize; 4] {
        match self.length {
            32 => [4, 5, 6, 7],
            40 => [5, 6, 7, 9],
            48 => [6, 7, 9, 10],
            56 => [7, 9, 10, 11],
            64 => [9, 10, 11, 12],
            _ => [12, 13, 14, 15],
        }
    }

    /// The IPv6 address of `v4`: octet 8 and the suffix are zero.
    #[must_use]
    pub fn embed(self, v4: V4) -> V6 {
        let mut address = self.bits;
        for (place, octet) in self.places().into_iter().zip(v4) {
            address[place] = octet;
        }
        address
    }

    /// The IPv4 address in `v6`; `None` if it is not under this prefix. Octet 8 has to be zero, the suffix counts for
    /// nothing.
    #[must_use]
    pub fn extract(self, v6: V6) -> Option<V4> {
        (self.covers(v6) && v6[8] == 0).then(|| self.places().map(|place| v6[place]))
    }

    /// Whether `v6` begins with this prefix.
    pub(crate) fn covers(self, v6: V6) -> bool {
        let bytes = usize::from(self.length / 8);
        v6[..bytes] == self.bits[..bytes]
    }
}

/// What an IPv4 address at the far end is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    Legal,
    Illegal,
    Private,
}

/// RFC 7915 section 4.1 and the lists it leans on. Never on the wire: 0/8, 127/8, 169.254/16, multicast, 240/4, the
/// tunnel's 192.0.0.0/29 (RFC 7335) and 192.0.0.8 (RFC 7600), and whatever means ourselves. Not under the well-known
/// prefix: RFC 1918, RFC 6598, and 192.0.0.0/24 (RFC 6890) but for the two addresses in it that are global (RFC 6052
/// section 3.1).
pub(crate) fn kind(address: V4, setup: &Setup) -> Kind {
    let prefix = setup.prefix;
    let is_own = address == setup.v4 || address == setup.gateway || prefix.extract(setup.v6) == Some(address);
    let number = u32::from_be_bytes(address);
    let within = |net: V4, length: u32| (number ^ u32::from_be_bytes(net)) >> (32 - length) == 0;
    let never = is_own
        || within([0, 0, 0, 0], 8)
        || within([127, 0, 0, 0], 8)
        || within([169, 254, 0, 0], 16)
        || within([224, 0, 0, 0], 4)
        || within([240, 0, 0, 0], 4)
        || within([192, 0, 0, 0], 29)
        || within([192, 0, 0, 8], 32);
    let private = within([10, 0, 0, 0], 8)
        || within([172, 16, 0, 0], 12)
        || within([192, 168, 0, 0], 16)
        || within([100, 64, 0, 0], 10)
        || within([192, 0, 0, 0], 24) && ![9, 10].contains(&address[3]);
    if never {
        Kind::Illegal
    } else if private && prefix == Prefix::WELL_KNOWN {
        Kind::Private
    } else {
        Kind::Legal
    }
}

/// Whether no host at all may send from this address.
pub(crate) fn is_nobodys(address: V4) -> bool {
    address[0] == 0 || address[0] == 127 || address[0] >= 224
}

/// The same for IPv6: unspecified, loopback, IPv4-mapped (RFC 4291 section 2.5), multicast.
pub(crate) fn is_nobodys6(address: V6) -> bool {
    let number = u128::from_be_bytes(address);
    number <= 1 || number >> 32 == 0xffff || address[0] == 0xff
}

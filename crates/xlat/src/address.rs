//! Which addresses may pass.

use core::net::Ipv4Addr;

use crate::{Config, DropReason, Pref64};

/// What kind of peer an IPv4 address can be.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Peer {
    /// May be translated.
    Legal,
    /// Never on the wire.
    Illegal,
    /// Not global, and so not to be carried under the well-known prefix.
    Private,
}

/// The addresses that stand for ourselves: a packet between them and the host would come back.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Own {
    v4: u32,
    gateway: u32,
    /// What X means where it lies under the prefix; elsewhere one of the others.
    mirror: u32,
}

impl Own {
    pub(crate) fn new(config: &Config) -> Self {
        let mirror = config.pref64.extract(config.v6).unwrap_or(config.v4);
        Self { v4: config.v4.to_bits(), gateway: config.gateway_v4.to_bits(), mirror: mirror.to_bits() }
    }

    #[inline(always)]
    fn contains(self, address: u32) -> bool {
        (address == self.v4) | (address == self.gateway) | (address == self.mirror)
    }
}

/// Sorts an IPv4 address at the far end.
///
/// Illegal are 0/8, 127/8, 169.254/16, multicast, 240/4 with broadcast, 192.0.0.0/29 (the tunnel's own, RFC 7335),
/// 192.0.0.8 (RFC 7600: it stands for sources that have no IPv4 address) and what is our `own`. Under 64:ff9b::/96 what
/// is not global is refused as RFC 6052 section 3.1 demands: private and shared space (RFC 1918, RFC 6598), and of the
/// IETF's protocol assignments (RFC 6890) all but the two anycast addresses 192.0.0.9 and 192.0.0.10. The documentation
/// and benchmark ranges pass on purpose, although they are not global either: labs and tests live there, and nobody
/// else does.
#[inline(always)]
pub(crate) fn peer(address: Ipv4Addr, own: Own, pref64: Pref64) -> Peer {
    if own.contains(address.to_bits()) { Peer::Illegal } else { sort(address, pref64) }
}

/// Whether packets to this IPv4 address may pass under the prefix; the translator drops all others (and those to the
/// host's own addresses).
///
/// ```
/// use everclat_xlat::{Pref64, is_translatable};
/// assert!(is_translatable([192, 88, 99, 1].into(), Pref64::WELL_KNOWN));
/// // RFC 6052 section 3.1: private destinations need a prefix of the network's own.
/// assert!(!is_translatable([10, 0, 0, 1].into(), Pref64::WELL_KNOWN));
/// assert!(is_translatable([10, 0, 0, 1].into(), "64:ff9b:1::/48".parse()?));
/// # Ok::<(), everclat_xlat::Pref64Error>(())
/// ```
#[must_use]
pub fn is_translatable(address: Ipv4Addr, pref64: Pref64) -> bool {
    sort(address, pref64) == Peer::Legal
}

#[inline(always)]
fn sort(address: Ipv4Addr, pref64: Pref64) -> Peer {
    match address.octets() {
        [0 | 127 | 224..=255, ..] | [169, 254, ..] | [192, 0, 0, 0..=8] => Peer::Illegal,
        [10, ..] | [172, 16..=31, ..] | [192, 168, ..] | [100, 64..=127, ..] | [192, 0, 0, 11..=255]
            if pref64.is_well_known() =>
        {
            Peer::Private
        }
        [..] => Peer::Legal,
    }
}

/// Why a source that is not the host's is refused (RFC 7915 section 4.1).
#[cold]
pub(crate) fn wrong_source(address: Ipv4Addr) -> DropReason {
    match address.octets() {
        [0 | 127 | 224..=255, ..] => DropReason::IllegalSource,
        [..] => DropReason::ForeignSource,
    }
}

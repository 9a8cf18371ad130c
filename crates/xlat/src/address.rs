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

/// Sorts an IPv4 address at the far end.
///
/// Illegal are 0/8, 127/8, 169.254/16, multicast, 240/4 with broadcast, 192.0.0.0/29 (the tunnel's own, RFC 7335) and
/// 192.0.0.8 (RFC 7600: it stands for sources that have no IPv4 address). Under 64:ff9b::/96 private and shared space
/// (RFC 1918, RFC 6598) is refused as RFC 6052 section 3.1 demands. The documentation and benchmark ranges pass on
/// purpose, although they are not global either: labs and tests live there, and nobody else does.
#[inline]
pub(crate) fn peer(address: Ipv4Addr, config: &Config) -> Peer {
    sort(address, config.pref64)
}

/// Whether packets to this IPv4 address may pass under the prefix; the translator drops all others.
#[must_use]
pub fn is_translatable(address: Ipv4Addr, pref64: Pref64) -> bool {
    sort(address, pref64) == Peer::Legal
}

#[inline]
fn sort(address: Ipv4Addr, pref64: Pref64) -> Peer {
    match address.octets() {
        [0 | 127 | 224..=255, ..] | [169, 254, ..] | [192, 0, 0, 0..=8] => Peer::Illegal,
        [10, ..] | [172, 16..=31, ..] | [192, 168, ..] | [100, 64..=127, ..] if pref64.is_well_known() => Peer::Private,
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

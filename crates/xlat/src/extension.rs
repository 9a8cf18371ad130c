//! The chain of IPv6 extension headers.

use zerocopy::FromBytes;

use crate::DropReason;
use crate::wire::{FRAGMENT_LEN, FragmentHeader, IPV6_LEN, protocol};

/// What the extension headers lead to.
pub(crate) struct Chain {
    /// Where the upper layer begins, from the IPv6 header; within the packet.
    pub(crate) upper: usize,
    /// Its protocol number.
    pub(crate) protocol: u8,
    /// The Fragment header, which ends the chain: what follows it may be any part of the original packet.
    pub(crate) fragment: Option<FragmentHeader>,
    /// Where, from the IPv6 header, a Routing header says that segments are left.
    pub(crate) segments_left: Option<u32>,
}

impl Chain {
    /// Whether the packet is part of a larger one. A lone "atomic" fragment (RFC 6946) is not.
    pub(crate) fn is_partial(&self) -> bool {
        self.fragment.is_some_and(|f| f.more() || f.offset() != 0)
    }

    /// Whether this is a fragment other than the first.
    pub(crate) fn is_later(&self) -> bool {
        self.fragment.is_some_and(|f| f.offset() != 0)
    }
}

/// More headers than any honest sender strings together; bounds the walk.
const MAX_HEADERS: usize = 16;

/// Walks from the fixed header, whose next header is `first`, to the upper layer (RFC 7915 section 5.1: Hop-by-Hop,
/// Destination Options and Routing headers are skipped).
pub(crate) fn walk(packet: &[u8], first: u8) -> Result<Chain, DropReason> {
    let mut chain = Chain { upper: IPV6_LEN, protocol: first, fragment: None, segments_left: None };
    for _ in 0..MAX_HEADERS {
        let rest = packet.get(chain.upper..).ok_or(DropReason::ExtensionHeader)?;
        match chain.protocol {
            protocol::HOP_BY_HOP | protocol::DESTINATION | protocol::ROUTING => {
                let [next, length, _, segments_left, ..] = *rest else {
                    return Err(DropReason::ExtensionHeader);
                };
                if chain.protocol == protocol::ROUTING && segments_left > 0 && chain.segments_left.is_none() {
                    chain.segments_left = u32::try_from(chain.upper + 3).ok();
                }
                chain.protocol = next;
                chain.upper += (usize::from(length) + 1) * 8;
            }
            protocol::FRAGMENT => {
                let (fragment, _) = FragmentHeader::read_from_prefix(rest).map_err(|_| DropReason::ExtensionHeader)?;
                chain.protocol = fragment.next_header;
                chain.fragment = Some(fragment);
                chain.upper += FRAGMENT_LEN;
                return Ok(chain);
            }
            _ => return Ok(chain),
        }
    }
    Err(DropReason::ExtensionHeader)
}

/// Whether a number that follows a Fragment header names a further extension header (RFC 7915 section 5.1.1; ESP is
/// excepted there).
pub(crate) fn is_extension(number: u8) -> bool {
    matches!(
        number,
        protocol::HOP_BY_HOP
            | protocol::ROUTING
            | protocol::FRAGMENT
            | protocol::AUTHENTICATION
            | protocol::DESTINATION
            | protocol::MOBILITY
            | protocol::HIP
            | protocol::SHIM6
    )
}

//! The packet that an ICMP error quotes (RFC 7915 sections 4.3 and 5.3). It is usually cut short, and never refused for
//! that: what is there is translated.

use crate::checksum::Sum;
use crate::icmp::rewrite_echo;
use crate::icmp::types;
use crate::wire::protocol;
use crate::{DropReason, transport};

/// How much of the quoted transport can be relied on.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Piece {
    /// Of a whole packet.
    Whole,
    /// Of a first fragment: the header is there, the length of the whole unknown.
    First,
    /// Of a later fragment: no header.
    Later,
}

impl Piece {
    pub(super) fn new(offset: u16, more: bool) -> Self {
        match (offset, more) {
            (0, false) => Self::Whole,
            (0, true) => Self::First,
            (_, _) => Self::Later,
        }
    }
}

/// Translates the start of a quoted transport and says its new protocol number. `delta` is the change of the addresses,
/// `pseudo` the ICMPv6 pseudo-header, which only a whole packet tells.
pub(super) fn to_v6(l4: &mut [u8], number: u8, piece: Piece, delta: Sum, pseudo: Sum) -> Result<u8, DropReason> {
    match number {
        protocol::ICMP => {
            echo(l4, piece, types::echo_to_v6, types::is_query_v4, pseudo)?;
            Ok(protocol::ICMPV6)
        }
        // Would not have come through.
        protocol::ICMPV6 | protocol::IGMP => Err(DropReason::ForeignInnerPacket),
        _ => Ok(other(l4, number, piece, delta)),
    }
}

/// As [`to_v6`], the other way; `delta` and `pseudo` are to be given negated.
pub(super) fn to_v4(l4: &mut [u8], number: u8, piece: Piece, delta: Sum, pseudo: Sum) -> Result<u8, DropReason> {
    match number {
        protocol::ICMPV6 => {
            echo(l4, piece, types::echo_to_v4, types::is_query_v6, pseudo)?;
            Ok(protocol::ICMP)
        }
        protocol::ICMP | protocol::IGMP => Err(DropReason::ForeignInnerPacket),
        _ => Ok(other(l4, number, piece, delta)),
    }
}

fn other(l4: &mut [u8], number: u8, piece: Piece, delta: Sum) -> u8 {
    if piece != Piece::Later {
        // The field may be cut off; then there is nothing to correct.
        let _present = transport::update(l4, number, delta, false);
    }
    number
}

fn echo(
    l4: &mut [u8],
    piece: Piece,
    map: fn(u8) -> Option<u8>,
    is_query: fn(u8) -> bool,
    pseudo: Sum,
) -> Result<(), DropReason> {
    let Some(&kind) = l4.first() else { return Ok(()) };
    match piece {
        Piece::Later => return Ok(()),
        Piece::First | Piece::Whole => {}
    }
    let Some(new) = map(kind) else {
        return Err(if is_query(kind) { DropReason::IcmpType } else { DropReason::NestedIcmpError });
    };
    // Without the length the checksum cannot be right, and in a quotation nobody checks it.
    let change = if piece == Piece::Whole { pseudo } else { Sum::ZERO };
    rewrite_echo(l4, new, change);
    Ok(())
}

//! Transport headers (RFC 7915 sections 4.5 and 5.5). Ports stay; only the checksum knows about addresses.

use core::net::Ipv6Addr;

use crate::checksum::Sum;
use crate::wire::{TCP_LEN, UDP_LEN, protocol};
use crate::{Config, DropReason, UdpZeroChecksum};

/// Where the checksum field of a transport is whose checksum covers the addresses. DCCP and UDP-Lite are beyond what
/// RFC 7915 demands and cost nothing.
#[inline(always)]
pub(crate) fn checksum_offset(number: u8) -> Option<usize> {
    match number {
        protocol::TCP => Some(16),
        protocol::UDP | protocol::UDP_LITE | protocol::DCCP => Some(6),
        _ => None,
    }
}

/// Refuses a TCP or UDP packet too short for its own header.
#[inline(always)]
pub(crate) fn check_len(l4: &[u8], number: u8) -> Result<(), DropReason> {
    let least = match number {
        protocol::TCP => TCP_LEN,
        protocol::UDP => UDP_LEN,
        _ => 0,
    };
    if l4.len() < least { Err(DropReason::BadTransport) } else { Ok(()) }
}

/// Adds `delta` to what the checksum of a transport header covers. False if the field is not there.
///
/// `partial` says that the field holds a plain sum. UDP without a checksum stays without.
#[inline(always)]
pub(crate) fn update(l4: &mut [u8], number: u8, delta: Sum, partial: bool) -> bool {
    if delta.is_zero() {
        return true;
    }
    let Some(offset) = checksum_offset(number) else { return true };
    let Some(field) = l4.get_mut(offset..).and_then(<[u8]>::first_chunk_mut::<2>) else { return false };
    let old = u16::from_be_bytes(*field);
    let new = if partial {
        (Sum(old) + delta).0
    } else if number == protocol::UDP && old == 0 {
        0
    } else {
        match (Sum::from_field(old) + delta).field() {
            0 if number != protocol::TCP => 0xffff,
            new => new,
        }
    };
    *field = new.to_be_bytes();
    true
}

/// Whether this UDP header says "no checksum".
#[inline(always)]
pub(crate) fn is_udp_zero(l4: &[u8]) -> bool {
    matches!(l4, [_, _, _, _, _, _, 0, 0, ..])
}

/// Gives a whole UDP datagram without a checksum one, if the configuration says so (RFC 7915 section 4.5).
#[cold]
pub(crate) fn fill_udp_zero(l4: &mut [u8], config: &Config, dst: Ipv6Addr) -> Result<(), DropReason> {
    match config.udp_zero_checksum {
        UdpZeroChecksum::Drop => return Err(DropReason::UdpZeroChecksum),
        UdpZeroChecksum::Compute => {}
    }
    let [_, _, _, _, high, low, ..] = *l4 else { return Err(DropReason::BadTransport) };
    let len = usize::from(u16::from_be_bytes([high, low]));
    if len < UDP_LEN {
        return Err(DropReason::BadTransport);
    }
    let datagram = l4.get_mut(..len).ok_or(DropReason::BadTransport)?;
    let pseudo = Sum::of_v6(config.v6) + Sum::of_v6(dst) + Sum::of_len(len) + Sum(u16::from(protocol::UDP));
    let value = match (pseudo + Sum::of(datagram)).field() {
        0 => 0xffff,
        value => value,
    };
    if let Some(field) = datagram.get_mut(6..).and_then(<[u8]>::first_chunk_mut) {
        *field = value.to_be_bytes();
    }
    Ok(())
}

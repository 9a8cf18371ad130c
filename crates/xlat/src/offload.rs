//! The offload header across a translation: unfinished checksums and super-packets.
//!
//! A super-packet is translated once, as a whole, whatever its DF bit says: the kernel that cuts it later repeats the
//! translated header on every segment. What RFC 7915 asks about sizes is asked about one segment. A segment is sized by
//! the sender for its path, so it is never fragmented here; one that does not fit is answered, even with DF clear,
//! because nobody further on could fragment it in the sender's place.

use crate::checksum::Sum;
use crate::wire::{UDP_LEN, protocol};
use crate::{DropReason, PacketBuf, VnetHeader, transport};

/// What the offload header says about the packet's own transport header.
#[derive(Clone, Copy, Default)]
pub(crate) struct Offload {
    /// The checksum field holds the plain sum of the pseudo-header.
    pub(crate) partial: bool,
    /// Set for a super-packet.
    pub(crate) segments: Option<Segments>,
}

/// How a super-packet will be cut.
#[derive(Clone, Copy)]
pub(crate) struct Segments {
    /// Transport header and payload of a full segment, in bytes.
    pub(crate) len: usize,
    payload: usize,
    size: u16,
}

impl Segments {
    /// How many there will be. A division: not for every packet.
    #[cold]
    pub(crate) fn count(self) -> u16 {
        u16::try_from(self.payload.div_ceil(usize::from(self.size)).max(1)).unwrap_or(u16::MAX)
    }
}

/// Highest `csum_start` accepted: leaves room for the growth of the headers in front of it.
const MAX_CSUM_START: usize = 65_535 - 48;

/// Checks the offload header of a packet whose transport header, of kind `protocol`, begins at `upper`.
/// `gso_tcp` is the kind of TCP super-packets of this family.
#[inline(always)]
pub(crate) fn check(buf: &PacketBuf, upper: usize, protocol: u8, gso_tcp: u8) -> Result<Offload, DropReason> {
    if buf.vnet.needs_csum() || buf.vnet.is_gso() {
        check_requested(buf, upper, protocol, gso_tcp)
    } else {
        Ok(Offload::default())
    }
}

/// Moves the offload header from a transport header at `old` to one at `new`; `gso_tcp` as for the new family.
#[inline(always)]
pub(crate) fn shift(vnet: &mut VnetHeader, old: usize, new: usize, gso_tcp: u8) {
    let moved = |value: u16| {
        // `check` has seen to it that this neither underflows nor exceeds 16 bits.
        u16::try_from((usize::from(value) + new).saturating_sub(old)).unwrap_or(u16::MAX)
    };
    if vnet.needs_csum() {
        vnet.csum_start = moved(vnet.csum_start);
    }
    match vnet.gso_kind() {
        VnetHeader::GSO_NONE => vnet.hdr_len = 0,
        VnetHeader::GSO_TCPV4 | VnetHeader::GSO_TCPV6 => {
            vnet.hdr_len = moved(vnet.hdr_len);
            vnet.gso_type = (vnet.gso_type & VnetHeader::GSO_ECN) | gso_tcp;
        }
        _ => vnet.hdr_len = moved(vnet.hdr_len),
    }
}

/// Finishes the checksum that the offload header asks for, and clears the request. No effect without one.
pub(crate) fn finish(buf: &mut PacketBuf) {
    if !buf.vnet.needs_csum() {
        return;
    }
    let start = usize::from(buf.vnet.csum_start);
    let offset = usize::from(buf.vnet.csum_offset);
    buf.vnet = VnetHeader::default();
    let Some(covered) = buf.packet_mut().get_mut(start..) else { return };
    // The field itself holds the sum of the pseudo-header and is part of what is summed.
    let mut value = Sum::of(covered).field();
    if value == 0 {
        // Equal in the algebra, and UDP reads zero as "no checksum".
        value = 0xffff;
    }
    if let Some(field) = covered.get_mut(offset..).and_then(<[u8]>::first_chunk_mut) {
        *field = value.to_be_bytes();
    }
}

#[cold]
fn check_requested(buf: &PacketBuf, upper: usize, protocol: u8, gso_tcp: u8) -> Result<Offload, DropReason> {
    let mut offload = Offload::default();
    if buf.vnet.needs_csum() {
        offload.partial = check_partial(buf, upper, protocol)?;
    }
    if buf.vnet.is_gso() {
        // An inner checksum cannot be finished per segment by a kernel that knows only the outer header.
        if buf.vnet.needs_csum() && !offload.partial {
            return Err(DropReason::BadOffload);
        }
        offload.segments = Some(check_segments(buf, upper, protocol, gso_tcp)?);
    }
    Ok(offload)
}

/// Whether the unfinished checksum is the transport header's own. If not it belongs to something carried inside (a
/// tunnel), and the transport header's checksum is complete as it stands.
#[inline(always)]
pub(crate) fn check_partial(buf: &PacketBuf, upper: usize, protocol: u8) -> Result<bool, DropReason> {
    let start = usize::from(buf.vnet.csum_start);
    let offset = usize::from(buf.vnet.csum_offset);
    if start < upper || start > MAX_CSUM_START || start + offset + 2 > buf.len() {
        return Err(DropReason::BadOffload);
    }
    if start > upper {
        return Ok(false);
    }
    let expected = match protocol {
        protocol::ICMP | protocol::ICMPV6 => Some(2),
        other => transport::checksum_offset(other),
    };
    if expected.is_some_and(|expected| expected != offset) {
        return Err(DropReason::BadOffload);
    }
    Ok(true)
}

/// How a super-packet will be cut. Its checksum must be its own.
#[inline(always)]
pub(crate) fn check_segments(buf: &PacketBuf, upper: usize, protocol: u8, gso_tcp: u8) -> Result<Segments, DropReason> {
    let l4 = buf.packet().get(upper..).ok_or(DropReason::BadOffload)?;
    let header = match protocol {
        protocol::TCP if buf.vnet.gso_kind() == gso_tcp => match *l4 {
            [_, _, _, _, _, _, _, _, _, _, _, _, offset, ..] => usize::from(offset >> 4) * 4,
            [..] => return Err(DropReason::BadTransport),
        },
        protocol::UDP if buf.vnet.gso_kind() == VnetHeader::GSO_UDP_L4 => UDP_LEN,
        _ => return Err(DropReason::BadOffload),
    };
    let payload = l4.len().checked_sub(header).ok_or(DropReason::BadTransport)?;
    let size = buf.vnet.gso_size;
    let hdr_len = usize::from(buf.vnet.hdr_len);
    if size == 0 || hdr_len < upper || hdr_len > buf.len() || hdr_len > MAX_CSUM_START {
        return Err(DropReason::BadOffload);
    }
    let len = header + usize::from(size).min(payload);
    Ok(Segments { len, payload, size })
}

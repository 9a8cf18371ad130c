//! The Node Identification object: which router without an IPv4 address an ICMPv4 error comes from
//! (draft-ietf-v6ops-icmpext-xlat-v6only-source section 4.2, draft-ietf-intarea-extended-icmp-nodeid section 3).

use core::net::Ipv6Addr;

use super::multipart::LEAST_QUOTATION;
use crate::PacketBuf;
use crate::checksum::Sum;

/// Version and checksum (RFC 4884 section 7).
const HEADER_LEN: usize = 4;
/// Length, class and C-Type of an object (RFC 4884 section 8).
const OBJECT_HEADER_LEN: usize = 4;
/// With family, two bytes that are zero, and the address.
const OBJECT_LEN: usize = OBJECT_HEADER_LEN + 4 + 16;

const VERSION: u8 = 2;
/// "Node Identification".
const CLASS: u8 = 5;
/// Bit 5 from the left: an address follows.
const HAS_ADDRESS: u8 = 0x04;
/// IPv6, in the registry of address families.
const FAMILY_IPV6: u8 = 2;

/// Appends `router` to the extensions, which follow `payload` bytes of the quotation in `buf`, and says the new length of
/// the extensions. What is no valid structure, or leaves no room for the object in a message of `room` bytes behind the
/// ICMP head, gives way to a structure of the object's own. `None` if the buffer ends too early.
pub(super) fn append(
    buf: &mut PacketBuf,
    payload: usize,
    extensions: usize,
    room: usize,
    router: Ipv6Addr,
) -> Option<usize> {
    let object = object(router);
    let fits = LEAST_QUOTATION + extensions + OBJECT_LEN <= room;
    let structure = buf.packet_mut().get_mut(payload..payload + extensions).unwrap_or_default();
    if fits && is_structure(structure) {
        cover(structure, &object)?;
        buf.truncate(payload + extensions);
        push(buf, &object)?;
        return Some(extensions + OBJECT_LEN);
    }
    buf.truncate(payload);
    let mut header = [VERSION << 4, 0, 0, 0];
    let sum = Sum::of(&header) + Sum::of(&object);
    // Never zero, which would say that there is none.
    *header.last_chunk_mut()? = match sum.field() {
        0 => 0xffff,
        field => field,
    }
    .to_be_bytes();
    push(buf, &header)?;
    push(buf, &object)?;
    Some(HEADER_LEN + OBJECT_LEN)
}

fn object(router: Ipv6Addr) -> [u8; OBJECT_LEN] {
    const LENGTH: u8 = 24;
    const { assert!(OBJECT_LEN == 24) }
    let mut object = [0; OBJECT_LEN];
    if let Some((head, address)) = object.split_first_chunk_mut::<8>() {
        *head = [0, LENGTH, CLASS, HAS_ADDRESS, 0, FAMILY_IPV6, 0, 0];
        address.copy_from_slice(&router.octets());
    }
    object
}

/// Whether this is a structure as RFC 4884 section 7 has it, objects to its very end. A checksum of zero says that there
/// is none.
fn is_structure(bytes: &[u8]) -> bool {
    let Some(([first, _, high, low], mut objects)) = bytes.split_first_chunk::<HEADER_LEN>() else { return false };
    if first >> 4 != VERSION || ([*high, *low] != [0, 0] && !Sum::of(bytes).is_zero()) {
        return false;
    }
    while let Some((&[high, low, _, _], _)) = objects.split_first_chunk::<OBJECT_HEADER_LEN>() {
        let length = usize::from(u16::from_be_bytes([high, low]));
        match objects.get(length..) {
            Some(rest) if length >= OBJECT_HEADER_LEN && length % 4 == 0 => objects = rest,
            Some(_) | None => return false,
        }
    }
    objects.is_empty()
}

/// Has the checksum of a structure, if it has one, cover `object`, too.
fn cover(structure: &mut [u8], object: &[u8]) -> Option<()> {
    let field = structure.get_mut(2..)?.first_chunk_mut::<2>()?;
    if *field != [0, 0] {
        let sum = Sum::from_field(u16::from_be_bytes(*field)) + Sum::of(object);
        *field = match sum.field() {
            // Equal in the algebra, and zero would say that there is none.
            0 => 0xffff,
            field => field,
        }
        .to_be_bytes();
    }
    Some(())
}

/// Puts `bytes` behind what `buf` holds; `None` if it ends too early.
fn push(buf: &mut PacketBuf, bytes: &[u8]) -> Option<()> {
    let at = buf.len();
    if !buf.resize(at + bytes.len()) {
        return None;
    }
    buf.packet_mut().get_mut(at..)?.copy_from_slice(bytes);
    Some(())
}

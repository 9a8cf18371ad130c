//! Multi-part ICMP messages (RFC 4884): a quotation of stated length, then extensions.

use crate::PacketBuf;

/// RFC 4884 section 5.1: with extensions behind it, a quotation is zero-padded to this.
pub(super) const LEAST_QUOTATION: usize = 128;

/// How the bytes behind the ICMP head are divided.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Parts {
    pub(super) quotation: usize,
    pub(super) extensions: usize,
}

impl Parts {
    /// Reads the length attribute, in units of `unit` bytes. Zero says that there are no extensions, and so does a
    /// value that the message contradicts.
    pub(super) fn read(attribute: u8, unit: usize, available: usize) -> Self {
        let quotation = usize::from(attribute) * unit;
        match available.checked_sub(quotation) {
            Some(extensions) if quotation > 0 => Self { quotation, extensions },
            Some(_) | None => Self { quotation: available, extensions: 0 },
        }
    }
}

/// Fits quotation and extensions of a translated message together and says the new length attribute.
///
/// `buf` holds what follows the quoted IP header: `payload` bytes of the quotation, then `extensions` bytes. `header`
/// bytes of the new quoted IP header will be put in front. The quotation is padded to the new family's `unit` and to
/// the least length; if all of it is longer than `room`, the end of the quotation goes first (RFC 7915 sections 4.2
/// and 5.2), and the extensions only if less than the least quotation would remain.
pub(super) fn arrange(
    buf: &mut PacketBuf,
    payload: usize,
    extensions: usize,
    header: usize,
    unit: usize,
    room: usize,
) -> Option<u8> {
    if extensions > 0 {
        // The attribute has 8 bits.
        let most = room.saturating_sub(extensions).min(usize::from(u8::MAX) * unit) / unit * unit;
        let padded = (header + payload).next_multiple_of(unit).max(LEAST_QUOTATION).min(most);
        if padded >= LEAST_QUOTATION {
            move_extensions(buf, payload, extensions, padded - header)?;
            return u8::try_from(padded / unit).ok();
        }
    }
    buf.truncate(payload.min(room.saturating_sub(header)));
    Some(0)
}

/// Moves the extensions from `old` to `new`, with zeros in a gap; `None` if the buffer has no room.
fn move_extensions(buf: &mut PacketBuf, old: usize, extensions: usize, new: usize) -> Option<()> {
    let length = buf.len().max(new + extensions);
    if !buf.resize(length) {
        return None;
    }
    let bytes = buf.packet_mut();
    bytes.get(old..old + extensions)?;
    bytes.get(new..new + extensions)?;
    bytes.copy_within(old..old + extensions, new);
    if new > old {
        bytes.get_mut(old..new)?.fill(0);
    }
    buf.resize(new + extensions).then_some(())
}

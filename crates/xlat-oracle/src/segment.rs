//! Super-packets cut into segments by hand, as a kernel does it: the obvious way, for the translators to be held against.

use crate::Offload;
use crate::generator::Way;
use crate::numbers::{be16, be32, put16, short, sum};

/// The packets that `packet`, TCP or UDP without extension headers, stands for: every segment with its own lengths, TCP
/// sequence number and flags (FIN and PSH in the last one only, CWR in the first only), IPv4 identification and checksums.
/// A packet whose checksum is unfinished but that is no super-packet comes back finished.
///
/// `None` if the offload header does not fit such a packet.
#[must_use]
pub fn segments(packet: &[u8], way: Way, offload: Offload) -> Option<Vec<Vec<u8>>> {
    let (ip, addresses, protocol, length) = match way {
        Way::Out => {
            let ip = usize::from(packet.first()? & 0x0f) * 4;
            (ip, packet.get(12..20)?, *packet.get(9)?, usize::from(be16(packet, 2)))
        }
        Way::In => (40, packet.get(8..40)?, *packet.get(6)?, 40 + usize::from(be16(packet, 4))),
    };
    let packet = packet.get(..length)?;
    let message = packet.get(ip..)?;
    let (at, header) = match protocol {
        6 => (16, usize::from(message.get(12)? >> 4) * 4),
        17 => (6, 8),
        _ => return None,
    };
    if offload.flags & 1 == 0 || usize::from(offload.csum_start) != ip || usize::from(offload.csum_offset) != at {
        return None;
    }
    if header <= at || message.len() < header {
        return None;
    }
    let payload = &message[header..];
    let size = if offload.gso_type & 0x7f == 0 { payload.len() } else { offload.gso_size.into() };
    let chunks: Vec<&[u8]> = if payload.is_empty() { vec![payload] } else { payload.chunks(size).collect() };
    let mut all = Vec::new();
    for (index, chunk) in chunks.iter().enumerate() {
        let mut segment = packet[..ip + header].to_vec();
        segment.extend(*chunk);
        let total = segment.len();
        let l4 = &mut segment[ip..];
        if protocol == 6 {
            let done = u32::try_from(index * size).ok()?;
            let sequence = be32(l4, 4).wrapping_add(done);
            l4[4..8].copy_from_slice(&sequence.to_be_bytes());
            if index + 1 < chunks.len() {
                l4[13] &= !0x09;
            }
            if index > 0 && offload.gso_type & 0x80 != 0 {
                l4[13] &= !0x80;
            }
        } else {
            put16(l4, 4, short(l4.len()));
        }
        put16(l4, at, 0);
        let length = u32::try_from(l4.len()).ok()?.to_be_bytes();
        let checksum = !sum(&[addresses, &length, &[0, protocol], l4]);
        put16(l4, at, if checksum == 0 && protocol == 17 { 0xffff } else { checksum });
        match way {
            Way::Out => {
                put16(&mut segment, 2, short(total));
                let id = be16(&segment, 4).wrapping_add(short(index));
                put16(&mut segment, 4, id);
                put16(&mut segment, 10, 0);
                let checksum = !sum(&[&segment[..ip]]);
                put16(&mut segment, 10, checksum);
            }
            Way::In => put16(&mut segment, 4, short(total - 40)),
        }
        all.push(segment);
    }
    Some(all)
}

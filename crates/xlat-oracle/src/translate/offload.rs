//! The virtio-net header: unfinished checksums and super-packets.

use super::message::field;
use super::{ICMP, ICMPV6, Refusal, TCP, UDP, silent};
use crate::numbers::short;

/// `virtio_net_hdr`; `hdr_len` and `csum_start` count from the IP header.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Offload {
    /// 1: the checksum is unfinished. 2: it was verified.
    pub flags: u8,
    /// 0: one packet; 1: TCP over IPv4; 4: TCP over IPv6; 5: UDP; 0x80 beside it: ECN.
    pub gso_type: u8,
    /// Hint: bytes of headers.
    pub hdr_len: u16,
    /// Payload bytes of a segment.
    pub gso_size: u16,
    /// Where the unfinished sum begins.
    pub csum_start: u16,
    /// Where it is stored, from there.
    pub csum_offset: u16,
}

/// Offsets beyond this might not fit into 16 bits when the headers in front have grown by 48 bytes.
const HIGHEST: usize = 65_535 - 48;

/// Which checksum is unfinished.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Unfinished {
    No,
    /// That of the transport header.
    Own,
    /// One further in, of a tunnel.
    Inner,
}

/// What the header says about this packet.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Task {
    pub(crate) unfinished: Unfinished,
    /// For a super-packet.
    pub(crate) segment: Option<Segment>,
}

/// How a super-packet is to be cut.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Segment {
    /// Bytes of transport header and payload in the largest one.
    pub(crate) length: usize,
    /// How many there are.
    pub(crate) count: usize,
}

/// Reads the header of a packet with IP headers of `ip` bytes; `tcp_kind` is that of its family.
pub(crate) fn task(
    offload: Offload,
    ip: usize,
    protocol: u8,
    message: &[u8],
    is_part: bool,
    tcp_kind: u8,
) -> Result<Task, Refusal> {
    let kind = offload.gso_type & 0x7f;
    let mut task = Task { unfinished: Unfinished::No, segment: None };
    if offload.flags & 1 != 0 {
        let (start, at) = (usize::from(offload.csum_start), usize::from(offload.csum_offset));
        let own = if protocol == ICMP || protocol == ICMPV6 { Some(2) } else { field(protocol) };
        // Of a protocol that is not known here nothing is known about its checksum, either.
        let misplaced = start == ip && own.is_some_and(|own| own != at);
        if is_part || start < ip || start > HIGHEST || start + at + 2 > ip + message.len() || misplaced {
            return silent("bad-offload");
        }
        task.unfinished = if start == ip { Unfinished::Own } else { Unfinished::Inner };
    }
    if kind != 0 {
        let fits = kind == tcp_kind && protocol == TCP || kind == 5 && protocol == UDP;
        let hint = usize::from(offload.hdr_len);
        if is_part || !fits || task.unfinished == Unfinished::Inner {
            return silent("bad-offload");
        }
        let header = if protocol == UDP { Some(8) } else { message.get(12).map(|byte| usize::from(byte >> 4) * 4) };
        let Some(payload) = header.and_then(|header| message.len().checked_sub(header)) else {
            return silent("bad-transport");
        };
        if offload.gso_size == 0 || hint < ip || hint > ip + message.len() || hint > HIGHEST {
            return silent("bad-offload");
        }
        let size = usize::from(offload.gso_size);
        let length = message.len() - payload + payload.min(size);
        task.segment = Some(Segment { length, count: payload.div_ceil(size).max(1) });
    }
    Ok(task)
}

/// The header for the translated packet, whose IP headers are `new` bytes long after `old`.
pub(crate) fn after(offload: Offload, task: Task, old: usize, new: usize, tcp_kind: u8) -> Offload {
    let shift = |value: u16| short(usize::from(value) + new - old);
    // Fields that say nothing stay as they are, but for the hint, which would be wrong.
    let mut out = Offload { hdr_len: 0, ..offload };
    if task.segment.is_some() {
        out.gso_type = if offload.gso_type & 0x7f == 5 { 5 } else { tcp_kind } | offload.gso_type & 0x80;
        out.hdr_len = shift(offload.hdr_len);
    }
    if task.unfinished != Unfinished::No {
        out.csum_start = shift(offload.csum_start);
    }
    out
}

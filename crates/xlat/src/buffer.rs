//! One packet with room in front of it.

use alloc::boxed::Box;
use alloc::vec;

use crate::VnetHeader;

/// Bytes kept free in front of a received IP header.
///
/// The sum that must fit, worst case: 12 (virtio header, long form) + 14 (Ethernet) + 48 (a translated ICMP error: 20
/// for the outer header, 28 for the quoted one with its Fragment header; an ICMPv6 error of our own takes as much) +
/// 4 (the address family word of utun) = 78. The rest keeps the IP header on a cache line boundary.
pub const HEADROOM: usize = 128;

/// The largest IP packet a buffer holds: a full IPv6 payload behind its header.
pub const MAX_PACKET: usize = 65_535 + 40;

/// One packet, its offload header, and headroom.
///
/// ```
/// use everclat_xlat::{HEADROOM, PacketBuf};
/// let mut buf = PacketBuf::new();
/// // Receive behind a link header of 14 bytes: the packet itself begins where there is room in front of it.
/// let frame = [&[0xee; 14][..], b"a packet"].concat();
/// buf.recv_area(14)[..frame.len()].copy_from_slice(&frame);
/// assert_eq!(buf.received(14, frame.len()), Some(&[0xee; 14][..]));
/// assert_eq!(buf.packet(), b"a packet");
/// // Send with another one in front.
/// *buf.push_front().unwrap() = [0xdd; 14];
/// assert_eq!(buf.len(), frame.len());
/// ```
///
/// Owns one heap block, allocated by [`PacketBuf::new`] and never again; reuse the buffer for packet after packet.
/// `vnet.csum_start` and `vnet.hdr_len` always count from the IP header while the packet is in here: whoever puts an
/// Ethernet header in front (or strips it) adds or subtracts its 14 bytes.
pub struct PacketBuf {
    /// The offload header that came with the packet, or is to be sent with it.
    pub vnet: VnetHeader,
    // Invariant: start <= end <= data.len().
    data: Box<[u8]>,
    start: usize,
    end: usize,
}

impl PacketBuf {
    /// An empty buffer. The only allocation of this crate.
    #[must_use]
    pub fn new() -> Self {
        Self {
            vnet: VnetHeader::default(),
            data: vec![0; HEADROOM + MAX_PACKET].into_boxed_slice(),
            start: HEADROOM,
            end: HEADROOM,
        }
    }

    /// The area to receive into such that, after a link header of `prefix` bytes (virtio header, Ethernet), the IP
    /// header lands on [`HEADROOM`]. Empties the buffer. A `prefix` above [`HEADROOM`] is taken as [`HEADROOM`].
    pub fn recv_area(&mut self, prefix: usize) -> &mut [u8] {
        self.vnet = VnetHeader::default();
        self.select(HEADROOM, HEADROOM);
        self.data.get_mut(HEADROOM.saturating_sub(prefix)..).unwrap_or_default()
    }

    /// Says that `total` bytes, the prefix included, were received into `recv_area(prefix)`.
    ///
    /// The packet is then what follows the prefix. Returns the prefix for decoding, or `None` (and an empty packet)
    /// if fewer than `prefix` bytes came or more than the area holds.
    pub fn received(&mut self, prefix: usize, total: usize) -> Option<&[u8]> {
        self.select(HEADROOM, HEADROOM);
        let front = HEADROOM.checked_sub(prefix)?;
        let end = HEADROOM.checked_add(total.checked_sub(prefix)?)?;
        if end > self.data.len() {
            return None;
        }
        self.end = end;
        self.data.get(front..HEADROOM)
    }

    /// The packet, from its IP header (or whatever was pushed in front of it) to its end.
    #[inline]
    #[must_use]
    pub fn packet(&self) -> &[u8] {
        self.data.get(self.start..self.end).unwrap_or_default()
    }

    /// The packet, to be changed in place.
    #[inline]
    pub fn packet_mut(&mut self) -> &mut [u8] {
        self.data.get_mut(self.start..self.end).unwrap_or_default()
    }

    /// Length of the packet in bytes, headroom not counted.
    #[inline]
    #[must_use]
    pub fn len(&self) -> usize {
        self.end - self.start
    }

    /// Whether there is no packet.
    #[inline]
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.start == self.end
    }

    /// Copies `bytes` in as the packet and resets the offload header; false, and an empty packet, if it is longer
    /// than [`MAX_PACKET`].
    pub fn set_packet(&mut self, bytes: &[u8]) -> bool {
        self.vnet = VnetHeader::default();
        self.select(HEADROOM, HEADROOM);
        let Some(area) = HEADROOM.checked_add(bytes.len()).and_then(|end| self.data.get_mut(HEADROOM..end)) else {
            return false;
        };
        area.copy_from_slice(bytes);
        self.end = HEADROOM + bytes.len();
        true
    }

    /// Drops what follows the first `len` bytes (Ethernet padding). No effect on a shorter packet.
    #[inline]
    pub fn truncate(&mut self, len: usize) {
        if len < self.len() {
            self.end = self.start + len;
        }
    }

    /// Grows the packet by `N` bytes at the front, contents undefined; `None` if the headroom is used up.
    #[inline]
    pub fn push_front<const N: usize>(&mut self) -> Option<&mut [u8; N]> {
        let start = self.start.checked_sub(N)?;
        self.start = start;
        self.data.get_mut(start..)?.first_chunk_mut()
    }

    /// Drops the first `n` bytes; false, and no change, if the packet is shorter.
    #[inline]
    pub fn pull_front(&mut self, n: usize) -> bool {
        if n > self.len() {
            return false;
        }
        self.start += n;
        true
    }

    /// Puts `bytes` in front; `None` if the headroom is used up.
    #[inline]
    pub(crate) fn prepend<const N: usize>(&mut self, bytes: [u8; N]) -> Option<()> {
        *self.push_front()? = bytes;
        Some(())
    }

    /// Sets the length of the packet, longer or shorter, contents of the added part undefined. False, and no change,
    /// if the buffer ends before that.
    pub(crate) fn resize(&mut self, len: usize) -> bool {
        match self.start.checked_add(len) {
            Some(end) if end <= self.data.len() => {
                self.end = end;
                true
            }
            Some(_) | None => false,
        }
    }

    /// Where the packet lies in the block; for [`select`](Self::select).
    pub(crate) fn range(&self) -> (usize, usize) {
        (self.start, self.end)
    }

    /// Makes `start..end` of the block the packet, clamped to the block.
    pub(crate) fn select(&mut self, start: usize, end: usize) {
        self.end = end.min(self.data.len());
        self.start = start.min(self.end);
    }
}

impl Default for PacketBuf {
    fn default() -> Self {
        Self::new()
    }
}

impl core::fmt::Debug for PacketBuf {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.debug_struct("PacketBuf").field("vnet", &self.vnet).field("len", &self.len()).finish_non_exhaustive()
    }
}

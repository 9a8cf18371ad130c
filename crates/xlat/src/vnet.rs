//! The virtio network header: how a kernel says "this checksum is not finished" and "cut this into segments".

/// `virtio_net_hdr`, decoded. On the wire 10 bytes in native byte order.
///
/// Inside this crate `csum_start` and `hdr_len` count from the IP header (see [`PacketBuf`](crate::PacketBuf)).
///
/// ```
/// use everclat_xlat::VnetHeader;
/// // TCP over IPv4 in segments of 1400 bytes, checksums still to be finished.
/// let header = VnetHeader {
///     flags: VnetHeader::F_NEEDS_CSUM,
///     gso_type: VnetHeader::GSO_TCPV4,
///     hdr_len: 40,
///     gso_size: 1400,
///     csum_start: 20,
///     csum_offset: 16,
/// };
/// assert!(header.is_gso());
/// assert_eq!(VnetHeader::decode(&header.encode()), header);
/// ```
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct VnetHeader {
    /// [`F_NEEDS_CSUM`](Self::F_NEEDS_CSUM), [`F_DATA_VALID`](Self::F_DATA_VALID).
    pub flags: u8,
    /// One of the `GSO_*` kinds, possibly with [`GSO_ECN`](Self::GSO_ECN) added.
    pub gso_type: u8,
    /// A hint: bytes up to the end of the transport header. Linux writes the length of its linear part here, which
    /// may be more; so it is moved along, but never taken as a header length.
    pub hdr_len: u16,
    /// Payload bytes per segment.
    pub gso_size: u16,
    /// Where the unfinished checksum begins to sum.
    pub csum_start: u16,
    /// Where its field is, from `csum_start`.
    pub csum_offset: u16,
}

impl VnetHeader {
    /// Length of the wire form.
    pub const LEN: usize = 10;
    /// The checksum field holds the uninverted sum of the pseudo-header; the rest is still to be summed.
    pub const F_NEEDS_CSUM: u8 = 1;
    /// The device has verified the checksum.
    pub const F_DATA_VALID: u8 = 2;
    /// Not a super-packet.
    pub const GSO_NONE: u8 = 0;
    /// TCP over IPv4.
    pub const GSO_TCPV4: u8 = 1;
    /// UDP by IP fragmentation (UFO); obsolete, refused here.
    pub const GSO_UDP: u8 = 3;
    /// TCP over IPv6.
    pub const GSO_TCPV6: u8 = 4;
    /// UDP by datagrams (USO), either family.
    pub const GSO_UDP_L4: u8 = 5;
    /// Flag beside the kind: TCP with CWR set in the first segment only.
    pub const GSO_ECN: u8 = 0x80;

    /// Reads the wire form.
    #[inline]
    #[must_use]
    pub fn decode(bytes: &[u8; Self::LEN]) -> Self {
        let [flags, gso_type, a, b, c, d, e, f, g, h] = *bytes;
        Self {
            flags,
            gso_type,
            hdr_len: u16::from_ne_bytes([a, b]),
            gso_size: u16::from_ne_bytes([c, d]),
            csum_start: u16::from_ne_bytes([e, f]),
            csum_offset: u16::from_ne_bytes([g, h]),
        }
    }

    /// Writes the wire form.
    #[inline]
    #[must_use]
    pub fn encode(&self) -> [u8; Self::LEN] {
        let [a, b] = self.hdr_len.to_ne_bytes();
        let [c, d] = self.gso_size.to_ne_bytes();
        let [e, f] = self.csum_start.to_ne_bytes();
        let [g, h] = self.csum_offset.to_ne_bytes();
        [self.flags, self.gso_type, a, b, c, d, e, f, g, h]
    }

    /// Whether this is a super-packet, to be cut into segments by a later hand.
    #[inline]
    #[must_use]
    pub fn is_gso(&self) -> bool {
        self.gso_kind() != Self::GSO_NONE
    }

    /// Whether a checksum is still to be finished.
    #[inline]
    #[must_use]
    pub fn needs_csum(&self) -> bool {
        self.flags & Self::F_NEEDS_CSUM != 0
    }

    /// The `GSO_*` kind without the ECN flag.
    #[inline]
    pub(crate) fn gso_kind(&self) -> u8 {
        self.gso_type & !Self::GSO_ECN
    }
}

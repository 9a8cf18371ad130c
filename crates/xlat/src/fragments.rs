//! A packet cut into pieces where it lies.

use crate::wire::{FRAGMENT_LEN, FragmentHeader, IPV4_LEN, IPV6_LEN, Ipv4Header, Ipv6Header};
use crate::{PacketBuf, VnetHeader};

/// The pieces of a packet that must be fragmented.
///
/// ```
/// # use everclat_xlat::{Config, PacketBuf, Pref64, Translator, Verdict};
/// # let config = Config::new(Pref64::WELL_KNOWN, [192, 0, 0, 2].into(), "2001:db8::2".parse().unwrap(), 1500);
/// # let mut translator = Translator::new(config);
/// # let mut buf = PacketBuf::new();
/// // 2000 bytes of protocol 89 from 192.0.0.2 to 198.51.100.1, which may be fragmented.
/// let mut packet = vec![0x45, 0, 7, 0xd0, 0, 7, 0, 0, 64, 89, 0x88, 0x97, 192, 0, 0, 2, 198, 51, 100, 1];
/// packet.resize(2000, 0);
/// buf.set_packet(&packet);
/// let Verdict::Fragments(mut pieces) = translator.v4_to_v6(&mut buf) else { panic!("it is too big for one") };
/// let mut lengths = Vec::new();
/// while pieces.next(&mut buf) {
///     lengths.push(buf.len()); // send it
/// }
/// assert_eq!(lengths, [1280, 796]);
/// ```
/// Works in place: the header of a piece is written over the tail of the one before, which has been sent by then (a
/// link header pushed in front of it may be, too). Pass the buffer that the verdict came with.
#[must_use]
#[derive(Debug)]
pub struct Fragments {
    header: Header,
    /// What is left, as positions in the buffer's block.
    at: usize,
    end: usize,
    /// Payload bytes per piece, a multiple of 8.
    step: usize,
    /// Fragment offset of the next piece, in units of 8 bytes.
    offset: u16,
    /// Whether the packet was itself a fragment with more to follow.
    more: bool,
}

/// The header of every piece; length, offset and flag are filled in.
enum Header {
    V4(Ipv4Header),
    /// With the identification of the Fragment header.
    V6(Ipv6Header, u32),
}

impl core::fmt::Debug for Header {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.write_str(match self {
            Self::V4(_) => "V4",
            Self::V6(..) => "V6",
        })
    }
}

impl Fragments {
    /// Cuts the payload that `buf` holds into IPv4 fragments of at most `mtu` bytes. `header` has the identification;
    /// `offset` and `more` are those of the packet to be cut.
    pub(crate) fn v4(buf: &PacketBuf, header: Ipv4Header, offset: u16, more: bool, mtu: u16) -> Self {
        Self::new(buf, Header::V4(header), offset, more, usize::from(mtu).saturating_sub(IPV4_LEN))
    }

    /// Cuts the payload that `buf` holds into IPv6 fragments. `header` has the *upper* protocol as next header.
    pub(crate) fn v6(buf: &PacketBuf, header: Ipv6Header, id: u32, offset: u16, more: bool, mtu: u16) -> Self {
        Self::new(buf, Header::V6(header, id), offset, more, usize::from(mtu).saturating_sub(IPV6_LEN + FRAGMENT_LEN))
    }

    fn new(buf: &PacketBuf, header: Header, offset: u16, more: bool, room: usize) -> Self {
        let (at, end) = buf.range();
        // The floor only keeps the loop finite: callers pass at least the family's minimum MTU.
        Self { header, at, end, step: (room & !7).max(8), offset, more }
    }

    /// Makes `buf` hold the next piece, complete with header; false when there is none left.
    pub fn next(&mut self, buf: &mut PacketBuf) -> bool {
        let left = self.end.saturating_sub(self.at);
        if left == 0 {
            return false;
        }
        let len = left.min(self.step);
        buf.vnet = VnetHeader::default();
        buf.select(self.at, self.at + len);
        let more = len < left || self.more;
        let written = match self.header {
            Header::V4(header) => push_v4(buf, header, self.offset, more, len),
            Header::V6(header, id) => push_v6(buf, header, id, self.offset, more, len),
        };
        self.at += len;
        self.offset = self.offset.saturating_add(u16::try_from(len / 8).unwrap_or(u16::MAX));
        // None only if the caller passed a buffer in which the pieces do not lie.
        written.is_some()
    }
}

fn push_v4(buf: &mut PacketBuf, mut header: Ipv4Header, offset: u16, more: bool, len: usize) -> Option<()> {
    header.total_len = u16::try_from(IPV4_LEN + len).ok()?;
    let flag = if more { Ipv4Header::MORE_FRAGMENTS } else { 0 };
    header.flags_offset = (offset & Ipv4Header::OFFSET) | flag;
    header.with_checksum().push(buf)?;
    Some(())
}

fn push_v6(buf: &mut PacketBuf, mut header: Ipv6Header, id: u32, offset: u16, more: bool, len: usize) -> Option<()> {
    buf.prepend(FragmentHeader::new(header.next_header, offset, more, id).bytes())?;
    header.next_header = crate::wire::protocol::FRAGMENT;
    header.payload_len = u16::try_from(FRAGMENT_LEN + len).ok()?;
    header.push(buf)?;
    Some(())
}

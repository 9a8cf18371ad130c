//! Fragmented ICMP, put together again.

use alloc::vec::Vec;
use core::time::Duration;

use crate::PacketBuf;
use crate::extension;
use crate::wire::{FragmentHeader, IPV4_LEN, IPV6_LEN, Ipv4Header, Ipv6Header, protocol};

/// Messages that may be incomplete at the same time: a ping has one or two under way.
const MAX_MESSAGES: usize = 8;

/// Fragments of one message: 65535 bytes make 54 of 1232, what the least IPv6 MTU leaves.
const MAX_PIECES: usize = 128;

/// How long the rest may take: what Linux gives IPv4, and within the 60 s of RFC 8200 section 4.5.
const PATIENCE: Duration = Duration::from_secs(30);

/// Puts fragmented ICMP messages together, so that they can be translated.
///
/// ICMPv6 has a pseudo-header with the length of the whole message and ICMPv4 has none, so a single fragment cannot be given
/// a right checksum, and a translator that sees packets one by one must leave them (RFC 7915 section 1.2). At the end of the path
/// there is no such need: a NAT64 cuts every ping of more than 1232 bytes (section 4.1).
///
/// Hand over what [`Translator`](crate::Translator) refused as [`FragmentedIcmp`](crate::DropReason::FragmentedIcmp), one
/// direction per value; what comes back whole is translated like any other packet. Memory is bounded: eight messages of
/// 64 KiB, for 30 s. Fragments that overlap end their message (RFC 5722 section 4).
///
/// ```
/// use core::time::Duration;
/// use everclat_xlat::{DropReason, PacketBuf, Reassembler, Translator, Verdict};
/// fn from_the_uplink(translator: &mut Translator, icmp: &mut Reassembler, buf: &mut PacketBuf, now: Duration) -> Verdict {
///     match translator.v6_to_v4(buf) {
///         Verdict::Drop(DropReason::FragmentedIcmp) if icmp.add(buf, now) => translator.v6_to_v4(buf),
///         verdict => verdict,
///     }
/// }
/// ```
#[derive(Debug, Default)]
pub struct Reassembler {
    messages: Vec<Message>,
    lost: u64,
}

impl Reassembler {
    /// Waits for nothing, and has no memory yet.
    #[must_use]
    pub const fn new() -> Self {
        Self { messages: Vec::new(), lost: 0 }
    }

    /// Takes the fragment in `buf`, which the translator has just refused. True if it was the last one missing: then `buf`
    /// holds the whole message, as a packet that may be cut again.
    ///
    /// `now` is the time since any fixed moment.
    pub fn add(&mut self, buf: &mut PacketBuf, now: Duration) -> bool {
        self.expire(now);
        let Some(piece) = Piece::parse(buf.packet()) else {
            self.lost += 1;
            return false;
        };
        let found = self.messages.iter().position(|message| message.key == piece.key);
        let at = found.unwrap_or_else(|| self.begin(piece.key, now));
        let Some(message) = self.messages.get_mut(at) else { return false };
        if message.spoiled {
            return false;
        }
        if message.take(&piece).is_none() {
            // Whatever else comes of it is ignored until its time is over.
            (message.spoiled, message.bytes, message.pieces) = (true, Vec::new(), Vec::new());
            self.lost += 1;
            return false;
        }
        let Some(header) = message.complete() else { return false };
        let message = self.messages.swap_remove(at);
        let whole = buf.set_packet(&message.bytes) && header.put_in_front_of(buf).is_some();
        self.lost += u64::from(!whole);
        whole
    }

    /// How many messages have been given up since the last call: incomplete for too long, crooked, or too many at once.
    pub fn take_lost(&mut self) -> u64 {
        core::mem::take(&mut self.lost)
    }

    fn expire(&mut self, now: Duration) {
        let before = self.messages.iter().filter(|message| !message.spoiled).count();
        self.messages.retain(|message| now.saturating_sub(message.since) < PATIENCE);
        let after = self.messages.iter().filter(|message| !message.spoiled).count();
        self.lost += u64::try_from(before - after).unwrap_or_default();
    }

    /// Room for one more, at the cost of the oldest.
    fn begin(&mut self, key: Key, since: Duration) -> usize {
        if self.messages.len() >= MAX_MESSAGES {
            let oldest = self.messages.iter().enumerate().min_by_key(|(_, message)| message.since).map(|(at, _)| at);
            let evicted = oldest.map(|at| self.messages.swap_remove(at));
            self.lost += u64::from(evicted.is_some_and(|message| !message.spoiled));
        }
        self.messages.push(Message {
            key,
            since,
            header: None,
            bytes: Vec::new(),
            pieces: Vec::new(),
            end: None,
            spoiled: false,
        });
        self.messages.len() - 1
    }
}

/// What the fragments of one message have in common (RFC 791 section 3.2, RFC 8200 section 4.5).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Key {
    source: u128,
    destination: u128,
    id: u32,
}

#[derive(Clone, Copy, Debug)]
enum Header {
    V4(Ipv4Header),
    /// With the identification of the Fragment header.
    V6(Ipv6Header, u32),
}

impl Header {
    /// Options and extension headers stay behind, as the translator skips them anyhow.
    fn put_in_front_of(self, buf: &mut PacketBuf) -> Option<()> {
        match self {
            Self::V4(header) => {
                let total_len = u16::try_from(IPV4_LEN + buf.len()).ok()?;
                Ipv4Header { version_ihl: 0x45, total_len, flags_offset: 0, ..header }.with_checksum().push(buf)
            }
            Self::V6(header, id) => {
                // By this the translator knows that the message may be cut again (RFC 7915 section 5.1.1).
                buf.prepend(FragmentHeader::new(protocol::ICMPV6, 0, false, id).bytes())?;
                let payload_len = u16::try_from(buf.len()).ok()?;
                Ipv6Header { payload_len, next_header: protocol::FRAGMENT, ..header }.push(buf)
            }
        }
    }
}

/// One fragment.
struct Piece<'a> {
    key: Key,
    header: Header,
    /// Bytes in front of it.
    offset: usize,
    more: bool,
    bytes: &'a [u8],
}

impl<'a> Piece<'a> {
    fn parse(packet: &'a [u8]) -> Option<Self> {
        let piece = match packet.first()? >> 4 {
            4 => {
                let header = Ipv4Header::parse(packet)?;
                Self {
                    key: Key { source: header.src.into(), destination: header.dst.into(), id: header.id.into() },
                    header: Header::V4(header),
                    offset: usize::from(header.offset()) * 8,
                    more: header.more_fragments(),
                    bytes: packet.get(header.header_len()..)?,
                }
            }
            _ => {
                let header = Ipv6Header::parse(packet)?;
                let chain = extension::walk(packet, header.next_header).ok()?;
                let fragment = chain.fragment?;
                Self {
                    key: Key { source: header.src, destination: header.dst, id: fragment.id() },
                    header: Header::V6(header, fragment.id()),
                    offset: usize::from(fragment.offset()) * 8,
                    more: fragment.more(),
                    bytes: packet.get(chain.upper..)?,
                }
            }
        };
        let room = usize::from(u16::MAX) - IPV6_LEN;
        let fits = piece.offset + piece.bytes.len() <= room;
        let aligned = !piece.more || piece.bytes.len() % 8 == 0;
        (fits && aligned && !piece.bytes.is_empty()).then_some(piece)
    }
}

#[derive(Debug)]
struct Message {
    key: Key,
    since: Duration,
    /// The first fragment's.
    header: Option<Header>,
    bytes: Vec<u8>,
    /// First byte and end of every fragment.
    pieces: Vec<(usize, usize)>,
    /// Where the last fragment ends.
    end: Option<usize>,
    spoiled: bool,
}

impl Message {
    /// `None` if the fragment contradicts another one.
    fn take(&mut self, piece: &Piece<'_>) -> Option<()> {
        let range = (piece.offset, piece.offset + piece.bytes.len());
        if self.pieces.contains(&range) {
            // Sent twice, or not the same at all.
            return (self.bytes.get(range.0..range.1)? == piece.bytes).then_some(());
        }
        let overlaps = self.pieces.iter().any(|&(from, to)| range.0 < to && from < range.1);
        let beyond = match (self.end, piece.more) {
            (Some(end), true) => range.1 > end,
            (Some(_), false) => true,
            (None, true) => false,
            (None, false) => self.bytes.len() > range.1,
        };
        if overlaps || beyond || self.pieces.len() >= MAX_PIECES {
            return None;
        }
        if !piece.more {
            self.end = Some(range.1);
        }
        if piece.offset == 0 {
            self.header = Some(piece.header);
        }
        if self.bytes.len() < range.1 {
            self.bytes.resize(range.1, 0);
        }
        self.bytes.get_mut(range.0..range.1)?.copy_from_slice(piece.bytes);
        self.pieces.push(range);
        Some(())
    }

    /// The header of the message if nothing is missing.
    fn complete(&self) -> Option<Header> {
        let there: usize = self.pieces.iter().map(|(from, to)| to - from).sum();
        self.header.filter(|_| self.end == Some(there))
    }
}

//! Refusals, and the ICMP errors that some of them are answered with.

use zerocopy::byteorder::network_endian::U16;

use crate::checksum::Sum;
use crate::icmp::types;
use crate::wire::{ICMP_LEN, IPV4_LEN, IPV6_LEN, IcmpHeader, Ipv4Header, Ipv6Header, protocol};
use crate::{DropReason, PacketBuf, Translator, Verdict, VnetHeader, extension, icmpv6_checksum};

/// Why a packet does not pass.
#[derive(Debug)]
pub(crate) enum Refusal {
    Drop(DropReason),
    /// The buffer must still hold the packet as it came: it is quoted.
    Answer(DropReason, IcmpError),
}

impl From<DropReason> for Refusal {
    #[inline]
    fn from(reason: DropReason) -> Self {
        Self::Drop(reason)
    }
}

/// Head of an ICMP error to be made, in the family of the packet.
#[derive(Clone, Copy, Debug)]
pub(crate) struct IcmpError {
    pub(crate) kind: u8,
    pub(crate) code: u8,
    pub(crate) rest: [u8; 4],
}

impl IcmpError {
    pub(crate) fn new(kind: u8, code: u8) -> Self {
        Self { kind, code, rest: [0; 4] }
    }
}

/// RFC 1812 section 4.3.2.3.
pub(crate) const MAX_ICMPV4_ERROR: usize = 576;
/// RFC 4443 section 2.4 (c).
pub(crate) const MAX_ICMPV6_ERROR: usize = 1280;

/// The usual default of hosts.
const HOP_LIMIT: u8 = 64;

/// Turns the refused IPv4 packet in `buf` into the ICMPv4 error that goes back to the host.
#[cold]
pub(crate) fn v4(translator: &mut Translator, buf: &mut PacketBuf, reason: DropReason, error: IcmpError) -> Verdict {
    match build_v4(translator, buf, error) {
        Some(()) => Verdict::Reply(reason),
        None => Verdict::Drop(reason),
    }
}

/// Turns the refused IPv6 packet in `buf` into the ICMPv6 error that goes back to its sender.
#[cold]
pub(crate) fn v6(translator: &Translator, buf: &mut PacketBuf, reason: DropReason, error: IcmpError) -> Verdict {
    match build_v6(translator, buf, error) {
        Some(()) => Verdict::Reply(reason),
        None => Verdict::Drop(reason),
    }
}

fn build_v4(translator: &mut Translator, buf: &mut PacketBuf, error: IcmpError) -> Option<()> {
    let refused = Ipv4Header::parse(buf.packet())?;
    // RFC 1812 section 4.3.2.7. Sources and destinations were checked before.
    if refused.offset() != 0 {
        return None;
    }
    if refused.protocol == protocol::ICMP && !types::is_query_v4(*buf.packet().get(refused.header_len())?) {
        return None;
    }
    buf.vnet = VnetHeader::default();
    buf.truncate(MAX_ICMPV4_ERROR - IPV4_LEN - ICMP_LEN);
    let head = IcmpHeader { kind: error.kind, code: error.code, checksum: U16::ZERO, rest: error.rest };
    buf.prepend(head.bytes())?;
    let checksum = Sum::of(buf.packet()).field();
    set_icmp_checksum(buf, checksum)?;
    let header = Ipv4Header {
        version_ihl: 0x45,
        tos: 0,
        total_len: u16::try_from(IPV4_LEN + buf.len()).ok()?,
        id: translator.take_ids(1),
        flags_offset: 0,
        ttl: HOP_LIMIT,
        protocol: protocol::ICMP,
        checksum: 0,
        src: translator.config().gateway_v4.to_bits(),
        dst: refused.src,
    };
    header.with_checksum().push(buf)?;
    Some(())
}

fn build_v6(translator: &Translator, buf: &mut PacketBuf, error: IcmpError) -> Option<()> {
    let refused = Ipv6Header::parse(buf.packet())?;
    let chain = extension::walk(buf.packet(), refused.next_header).ok()?;
    // RFC 4443 section 2.4 (e). The source was found under PREF64, so it is unicast.
    if chain.is_later() {
        return None;
    }
    if chain.protocol == protocol::ICMPV6 && !types::is_query_v6(*buf.packet().get(chain.upper)?) {
        return None;
    }
    let source = translator.config().v6;
    buf.vnet = VnetHeader::default();
    buf.truncate(MAX_ICMPV6_ERROR - IPV6_LEN - ICMP_LEN);
    let head = IcmpHeader { kind: error.kind, code: error.code, checksum: U16::ZERO, rest: error.rest };
    buf.prepend(head.bytes())?;
    let checksum = icmpv6_checksum(source, refused.src(), buf.packet());
    set_icmp_checksum(buf, checksum)?;
    let header = Ipv6Header {
        first_word: Ipv6Header::first_word(0),
        payload_len: u16::try_from(buf.len()).ok()?,
        next_header: protocol::ICMPV6,
        hop_limit: HOP_LIMIT,
        src: source.to_bits(),
        dst: refused.src,
    };
    header.push(buf)?;
    Some(())
}

/// Writes the checksum of the ICMP message that `buf` begins with.
pub(crate) fn set_icmp_checksum(buf: &mut PacketBuf, checksum: u16) -> Option<()> {
    *buf.packet_mut().get_mut(2..)?.first_chunk_mut()? = checksum.to_be_bytes();
    Some(())
}

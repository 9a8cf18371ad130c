//! ICMP errors: head, quotation, extensions.

use core::net::{Ipv4Addr, Ipv6Addr};

use zerocopy::byteorder::network_endian::U16;

use super::multipart::{self, Parts};
use super::quote::{self, Piece};
use super::types::{self, Body, Head};
use super::{extension, node_id, pseudo_header, v4_to_v6, v6_to_v4};
use crate::address::Peer;
use crate::checksum::Sum;
use crate::extension::Chain;
use crate::reply::{MAX_ICMPV4_ERROR, MAX_ICMPV6_ERROR, Refusal, set_icmp_checksum};
use crate::wire::{
    FRAGMENT_LEN, FragmentHeader, ICMP_LEN, IPV4_LEN, IPV6_LEN, IcmpHeader, Ipv4Header, Ipv6Header, protocol,
};
use crate::{DropReason, PacketBuf, Translator, Verdict, VnetHeader, icmpv6_checksum};

/// Units of the length attribute (RFC 4884 sections 4.1 to 4.5).
const V4_UNIT: usize = 4;
const V6_UNIT: usize = 8;

/// An ICMPv4 error from the host, about a packet that came to it.
#[cold]
pub(super) fn outbound(
    translator: &Translator,
    buf: &mut PacketBuf,
    ip: &Ipv4Header,
    icmp: &IcmpHeader,
    peer: Ipv6Addr,
) -> Result<Verdict, Refusal> {
    let [pointer, attribute, mtu @ ..] = icmp.rest;
    let head = types::error_to_v6(icmp.kind, icmp.code, pointer)?;
    let message = buf.packet().get(ip.header_len()..).unwrap_or_default();
    // A new checksum is computed, which must not make a broken message whole.
    if !Sum::of(message).is_zero() {
        return Err(DropReason::BadIcmpChecksum.into());
    }
    let quoted = message.get(ICMP_LEN..).unwrap_or_default();
    let inner = Ipv4Header::parse(quoted).ok_or(DropReason::BadInnerPacket)?;
    let parts = Parts::read(attribute, V4_UNIT, quoted.len());
    let Some(payload) = parts.quotation.checked_sub(inner.header_len()) else {
        return Err(DropReason::BadInnerPacket.into());
    };
    if inner.version() != 4 || inner.header_len() < IPV4_LEN {
        return Err(DropReason::BadInnerPacket.into());
    }
    if inner.dst() != translator.config().v4 || translator.peer(inner.src()) != Peer::Legal {
        return Err(DropReason::ForeignInnerPacket.into());
    }

    buf.vnet = VnetHeader::default();
    buf.pull_front(ip.header_len() + ICMP_LEN + inner.header_len());
    let inner_peer = translator.config().pref64.embed(inner.src());
    let inner_header = inner_to_v6(translator, buf, &inner, inner_peer, payload)?;
    let header_len = IPV6_LEN + if inner.is_fragment() { FRAGMENT_LEN } else { 0 };

    // Packet Too Big and Parameter Problem have no place for a length in ICMPv6, so their extensions are lost.
    let extensions = if head.body == Body::Unused { parts.extensions } else { 0 };
    let room = MAX_ICMPV6_ERROR - IPV6_LEN - ICMP_LEN;
    let attribute =
        multipart::arrange(buf, payload, extensions, header_len, V6_UNIT, room).ok_or(DropReason::TooLong)?;

    if inner.is_fragment() {
        let id = u32::from(inner.id);
        let fragment = FragmentHeader::new(inner_header.next_header, inner.offset(), inner.more_fragments(), id);
        buf.prepend(fragment.bytes()).ok_or(DropReason::TooLong)?;
        let header = Ipv6Header { next_header: protocol::FRAGMENT, ..inner_header };
        header.push(buf).ok_or(DropReason::TooLong)?;
    } else {
        inner_header.push(buf).ok_or(DropReason::TooLong)?;
    }
    let rest = match head.body {
        Body::Unused => [attribute, 0, 0, 0],
        Body::Pointer(pointer) => u32::from(pointer).to_be_bytes(),
        Body::Mtu => {
            let mtu = u16::from_be_bytes(mtu);
            types::mtu_to_v6(mtu, inner.total_len, translator.mtu6(), translator.mtu4()).to_be_bytes()
        }
    };
    push_head(buf, head, rest)?;
    let checksum = icmpv6_checksum(translator.config().v6, peer, buf.packet());
    set_icmp_checksum(buf, checksum).ok_or(DropReason::TooLong)?;
    v4_to_v6::push_header(translator, buf, ip, peer, protocol::ICMPV6)?;
    Ok(Verdict::Forward)
}

/// An ICMPv6 error from the uplink, about a packet the host sent.
#[cold]
pub(super) fn inbound(
    translator: &mut Translator,
    buf: &mut PacketBuf,
    ip: &Ipv6Header,
    chain: &Chain,
    icmp: &IcmpHeader,
    peer: Ipv4Addr,
) -> Result<Verdict, Refusal> {
    let head = types::error_to_v4(icmp.kind, icmp.code, u32::from_be_bytes(icmp.rest))?;
    let message = buf.packet().get(chain.upper..).unwrap_or_default();
    let pseudo = pseudo_header(ip.src(), ip.dst(), message.len());
    if !(pseudo + Sum::of(message)).is_zero() {
        return Err(DropReason::BadIcmpChecksum.into());
    }
    let quoted = message.get(ICMP_LEN..).unwrap_or_default();
    let inner = Ipv6Header::parse(quoted).ok_or(DropReason::BadInnerPacket)?;
    if inner.version() != 6 {
        return Err(DropReason::BadInnerPacket.into());
    }
    let inner_chain = extension::walk(quoted, inner.next_header).map_err(|_| DropReason::BadInnerPacket)?;
    // In the other two the place is taken by MTU and pointer.
    let attribute = match (icmp.kind, icmp.rest) {
        (types::V6_UNREACHABLE | types::V6_TIME_EXCEEDED, [attribute, ..]) => attribute,
        (_, _) => 0,
    };
    let parts = Parts::read(attribute, V6_UNIT, quoted.len());
    let Some(payload) = parts.quotation.checked_sub(inner_chain.upper) else {
        return Err(DropReason::BadInnerPacket.into());
    };
    let inner_peer = translator.config().pref64.extract(inner.dst());
    let Some(inner_peer) = inner_peer.filter(|peer| translator.peer(*peer) == Peer::Legal) else {
        return Err(DropReason::ForeignInnerPacket.into());
    };
    if inner.src() != translator.config().v6 {
        return Err(DropReason::ForeignInnerPacket.into());
    }

    buf.vnet = VnetHeader::default();
    buf.pull_front(chain.upper + ICMP_LEN + inner_chain.upper);
    let inner_header = inner_to_v4(translator, buf, &inner, &inner_chain, inner_peer, payload)?;
    let room = MAX_ICMPV4_ERROR - IPV4_LEN - ICMP_LEN;
    let (payload, extensions) = if peer == v6_to_v4::DUMMY_SOURCE {
        identify(buf, payload, parts.extensions, room, ip.src())?
    } else {
        (payload, parts.extensions)
    };
    let attribute = multipart::arrange(buf, payload, extensions, IPV4_LEN, V4_UNIT, room).ok_or(DropReason::TooLong)?;

    inner_header.push(buf).ok_or(DropReason::TooLong)?;
    let rest = match head.body {
        Body::Unused => [0, attribute, 0, 0],
        Body::Pointer(pointer) => [pointer, attribute, 0, 0],
        Body::Mtu => {
            let mtu = u32::from_be_bytes(icmp.rest);
            let has_fragment = inner_chain.fragment.is_some();
            let [high, low] = types::mtu_to_v4(mtu, translator.mtu6(), translator.mtu4(), has_fragment).to_be_bytes();
            [0, attribute, high, low]
        }
    };
    push_head(buf, head, rest)?;
    let checksum = Sum::of(buf.packet()).field();
    set_icmp_checksum(buf, checksum).ok_or(DropReason::TooLong)?;
    let mut header = v6_to_v4::ipv4_header(translator, ip, peer, protocol::ICMP);
    // At most 576 bytes, so DF stays clear.
    header.id = chain.fragment.map_or_else(|| translator.take_ids(1), |fragment| fragment.low_id());
    v6_to_v4::push_header(buf, header)?;
    Ok(Verdict::Forward)
}

/// Adds which router speaks, and says how long quotation and extensions are then.
fn identify(
    buf: &mut PacketBuf,
    payload: usize,
    extensions: usize,
    room: usize,
    router: Ipv6Addr,
) -> Result<(usize, usize), DropReason> {
    // Without extensions the quotation may reach to the end of the buffer; more than `room` of it is not sent anyway.
    let payload = if extensions == 0 { payload.min(room) } else { payload };
    let extensions = node_id::append(buf, payload, extensions, room, router).ok_or(DropReason::TooLong)?;
    Ok((payload, extensions))
}

/// Translates the quoted transport at the start of `buf` and makes the quoted IPv6 header. The hop limit is not
/// decremented: the packet is past that.
fn inner_to_v6(
    translator: &Translator,
    buf: &mut PacketBuf,
    inner: &Ipv4Header,
    peer: Ipv6Addr,
    payload: usize,
) -> Result<Ipv6Header, DropReason> {
    let upper_len = usize::from(inner.total_len).saturating_sub(inner.header_len());
    let x = translator.config().v6;
    let piece = Piece::new(inner.offset(), inner.more_fragments());
    let delta = translator.delta(inner.src(), peer);
    let l4 = buf.packet_mut().get_mut(..payload).unwrap_or_default();
    let next_header = quote::to_v6(l4, inner.protocol, piece, delta, pseudo_header(peer, x, upper_len))?;
    let payload_len = upper_len + if inner.is_fragment() { FRAGMENT_LEN } else { 0 };
    Ok(Ipv6Header {
        first_word: Ipv6Header::first_word(translator.traffic_class(inner.tos)),
        payload_len: u16::try_from(payload_len).unwrap_or(u16::MAX),
        next_header,
        hop_limit: inner.ttl,
        src: peer.to_bits(),
        dst: x.to_bits(),
    })
}

/// As [`inner_to_v6`], the other way.
fn inner_to_v4(
    translator: &Translator,
    buf: &mut PacketBuf,
    inner: &Ipv6Header,
    chain: &Chain,
    peer: Ipv4Addr,
    payload: usize,
) -> Result<Ipv4Header, DropReason> {
    let upper_len = (usize::from(inner.payload_len) + IPV6_LEN).saturating_sub(chain.upper);
    let (offset, more) = chain.fragment.map_or((0, false), |f| (f.offset(), f.more()));
    let delta = -translator.delta(peer, inner.dst());
    let pseudo = -pseudo_header(inner.src(), inner.dst(), upper_len);
    let l4 = buf.packet_mut().get_mut(..payload).unwrap_or_default();
    let number = quote::to_v4(l4, chain.protocol, Piece::new(offset, more), delta, pseudo)?;
    let total = IPV4_LEN + upper_len;
    let flags = if more {
        Ipv4Header::MORE_FRAGMENTS
    } else if chain.fragment.is_none() && v6_to_v4::dont_fragment(total) {
        Ipv4Header::DONT_FRAGMENT
    } else {
        0
    };
    let header = Ipv4Header {
        version_ihl: 0x45,
        tos: translator.traffic_class(inner.traffic_class()),
        total_len: u16::try_from(total).unwrap_or(u16::MAX),
        // Without a Fragment header the identification did not survive the way out.
        id: chain.fragment.map_or(0, |f| f.low_id()),
        flags_offset: flags | offset,
        ttl: inner.hop_limit,
        protocol: number,
        checksum: 0,
        src: translator.config().v4.to_bits(),
        dst: peer.to_bits(),
    };
    Ok(header.with_checksum())
}

/// Puts the ICMP head in front of the quotation, checksum zero.
fn push_head(buf: &mut PacketBuf, head: Head, rest: [u8; 4]) -> Result<(), DropReason> {
    let header = IcmpHeader { kind: head.kind, code: head.code, checksum: U16::ZERO, rest };
    buf.prepend(header.bytes()).ok_or(DropReason::TooLong)
}

//! From the host's IPv4 to the uplink's IPv6 (RFC 7915 section 4).

use core::net::Ipv6Addr;

use crate::address::{self, Peer};
use crate::checksum::Sum;
use crate::icmp::{self, types};
use crate::offload::{self, Offload};
use crate::reply::{IcmpError, Refusal};
use crate::wire::{FRAGMENT_LEN, FragmentHeader, IPV4_LEN, IPV6_LEN, Ipv4Header, Ipv6Header, protocol};
use crate::{Config, DropReason, Fragments, PacketBuf, Translator, Verdict, VnetHeader, transport};

/// One packet, all six steps.
pub(crate) fn translate(translator: &mut Translator, buf: &mut PacketBuf) -> Result<Verdict, Refusal> {
    let ip = checked_header(buf)?;
    check_addresses(&ip, translator)?;
    if ip.header_len() != IPV4_LEN {
        check_options(buf.packet(), ip.header_len())?;
    }
    if ip.ttl <= 1 {
        let error = IcmpError::new(types::V4_TIME_EXCEEDED, 0);
        return Err(Refusal::Answer(DropReason::TtlExpired, error));
    }
    let peer = translator.config().pref64.embed(ip.dst());
    match ip.protocol {
        protocol::ICMP => icmp::outbound(translator, buf, &ip, peer),
        protocol::IGMP => Err(DropReason::Igmp.into()),
        protocol::ICMPV6 => Err(DropReason::WrongIcmpFamily.into()),
        _ if ip.is_fragment() => fragment(translator, buf, &ip, peer),
        _ => whole(translator, buf, &ip, peer),
    }
}

/// How the result goes out.
#[derive(Clone, Copy)]
pub(crate) enum Fit {
    Whole,
    Cut,
}

/// Whether the result fits, before anything is changed (RFC 7915 section 4.1).
#[inline(always)]
pub(crate) fn fit(translator: &Translator, ip: &Ipv4Header, len: usize, offload: Offload) -> Result<Fit, Refusal> {
    let growth = IPV6_LEN + if ip.is_fragment() { FRAGMENT_LEN } else { 0 };
    let (result, divisible) = match offload.segments {
        Some(segments) => (growth + segments.len, false),
        None => (growth + len - ip.header_len(), !ip.dont_fragment()),
    };
    let mtu6 = translator.mtu6();
    if !divisible && result > usize::from(mtu6) {
        return Err(too_big(mtu6, growth));
    }
    if divisible && result > usize::from(fragment_mtu(translator)) { Ok(Fit::Cut) } else { Ok(Fit::Whole) }
}

/// Replaces the IPv4 header by the IPv6 header, and the Fragment header where there was a fragment.
#[inline(always)]
pub(crate) fn finish(
    translator: &Translator,
    buf: &mut PacketBuf,
    ip: &Ipv4Header,
    peer: Ipv6Addr,
    next_header: u8,
    fit: Fit,
) -> Result<Verdict, Refusal> {
    if matches!(fit, Fit::Cut) {
        return Ok(cut(translator, buf, ip, peer, next_header));
    }
    if ip.is_fragment() {
        return with_fragment_header(translator, buf, ip, peer, next_header);
    }
    let old = ip.header_len();
    offload::shift(&mut buf.vnet, old, IPV6_LEN, VnetHeader::GSO_TCPV6);
    buf.pull_front(old);
    push_header(translator, buf, ip, peer, next_header)?;
    Ok(Verdict::Forward)
}

/// Puts the IPv6 header in front of what `buf` holds.
#[inline(always)]
pub(crate) fn push_header(
    translator: &Translator,
    buf: &mut PacketBuf,
    ip: &Ipv4Header,
    peer: Ipv6Addr,
    next_header: u8,
) -> Result<(), DropReason> {
    let payload_len = u16::try_from(buf.len()).map_err(|_| DropReason::TooLong)?;
    let header = ipv6_header(translator, ip, peer, next_header, payload_len);
    header.push(buf).ok_or(DropReason::TooLong)?;
    Ok(())
}

#[inline(always)]
fn ipv6_header(
    translator: &Translator,
    ip: &Ipv4Header,
    peer: Ipv6Addr,
    next_header: u8,
    payload_len: u16,
) -> Ipv6Header {
    Ipv6Header {
        first_word: Ipv6Header::first_word(translator.traffic_class(ip.tos)),
        payload_len,
        next_header,
        hop_limit: ip.ttl.saturating_sub(1),
        src: translator.config().v6.to_bits(),
        dst: peer.to_bits(),
    }
}

/// The fixed header, checked; what follows the stated length is cut off (Ethernet padding).
#[inline(always)]
fn checked_header(buf: &mut PacketBuf) -> Result<Ipv4Header, DropReason> {
    let packet = buf.packet();
    if packet.first().is_some_and(|first| first >> 4 != 4) {
        return Err(DropReason::NotIpv4);
    }
    let ip = Ipv4Header::parse(packet).ok_or(DropReason::Truncated)?;
    let header_len = ip.header_len();
    let total_len = usize::from(ip.total_len);
    if header_len < IPV4_LEN || header_len > packet.len() {
        return Err(DropReason::BadHeaderLength);
    }
    if total_len < header_len {
        return Err(DropReason::BadTotalLength);
    }
    if total_len > packet.len() {
        return Err(DropReason::Truncated);
    }
    let mut sum = ip.sum();
    if header_len > IPV4_LEN {
        sum = sum + Sum::of(packet.get(IPV4_LEN..header_len).unwrap_or_default());
    }
    if !sum.is_zero() {
        return Err(DropReason::BadIpv4Checksum);
    }
    buf.truncate(total_len);
    Ok(ip)
}

#[inline(always)]
fn check_addresses(ip: &Ipv4Header, translator: &Translator) -> Result<(), Refusal> {
    if ip.src() != translator.config().v4 {
        return Err(address::wrong_source(ip.src()).into());
    }
    match translator.peer(ip.dst()) {
        Peer::Legal => Ok(()),
        Peer::Illegal => Err(DropReason::IllegalDestination.into()),
        Peer::Private => {
            let error = IcmpError::new(types::V4_UNREACHABLE, types::V4_PROHIBITED);
            Err(Refusal::Answer(DropReason::PrivateDestination, error))
        }
    }
}

/// Options are ignored, except a source route with hops left (RFC 7915 section 4.1).
#[cold]
fn check_options(packet: &[u8], header_len: usize) -> Result<(), Refusal> {
    const END: u8 = 0;
    const NOP: u8 = 1;
    const LOOSE_ROUTE: u8 = 131;
    const STRICT_ROUTE: u8 = 137;
    let mut options = packet.get(IPV4_LEN..header_len).unwrap_or_default();
    loop {
        options = match *options {
            [] | [END, ..] => return Ok(()),
            [NOP, ref rest @ ..] => rest,
            // RFC 791 section 3.1: the route is used up when the pointer is beyond the length.
            [LOOSE_ROUTE | STRICT_ROUTE, length, pointer, ..] if pointer <= length => {
                let error = IcmpError::new(types::V4_UNREACHABLE, types::V4_SOURCE_ROUTE_FAILED);
                return Err(Refusal::Answer(DropReason::SourceRoute, error));
            }
            // Malformed options are ignored like the others.
            [_, length, ..] if length >= 2 => options.get(usize::from(length)..).unwrap_or_default(),
            [..] => return Ok(()),
        };
    }
}

/// A packet that is all there.
#[inline(always)]
fn whole(
    translator: &mut Translator,
    buf: &mut PacketBuf,
    ip: &Ipv4Header,
    peer: Ipv6Addr,
) -> Result<Verdict, Refusal> {
    let number = ip.protocol;
    let offload = offload::check(buf, ip.header_len(), number, VnetHeader::GSO_TCPV4)?;
    let fit = fit(translator, ip, buf.len(), offload)?;
    let delta = translator.delta(ip.dst(), peer);
    let l4 = buf.packet_mut().get_mut(ip.header_len()..).unwrap_or_default();
    transport::check_len(l4, number)?;
    if number == protocol::UDP && !offload.partial && transport::is_udp_zero(l4) {
        if offload.segments.is_some() {
            return Err(DropReason::BadOffload.into());
        }
        transport::fill_udp_zero(l4, translator.config(), peer)?;
    } else if !transport::update(l4, number, delta, offload.partial) {
        return Err(DropReason::BadTransport.into());
    }
    finish(translator, buf, ip, peer, number, fit)
}

/// A fragment; only the first has a transport header.
#[cold]
fn fragment(
    translator: &mut Translator,
    buf: &mut PacketBuf,
    ip: &Ipv4Header,
    peer: Ipv6Addr,
) -> Result<Verdict, Refusal> {
    if buf.vnet.needs_csum() || buf.vnet.is_gso() {
        return Err(DropReason::BadOffload.into());
    }
    if usize::from(ip.offset()) * 8 + buf.len() - ip.header_len() > usize::from(u16::MAX) {
        return Err(DropReason::BadFragment.into());
    }
    let fit = fit(translator, ip, buf.len(), Offload::default())?;
    if ip.offset() == 0 {
        let delta = translator.delta(ip.dst(), peer);
        let l4 = buf.packet_mut().get_mut(ip.header_len()..).unwrap_or_default();
        if ip.protocol == protocol::UDP && transport::is_udp_zero(l4) {
            return Err(DropReason::UdpZeroChecksumFragment.into());
        }
        if !transport::update(l4, ip.protocol, delta, false) {
            return Err(DropReason::FragmentWithoutChecksum.into());
        }
    }
    finish(translator, buf, ip, peer, ip.protocol, fit)
}

/// RFC 7915 section 4.1: offset, flag and identification are copied.
#[cold]
fn with_fragment_header(
    translator: &Translator,
    buf: &mut PacketBuf,
    ip: &Ipv4Header,
    peer: Ipv6Addr,
    next_header: u8,
) -> Result<Verdict, Refusal> {
    buf.vnet = VnetHeader::default();
    buf.pull_front(ip.header_len());
    let fragment = FragmentHeader::new(next_header, ip.offset(), ip.more_fragments(), u32::from(ip.id));
    buf.prepend(fragment.bytes()).ok_or(DropReason::TooLong)?;
    push_header(translator, buf, ip, peer, protocol::FRAGMENT)?;
    Ok(Verdict::Forward)
}

#[cold]
fn cut(translator: &Translator, buf: &mut PacketBuf, ip: &Ipv4Header, peer: Ipv6Addr, next_header: u8) -> Verdict {
    // What is cut cannot be finished by the kernel.
    offload::finish(buf);
    buf.vnet = VnetHeader::default();
    buf.pull_front(ip.header_len());
    let header = ipv6_header(translator, ip, peer, next_header, 0);
    let id = u32::from(ip.id);
    let mtu = fragment_mtu(translator);
    Verdict::Fragments(Fragments::v6(buf, header, id, ip.offset(), ip.more_fragments(), mtu))
}

/// Size of the fragments we make. RFC 7915 section 4.1 lets it be raised above 1280 only.
#[inline(always)]
pub(crate) fn fragment_mtu(translator: &Translator) -> u16 {
    translator.config().lowest_ipv6_mtu.min(translator.mtu6()).max(Config::MIN_MTU6)
}

/// Fragmentation Needed, with the IPv4 size that fits (RFC 7915 section 4.1; RFC 1191 section 4).
#[cold]
fn too_big(mtu6: u16, growth: usize) -> Refusal {
    let mtu = mtu6.saturating_sub(if growth > IPV6_LEN { 28 } else { 20 });
    let error =
        IcmpError { rest: u32::from(mtu).to_be_bytes(), ..IcmpError::new(types::V4_UNREACHABLE, types::V4_TOO_BIG) };
    Refusal::Answer(DropReason::TooBig, error)
}

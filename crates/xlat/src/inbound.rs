//! From the uplink's IPv6 to the host's IPv4 (RFC 7915 section 5).

use core::net::Ipv4Addr;

use crate::address::Peer;
use crate::extension::{self, Chain};
use crate::icmp::{self, types};
use crate::offload::{self, Offload};
use crate::reply::{IcmpError, Refusal};
use crate::wire::{IPV4_LEN, IPV6_LEN, Ipv4Header, Ipv6Header, protocol};
use crate::{Config, DropReason, Fragments, PacketBuf, Translator, Verdict, VnetHeader, transport};

/// The IPv4 source of ICMP errors from routers that have no IPv4 address, 192.0.0.8 (RFC 7600 section 4.8;
/// draft-ietf-v6ops-icmpext-xlat-v6only-source section 4). They did not come through the NAT64.
pub const DUMMY_SOURCE: Ipv4Addr = Ipv4Addr::new(192, 0, 0, 8);

/// RFC 7915 section 5.1: IPv4 results up to this length may be fragmented on their way, longer ones have DF set. It is
/// what a packet of 1280 bytes, the guaranteed minimum, becomes.
const DIVISIBLE_LEN: usize = 1260;

/// One packet, all six steps.
pub(crate) fn translate(translator: &mut Translator, buf: &mut PacketBuf) -> Result<Verdict, Refusal> {
    let ip = checked_header(buf)?;
    if ip.dst() != translator.config().v6 {
        return Err(DropReason::NotForUs.into());
    }
    let chain = match ip.next_header {
        protocol::TCP | protocol::UDP => {
            Chain { upper: IPV6_LEN, protocol: ip.next_header, fragment: None, segments_left: None }
        }
        first => extension::walk(buf.packet(), first)?,
    };
    let peer = source(translator, buf, &ip, &chain)?;
    if ip.hop_limit <= 1 {
        let error = IcmpError::new(types::V6_TIME_EXCEEDED, 0);
        return Err(Refusal::Answer(DropReason::TtlExpired, error));
    }
    if let Some(position) = chain.segments_left {
        let error = IcmpError { rest: position.to_be_bytes(), ..IcmpError::new(types::V6_PARAMETER_PROBLEM, 0) };
        return Err(Refusal::Answer(DropReason::RoutingHeader, error));
    }
    match chain.protocol {
        protocol::ICMPV6 => icmp::inbound(translator, buf, &ip, &chain, peer),
        protocol::ICMP => Err(DropReason::WrongIcmpFamily.into()),
        protocol::IGMP => Err(DropReason::Igmp.into()),
        _ if chain.fragment.is_some() => fragment(translator, buf, &ip, &chain, peer),
        _ => whole(translator, buf, &ip, &chain, peer),
    }
}

/// How the result goes out.
#[derive(Clone, Copy)]
pub(crate) struct Fit {
    cut: bool,
    dont_fragment: bool,
    /// Identifications used up.
    count: u16,
}

/// Whether the result fits, before anything is changed.
#[inline(always)]
pub(crate) fn fit(translator: &Translator, len: usize, chain: &Chain, offload: Offload) -> Result<Fit, Refusal> {
    let total = IPV4_LEN + len - chain.upper;
    if total > usize::from(u16::MAX) {
        return Err(DropReason::TooLong.into());
    }
    let (result, count) = match offload.segments {
        Some(segments) => (IPV4_LEN + segments.len, segments.count()),
        None => (total, 1),
    };
    let dont_fragment = chain.fragment.is_none() && result > DIVISIBLE_LEN;
    let cut = result > usize::from(translator.mtu4());
    if cut && (dont_fragment || offload.segments.is_some()) {
        return Err(too_big(translator));
    }
    Ok(Fit { cut, dont_fragment, count })
}

/// Replaces the IPv6 header, and whatever extension headers follow it, by the IPv4 header.
#[inline(always)]
pub(crate) fn finish(
    translator: &mut Translator,
    buf: &mut PacketBuf,
    ip: &Ipv6Header,
    chain: &Chain,
    peer: Ipv4Addr,
    number: u8,
    fit: Fit,
) -> Result<Verdict, Refusal> {
    if fit.cut || chain.fragment.is_some() {
        return finish_fragment(translator, buf, ip, chain, peer, number, fit);
    }
    let (id, flags) =
        if fit.dont_fragment { (0, Ipv4Header::DONT_FRAGMENT) } else { (translator.take_ids(fit.count), 0) };
    offload::shift(&mut buf.vnet, chain.upper, IPV4_LEN, VnetHeader::GSO_TCPV4);
    buf.pull_front(chain.upper);
    let mut header = ipv4_header(translator, ip, peer, number);
    header.id = id;
    header.flags_offset = flags;
    push_header(buf, header)?;
    Ok(Verdict::Forward)
}

/// Puts an IPv4 header in front of what `buf` holds; length and checksum are filled in.
#[inline(always)]
pub(crate) fn push_header(buf: &mut PacketBuf, mut header: Ipv4Header) -> Result<(), DropReason> {
    header.total_len = u16::try_from(IPV4_LEN + buf.len()).map_err(|_| DropReason::TooLong)?;
    header.with_checksum().push(buf).ok_or(DropReason::TooLong)?;
    Ok(())
}

/// The header without length, identification, flags and checksum.
#[inline(always)]
pub(crate) fn ipv4_header(translator: &Translator, ip: &Ipv6Header, peer: Ipv4Addr, number: u8) -> Ipv4Header {
    Ipv4Header {
        version_ihl: 0x45,
        tos: translator.traffic_class(ip.traffic_class()),
        total_len: 0,
        id: 0,
        flags_offset: 0,
        ttl: ip.hop_limit.saturating_sub(1),
        protocol: number,
        checksum: 0,
        src: peer.to_bits(),
        dst: translator.config().v4.to_bits(),
    }
}

/// RFC 7915 section 5.1: whether an unfragmented packet of this IPv4 length gets DF.
#[inline(always)]
pub(crate) fn dont_fragment(total: usize) -> bool {
    total > DIVISIBLE_LEN
}

/// The fixed header, checked; what follows the stated length is cut off (Ethernet padding).
#[inline(always)]
fn checked_header(buf: &mut PacketBuf) -> Result<Ipv6Header, DropReason> {
    let packet = buf.packet();
    if packet.first().is_some_and(|first| first >> 4 != 6) {
        return Err(DropReason::NotIpv6);
    }
    let ip = Ipv6Header::parse(packet).ok_or(DropReason::Truncated)?;
    let payload_len = usize::from(ip.payload_len);
    if IPV6_LEN + payload_len > packet.len() {
        return Err(DropReason::Truncated);
    }
    buf.truncate(IPV6_LEN + payload_len);
    Ok(ip)
}

/// The IPv4 address the packet comes from.
#[inline(always)]
fn source(translator: &Translator, buf: &PacketBuf, ip: &Ipv6Header, chain: &Chain) -> Result<Ipv4Addr, DropReason> {
    let config = translator.config();
    let Some(peer) = config.pref64.extract(ip.src()) else {
        return foreign_source(config, buf, ip, chain);
    };
    match translator.peer(peer) {
        Peer::Legal => Ok(peer),
        Peer::Illegal => Err(DropReason::IllegalSource),
        Peer::Private => Err(DropReason::PrivateSource),
    }
}

/// Only routers may speak from elsewhere, and only in ICMPv6 errors.
#[cold]
fn foreign_source(config: &Config, buf: &PacketBuf, ip: &Ipv6Header, chain: &Chain) -> Result<Ipv4Addr, DropReason> {
    let src = ip.src();
    // Nobody else speaks as X.
    let is_ours = src == config.v6;
    if is_ours || src.is_unspecified() || src.is_loopback() || src.is_multicast() || src.to_ipv4_mapped().is_some() {
        return Err(DropReason::IllegalSource);
    }
    let is_error = chain.protocol == protocol::ICMPV6
        && !chain.is_later()
        && buf.packet().get(chain.upper).is_some_and(|kind| types::is_error_v6(*kind));
    // Under the prefix are IPv4 addresses only: one that cannot be read is nobody, not a router without.
    let is_router = is_error && !config.pref64.contains(src);
    if is_router { Ok(DUMMY_SOURCE) } else { Err(DropReason::NotFromPref64) }
}

/// A packet that is all there, without a Fragment header.
#[inline(always)]
fn whole(
    translator: &mut Translator,
    buf: &mut PacketBuf,
    ip: &Ipv6Header,
    chain: &Chain,
    peer: Ipv4Addr,
) -> Result<Verdict, Refusal> {
    let number = chain.protocol;
    let offload = offload::check(buf, chain.upper, number, VnetHeader::GSO_TCPV6)?;
    let fit = fit(translator, buf.len(), chain, offload)?;
    let delta = -translator.delta(peer, ip.src());
    let l4 = buf.packet_mut().get_mut(chain.upper..).unwrap_or_default();
    transport::check_len(l4, number)?;
    if !transport::update(l4, number, delta, offload.partial) {
        return Err(DropReason::BadTransport.into());
    }
    finish(translator, buf, ip, chain, peer, number, fit)
}

/// A fragment, possibly a lone one; only the first has a transport header.
#[cold]
fn fragment(
    translator: &mut Translator,
    buf: &mut PacketBuf,
    ip: &Ipv6Header,
    chain: &Chain,
    peer: Ipv4Addr,
) -> Result<Verdict, Refusal> {
    if extension::is_extension(chain.protocol) {
        return Err(DropReason::FragmentedExtension.into());
    }
    if buf.vnet.needs_csum() || buf.vnet.is_gso() {
        return Err(DropReason::BadOffload.into());
    }
    let offset = chain.fragment.map_or(0, |f| usize::from(f.offset()) * 8);
    let fit = fit(translator, buf.len(), chain, Offload::default())?;
    if IPV4_LEN + offset + buf.len() - chain.upper > usize::from(u16::MAX) {
        return Err(DropReason::BadFragment.into());
    }
    if !chain.is_later() {
        let delta = -translator.delta(peer, ip.src());
        let l4 = buf.packet_mut().get_mut(chain.upper..).unwrap_or_default();
        if !chain.is_partial() {
            transport::check_len(l4, chain.protocol)?;
        }
        if !transport::update(l4, chain.protocol, delta, false) {
            return Err(DropReason::FragmentWithoutChecksum.into());
        }
    }
    finish(translator, buf, ip, chain, peer, chain.protocol, fit)
}

/// RFC 7915 section 5.1.1, and section 5.1 for what must be cut to fit.
#[cold]
fn finish_fragment(
    translator: &mut Translator,
    buf: &mut PacketBuf,
    ip: &Ipv6Header,
    chain: &Chain,
    peer: Ipv4Addr,
    number: u8,
    fit: Fit,
) -> Result<Verdict, Refusal> {
    offload::finish(buf);
    buf.vnet = VnetHeader::default();
    buf.pull_front(chain.upper);
    let mut header = ipv4_header(translator, ip, peer, number);
    header.id = match chain.fragment {
        Some(fragment) => fragment.low_id(),
        None => translator.take_ids(fit.count),
    };
    let (offset, more) = chain.fragment.map_or((0, false), |f| (f.offset(), f.more()));
    if fit.cut {
        return Ok(Verdict::Fragments(Fragments::v4(buf, header, offset, more, translator.mtu4())));
    }
    let flag = if more { Ipv4Header::MORE_FRAGMENTS } else { 0 };
    header.flags_offset = offset | flag;
    push_header(buf, header)?;
    Ok(Verdict::Forward)
}

/// Packet Too Big, with the IPv6 size that fits, but never below what IPv6 guarantees.
#[cold]
fn too_big(translator: &Translator) -> Refusal {
    let mtu = translator.mtu4().saturating_add(20).max(Config::MIN_MTU6);
    let error = IcmpError { rest: u32::from(mtu).to_be_bytes(), ..IcmpError::new(types::V6_TOO_BIG, 0) };
    Refusal::Answer(DropReason::TooBig, error)
}

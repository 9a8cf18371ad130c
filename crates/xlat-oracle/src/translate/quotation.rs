//! The packet in error, and what RFC 4884 puts behind it (RFC 7915 sections 4.2, 4.3, 5.2, 5.3).

use super::header::{Fragment, Head6, Ipv4, Ipv6, read4, read6, walk, write4, write6};
use super::message::{addresses4, addresses6, echo, field, put};
use super::reply::QUERIES;
use super::{ICMP, ICMPV6, Oracle, Refusal, UDP, silent};
use crate::address::{Kind, kind};
use crate::numbers::{be16, carried, sum};
use crate::{V4, V6};

/// The quotation and the extensions of `body`, which follows the first eight bytes of an error. `attribute` is the length
/// attribute in `unit` bytes; RFC 4884 section 5.5: zero means no extensions, and so does one that reaches to the end
/// or beyond it.
pub(crate) fn split(body: &[u8], attribute: u8, unit: usize) -> (&[u8], &[u8]) {
    let length = usize::from(attribute) * unit;
    if length == 0 || length > body.len() { (body, &[]) } else { body.split_at(length) }
}

/// Puts quotation and extensions together within `room`: the quotation is cut before the extensions are given up, but
/// never below 128 bytes; with extensions it is padded to 128 bytes and whole units (RFC 4884 sections 3 and 4.1).
/// Also returns the new length attribute.
pub(crate) fn join(mut quotation: Vec<u8>, extensions: &[u8], unit: usize, room: usize) -> (Vec<u8>, u8) {
    if extensions.is_empty() || extensions.len() + 128 > room {
        quotation.truncate(room);
        return (quotation, 0);
    }
    quotation.truncate((room - extensions.len()) / unit * unit);
    while quotation.len() < 128 || !quotation.len().is_multiple_of(unit) {
        quotation.push(0);
    }
    let attribute = u8::try_from(quotation.len() / unit).expect("within the room");
    quotation.extend(extensions);
    (quotation, attribute)
}

/// An IPv4 packet in error from the uplink's side of the host, as the uplink knows it.
pub(crate) fn to_v6(oracle: &Oracle, quotation: &[u8]) -> Result<Vec<u8>, Refusal> {
    let setup = &oracle.setup;
    let Some(inner) = inner4(quotation) else { return silent("bad-inner-packet") };
    let passes = kind(inner.src, setup) == Kind::Legal && ![2, ICMPV6].contains(&inner.protocol);
    if inner.dst != setup.v4 || !passes {
        return silent("foreign-inner-packet");
    }
    let (src, dst) = (setup.prefix.embed(inner.src), setup.v6);
    let is_part = inner.mf || inner.offset != 0;
    // Some routers quote a total length without the header's.
    let length = inner.total.saturating_sub(inner.header);
    let (from, to) = (addresses4(inner.src, inner.dst), addresses6(src, dst));
    let whole = (!is_part).then_some(length);
    let (next, payload) = transport(&inner.payload, inner.protocol, inner.offset, whole, &from, &to)?;
    let fragment = is_part.then_some(Fragment { offset: inner.offset, more: inner.mf, id: inner.id.into() });
    let head = Head6 { class: setup.class(inner.tos), hops: inner.ttl, src, dst, next, fragment };
    Ok(write6(head, &payload, Some(length + if is_part { 8 } else { 0 })))
}

fn inner4(quotation: &[u8]) -> Option<Ipv4> {
    let header = usize::from(quotation.first()? & 0x0f) * 4;
    if quotation[0] >> 4 != 4 || header < 20 || quotation.len() < header {
        return None;
    }
    Some(read4(quotation))
}

/// The IPv6 packet in error, read with its extension headers.
pub(crate) fn inner6(quotation: &[u8]) -> Result<Ipv6, Refusal> {
    if quotation.len() < 40 || quotation[0] >> 4 != 6 {
        return silent("bad-inner-packet");
    }
    let mut inner = read6(quotation);
    if walk(&mut inner).is_err() {
        return silent("bad-inner-packet");
    }
    Ok(inner)
}

/// A packet that the host sent, as the uplink knows it, as the host knows it.
pub(crate) fn to_v4(oracle: &Oracle, inner: &Ipv6) -> Result<Vec<u8>, Refusal> {
    let setup = &oracle.setup;
    let peer = setup.prefix.extract(inner.dst).filter(|peer| kind(*peer, setup) == Kind::Legal);
    let Some(peer) = peer.filter(|_| inner.src == setup.v6 && ![2, ICMP].contains(&inner.next)) else {
        return silent("foreign-inner-packet");
    };
    let length = inner.length.saturating_sub(inner.extensions);
    // More than IPv4 can say, nobody has sent.
    let total = (20 + length).min(65_535);
    let (from, to) = (addresses6(inner.src, inner.dst), addresses4(setup.v4, peer));
    let offset = inner.fragment.map_or(0, |fragment| fragment.offset);
    let whole = (!inner.is_part()).then_some(length);
    let (protocol, payload) = transport(&inner.payload, inner.next, offset, whole, &from, &to)?;
    let ip = Ipv4 {
        header: 20,
        tos: setup.class(inner.class),
        total,
        id: inner.fragment.map_or(0, |fragment| u16::try_from(fragment.id & 0xffff).expect("16 bits")),
        df: inner.fragment.is_none() && total > 1260,
        mf: inner.fragment.is_some_and(|fragment| fragment.more),
        offset,
        ttl: inner.hops,
        protocol,
        src: setup.v4,
        dst: peer,
        options: Vec::new(),
        payload,
    };
    Ok(write4(&ip, Some(total)))
}

/// The transport part of a quotation, as far as it is there, and its protocol. `whole` is the length of the message, if
/// the packet was no fragment. What was quoted is not judged: only the difference that translation makes is applied.
fn transport(
    message: &[u8],
    protocol: u8,
    offset: u16,
    whole: Option<usize>,
    from: &[u8],
    to: &[u8],
) -> Result<(u8, Vec<u8>), Refusal> {
    let six = if to.len() == size_of::<[V6; 2]>() { to } else { from };
    debug_assert_eq!(from.len() + to.len(), size_of::<[V6; 2]>() + size_of::<[V4; 2]>());
    if protocol == ICMP || protocol == ICMPV6 {
        let new = if protocol == ICMP { ICMPV6 } else { ICMP };
        if offset != 0 {
            return Ok((new, message.to_vec()));
        }
        let Some(first) = message.first() else { return Ok((new, Vec::new())) };
        let kind = match (protocol, first) {
            (ICMP, 8) => 128,
            (ICMP, 0) => 129,
            (ICMPV6, 128) => 8,
            (ICMPV6, 129) => 0,
            (ICMP, kind) if QUERIES.contains(kind) => return silent("icmp-type"),
            (ICMPV6, 128..=136 | 138..) => return silent("icmp-type"),
            _ => return silent("nested-icmp-error"),
        };
        return Ok((new, echo(message, kind, new, six, whole)));
    }
    let mut message = message.to_vec();
    if let Some(at) = field(protocol).filter(|at| offset == 0 && message.len() >= at + 2) {
        let old = be16(&message, at);
        if !(protocol == UDP && old == 0) {
            put(&mut message, protocol, at, carried(old, !sum(&[from]), !sum(&[to])));
        }
    }
    Ok((protocol, message))
}

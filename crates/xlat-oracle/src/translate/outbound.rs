//! IPv4 to IPv6 (RFC 7915 section 4).

use super::header::{Fragment, Head6, Ipv4, whole4, write6};
use super::message::{NoChecksum, Part, addresses4, addresses6, echo, finish, is_right, right_icmp, transport};
use super::offload::{Offload, Task, Unfinished, after, task};
use super::{Answer, ICMP, ICMPV6, Oracle, Outcome, Refusal, UDP, error, quotation, silent};
use crate::address::{Kind, is_nobodys, kind};
use crate::numbers::{be16, put16, short};

const TCP_OVER_V4: u8 = 1;
const TCP_OVER_V6: u8 = 4;

/// A checksum that has to be finished here is finished in `packet`.
pub(super) fn translate(oracle: &mut Oracle, packet: &mut Vec<u8>, mut offload: Offload) -> Outcome {
    let mut ip = whole4(packet)?;
    addresses(oracle, &ip)?;
    if ip.ttl <= 1 {
        source_route(&ip)?;
        return Err(Refusal::Told("ttl-expired", 11, 0, [0; 4]));
    }
    source_route(&ip)?;
    let is_part = ip.mf || ip.offset != 0;
    match ip.protocol {
        2 => return silent("igmp"),
        ICMPV6 => return silent("wrong-icmp-family"),
        ICMP if is_part => return silent("fragmented-icmp"),
        _ => {}
    }
    let mut task = task(offload, ip.header, ip.protocol, &ip.payload, is_part, TCP_OVER_V4)?;
    if ip.protocol == ICMP && task.unfinished != Unfinished::No {
        // No later hand finishes checksums of ICMP.
        packet.truncate(ip.total);
        finish(&mut packet[offload.csum_start.into()..], offload.csum_offset.into());
        ip.payload = packet[ip.header..].to_vec();
        (offload, task.unfinished) = (Offload::default(), Unfinished::No);
    }
    if usize::from(ip.offset) * 8 + ip.payload.len() > 65_535 {
        return silent("bad-fragment");
    }
    let kind = ip.payload.first().copied().unwrap_or_default();
    if ip.protocol == ICMP && [3, 11, 12].contains(&kind) {
        return icmp_error(oracle, &ip);
    }
    if ip.protocol == ICMP && ip.payload.len() >= 8 && !matches!(ip.payload[0], 8 | 0) {
        return silent("icmp-type");
    }
    size(oracle, &ip, task)?;
    ordinary(oracle, &ip, offload, task)
}

fn addresses(oracle: &Oracle, ip: &Ipv4) -> Result<(), Refusal> {
    if ip.src != oracle.setup.v4 {
        return silent(if is_nobodys(ip.src) { "illegal-source" } else { "foreign-source" });
    }
    match kind(ip.dst, &oracle.setup) {
        Kind::Legal => Ok(()),
        Kind::Illegal => silent("illegal-destination"),
        Kind::Private => Err(Refusal::Told("private-destination", 3, 13, [0; 4])),
    }
}

/// Loose and strict source routes (RFC 791 section 3.1): the pointer, from 1, is beyond the option when it is used up.
/// Malformed options are ignored with the rest.
fn source_route(ip: &Ipv4) -> Result<(), Refusal> {
    let mut options = ip.options.as_slice();
    while let Some(option) = options.first() {
        if *option == 0 {
            break;
        }
        if *option == 1 {
            options = &options[1..];
            continue;
        }
        let length = options.get(1).copied().map_or(0, usize::from);
        // Whatever its length: one that has hops left.
        if [131, 137].contains(option) && options.get(2).is_some_and(|pointer| usize::from(*pointer) <= length) {
            return Err(Refusal::Told("source-route", 3, 5, [0; 4]));
        }
        if length < 2 || length > options.len() {
            break;
        }
        options = &options[length..];
    }
    Ok(())
}

/// Length of the whole IPv6 packet.
fn translated(ip: &Ipv4) -> usize {
    let fragment = if ip.mf || ip.offset != 0 { 8 } else { 0 };
    40 + fragment + ip.payload.len()
}

/// What must not be cut, or is cut by a later hand as its sender said, has to fit.
fn size(oracle: &Oracle, ip: &Ipv4, task: Task) -> Result<(), Refusal> {
    let mtu = oracle.setup.mtu6();
    let length = match task.segment {
        Some(segment) => 40 + segment.length,
        None if ip.df => translated(ip),
        None => return Ok(()),
    };
    if length <= mtu {
        return Ok(());
    }
    // So that the next try fits: a fragment has 8 bytes more in IPv6.
    let gain = if ip.mf || ip.offset != 0 { 28 } else { 20 };
    let [high, low] = short(mtu - gain).to_be_bytes();
    Err(Refusal::Told("too-big", 3, 4, [0, 0, high, low]))
}

fn ordinary(oracle: &Oracle, ip: &Ipv4, offload: Offload, task: Task) -> Outcome {
    let setup = &oracle.setup;
    let (src, dst) = (setup.v6, setup.prefix.embed(ip.dst));
    let (from, to) = (addresses4(ip.src, ip.dst), addresses6(src, dst));
    let (next, mut message) = if ip.protocol == ICMP {
        let message = ip.payload.clone();
        // No later hand finishes checksums of ICMP.
        if message.len() < 8 {
            return silent("bad-transport");
        }
        let kind = match message[0] {
            8 => 128,
            0 => 129,
            _ => return silent("icmp-type"),
        };
        (ICMPV6, echo(&message, kind, ICMPV6, &to, Some(message.len())))
    } else {
        let part = match (ip.offset, ip.mf, task.unfinished) {
            (1.., ..) => Part::Later,
            (0, true, _) => Part::First,
            (0, false, Unfinished::Own) => Part::Unfinished,
            (0, false, Unfinished::No | Unfinished::Inner) => Part::Whole,
        };
        let without = if setup.drop_udp_without_checksum { NoChecksum::Drop } else { NoChecksum::Compute };
        // Every segment would need a checksum of its own, and there is nothing to make it from.
        let udp_without = ip.protocol == UDP && ip.payload.len() >= 8 && be16(&ip.payload, 6) == 0;
        if task.segment.is_some() && part == Part::Whole && udp_without {
            return silent("bad-offload");
        }
        (ip.protocol, transport(ip.protocol, &ip.payload, part, &from, &to, without)?)
    };
    let head = Head6 { class: setup.class(ip.tos), hops: ip.ttl - 1, src, dst, next, fragment: None };
    let was_part = ip.mf || ip.offset != 0;
    let fragment = |offset: usize, more: bool| Fragment { offset: short(offset), more, id: ip.id.into() };
    let threshold = setup.threshold();
    if ip.df || task.segment.is_some() || translated(ip) <= threshold {
        let head = Head6 { fragment: was_part.then(|| fragment(ip.offset.into(), ip.mf)), ..head };
        let offload = if was_part { Offload::default() } else { after(offload, task, ip.header, 40, TCP_OVER_V6) };
        return Ok(Answer::Forward(write6(head, &message, None), offload));
    }
    // RFC 7915 section 4.1. A checksum that is still to be summed is summed first, as it covers all pieces.
    if task.unfinished != Unfinished::No {
        let start = usize::from(offload.csum_start) - ip.header;
        finish(&mut message[start..], offload.csum_offset.into());
    }
    let step = (threshold - 48) / 8 * 8;
    let mut pieces = Vec::new();
    for (index, chunk) in message.chunks(step).enumerate() {
        let begin = index * step;
        let more = ip.mf || begin + chunk.len() < message.len();
        let head = Head6 { fragment: Some(fragment(usize::from(ip.offset) + begin / 8, more)), ..head };
        pieces.push(write6(head, chunk, None));
    }
    Ok(Answer::Fragments(pieces))
}

fn icmp_error(oracle: &mut Oracle, ip: &Ipv4) -> Outcome {
    let message = &ip.payload;
    if message.len() < 8 {
        return silent("bad-transport");
    }
    let rest = [message[4], message[5], message[6], message[7]];
    let (quoted, extensions) = quotation::split(&message[8..], rest[1], 4);
    let total = if quoted.len() >= 20 { usize::from(be16(quoted, 2)) } else { 0 };
    let meaning = error::to_v6(&oracle.setup, message[0], message[1], rest, total)?;
    if !is_right(&[], message) {
        return silent("bad-icmp-checksum");
    }
    let quoted = quotation::to_v6(oracle, quoted)?;
    let extensions = if meaning.extensible { extensions } else { &[] };
    let (body, attribute) = quotation::join(quoted, extensions, 8, 1280 - 48);
    let setup = &oracle.setup;
    let (src, dst) = (setup.v6, setup.prefix.embed(ip.dst));
    let mut new = vec![meaning.kind, meaning.code, 0, 0];
    new.extend(meaning.rest);
    if meaning.extensible {
        new[4] = attribute;
    }
    new.extend(body);
    let checksum = right_icmp(&addresses6(src, dst), &new, new.len());
    put16(&mut new, 2, checksum);
    let head = Head6 { class: setup.class(ip.tos), hops: ip.ttl - 1, src, dst, next: ICMPV6, fragment: None };
    Ok(Answer::Forward(write6(head, &new, None), Offload::default()))
}

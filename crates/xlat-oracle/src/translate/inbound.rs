//! IPv6 to IPv4 (RFC 7915 section 5).

use super::header::{Ipv4, Ipv6, walk, whole6, write4};
use super::message::{NoChecksum, Part, addresses4, addresses6, echo, finish, is_right, right_icmp, transport};
use super::offload::{Offload, Task, Unfinished, after, task};
use super::{Answer, ICMP, ICMPV6, Oracle, Outcome, Refusal, error, quotation, silent};
use crate::address::{Kind, is_nobodys6, kind};
use crate::numbers::{be16, put16, short, sum};
use crate::{V4, V6};

const TCP_OVER_V4: u8 = 1;
const TCP_OVER_V6: u8 = 4;

/// Stands for a source that has no IPv4 address (draft-ietf-v6ops-icmpext-xlat-v6only-source).
const DUMMY: V4 = [192, 0, 0, 8];

/// What fits behind the head of an ICMPv4 error of 576 bytes (RFC 1812 section 4.3.2.3).
const ERROR_BODY: usize = 576 - 28;

/// A checksum that has to be finished here is finished in `packet`.
pub(super) fn translate(oracle: &mut Oracle, packet: &mut Vec<u8>, mut offload: Offload) -> Outcome {
    let mut ip = whole6(packet)?;
    if ip.dst != oracle.setup.v6 {
        return silent("not-for-us");
    }
    walk(&mut ip)?;
    let error_kind = (ip.next == ICMPV6 && !ip.is_later_part()).then(|| ip.payload.first().copied()).flatten();
    let is_error = error_kind.is_some_and(|kind| [1, 2, 3, 4].contains(&kind));
    let src = match oracle.setup.prefix.extract(ip.src) {
        Some(peer) => match kind(peer, &oracle.setup) {
            Kind::Legal => peer,
            Kind::Illegal => return silent("illegal-source"),
            Kind::Private => return silent("private-source"),
        },
        None if is_nobodys6(ip.src) || ip.src == oracle.setup.v6 => return silent("illegal-source"),
        None if is_error && !oracle.setup.prefix.covers(ip.src) => DUMMY,
        None => return silent("not-from-pref64"),
    };
    if ip.hops <= 1 {
        return Err(Refusal::Told("ttl-expired", 3, 0, [0; 4]));
    }
    if let Some(at) = ip.segments_left {
        let [high, low] = short(at).to_be_bytes();
        return Err(Refusal::Told("routing-header", 4, 0, [0, 0, high, low]));
    }
    match ip.next {
        ICMP => return silent("wrong-icmp-family"),
        2 => return silent("igmp"),
        ICMPV6 if ip.is_part() => return silent("fragmented-icmp"),
        _ => {}
    }
    if ip.is_fragmented_extension() {
        return silent("fragmented-extension");
    }
    let is_fragment = ip.is_part() || (ip.fragment.is_some() && ip.next != ICMPV6);
    let mut task = task(offload, 40 + ip.extensions, ip.next, &ip.payload, is_fragment, TCP_OVER_V6)?;
    if ip.next == ICMPV6 && task.unfinished != Unfinished::No {
        // No later hand finishes checksums of ICMP.
        packet.truncate(40 + ip.length);
        finish(&mut packet[offload.csum_start.into()..], offload.csum_offset.into());
        ip.payload = packet[40 + ip.extensions..].to_vec();
        (offload, task.unfinished) = (Offload::default(), Unfinished::No);
    }
    if is_error {
        // Of a long one, the quotation is cut.
        return icmp_error(oracle, &ip, src);
    }
    if ip.next == ICMPV6 && ip.payload.len() >= 8 && !matches!(ip.payload[0], 128 | 129) {
        return silent("icmp-type");
    }
    if 20 + ip.payload.len() > 65_535 {
        return silent("too-long");
    }
    let offset = ip.fragment.map_or(0, |fragment| fragment.offset);
    if ip.fragment.is_some() && usize::from(offset) * 8 + ip.payload.len() + 20 > 65_535 {
        return silent("bad-fragment");
    }
    size(oracle, &ip, task)?;
    ordinary(oracle, &ip, src, offload, task)
}

/// RFC 7915 section 5.1: only what is longer than 1260 bytes and no fragment keeps its sender responsible for the size.
fn is_indivisible(ip: &Ipv6, task: Task) -> bool {
    let length = task.segment.map_or(20 + ip.payload.len(), |segment| 20 + segment.length);
    ip.fragment.is_none() && length > 1260
}

fn size(oracle: &Oracle, ip: &Ipv6, task: Task) -> Result<(), Refusal> {
    let mtu = oracle.setup.mtu4();
    let length = match task.segment {
        Some(segment) => 20 + segment.length,
        None if is_indivisible(ip, task) => 20 + ip.payload.len(),
        None => return Ok(()),
    };
    if length <= mtu {
        return Ok(());
    }
    let [high, low] = short((mtu + 20).clamp(1280, 65_535)).to_be_bytes();
    Err(Refusal::Told("too-big", 2, 0, [0, 0, high, low]))
}

/// The IPv4 header that goes with it, but for what makes it a fragment or not.
fn head(oracle: &Oracle, ip: &Ipv6, src: V4, protocol: u8) -> Ipv4 {
    Ipv4 {
        header: 20,
        tos: oracle.setup.class(ip.class),
        total: 0,
        id: 0,
        df: false,
        mf: false,
        offset: 0,
        ttl: ip.hops - 1,
        protocol,
        src,
        dst: oracle.setup.v4,
        options: Vec::new(),
        payload: Vec::new(),
    }
}

fn ordinary(oracle: &mut Oracle, ip: &Ipv6, src: V4, offload: Offload, task: Task) -> Outcome {
    let (from, to) = (addresses6(ip.src, ip.dst), addresses4(src, oracle.setup.v4));
    let (protocol, mut message) = if ip.next == ICMPV6 {
        let message = ip.payload.clone();
        // No later hand finishes checksums of ICMP.
        if message.len() < 8 {
            return silent("bad-transport");
        }
        let kind = match message[0] {
            128 => 8,
            129 => 0,
            _ => return silent("icmp-type"),
        };
        (ICMP, echo(&message, kind, ICMP, &from, Some(message.len())))
    } else {
        let part = match (ip.is_later_part(), ip.is_part(), task.unfinished) {
            (true, ..) => Part::Later,
            (false, true, _) => Part::First,
            (false, false, Unfinished::Own) => Part::Unfinished,
            (false, false, _) if ip.fragment.is_some() => Part::Atomic,
            (false, false, Unfinished::No | Unfinished::Inner) => Part::Whole,
        };
        (ip.next, transport(ip.next, &ip.payload, part, &from, &to, NoChecksum::Keep)?)
    };
    let mut new = head(oracle, ip, src, protocol);
    match ip.fragment {
        Some(fragment) => {
            new.id = u16::try_from(fragment.id & 0xffff).expect("16 bits");
            new.mf = fragment.more;
            new.offset = fragment.offset;
        }
        None if is_indivisible(ip, task) => new.df = true,
        None => {
            new.id = oracle.take_ids(task.segment.map_or(1, |segment| segment.count));
        }
    }
    if task.segment.is_some() || 20 + message.len() <= oracle.setup.mtu4() {
        new.payload = message;
        let offload = if ip.fragment.is_some() {
            Offload::default()
        } else {
            after(offload, task, 40 + ip.extensions, 20, TCP_OVER_V4)
        };
        return Ok(Answer::Forward(write4(&new, None), offload));
    }
    if new.df {
        unreachable!("refused above");
    }
    if task.unfinished != Unfinished::No {
        let start = usize::from(offload.csum_start) - 40 - ip.extensions;
        finish(&mut message[start..], offload.csum_offset.into());
    }
    Ok(Answer::Fragments(cut(oracle, &new, &message)))
}

/// Adds who speaks (draft-ietf-intarea-extended-icmp-nodeid section 3: class 5, an address, of family 2). It goes behind
/// the objects of a structure that is one (RFC 4884 section 7) and has room for it; otherwise it stands alone.
fn node_identification(mut structure: Vec<u8>, router: V6) -> Vec<u8> {
    if !is_structure(&structure) || 128 + structure.len() + 24 > ERROR_BODY {
        structure = vec![0x20, 0, 0xff, 0xff];
    }
    let has_checksum = be16(&structure, 2) != 0;
    structure.extend([0, 24, 5, 0b100, 0, 2, 0, 0]);
    structure.extend(router);
    if has_checksum {
        put16(&mut structure, 2, 0);
        let checksum = !sum(&[&structure]);
        // Zero would say that there is none.
        put16(&mut structure, 2, if checksum == 0 { 0xffff } else { checksum });
    }
    structure
}

/// Version 2, a checksum that is right or none, and whole objects of whole words.
fn is_structure(bytes: &[u8]) -> bool {
    if bytes.len() < 4 || bytes[0] >> 4 != 2 || (be16(bytes, 2) != 0 && sum(&[bytes]) != 0xffff) {
        return false;
    }
    let mut objects = &bytes[4..];
    while objects.len() >= 4 {
        let length = usize::from(be16(objects, 0));
        if length < 4 || length % 4 != 0 || length > objects.len() {
            return false;
        }
        objects = &objects[length..];
    }
    objects.is_empty()
}

/// RFC 791 section 3.2: pieces of whole units of 8 bytes.
fn cut(oracle: &Oracle, head: &Ipv4, message: &[u8]) -> Vec<Vec<u8>> {
    let step = (oracle.setup.mtu4() - 20) / 8 * 8;
    let mut pieces = Vec::new();
    for (index, chunk) in message.chunks(step).enumerate() {
        let begin = index * step;
        let mut piece = head.clone();
        piece.offset += short(begin / 8);
        piece.mf = head.mf || begin + chunk.len() < message.len();
        piece.payload = chunk.to_vec();
        pieces.push(write4(&piece, None));
    }
    pieces
}

fn icmp_error(oracle: &mut Oracle, ip: &Ipv6, src: V4) -> Outcome {
    let message = &ip.payload;
    if message.len() < 8 {
        return silent("bad-transport");
    }
    let rest = [message[4], message[5], message[6], message[7]];
    // Only Destination Unreachable and Time Exceeded have the attribute (RFC 4884 section 4).
    let attribute = if message[0] == 1 || message[0] == 3 { rest[0] } else { 0 };
    let (quoted, extensions) = quotation::split(&message[8..], attribute, 8);
    let inner = quotation::inner6(quoted);
    let fragmented = inner.as_ref().is_ok_and(|inner| inner.fragment.is_some());
    let meaning = error::to_v4(&oracle.setup, message[0], message[1], rest, fragmented)?;
    if !is_right(&addresses6(ip.src, ip.dst), message) {
        return silent("bad-icmp-checksum");
    }
    let quoted = quotation::to_v4(oracle, &inner?)?;
    let mut extensions = if meaning.extensible { extensions.to_vec() } else { Vec::new() };
    if src == DUMMY {
        extensions = node_identification(extensions, ip.src);
    }
    let (body, attribute) = quotation::join(quoted, &extensions, 4, ERROR_BODY);
    let mut new = vec![meaning.kind, meaning.code, 0, 0];
    new.extend(meaning.rest);
    // ICMPv4 has the attribute in all of these (RFC 4884 section 4.1).
    new[5] = attribute;
    new.extend(body);
    let checksum = right_icmp(&[], &new, new.len());
    put16(&mut new, 2, checksum);
    let mut outer = head(oracle, ip, src, ICMP);
    match ip.fragment {
        Some(fragment) => outer.id = u16::try_from(fragment.id & 0xffff).expect("16 bits"),
        None => outer.id = oracle.take_ids(1),
    }
    // At most 576 bytes, which every host takes (RFC 791 section 3.2), whatever its link says.
    outer.payload = new;
    Ok(Answer::Forward(write4(&outer, None), Offload::default()))
}

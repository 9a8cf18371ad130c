//! ICMP errors of our own (RFC 7915 sections 4.4 and 5.4; what may be answered: RFC 1812 section 4.3.2.7, RFC 4443
//! section 2.4).

use super::header::{Head6, Ipv4, read4, read6, walk, write4, write6};
use super::message::{addresses6, right_icmp};
use super::{Answer, ICMP, ICMPV6, Oracle};
use crate::numbers::{be16, put16};

/// ICMPv4 queries and their replies (RFC 792, RFC 950, RFC 1256) may be answered; every other type counts as an error.
pub(super) const QUERIES: [u8; 10] = [0, 8, 9, 10, 13, 14, 15, 16, 17, 18];

type Told = (u8, u8, [u8; 4]);

fn message((kind, code, rest): Told, quotation: &[u8]) -> Vec<u8> {
    let mut message = vec![kind, code, 0, 0];
    message.extend(rest);
    message.extend(quotation);
    message
}

/// To the host, from the gateway, 576 bytes at most (RFC 1812 section 4.3.2.3).
pub(super) fn v4(oracle: &mut Oracle, packet: &[u8], reason: &'static str, told: Told) -> Answer {
    let about = read4(&packet[..usize::from(be16(packet, 2))]);
    let is_error = about.protocol == ICMP && !about.payload.first().is_some_and(|kind| QUERIES.contains(kind));
    if about.offset != 0 || is_error {
        return Answer::Drop(reason);
    }
    let quotation = &packet[..about.total.min(576 - 28)];
    let mut payload = message(told, quotation);
    let checksum = right_icmp(&[], &payload, payload.len());
    put16(&mut payload, 2, checksum);
    let error = Ipv4 {
        header: 20,
        tos: 0,
        total: 0,
        id: oracle.take_ids(1),
        df: false,
        mf: false,
        offset: 0,
        ttl: 64,
        protocol: ICMP,
        src: oracle.setup.gateway,
        dst: oracle.setup.v4,
        options: Vec::new(),
        payload,
    };
    Answer::Reply(reason, write4(&error, None))
}

/// To the sender, from X, 1280 bytes at most (RFC 4443 section 2.4).
pub(super) fn v6(oracle: &Oracle, packet: &[u8], reason: &'static str, told: Told) -> Answer {
    let whole = &packet[..40 + usize::from(be16(packet, 4))];
    let mut about = read6(whole);
    let walked = walk(&mut about).is_ok();
    // ICMPv6 errors have types below 128; a redirect (137) is not answered either.
    let is_error = about.next == ICMPV6 && !about.payload.first().is_some_and(|kind| *kind >= 128 && *kind != 137);
    if !walked || about.is_later_part() || is_error {
        return Answer::Drop(reason);
    }
    let quotation = &whole[..whole.len().min(1280 - 48)];
    let (src, dst) = (oracle.setup.v6, about.src);
    let mut payload = message(told, quotation);
    let checksum = right_icmp(&addresses6(src, dst), &payload, payload.len());
    put16(&mut payload, 2, checksum);
    let head = Head6 { class: 0, hops: 64, src, dst, next: ICMPV6, fragment: None };
    Answer::Reply(reason, write6(head, &payload, None))
}

//! Transport messages: their checksums and what else changes (RFC 7915 sections 4.2, 4.5, 5.2, 5.5).

use super::{ICMP, ICMPV6, Refusal, TCP, UDP, silent};
use crate::numbers::{be16, carried, carried_sum, put16, same, short, sum};
use crate::{V4, V6};

const UDP_LITE: u8 = 136;

/// Source and destination as the pseudo-header has them.
pub(crate) fn addresses4(src: V4, dst: V4) -> Vec<u8> {
    [src, dst].concat()
}

/// The same for IPv6.
pub(crate) fn addresses6(src: V6, dst: V6) -> Vec<u8> {
    [src, dst].concat()
}

/// The rest of a pseudo-header (RFC 9293 section 3.1, RFC 8200 section 8.1): both families sum up to the same.
fn tail(protocol: u8, length: usize) -> [u8; 4] {
    let [high, low] = short(length).to_be_bytes();
    [high, low, 0, protocol]
}

/// Where the checksum is, from the start of the message, in protocols with a pseudo-header that both families share.
pub(crate) fn field(protocol: u8) -> Option<usize> {
    match protocol {
        TCP => Some(16),
        // UDP, DCCP (RFC 4340 section 5.1), UDP-Lite (RFC 3828 section 3.1).
        UDP | 33 | UDP_LITE => Some(6),
        _ => None,
    }
}

/// The shortest message of those that are looked at closely. RFC 7915 section 4.5 leaves DCCP and UDP-Lite as an option:
/// where theirs have no checksum field, they pass if there is nothing to change in it.
fn least(protocol: u8) -> usize {
    match protocol {
        TCP => 20,
        UDP => 8,
        _ => 0,
    }
}

/// In UDP a checksum of zero means "none", in UDP-Lite it is forbidden: one that comes out so is sent as ones. To DCCP both
/// are the same.
fn zero_is_special(protocol: u8) -> bool {
    protocol != TCP
}

/// What the checksum of `message` ought to be, over all of it.
fn right(addresses: &[u8], protocol: u8, message: &[u8], at: usize) -> u16 {
    let mut message = message.to_vec();
    put16(&mut message, at, 0);
    !sum(&[addresses, &tail(protocol, message.len()), &message])
}

/// What is known of the message beside its bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Part {
    /// All of it.
    Whole,
    /// All of it, in a fragment of its own (RFC 6946).
    Atomic,
    /// All of it, and the checksum field holds the sum of the pseudo-header only.
    Unfinished,
    /// The first fragment.
    First,
    /// A later fragment.
    Later,
}

/// What to do with a UDP datagram that has no checksum.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum NoChecksum {
    Compute,
    Drop,
    Keep,
}

/// The message with its checksum for other addresses.
pub(crate) fn transport(
    protocol: u8,
    message: &[u8],
    part: Part,
    from: &[u8],
    to: &[u8],
    without: NoChecksum,
) -> Result<Vec<u8>, Refusal> {
    let mut message = message.to_vec();
    let Some(at) = field(protocol) else { return Ok(message) };
    match part {
        Part::Later => return Ok(message),
        Part::First => {
            if message.len() < at + 2 {
                // Nothing to change where the addresses sum up to the same.
                if same(sum(&[from]), sum(&[to])) {
                    return Ok(message);
                }
                return silent("fragment-without-checksum");
            }
            let old = be16(&message, at);
            if protocol == UDP && old == 0 {
                if without == NoChecksum::Keep {
                    return Ok(message);
                }
                return silent("udp-zero-checksum-fragment");
            }
            // The rest of the datagram is elsewhere: only the difference of the addresses can be told.
            put(&mut message, protocol, at, carried(old, !sum(&[from]), !sum(&[to])));
            return Ok(message);
        }
        Part::Whole | Part::Atomic | Part::Unfinished => {}
    }
    if message.len() < least(protocol) {
        return silent("bad-transport");
    }
    if message.len() < at + 2 {
        return match part {
            _ if same(sum(&[from]), sum(&[to])) => Ok(message),
            Part::Atomic => silent("fragment-without-checksum"),
            Part::Whole | Part::Unfinished | Part::First | Part::Later => silent("bad-transport"),
        };
    }
    if without == NoChecksum::Drop && part == Part::Whole && protocol == UDP && be16(&message, at) == 0 {
        return silent("udp-zero-checksum");
    }
    let stated = usize::from(be16(&message, 4));
    let states = protocol == UDP && (8..=message.len()).contains(&stated);
    let covered = if states { stated } else { message.len() };
    let old = be16(&message, at);
    if part == Part::Unfinished {
        put16(&mut message, at, carried_sum(old, sum(&[from]), sum(&[to])));
        return Ok(message);
    }
    let after = right(to, protocol, &message[..covered], at);
    if protocol == UDP && old == 0 {
        match without {
            NoChecksum::Keep => {}
            NoChecksum::Drop => unreachable!("refused above"),
            NoChecksum::Compute if !states => return silent("bad-transport"),
            NoChecksum::Compute => put16(&mut message, at, if after == 0 { 0xffff } else { after }),
        }
        return Ok(message);
    }
    let before = right(from, protocol, &message[..covered], at);
    // Sent as ones, it means zero.
    put(&mut message, protocol, at, carried(old, before, after));
    Ok(message)
}

/// Writes a checksum that has changed.
pub(crate) fn put(message: &mut [u8], protocol: u8, at: usize, checksum: u16) {
    if checksum != be16(message, at) {
        put16(message, at, if checksum == 0 && zero_is_special(protocol) { 0xffff } else { checksum });
    }
}

/// Completes the checksum that is to be summed from the start of `message` and stored `at`.
pub(crate) fn finish(message: &mut [u8], at: usize) {
    let checksum = !sum(&[message]);
    put16(message, at, if checksum == 0 { 0xffff } else { checksum });
}

/// What an ICMP checksum ought to be; `addresses` is empty for ICMPv4. `length` is that of the whole message, of which
/// `message` may be only the beginning.
pub(crate) fn right_icmp(addresses: &[u8], message: &[u8], length: usize) -> u16 {
    let mut message = message.to_vec();
    put16(&mut message, 2, 0);
    if addresses.is_empty() { !sum(&[&message]) } else { !sum(&[addresses, &tail(ICMPV6, length), &message]) }
}

/// Whether an ICMP message sums up as it has to.
pub(crate) fn is_right(addresses: &[u8], message: &[u8]) -> bool {
    let tail = tail(ICMPV6, message.len());
    let sum = if addresses.is_empty() { sum(&[message]) } else { sum(&[addresses, &tail, message]) };
    sum == 0xffff
}

/// An echo request or reply of the other family: `kind` is the new type, `addresses` are those of the IPv6 side.
/// `length` is that of the whole message, `None` for a first fragment, where nobody knows it and the pseudo-header is
/// left out of account.
pub(crate) fn echo(message: &[u8], kind: u8, to: u8, addresses: &[u8], length: Option<usize>) -> Vec<u8> {
    let mut new = message.to_vec();
    new[0] = kind;
    if message.len() < 4 {
        return new;
    }
    let pseudo = if length.is_some() { addresses } else { &[] };
    let length = length.unwrap_or_default();
    let (before, after) = if to == ICMPV6 {
        (right_icmp(&[], message, length), right_icmp(pseudo, &new, length))
    } else {
        debug_assert_eq!(to, ICMP);
        (right_icmp(pseudo, message, length), right_icmp(&[], &new, length))
    };
    // All ones are zero, too, but not as it is usually written.
    let old = be16(message, 2);
    put16(&mut new, 2, carried(if old == 0xffff { 0 } else { old }, before, after));
    new
}

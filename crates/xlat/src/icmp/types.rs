//! Types, codes, pointers and MTUs, and how they correspond (RFC 7915 sections 4.2 and 5.2).

use crate::{Config, DropReason};

pub(crate) const V4_ECHO_REPLY: u8 = 0;
pub(crate) const V4_UNREACHABLE: u8 = 3;
pub(crate) const V4_ECHO: u8 = 8;
pub(crate) const V4_TIME_EXCEEDED: u8 = 11;
pub(crate) const V4_PARAMETER_PROBLEM: u8 = 12;

pub(crate) const V4_PROTOCOL_UNREACHABLE: u8 = 2;
pub(crate) const V4_TOO_BIG: u8 = 4;
pub(crate) const V4_SOURCE_ROUTE_FAILED: u8 = 5;
pub(crate) const V4_PROHIBITED: u8 = 13;

pub(crate) const V6_UNREACHABLE: u8 = 1;
pub(crate) const V6_TOO_BIG: u8 = 2;
pub(crate) const V6_TIME_EXCEEDED: u8 = 3;
pub(crate) const V6_PARAMETER_PROBLEM: u8 = 4;
pub(crate) const V6_ECHO: u8 = 128;
pub(crate) const V6_ECHO_REPLY: u8 = 129;

/// Head of a translated ICMP error.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Head {
    pub(super) kind: u8,
    pub(super) code: u8,
    pub(super) body: Body,
}

/// What the second word of the head holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Body {
    /// Nothing, or the length of the quotation if extensions follow it (RFC 4884).
    Unused,
    /// The MTU is still to be worked out.
    Mtu,
    /// Where the mistake is, in the header of the new family.
    Pointer(u8),
}

/// The ICMPv6 type for an ICMPv4 echo.
#[inline]
pub(super) fn echo_to_v6(kind: u8) -> Option<u8> {
    match kind {
        V4_ECHO => Some(V6_ECHO),
        V4_ECHO_REPLY => Some(V6_ECHO_REPLY),
        _ => None,
    }
}

/// The ICMPv4 type for an ICMPv6 echo.
#[inline]
pub(super) fn echo_to_v4(kind: u8) -> Option<u8> {
    match kind {
        V6_ECHO => Some(V4_ECHO),
        V6_ECHO_REPLY => Some(V4_ECHO_REPLY),
        _ => None,
    }
}

/// RFC 7915 section 4.2. `pointer` is the first octet of the second word.
pub(super) fn error_to_v6(kind: u8, code: u8, pointer: u8) -> Result<Head, DropReason> {
    let head = |kind, code, body| Ok(Head { kind, code, body });
    match (kind, code) {
        (V4_UNREACHABLE, 0 | 1 | 5 | 6 | 7 | 8 | 11 | 12) => head(V6_UNREACHABLE, 0, Body::Unused),
        (V4_UNREACHABLE, 9 | 10 | 13 | 15) => head(V6_UNREACHABLE, 1, Body::Unused),
        (V4_UNREACHABLE, 3) => head(V6_UNREACHABLE, 4, Body::Unused),
        // Points at the Next Header field.
        (V4_UNREACHABLE, V4_PROTOCOL_UNREACHABLE) => head(V6_PARAMETER_PROBLEM, 1, Body::Pointer(6)),
        (V4_UNREACHABLE, V4_TOO_BIG) => head(V6_TOO_BIG, 0, Body::Mtu),
        (V4_TIME_EXCEEDED, code) => head(V6_TIME_EXCEEDED, code, Body::Unused),
        (V4_PARAMETER_PROBLEM, 0 | 2) => head(V6_PARAMETER_PROBLEM, 0, Body::Pointer(pointer_to_v6(pointer)?)),
        (V4_UNREACHABLE | V4_PARAMETER_PROBLEM, _) => Err(DropReason::IcmpCode),
        _ => Err(DropReason::IcmpType),
    }
}

/// RFC 7915 section 5.2. `pointer` is the whole second word.
pub(super) fn error_to_v4(kind: u8, code: u8, pointer: u32) -> Result<Head, DropReason> {
    let head = |kind, code, body| Ok(Head { kind, code, body });
    match (kind, code) {
        (V6_UNREACHABLE, 0 | 2 | 3) => head(V4_UNREACHABLE, 1, Body::Unused),
        (V6_UNREACHABLE, 1) => head(V4_UNREACHABLE, 10, Body::Unused),
        (V6_UNREACHABLE, 4) => head(V4_UNREACHABLE, 3, Body::Unused),
        // RFC 4443 section 3.2: receivers ignore the code of Packet Too Big.
        (V6_TOO_BIG, _) => head(V4_UNREACHABLE, V4_TOO_BIG, Body::Mtu),
        (V6_TIME_EXCEEDED, code) => head(V4_TIME_EXCEEDED, code, Body::Unused),
        (V6_PARAMETER_PROBLEM, 0) => head(V4_PARAMETER_PROBLEM, 0, Body::Pointer(pointer_to_v4(pointer)?)),
        (V6_PARAMETER_PROBLEM, 1) => head(V4_UNREACHABLE, V4_PROTOCOL_UNREACHABLE, Body::Unused),
        (V6_UNREACHABLE | V6_PARAMETER_PROBLEM, _) => Err(DropReason::IcmpCode),
        _ => Err(DropReason::IcmpType),
    }
}

/// MTU for a Packet Too Big made from a Fragmentation Needed (RFC 7915 section 4.2). `total_len` is that of the quoted
/// packet; `mtu6` and `mtu4` are those of the next hops.
pub(super) fn mtu_to_v6(mtu: u16, total_len: u16, mtu6: u16, mtu4: u16) -> u32 {
    let reported = if mtu == 0 { u32::from(plateau(total_len)) } else { u32::from(mtu) + 20 };
    reported.min(u32::from(mtu6)).min(u32::from(mtu4) + 20).max(u32::from(Config::MIN_MTU6))
}

/// MTU for a Fragmentation Needed made from a Packet Too Big (RFC 7915 section 5.2).
///
/// A reported MTU below 1280 counts as 1280: IPv6 senders must not go lower (RFC 8201 section 4), and neither should
/// the host on the word of someone on the path.
pub(super) fn mtu_to_v4(mtu: u32, mtu6: u16, mtu4: u16, fragment_header: bool) -> u16 {
    let reported = u16::try_from(mtu).unwrap_or(u16::MAX).max(Config::MIN_MTU6);
    let least = (reported - 20).min(mtu4).min(mtu6.saturating_sub(20));
    least.saturating_sub(if fragment_header { 8 } else { 0 })
}

/// Whether an ICMPv4 type may be answered with an ICMP error: it asks or answers a question. Unknown types are not.
pub(crate) fn is_query_v4(kind: u8) -> bool {
    // RFC 1122 section 3.2.2: echo, router discovery, timestamp, information, address mask.
    matches!(kind, V4_ECHO_REPLY | V4_ECHO | 9 | 10 | 13..=18)
}

/// Whether an ICMPv6 type may be answered with an ICMP error: informational, but not Redirect
/// (RFC 4443 section 2.4 (e.2)).
pub(crate) fn is_query_v6(kind: u8) -> bool {
    const REDIRECT: u8 = 137;
    kind >= V6_ECHO && kind != REDIRECT
}

/// Whether an ICMPv6 type is one of the four errors that can be translated.
pub(crate) fn is_error_v6(kind: u8) -> bool {
    matches!(kind, V6_UNREACHABLE | V6_TOO_BIG | V6_TIME_EXCEEDED | V6_PARAMETER_PROBLEM)
}

/// RFC 7915 figure 3: fields of the IPv4 header and where their counterparts begin.
fn pointer_to_v6(pointer: u8) -> Result<u8, DropReason> {
    match pointer {
        0 | 1 => Ok(pointer),
        2 | 3 => Ok(4),
        8 => Ok(7),
        9 => Ok(6),
        12..=15 => Ok(8),
        16..=19 => Ok(24),
        _ => Err(DropReason::IcmpPointer),
    }
}

/// RFC 7915 figure 6.
fn pointer_to_v4(pointer: u32) -> Result<u8, DropReason> {
    match pointer {
        0 => Ok(0),
        1 => Ok(1),
        4 | 5 => Ok(2),
        6 => Ok(9),
        7 => Ok(8),
        8..=23 => Ok(12),
        24..=39 => Ok(16),
        _ => Err(DropReason::IcmpPointer),
    }
}

/// For routers older than RFC 1191: the greatest of its section 7 plateaus below the length of the packet that did not
/// fit, but no less than 1280 (RFC 7915 section 4.2).
fn plateau(total_len: u16) -> u16 {
    const PLATEAUS: [u16; 7] = [65_535, 32_000, 17_914, 8_166, 4_352, 2_002, 1_492];
    PLATEAUS.into_iter().find(|plateau| *plateau < total_len).unwrap_or(Config::MIN_MTU6)
}

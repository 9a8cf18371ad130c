//! ICMPv4 and ICMPv6 (RFC 7915 sections 4.2 to 4.4 and 5.2 to 5.4).

mod error;
mod multipart;
mod node_id;
mod quote;
pub(crate) mod types;

use core::net::{Ipv4Addr, Ipv6Addr};

use zerocopy::FromBytes;

use crate::checksum::Sum;
use crate::extension::{self, Chain};
use crate::reply::Refusal;
use crate::wire::{IcmpHeader, Ipv4Header, Ipv6Header, protocol};
use crate::{DropReason, PacketBuf, Translator, Verdict, VnetHeader, offload};
use crate::{inbound as v6_to_v4, outbound as v4_to_v6};

/// An ICMPv4 message from the host.
pub(crate) fn outbound(
    translator: &mut Translator,
    buf: &mut PacketBuf,
    ip: &Ipv4Header,
    peer: Ipv6Addr,
) -> Result<Verdict, Refusal> {
    if ip.is_fragment() {
        return Err(DropReason::FragmentedIcmp.into());
    }
    let upper = ip.header_len();
    let offload = offload::check(buf, upper, protocol::ICMP, VnetHeader::GSO_TCPV4)?;
    // The new checksum has a pseudo-header and the old one none, so the kernel could not finish it.
    offload::finish(buf);
    let icmp = head(buf, upper)?;
    let Some(kind) = types::echo_to_v6(icmp.kind) else {
        return error::outbound(translator, buf, ip, &icmp, peer);
    };
    let fit = v4_to_v6::fit(translator, ip, buf.len(), offload)?;
    let pseudo = pseudo_header(translator.config().v6, peer, buf.len() - upper);
    let message = buf.packet_mut().get_mut(upper..).unwrap_or_default();
    rewrite_echo(message, kind, pseudo);
    v4_to_v6::finish(translator, buf, ip, peer, protocol::ICMPV6, fit)
}

/// An ICMPv6 message from the uplink. `peer` is the dummy source if it comes from outside PREF64, which only errors do.
pub(crate) fn inbound(
    translator: &mut Translator,
    buf: &mut PacketBuf,
    ip: &Ipv6Header,
    chain: &Chain,
    peer: Ipv4Addr,
) -> Result<Verdict, Refusal> {
    if chain.is_partial() {
        return Err(DropReason::FragmentedIcmp.into());
    }
    let offload = offload::check(buf, chain.upper, protocol::ICMPV6, VnetHeader::GSO_TCPV6)?;
    offload::finish(buf);
    let icmp = head(buf, chain.upper)?;
    let Some(kind) = types::echo_to_v4(icmp.kind) else {
        return error::inbound(translator, buf, ip, chain, &icmp, peer);
    };
    let fit = v6_to_v4::fit(translator, buf.len(), chain, offload)?;
    let pseudo = pseudo_header(ip.src(), ip.dst(), buf.len() - chain.upper);
    let message = buf.packet_mut().get_mut(chain.upper..).unwrap_or_default();
    rewrite_echo(message, kind, -pseudo);
    v6_to_v4::finish(translator, buf, ip, chain, peer, protocol::ICMP, fit)
}

/// Sum of the ICMPv6 pseudo-header (RFC 8200 section 8.1).
fn pseudo_header(src: Ipv6Addr, dst: Ipv6Addr, len: usize) -> Sum {
    Sum::of_v6(src) + Sum::of_v6(dst) + Sum::of_len(len) + Sum(u16::from(protocol::ICMPV6))
}

/// Changes the type of an echo message, as much of it as is there; the code stays. The checksum is corrected for that
/// and for `pseudo`.
fn rewrite_echo(message: &mut [u8], kind: u8, pseudo: Sum) {
    match message {
        [old, code, high, low, ..] => {
            let change = Sum::of_pair(kind, *code) - Sum::of_pair(*old, *code) + pseudo;
            let sum = Sum::from_field(u16::from_be_bytes([*high, *low])) + change;
            [*high, *low] = sum.field().to_be_bytes();
            *old = kind;
        }
        [old, ..] => *old = kind,
        [] => {}
    }
    // An echo reply may be zero throughout; then the two zeroes are not equal, and the sum of nothing is 0 (RFC 1071).
    if let [0, 0, 0, 0, rest @ ..] = message
        && rest.iter().all(|byte| *byte == 0)
        && let Some(field) = message.get_mut(2..4)
    {
        field.fill(0xff);
    }
}

fn head(buf: &PacketBuf, upper: usize) -> Result<IcmpHeader, DropReason> {
    let message = buf.packet().get(upper..).ok_or(DropReason::Truncated)?;
    let (head, _) = IcmpHeader::read_from_prefix(message).map_err(|_| DropReason::BadTransport)?;
    Ok(head)
}

//! What holds for everything that comes out, whatever went in. etherparse reads it, so that neither translator's reading
//! counts.

use std::net::{Ipv4Addr, Ipv6Addr};

use etherparse::{Ipv4HeaderSlice, Ipv6HeaderSlice, NetSlice, SlicedPacket, TransportSlice};
use xlat_oracle::generator::Way;
use xlat_oracle::{Answer, Setup};

type Broken = Result<(), String>;

fn rule(holds: bool, what: &str) -> Broken {
    if holds { Ok(()) } else { Err(what.to_owned()) }
}

/// The first rule that `answer` breaks. `sound`: what went in was well-formed and its checksums were right.
pub(crate) fn broken(setup: &Setup, way: Way, answer: &Answer, sound: bool) -> Option<String> {
    check(setup, way, answer, sound).err()
}

fn check(setup: &Setup, way: Way, answer: &Answer, sound: bool) -> Broken {
    match (way, answer) {
        (_, Answer::Drop(_)) => Ok(()),
        (Way::Out, Answer::Forward(packet, offload)) => {
            to_uplink(setup, packet)?;
            let is_super = offload.gso_type & 0x7f != 0;
            rule(is_super || packet.len() <= mtu6(setup), "more than the uplink carries")?;
            if sound && offload.flags & 1 == 0 { checksums(packet) } else { Ok(()) }
        }
        (Way::Out, Answer::Fragments(pieces)) => {
            rule(pieces.len() > 1, "one fragment is none")?;
            let most = usize::from(setup.lowest_ipv6_mtu).clamp(1280, mtu6(setup));
            pieces.iter().try_for_each(|piece| {
                rule(piece.len() <= most, "a fragment is too long")?;
                rule(piece[6] == 44, "a fragment without a Fragment header")?;
                to_uplink(setup, piece)
            })
        }
        (Way::In, Answer::Forward(packet, offload)) => {
            to_host(setup, packet)?;
            let is_super = offload.gso_type & 0x7f != 0;
            // ICMP errors are made to fit 576 bytes, which every host takes.
            let most = if packet[9] == 1 { mtu4(setup).max(576) } else { mtu4(setup) };
            rule(is_super || packet.len() <= most, "more than the host's link carries")?;
            if sound && offload.flags & 1 == 0 { checksums(packet) } else { Ok(()) }
        }
        (Way::In, Answer::Fragments(pieces)) => {
            rule(pieces.len() > 1, "one fragment is none")?;
            pieces.iter().try_for_each(|piece| {
                rule(piece.len() <= mtu4(setup), "a fragment is too long")?;
                to_host(setup, piece)
            })
        }
        (Way::Out, Answer::Reply(_, packet)) => {
            let ip = ipv4(packet)?;
            rule(ip.source() == setup.gateway, "an answer that is not from the gateway")?;
            rule(ip.destination() == setup.v4, "an answer that is not for the host")?;
            rule(packet.len() <= 576 && packet[9] == 1 && [3, 11].contains(&packet[20]), "not an ICMP error")?;
            checksums(packet)
        }
        (Way::In, Answer::Reply(_, packet)) => {
            let ip = ipv6(packet)?;
            rule(ip.source() == setup.v6, "an answer that is not from X")?;
            rule(packet.len() <= 1280 && packet[6] == 58 && [2, 3, 4].contains(&packet[40]), "not an ICMPv6 error")?;
            rule(setup.prefix.extract(ip.destination()).is_some() || packet[40] != 2, "an answer to an outsider")?;
            checksums(packet)
        }
    }
}

fn mtu6(setup: &Setup) -> usize {
    usize::from(setup.mtu6).max(1280)
}

fn mtu4(setup: &Setup) -> usize {
    usize::from(setup.mtu4).max(68)
}

fn ipv4(packet: &[u8]) -> Result<Ipv4HeaderSlice<'_>, String> {
    let ip = Ipv4HeaderSlice::from_slice(packet).map_err(|error| error.to_string())?;
    rule(usize::from(ip.total_len()) == packet.len(), "the total length is wrong")?;
    rule(ip.header_checksum() == ip.to_header().calc_header_checksum(), "the header checksum is wrong")?;
    Ok(ip)
}

fn ipv6(packet: &[u8]) -> Result<Ipv6HeaderSlice<'_>, String> {
    let ip = Ipv6HeaderSlice::from_slice(packet).map_err(|error| error.to_string())?;
    rule(usize::from(ip.payload_length()) + 40 == packet.len(), "the payload length is wrong")?;
    rule(ip.flow_label().value() == 0, "there is a flow label")?;
    Ok(ip)
}

/// X, to somebody who may be reached.
fn to_uplink(setup: &Setup, packet: &[u8]) -> Broken {
    let ip = ipv6(packet)?;
    rule(ip.source() == setup.v6, "the source is not X")?;
    let peer = setup.prefix.extract(ip.destination()).ok_or("the destination is not under the prefix")?;
    rule(setup.prefix.embed(peer) == ip.destination(), "the destination has a suffix")?;
    peer_is_legal(setup, peer)?;
    rule(ip.hop_limit() > 0, "no hops are left")?;
    rule(![2, 1].contains(&ip.next_header().0), "IGMP or ICMPv4 in IPv6")
}

/// To the host, from somebody who may send.
fn to_host(setup: &Setup, packet: &[u8]) -> Broken {
    let ip = ipv4(packet)?;
    rule(ip.destination() == setup.v4, "the destination is not the host")?;
    rule(ip.ttl() > 0, "no hops are left")?;
    rule(![2, 58].contains(&ip.protocol().0), "IGMP or ICMPv6 in IPv4")?;
    if ip.source() == [192, 0, 0, 8] {
        return rule(packet[9] == 1 && [3, 11, 12].contains(&packet[20]), "only errors may come from 192.0.0.8");
    }
    peer_is_legal(setup, ip.source())
}

fn peer_is_legal(setup: &Setup, peer: [u8; 4]) -> Broken {
    let address = Ipv4Addr::from(peer);
    rule(!(address.is_loopback() || address.is_multicast() || address.is_link_local()), "a martian")?;
    rule(peer[0] != 0 && peer[0] < 240, "a martian")?;
    rule(!(peer[..3] == [192, 0, 0] && peer[3] <= 8), "an address of the tunnel")?;
    rule(peer != setup.v4 && setup.prefix.extract(setup.v6) != Some(peer), "an address of our own")?;
    let known = Ipv6Addr::from(setup.prefix.bits) == Ipv6Addr::new(0x64, 0xff9b, 0, 0, 0, 0, 0, 0);
    let shared = peer[0] == 100 && peer[1] & 0xc0 == 64;
    rule(!(known && setup.prefix.length == 96 && (address.is_private() || shared)), "private under 64:ff9b::/96")
}

/// RFC 1071: the sum of a sound message is all ones.
fn sums_up(message: &[u8]) -> bool {
    let words = message.chunks(2).map(|word| u64::from(word[0]) * 256 + word.get(1).map_or(0, |low| u64::from(*low)));
    let sum = words.sum::<u64>();
    sum != 0 && sum % 0xffff == 0
}

/// Every checksum that etherparse can compute. What it does not know, and fragments, have none.
fn checksums(packet: &[u8]) -> Broken {
    let right = |is: bool| rule(is, "a checksum is wrong");
    // Numbers that IPv4 has copied and IPv6 reads as extension headers.
    if packet[0] >> 4 == 6 && ![6, 17, 58].contains(&packet[6]) {
        return Ok(());
    }
    let sliced = SlicedPacket::from_ip(packet).map_err(|error| error.to_string())?;
    let (Some(net), Some(transport)) = (sliced.net, sliced.transport) else { return Ok(()) };
    match net {
        NetSlice::Ipv4(ip) => {
            let header = ip.header().to_header();
            match transport {
                TransportSlice::Tcp(tcp) => {
                    right(tcp.to_header().calc_checksum_ipv4(&header, tcp.payload()).ok() == Some(tcp.checksum()))
                }
                TransportSlice::Udp(udp) if udp.checksum() == 0 => Ok(()),
                TransportSlice::Udp(udp) => {
                    right(udp.to_header().calc_checksum_ipv4(&header, udp.payload()).ok() == Some(udp.checksum()))
                }
                // Its own sum knows fewer fields than there are.
                TransportSlice::Icmpv4(icmp) => right(sums_up(icmp.slice())),
                TransportSlice::Icmpv6(_) | TransportSlice::Igmp(_) => Err("ICMPv6 or IGMP in IPv4".to_owned()),
            }
        }
        NetSlice::Ipv6(ip) => {
            let header = ip.header().to_header();
            match transport {
                TransportSlice::Tcp(tcp) => {
                    right(tcp.to_header().calc_checksum_ipv6(&header, tcp.payload()).ok() == Some(tcp.checksum()))
                }
                TransportSlice::Udp(udp) => {
                    right(udp.to_header().calc_checksum_ipv6(&header, udp.payload()).ok() == Some(udp.checksum()))
                }
                TransportSlice::Icmpv6(icmp) => right(icmp.is_checksum_valid(header.source, header.destination)),
                TransportSlice::Icmpv4(_) | TransportSlice::Igmp(_) => Err("ICMPv4 or IGMP in IPv6".to_owned()),
            }
        }
        NetSlice::Arp(_) => Err("ARP".to_owned()),
    }
}

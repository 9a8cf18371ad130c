//! The packets that are measured, by kind.

use std::net::{Ipv4Addr, Ipv6Addr};

use everclat_xlat::{Config, Pref64, VnetHeader, neutral_address};

const HOST: Ipv4Addr = Ipv4Addr::new(192, 0, 0, 2);
const PEER: Ipv4Addr = Ipv4Addr::new(198, 51, 100, 1);
const BASE: Ipv6Addr = Ipv6Addr::new(0x2001, 0xdb8, 0x464, 1, 0x5a11, 0xc73e, 0, 0x9d42);

/// One packet, and the offload header that comes with it.
pub(crate) struct Kind {
    pub(crate) name: &'static str,
    pub(crate) packet: Vec<u8>,
    pub(crate) vnet: VnetHeader,
    /// The whole packet is changed, or read.
    pub(crate) whole: bool,
}

/// Under a /96 with a neutral X and with another one, and under a /64.
pub(crate) fn configs() -> [(&'static str, Config); 3] {
    let local: Pref64 = "2001:db8:64::/64".parse().expect("a literal");
    let neutral = neutral_address(BASE, 6, HOST, Pref64::WELL_KNOWN).expect("a /96 has a solution");
    [("96 neutral", Pref64::WELL_KNOWN, neutral), ("96", Pref64::WELL_KNOWN, BASE), ("64", local, BASE)]
        .map(|(name, pref64, x)| (name, Config::new(pref64, HOST, x, 1500)))
}

/// From the host (`out`), or from the uplink.
pub(crate) fn kinds(config: &Config, out: bool) -> Vec<Kind> {
    let tcp = |name, payload, gso_size| {
        let vnet = offload(out, gso_size);
        Kind { vnet, ..kind(name, message(config, out, Protocol::Tcp, payload)) }
    };
    let whole = |kind| Kind { whole: true, ..kind };
    vec![
        tcp("TCP 64 B", 24, 0),
        tcp("TCP 1460 B", 1420, 0),
        tcp("TCP 64 KB", 64_000, 1400),
        kind("UDP 64 B", message(config, out, Protocol::Udp, 36)),
        kind("UDP 1460 B", message(config, out, Protocol::Udp, 1432)),
        whole(kind("UDP 64 B without checksum", message(config, out, Protocol::UdpZero, 36))),
        whole(kind("UDP 1460 B without checksum", message(config, out, Protocol::UdpZero, 1432))),
        kind("echo 64 B", message(config, out, Protocol::Echo, 36)),
        kind("later fragment 1200 B", fragment(config, out)),
        whole(kind("port unreachable", error(config, out, 64))),
        whole(kind("port unreachable, 548 B quoted", error(config, out, 520))),
        whole(kind("hop limit 1, answered", expired(config, out))),
    ]
}

fn kind(name: &'static str, packet: Vec<u8>) -> Kind {
    Kind { name, packet, vnet: VnetHeader::default(), whole: false }
}

fn offload(out: bool, gso_size: u16) -> VnetHeader {
    if gso_size == 0 {
        return VnetHeader::default();
    }
    let (upper, gso_type) = if out { (20, 1) } else { (40, 4) };
    VnetHeader { flags: 1, gso_type, hdr_len: upper + 20, gso_size, csum_start: upper, csum_offset: 16 }
}

#[derive(Clone, Copy)]
enum Protocol {
    Tcp,
    Udp,
    UdpZero,
    Echo,
}

fn message(config: &Config, out: bool, protocol: Protocol, payload: usize) -> Vec<u8> {
    let (number, mut l4) = match protocol {
        Protocol::Tcp => (6, vec![0; 20]),
        Protocol::Udp | Protocol::UdpZero => (17, vec![0; 8]),
        Protocol::Echo => (if out { 1 } else { 58 }, vec![if out { 8 } else { 129 }, 0, 0, 0, 0, 0, 0, 0]),
    };
    l4.resize(l4.len() + payload, 0x5a);
    match protocol {
        Protocol::Tcp => l4[12] = 0x50,
        Protocol::Udp | Protocol::UdpZero => {
            let len = u16::try_from(l4.len()).expect("fits").to_be_bytes();
            l4[4..6].copy_from_slice(&len);
            l4[7] = u8::from(matches!(protocol, Protocol::Udp));
        }
        Protocol::Echo => {}
    }
    packet(config, out, number, &l4, 0x4000, 64)
}

fn fragment(config: &Config, out: bool) -> Vec<u8> {
    if out {
        return packet(config, out, 17, &[0x5a; 1200], 0x2000 | 150, 64);
    }
    let header = [17, 0, 0x04, 0xb1, 0, 0, 0, 7];
    packet(config, out, 44, &[&header[..], &[0x5a; 1200]].concat(), 0, 64)
}

fn expired(config: &Config, out: bool) -> Vec<u8> {
    packet(config, out, 6, &[0x50; 44], 0x4000, 1)
}

/// Port unreachable about a packet of the other direction, of which `quoted` bytes behind the IP header came back.
fn error(config: &Config, out: bool, quoted: usize) -> Vec<u8> {
    let original = message(config, !out, Protocol::Udp, 1000);
    let header = if out { 20 } else { 40 };
    // Of the same family as the error, from us to the peer or the other way round.
    let mut original_here = if out {
        v4(PEER, HOST, 17, &original[40..], 0, 64)
    } else {
        v6(config.v6, config.pref64.embed(PEER), 17, &original[20..], 64)
    };
    original_here.truncate(header + quoted);
    let mut message = if out { vec![3, 3, 0, 0, 0, 0, 0, 0] } else { vec![1, 4, 0, 0, 0, 0, 0, 0] };
    message.extend(original_here);
    let checksum = if out {
        checksum(&message)
    } else {
        everclat_xlat::icmpv6_checksum(config.pref64.embed(PEER), config.v6, &message)
    };
    message[2..4].copy_from_slice(&checksum.to_be_bytes());
    packet(config, out, if out { 1 } else { 58 }, &message, 0, 64)
}

fn packet(config: &Config, out: bool, number: u8, l4: &[u8], frag: u16, hops: u8) -> Vec<u8> {
    if out {
        v4(HOST, PEER, number, l4, frag, hops)
    } else {
        v6(config.pref64.embed(PEER), config.v6, number, l4, hops)
    }
}

fn v4(src: Ipv4Addr, dst: Ipv4Addr, number: u8, l4: &[u8], frag: u16, ttl: u8) -> Vec<u8> {
    let mut packet = vec![0x45, 0];
    packet.extend(u16::try_from(20 + l4.len()).expect("fits").to_be_bytes());
    packet.extend([0, 7]);
    packet.extend(frag.to_be_bytes());
    packet.extend([ttl, number, 0, 0]);
    packet.extend(src.octets());
    packet.extend(dst.octets());
    let checksum = checksum(&packet);
    packet[10..12].copy_from_slice(&checksum.to_be_bytes());
    packet.extend(l4);
    packet
}

fn v6(src: Ipv6Addr, dst: Ipv6Addr, number: u8, l4: &[u8], hops: u8) -> Vec<u8> {
    let mut packet = vec![0x60, 0, 0, 0];
    packet.extend(u16::try_from(l4.len()).expect("fits").to_be_bytes());
    packet.extend([number, hops]);
    packet.extend(src.octets());
    packet.extend(dst.octets());
    packet.extend(l4);
    packet
}

fn checksum(bytes: &[u8]) -> u16 {
    let word = |pair: &[u8]| u32::from(pair[0]) * 256 + pair.get(1).copied().map_or(0, u32::from);
    let sum: u32 = bytes.chunks(2).map(word).sum();
    !u16::try_from(sum % 65_535).expect("below 65535")
}

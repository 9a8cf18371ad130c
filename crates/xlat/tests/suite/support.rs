//! Builds packets and checksums independently of the crate under test.

use std::net::{Ipv4Addr, Ipv6Addr};

use everclat_xlat::{Config, DropReason, PacketBuf, Pref64, Translator, Verdict, VnetHeader};

pub(crate) const HOST: Ipv4Addr = Ipv4Addr::new(192, 0, 0, 2);
pub(crate) const GATEWAY: Ipv4Addr = Ipv4Addr::new(192, 0, 0, 1);
pub(crate) const PEER: Ipv4Addr = Ipv4Addr::new(198, 51, 100, 1);
/// The peer under 64:ff9b::/96.
pub(crate) const PEER6: Ipv6Addr = Ipv6Addr::new(0x64, 0xff9b, 0, 0, 0, 0, 0xc633, 0x6401);
/// Checksum-neutral with [`HOST`] under 64:ff9b::/96 (worked example of data-path.md section 11).
pub(crate) const NEUTRAL: Ipv6Addr = Ipv6Addr::new(0x2001, 0xdb8, 0x464, 1, 0x5a11, 0xc73e, 0xcf51, 0x9d42);
/// Not neutral.
pub(crate) const PLAIN: Ipv6Addr = Ipv6Addr::new(0x2001, 0xdb8, 0, 0, 0, 0, 0, 0xc1a7);

pub(crate) const ICMP: u8 = 1;
pub(crate) const TCP: u8 = 6;
pub(crate) const UDP: u8 = 17;
pub(crate) const FRAGMENT: u8 = 44;
pub(crate) const ICMPV6: u8 = 58;

pub(crate) fn config(x: Ipv6Addr) -> Config {
    Config::new(Pref64::WELL_KNOWN, HOST, x, 1500)
}

/// What a verdict leaves behind, bytes included.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Outcome {
    Forward(Vec<u8>, VnetHeader),
    Fragments(Vec<Vec<u8>>),
    Reply(DropReason, Vec<u8>),
    Drop(DropReason),
}

impl Outcome {
    #[track_caller]
    pub(crate) fn forwarded(self) -> Vec<u8> {
        match self {
            Self::Forward(packet, _) => packet,
            Self::Fragments(_) | Self::Reply(..) | Self::Drop(_) => panic!("not forwarded: {self:?}"),
        }
    }

    #[track_caller]
    pub(crate) fn with_offload(self) -> (Vec<u8>, VnetHeader) {
        match self {
            Self::Forward(packet, vnet) => (packet, vnet),
            Self::Fragments(_) | Self::Reply(..) | Self::Drop(_) => panic!("not forwarded: {self:?}"),
        }
    }

    #[track_caller]
    pub(crate) fn fragments(self) -> Vec<Vec<u8>> {
        match self {
            Self::Fragments(pieces) => pieces,
            Self::Forward(..) | Self::Reply(..) | Self::Drop(_) => panic!("not fragmented: {self:?}"),
        }
    }

    #[track_caller]
    pub(crate) fn reply(self) -> (DropReason, Vec<u8>) {
        match self {
            Self::Reply(reason, packet) => (reason, packet),
            Self::Forward(..) | Self::Fragments(_) | Self::Drop(_) => panic!("not answered: {self:?}"),
        }
    }
}

#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Way {
    Out,
    In,
}

pub(crate) fn outbound(config: &Config, packet: &[u8]) -> Outcome {
    run(Way::Out, config, packet, VnetHeader::default())
}

pub(crate) fn inbound(config: &Config, packet: &[u8]) -> Outcome {
    run(Way::In, config, packet, VnetHeader::default())
}

pub(crate) fn run(way: Way, config: &Config, packet: &[u8], vnet: VnetHeader) -> Outcome {
    let mut translator = Translator::new(config.clone());
    let mut buf = PacketBuf::new();
    drive(&mut translator, &mut buf, way, packet, vnet)
}

pub(crate) fn drive(
    translator: &mut Translator,
    buf: &mut PacketBuf,
    way: Way,
    packet: &[u8],
    vnet: VnetHeader,
) -> Outcome {
    assert!(buf.set_packet(packet));
    buf.vnet = vnet;
    let verdict = match way {
        Way::Out => translator.v4_to_v6(buf),
        Way::In => translator.v6_to_v4(buf),
    };
    match verdict {
        Verdict::Forward => Outcome::Forward(buf.packet().to_vec(), buf.vnet),
        Verdict::Fragments(mut pieces) => {
            let mut sent = Vec::new();
            while pieces.next(buf) {
                assert_eq!(buf.vnet, VnetHeader::default());
                sent.push(buf.packet().to_vec());
                // As the plane does: a link header in front must not hurt what follows.
                if let Some(link) = buf.push_front::<26>() {
                    *link = [0xee; 26];
                }
            }
            Outcome::Fragments(sent)
        }
        Verdict::Reply(reason) => {
            assert_eq!(buf.vnet, VnetHeader::default());
            Outcome::Reply(reason, buf.packet().to_vec())
        }
        Verdict::Drop(reason) => Outcome::Drop(reason),
    }
}

/// Hex digits, blanks ignored.
pub(crate) fn hex(text: &str) -> Vec<u8> {
    let digits: Vec<u32> = text.chars().filter_map(|c| c.to_digit(16)).collect();
    digits.chunks(2).map(|pair| u8::try_from(pair[0] * 16 + pair[1]).unwrap()).collect()
}

/// Header fields beyond the obvious.
#[derive(Clone, Copy)]
pub(crate) struct Fields {
    pub(crate) tos: u8,
    pub(crate) id: u16,
    /// IPv4 flags and offset.
    pub(crate) frag: u16,
    pub(crate) ttl: u8,
}

pub(crate) const DF: u16 = 0x4000;
pub(crate) const MF: u16 = 0x2000;
pub(crate) const PLAIN_FIELDS: Fields = Fields { tos: 0, id: 0, frag: DF, ttl: 64 };

pub(crate) fn ipv4(src: Ipv4Addr, dst: Ipv4Addr, protocol: u8, payload: &[u8]) -> Vec<u8> {
    ipv4_with(src, dst, protocol, payload, &[], PLAIN_FIELDS)
}

pub(crate) fn ipv4_with(
    src: Ipv4Addr,
    dst: Ipv4Addr,
    protocol: u8,
    payload: &[u8],
    options: &[u8],
    fields: Fields,
) -> Vec<u8> {
    assert_eq!(options.len() % 4, 0);
    let header = 20 + options.len();
    let mut packet = vec![0x40 + u8::try_from(header / 4).unwrap(), fields.tos];
    packet.extend(u16::try_from(header + payload.len()).unwrap().to_be_bytes());
    packet.extend(fields.id.to_be_bytes());
    packet.extend(fields.frag.to_be_bytes());
    packet.extend([fields.ttl, protocol, 0, 0]);
    packet.extend(src.octets());
    packet.extend(dst.octets());
    packet.extend(options);
    let sum = checksum(&[&packet]);
    packet[10..12].copy_from_slice(&sum.to_be_bytes());
    packet.extend(payload);
    packet
}

pub(crate) fn ipv6(src: Ipv6Addr, dst: Ipv6Addr, next: u8, payload: &[u8]) -> Vec<u8> {
    ipv6_with(src, dst, next, payload, 0, 64)
}

pub(crate) fn ipv6_with(src: Ipv6Addr, dst: Ipv6Addr, next: u8, payload: &[u8], class: u8, hops: u8) -> Vec<u8> {
    let mut packet = vec![0x60 | (class >> 4), class << 4, 0, 0];
    packet.extend(u16::try_from(payload.len()).unwrap().to_be_bytes());
    packet.extend([next, hops]);
    packet.extend(src.octets());
    packet.extend(dst.octets());
    packet.extend(payload);
    packet
}

/// A Fragment header, `offset` in units of 8 bytes.
pub(crate) fn fragment_header(next: u8, offset: u16, more: bool, id: u32) -> Vec<u8> {
    let mut header = vec![next, 0];
    header.extend((offset * 8 + u16::from(more)).to_be_bytes());
    header.extend(id.to_be_bytes());
    header
}

/// Either family's addresses, as octets.
pub(crate) fn addresses4(src: Ipv4Addr, dst: Ipv4Addr) -> Vec<u8> {
    [src.octets(), dst.octets()].concat()
}

pub(crate) fn addresses6(src: Ipv6Addr, dst: Ipv6Addr) -> Vec<u8> {
    [src.octets(), dst.octets()].concat()
}

/// RFC 1071 word by word.
pub(crate) fn checksum(parts: &[&[u8]]) -> u16 {
    !plain_sum(parts)
}

/// The sum before complement.
pub(crate) fn plain_sum(parts: &[&[u8]]) -> u16 {
    let mut sum = 0_u32;
    for part in parts {
        for pair in part.chunks(2) {
            let low = pair.get(1).copied().unwrap_or(0);
            sum += u32::from(pair[0]) * 256 + u32::from(low);
            if sum > 0xffff {
                sum -= 0xffff;
            }
        }
    }
    u16::try_from(sum).unwrap()
}

/// Length and protocol of a pseudo-header.
pub(crate) fn pseudo_tail(protocol: u8, len: usize) -> Vec<u8> {
    let [a, b] = u16::try_from(len).unwrap().to_be_bytes();
    vec![a, b, 0, protocol]
}

fn offset_of(protocol: u8) -> usize {
    match protocol {
        TCP => 16,
        UDP => 6,
        _ => 2,
    }
}

/// Fills in the checksum of `message` for these addresses (none for ICMPv4).
pub(crate) fn sealed(mut message: Vec<u8>, protocol: u8, addresses: &[u8]) -> Vec<u8> {
    let at = offset_of(protocol);
    message[at..at + 2].fill(0);
    let tail = if addresses.is_empty() { Vec::new() } else { pseudo_tail(protocol, message.len()) };
    let mut sum = checksum(&[addresses, &tail, &message]);
    if protocol == UDP && sum == 0 {
        sum = 0xffff;
    }
    message[at..at + 2].copy_from_slice(&sum.to_be_bytes());
    message
}

/// Puts the plain pseudo-header sum in, as NEEDS_CSUM wants it.
pub(crate) fn half_sealed(mut message: Vec<u8>, protocol: u8, addresses: &[u8]) -> Vec<u8> {
    let at = offset_of(protocol);
    let sum = plain_sum(&[addresses, &pseudo_tail(protocol, message.len())]);
    message[at..at + 2].copy_from_slice(&sum.to_be_bytes());
    message
}

pub(crate) fn udp(payload: &[u8]) -> Vec<u8> {
    let mut datagram = vec![0x12, 0x34, 0, 53];
    datagram.extend(u16::try_from(8 + payload.len()).unwrap().to_be_bytes());
    datagram.extend([0, 0]);
    datagram.extend(payload);
    datagram
}

pub(crate) fn tcp(payload: &[u8]) -> Vec<u8> {
    let mut segment = hex("1234 01bb 11223344 55667788 5018 ffff 0000 0000");
    segment.extend(payload);
    segment
}

pub(crate) fn icmp(kind: u8, code: u8, rest: [u8; 4], body: &[u8]) -> Vec<u8> {
    let mut message = vec![kind, code, 0, 0];
    message.extend(rest);
    message.extend(body);
    message
}

pub(crate) fn bytes(len: usize) -> Vec<u8> {
    (0..len).map(|i| u8::try_from(i * 7 % 251).unwrap()).collect()
}

/// A complete UDP packet from host to peer.
pub(crate) fn udp4(payload: &[u8]) -> Vec<u8> {
    ipv4(HOST, PEER, UDP, &sealed(udp(payload), UDP, &addresses4(HOST, PEER)))
}

/// A complete UDP packet from the peer to `x`.
pub(crate) fn udp6(x: Ipv6Addr, payload: &[u8]) -> Vec<u8> {
    ipv6(PEER6, x, UDP, &sealed(udp(payload), UDP, &addresses6(PEER6, x)))
}

/// An ICMPv4 error from the host, checksum right.
pub(crate) fn error4(kind: u8, code: u8, rest: [u8; 4], quoted: &[u8]) -> Vec<u8> {
    ipv4(HOST, PEER, ICMP, &sealed(icmp(kind, code, rest, quoted), ICMP, &[]))
}

/// An ICMPv6 error to `x`, checksum right.
pub(crate) fn error6(src: Ipv6Addr, x: Ipv6Addr, kind: u8, code: u8, rest: [u8; 4], quoted: &[u8]) -> Vec<u8> {
    ipv6(src, x, ICMPV6, &sealed(icmp(kind, code, rest, quoted), ICMPV6, &addresses6(src, x)))
}

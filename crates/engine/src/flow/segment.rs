//! What tells one flow from another, as it stands in an IPv4 packet, and the packets that end a flow.

use std::net::Ipv4Addr;

use etherparse::icmpv4::DestUnreachableHeader;
use etherparse::{Icmpv4Type, PacketBuilder};

const IPV4: usize = 20;
/// What of a TCP header is looked at: all up to its flags.
const TCP_SEEN: usize = 14;
const TCP: u8 = 6;
const UDP: u8 = 17;
/// More fragments, or an offset.
const FRAGMENT: u16 = 0x3fff;
pub(super) const TTL: u8 = 64;

const FIN: u8 = 0x01;
const SYN: u8 = 0x02;
const RST: u8 = 0x04;
const ACK: u8 = 0x10;

/// One direction of a flow from the host's apps; its source is always the host's address on the tunnel.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Key {
    /// 0: there is no flow.
    pub(super) destination: u32,
    /// Source port, destination port; 0 for the fragments of a datagram, which have none of their own.
    pub(super) ports: u32,
    pub(super) is_tcp: bool,
}

impl Key {
    fn peer(self) -> [u8; 4] {
        self.destination.to_be_bytes()
    }

    /// The app's own, then the peer's.
    fn both_ports(self) -> (u16, u16) {
        let [a, b, c, d] = self.ports.to_be_bytes();
        (u16::from_be_bytes([a, b]), u16::from_be_bytes([c, d]))
    }
}

/// What an app has sent.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Segment {
    pub(super) key: Key,
    flags: u8,
    /// The first byte that it carries.
    pub(super) sequence: u32,
    /// The byte that the app expects next, if [`acknowledges`](Self::acknowledges).
    pub(super) expects: u32,
}

impl Segment {
    /// `None`: not of a flow from `source`. Fragments of TCP are none either: the system makes segments that fit.
    #[inline]
    pub(super) fn parse(packet: &[u8], source: Ipv4Addr) -> Option<Self> {
        let header = packet.first_chunk::<IPV4>()?;
        let [version_ihl, _, _, _, _, _, f0, f1, _, protocol, _, _, s0, s1, s2, s3, d0, d1, d2, d3] = *header;
        if version_ihl >> 4 != 4 || Ipv4Addr::new(s0, s1, s2, s3) != source {
            return None;
        }
        let destination = u32::from_be_bytes([d0, d1, d2, d3]);
        let body = packet.get(usize::from(version_ihl & 0x0f) * 4..)?;
        let is_fragment = u16::from_be_bytes([f0, f1]) & FRAGMENT != 0;
        match protocol {
            TCP if !is_fragment => {
                let [a, b, c, d, e, f, g, h, i, j, k, l, _, flags] = *body.first_chunk::<TCP_SEEN>()?;
                Some(Self {
                    key: Key { destination, ports: u32::from_be_bytes([a, b, c, d]), is_tcp: true },
                    flags,
                    sequence: u32::from_be_bytes([e, f, g, h]),
                    expects: u32::from_be_bytes([i, j, k, l]),
                })
            }
            UDP => {
                let ports = if is_fragment { 0 } else { u32::from_be_bytes(*body.first_chunk()?) };
                Some(Self { key: Key { destination, ports, is_tcp: false }, flags: 0, sequence: 0, expects: 0 })
            }
            _ => None,
        }
    }

    /// It begins a connection.
    pub(super) fn opens(&self) -> bool {
        self.flags & (SYN | ACK) == SYN
    }

    /// It begins a connection, from either side.
    pub(super) fn synchronizes(&self) -> bool {
        self.flags & SYN != 0
    }

    pub(super) fn acknowledges(&self) -> bool {
        self.flags & ACK != 0
    }

    /// The app has nothing more to say.
    pub(super) fn closes(&self) -> bool {
        self.flags & FIN != 0
    }

    /// The app has broken it off.
    pub(super) fn resets(&self) -> bool {
        self.flags & RST != 0
    }
}

/// The segment that ends a TCP connection in the eyes of the app at `host`. It has to carry just the number that the
/// app expects next (RFC 5961 section 3.2): from any other it would only be challenged.
pub(super) fn reset(host: Ipv4Addr, key: Key, expects: u32) -> Vec<u8> {
    let (local, remote) = key.both_ports();
    let builder = PacketBuilder::ipv4(key.peer(), host.octets(), TTL).tcp(remote, local, expects, 0).rst();
    written(builder.size(0), |packet| builder.write(packet, &[]))
}

/// The segment that refuses the connection which the app at `host` asks for: it acknowledges `expects` (RFC 9293 section
/// 3.10.7.3).
pub(super) fn refusal(host: Ipv4Addr, key: Key, expects: u32) -> Vec<u8> {
    let (local, remote) = key.both_ports();
    let builder = PacketBuilder::ipv4(key.peer(), host.octets(), TTL).tcp(remote, local, 0, 0).rst().ack(expects);
    written(builder.size(0), |packet| builder.write(packet, &[]))
}

/// The message that ends a UDP flow in the eyes of the app at `host`, from `gateway`.
pub(super) fn unreachable(gateway: Ipv4Addr, host: Ipv4Addr, key: Key) -> Vec<u8> {
    let (local, remote) = key.both_ports();
    // The beginning of a datagram as it may have been (RFC 792): what counts are addresses and ports.
    let quoted = PacketBuilder::ipv4(host.octets(), key.peer(), TTL).udp(local, remote);
    let quoted = written(quoted.size(0), |packet| quoted.write(packet, &[]));
    // Of all codes the one that systems hand to apps with connected sockets (RFC 1122 section 4.1.3.3).
    let kind = Icmpv4Type::DestinationUnreachable(DestUnreachableHeader::Port);
    let builder = PacketBuilder::ipv4(gateway.octets(), host.octets(), TTL).icmpv4(kind);
    written(builder.size(quoted.len()), |packet| builder.write(packet, &quoted))
}

pub(super) fn written<E>(size: usize, write: impl FnOnce(&mut Vec<u8>) -> Result<(), E>) -> Vec<u8> {
    let mut packet = Vec::with_capacity(size);
    // Nothing here is longer than a packet may be.
    let _ = write(&mut packet);
    packet
}

//! Which packets show that their flow may go by the system's fast path, and which that it may no longer.
//!
//! The fast path takes flows that the complete translator has already carried some packets of, in both directions: so
//! whatever there is to refuse about a flow has been refused by then, and lookups and handshakes, most of what an app
//! does, never pay for being taken.

use std::net::Ipv4Addr;

use model::FlowKey;

use super::segment::{Key, Segment};

const IPV4: usize = 20;
const ICMP: u8 = 1;
const TCP: u8 = 6;
const UDP: u8 = 17;
const ECHO_REQUEST: u8 = 8;
/// More fragments, or an offset.
const FRAGMENT: u16 = 0x3fff;

/// What a packet of an app means for its flow.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fast {
    /// It is like those that the fast path carries.
    May(Candidate),
    /// A connection begins, or ends: the flow is to be left to us.
    Ends(FlowKey),
    /// Nothing: it is of no such flow, or is a packet that the fast path always leaves to us.
    Nothing,
}

/// A flow, and how far it is with this packet.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Candidate {
    /// The flow.
    pub key: FlowKey,
    /// TCP: the byte that the app expects next; otherwise 0.
    pub expects: u32,
    /// TCP: the byte after the last one that it has sent; otherwise 0.
    pub end: u32,
    /// Whether the packet is a super-packet of datagrams.
    pub udp_gso: bool,
}

impl Fast {
    /// Reads what the app at `source` sends; `is_gso` says that it is a super-packet.
    #[inline]
    #[must_use]
    pub fn of(packet: &[u8], source: Ipv4Addr, is_gso: bool) -> Self {
        Self::read(packet, source, is_gso).unwrap_or(Self::Nothing)
    }

    fn read(packet: &[u8], source: Ipv4Addr, is_gso: bool) -> Option<Self> {
        let [0x45, _, _, _, _, _, f0, f1, _, protocol, _, _, s0, s1, s2, s3, d0, d1, d2, d3] =
            *packet.first_chunk::<IPV4>()?
        else {
            return None;
        };
        if u16::from_be_bytes([f0, f1]) & FRAGMENT != 0 || Ipv4Addr::new(s0, s1, s2, s3) != source {
            return None;
        }
        let body = packet.get(IPV4..)?;
        let key = |port, peer_port| FlowKey { peer: Ipv4Addr::new(d0, d1, d2, d3), port, peer_port, protocol };
        let still = |key, udp_gso| Self::May(Candidate { key, expects: 0, end: 0, udp_gso });
        match protocol {
            TCP => {
                let segment = Segment::parse(packet, source)?;
                let [a, b, c, d, _, _, _, _, _, _, _, _, offset, ..] = *body.first_chunk::<IPV4>()?;
                let key = key(u16::from_be_bytes([a, b]), u16::from_be_bytes([c, d]));
                if segment.opens() || segment.closes() || segment.resets() {
                    return Some(Self::Ends(key));
                }
                if !segment.acknowledges() || segment.synchronizes() {
                    return None;
                }
                let payload = body.len().checked_sub(usize::from(offset >> 4) * 4)?;
                let end = segment.sequence.wrapping_add(u32::try_from(payload).ok()?);
                Some(Self::May(Candidate { key, expects: segment.expects, end, udp_gso: false }))
            }
            UDP => {
                let [a, b, c, d, _, _, sum @ ..] = *body.first_chunk::<8>()?;
                // One without a checksum needs it computed.
                (sum != [0, 0]).then(|| still(key(u16::from_be_bytes([a, b]), u16::from_be_bytes([c, d])), is_gso))
            }
            ICMP => {
                let [ECHO_REQUEST, 0, _, _, a, b] = *body.first_chunk::<6>()? else { return None };
                let id = u16::from_be_bytes([a, b]);
                (id != 0).then(|| still(key(id, id), false))
            }
            _ => None,
        }
    }
}

/// The same flow for the table; `None`: of a kind that is not in it.
pub(super) fn table_key(key: &FlowKey) -> Option<Key> {
    let ([a, b], [c, d]) = (key.port.to_be_bytes(), key.peer_port.to_be_bytes());
    let is_tcp = match key.protocol {
        TCP => true,
        UDP => false,
        _ => return None,
    };
    Some(Key { destination: key.peer.to_bits(), ports: u32::from_be_bytes([a, b, c, d]), is_tcp })
}

#[cfg(test)]
mod tests {
    use etherparse::{PacketBuilder, PacketBuilderStep, TcpHeader};

    use super::super::segment::{TTL, written};
    use super::super::{Ending, Flows, Home, KEPT, Way};
    use super::*;

    const HOST: Ipv4Addr = Ipv4Addr::new(192, 0, 0, 2);
    const SERVER: [u8; 4] = [198, 51, 100, 7];

    fn key(protocol: u8) -> FlowKey {
        FlowKey { peer: SERVER.into(), port: 5000, peer_port: 80, protocol }
    }

    fn tcp(sequence: u32, shape: impl FnOnce(PacketBuilderStep<TcpHeader>) -> PacketBuilderStep<TcpHeader>) -> Vec<u8> {
        let builder = shape(PacketBuilder::ipv4(HOST.octets(), SERVER, TTL).tcp(5000, 80, sequence, 1000));
        written(builder.size(4), |to| builder.write(to, b"data"))
    }

    fn udp() -> Vec<u8> {
        let builder = PacketBuilder::ipv4(HOST.octets(), SERVER, TTL).udp(5000, 80);
        written(builder.size(4), |to| builder.write(to, b"data"))
    }

    fn of(packet: &[u8]) -> Fast {
        Fast::of(packet, HOST, false)
    }

    #[test]
    fn open_connections_datagrams_and_echoes_may() {
        let may = |protocol, expects, end| Fast::May(Candidate { key: key(protocol), expects, end, udp_gso: false });
        assert_eq!(of(&tcp(100, |tcp| tcp.ack(7))), may(TCP, 7, 104));
        assert_eq!(of(&udp()), may(UDP, 0, 0));
        assert!(matches!(Fast::of(&udp(), HOST, true), Fast::May(Candidate { udp_gso: true, .. })));
        let echo = PacketBuilder::ipv4(HOST.octets(), SERVER, TTL).icmpv4_echo_request(9, 1);
        let echo = written(echo.size(4), |to| echo.write(to, b"data"));
        let Fast::May(found) = of(&echo) else { panic!("an echo") };
        assert_eq!(found.key, FlowKey { port: 9, peer_port: 9, ..key(ICMP) });
    }

    #[test]
    fn beginnings_and_ends_do_not() {
        for packet in [
            tcp(1, PacketBuilderStep::syn),
            tcp(1, |tcp| tcp.fin().ack(1)),
            tcp(1, PacketBuilderStep::rst),
            tcp(1, |tcp| tcp.rst().ack(1)),
        ] {
            assert_eq!(of(&packet), Fast::Ends(key(TCP)));
        }
    }

    #[test]
    fn what_the_fast_path_leaves_to_us_says_nothing() {
        let plain = tcp(1, |tcp| tcp.ack(1));
        let changed = |at: usize, byte: u8| {
            let mut packet = plain.clone();
            packet[at] = byte;
            packet
        };
        let mut without_sum = udp();
        without_sum[26..28].fill(0);
        for packet in [changed(0, 0x46), changed(6, 0x20), changed(9, 47), changed(13, 1), without_sum, vec![]] {
            assert_eq!(of(&packet), Fast::Nothing, "{packet:02x?}");
        }
        for cut in [19, 20, 27, 39] {
            assert_eq!(of(&plain[..cut]), Fast::Nothing);
        }
        assert_eq!(of(&tcp(1, |tcp| tcp.syn().ack(1))), Fast::Nothing, "an app that is a server");
    }

    fn settled() -> Flows {
        let mut flows = Flows::default();
        flows.settle(Home { v4: HOST, v6: "2001:db8::1".parse().unwrap() }, [None; KEPT]);
        flows
    }

    /// The number in the reset that an app is told.
    fn told(flows: &mut Flows) -> Vec<u32> {
        let mut numbers = Vec::new();
        flows.tell(Ending::All, Ipv4Addr::new(192, 0, 0, 1), |packet| {
            numbers.push(u32::from_be_bytes(packet[24..28].try_into().unwrap()));
        });
        numbers
    }

    #[test]
    fn the_reset_carries_what_the_fast_path_has_seen() {
        for (seen, later) in [(7, 5000), (u32::MAX - 5, 10)] {
            let mut flows = settled();
            assert_eq!(flows.route(&tcp(1, |tcp| tcp.ack(seen))), Way::InUse);
            flows.refresh(&key(TCP), later, 0);
            // What was seen before that, told late, changes nothing.
            flows.refresh(&key(TCP), seen, 3);
            assert_eq!(told(&mut flows), [later]);
        }
    }

    #[test]
    fn flows_that_are_not_known_stay_so() {
        let mut flows = settled();
        flows.refresh(&key(TCP), 9, 0);
        flows.refresh(&FlowKey { protocol: ICMP, ..key(TCP) }, 9, 0);
        assert!(told(&mut flows).is_empty());
    }

    #[test]
    fn a_flow_lives_by_what_it_sends_elsewhere() {
        let (old, new) = (
            Home { v4: HOST, v6: "2001:db8::1".parse().unwrap() },
            Home { v4: HOST, v6: "2001:db8::2".parse().unwrap() },
        );
        let mut flows = Flows::default();
        flows.settle(old, [None; KEPT]);
        flows.route(&udp());
        flows.tick(130);
        flows.refresh(&key(UDP), 0, 20);
        flows.settle(new, [Some(old), None]);
        assert!(flows.lives(0));
        flows.tick(130 + 120);
        assert!(!flows.lives(0), "it has sent nothing for longer than any NAT waits");
    }

    #[test]
    fn a_connection_that_opens_says_itself_what_it_expects() {
        let mut flows = settled();
        flows.route(&tcp(40, PacketBuilderStep::syn));
        flows.refresh(&key(TCP), 4000, 0);
        let mut acknowledged = Vec::new();
        flows.tell(Ending::All, Ipv4Addr::new(192, 0, 0, 1), |packet| {
            acknowledged.push(u32::from_be_bytes(packet[28..32].try_into().unwrap()));
        });
        assert_eq!(acknowledged, [41]);
    }
}

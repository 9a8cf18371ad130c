//! Probes through the NAT64: an echo request of any size, or the first packet of a TCP connection, from X to an IPv4
//! server.
//!
//! [`Prober`] is sans-IO: IPv6 packets out, IPv6 packets in. What is not an answer to a probe of ours is left to the
//! translator.

use std::net::{Ipv4Addr, Ipv6Addr};

use model::ProbeTarget;
use xlat::Pref64;

const IPV6: usize = 40;
const ICMPV6: u8 = 58;
const FRAGMENT: u8 = 44;
const FRAGMENT_HEADER: usize = 8;
const TCP: u8 = 6;
const HOP_LIMIT: u8 = 64;
const ECHO_REQUEST: u8 = 128;
const ECHO_REPLY: u8 = 129;
/// Told apart from the pings of people by what it carries.
const MAGIC: &[u8; 8] = b"Everclat";
const ECHO: usize = 8 + MAGIC.len();
const TCP_HEADER: usize = 20;
const SYN: u8 = 0x02;
const RST: u8 = 0x04;
const ACK: u8 = 0x10;
/// Above the ports that systems give to apps by themselves (RFC 6335 section 6 leaves them to whoever wants them).
const FIRST_PORT: u16 = 61_001;
const PORTS: u16 = 4_000;
/// Questions that may be open at once; the oldest makes room.
const MAX_PENDING: usize = 32;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Pending {
    target: ProbeTarget<Ipv4Addr>,
    number: u16,
    /// The packet is of a size that is being tried: it may be sent again, and each answer counts.
    size: Option<u16>,
}

/// What an incoming packet was.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Answer {
    /// Who answered.
    pub target: ProbeTarget<Ipv4Addr>,
    /// The size that was tried, if one was.
    pub size: Option<u16>,
    /// What is to be sent back, if anything: a TCP server must not be left waiting.
    pub goodbye: Option<Vec<u8>>,
}

/// Asks servers and knows their answers.
#[derive(Debug)]
pub struct Prober {
    x: Ipv6Addr,
    pref64: Pref64,
    number: u16,
    pending: Vec<Pending>,
}

impl Prober {
    /// Asks from `x` through the NAT64 behind `pref64`.
    #[must_use]
    pub fn new(x: Ipv6Addr, pref64: Pref64) -> Self {
        Self { x, pref64, number: 0, pending: Vec::new() }
    }

    /// The packet that asks `target`.
    pub fn ask(&mut self, target: ProbeTarget<Ipv4Addr>) -> Vec<u8> {
        self.pending.retain(|pending| (pending.target, pending.size) != (target, None));
        self.expect(target, None);
        let server = self.pref64.embed(target.address);
        match target.port {
            None => echo(self.x, server, self.number, ECHO),
            Some(port) => segment(self.x, server, (local_port(self.number), port), (u32::from(self.number), 0), SYN),
        }
    }

    /// An echo request to `server` that makes an IPv6 packet of `size` bytes; less than the least that says what it has
    /// to say is that least.
    pub fn measure(&mut self, server: Ipv4Addr, size: u16) -> Vec<u8> {
        let target = ProbeTarget { address: server, port: None };
        let known = self.pending.iter().find(|pending| (pending.target, pending.size) == (target, Some(size)));
        let number = match known {
            // An answer to the one before is as good.
            Some(known) => known.number,
            None => self.expect(target, Some(size)),
        };
        echo(self.x, self.pref64.embed(server), number, usize::from(size).saturating_sub(IPV6).max(ECHO))
    }

    fn expect(&mut self, target: ProbeTarget<Ipv4Addr>, size: Option<u16>) -> u16 {
        self.number = self.number.wrapping_add(1);
        if self.pending.len() >= MAX_PENDING {
            self.pending.remove(0);
        }
        self.pending.push(Pending { target, number: self.number, size });
        self.number
    }

    /// Whether an answer may still come.
    #[must_use]
    pub fn is_waiting(&self) -> bool {
        !self.pending.is_empty()
    }

    /// Whether the IPv6 packet is what is left of a large answer behind its first fragment.
    #[must_use]
    pub fn is_rest(&self, packet: &[u8]) -> bool {
        let Some(source) = packet.get(8..).and_then(|rest| rest.first_chunk::<16>()) else { return false };
        let asked = |pending: &Pending| {
            pending.size.is_some_and(|size| usize::from(size) > IPV6 + ECHO)
                && self.pref64.extract(Ipv6Addr::from(*source)) == Some(pending.target.address)
        };
        fragment(packet).is_some_and(|(next_header, offset)| next_header == ICMPV6 && offset > 0)
            && self.pending.iter().any(asked)
    }

    /// Says whose answer the IPv6 packet is; `None`: nobody's.
    pub fn handle(&mut self, packet: &[u8]) -> Option<Answer> {
        let header = packet.get(..IPV6)?;
        let source = Ipv6Addr::from(*header.get(8..)?.first_chunk::<16>()?);
        let destination = Ipv6Addr::from(*header.get(24..)?.first_chunk::<16>()?);
        if destination != self.x {
            return None;
        }
        let address = self.pref64.extract(source)?;
        // A NAT64 cuts large answers into pieces (RFC 7915 section 4.1): the first one tells enough.
        let (next_header, body) = match fragment(packet) {
            Some((_, 1..)) => return None,
            Some((next_header, 0)) => (next_header, packet.get(IPV6 + FRAGMENT_HEADER..)?),
            None => (*header.get(6)?, packet.get(IPV6..)?),
        };
        let (number, goodbye) = match next_header {
            ICMPV6 => (echoed(body)?, None),
            TCP => self.acknowledged(source, body)?,
            _ => return None,
        };
        let port = (next_header == TCP).then(|| word(body, 0)).flatten();
        let target = ProbeTarget { address, port };
        let at = self.pending.iter().position(|pending| (pending.target, pending.number) == (target, number))?;
        let size = self.pending.get(at)?.size;
        if size.is_none() {
            self.pending.remove(at);
        }
        Some(Answer { target, size, goodbye })
    }

    /// The number of the question that a TCP segment answers, and how to end what it began.
    fn acknowledged(&self, server: Ipv6Addr, segment_in: &[u8]) -> Option<(u16, Option<Vec<u8>>)> {
        let ports = (word(segment_in, 2)?, word(segment_in, 0)?);
        let number = ports.0.checked_sub(FIRST_PORT)?;
        let asked = self.pending.iter().find(|pending| local_port(pending.number) == FIRST_PORT + number)?.number;
        let flags = *segment_in.get(13)?;
        let acknowledges = u32::from_be_bytes(*segment_in.get(8..)?.first_chunk()?) == u32::from(asked) + 1;
        if flags & ACK == 0 || !acknowledges {
            return None;
        }
        // RFC 9293 section 3.10.7.3: a reset with an acknowledgement of our SYN is a refusal: somebody is there.
        let open = flags & SYN != 0 && flags & RST == 0;
        let goodbye = open.then(|| segment(self.x, server, ports, (u32::from(asked) + 1, 0), RST));
        Some((asked, goodbye))
    }
}

/// What a fragment is of, and its offset in units of eight bytes; `None`: it is none.
fn fragment(packet: &[u8]) -> Option<(u8, u16)> {
    if packet.get(6) != Some(&FRAGMENT) {
        return None;
    }
    let [next_header, _, a, b] = *packet.get(IPV6..)?.first_chunk()?;
    Some((next_header, u16::from_be_bytes([a, b]) >> 3))
}

fn local_port(number: u16) -> u16 {
    FIRST_PORT + number % PORTS
}

fn word(bytes: &[u8], at: usize) -> Option<u16> {
    bytes.get(at..)?.first_chunk().map(|raw| u16::from_be_bytes(*raw))
}

/// The number in an echo reply of ours.
fn echoed(message: &[u8]) -> Option<u16> {
    // Some servers give back no more than the beginning.
    let ours = message.first() == Some(&ECHO_REPLY) && message.get(8..ECHO) == Some(MAGIC);
    if ours { word(message, 6) } else { None }
}

fn echo(x: Ipv6Addr, server: Ipv6Addr, number: u16, length: usize) -> Vec<u8> {
    let mut message = vec![0; length];
    message[0] = ECHO_REQUEST;
    message[4..6].copy_from_slice(&[MAGIC[0], MAGIC[1]]);
    message[6..8].copy_from_slice(&number.to_be_bytes());
    message[8..ECHO].copy_from_slice(MAGIC);
    let sum = xlat::icmpv6_checksum(x, server, &message);
    message[2..4].copy_from_slice(&sum.to_be_bytes());
    packet(x, server, ICMPV6, &message)
}

fn segment(
    x: Ipv6Addr,
    server: Ipv6Addr,
    (local, remote): (u16, u16),
    (sequence, acknowledgement): (u32, u32),
    flags: u8,
) -> Vec<u8> {
    let mut header = [0; TCP_HEADER];
    header[..2].copy_from_slice(&local.to_be_bytes());
    header[2..4].copy_from_slice(&remote.to_be_bytes());
    header[4..8].copy_from_slice(&sequence.to_be_bytes());
    header[8..12].copy_from_slice(&acknowledgement.to_be_bytes());
    // Five words of header; the smallest window that no middlebox takes for a trick.
    header[12..16].copy_from_slice(&[5 << 4, flags, 0x40, 0]);
    let sum = xlat::transport_checksum(x, server, TCP, &header);
    header[16..18].copy_from_slice(&sum.to_be_bytes());
    packet(x, server, TCP, &header)
}

fn packet(x: Ipv6Addr, server: Ipv6Addr, next_header: u8, body: &[u8]) -> Vec<u8> {
    let mut packet = vec![0x60, 0, 0, 0];
    packet.extend(u16::try_from(body.len()).unwrap_or_default().to_be_bytes());
    packet.extend([next_header, HOP_LIMIT]);
    packet.extend(x.octets());
    packet.extend(server.octets());
    packet.extend(body);
    packet
}

#[cfg(test)]
mod tests {
    use super::*;

    const X: &str = "2001:db8:1::a";
    const SERVER: Ipv4Addr = Ipv4Addr::new(198, 51, 100, 7);

    fn prober() -> Prober {
        Prober::new(X.parse().unwrap(), Pref64::WELL_KNOWN)
    }

    fn target(port: Option<u16>) -> ProbeTarget<Ipv4Addr> {
        ProbeTarget { address: SERVER, port }
    }

    /// Source and destination changed over.
    fn turned(packet: &[u8]) -> Vec<u8> {
        [&packet[..8], &packet[24..40], &packet[8..24], &packet[40..]].concat()
    }

    #[test]
    fn an_echo_request_and_its_reply() {
        let mut prober = prober();
        let asked = prober.ask(target(None));
        // Written down by hand: 16 bytes of ICMPv6 to 64:ff9b::198.51.100.7.
        assert_eq!(asked[..8], [0x60, 0, 0, 0, 0, 16, 58, 64]);
        assert_eq!(asked[24..40], [0, 0x64, 0xff, 0x9b, 0, 0, 0, 0, 0, 0, 0, 0, 198, 51, 100, 7]);
        assert_eq!(asked[40], 128);
        let (source, server) = (X.parse().unwrap(), "64:ff9b::c633:6407".parse().unwrap());
        let mut without = asked[40..].to_vec();
        without[2..4].copy_from_slice(&[0, 0]);
        assert_eq!(xlat::icmpv6_checksum(source, server, &without).to_be_bytes(), asked[42..44]);

        let mut reply = turned(&asked);
        assert!(prober.handle(&reply).is_none(), "a request is no reply");
        reply[40] = 129;
        assert_eq!(prober.handle(&reply), Some(Answer { target: target(None), size: None, goodbye: None }));
        assert!(prober.handle(&reply).is_none(), "once");
        assert!(!prober.is_waiting());
    }

    #[test]
    fn the_pings_of_people_are_theirs() {
        let mut prober = prober();
        let mut reply = turned(&prober.ask(target(None)));
        reply[40] = 129;
        let last = reply.len() - 1;
        reply[last] ^= 1;
        assert!(prober.handle(&reply).is_none());
        reply[last] ^= 1;
        reply[23] ^= 1;
        assert!(prober.handle(&reply).is_none(), "another server");
        for cut in 0..reply.len() {
            assert!(prober.handle(&reply[..cut]).is_none());
        }
    }

    #[test]
    fn sizes_are_tried_and_each_answer_counts() {
        let mut prober = prober();
        let reply = |asked: &[u8]| {
            let mut reply = turned(asked);
            reply[40] = 129;
            reply
        };
        for (size, length) in [(0, 56), (56, 56), (1280, 1280), (9000, 9000)] {
            let asked = prober.measure(SERVER, size);
            assert_eq!((asked.len(), asked.len() - 40), (length, usize::from(word(&asked, 4).unwrap())));
            let again = prober.measure(SERVER, size);
            assert_eq!(asked, again, "the same question");
            let answer = Some(Answer { target: target(None), size: Some(size), goodbye: None });
            assert_eq!(prober.handle(&reply(&asked)), answer);
            assert_eq!(prober.handle(&reply(&again)), answer);
            // Cut short by a server that is sparing.
            assert_eq!(prober.handle(&reply(&asked)[..56]), answer);
        }
        let plain = prober.ask(target(None));
        assert_eq!(prober.handle(&reply(&plain)).unwrap().size, None);
    }

    #[test]
    fn an_answer_in_pieces_is_one() {
        let mut prober = prober();
        let mut reply = turned(&prober.measure(SERVER, 1492));
        reply[40] = 129;
        let piece = |offset: u16, body: &[u8]| {
            let [a, b] = (offset << 3 | 1).to_be_bytes();
            let mut piece = [&reply[..40], &[ICMPV6, 0, a, b, 0, 0, 0, 9], body].concat();
            piece[6] = FRAGMENT;
            piece
        };
        let (first, rest) = (piece(0, &reply[40..1272]), piece(154, &reply[1272..]));
        assert!(prober.handle(&rest).is_none() && prober.is_rest(&rest));
        assert!(!prober.is_rest(&first) && !prober.is_rest(&reply) && !prober.is_rest(&rest[..41]));
        assert_eq!(prober.handle(&first).unwrap().size, Some(1492));
        let mut foreign = rest.clone();
        foreign[23] ^= 1;
        assert!(!prober.is_rest(&foreign), "of somebody who was not asked");
    }

    #[test]
    fn a_tcp_server_that_accepts_is_let_go_and_one_that_refuses_is_there() {
        for (flags, goodbye) in [(SYN | ACK, true), (RST | ACK, false)] {
            let mut prober = prober();
            let asked = prober.ask(target(Some(443)));
            assert_eq!((asked[6], asked[53]), (6, SYN));
            let local = word(&asked, 40).unwrap();
            let (x, server): (Ipv6Addr, Ipv6Addr) = (X.parse().unwrap(), "64:ff9b::c633:6407".parse().unwrap());
            let wrong = segment(server, x, (443, local), (9, 1), flags);
            assert!(prober.handle(&wrong).is_none(), "acknowledges nothing of ours");
            let answer = prober.handle(&segment(server, x, (443, local), (9, 2), flags)).unwrap();
            assert_eq!(answer.target, target(Some(443)));
            assert_eq!(answer.goodbye.is_some(), goodbye);
            if let Some(reset) = answer.goodbye {
                assert_eq!((reset[53], word(&reset, 40), word(&reset, 42)), (RST, Some(local), Some(443)));
                assert_eq!(reset[44..48], 2u32.to_be_bytes());
            }
        }
    }

    #[test]
    fn a_thousand_open_questions_are_bounded() {
        let mut prober = prober();
        for last in 0..=255 {
            prober.ask(ProbeTarget { address: Ipv4Addr::new(198, 51, 100, last), port: None });
        }
        assert_eq!(prober.pending.len(), MAX_PENDING);
    }
}

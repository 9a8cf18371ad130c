//! Large segments that are sent again and again: the sign of a path that swallows them and says nothing (RFC 2923 section
//! 2.1).
//!
//! A system whose segments are not acknowledged sends the first of them alone, again and again, twice as late each time.
//! Only such single large segments are looked at: what flows leaves in super-packets, and small packets are never too big.

use std::net::Ipv4Addr;

use etherparse::icmpv4::DestUnreachableHeader;
use etherparse::{Icmpv4Type, PacketBuilder};

use super::segment::{Segment, TTL, written};

/// Every IPv6 path takes this (RFC 8200 section 5); less 20 bytes, what an IPv4 packet may have that is never too big.
pub const NEVER_TOO_BIG: u16 = 1260;

/// The same bytes so often in a row are worth asking whether larger packets pass at all: a second and a half after the
/// first time.
const DOUBTFUL: u8 = 3;
/// And so often, that the sender is told to try smaller ones, whatever the answer: another second and a half later.
const HOPELESS: u8 = 4;

/// Flows of this kind at a time.
const SLOTS: usize = 64;

/// An IPv4 header, and the eight bytes by which the flow is known (RFC 792).
const QUOTED: usize = 28;

/// What a repetition means.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Repetition {
    /// Nothing yet.
    None,
    /// Ask whether packets of that size pass.
    Doubtful,
    /// Tell the sender.
    Hopeless,
}

#[derive(Clone, Copy, Debug, Default)]
struct Slot {
    destination: u32,
    ports: u32,
    sequence: u32,
    times: u8,
}

/// What large single segments were sent lately, by flow.
#[derive(Debug)]
pub struct Repeated {
    slots: [Slot; SLOTS],
}

impl Default for Repeated {
    fn default() -> Self {
        Self { slots: [Slot::default(); SLOTS] }
    }
}

impl Repeated {
    /// The app at `source` has sent this IPv4 packet, longer than [`NEVER_TOO_BIG`] and of one segment. Counts how often
    /// in a row its flow has sent just that; of no other protocol than TCP. `again`: it was sent before, by the fast path,
    /// which leaves only what is sent again to us.
    #[must_use]
    pub fn sent(&mut self, packet: &[u8], source: Ipv4Addr, again: bool) -> Repetition {
        let Some(segment) = Segment::parse(packet, source).filter(|segment| segment.key.is_tcp) else {
            return Repetition::None;
        };
        let key = segment.key;
        let mixed = (u64::from(key.destination) << 32 | u64::from(key.ports)).wrapping_mul(0x9e37_79b9_7f4a_7c15);
        let place = usize::try_from(mixed >> (64 - SLOTS.trailing_zeros())).unwrap_or_default();
        let Some(slot) = self.slots.get_mut(place) else { return Repetition::None };
        let known = (slot.destination, slot.ports, slot.sequence) == (key.destination, key.ports, segment.sequence);
        if !known {
            *slot = Slot {
                destination: key.destination,
                ports: key.ports,
                sequence: segment.sequence,
                times: 1 + u8::from(again),
            };
            return Repetition::None;
        }
        slot.times = slot.times.saturating_add(1);
        match slot.times {
            DOUBTFUL => Repetition::Doubtful,
            HOPELESS => Repetition::Hopeless,
            _ => Repetition::None,
        }
    }
}

/// "Fragmentation needed" (RFC 792, RFC 1191) from `gateway` to the sender of the IPv4 packet, for whom `mtu` bytes are
/// left. `None`: it is too short to quote.
#[must_use]
pub fn fragmentation_needed(packet: &[u8], gateway: Ipv4Addr, mtu: u16) -> Option<Vec<u8>> {
    let quoted = packet.first_chunk::<QUOTED>()?;
    let sender: [u8; 4] = *quoted.get(12..)?.first_chunk()?;
    let kind = DestUnreachableHeader::FragmentationNeeded { next_hop_mtu: mtu };
    let builder = PacketBuilder::ipv4(gateway.octets(), sender, TTL).icmpv4(Icmpv4Type::DestinationUnreachable(kind));
    Some(written(builder.size(QUOTED), |to| builder.write(to, quoted)))
}

#[cfg(test)]
mod tests {
    use super::*;

    const HOST: Ipv4Addr = Ipv4Addr::new(192, 0, 0, 2);

    fn segment(port: u16, sequence: u32) -> Vec<u8> {
        let builder = PacketBuilder::ipv4(HOST.octets(), [198, 51, 100, 7], TTL).tcp(port, 80, sequence, 1000);
        let builder = builder.ack(1);
        let payload = [0; 1400];
        written(builder.size(payload.len()), |to| builder.write(to, &payload))
    }

    #[test]
    fn the_same_bytes_three_and_four_times() {
        let mut repeated = Repeated::default();
        let said: Vec<Repetition> = (0..6).map(|_| repeated.sent(&segment(5000, 77), HOST, false)).collect();
        use Repetition::{Doubtful, Hopeless, None};
        assert_eq!(said, [None, None, Doubtful, Hopeless, None, None]);
    }

    #[test]
    fn the_first_time_may_have_gone_unseen() {
        let mut repeated = Repeated::default();
        let said: Vec<Repetition> = (0..4).map(|_| repeated.sent(&segment(5000, 77), HOST, true)).collect();
        use Repetition::{Doubtful, Hopeless, None};
        assert_eq!(said, [None, Doubtful, Hopeless, None]);
    }

    #[test]
    fn a_flow_that_gets_on_is_none_and_neither_are_others_beside_it() {
        let mut repeated = Repeated::default();
        for sequence in 0..100 {
            for _ in 0..2 {
                assert_eq!(repeated.sent(&segment(5000, sequence * 1400), HOST, false), Repetition::None);
            }
        }
        for port in 1..2_000 {
            assert_eq!(repeated.sent(&segment(port, 1), HOST, false), Repetition::None);
        }
    }

    #[test]
    fn only_tcp_of_the_host() {
        let mut repeated = Repeated::default();
        let mut datagram = segment(5000, 77);
        datagram[9] = 17;
        let foreign = segment(5000, 77);
        for cut in [0, 20, 33] {
            assert_eq!(repeated.sent(&foreign[..cut], HOST, false), Repetition::None);
        }
        for _ in 0..10 {
            assert_eq!(repeated.sent(&datagram, HOST, false), Repetition::None);
            assert_eq!(repeated.sent(&foreign, Ipv4Addr::new(192, 0, 0, 3), false), Repetition::None);
        }
    }

    #[test]
    fn the_sender_is_told_as_a_router_would() {
        let packet = segment(5000, 77);
        let told = fragmentation_needed(&packet, Ipv4Addr::new(192, 0, 0, 1), 1260).unwrap();
        assert_eq!((told[9], &told[12..20]), (1, &[192, 0, 0, 1, 192, 0, 0, 2][..]));
        // Type 3, code 4, and the next hop's MTU in the last two bytes (RFC 1191 section 4).
        assert_eq!((&told[20..22], &told[24..28]), (&[3, 4][..], &[0, 0, 0x04, 0xec][..]));
        assert_eq!(told[28..], packet[..28]);
        assert_eq!(fragmentation_needed(&packet[..27], HOST, 1260), None);
    }
}

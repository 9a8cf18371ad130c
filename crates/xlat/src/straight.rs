//! The straight line: whole TCP and UDP packets without options or extension headers, super-packets included, which is
//! nearly all there is.
//!
//! Each function is the general way of its direction (`outbound`, `inbound`) without what such packets never meet.
//! `None` says that this one needs a closer look; at most its padding is gone then. No packet is refused here, so that
//! each reason has one place.

use crate::address::Peer;
use crate::checksum::Sum;
use crate::offload;
use crate::wire::{IPV4_LEN, IPV6_LEN, Ipv4Header, Ipv6Header, TCP_LEN, UDP_LEN, protocol};
use crate::{DropReason, PacketBuf, Translator, Verdict, VnetHeader, inbound, outbound};

/// From the host to the uplink.
#[inline(always)]
pub(crate) fn v4_to_v6(translator: &Translator, buf: &mut PacketBuf) -> Option<Verdict> {
    const WITHOUT_OPTIONS: u8 = 0x45;
    let ip = Ipv4Header::parse(buf.packet())?;
    let total = usize::from(ip.total_len);
    let fits = (IPV4_LEN..=buf.len()).contains(&total);
    if ip.version_ihl != WITHOUT_OPTIONS || ip.is_fragment() || !fits || ip.ttl <= 1 {
        return None;
    }
    if !Ipv4Header::is_sum_zero(buf.packet())
        || ip.src() != translator.config().v4
        || translator.peer(ip.dst()) != Peer::Legal
    {
        return None;
    }
    buf.truncate(total);
    let offload = Offload::of(buf, IPV4_LEN, ip.protocol, VnetHeader::GSO_TCPV4)?;
    let divisible = !offload.is_gso && !ip.dont_fragment();
    let most = if divisible { outbound::fragment_mtu(translator) } else { translator.mtu6() };
    if IPV6_LEN + offload.len > usize::from(most) {
        return None;
    }
    let peer = translator.config().pref64.embed(ip.dst());
    let delta = translator.delta(ip.dst(), peer);
    update(buf.packet_mut().get_mut(IPV4_LEN..)?, ip.protocol, delta, offload.partial)?;

    offload::shift(&mut buf.vnet, IPV4_LEN, IPV6_LEN, VnetHeader::GSO_TCPV6);
    buf.pull_front(IPV4_LEN);
    Some(verdict(outbound::push_header(translator, buf, &ip, peer, ip.protocol)))
}

/// From the uplink to the host.
#[inline(always)]
pub(crate) fn v6_to_v4(translator: &mut Translator, buf: &mut PacketBuf) -> Option<Verdict> {
    let ip = Ipv6Header::parse(buf.packet())?;
    let len = IPV6_LEN + usize::from(ip.payload_len);
    if ip.version() != 6 || len > buf.len() || ip.hop_limit <= 1 || ip.dst() != translator.config().v6 {
        return None;
    }
    let peer = translator.config().pref64.extract(ip.src())?;
    if translator.peer(peer) != Peer::Legal {
        return None;
    }
    buf.truncate(len);
    let offload = Offload::of(buf, IPV6_LEN, ip.next_header, VnetHeader::GSO_TCPV6)?;
    let total = len - IPV6_LEN + IPV4_LEN;
    let result = IPV4_LEN + offload.len;
    if total > usize::from(u16::MAX) || result > usize::from(translator.mtu4()) {
        return None;
    }
    let delta = -translator.delta(peer, ip.src());
    update(buf.packet_mut().get_mut(IPV6_LEN..)?, ip.next_header, delta, offload.partial)?;

    let mut header = inbound::ipv4_header(translator, &ip, peer, ip.next_header);
    if inbound::dont_fragment(result) {
        header.flags_offset = Ipv4Header::DONT_FRAGMENT;
    } else {
        header.id = translator.take_ids(if offload.is_gso { count(buf, ip.next_header).unwrap_or(1) } else { 1 });
    }
    offload::shift(&mut buf.vnet, IPV6_LEN, IPV4_LEN, VnetHeader::GSO_TCPV4);
    buf.pull_front(IPV6_LEN);
    Some(verdict(inbound::push_header(buf, header)))
}

/// What the offload header says, in parts: taken apart from one value it would go through memory.
struct Offload {
    partial: bool,
    is_gso: bool,
    /// Transport header and payload, of a segment if there are several.
    len: usize,
}

impl Offload {
    #[inline(always)]
    fn of(buf: &PacketBuf, upper: usize, number: u8, gso_tcp: u8) -> Option<Self> {
        let partial = buf.vnet.needs_csum() && offload::check_partial(buf, upper, number).ok()?;
        let is_gso = buf.vnet.is_gso();
        if !is_gso {
            return Some(Self { partial, is_gso, len: buf.len() - upper });
        }
        if buf.vnet.needs_csum() && !partial {
            return None;
        }
        Some(Self { partial, is_gso, len: offload::check_segments(buf, upper, number, gso_tcp).ok()?.len })
    }
}

/// How many segments of few bytes there are.
#[cold]
fn count(buf: &PacketBuf, number: u8) -> Option<u16> {
    Some(offload::check_segments(buf, IPV6_LEN, number, VnetHeader::GSO_TCPV6).ok()?.count())
}

/// As [`transport::update`](crate::transport::update), for what the straight line carries: headers that are whole, and
/// UDP that has a checksum.
#[inline(always)]
fn update(l4: &mut [u8], number: u8, delta: Sum, partial: bool) -> Option<()> {
    let (field, zero) = match number {
        protocol::TCP => (l4.first_chunk_mut::<TCP_LEN>()?.last_chunk_mut::<4>()?.first_chunk_mut::<2>()?, 0),
        protocol::UDP => (l4.first_chunk_mut::<UDP_LEN>()?.last_chunk_mut::<2>()?, 0xffff),
        _ => return None,
    };
    let old = u16::from_be_bytes(*field);
    if number == protocol::UDP && old == 0 && !partial {
        return None;
    }
    if delta.is_zero() {
        return Some(());
    }
    let new = match partial {
        true => (Sum(old) + delta).0,
        false => match (Sum::from_field(old) + delta).field() {
            0 => zero,
            new => new,
        },
    };
    *field = new.to_be_bytes();
    Some(())
}

#[inline(always)]
fn verdict(pushed: Result<(), DropReason>) -> Verdict {
    match pushed {
        Ok(()) => Verdict::Forward,
        Err(reason) => Verdict::Drop(reason),
    }
}

#[cfg(test)]
mod tests {
    use std::vec;
    use std::vec::Vec;

    use super::*;
    use crate::{Config, Pref64};

    /// A generator of Marsaglia's: the same packets each time.
    struct Random(u64);

    impl Random {
        fn next(&mut self) -> u64 {
            self.0 ^= self.0 << 13;
            self.0 ^= self.0 >> 7;
            self.0 ^= self.0 << 17;
            self.0
        }

        fn below(&mut self, end: u64) -> u64 {
            self.next() % end
        }

        fn byte(&mut self) -> u8 {
            self.next().to_be_bytes()[0]
        }

        fn one_of<T: Copy>(&mut self, choices: &[T]) -> T {
            choices[usize::try_from(self.below(u64::try_from(choices.len()).unwrap())).unwrap()]
        }
    }

    fn config(random: &mut Random) -> Config {
        let pref64 = random.one_of(&["64:ff9b::/96", "2001:db8:64::/96", "2001:db8:6400::/40", "2001:db8::/32"]);
        let x = random.one_of(&["2001:db8:464:1:5a11:c73e:cf51:9d42", "2001:db8::c1a7"]);
        let pref64: Pref64 = pref64.parse().unwrap();
        let mut config = Config::new(pref64, [192, 0, 0, 2].into(), x.parse().unwrap(), random.one_of(&[1280, 1500]));
        config.copy_traffic_class = random.below(2) == 0;
        config.mtu4 = random.one_of(&[68, 1260, 1480, 1480]);
        config
    }

    /// Mostly what the straight line takes, with any one thing wrong now and then.
    fn packet(random: &mut Random, config: &Config, out: bool) -> (Vec<u8>, VnetHeader) {
        let number = random.one_of(&[protocol::TCP, protocol::TCP, protocol::UDP, protocol::UDP, 33, 136, 1, 58, 44]);
        let len: usize = random.one_of(&[0, 7, 8, 19, 20, 21, 100, 1240, 1241, 1400, 1480, 3000, 30_000]);
        let mut l4: Vec<u8> =
            std::iter::repeat_with(|| random.next().to_ne_bytes()).take(len.div_ceil(8)).flatten().collect();
        l4.truncate(len);
        if number == protocol::TCP && len > 12 {
            l4[12] = random.one_of(&[0x50, 0x50, 0x80, 0xf0]);
        }
        if number == protocol::UDP && len >= 8 {
            let length = u16::try_from(len).unwrap().to_be_bytes();
            l4[4..6].copy_from_slice(&length);
            if random.below(8) == 0 {
                l4[6..8].fill(0);
            }
        }
        let peer = random.one_of(&[[198, 51, 100, 1], [198, 51, 100, 1], [8, 8, 8, 8], [10, 0, 0, 1], [127, 0, 0, 1]]);
        let class = random.byte();
        let hops = random.one_of(&[64, 64, 2, 1, 0]);
        let mut packet = if out {
            let total = u16::try_from(20 + len).unwrap();
            let header = Ipv4Header {
                version_ihl: 0x45,
                tos: class,
                total_len: total,
                id: 7,
                flags_offset: random.one_of(&[0x4000, 0x4000, 0, 0, 0x2000, 3]),
                ttl: hops,
                protocol: number,
                checksum: 0,
                src: config.v4.to_bits(),
                dst: u32::from_be_bytes(peer),
            };
            let mut buf = PacketBuf::new();
            header.with_checksum().push(&mut buf).unwrap();
            buf.packet().to_vec()
        } else {
            let mut packet = vec![0x60 | (class >> 4), class << 4, 0, 0];
            packet.extend(u16::try_from(len).unwrap().to_be_bytes());
            packet.extend([number, hops]);
            packet.extend(config.pref64.embed(peer.into()).octets());
            packet.extend(config.v6.octets());
            packet
        };
        let upper = u16::try_from(packet.len()).unwrap();
        packet.extend(l4);
        match random.below(16) {
            0 => packet.extend([0; 6]),
            1 => packet.truncate(packet.len() - packet.len().min(3)),
            2 => {
                let at = usize::try_from(random.below(u64::from(upper))).unwrap();
                packet[at] ^= random.byte();
            }
            _ => {}
        }
        let mut vnet = VnetHeader::default();
        if random.below(3) == 0 {
            vnet.flags = random.one_of(&[0, 1, 1, 1, 2]);
            vnet.gso_type = random.one_of(&[0, 0, 1, 4, 5, 0x81, 0x84, 3]);
            vnet.hdr_len = upper + random.one_of(&[20, 20, 8, 0, 60]);
            vnet.gso_size = random.one_of(&[1400, 1400, 1200, 100, 1, 0]);
            vnet.csum_start = random.one_of(&[upper, upper, upper, upper + 8, 0]);
            vnet.csum_offset = random.one_of(&[16, 6, if number == protocol::TCP { 16 } else { 6 }]);
        }
        (packet, vnet)
    }

    /// The straight line decides nothing else than the general way does, and takes what it is there for.
    #[test]
    fn it_is_the_general_way() {
        let mut random = Random(0x5eed_1234_5678_9abc);
        let (mut taken, mut supers) = (0, 0);
        let (mut one, mut other) = (PacketBuf::new(), PacketBuf::new());
        for round in 0..60_000 {
            let config = config(&mut random);
            let out = round % 2 == 0;
            let (packet, vnet) = packet(&mut random, &config, out);
            let (mut straight, mut general) = (Translator::new(config.clone()), Translator::new(config));
            for buf in [&mut one, &mut other] {
                assert!(buf.set_packet(&packet));
                buf.vnet = vnet;
            }
            let verdict = if out { v4_to_v6(&straight, &mut one) } else { v6_to_v4(&mut straight, &mut one) };
            let expected = if out {
                outbound::translate(&mut general, &mut other)
            } else {
                inbound::translate(&mut general, &mut other)
            };
            match verdict {
                None => assert!(packet.starts_with(one.packet()) && one.vnet == vnet, "changed: {packet:02x?}"),
                Some(verdict) => {
                    taken += 1;
                    supers += u32::from(vnet.is_gso());
                    assert!(matches!(verdict, Verdict::Forward), "{packet:02x?}");
                    assert!(matches!(expected, Ok(Verdict::Forward)), "{expected:?}: {packet:02x?}");
                    assert_eq!(one.packet(), other.packet(), "{packet:02x?}");
                    assert_eq!(one.vnet, other.vnet, "{packet:02x?}");
                    assert_eq!(straight.take_ids(1), general.take_ids(1));
                }
            }
        }
        assert!(taken > 2000 && supers > 100, "{taken} {supers}");
    }
}

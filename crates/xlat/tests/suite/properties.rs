//! Arbitrary input never panics, and what is valid stays valid in the eyes of etherparse.

use std::net::Ipv4Addr;

use etherparse::{NetSlice, SlicedPacket, TransportSlice};
use everclat_xlat::{Config, PacketBuf, Pref64, Translator, VnetHeader};
use proptest::prelude::*;

use crate::support::{
    HOST, ICMP, ICMPV6, NEUTRAL, Outcome, PLAIN, TCP, UDP, Way, addresses4, addresses6, drive, icmp, inbound, ipv4,
    ipv6, outbound, run, sealed, tcp, udp,
};

fn vnet() -> impl Strategy<Value = VnetHeader> {
    let small = prop_oneof![Just(0_u16), Just(20), Just(40), Just(60), 0_u16..100, any::<u16>()];
    (0_u8..4, prop_oneof![Just(0_u8), 0_u8..6, any::<u8>()], small.clone(), any::<u16>(), small.clone(), small)
        .prop_map(|(flags, gso_type, hdr_len, gso_size, csum_start, csum_offset)| VnetHeader {
            flags,
            gso_type,
            hdr_len,
            gso_size,
            csum_start,
            csum_offset,
        })
}

fn prefixes() -> impl Strategy<Value = Pref64> {
    (any::<u128>(), prop::sample::select(vec![32_u8, 40, 48, 56, 64, 96]), any::<bool>()).prop_map(
        |(bits, len, well_known)| {
            // Global unicast.
            let bits = bits & (u128::MAX >> 3) | 1 << 125;
            let kept = bits & (u128::MAX << (128 - u32::from(len))) & !(0xff_u128 << 56);
            if well_known { Pref64::WELL_KNOWN } else { Pref64::new(kept.into(), len).unwrap() }
        },
    )
}

/// Configurations with odd MTUs among them.
fn configs() -> impl Strategy<Value = Config> {
    (prefixes(), any::<bool>(), any::<u16>(), any::<u16>(), any::<u16>(), any::<bool>()).prop_map(
        |(pref64, neutral, mtu6, mtu4, lowest, odd)| {
            let mut config = Config::new(pref64, HOST, if neutral { NEUTRAL } else { PLAIN }, 1500);
            if odd {
                (config.mtu6, config.mtu4, config.lowest_ipv6_mtu) = (mtu6, mtu4, lowest);
            }
            config
        },
    )
}

/// A number that the code knows more often than one it does not.
fn protocols() -> impl Strategy<Value = u8> {
    prop_oneof![prop::sample::select(vec![0_u8, 1, 2, 6, 17, 43, 44, 58, 60]), any::<u8>()]
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 1500, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn arbitrary_bytes_never_panic(
        config in configs(), packet in prop::collection::vec(any::<u8>(), 0..200), vnet in vnet(),
    ) {
        for way in [Way::Out, Way::In] {
            let _any = run(way, &config, &packet, vnet);
        }
    }

    /// The outer header is right, so that chance gets further in.
    #[test]
    fn arbitrary_payloads_never_panic(
        config in configs(), peer in any::<u32>(), number in protocols(), quoted in protocols(),
        head in prop::collection::vec(prop_oneof![0_u8..20, any::<u8>()], 8),
        payload in prop::collection::vec(any::<u8>(), 0..2500), vnet in vnet(), whole in any::<bool>(), frag in any::<u16>(),
    ) {
        let peer = Ipv4Addr::from(peer);
        let peer6 = config.pref64.embed(peer);
        let fields = crate::support::Fields { tos: 0, id: 5, frag: if whole { 0 } else { frag }, ttl: 9 };
        // ICMP errors get a quotation that belongs, cut anywhere, and a checksum that fits.
        let inner = ipv4(peer, HOST, quoted, &payload);
        let cut = usize::from(frag) % (inner.len() + 1);
        let message = [head.as_slice(), if number == ICMP { &inner[..cut] } else { &payload }].concat();
        let message = if number == ICMP { sealed(message, ICMP, &[]) } else { message };
        let v4 = crate::support::ipv4_with(HOST, peer, number, &message, &[], fields);
        let inner = ipv6(config.v6, peer6, quoted, &payload);
        let cut = usize::from(frag) % (inner.len() + 1);
        let message = [head.as_slice(), if number == ICMPV6 { &inner[..cut] } else { &payload }].concat();
        let message =
            if number == ICMPV6 { sealed(message, ICMPV6, &addresses6(peer6, config.v6)) } else { message };
        let v6 = ipv6(peer6, config.v6, number, &message);
        for vnet in [vnet, VnetHeader::default()] {
            for (way, packet) in [(Way::Out, &v4), (Way::In, &v6)] {
                let out = run(way, &config, packet, vnet);
                check_size(&config, way, &out)?;
            }
        }
    }

    #[test]
    fn valid_packets_stay_valid(
        config in configs(), peer in any::<u32>(), kind in 0..3,
        payload in prop::collection::vec(any::<u8>(), 0..1200),
    ) {
        let mut config = config;
        (config.mtu6, config.mtu4, config.lowest_ipv6_mtu) = (1500, 1480, 1280);
        let peer = Ipv4Addr::from(peer);
        let x = config.v6;
        let peer6 = config.pref64.embed(peer);
        let (number4, number6, message4, message6) = match kind {
            0 => (TCP, TCP, tcp(&payload), tcp(&payload)),
            1 => (UDP, UDP, udp(&payload), udp(&payload)),
            _ => (ICMP, ICMPV6, icmp(8, 0, [1, 2, 3, 4], &payload), icmp(129, 0, [1, 2, 3, 4], &payload)),
        };
        let seal4 = if kind == 2 { Vec::new() } else { addresses4(HOST, peer) };
        if let Outcome::Forward(out, _) = outbound(&config, &ipv4(HOST, peer, number4, &sealed(message4, number4, &seal4))) {
            check(&out)?;
            prop_assert_eq!(&out[8..24], x.octets());
            prop_assert_eq!(&out[24..40], peer6.octets());
        }
        let packet = ipv6(peer6, x, number6, &sealed(message6, number6, &addresses6(peer6, x)));
        if let Outcome::Forward(out, _) = inbound(&config, &packet) {
            check(&out)?;
            prop_assert_eq!(&out[12..16], peer.octets());
            prop_assert_eq!(&out[16..20], HOST.octets());
        }
    }

    #[test]
    fn embedding_and_extracting_agree(pref64 in prefixes(), v4 in any::<u32>()) {
        let v4 = Ipv4Addr::from(v4);
        prop_assert_eq!(pref64.extract(pref64.embed(v4)), Some(v4));
        prop_assert_eq!(pref64.to_string().parse(), Ok(pref64));
    }
}

#[test]
fn one_buffer_serves_any_sequence() {
    let config = crate::support::config(PLAIN);
    let mut translator = Translator::new(config.clone());
    let mut buf = PacketBuf::new();
    let big = crate::support::udp6(PLAIN, &crate::support::bytes(1452));
    let small = crate::support::udp4(b"x");
    for _ in 0..3 {
        for (way, packet) in [(Way::In, &big), (Way::Out, &small)] {
            let again = drive(&mut translator, &mut buf, way, packet, VnetHeader::default());
            assert_eq!(again, run(way, &config, packet, VnetHeader::default()));
        }
    }
    translator.replace(Config { mtu6: 1400, ..config });
    assert_eq!(translator.config().mtu6, 1400);
}

/// Lengths that headers state are the lengths there are, and fragments fit.
fn check_size(config: &Config, way: Way, out: &Outcome) -> Result<(), TestCaseError> {
    let stated = |packet: &[u8]| match packet[0] >> 4 {
        4 => usize::from(u16::from_be_bytes([packet[2], packet[3]])),
        _ => 40 + usize::from(u16::from_be_bytes([packet[4], packet[5]])),
    };
    match out {
        Outcome::Forward(packet, _) => prop_assert_eq!(stated(packet), packet.len()),
        Outcome::Fragments(pieces) => {
            prop_assert!(pieces.len() > 1);
            let most = match way {
                Way::Out => config.lowest_ipv6_mtu.max(1280),
                Way::In => config.mtu4.max(68),
            };
            for piece in pieces {
                prop_assert_eq!(stated(piece), piece.len());
                prop_assert!(piece.len() <= usize::from(most));
            }
        }
        Outcome::Reply(_, packet) => {
            prop_assert_eq!(stated(packet), packet.len());
            check(packet)?;
        }
        Outcome::Drop(_) => {}
    }
    Ok(())
}

/// Every checksum, computed by etherparse.
fn check(packet: &[u8]) -> Result<(), TestCaseError> {
    let sliced = SlicedPacket::from_ip(packet).map_err(|error| TestCaseError::fail(error.to_string()))?;
    let transport = sliced.transport.ok_or_else(|| TestCaseError::fail("no transport"))?;
    match sliced.net.ok_or_else(|| TestCaseError::fail("no network header"))? {
        NetSlice::Ipv4(ip) => {
            let header = ip.header().to_header();
            prop_assert_eq!(header.header_checksum, header.calc_header_checksum());
            match transport {
                TransportSlice::Tcp(tcp) => {
                    let sum = tcp.to_header().calc_checksum_ipv4(&header, tcp.payload()).ok();
                    prop_assert_eq!(Some(tcp.checksum()), sum);
                }
                TransportSlice::Udp(udp) => {
                    let sum = udp.to_header().calc_checksum_ipv4(&header, udp.payload()).ok();
                    prop_assert_eq!(Some(udp.checksum()), sum);
                }
                TransportSlice::Icmpv4(icmp) => {
                    let sum = icmp.icmp_type().calc_checksum(icmp.payload());
                    prop_assert_eq!(icmp.checksum(), sum);
                }
                TransportSlice::Icmpv6(_) | TransportSlice::Igmp(_) => {
                    return Err(TestCaseError::fail("ICMPv6 in IPv4"));
                }
            }
        }
        NetSlice::Ipv6(ip) => {
            let header = ip.header().to_header();
            match transport {
                TransportSlice::Tcp(tcp) => {
                    let sum = tcp.to_header().calc_checksum_ipv6(&header, tcp.payload()).ok();
                    prop_assert_eq!(Some(tcp.checksum()), sum);
                }
                TransportSlice::Udp(udp) => {
                    let sum = udp.to_header().calc_checksum_ipv6(&header, udp.payload()).ok();
                    prop_assert_eq!(Some(udp.checksum()), sum);
                }
                TransportSlice::Icmpv6(icmp) => {
                    prop_assert!(icmp.is_checksum_valid(header.source, header.destination));
                }
                TransportSlice::Icmpv4(_) | TransportSlice::Igmp(_) => {
                    return Err(TestCaseError::fail("ICMPv4 in IPv6"));
                }
            }
        }
        NetSlice::Arp(_) => return Err(TestCaseError::fail("ARP")),
    }
    Ok(())
}

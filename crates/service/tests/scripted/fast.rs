//! What the service hands to the system's fast path, and what it takes back.

use std::net::{Ipv4Addr, Ipv6Addr};
use std::time::Duration;

use model::{Code, EvidenceKind, FastState, FlowKey, MacAddress, Pref64, Route, RouteKind};
use platform_api::FastConfig;
use platform_fake::{ETH, Fake, ROUTER_MAC, Sent, add_ethernet, ipv6_only, pref64_option, unplug};

use crate::support::{Service, checksum, neighbour, udp4, udp6};

const SERVER: Ipv4Addr = Ipv4Addr::new(198, 51, 100, 7);
const HOST: Ipv4Addr = model::DEFAULT_CLAT_V4;
const PORT: u16 = 4660;

fn offering() -> Fake {
    let fake = Fake::new(ipv6_only());
    fake.offer_fast_path();
    fake
}

/// Armed, with the fast path switched on.
fn armed(fake: &Fake) -> (Service, Ipv6Addr) {
    let service = Service::armed(fake);
    fake.wait_fast("switched on", |fast| fast.config.is_some());
    let x = service.status().clat.unwrap().v6;
    (service, x)
}

fn flow(protocol: u8) -> FlowKey {
    FlowKey { peer: SERVER, port: PORT, peer_port: 80, protocol }
}

fn datagram() -> Vec<u8> {
    udp4((HOST, PORT), (SERVER, 80), b"hello")
}

/// A TCP segment of an app; sequence number 1, no payload.
fn segment(flags: u8, expects: u32) -> Vec<u8> {
    let mut packet = udp4((HOST, PORT), (SERVER, 80), &[0; 12]);
    packet[9] = 6;
    packet[24..28].copy_from_slice(&1u32.to_be_bytes());
    packet[28..32].copy_from_slice(&expects.to_be_bytes());
    packet[32..36].copy_from_slice(&[0x50, flags, 1, 0]);
    packet[10..12].fill(0);
    let sum = checksum(&[&packet[..20]]);
    packet[10..12].copy_from_slice(&sum.to_be_bytes());
    packet
}

const ACK: u8 = 0x10;
const FIN: u8 = 0x11;

/// The server answers a datagram, by way of the service.
fn answers(fake: &Fake, service: &Service, x: Ipv6Addr) {
    let there: Ipv6Addr = "64:ff9b::c633:6407".parse().unwrap();
    fake.link_sends(ROUTER_MAC, &udp6((there, 80), (x, PORT), b"hello yourself"));
    let _ = fake.app_gets();
    service.wait_code("CL-000");
}

/// An app sends so many packets, and each of them leaves.
fn sends(fake: &Fake, packet: &[u8], times: usize) {
    for _ in 0..times {
        fake.app_sends(packet);
        while !matches!(fake.link_gets(), Sent::Packet { .. }) {}
    }
    fake.rest();
}

/// Half a second passes, and the service has noticed: what it does not would be a sleep.
fn pass(fake: &Fake, service: &Service) {
    fake.advance(Duration::from_millis(500));
    service.status();
    fake.rest();
}

/// Armed, and a flow with the fast path.
fn fast(fake: &Fake, protocol: u8) -> (Service, Ipv6Addr) {
    let (service, x) = armed(fake);
    sends(fake, &datagram(), 1);
    answers(fake, &service, x);
    let packet = if protocol == 6 { segment(ACK, 1000) } else { datagram() };
    sends(fake, &packet, 8);
    fake.wait_fast("the flow admitted", |fast| fast.flows.contains_key(&flow(protocol)));
    (service, x)
}

#[test]
fn a_flow_is_handed_over_after_some_packets_and_a_reply() {
    let fake = offering();
    let (service, x) = armed(&fake);
    let config = fake.fast().config.unwrap();
    assert_eq!((config.link, config.v4, config.v6, config.pref64), (ETH, HOST, x, Pref64::WELL_KNOWN));
    assert_eq!((config.mtu6, config.divisible, config.mtu4), (1500, 1280, 1480));
    // The first reply is for the service to see.
    sends(&fake, &datagram(), 20);
    assert_eq!(fake.fast().admitted, 0);
    answers(&fake, &service, x);
    sends(&fake, &datagram(), 7);
    assert_eq!(fake.fast().admitted, 0, "what is over soon is none of it");
    sends(&fake, &datagram(), 3);
    assert_eq!((fake.fast().admitted, fake.fast().flows.len()), (1, 1), "and once is enough");
    service.end().unwrap();
    assert!(fake.view().is_clean());
}

#[test]
fn what_goes_by_it_is_counted_and_is_evidence() {
    let fake = offering();
    let (service, _) = fast(&fake, 17);
    let before = service.status().clat.unwrap();
    fake.advance(Duration::from_millis(900));
    for _ in 0..5 {
        assert!(fake.fast_sends(&flow(17), 0, 100));
        assert!(fake.fast_gets(&flow(17), 1000));
    }
    let status = service.status();
    assert_eq!((status.evidence.kind, status.evidence.age_s), (EvidenceKind::Traffic, Some(0.0)));
    let clat = status.clat.unwrap();
    assert_eq!((clat.packets.out - before.packets.out, clat.packets.inward - before.packets.inward), (5, 5));
    assert_eq!((clat.bytes.out - before.bytes.out, clat.bytes.inward - before.bytes.inward), (500, 5000));
    let fast = clat.fast_path.unwrap();
    assert_eq!((fast.state, fast.reason, fast.packets.out, fast.packets.inward), (FastState::On, None, 5, 5));
    service.end().unwrap();
}

/// A server that is only heard by the fast path is no mute one: nothing comes into doubt.
#[test]
fn who_answers_by_it_is_not_mute() {
    let fake = offering();
    let (service, _) = fast(&fake, 17);
    for _ in 0..120 {
        let _ = fake.fast_sends(&flow(17), 0, 100);
        let _ = fake.fast_gets(&flow(17), 100);
        pass(&fake, &service);
    }
    assert_eq!(service.status().code, Code::Working);
    service.end().unwrap();
}

#[test]
fn after_a_pause_the_next_packet_is_heard_of() {
    let fake = offering();
    let (service, _) = fast(&fake, 17);
    // Nothing is sent for so long that the service asks to be told.
    for _ in 0..80 {
        pass(&fake, &service);
        if fake.fast().held {
            break;
        }
    }
    fake.wait_fast("held", |fast| fast.held);
    assert!(!fake.fast_sends(&flow(17), 0, 33), "it is to come by the service");
    sends(&fake, &datagram(), 1);
    fake.wait_fast("let go", |fast| !fast.held);
    assert!(fake.fast_sends(&flow(17), 0, 33));
    service.end().unwrap();
}

/// The system may go on sending to the one before for half a minute: its neighbours are not told what X hears.
#[test]
fn another_router_behind_the_same_address_is_sent_to_at_once() {
    let fake = offering();
    let (service, x) = fast(&fake, 17);
    assert_eq!(fake.fast().config.unwrap().gateway_mac, ROUTER_MAC);
    let other = MacAddress([2, 0, 0, 0, 1, 0x77]);
    let router: Ipv6Addr = platform_fake::ROUTER.parse().unwrap();
    fake.link_sends(other, &neighbour(136, router, x, router));
    let is_other = |config: &FastConfig| config.gateway_mac == other;
    fake.wait_fast("the other one in force", |fast| fast.config.as_ref().is_some_and(is_other));
    let admitted = fake.fast().admitted;
    // It is handed over anew, and reaches the other one until then.
    for _ in 0..10 {
        fake.app_sends(&datagram());
        while !matches!(fake.link_gets(), Sent::Packet { to, .. } if to == other) {}
    }
    fake.wait_fast("the flow admitted again", |fast| fast.admitted == admitted + 1);
    assert!(fake.fast_sends(&flow(17), 0, 33));
    service.end().unwrap();
}

#[test]
fn an_app_is_told_the_number_that_the_fast_path_has_seen() {
    let fake = offering();
    let (service, _) = fast(&fake, 6);
    assert!(fake.fast_sends(&flow(6), 77_000, 40));
    let _ = fake.take_received();
    let native = Route {
        destination: "0.0.0.0/0".parse().unwrap(),
        gateway: Some("192.168.1.1".parse().unwrap()),
        link: ETH,
        metric: 100,
        kind: RouteKind::Unicast,
        ours: false,
    };
    fake.edit(|network| network.routes.push(native));
    // What the datagrams' app is told comes beside it.
    let packet = (0..3).map(|_| fake.app_gets()).find(|packet| packet[9] == 6).unwrap();
    assert_eq!(packet[33] & 4, 4, "a reset");
    assert_eq!(u32::from_be_bytes(packet[24..28].try_into().unwrap()), 77_000);
    fake.wait_fast("off", |fast| fast.config.is_none() && fast.flows.is_empty());
    service.end().unwrap();
}

#[test]
fn a_connection_that_ends_comes_back() {
    let fake = offering();
    let (service, _) = fast(&fake, 6);
    sends(&fake, &segment(FIN, 1000), 1);
    fake.wait_fast("left", |fast| fast.flows.is_empty());
    service.end().unwrap();
}

#[test]
fn nothing_goes_by_what_was_in_force_before() {
    let mut network = ipv6_only();
    add_ethernet(&mut network, 3, "wlan0", "2001:db8:2::5/64", 600);
    let fake = Fake::new(network);
    fake.offer_fast_path();
    let (service, x) = fast(&fake, 17);
    fake.hear(3, &pref64_option(Pref64::WELL_KNOWN, 1800));
    fake.wait_fast("ready on both", |fast| fast.attached.as_ref().is_some_and(|(_, links)| links == &[ETH, 3]));
    fake.edit(|network| unplug(network, ETH));
    fake.wait_fast("moved", |fast| fast.config.as_ref().is_some_and(|config| config.link == 3));
    let config = fake.fast().config.unwrap();
    let clat = service.status().clat.unwrap();
    assert_eq!((config.v6, config.v6 == x), (clat.v6, false));
    assert!(!fake.fast_sends(&flow(17), 0, 33), "no flow is known to it yet");
    service.end().unwrap();
    fake.wait_fast("nowhere", |fast| fast.attached.is_none() && fast.config.is_none());
}

#[test]
fn the_setting_takes_effect_at_once_and_back() {
    let fake = offering();
    let (service, _) = fast(&fake, 17);
    let file = service.policy("10-fast.json", "{\"FastPath\": \"off\"}");
    fake.wait_fast("off", |fast| fast.config.is_none());
    let said = |service: &Service| service.status().clat.unwrap().fast_path.unwrap();
    assert_eq!((said(&service).state, said(&service).reason.as_deref()), (FastState::Off, Some("setting")));
    sends(&fake, &datagram(), 20);
    assert_eq!(fake.fast().flows.len(), 0);
    std::fs::remove_file(file).unwrap();
    fake.wait_fast("on", |fast| fast.config.is_some());
    service.ask_until("it says so", |status| {
        status.clat.as_ref().and_then(|clat| clat.fast_path.as_ref()).is_some_and(|fast| fast.state == FastState::On)
    });
    service.end().unwrap();
}

#[test]
fn it_says_why_there_is_none() {
    let fake = Fake::new(ipv6_only());
    let service = Service::armed(&fake);
    service.ask_until("unsupported", |status| {
        let fast = status.clat.as_ref().and_then(|clat| clat.fast_path.clone());
        fast.is_some_and(|fast| {
            (fast.state, fast.reason.as_deref(), fast.detail.as_str())
                == (FastState::Off, Some("unsupported"), "this system has none")
        })
    });
    service.end().unwrap();
}

#[test]
fn checksums_that_would_change_are_not_for_it() {
    let fake = offering();
    let service = Service::start_with(&fake, "Pref64Static = [\"2001:db8:64:64::/64\"]\n");
    service.wait_code("CL-004");
    service.ask_until("not neutral", |status| {
        let fast = status.clat.as_ref().and_then(|clat| clat.fast_path.clone());
        fast.is_some_and(|fast| fast.reason.as_deref() == Some("not-neutral"))
    });
    assert_eq!(fake.fast().config, None);
    service.end().unwrap();
}

#[test]
fn large_frames_switch_it_off() {
    let fake = offering();
    let (service, _) = fast(&fake, 17);
    fake.fast_sees_huge_frame();
    for _ in 0..100 {
        let _ = fake.fast_sends(&flow(17), 0, 100);
        let _ = fake.fast_gets(&flow(17), 100);
        pass(&fake, &service);
        if fake.fast().config.is_none() {
            break;
        }
    }
    let fast = service.status().clat.unwrap().fast_path.unwrap();
    assert_eq!((fast.state, fast.reason.as_deref()), (FastState::Off, Some("big-tcp")));
    sends(&fake, &datagram(), 1);
    service.end().unwrap();
}

#[test]
fn idle_flows_make_room() {
    let fake = offering();
    let (service, _) = fast(&fake, 17);
    let other = udp4((HOST, 5000), (SERVER, 80), b"hello");
    for _ in 0..126 {
        fake.app_sends(&other);
        pass(&fake, &service);
    }
    fake.wait_fast("left", |fast| !fast.flows.contains_key(&flow(17)));
    service.end().unwrap();
}

//! What goes through the plane, and what it says about X.

use std::net::{Ipv4Addr, Ipv6Addr};
use std::time::Duration;

use engine::nd::Message;
use model::{Code, EvidenceKind, MacAddress, Status, solicited_node};
use platform_fake::{Fake, ROUTER_MAC, Sent, ipv6_only};

use crate::support::{Service, checksum, neighbour, udp4, udp6, unreachable6};

const SERVER: Ipv4Addr = Ipv4Addr::new(198, 51, 100, 7);
const OURS: MacAddress = MacAddress([2, 0, 0, 0, 0, 2]);
const THEIRS: MacAddress = MacAddress([2, 0, 0, 0, 0, 0x99]);

/// The next neighbour discovery message that left, and the bytes of its packet.
fn spoken(fake: &Fake) -> (Message, Vec<u8>) {
    match fake.link_gets() {
        Sent::Frame(frame) => {
            assert_eq!(&frame[6..12], &OURS.0);
            (Message::parse(OURS, &frame[14..]).unwrap(), frame[14..].to_vec())
        }
        Sent::Packet { bytes, .. } => panic!("{bytes:02x?}"),
    }
}

/// Armed, and the two frames that claim X heard.
fn armed(fake: &Fake) -> (Service, Ipv6Addr) {
    let service = Service::armed(fake);
    let x = service.status().clat.unwrap().v6;
    assert!(matches!(spoken(fake).0, Message::Solicitation { target, source, .. }
        if target == x && source.is_unspecified()));
    assert!(matches!(spoken(fake).0, Message::Advertisement { target, overrides: false, .. } if target == x));
    (service, x)
}

#[test]
fn an_app_talks_to_a_server_and_hears_back() {
    let fake = Fake::new(ipv6_only());
    let (service, x) = armed(&fake);
    let app = (model::DEFAULT_CLAT_V4, 4660);
    let there: Ipv6Addr = "64:ff9b::c633:6407".parse().unwrap();

    fake.app_sends(&udp4(app, (SERVER, 53), b"hello"));
    let mut expected = udp6((x, 4660), (there, 53), b"hello");
    // RFC 7915 section 4.1: one hop is used up.
    expected[7] = 63;
    assert_eq!(fake.link_gets(), Sent::Packet { to: ROUTER_MAC, bytes: expected });

    fake.link_sends(ROUTER_MAC, &udp6((there, 53), (x, 4660), b"hello yourself"));
    let packet = fake.app_gets();
    assert_eq!((&packet[12..16], &packet[16..20]), (&SERVER.octets()[..], &app.0.octets()[..]));
    assert_eq!(&packet[28..], b"hello yourself");
    assert_eq!(packet[8], 63);

    service.wait_code("CL-000");
    // A packet is counted a moment after it has left.
    let status = service.ask_until("both packets counted", |status| {
        status.clat.as_ref().is_some_and(|clat| (clat.bytes.out, clat.bytes.inward) == (33, 42))
    });
    let clat = status.clat.unwrap();
    assert_eq!((clat.packets.out, clat.packets.inward), (1, 1));
    assert!(clat.drops.is_empty());
    assert_eq!(status.evidence.age_s, Some(0.0));
    service.end().unwrap();
    assert!(fake.view().is_clean());
}

/// What is in the tunnel already when X comes into doubt does not leave from it either (RFC 4862 section 5.4).
#[test]
fn strict_sends_nothing_from_an_x_in_doubt() {
    let fake = Fake::new(ipv6_only());
    let service = Service::start_with(&fake, "Dad = \"strict\"\n");
    service.hear_prefix();
    let claims = || loop {
        if let Sent::Frame(frame) = fake.link_gets()
            && let Ok(Message::Solicitation { source, target, .. }) = Message::parse(OURS, &frame[14..])
            && source.is_unspecified()
        {
            return target;
        }
    };
    let says = || fake.app_sends(&udp4((model::DEFAULT_CLAT_V4, 4660), (SERVER, 53), b"hello"));
    let x = claims();
    let is_sent = || loop {
        match fake.link_gets() {
            Sent::Packet { bytes, .. } => return assert_eq!(bytes[8..24], x.octets()),
            Sent::Frame(_) => {}
        }
    };
    let armed = || {
        let turns = (0..100).take_while(|_| !fake.view().is_armed()).inspect(|_| {
            fake.advance(Duration::from_millis(100));
            fake.rest();
            // The engine has come to it, too.
            service.status();
        });
        assert!(turns.count() < 100, "{:?}", fake.view());
    };
    armed();
    says();
    is_sent();
    fake.sleep(Duration::from_secs(8 * 3600));
    assert_eq!(claims(), x);
    fake.wait_until("the route withdrawn", |view| !view.is_armed());
    says();
    fake.rest();
    let sent = fake.take_sent();
    assert!(sent.iter().all(|(_, sent)| matches!(sent, Sent::Frame(_))), "{sent:?}");
    armed();
    says();
    is_sent();
    let refused = |status: &Status| status.clat.as_ref().and_then(|clat| clat.drops.get("send-error")) == Some(&1);
    service.ask_until("the one packet counted", refused);
    service.end().unwrap();
}

/// RFC 7915 section 4: "lowest-ipv6-mtu".
#[test]
fn what_may_be_cut_is_cut_to_what_the_administrator_says() {
    let mut packet = udp4((model::DEFAULT_CLAT_V4, 4660), (SERVER, 53), &[7; 1400]);
    // Without DF, by which an app lets routers fragment.
    packet[6] = 0;
    packet[10..12].fill(0);
    let sum = checksum(&[&packet[..20]]);
    packet[10..12].copy_from_slice(&sum.to_be_bytes());
    // A Fragment header in each of two, or none in one.
    for (config, expected) in [("", &[1280, 40 + 8 + 8 + 1400 - 1232][..]), ("LowestIpv6Mtu = 1500\n", &[1448])] {
        let fake = Fake::new(ipv6_only());
        let service = Service::start_with(&fake, config);
        service.hear_prefix();
        service.wait_code("CL-004");
        fake.wait_until("armed", platform_fake::View::is_armed);
        fake.app_sends(&packet);
        fake.rest();
        let sent = fake.take_sent().into_iter().filter_map(|(_, sent)| match sent {
            Sent::Packet { bytes, .. } => Some(bytes.len()),
            Sent::Frame(_) => None,
        });
        assert_eq!(sent.collect::<Vec<_>>(), expected, "{config}");
        service.end().unwrap();
    }
}

/// A router that knows no way to the NAT64 says so. The app is told, but nothing has been proved.
#[test]
fn a_routers_complaint_is_no_evidence() {
    let fake = Fake::new(ipv6_only());
    let (service, x) = armed(&fake);
    fake.app_sends(&udp4((model::DEFAULT_CLAT_V4, 4660), (SERVER, 53), b"hello"));
    let Sent::Packet { bytes: refused, .. } = fake.link_gets() else { panic!("a frame") };
    let router: Ipv6Addr = "2001:db8:99::1".parse().unwrap();
    fake.link_sends(ROUTER_MAC, &unreachable6((router, x), &refused));
    let told = fake.app_gets();
    assert_eq!((&told[12..16], told[20]), (&[192, 0, 0, 8][..], 3), "RFC 7915 section 5.2: unreachable");
    let status = service
        .ask_until("the complaint counted", |status| status.clat.as_ref().is_some_and(|clat| clat.packets.inward == 1));
    assert_eq!((status.evidence.kind, status.evidence.age_s), (EvidenceKind::None, None));
    assert_ne!(status.code, Code::Working);
    // A server's own complaint comes through the NAT64, and proves that it translates.
    let server: Ipv6Addr = "64:ff9b::c633:6407".parse().unwrap();
    fake.link_sends(ROUTER_MAC, &unreachable6((server, x), &refused));
    assert_eq!(fake.app_gets()[12..16], SERVER.octets());
    service.wait_code("CL-000");
    service.end().unwrap();
}

#[test]
fn what_is_not_translated_is_counted() {
    let fake = Fake::new(ipv6_only());
    let (service, x) = armed(&fake);
    // Not from behind the prefix: nobody we asked.
    fake.link_sends(ROUTER_MAC, &udp6(("2001:db8:99::1".parse().unwrap(), 53), (x, 4660), b"?"));
    fake.app_sends(&[0x45, 0, 0, 9]);
    service.ask_until("two drops", |status| {
        status.clat.as_ref().is_some_and(|clat| clat.drops.values().sum::<u64>() == 2)
    });
    service.end().unwrap();
}

/// An app that sends what cannot pass is told so, but not without end; what Path MTU Discovery needs is always told.
#[test]
fn errors_to_the_host_are_limited_but_for_the_path_mtu() {
    let fake = Fake::new(ipv6_only());
    let (service, _) = armed(&fake);
    let refused = |ttl, payload: &[u8]| {
        let mut packet = udp4((model::DEFAULT_CLAT_V4, 4660), (SERVER, 53), payload);
        packet[8] = ttl;
        packet[10..12].fill(0);
        let sum = checksum(&[&packet[..20]]);
        packet[10..12].copy_from_slice(&sum.to_be_bytes());
        packet
    };
    for _ in 0..200 {
        fake.app_sends(&refused(1, b"?"));
    }
    for _ in 0..100 {
        fake.app_sends(&refused(64, &[0; 1473]));
    }
    // The clock stands still.
    let answers: Vec<(u8, u8)> = (0..150).map(|_| fake.app_gets()).map(|packet| (packet[20], packet[21])).collect();
    assert_eq!(answers[..50], [(11, 0); 50]);
    assert_eq!(answers[50..], [(3, 4); 100]);
    service.ask_until("all counted", |status| {
        status.clat.as_ref().is_some_and(|clat| clat.drops["ttl-expired"] == 200 && clat.drops["too-big"] == 100)
    });
    fake.advance(Duration::from_millis(1));
    fake.app_sends(&refused(1, b"?"));
    assert_eq!(fake.app_gets()[20], 11, "time has passed");
    service.end().unwrap();
}

/// The path swallows it and says nothing. Whether small packets fare better is asked behind the NAT64; the fourth time, the
/// app's system is told to make them smaller in any case.
#[test]
fn a_large_segment_that_is_sent_again_and_again() {
    let fake = Fake::new(ipv6_only());
    let (service, x) = armed(&fake);
    // Who still reckons how long to wait would wait from the new time on.
    fake.rest();
    fake.advance(Duration::from_millis(1_002));
    assert!(matches!(spoken(&fake).0, Message::Advertisement { .. }), "X is claimed");
    let mut segment = udp4((model::DEFAULT_CLAT_V4, 4660), (SERVER, 80), &[0; 1444]);
    segment[9] = 6;
    segment[10..12].fill(0);
    let sum = checksum(&[&segment[..20]]);
    segment[10..12].copy_from_slice(&sum.to_be_bytes());
    // Sequence number, acknowledgement, five words of header, ACK.
    segment[24..36].copy_from_slice(&[0, 0, 0, 7, 0, 0, 0, 9, 0x50, 0x10, 1, 0]);
    let leaves = |fake: &Fake| match fake.link_gets() {
        Sent::Packet { bytes, .. } => Some(bytes),
        Sent::Frame(_) => None,
    };
    let is_ours = |bytes: &[u8]| bytes[6] == 58 && bytes[40] == 128 && bytes[8..24] == x.octets();
    let (mut sent, mut asked) = (Vec::new(), Vec::new());
    for number in 1..=3 {
        fake.app_sends(&segment);
        // What X has to say about itself comes between, and the questions may be quicker than the third.
        while sent.len() < number {
            let Some(packet) = leaves(&fake) else { continue };
            let list = if is_ours(&packet) { &mut asked } else { &mut sent };
            list.push(packet.len());
        }
    }
    assert_eq!(sent, [1492; 3]);
    while asked.len() < 2 {
        asked.extend(leaves(&fake).filter(|bytes| is_ours(bytes)).map(|bytes| bytes.len()));
    }
    asked.sort_unstable();
    assert_eq!(asked, [56, 1492]);
    fake.app_sends(&segment);
    let told = fake.app_gets();
    assert_eq!((&told[12..16], &told[20..22], &told[26..28]), (&[192, 0, 0, 1][..], &[3, 4][..], &[0x04, 0xec][..]));
    assert_eq!(told[28..56], segment[..28]);
    service.end().unwrap();
}

#[test]
fn x_answers_for_itself() {
    let fake = Fake::new(ipv6_only());
    let (service, x) = armed(&fake);
    let router: Ipv6Addr = "fe80::1".parse().unwrap();
    fake.link_sends(ROUTER_MAC, &neighbour(135, router, solicited_node(x), x));
    let (message, packet) = spoken(&fake);
    assert!(matches!(message, Message::Advertisement { target, target_mac: Some(OURS), overrides: false, .. }
        if target == x));
    assert_eq!(&packet[8..24], &x.octets(), "from X");
    assert_eq!(&packet[24..40], &router.octets(), "to whom it may concern");

    // Who still reckons how long to wait would wait from the new time on.
    fake.rest();
    fake.advance(Duration::from_millis(1_002));
    assert!(matches!(spoken(&fake).0, Message::Advertisement { target, overrides: false, .. } if target == x));
    assert!(matches!(spoken(&fake).0, Message::Solicitation { target, source, .. }
        if target == router && source == x));
    fake.link_sends(ROUTER_MAC, &neighbour(135, router, solicited_node(x), x));
    assert!(matches!(spoken(&fake).0, Message::Advertisement { overrides: true, .. }), "now with override");
    service.end().unwrap();
}

#[test]
fn three_objections_end_it() {
    let fake = Fake::new(ipv6_only());
    let (service, mut x) = armed(&fake);
    for objections in 1..=3 {
        fake.link_sends(THEIRS, &neighbour(136, x, "ff02::1".parse().unwrap(), x));
        if objections < 3 {
            let old = x;
            (x, _) = match spoken(&fake) {
                (Message::Solicitation { target, .. }, packet) => (target, packet),
                other => panic!("{other:?}"),
            };
            assert_ne!(x, old);
            spoken(&fake);
        }
    }
    let status = service.wait_code("CL-605");
    assert!(status.clat.is_none());
    fake.wait_until("nothing armed", platform_fake::View::is_clean);
    service.end().unwrap();
}

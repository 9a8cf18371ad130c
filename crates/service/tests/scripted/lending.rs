//! Who takes what comes in: the tunnel's thread beside its own packets, or the line's.

use std::net::{Ipv4Addr, Ipv6Addr};
use std::time::Duration;

use model::Pref64;
use platform_fake::{Fake, ROUTER_MAC, Sent, ipv6_only};

use crate::support::{Service, udp4, udp6};

const SERVER: Ipv4Addr = Ipv4Addr::new(198, 51, 100, 7);
/// Longer than it has to be calm before the tunnel's thread takes everything.
const CALM: Duration = Duration::from_millis(20);

fn armed() -> (Fake, Service, Ipv6Addr) {
    let fake = Fake::new(ipv6_only());
    let service = Service::armed(&fake);
    let x = service.status().clat.unwrap().v6;
    calm(&fake);
    assert!(fake.is_shared(), "nothing to do, and still two threads");
    drop((fake.take_sent(), fake.take_received(), fake.take_calls()));
    (fake, service, x)
}

fn calm(fake: &Fake) {
    fake.rest();
    fake.advance(CALM);
    fake.rest();
}

fn request(port: u16) -> Vec<u8> {
    udp4((model::DEFAULT_CLAT_V4, 4660), (SERVER, port), b"hello")
}

fn reply(x: Ipv6Addr, port: u16) -> Vec<u8> {
    udp6((Pref64::WELL_KNOWN.embed(SERVER), port), (x, 4660), b"hello yourself")
}

/// The server's port in a packet that an app got.
fn port(packet: &[u8]) -> u16 {
    u16::from_be_bytes([packet[20], packet[21]])
}

#[test]
fn one_thread_does_both_while_there_is_little_to_do() {
    let (fake, service, x) = armed();
    for at in 1..20 {
        fake.app_sends(&request(at));
        assert!(matches!(fake.link_gets(), Sent::Packet { .. }));
        fake.link_sends(ROUTER_MAC, &reply(x, at));
        assert_eq!(port(&fake.app_gets()), at);
        fake.advance(Duration::from_micros(60));
    }
    fake.rest();
    assert!(fake.is_shared(), "one after the other is little");
    drop(service);
}

#[test]
fn much_is_done_by_two_until_it_is_little_again() {
    let (fake, service, x) = armed();
    let many: Vec<Vec<u8>> = (1..=300).map(|at| reply(x, at)).collect();
    fake.link_sends_all(ROUTER_MAC, &many);
    fake.rest();
    assert!(!fake.is_shared());
    let got: Vec<u16> = fake.take_received().iter().map(|packet| port(packet)).collect();
    assert_eq!(got, (1..=300).collect::<Vec<u16>>(), "in their order, none lost and none twice");
    calm(&fake);
    assert!(fake.is_shared());
    let many: Vec<Vec<u8>> = (1..=300).map(request).collect();
    fake.apps_send(&many);
    fake.rest();
    assert!(!fake.is_shared());
    assert_eq!(fake.take_sent().len(), 300);
    // It goes on: a moment without does not count.
    for _ in 0..4 {
        fake.advance(Duration::from_millis(2));
        fake.apps_send(&many);
        fake.rest();
        assert!(!fake.is_shared());
    }
    calm(&fake);
    calm(&fake);
    assert!(fake.is_shared());
    drop(service);
}

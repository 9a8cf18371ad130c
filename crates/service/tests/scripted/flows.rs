//! What apps are told when their flows end, and what their systems say to it.

use std::net::Ipv4Addr;
use std::sync::{Arc, Mutex};

use platform_fake::{Call, ETH, Fake, add_ethernet, ipv6_only, unplug};

use crate::planes::native;
use crate::support::{Service, checksum};

const HOST: Ipv4Addr = model::DEFAULT_CLAT_V4;
const SERVER: Ipv4Addr = Ipv4Addr::new(198, 51, 100, 7);
const SYN: u8 = 0x02;
const RST: u8 = 0x04;
const ACK: u8 = 0x10;

/// What apps had acknowledged when they sent last, and what they have got.
const ACKNOWLEDGED: u32 = 5001;
const GOT: u32 = 5401;

/// From an app on this port.
fn segment(port: u16, flags: u8, expects: u32) -> Vec<u8> {
    let mut packet = vec![0x45, 0, 0, 40, 0, 0, 0x40, 0, 64, 6, 0, 0];
    packet.extend([HOST.octets(), SERVER.octets()].concat());
    let sum = checksum(&[&packet]);
    packet[10..12].copy_from_slice(&sum.to_be_bytes());
    packet.extend([port.to_be_bytes(), 443u16.to_be_bytes()].concat());
    packet.extend([1000u32.to_be_bytes(), expects.to_be_bytes()].concat());
    packet.extend([0x50, flags, 0xff, 0xff, 0, 0, 0, 0]);
    let sum = checksum(&[&packet[12..20], &[0, 6, 0, 20], &packet[20..]]);
    packet[36..38].copy_from_slice(&sum.to_be_bytes());
    packet
}

/// The app's port and the number in a reset.
fn reset(packet: &[u8]) -> Option<(u16, u32)> {
    let is_reset = packet.len() == 40 && packet[9] == 6 && packet[33] == RST;
    let port = u16::from_be_bytes([packet[22], packet[23]]);
    is_reset.then(|| (port, u32::from_be_bytes([packet[24], packet[25], packet[26], packet[27]])))
}

/// Connections from `ports`, whose apps have acknowledged less than they have got. Gives the numbers of the resets that
/// they believed.
fn owing(fake: &Fake, ports: std::ops::Range<u16>) -> Arc<Mutex<Vec<u16>>> {
    for port in ports.clone() {
        fake.app_sends(&segment(port, SYN, 0));
        fake.app_sends(&segment(port, ACK, ACKNOWLEDGED));
    }
    fake.rest();
    let believed = Arc::new(Mutex::new(Vec::new()));
    let theirs = Arc::clone(&believed);
    fake.host_answers(move |packet| {
        let (port, number) = reset(packet)?;
        if number == GOT {
            theirs.lock().unwrap().push(port);
            return None;
        }
        // RFC 5961 section 3.2: only the very number ends it; to others within the window the answer is an ACK.
        Some(segment(port, ACK, GOT))
    });
    believed
}

/// More than the thread of the tunnel reads before it looks whether it should end.
const MANY: std::ops::Range<u16> = 40_000..40_200;

/// All of them are told again with the number that they say, while the address by which they can be told is still there.
#[test]
fn apps_that_owe_an_acknowledgement_hear_that_all_is_over() {
    let fake = Fake::new(ipv6_only());
    let service = Service::armed(&fake);
    let in_time = || {
        let believed = owing(&fake, MANY);
        let before = fake.calls().len();
        fake.edit(|network| network.routes.push(native()));
        fake.wait_until("everything put back", platform_fake::View::is_clean);
        let mut believed = believed.lock().unwrap().clone();
        believed.sort_unstable();
        assert_eq!(believed, MANY.collect::<Vec<_>>(), "each once");
        let calls = fake.calls().split_off(before);
        fake.edit(|network| network.routes.retain(|route| !route.is_ipv4_default()));
        fake.wait_until("armed again", platform_fake::View::is_armed);
        let told = calls.iter().take_while(|call| **call != Call::RemoveRoute);
        let told: Vec<Call> = told.copied().filter(|call| [Call::TunSend, Call::TunAbort].contains(call)).collect();
        // Whatever is left then, the host is asked to end.
        told.len() == 2 * MANY.len() + 1 && told.ends_with(&[Call::TunSend, Call::TunAbort])
    };
    // A machine that has more urgent things to do is not waited for.
    assert!((0..10).any(|_| in_time()), "the host is changed before they are told");
    service.end().unwrap();
}

/// What goes on: the tunnel is read as ever, and who asks back is told.
#[test]
fn apps_that_owe_an_acknowledgement_hear_that_x_is_gone() {
    let mut network = ipv6_only();
    add_ethernet(&mut network, 3, "wlan0", "2001:db8:2::5/64", 600);
    let fake = Fake::new(network);
    let service = Service::armed(&fake);
    fake.hear(3, &platform_fake::pref64_option(model::Pref64::WELL_KNOWN, 1800));
    let believed = owing(&fake, 40_000..40_100);
    fake.edit(|network| unplug(network, ETH));
    fake.wait_until("moved", |view| view.route.as_ref().is_some_and(|route| route.uplink == 3));
    service.ask_until("all told", |_| believed.lock().unwrap().len() == 100);
    let mut believed = believed.lock().unwrap().clone();
    believed.sort_unstable();
    assert_eq!(believed, (40_000..40_100).collect::<Vec<_>>());
    assert!(fake.view().is_armed());
    assert!(!fake.calls().contains(&Call::TunAbort), "others from the same address go on");
    service.end().unwrap();
}

/// The host may refuse to end connections: nobody waits for that.
#[test]
fn a_host_that_breaks_nothing_off_is_left_all_the_same() {
    let fake = Fake::new(ipv6_only());
    let service = Service::armed(&fake);
    fake.fail(Call::TunAbort);
    fake.edit(|network| network.routes.push(native()));
    fake.wait_until("everything put back", platform_fake::View::is_clean);
    assert!(fake.calls().contains(&Call::TunAbort));
    service.end().unwrap();
}

/// Somebody who asks back without end is not waited for.
#[test]
fn a_host_that_believes_nothing_holds_nobody_up() {
    let fake = Fake::new(ipv6_only());
    let service = Service::armed(&fake);
    fake.app_sends(&segment(40_000, ACK, ACKNOWLEDGED));
    fake.rest();
    fake.host_answers(|packet| reset(packet).map(|(port, number)| segment(port, ACK, number.wrapping_add(1))));
    fake.edit(|network| network.routes.push(native()));
    fake.wait_until("everything put back", platform_fake::View::is_clean);
    service.end().unwrap();
}

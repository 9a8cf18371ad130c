//! Packets that come together: where a batch ends, and that nothing of one is lost, doubled or out of its order.

use std::net::{Ipv4Addr, Ipv6Addr};

use platform_api::AT_ONCE;
use platform_fake::{Call, Fake, ROUTER_MAC, Sent, ipv6_only};

use crate::support::{Service, checksum, udp4, udp6};

const SERVER: Ipv4Addr = Ipv4Addr::new(198, 51, 100, 7);

fn armed() -> (Fake, Service, Ipv6Addr) {
    let fake = Fake::new(ipv6_only());
    let service = Service::armed(&fake);
    let x = service.status().clat.unwrap().v6;
    fake.rest();
    drop((fake.take_sent(), fake.take_received(), fake.take_calls()));
    (fake, service, x)
}

/// What an app sends to this port, by which it is told from others.
fn packet(port: u16, size: usize) -> Vec<u8> {
    udp4((model::DEFAULT_CLAT_V4, 4660), (SERVER, port), &vec![0; size])
}

fn changed(mut packet: Vec<u8>, change: impl FnOnce(&mut [u8])) -> Vec<u8> {
    change(&mut packet);
    packet[10..12].copy_from_slice(&[0, 0]);
    let sum = checksum(&[&packet[..20]]);
    packet[10..12].copy_from_slice(&sum.to_be_bytes());
    packet
}

/// What the plane did with tunnel and uplink once all packets are through: `r` took a packet from apps, `.` found none,
/// `s` sent one on the uplink, `a` gave one to an app, `w` waited.
fn sends(fake: &Fake, packets: &[Vec<u8>]) -> String {
    fake.apps_send(packets);
    fake.rest();
    let letters = [(Call::TunRecv, 'r'), (Call::PortSend, 's'), (Call::TunSend, 'a'), (Call::TunWait, 'w')];
    let mut unread = packets.len();
    let calls =
        fake.take_calls().into_iter().filter_map(|call| match letters.iter().find(|(known, _)| *known == call) {
            Some((_, 'r')) if unread == 0 => Some('.'),
            Some((_, 'r')) => {
                unread -= 1;
                Some('r')
            }
            Some((_, letter)) => Some(*letter),
            None => None,
        });
    calls.collect()
}

/// The ports of what has left, in order; 0 for the later fragments of a packet.
fn ports(fake: &Fake) -> Vec<u16> {
    let port = |sent| match sent {
        Sent::Packet { to, bytes } => {
            assert_eq!(to, ROUTER_MAC);
            let at = match (bytes[6], bytes[40 + 3] & 0xf8 | bytes[40 + 2]) {
                (44, 0) => 48,
                (44, _) => return 0,
                _ => 40,
            };
            u16::from_be_bytes([bytes[at + 2], bytes[at + 3]])
        }
        Sent::Frame(frame) => panic!("{frame:02x?}"),
    };
    fake.take_sent().into_iter().map(|(_, sent)| port(sent)).collect()
}

#[test]
fn the_first_leaves_at_once_and_the_others_together() {
    let (fake, service, _) = armed();
    assert_eq!(sends(&fake, &[packet(1, 8)]), "rs.w");
    assert_eq!(sends(&fake, &[packet(2, 8), packet(3, 8), packet(4, 8), packet(5, 8)]), "rsrrr.sssw");
    let many: Vec<Vec<u8>> = (6..).take(2 + 2 * AT_ONCE).map(|port| packet(port, 8)).collect();
    let (full, sent) = ("r".repeat(AT_ONCE), "s".repeat(AT_ONCE));
    assert_eq!(sends(&fake, &many), format!("rs{full}{sent}{full}{sent}r.sw"));
    assert_eq!(ports(&fake), (1..).take(7 + 2 * AT_ONCE).collect::<Vec<u16>>());
    service.ask_until("all of them counted", |status| {
        status.clat.as_ref().is_some_and(|clat| clat.packets.out == 39 && clat.bytes.out == 39 * 36)
    });
    service.end().unwrap();
}

/// A packet above 8 KiB is the last of its batch; one that is answered takes no place in it.
#[test]
fn a_large_packet_ends_a_batch_and_an_answer_does_not() {
    let (fake, service, _) = armed();
    let expired = changed(packet(3, 8), |packet| packet[8] = 1);
    let too_big = packet(5, 9000);
    let packets = [packet(1, 8), packet(2, 8), expired, packet(4, 8), too_big, packet(6, 8), packet(7, 8)];
    assert_eq!(sends(&fake, &packets), "rsrrarrassrr.ssw");
    assert_eq!(ports(&fake), [1, 2, 4, 6, 7]);
    let answers: Vec<[u8; 2]> = fake.take_received().iter().map(|packet| [packet[20], packet[21]]).collect();
    assert_eq!(answers, [[11, 0], [3, 4]], "time exceeded, fragmentation needed");
    service.ask_until("what left and what did not", |status| {
        let clat = status.clat.as_ref().unwrap();
        clat.packets.out == 5 && clat.drops["ttl-expired"] == 1 && clat.drops["too-big"] == 1
    });
    service.end().unwrap();
}

#[test]
fn fragments_leave_behind_what_is_ready() {
    let (fake, service, _) = armed();
    let cut = changed(packet(3, 3000), |packet| packet[6] = 0);
    assert_eq!(sends(&fake, &[packet(1, 8), packet(2, 8), cut, packet(4, 8)]), "rsrrssssr.sw");
    assert_eq!(ports(&fake), [1, 2, 3, 0, 0, 4]);
    service.end().unwrap();
}

/// One that the uplink does not take is lost, once, and no other.
#[test]
fn one_that_is_refused_keeps_the_others_from_nothing() {
    let (fake, service, _) = armed();
    fake.fail_later(Call::PortSend, 2, Some(1));
    let packets: Vec<Vec<u8>> = (1..=5).map(|port| packet(port, 8)).collect();
    assert_eq!(sends(&fake, &packets), "rsrrrr.ssssw");
    assert_eq!(ports(&fake), [1, 2, 4, 5]);
    let status = service.ask_until("those that left counted", |status| {
        status.clat.as_ref().is_some_and(|clat| clat.packets.out == 4 && clat.bytes.out == 4 * 36)
    });
    let drops: Vec<(String, u64)> = status.clat.unwrap().drops.into_iter().collect();
    assert_eq!(drops, [("send-error".to_owned(), 1)]);
    service.end().unwrap();
}

/// More than go together, and between them some that are large, and too large for the tunnel.
#[test]
fn apps_get_what_came_together_in_its_order() {
    let (fake, service, x) = armed();
    let there: Ipv6Addr = "64:ff9b::c633:6407".parse().unwrap();
    let size = |port: u16| if port.is_multiple_of(7) { 9000 } else { usize::from(port) };
    let come: Vec<Vec<u8>> = (1..=40).map(|port| udp6((there, 53), (x, port), &vec![0; size(port)])).collect();
    fake.link_sends_all(ROUTER_MAC, &come);
    fake.rest();
    let got = fake.take_received();
    let ports: Vec<u16> = got.iter().map(|packet| u16::from_be_bytes([packet[22], packet[23]])).collect();
    assert_eq!(ports, (1..=40).filter(|port: &u16| !port.is_multiple_of(7)).collect::<Vec<u16>>());
    assert!(got.iter().zip(&ports).all(|(packet, port)| packet.len() == 28 + size(*port)));
    let answers = fake.take_sent();
    assert_eq!(answers.len(), 5);
    let is_too_big = |sent: &Sent| matches!(sent, Sent::Packet { bytes, .. } if bytes[6] == 58 && bytes[40] == 2);
    assert!(answers.iter().all(|(_, sent)| is_too_big(sent)));
    service.end().unwrap();
}

//! In a network namespace, with real frames; needs root and `ip`.

use std::collections::BTreeMap;
use std::fs::File;
use std::os::fd::AsFd;
use std::process::Command;
use std::time::Duration;

use model::LinkKind;
use rustix::thread::{LinkNameSpaceType, move_into_link_name_space};
use tokio::time::timeout;

use super::super::NewsLink;
use super::*;

const SOON: Duration = Duration::from_secs(5);

/// Two ends of a cable in a network of their own.
struct Cable(String);

impl Cable {
    /// Moves this thread into it. `None` when that is not permitted.
    fn plug(name: &str) -> Option<Self> {
        let name = format!("everclat-{name}-{}", std::process::id());
        if !ip(&["netns", "add", &name]) {
            eprintln!("SKIPPED: may not make a network namespace; run as root");
            return None;
        }
        let cable = Self(name);
        let here = File::open(format!("/run/netns/{}", cable.0)).unwrap();
        move_into_link_name_space(here.as_fd(), Some(LinkNameSpaceType::Network)).unwrap();
        assert!(ip(&["link", "add", "near", "index", "7", "type", "veth", "peer", "name", "far", "index", "8"]));
        assert!(ip(&["link", "set", "near", "up"]) && ip(&["link", "set", "far", "up"]));
        Some(cable)
    }
}

impl Drop for Cable {
    fn drop(&mut self) {
        ip(&["netns", "del", &self.0]);
    }
}

fn ip(arguments: &[&str]) -> bool {
    Command::new("ip").args(arguments).status().is_ok_and(|status| status.success())
}

/// Puts whole frames on the far end.
fn far() -> Socket {
    let socket = Socket::new(Domain::PACKET, Type::RAW, None).unwrap();
    sys::bind_to_link(socket.as_fd(), 8, 0).unwrap();
    socket
}

fn say(far: &Socket, packet: &[u8]) {
    let frame = [&[0xff; 6][..], &[2, 0, 0, 0, 0, 8, 8, 0], packet].concat();
    far.send(&frame).unwrap();
}

/// An OFFER with option 108, laid out by RFC 791, 768, 2131 and 8925; `more` lengthens the IPv4 header.
fn offer(wait: u32, more: usize) -> Vec<u8> {
    let mut message = vec![2, 1, 6, 0, 1, 2, 3, 4];
    message.resize(236, 0);
    message.extend([99, 130, 83, 99, 53, 1, 2, 108, 4]);
    message.extend(wait.to_be_bytes());
    message.push(255);
    let length = |more: usize| u16::try_from(message.len() + more).unwrap().to_be_bytes();
    let [total, udp] = [length(28 + more), length(8)];
    let first = 0x45 + u8::try_from(more / 4).unwrap();
    let mut packet = vec![first, 0, total[0], total[1], 0, 0, 0, 0, 64, 17, 0, 0];
    packet.extend([192, 0, 2, 1, 255, 255, 255, 255]);
    packet.resize(20 + more, 1);
    packet.extend([0, 67, 0, 68, udp[0], udp[1], 0, 0]);
    packet.extend(&message);
    packet
}

fn in_namespace(name: &str, test: impl AsyncFnOnce()) {
    let Some(_cable) = Cable::plug(name) else { return };
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    runtime.block_on(test());
}

#[test]
fn only_answers_of_servers_leave_the_kernel() {
    in_namespace("filter", async || {
        let (near, far) = (open(7).unwrap(), far());
        let bent = |at: usize, value: u8| {
            let mut packet = offer(1800, 0);
            packet[at] = value;
            packet
        };
        // TCP, a fragment, its predecessor, another server port, another client port, nothing at all.
        for packet in [bent(9, 6), bent(7, 1), bent(6, 0x20), bent(21, 53), bent(23, 67), vec![0x45; 12]] {
            say(&far, &packet);
        }
        // Somebody's question goes the other way round.
        let mut question = offer(1800, 0);
        question[20..24].copy_from_slice(&[0, 68, 0, 67]);
        say(&far, &question);
        for more in [0, 8, 40] {
            say(&far, &offer(1800, more));
        }
        for more in [0, 8, 40] {
            let mut packet = [0; MAX_PACKET];
            let length = timeout(SOON, near.recv(&mut packet)).await.unwrap().unwrap();
            assert_eq!(packet[..length], offer(1800, more));
        }
    });
}

#[test]
fn an_offer_is_news_once_for_as_long_as_the_link_stays() {
    in_namespace("offer", async || {
        let far = far();
        let (links, (sender, mut events)) = (watch::Sender::default(), mpsc::channel(16));
        let plugged = |uplink| {
            let near = NewsLink { name: "near".into(), uplink, kind: LinkKind::Ethernet };
            links.send_replace(BTreeMap::from([(7, near)]));
        };
        let listening = tokio::spawn(run(links.subscribe(), sender));
        tokio::task::yield_now().await;
        let mut heard = async |seconds| {
            let news = LinkNews::Ipv6OnlyPreferred(Duration::from_secs(seconds));
            assert_eq!(timeout(SOON, events.recv()).await, Ok(Some(HostEvent::News { link: 7, news })));
        };
        let settle = || sleep(Duration::from_millis(200));

        plugged(true);
        settle().await;
        for wait in [1800, 1800, 0] {
            say(&far, &offer(wait, 0));
        }
        heard(1800).await;
        heard(300).await;

        plugged(false);
        settle().await;
        say(&far, &offer(600, 0));
        plugged(true);
        settle().await;
        say(&far, &offer(300, 0));
        heard(300).await;

        // Too short a break for a snapshot to show it.
        assert!(ip(&["link", "set", "near", "down"]) && ip(&["link", "set", "near", "up"]));
        settle().await;
        say(&far, &offer(700, 0));
        heard(700).await;

        drop(links);
        timeout(SOON, listening).await.unwrap().unwrap();
        assert_eq!(timeout(SOON, events.recv()).await, Ok(None));
    });
}

#[test]
fn an_interface_that_is_not_there_is_tried_again_later() {
    in_namespace("absent", async || {
        assert_eq!(open(9).unwrap_err().raw_os_error(), Some(libc::ENODEV));
        let (sender, mut events) = mpsc::channel(16);
        let listening = tokio::spawn(async move { keep_listening(9, sender).await });
        sleep(Duration::from_millis(200)).await;
        assert!(ip(&["link", "add", "late", "index", "9", "type", "veth", "peer", "name", "later", "index", "10"]));
        assert!(ip(&["link", "set", "late", "up"]) && ip(&["link", "set", "later", "up"]));
        let other_end = Socket::new(Domain::PACKET, Type::RAW, None).unwrap();
        sys::bind_to_link(other_end.as_fd(), 10, 0).unwrap();
        let found = timeout(SOON, async {
            loop {
                say(&other_end, &offer(900, 0));
                if timeout(Duration::from_millis(200), events.recv()).await.is_ok() {
                    return;
                }
            }
        });
        found.await.unwrap();
        listening.abort();
    });
}

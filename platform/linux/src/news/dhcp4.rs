//! Hears DHCPv4 servers say that their network prefers IPv6-only clients (RFC 8925), whoever asked. Who has no client that
//! asks for option 108 hears nothing.

use std::collections::BTreeMap;
use std::io;
use std::os::fd::AsFd;

use model::LinkNews;
use platform_api::HostEvent;
use socket2::{Domain, SockFilter, Socket, Type};
use tokio::net::UdpSocket;
use tokio::sync::{mpsc, watch};
use tokio::task::{AbortHandle, JoinSet};
use tokio::time::{Instant, sleep};
use tracing::debug;

use super::{Backoff, NewsLinks};
use crate::codec::dhcp4::ipv6_only_wait;
use crate::sys;

const ETHERTYPE_IPV4: u16 = 0x0800;

/// Ethernet carries no more; what is longer is cut, and a cut message says nothing.
const MAX_PACKET: usize = 1500;

// Opcodes of `linux/bpf_common.h`, put together: BPF_LD, BPF_LDX, BPF_JMP and BPF_RET with size, mode and operand.
const LOAD_BYTE: u16 = 0x30;
const LOAD_HALF: u16 = 0x28;
const LOAD_HALF_BEHIND_HEADER: u16 = 0x48;
const LOAD_HEADER_LENGTH: u16 = 0xb1;
const JUMP_EQUAL: u16 = 0x15;
const JUMP_ANY_BIT: u16 = 0x45;
const RETURN: u16 = 0x06;

const PROTOCOL: u32 = 9;
const FRAGMENT: u32 = 6;
const UDP: u32 = 17;
const SERVER_PORT: u32 = 67;
const CLIENT_PORT: u32 = 68;

/// UDP from a DHCP server to a client, unfragmented; the packet begins with its IPv4 header. All else ends in the kernel.
const FILTER: [SockFilter; 11] = [
    SockFilter::new(LOAD_BYTE, 0, 0, PROTOCOL),
    SockFilter::new(JUMP_EQUAL, 0, 8, UDP),
    SockFilter::new(LOAD_HALF, 0, 0, FRAGMENT),
    SockFilter::new(JUMP_ANY_BIT, 6, 0, 0x3fff),
    SockFilter::new(LOAD_HEADER_LENGTH, 0, 0, 0),
    SockFilter::new(LOAD_HALF_BEHIND_HEADER, 0, 0, 0),
    SockFilter::new(JUMP_EQUAL, 0, 3, SERVER_PORT),
    SockFilter::new(LOAD_HALF_BEHIND_HEADER, 0, 0, 2),
    SockFilter::new(JUMP_EQUAL, 0, 1, CLIENT_PORT),
    SockFilter::new(RETURN, 0, 0, u32::MAX),
    SockFilter::new(RETURN, 0, 0, 0),
];

/// Listens on every uplink, by a socket of its own: one for all interfaces would be asked about each packet of the tunnel,
/// too. Ends when the links do.
pub(super) async fn run(mut links: watch::Receiver<NewsLinks>, sender: mpsc::Sender<HostEvent>) {
    let mut listeners = JoinSet::new();
    let mut by_link = BTreeMap::<u32, AbortHandle>::new();
    while links.changed().await.is_ok() {
        let now = links.borrow_and_update().clone();
        let uplink = |link: &u32| now.get(link).is_some_and(|link| link.uplink);
        by_link.retain(|link, listener| {
            let stays = uplink(link);
            if !stays {
                listener.abort();
            }
            stays
        });
        for link in now.keys().copied().filter(uplink) {
            by_link.entry(link).or_insert_with(|| listeners.spawn(keep_listening(link, sender.clone())));
        }
        while listeners.try_join_next().is_some() {}
    }
}

async fn keep_listening(link: u32, sender: mpsc::Sender<HostEvent>) {
    let mut backoff = Backoff::new();
    loop {
        let begin = Instant::now();
        let Err(error) = listen(link, &sender).await else { return };
        debug!(%error, link, "not hearing DHCPv4");
        sleep(backoff.pause(begin.elapsed())).await;
    }
}

/// Ends without error when nobody wants to know any more.
async fn listen(link: u32, sender: &mpsc::Sender<HostEvent>) -> io::Result<()> {
    let socket = open(link)?;
    let mut packet = [0; MAX_PACKET];
    let mut said = None;
    loop {
        let length = match socket.recv(&mut packet).await {
            Ok(length) => length,
            // Said once when the link goes down; the same socket works again when it comes back.
            Err(error) if error.kind() == io::ErrorKind::NetworkDown => continue,
            Err(error) => return Err(error),
        };
        let heard = packet.get(..length).and_then(ipv6_only_wait);
        let Some(wait) = heard.filter(|_| heard != said) else { continue };
        debug!(link, ?wait, "a DHCPv4 server prefers IPv6-only clients");
        let news = LinkNews::Ipv6OnlyPreferred(wait);
        if sender.send(HostEvent::News { link, news }).await.is_err() {
            return Ok(());
        }
        said = heard;
    }
}

fn open(link: u32) -> io::Result<UdpSocket> {
    let socket = Socket::new(Domain::PACKET, Type::DGRAM, None)?;
    socket.attach_filter(&FILTER)?;
    socket.set_nonblocking(true)?;
    // Only now does anything arrive, so nothing unfiltered ever does.
    sys::bind_to_link(socket.as_fd(), link, ETHERTYPE_IPV4)?;
    // tokio has no packet sockets; what is used of this one, `recv`, is the same for both.
    UdpSocket::from_std(socket.into())
}

#[cfg(test)]
mod tests;

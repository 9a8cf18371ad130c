//! Hears router advertisements on interfaces where NetworkManager or systemd-networkd handles them: there the kernel does
//! not, and says nothing about their options either.

use std::collections::BTreeSet;
use std::io;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex};

use platform_api::HostEvent;
use socket2::{Domain, Protocol, SockFilter, Socket, Type};
use tokio::net::UdpSocket;
use tokio::sync::mpsc;
use tracing::warn;

use crate::codec::advertisement;

/// The interfaces on which the kernel leaves router advertisements to others; each snapshot replaces them.
pub(crate) type Unheard = Arc<Mutex<BTreeSet<u32>>>;

/// As large as an IPv6 packet can be without extensions.
const MAX_MESSAGE: usize = 65_535;

// Opcodes and offsets of `linux/filter.h`: load a byte, compare, return. Negative offsets from SKF_NET_OFF lead to the
// IPv6 header, which a raw socket does not deliver.
const LOAD_BYTE: u16 = 0x30;
const JUMP_EQUAL: u16 = 0x15;
const RETURN: u16 = 0x06;
const HOP_LIMIT: u32 = 0xfff0_0000 + 7;
const ICMP_TYPE: u32 = 0;

/// Only advertisements that were not forwarded (RFC 4861 section 6.1.2).
const FILTER: [SockFilter; 6] = [
    SockFilter::new(LOAD_BYTE, 0, 0, HOP_LIMIT),
    SockFilter::new(JUMP_EQUAL, 0, 3, 255),
    SockFilter::new(LOAD_BYTE, 0, 0, ICMP_TYPE),
    SockFilter::new(JUMP_EQUAL, 0, 1, 134),
    SockFilter::new(RETURN, 0, 0, u32::MAX),
    SockFilter::new(RETURN, 0, 0, 0),
];

/// Starts to listen; must be called inside the runtime.
pub(crate) fn listen(unheard: Unheard, sender: mpsc::Sender<HostEvent>) -> io::Result<()> {
    let socket = Socket::new(Domain::IPV6, Type::RAW, Some(Protocol::ICMPV6))?;
    socket.attach_filter(&FILTER)?;
    socket.set_nonblocking(true)?;
    // tokio has no raw sockets; what is used of this one, `recvfrom`, is the same for both.
    let socket = UdpSocket::from_std(socket.into())?;
    tokio::spawn(run(socket, unheard, sender));
    Ok(())
}

async fn run(socket: UdpSocket, unheard: Unheard, sender: mpsc::Sender<HostEvent>) {
    let mut buffer = vec![0; MAX_MESSAGE];
    loop {
        let (length, from) = match socket.recv_from(&mut buffer).await {
            Ok(received) => received,
            Err(error) => {
                warn!(%error, "no longer hearing routers where the kernel does not");
                return;
            }
        };
        let SocketAddr::V6(from) = from else { continue };
        let link = from.scope_id();
        let wanted = unheard.lock().is_ok_and(|unheard| unheard.contains(&link));
        if !wanted || !from.ip().is_unicast_link_local() {
            continue;
        }
        let options = buffer.get(..length).and_then(advertisement::options).unwrap_or_default();
        for option in options {
            let event = HostEvent::RouterOption { link, router: Some(*from.ip()), bytes: option.to_vec() };
            if sender.send(event).await.is_err() {
                return;
            }
        }
    }
}

//! Listens to the kernel: one netlink socket for every group that matters.

use std::io;

use netlink_sys::{AsyncSocket, AsyncSocketExt, SocketAddr, TokioSocket, protocols::NETLINK_ROUTE};
use platform_api::{HostError, HostEvent};
use tokio::sync::mpsc;
use tracing::{debug, error};

use crate::codec::{Notice, notices};

/// `RTNLGRP_*` of `linux/rtnetlink.h`: link, neigh, ipv4 and ipv6 ifaddr, route and rule, nd useropt, ipv6 netconf.
const GROUPS: [u32; 10] = [1, 3, 5, 7, 8, 9, 11, 19, 20, 25];

/// Room for a burst: a Wi-Fi roam or a Docker start sends hundreds of notifications at once.
const RECEIVE_BUFFER: usize = 1 << 20;

/// Starts to listen; must be called inside the runtime.
pub(crate) fn listen(sender: mpsc::Sender<HostEvent>) -> Result<(), HostError> {
    let socket = open().map_err(|error| HostError::new("listen to the kernel's network notifications", error))?;
    tokio::spawn(run(socket, sender));
    Ok(())
}

fn open() -> io::Result<TokioSocket> {
    let mut socket = TokioSocket::new(NETLINK_ROUTE)?;
    let inner = socket.socket_mut();
    inner.bind(&SocketAddr::new(0, 0))?;
    for group in GROUPS {
        inner.add_membership(group)?;
    }
    inner.set_rx_buf_sz(RECEIVE_BUFFER)?;
    Ok(socket)
}

async fn run(socket: TokioSocket, sender: mpsc::Sender<HostEvent>) {
    loop {
        // Grows to the datagram's size: a router may announce more than fits into any fixed buffer.
        let events: Vec<HostEvent> = match socket.recv_from_full().await {
            Ok((datagram, _)) => notices(&datagram).into_iter().map(event).collect(),
            // The kernel had more to say than the buffer holds: what was lost is in the next snapshot, except router
            // options, which routers repeat.
            Err(error) if error.raw_os_error() == Some(libc::ENOBUFS) => {
                debug!("kernel notifications were lost");
                vec![HostEvent::Changed]
            }
            Err(error) => {
                // Dropping the sender tells the service, which ends: a deaf translator would serve a network that is
                // gone.
                error!(%error, "no longer hearing the kernel");
                return;
            }
        };
        for event in events {
            let sent = match event {
                // A hint that does not fit is one of many that wait already.
                HostEvent::Changed => !matches!(sender.try_send(event), Err(mpsc::error::TrySendError::Closed(_))),
                HostEvent::Woke | HostEvent::RouterOption { .. } | HostEvent::News { .. } => {
                    sender.send(event).await.is_ok()
                }
            };
            if !sent {
                return;
            }
        }
    }
}

fn event(notice: Notice) -> HostEvent {
    match notice {
        Notice::Changed => HostEvent::Changed,
        Notice::RouterOption { link, router, bytes } => HostEvent::RouterOption { link, router, bytes },
    }
}

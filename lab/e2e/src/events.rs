//! What the kernel of a namespace says by netlink, and when: outages are counted from there, as any program would hear it.

use std::io;
use std::os::fd::OwnedFd;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use anyhow::{Context, Result};
use lab::Netns;
use rustix::net::netlink::SocketAddrNetlink;
use rustix::net::sockopt::{Timeout, set_socket_timeout};
use rustix::net::{AddressFamily, RecvFlags, SocketFlags, SocketType, bind, recv, socket_with};

use crate::{PATIENCE, until};

/// One notification, as far as the tests care.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Notice {
    /// An interface is there, or has changed.
    Link {
        /// Its name.
        name: String,
        /// It can carry packets (`IFF_RUNNING`).
        running: bool,
    },
    /// An interface is no more.
    LinkGone {
        /// Its name.
        name: String,
    },
    /// The host has lost this IPv4 address.
    Ipv4AddressGone([u8; 4]),
    /// An IPv4 default route is no more.
    Ipv4DefaultGone {
        /// Who had made it (`RTPROT_`).
        protocol: u8,
    },
}

/// Listens from the moment it is made.
#[derive(Debug)]
pub struct Events {
    heard: Arc<Mutex<Vec<(Instant, Notice)>>>,
    stop: Arc<AtomicBool>,
    thread: Option<JoinHandle<()>>,
}

impl Events {
    /// Begins to listen.
    ///
    /// # Errors
    /// When there is no such socket to be had.
    pub fn listen(netns: &Netns) -> Result<Self> {
        let socket = netns.enter(open)?.context("a netlink socket")?;
        let (heard, stop) = (Arc::default(), Arc::new(AtomicBool::new(false)));
        let thread = std::thread::spawn({
            let (heard, stop) = (Arc::clone(&heard), Arc::clone(&stop));
            move || collect(&socket, &heard, &stop)
        });
        Ok(Self { heard, stop, thread: Some(thread) })
    }

    /// When the first such notification came; waits for it.
    ///
    /// # Errors
    /// When none comes in [`PATIENCE`].
    pub fn first(&self, wanted: impl Fn(&Notice) -> bool) -> Result<Instant> {
        let mut found = None;
        until(PATIENCE, || {
            let heard = self.heard.lock().unwrap_or_else(PoisonError::into_inner);
            found = heard.iter().find(|(_, notice)| wanted(notice)).map(|(when, _)| *when);
            Ok(found.is_some())
        })
        .context("no such notification")?;
        found.context("a notification")
    }
}

impl Drop for Events {
    fn drop(&mut self) {
        self.stop.store(true, Ordering::Relaxed);
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}

fn open() -> io::Result<OwnedFd> {
    // RTMGRP_LINK, RTMGRP_IPV4_IFADDR, RTMGRP_IPV4_ROUTE.
    const GROUPS: u32 = 0x1 | 0x10 | 0x40;
    // Protocol 0 is NETLINK_ROUTE.
    let socket = socket_with(AddressFamily::NETLINK, SocketType::RAW, SocketFlags::CLOEXEC, None)?;
    bind(&socket, &SocketAddrNetlink::new(0, GROUPS))?;
    set_socket_timeout(&socket, Timeout::Recv, Some(Duration::from_millis(50)))?;
    Ok(socket)
}

fn collect(socket: &OwnedFd, heard: &Mutex<Vec<(Instant, Notice)>>, stop: &AtomicBool) {
    let mut buffer = vec![0; 65_536];
    while !stop.load(Ordering::Relaxed) {
        // Errors are timeouts.
        let Ok((length, _)) = recv(socket, &mut buffer[..], RecvFlags::empty()) else { continue };
        let now = Instant::now();
        let notices = parse(&buffer[..length]);
        heard.lock().unwrap_or_else(PoisonError::into_inner).extend(notices.into_iter().map(|notice| (now, notice)));
    }
}

/// Messages of one datagram (`struct nlmsghdr`: length, type, flags, number, port).
fn parse(mut rest: &[u8]) -> Vec<Notice> {
    let mut notices = Vec::new();
    while let Some(length) = u32_at(rest, 0).and_then(|length| usize::try_from(length).ok()) {
        let Some(message) = rest.get(16..length) else { break };
        notices.extend(u16_at(rest, 4).and_then(|kind| notice(kind, message)));
        rest = rest.get(length.next_multiple_of(4)..).unwrap_or_default();
    }
    notices
}

fn notice(kind: u16, message: &[u8]) -> Option<Notice> {
    const RTM_NEWLINK: u16 = 16;
    const RTM_DELLINK: u16 = 17;
    const RTM_DELADDR: u16 = 21;
    const RTM_DELROUTE: u16 = 25;
    const AF_UNSPEC: u8 = 0;
    const AF_INET: u8 = 2;
    const IFF_RUNNING: u32 = 0x40;
    const IFLA_IFNAME: u16 = 3;
    const IFA_LOCAL: u16 = 2;

    let family = *message.first()?;
    match (kind, family) {
        // struct ifinfomsg: 16 bytes, flags at 8. Bridges say the same under a family of their own.
        (RTM_NEWLINK | RTM_DELLINK, AF_UNSPEC) => {
            let name = attribute(message.get(16..)?, IFLA_IFNAME)?;
            let name = String::from_utf8_lossy(name).trim_end_matches('\0').to_owned();
            if kind == RTM_DELLINK {
                return Some(Notice::LinkGone { name });
            }
            Some(Notice::Link { name, running: u32_at(message, 8)? & IFF_RUNNING != 0 })
        }
        // struct ifaddrmsg: 8 bytes.
        (RTM_DELADDR, AF_INET) => {
            Some(Notice::Ipv4AddressGone(attribute(message.get(8..)?, IFA_LOCAL)?.try_into().ok()?))
        }
        // struct rtmsg: 12 bytes, destination length at 1, protocol at 5.
        (RTM_DELROUTE, AF_INET) if message.get(1) == Some(&0) => {
            Some(Notice::Ipv4DefaultGone { protocol: *message.get(5)? })
        }
        _ => None,
    }
}

/// Value of the first attribute of this type (`struct rtattr`: length with these four bytes, type).
fn attribute(mut rest: &[u8], wanted: u16) -> Option<&[u8]> {
    loop {
        let length = usize::from(u16_at(rest, 0)?);
        let value = rest.get(4..length)?;
        if u16_at(rest, 2)? == wanted {
            return Some(value);
        }
        rest = rest.get(length.next_multiple_of(4)..)?;
    }
}

fn u16_at(bytes: &[u8], at: usize) -> Option<u16> {
    Some(u16::from_ne_bytes(bytes.get(at..at + 2)?.try_into().ok()?))
}

fn u32_at(bytes: &[u8], at: usize) -> Option<u32> {
    Some(u32::from_ne_bytes(bytes.get(at..at + 4)?.try_into().ok()?))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn message(kind: u16, body: &[u8]) -> Vec<u8> {
        let length = u32::try_from(16 + body.len()).unwrap();
        let mut bytes = [&length.to_ne_bytes()[..], &kind.to_ne_bytes(), &[0; 10], body].concat();
        bytes.resize(bytes.len().next_multiple_of(4), 0);
        bytes
    }

    fn link(flags: u32) -> Vec<u8> {
        let fixed = [&[0; 8][..], &flags.to_ne_bytes(), &[0; 4]].concat();
        // An attribute of five bytes first, whose padding must be skipped.
        let attributes: &[u8] = &[5, 0, 9, 0, 1, 0, 0, 0, 9, 0, 3, 0, b'e', b't', b'h', b'0', 0];
        [&fixed, attributes].concat()
    }

    #[test]
    fn the_carrier_of_a_link() {
        let both = [message(16, &link(0x1043)), message(16, &link(0x1003))].concat();
        let named = |running| Notice::Link { name: "eth0".into(), running };
        assert_eq!(parse(&both), [named(true), named(false)]);
        assert_eq!(parse(&message(17, &link(0))), [Notice::LinkGone { name: "eth0".into() }]);
    }

    #[test]
    fn only_default_routes_and_ipv4() {
        let route = |family, length| [family, length, 0, 0, 254, 236, 0, 1, 0, 0, 0, 0];
        assert_eq!(parse(&message(25, &route(2, 0))), [Notice::Ipv4DefaultGone { protocol: 236 }]);
        assert_eq!(parse(&message(25, &route(2, 32))), []);
        assert_eq!(parse(&message(25, &route(10, 0))), []);
        let address = [&[2, 32, 0, 0, 3, 0, 0, 0][..], &[8, 0, 2, 0, 192, 0, 0, 2]].concat();
        assert_eq!(parse(&message(21, &address)), [Notice::Ipv4AddressGone([192, 0, 0, 2])]);
    }

    #[test]
    fn half_a_message_is_none() {
        let whole = message(16, &link(0));
        assert_eq!(parse(&whole[..whole.len() - 8]), []);
        assert_eq!(parse(&[0; 3]), []);
        assert_eq!(parse(&[0; 32]), []);
    }
}

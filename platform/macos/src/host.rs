use std::io::{self, Read, Write};
use std::net::Ipv6Addr;
use std::os::fd::AsFd;
use std::time::Duration;

use ipnet::IpNet;
use model::{AddressFlags, Link, LinkAddress, NetworkSnapshot, RouteLookup};
use platform_api::{HostError, HostEvent, Observe, TunId};
use socket2::{Domain, Socket, Type};
use tokio::sync::mpsc;
use tracing::debug;

use crate::codec::{self, InterfaceRow, LinkState};
use crate::listen;
use crate::sys::{self, Table};

/// The kernel answers before the question's `write` returns, so this passes only when the answer was lost.
const REPLY_TIMEOUT: Duration = Duration::from_millis(200);

/// More than the longest answer: a header of 92 bytes and eight addresses of 255.
const REPLY_LENGTH: usize = 4096;

/// The Mac, looked at through its routing socket, kernel events and sysctl.
#[derive(Debug, Default)]
pub struct MacosHost {}

impl MacosHost {
    /// Makes one; nothing is opened yet.
    #[must_use]
    pub fn new() -> Self {
        Self {}
    }
}

impl Observe for MacosHost {
    fn subscribe(&mut self) -> Result<mpsc::Receiver<HostEvent>, HostError> {
        listen::listen()
    }

    async fn snapshot(&mut self, lookups: &[Ipv6Addr], own: Option<&TunId>) -> Result<NetworkSnapshot, HostError> {
        let lookups = lookups.to_vec();
        let own = own.map(|tun| tun.index);
        let looking = tokio::task::spawn_blocking(move || look(&lookups, own));
        looking.await.map_err(|error| HostError::new("look at the network", io::Error::other(error)))?
    }
}

fn look(lookups: &[Ipv6Addr], own: Option<u32>) -> Result<NetworkSnapshot, HostError> {
    let mut snapshot = NetworkSnapshot::default();
    let interfaces = sys::table(Table::Interfaces).map_err(|error| HostError::new("list interfaces", error))?;
    let forwards_ipv6 = sys::forwards_ipv6().map_err(|error| HostError::new("ask whether IPv6 is forwarded", error))?;
    let asking = Socket::new(Domain::IPV6, Type::DGRAM, None)
        .map_err(|error| HostError::new("open a socket to ask about interfaces", error))?;
    for row in codec::interfaces(&interfaces).iter().filter(|row| Some(row.index) != own) {
        snapshot.links.insert(row.index, link(&asking, row, forwards_ipv6));
    }
    let routes = sys::table(Table::Routes).map_err(|error| HostError::new("list routes", error))?;
    snapshot.routes = codec::routes(&routes);
    snapshot.routes.retain(|route| Some(route.link) != own);
    let neighbours = sys::table(Table::Neighbours).map_err(|error| HostError::new("list neighbours", error))?;
    snapshot.neighbours = codec::neighbours(&neighbours);
    if !lookups.is_empty() {
        let mut routing = routing_socket().map_err(|error| HostError::new("open a routing socket", error))?;
        for (sequence, &destination) in (1..).zip(lookups) {
            match lookup(&mut routing, destination, sequence) {
                Ok(found) => snapshot.lookups.extend(found.map(|found| (destination, found))),
                // An error is the kernel's word for "unreachable" (ESRCH).
                Err(error) => debug!(%error, "no answer to a route lookup"),
            }
        }
    }
    codec::tidy(&mut snapshot);
    Ok(snapshot)
}

fn link(asking: &Socket, row: &InterfaceRow, forwards_ipv6: bool) -> Link {
    let state = LinkState {
        active: sys::media_active(asking.as_fd(), &row.name),
        mtu6: sys::link_mtu(asking.as_fd(), &row.name),
        forwards_ipv6,
    };
    let addresses = row.addresses.iter().filter_map(|&net| {
        let flags = match net {
            IpNet::V4(_) => AddressFlags::default(),
            IpNet::V6(net) => codec::address_flags(sys::address_flags(asking.as_fd(), &row.name, net.addr())?),
        };
        Some(LinkAddress { net, flags })
    });
    codec::link(row, state, addresses.collect())
}

fn routing_socket() -> io::Result<Socket> {
    let socket = Socket::new(Domain::from(libc::PF_ROUTE), Type::RAW, None)?;
    socket.set_read_timeout(Some(REPLY_TIMEOUT))?;
    Ok(socket)
}

fn lookup(routing: &mut Socket, destination: Ipv6Addr, sequence: u32) -> io::Result<Option<RouteLookup>> {
    routing.write_all(&codec::lookup_request(destination, sequence))?;
    let pid = std::process::id();
    let mut bytes = [0; REPLY_LENGTH];
    loop {
        let length = routing.read(&mut bytes)?;
        let message = bytes.get(..length).unwrap_or_default();
        if codec::reply_is_to(message, pid, sequence) {
            return Ok(codec::lookup_reply(message));
        }
    }
}

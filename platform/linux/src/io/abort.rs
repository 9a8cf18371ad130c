//! Ending the host's own connections.

use std::io;
use std::net::Ipv4Addr;

use netlink_sys::protocols::NETLINK_SOCK_DIAG;
use netlink_sys::{Socket, SocketAddr};

use crate::codec::diag::{self, SocketId};

/// The kernel tells of sockets in datagrams of no more than this.
const DATAGRAM: usize = 32 * 1024;
/// So many datagrams are more sockets than a host can have from one address.
const DATAGRAMS: usize = 1024;

/// Ends every TCP connection of this network namespace from `host`. Says how many there were.
pub(super) fn connections_from(host: Ipv4Addr) -> io::Result<usize> {
    let mut socket = Socket::new(NETLINK_SOCK_DIAG)?;
    socket.connect(&SocketAddr::new(0, 0))?;
    // What is to be told is made as it is asked for: there is always something, until the end.
    socket.set_non_blocking(true)?;
    let mut found = Vec::new();
    for family in diag::FAMILIES {
        list(&mut socket, family, host, &mut found)?;
    }
    let mut refused = Ok(found.len());
    for id in &found {
        socket.send(&diag::destroy(id), 0)?;
        // The kernel has answered within that call, if it has anything to say.
        let mut answer = Vec::with_capacity(DATAGRAM);
        match socket.recv(&mut answer, 0).map(|_| diag::told(&answer)) {
            // One that has ended by itself meanwhile.
            Ok(Ok(_) | Err(libc::ENOENT)) => {}
            // The others are tried all the same.
            Ok(Err(code)) => refused = Err(refusal(code)),
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
            Err(error) => return Err(error),
        }
    }
    refused
}

fn list(socket: &mut Socket, family: u8, host: Ipv4Addr, found: &mut Vec<SocketId>) -> io::Result<()> {
    socket.send(&diag::connections_from(family, host), 0)?;
    let mut buf = Vec::with_capacity(DATAGRAM);
    for _ in 0..DATAGRAMS {
        buf.clear();
        socket.recv(&mut buf, 0)?;
        let told = diag::told(&buf).map_err(refusal)?;
        found.extend(told.sockets);
        if told.is_last {
            break;
        }
    }
    Ok(())
}

fn refusal(code: i32) -> io::Error {
    if code == 0 { io::ErrorKind::InvalidData.into() } else { io::Error::from_raw_os_error(code) }
}

#[cfg(test)]
mod tests {
    use std::io::{ErrorKind, Read};
    use std::net::{Ipv6Addr, SocketAddr, TcpListener, TcpStream};
    use std::time::Duration;

    use rustix::thread::{CapabilitySet, CapabilitySets, set_capabilities};
    use socket2::{Domain, SockAddr, Type};

    use super::*;
    use crate::io::namespace::{in_a_network, ip};

    const HOST: Ipv4Addr = Ipv4Addr::new(192, 0, 0, 2);
    const OTHER: Ipv4Addr = Ipv4Addr::new(192, 0, 0, 3);
    const SERVER: Ipv4Addr = Ipv4Addr::new(198, 51, 100, 10);

    /// A connection to `server` by a socket of this sort from this address.
    fn connect(domain: Domain, from: Ipv4Addr, server: SocketAddr) -> TcpStream {
        let written = |address: SocketAddr| match (domain, address) {
            (Domain::IPV6, SocketAddr::V4(address)) => {
                SocketAddr::new(address.ip().to_ipv6_mapped().into(), address.port())
            }
            _ => address,
        };
        let socket = socket2::Socket::new(domain, Type::STREAM, None).unwrap();
        socket.bind(&SockAddr::from(written(SocketAddr::new(from.into(), 0)))).unwrap();
        socket.connect(&SockAddr::from(written(server))).unwrap();
        let stream: TcpStream = socket.into();
        stream.set_read_timeout(Some(Duration::from_millis(100))).unwrap();
        stream
    }

    #[test]
    fn only_connections_from_that_address_end() {
        in_a_network(|| {
            ip("link set lo up");
            for address in [HOST, OTHER, SERVER] {
                ip(&format!("address add {address}/32 dev lo"));
            }
            let server = TcpListener::bind((SERVER, 0)).unwrap();
            let at = server.local_addr().unwrap();
            let ended = [Domain::IPV4, Domain::IPV6].map(|domain| connect(domain, HOST, at));
            let other = connect(Domain::IPV4, OTHER, at);
            // Of the address that ends, too.
            let listener = TcpListener::bind((Ipv6Addr::UNSPECIFIED, 0)).unwrap();
            let heard = |mut stream: &TcpStream| stream.read(&mut [0]).map_err(|error| error.kind());
            assert_eq!(heard(&ended[0]), Err(ErrorKind::WouldBlock));
            assert_eq!(connections_from(HOST).unwrap(), 2);
            for stream in &ended {
                assert_eq!(heard(stream), Err(ErrorKind::ConnectionAborted));
            }
            assert_eq!(heard(&other), Err(ErrorKind::WouldBlock));
            let late = connect(Domain::IPV4, HOST, listener.local_addr().map(|at| (SERVER, at.port()).into()).unwrap());
            drop(listener.accept().unwrap());
            assert_eq!(heard(&late), Ok(0), "what listens still does");
            drop(late);
            assert_eq!(connections_from(Ipv4Addr::new(192, 0, 0, 4)).unwrap(), 0);
        });
    }

    #[test]
    fn that_the_kernel_refuses_is_told() {
        in_a_network(|| {
            ip("link set lo up");
            for address in [HOST, SERVER] {
                ip(&format!("address add {address}/32 dev lo"));
            }
            let server = TcpListener::bind((SERVER, 0)).unwrap();
            let stream = connect(Domain::IPV4, HOST, server.local_addr().unwrap());
            let none = CapabilitySet::empty();
            set_capabilities(None, CapabilitySets { effective: none, permitted: none, inheritable: none }).unwrap();
            let refused = connections_from(HOST).unwrap_err();
            assert_eq!(refused.kind(), ErrorKind::PermissionDenied);
            assert_eq!((&stream).read(&mut [0]).unwrap_err().kind(), ErrorKind::WouldBlock, "and it goes on");
        });
    }

    #[test]
    fn nonsense_from_the_kernel_is_an_error() {
        assert_eq!(refusal(0).kind(), ErrorKind::InvalidData);
        assert_eq!(refusal(libc::EPERM).kind(), ErrorKind::PermissionDenied);
    }
}

use std::io;
use std::net::{Ipv6Addr, SocketAddrV6, TcpStream, UdpSocket};
use std::num::NonZeroU32;

use platform_api::UplinkSockets;
use socket2::{Domain, Protocol, SockAddr, Socket, Type};

/// Sockets bound to their interface (`SO_BINDTOIFINDEX`): the kernel looks up routes of that interface only, whatever
/// rules and tables a VPN has added.
#[derive(Clone, Copy, Debug, Default)]
pub struct LinuxSockets;

impl UplinkSockets for LinuxSockets {
    fn udp(&self, link: u32, port: u16) -> io::Result<UdpSocket> {
        let socket = open(Type::DGRAM, Protocol::UDP, link)?;
        socket.bind(&SockAddr::from(SocketAddrV6::new(Ipv6Addr::UNSPECIFIED, port, 0, 0)))?;
        Ok(socket.into())
    }

    fn tcp(&self, link: u32) -> io::Result<TcpStream> {
        Ok(open(Type::STREAM, Protocol::TCP, link)?.into())
    }
}

fn open(kind: Type, protocol: Protocol, link: u32) -> io::Result<Socket> {
    // The kernel reads 0 as "any interface".
    let link = NonZeroU32::new(link).ok_or(io::ErrorKind::InvalidInput)?;
    let socket = Socket::new(Domain::IPV6, kind, Some(protocol))?;
    socket.set_only_v6(true)?;
    socket.set_nonblocking(true)?;
    socket.bind_device_by_index_v6(Some(link))?;
    Ok(socket)
}

#[cfg(test)]
mod tests {
    use std::io::{Read, Write};
    use std::net::TcpListener;
    use std::time::Duration;

    use socket2::SockRef;

    use super::*;

    /// First in every network namespace.
    const LOOPBACK: u32 = 1;

    fn permitted<T>(result: io::Result<T>) -> Option<T> {
        match result {
            Err(error) if error.kind() == io::ErrorKind::PermissionDenied => {
                eprintln!("SKIPPED: may not bind a socket to an interface ({error}); run as root");
                None
            }
            other => Some(other.unwrap()),
        }
    }

    #[test]
    fn a_datagram_socket_is_bound_to_its_interface_and_port() {
        let Some(socket) = permitted(LinuxSockets.udp(LOOPBACK, 0)) else { return };
        assert_eq!(SockRef::from(&socket).device().unwrap().as_deref(), Some(&b"lo"[..]));
        assert_eq!(socket.recv_from(&mut [0; 16]).unwrap_err().kind(), io::ErrorKind::WouldBlock);
        let taken = socket.local_addr().unwrap().port();
        assert_eq!(LinuxSockets.udp(LOOPBACK, taken).unwrap_err().kind(), io::ErrorKind::AddrInUse);

        let peer = UdpSocket::bind((Ipv6Addr::LOCALHOST, 0)).unwrap();
        peer.set_read_timeout(Some(Duration::from_secs(5))).unwrap();
        socket.send_to(b"question", peer.local_addr().unwrap()).unwrap();
        let (_, from) = peer.recv_from(&mut [0; 16]).unwrap();
        assert_eq!(from.port(), taken);
        let elsewhere = SocketAddrV6::new("2001:db8::53".parse().unwrap(), 53, 0, 0);
        socket.send_to(b"question", elsewhere).expect_err("lo has no route there, and no other interface is asked");
    }

    #[test]
    fn a_stream_socket_is_bound_to_its_interface() {
        let Some(socket) = permitted(LinuxSockets.tcp(LOOPBACK)) else { return };
        let socket = Socket::from(socket);
        assert_eq!(socket.device().unwrap().as_deref(), Some(&b"lo"[..]));
        let listener = TcpListener::bind((Ipv6Addr::LOCALHOST, 0)).unwrap();
        socket
            .connect_timeout(&SockAddr::from(listener.local_addr().unwrap()), Duration::from_secs(5))
            .expect("to be unconnected until now");
        socket.set_nonblocking(false).unwrap();
        (&socket).write_all(b"question").unwrap();
        let mut heard = [0; 8];
        listener.accept().unwrap().0.read_exact(&mut heard).unwrap();
        assert_eq!(&heard, b"question");
    }

    #[test]
    fn no_interface_is_an_error_not_every_interface() {
        assert_eq!(LinuxSockets.udp(0, 0).unwrap_err().kind(), io::ErrorKind::InvalidInput);
        assert_eq!(LinuxSockets.tcp(0).unwrap_err().kind(), io::ErrorKind::InvalidInput);
        // The kernel takes any number; nothing goes out, though, once the interface is gone.
        let Some(socket) = permitted(LinuxSockets.udp(4_000_000, 0)) else { return };
        let peer = UdpSocket::bind((Ipv6Addr::LOCALHOST, 0)).unwrap();
        let error = socket.send_to(b"question", peer.local_addr().unwrap()).unwrap_err();
        assert_eq!(error.kind(), io::ErrorKind::NetworkUnreachable);
    }
}

//! Namespaces, signals, Unix sockets and raw ICMPv6 on Linux.

use std::fs::{File, Metadata};
use std::io;
use std::net::{Ipv6Addr, SocketAddr, SocketAddrV6};
use std::os::unix::fs::MetadataExt;
use std::os::unix::net::{UnixListener, UnixStream};
use std::os::unix::process::CommandExt;
use std::path::Path;
use std::process::Command;
use std::time::Duration;

use rustix::net::{RecvFlags, recvfrom};
use rustix::process::{Pid, Signal, kill_process, kill_process_group};
use rustix::thread::{LinkNameSpaceType, move_into_link_name_space};
use socket2::{Domain, Protocol, SockAddr, Socket, Type};

use crate::error::{Error, Result};
use crate::sys::End;

const ALL_NODES: Ipv6Addr = Ipv6Addr::new(0xff02, 0, 0, 0, 0, 0, 0, 1);
const ALL_ROUTERS: Ipv6Addr = Ipv6Addr::new(0xff02, 0, 0, 0, 0, 0, 0, 2);
/// A peer on the control socket that stops in the middle must not stop the router.
const CONTROL_TIMEOUT: Duration = Duration::from_secs(2);

/// Namespaces need root.
pub(crate) fn check_privileges() -> Result<()> {
    if rustix::process::geteuid().is_root() { Ok(()) } else { Err(Error::NotRoot) }
}

/// Runs `work` on a thread of its own that has entered the network namespace `file`.
///
/// Sockets opened there stay there; `/proc/sys/net` and `/proc/thread-self/net` show that namespace.
pub(crate) fn in_namespace<T: Send>(file: &Path, work: impl FnOnce() -> T + Send) -> io::Result<T> {
    let namespace = File::open(file)?;
    std::thread::scope(|scope| {
        let thread = std::thread::Builder::new().name("lab-netns".to_owned()).spawn_scoped(scope, move || {
            use std::os::fd::AsFd;
            move_into_link_name_space(namespace.as_fd(), Some(LinkNameSpaceType::Network))?;
            Ok(work())
        })?;
        thread.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic))
    })
}

/// Whether `path` still names the open `file`.
pub(crate) fn is_same_file(file: &File, path: &Path) -> bool {
    let identity = |metadata: Metadata| (metadata.dev(), metadata.ino());
    let named = std::fs::metadata(path).map(identity);
    named.ok().is_some_and(|named| file.metadata().map(identity).is_ok_and(|open| open == named))
}

/// Keeps a child alive when the terminal interrupts its parent.
pub(crate) fn detach(command: &mut Command) {
    command.process_group(0);
}

/// Ends process `pid`; `false` if there is none.
pub(crate) fn end(pid: u32, how: End) -> io::Result<bool> {
    let Some(pid) = i32::try_from(pid).ok().and_then(Pid::from_raw) else { return Ok(false) };
    let sent = match how {
        End::Politely => kill_process(pid, Signal::TERM),
        End::AtOnce => kill_process(pid, Signal::KILL),
        End::Releasing => kill_process(pid, Signal::ALARM),
        End::WithItsGroup => kill_process_group(pid, Signal::KILL),
    };
    match sent {
        Ok(()) => Ok(true),
        Err(rustix::io::Errno::SRCH) => Ok(false),
        Err(error) => Err(error.into()),
    }
}

/// The listening end of a router's control socket.
#[derive(Debug)]
pub(crate) struct ControlListener(UnixListener);

impl ControlListener {
    pub(crate) fn bind(path: &Path) -> io::Result<Self> {
        match std::fs::remove_file(path) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
            Ok(()) | Err(_) => {}
        }
        UnixListener::bind(path).map(Self)
    }

    pub(crate) fn accept(&self) -> io::Result<ControlStream> {
        let (stream, _) = self.0.accept()?;
        ControlStream::new(stream)
    }
}

/// A connection of the control socket.
#[derive(Debug)]
pub(crate) struct ControlStream(UnixStream);

impl ControlStream {
    pub(crate) fn connect(path: &Path) -> io::Result<Self> {
        Self::new(UnixStream::connect(path)?)
    }

    fn new(stream: UnixStream) -> io::Result<Self> {
        stream.set_read_timeout(Some(CONTROL_TIMEOUT))?;
        stream.set_write_timeout(Some(CONTROL_TIMEOUT))?;
        Ok(Self(stream))
    }
}

impl io::Read for &ControlStream {
    fn read(&mut self, buf: &mut [u8]) -> io::Result<usize> {
        (&self.0).read(buf)
    }
}

impl io::Write for &ControlStream {
    fn write(&mut self, buf: &[u8]) -> io::Result<usize> {
        (&self.0).write(buf)
    }

    fn flush(&mut self) -> io::Result<()> {
        (&self.0).flush()
    }
}

/// A raw ICMPv6 socket on one interface, for router discovery.
#[derive(Debug)]
pub(crate) struct IcmpSocket {
    socket: Socket,
    ifindex: u32,
}

impl IcmpSocket {
    pub(crate) fn open(interface: &str) -> io::Result<Self> {
        let socket = Socket::new(Domain::IPV6, Type::RAW, Some(Protocol::ICMPV6))?;
        let ifindex = rustix::net::netdevice::name_to_index(&socket, interface)?;
        socket.bind_device(Some(interface.as_bytes()))?;
        socket.set_multicast_if_v6(ifindex)?;
        socket.set_multicast_loop_v6(false)?;
        // RFC 4861 section 6.1: receivers drop router discovery with any other hop limit.
        socket.set_multicast_hops_v6(255)?;
        socket.set_unicast_hops_v6(255)?;
        for group in [ALL_NODES, ALL_ROUTERS] {
            socket.join_multicast_v6(&group, ifindex)?;
        }
        Ok(Self { socket, ifindex })
    }

    /// Waits for a message; its length and source.
    pub(crate) fn receive(&self, buffer: &mut [u8]) -> io::Result<(usize, Ipv6Addr)> {
        let (length, _, source) = recvfrom(&self.socket, buffer, RecvFlags::empty())?;
        let source = source.and_then(|address| SocketAddr::try_from(address).ok());
        let source = match source {
            Some(SocketAddr::V6(v6)) => *v6.ip(),
            Some(SocketAddr::V4(_)) | None => Ipv6Addr::UNSPECIFIED,
        };
        Ok((length, source))
    }

    /// `receive` gives up after this time.
    pub(crate) fn set_timeout(&self, timeout: Duration) -> io::Result<()> {
        self.socket.set_read_timeout(Some(timeout))
    }

    /// Sends to `to`, or to all nodes on the link.
    pub(crate) fn send(&self, message: &[u8], to: Option<Ipv6Addr>) -> io::Result<()> {
        let to = SocketAddrV6::new(to.unwrap_or(ALL_NODES), 0, 0, self.ifindex);
        self.socket.send_to(message, &SockAddr::from(to)).map(drop)
    }
}

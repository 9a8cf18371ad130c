//! Who is at the other end. Unix sockets and Windows pipes name the peer differently, hence the two halves below.

use std::io;

use interprocess::local_socket::PeerCreds;
use interprocess::local_socket::tokio::Listener;

/// A client, as the operating system knows it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Peer {
    /// Effective user id; `None` where the system does not tell one (Windows).
    pub uid: Option<u32>,
    /// Process id, for logs only: it may be another process's by now.
    pub pid: Option<u32>,
}

/// What a client may do.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Rights {
    /// Read the status.
    Read,
    /// Change things, too.
    Administer,
}

impl Peer {
    /// Reading is for every local user, changing for root.
    #[must_use]
    pub fn rights(&self) -> Rights {
        if self.uid == Some(0) { Rights::Administer } else { Rights::Read }
    }

    #[cfg(unix)]
    pub(crate) fn of(credentials: &PeerCreds) -> Self {
        Self { uid: credentials.euid(), pid: credentials.pid().and_then(|pid| u32::try_from(pid).ok()) }
    }

    #[cfg(windows)]
    pub(crate) fn of(credentials: &PeerCreds) -> Self {
        Self { uid: None, pid: credentials.pid() }
    }
}

/// How many may queue for being let in. The system's default is thousands, and a flood that keeps them filled makes everybody
/// wait for all of them; with less, who comes when the queue is full tries again.
#[cfg(unix)]
const QUEUE: i32 = 512;

/// Sets how many may queue.
#[cfg(unix)]
pub(crate) fn bound_queue(listener: &Listener) -> io::Result<()> {
    let Listener::UdSocket(socket) = listener;
    // On a socket that listens already, this changes only the length of its queue.
    Ok(rustix::net::listen(socket, QUEUE)?)
}

/// A pipe has no queue.
#[cfg(windows)]
pub(crate) fn bound_queue(_: &Listener) -> io::Result<()> {
    Ok(())
}

#[cfg(windows)]
pub(crate) const DEFAULT_ENDPOINT: &str = r"\\.\pipe\everclatd";
#[cfg(target_os = "macos")]
pub(crate) const DEFAULT_ENDPOINT: &str = "/var/run/everclat/everclatd.sock";
#[cfg(all(unix, not(target_os = "macos")))]
pub(crate) const DEFAULT_ENDPOINT: &str = "/run/everclat/everclatd.sock";

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_root_administers() {
        assert_eq!(Peer { uid: Some(0), pid: Some(1) }.rights(), Rights::Administer);
        assert_eq!(Peer { uid: Some(1000), pid: Some(1) }.rights(), Rights::Read);
        assert_eq!(Peer { uid: None, pid: None }.rights(), Rights::Read, "unknown is nobody");
    }
}

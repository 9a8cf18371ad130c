//! Who is at the other end. Unix sockets and Windows pipes name the peer differently, hence the two halves below.

use interprocess::local_socket::PeerCreds;

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

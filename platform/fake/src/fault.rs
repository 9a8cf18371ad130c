use std::io;

use platform_api::HostError;

/// Every call into the operating system, as far as the service can notice that it fails.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Call {
    /// Listen to notifications.
    Subscribe,
    /// Look at the network.
    Snapshot,
    /// Remove what a former process left behind.
    CleanupStale,
    /// Send a router solicitation.
    SolicitRouters,
    /// Have a neighbour resolved.
    ResolveNeighbour,
    /// Create the tunnel.
    OpenTun,
    /// Open the port on the uplink.
    OpenPort,
    /// Make a waker.
    MakeWaker,
    /// Put the IPv4 address on the tunnel.
    AddAddress,
    /// Set the tunnel's MTU.
    SetMtu,
    /// Put the default route in place.
    AddRoute,
    /// Have the host keep silent about X.
    Silence,
    /// Take the default route away.
    RemoveRoute,
    /// Take the IPv4 address away.
    RemoveAddress,
    /// Have the host speak about X again.
    Unsilence,
    /// Take a packet from the tunnel.
    TunRecv,
    /// Hand a packet to the tunnel.
    TunSend,
    /// Wait for the tunnel.
    TunWait,
    /// Break off connections from the tunnel's address.
    TunAbort,
    /// Take a packet from the uplink.
    PortRecv,
    /// Send a packet on the uplink.
    PortSend,
    /// Send a frame on the uplink.
    PortSendFrame,
    /// Wait for the uplink.
    PortWait,
}

impl Call {
    /// All of them.
    pub const ALL: [Self; 23] = [
        Self::Subscribe,
        Self::Snapshot,
        Self::CleanupStale,
        Self::SolicitRouters,
        Self::ResolveNeighbour,
        Self::OpenTun,
        Self::OpenPort,
        Self::MakeWaker,
        Self::AddAddress,
        Self::SetMtu,
        Self::AddRoute,
        Self::Silence,
        Self::RemoveRoute,
        Self::RemoveAddress,
        Self::Unsilence,
        Self::TunRecv,
        Self::TunSend,
        Self::TunWait,
        Self::TunAbort,
        Self::PortRecv,
        Self::PortSend,
        Self::PortSendFrame,
        Self::PortWait,
    ];

    pub(crate) fn error(self) -> io::Error {
        io::Error::other(format!("{self:?} fails by order"))
    }

    pub(crate) fn host_error(self) -> HostError {
        HostError::new(format!("{self:?}"), self.error())
    }
}

/// How a call fails.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Fault {
    /// So many more calls succeed first.
    pub(crate) spared: usize,
    /// Then so many fail; `None`: all.
    pub(crate) times: Option<usize>,
}

impl Fault {
    /// Whether a call that is made now fails.
    pub(crate) fn is_due(self) -> bool {
        self.spared == 0 && self.times != Some(0)
    }

    /// A call is made. Says whether it fails.
    pub(crate) fn strikes(&mut self) -> bool {
        let strikes = self.is_due();
        if self.spared > 0 {
            self.spared -= 1;
        } else if let Some(times) = &mut self.times {
            *times = times.saturating_sub(1);
        }
        strikes
    }
}

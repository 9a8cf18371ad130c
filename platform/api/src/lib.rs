//! What Everclat needs of an operating system.
//!
//! The control half ([`Observe`], [`Host`]) is asynchronous and slow; the packet half ([`PlaneIo`], [`TunDevice`],
//! [`UplinkPort`]) is called from one OS thread per direction and neither allocates nor locks.

#![forbid(unsafe_code)]

mod fast;

use std::future::Future;
use std::io;
use std::net::{Ipv4Addr, Ipv6Addr, TcpStream, UdpSocket};
use std::pin::Pin;
use std::time::{Duration, SystemTime};

use model::{Applied, HostIntent, LinkNews, MacAddress, NetworkSnapshot, Timestamp};
use thiserror::Error;
use tokio::sync::mpsc;
use xlat::PacketBuf;

pub use fast::{FastConfig, FastFlow, FastLane, FastRefusal, FastSeed, FastTotals};

/// Something the operating system refused, with what was attempted.
#[derive(Debug, Error)]
#[error("{attempt}: {source}")]
pub struct HostError {
    /// What was attempted, in words.
    pub attempt: String,
    /// The system's answer.
    #[source]
    pub source: io::Error,
}

impl HostError {
    /// Says what was attempted when `source` happened.
    pub fn new(attempt: impl Into<String>, source: io::Error) -> Self {
        Self { attempt: attempt.into(), source }
    }
}

/// What the operating system tells without being asked. Hints: decisions are made on a snapshot taken afterwards.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum HostEvent {
    /// Something about links, addresses, routes, rules or neighbours changed, or notifications were lost.
    Changed,
    /// Time has passed without us: the host slept, or was stopped as a whole. What could have changed meanwhile need not be
    /// told otherwise.
    Woke,
    /// One option of a router advertisement that the system heard.
    RouterOption {
        /// Interface it was heard on.
        link: u32,
        /// The router, if the system says so.
        router: Option<Ipv6Addr>,
        /// The option as on the wire.
        bytes: Vec<u8>,
    },
    /// What else became known about an uplink.
    News {
        /// The interface.
        link: u32,
        /// What.
        news: LinkNews,
    },
}

/// How many events may wait for the engine. Router options are a handful per advertisement; hints carry nothing that a
/// later snapshot does not hold.
pub const EVENT_QUEUE: usize = 256;

/// How many packets go together at most: enough that what a system call costs by itself is shared, few enough that the
/// first of them leaves some microseconds later only.
pub const AT_ONCE: usize = 16;

/// The tunnel of a running plane.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TunId {
    /// Interface index.
    pub index: u32,
    /// Interface name.
    pub name: String,
}

/// The host, as far as it is slow and only looked at: what the network looks like, what changed.
pub trait Observe: Send + 'static {
    /// Starts to listen. Call it before the first snapshot, so that nothing falls between the two.
    ///
    /// # Errors
    /// When the system refuses its notifications; without them the service cannot work.
    fn subscribe(&mut self) -> Result<mpsc::Receiver<HostEvent>, HostError>;

    /// The network as it is now, without our own tunnel `own`, and where packets to each of `lookups` would go.
    ///
    /// # Errors
    /// When the system cannot be asked; the caller keeps the last snapshot.
    fn snapshot(
        &mut self,
        lookups: &[Ipv6Addr],
        own: Option<&TunId>,
    ) -> impl Future<Output = Result<NetworkSnapshot, HostError>> + Send;
}

/// The host with what should change about it.
pub trait Host: Observe {
    /// Opens the sockets of discovery.
    type Sockets: UplinkSockets;

    /// Sockets that are bound to an uplink.
    fn sockets(&self) -> Self::Sockets;

    /// Brings the host into the state of `intent`, adds before deletes, and reads back what is in place.
    fn apply(&mut self, intent: &HostIntent, own: Option<&TunId>) -> impl Future<Output = Applied> + Send;

    /// What of `intent` is in place, as the last snapshot saw it; `None` when it saw no tunnel of ours.
    fn in_place(&self, intent: &HostIntent) -> Option<Applied>;

    /// Removes what a former process of ours left behind. Names each thing removed.
    ///
    /// # Errors
    /// When another process of ours is at work here, or the system cannot be asked.
    fn cleanup_stale(&mut self) -> impl Future<Output = Result<Vec<String>, HostError>> + Send;

    /// Sends a router solicitation on `link`.
    ///
    /// # Errors
    /// When there is no link-local address yet or the link is down; the engine asks again later.
    fn solicit_routers(&mut self, link: u32, mac: Option<MacAddress>) -> Result<(), HostError>;

    /// Has the system resolve `address` on `link`.
    ///
    /// # Errors
    /// When the system refuses.
    fn resolve_neighbour(&mut self, link: u32, address: Ipv6Addr)
    -> impl Future<Output = Result<(), HostError>> + Send;
}

/// Opens the packet half.
pub trait PlaneIo: Send + 'static {
    /// The tunnel's type.
    type Tun: TunDevice<Self::Waker>;
    /// The uplink port's type.
    type Port: UplinkPort<Self::Waker>;
    /// Wakes a thread that waits for packets.
    type Waker: Waker;
    /// The system's own translation, laid over tunnel and ports.
    type Fast: FastLane;

    /// Creates the tunnel device. It vanishes with the value.
    ///
    /// # Errors
    /// When the system refuses: no permission, no driver, or the name is in use.
    fn open_tun(&self) -> Result<Self::Tun, HostError>;

    /// Opens a port on the uplink for the address `v6`. It vanishes with the value.
    ///
    /// # Errors
    /// When the system refuses or the interface is gone.
    fn open_port(&self, config: &PortConfig) -> Result<Self::Port, HostError>;

    /// Makes a waker.
    ///
    /// # Errors
    /// When the system has no more descriptors.
    fn waker(&self) -> Result<Self::Waker, HostError>;

    /// Blocks until there is a packet from either side or `waker` is woken: for a thread that looks after both.
    ///
    /// # Errors
    /// When one of them is gone; see [`TunDevice::wait`] and [`UplinkPort::wait`].
    fn wait_both(tun: &Self::Tun, port: &Self::Port, waker: &Self::Waker) -> Result<Sides, Gone>;

    /// What makes the fast path. It is slow, so it is called elsewhere.
    fn fast_lane(&self) -> impl FnOnce() -> Result<Self::Fast, FastRefusal> + Send + 'static;
}

/// What a port is for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PortConfig {
    /// The uplink.
    pub link: u32,
    /// Our link-layer address there.
    pub mac: MacAddress,
    /// X: frames to it, and neighbour discovery about it, come in.
    pub v6: Ipv6Addr,
}

impl PortConfig {
    /// The multicast group in which others ask for X (RFC 4291 section 2.7.1).
    #[must_use]
    pub fn solicited_node(&self) -> Ipv6Addr {
        model::solicited_node(self.v6)
    }
}

/// Opens the sockets of discovery: IPv6 only, non-blocking, and bound to one uplink, so that neither a VPN's route nor
/// another uplink carries what is asked there (RFC 8880 section 7.1).
pub trait UplinkSockets: Clone + Send + Sync + Unpin + 'static {
    /// A datagram socket on `link` at the local port `port`; 0 leaves the choice to the system. Not connected.
    ///
    /// # Errors
    /// When the system refuses, the port is taken or the interface is gone.
    fn udp(&self, link: u32, port: u16) -> io::Result<UdpSocket>;

    /// A stream socket on `link`, not connected yet.
    ///
    /// # Errors
    /// When the system refuses or the interface is gone.
    fn tcp(&self, link: u32) -> io::Result<TcpStream>;
}

/// Wakes a thread out of [`TunDevice::wait`] or [`UplinkPort::wait`], whenever it was called.
pub trait Waker: Send + Sync + 'static {
    /// Wakes; never blocks.
    fn wake(&self);

    /// Blocks until it is woken or `timeout` is over, whatever comes in.
    ///
    /// # Errors
    /// When the system refuses.
    fn wait(&self, timeout: Option<Duration>) -> io::Result<Ready>;
}

/// Where there may be a packet.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Sides {
    /// From an app.
    pub tun: bool,
    /// From the uplink.
    pub port: bool,
}

/// What is gone, and why.
#[derive(Debug)]
pub enum Gone {
    /// The tunnel.
    Tun(io::Error),
    /// The uplink's port.
    Port(io::Error),
}

impl From<Gone> for io::Error {
    fn from((Gone::Tun(error) | Gone::Port(error)): Gone) -> Self {
        error
    }
}

impl Sides {
    /// On either side, for all that is known.
    pub const BOTH: Self = Self { tun: true, port: true };
}

/// Why a wait ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Ready {
    /// There may be a packet.
    Packet,
    /// Somebody called [`Waker::wake`].
    Woken,
    /// The time is over.
    Timeout,
}

/// The IPv4 side.
pub trait TunDevice<W>: Send + Sync + 'static {
    /// Which interface it is.
    fn id(&self) -> &TunId;

    /// Takes the next packet into `buf`; `false` when there is none.
    ///
    /// # Errors
    /// When the device is gone.
    fn recv(&self, buf: &mut PacketBuf) -> io::Result<bool>;

    /// Hands the packet in `buf` to the host.
    ///
    /// # Errors
    /// When the host did not take it.
    fn send(&self, buf: &mut PacketBuf) -> io::Result<()>;

    /// Blocks until there is a packet or `waker` is woken.
    ///
    /// # Errors
    /// When the device is gone.
    fn wait(&self, waker: &W) -> io::Result<Ready>;

    /// Breaks off every TCP connection that an app of the host has from `host`, an address of this device, and that no packet
    /// has ended. Says how many there were; none on systems that have no call for it.
    ///
    /// # Errors
    /// When the system refuses.
    fn abort(&self, host: Ipv4Addr) -> io::Result<usize> {
        let _ = host;
        Ok(0)
    }
}

/// A packet that came in on the uplink.
#[derive(Debug)]
pub struct Frame {
    /// The IPv6 packet.
    pub packet: PacketBuf,
    /// Who sent the frame.
    pub from: MacAddress,
}

impl Default for Frame {
    fn default() -> Self {
        Self { packet: PacketBuf::new(), from: MacAddress([0; 6]) }
    }
}

/// The IPv6 side: whole frames on the uplink, past the host's own stack. Sending never waits: as in any router, what there is
/// no room for is lost.
pub trait UplinkPort<W>: Send + Sync + 'static {
    /// Takes the next IPv6 packet into `buf` and says who sent the frame; `None` when there is none.
    ///
    /// # Errors
    /// When the interface is gone. An interface that is down is not an error.
    fn recv(&self, buf: &mut PacketBuf) -> io::Result<Option<MacAddress>>;

    /// Takes the next packets, in the order they came in, one for each of `frames` and says how many there were. Fewer than
    /// there is room for: [`wait`](Self::wait) knows whether there are more.
    ///
    /// # Errors
    /// See [`recv`](Self::recv); what was taken before is lost.
    fn recv_all(&self, frames: &mut [Frame]) -> io::Result<usize> {
        let mut taken = 0;
        for frame in frames {
            let Some(from) = self.recv(&mut frame.packet)? else { break };
            frame.from = from;
            taken += 1;
        }
        Ok(taken)
    }

    /// Sends the IPv6 packet in `buf` to the link-layer address `to`.
    ///
    /// # Errors
    /// When the system did not take it; the packet is lost.
    fn send(&self, buf: &mut PacketBuf, to: MacAddress) -> io::Result<()>;

    /// Sends all of `bufs` in their order, each of them once. `sent` hears of each, by its place in `bufs` and in their
    /// order: one that the system did not take is lost, and keeps none of the others back.
    fn send_all(&self, bufs: &mut [PacketBuf], to: MacAddress, mut sent: impl FnMut(usize, io::Result<()>)) {
        for (place, buf) in bufs.iter_mut().enumerate() {
            sent(place, self.send(buf, to));
        }
    }

    /// Sends a whole Ethernet frame.
    ///
    /// # Errors
    /// When the system did not take it; the frame is lost.
    fn send_frame(&self, frame: &[u8]) -> io::Result<()>;

    /// Blocks until there is a packet, `waker` is woken or `timeout` is over.
    ///
    /// # Errors
    /// When the interface is gone.
    fn wait(&self, waker: &W, timeout: Option<Duration>) -> io::Result<Ready>;
}

/// Time, read in one place and passed on from there.
pub trait Clock: Send + Sync + 'static {
    /// Time since the clock was made, sleep included.
    fn now(&self) -> Timestamp;

    /// Time of day, for people.
    fn wall(&self) -> SystemTime;

    /// Waits for `time`. Whoever moves the clock by hand says by it, too, when the wait is over.
    fn sleep(&self, time: Duration) -> Pin<Box<dyn Future<Output = ()> + Send>> {
        Box::pin(tokio::time::sleep(time))
    }
}

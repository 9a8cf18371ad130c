//! hickory's transports on sockets of ours.

use std::future::{Future, ready};
use std::io;
use std::net::{IpAddr, SocketAddr, SocketAddrV6};
use std::pin::Pin;
use std::time::Duration;

use hickory_resolver::config::{ConnectionConfig, ProtocolConfig};
use hickory_resolver::net::NetError;
use hickory_resolver::net::runtime::iocompat::AsyncIoTokioAsStd;
use hickory_resolver::net::runtime::{RuntimeProvider, TokioHandle, TokioTime};
use hickory_resolver::net::tcp::TcpClientStream;
use hickory_resolver::net::udp::UdpClientStream;
use hickory_resolver::net::xfer::DnsExchange;
use hickory_resolver::{ConnectionProvider, PoolContext};
use platform_api::UplinkSockets;
use tokio::net::{TcpSocket, TcpStream, UdpSocket};
use tokio::time::timeout;

/// One lost packet must not cost much, and a resolver that has to ask its way down from the root needs its time.
/// hickory's own 333 ms would ask a slow one three times within a second and then fall silent.
const RETRANSMIT_MS: u64 = 1000;
/// Packets to one resolver, the first included: as many as fit into [`super::BUDGET`].
const TRANSMISSIONS: u8 = 5;

type Boxed<T> = Pin<Box<dyn Future<Output = T> + Send>>;

/// The way to one resolver. hickory knows servers by bare addresses; this one keeps the scope of a link-local one.
#[derive(Clone)]
pub(super) struct Way<S> {
    pub(super) uplink: Uplink<S>,
    pub(super) server: SocketAddrV6,
}

impl<S: UplinkSockets> ConnectionProvider for Way<S> {
    type Conn = DnsExchange<Uplink<S>>;
    type FutureConn = Boxed<Result<Self::Conn, NetError>>;
    type RuntimeProvider = Uplink<S>;

    fn new_connection(
        &self,
        _: IpAddr,
        config: &ConnectionConfig,
        cx: &PoolContext,
    ) -> Result<Self::FutureConn, NetError> {
        let (server, uplink) = (SocketAddr::V6(self.server), self.uplink.clone());
        let patience = cx.options.timeout;
        Ok(match config.protocol {
            ProtocolConfig::Udp => Box::pin(async move {
                Ok(UdpClientStream::builder(server, uplink)
                    .with_timeout(Some(patience))
                    .with_max_retries(TRANSMISSIONS)
                    .with_retry_interval_floor(RETRANSMIT_MS)
                    .exchange())
            }),
            ProtocolConfig::Tcp => Box::pin(TcpClientStream::exchange(server, None, patience, None, uplink)),
        })
    }

    fn runtime_provider(&self) -> &Uplink<S> {
        &self.uplink
    }
}

/// The runtime as hickory sees it: tokio, with each socket bound to the uplink.
#[derive(Clone)]
pub(super) struct Uplink<S> {
    sockets: S,
    link: u32,
    tasks: TokioHandle,
}

impl<S: UplinkSockets> Uplink<S> {
    /// Its tasks end with the last clone.
    pub(super) fn new(sockets: S, link: u32) -> Self {
        Self { sockets, link, tasks: TokioHandle::default() }
    }
}

impl<S: UplinkSockets> RuntimeProvider for Uplink<S> {
    type Handle = TokioHandle;
    type Timer = TokioTime;
    type Udp = UdpSocket;
    type Tcp = AsyncIoTokioAsStd<TcpStream>;

    fn create_handle(&self) -> TokioHandle {
        self.tasks.clone()
    }

    fn connect_tcp(
        &self,
        server: SocketAddr,
        _: Option<SocketAddr>,
        patience: Option<Duration>,
    ) -> Boxed<io::Result<Self::Tcp>> {
        let socket = self.sockets.tcp(self.link).map(TcpSocket::from_std_stream);
        Box::pin(async move {
            let socket = socket?;
            socket.set_nodelay(true)?;
            let stream = timeout(patience.unwrap_or(super::BUDGET), socket.connect(server)).await??;
            Ok(AsyncIoTokioAsStd(stream))
        })
    }

    /// `local` has the port that hickory drew by lot (RFC 5452 section 9.2).
    fn bind_udp(&self, local: SocketAddr, _: SocketAddr) -> Boxed<io::Result<UdpSocket>> {
        Box::pin(ready(self.sockets.udp(self.link, local.port()).and_then(UdpSocket::from_std)))
    }
}

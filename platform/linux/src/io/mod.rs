//! The packet half: tunnel, packet socket, waker; and the sockets of discovery.

mod abort;
mod fast;
mod filter;
mod large;
#[cfg(test)]
mod namespace;
mod port;
mod sockets;
mod tun;
mod waker;

use platform_api::{FastRefusal, Gone, HostError, PlaneIo, PortConfig, Sides};

pub use fast::LinuxFast;
pub use port::PacketPort;
pub use sockets::LinuxSockets;
pub use tun::LinuxTun;
pub use waker::EventWaker;

/// Opens tunnels and ports on Linux.
#[derive(Clone, Copy, Debug, Default)]
pub struct LinuxIo;

impl PlaneIo for LinuxIo {
    type Tun = LinuxTun;
    type Port = PacketPort;
    type Waker = EventWaker;
    type Fast = LinuxFast;

    fn open_tun(&self) -> Result<LinuxTun, HostError> {
        LinuxTun::open().map_err(|error| HostError::new(format!("create the tunnel {}", crate::TUN_NAME), error))
    }

    fn open_port(&self, config: &PortConfig) -> Result<PacketPort, HostError> {
        PacketPort::open(config)
            .map_err(|error| HostError::new(format!("open a packet socket on interface {}", config.link), error))
    }

    fn waker(&self) -> Result<EventWaker, HostError> {
        EventWaker::new().map_err(|error| HostError::new("create an eventfd", error))
    }

    fn wait_both(tun: &LinuxTun, port: &PacketPort, waker: &EventWaker) -> Result<Sides, Gone> {
        if port.is_waiting() {
            return Ok(Sides::BOTH);
        }
        waker.wait_for_both(&tun.device, port.descriptor())
    }

    fn fast_lane(&self) -> impl FnOnce() -> Result<LinuxFast, FastRefusal> + Send + 'static {
        LinuxFast::load
    }
}

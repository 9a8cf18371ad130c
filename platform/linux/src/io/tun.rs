use std::io;
use std::net::Ipv4Addr;

use platform_api::{Ready, TunDevice, TunId};
use tun_rs::{DeviceBuilder, SyncDevice};
use xlat::{PacketBuf, VnetHeader};

use super::{EventWaker, abort};
use crate::TUN_NAME;

/// Packets from apps that wait for our thread: 25 ms of small ones at 80,000 a second. The kernel's own choice, 500, loses some
/// whenever the scheduler lets the thread wait for 6 ms. Not more, because what waits here is on nobody's account: so many
/// of the largest packets are 128 MiB.
const QUEUE: u32 = 2000;

/// `everclat0`, with the virtio header in front of each packet and segmentation left to us.
pub struct LinuxTun {
    pub(super) device: SyncDevice,
    id: TunId,
}

impl LinuxTun {
    pub(super) fn open() -> io::Result<Self> {
        // Stays down and without address: the plan sets both, in an order that opens no black hole.
        let device =
            DeviceBuilder::new().name(TUN_NAME).offload(true).tx_queue_len(QUEUE).enable(false).build_sync()?;
        device.set_nonblocking(true)?;
        let id = TunId { index: device.if_index()?, name: device.name()? };
        Ok(Self { device, id })
    }
}

impl std::fmt::Debug for LinuxTun {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("LinuxTun").field("id", &self.id).finish_non_exhaustive()
    }
}

impl TunDevice<EventWaker> for LinuxTun {
    fn id(&self) -> &TunId {
        &self.id
    }

    fn recv(&self, buf: &mut PacketBuf) -> io::Result<bool> {
        let total = match self.device.recv(buf.recv_area(VnetHeader::LEN)) {
            Ok(total) => total,
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => return Ok(false),
            // Switched off for a moment by somebody; the engine hears of it from the kernel.
            Err(error) if error.raw_os_error() == Some(libc::EIO) => return Ok(false),
            Err(error) => return Err(error),
        };
        let header = buf.received(VnetHeader::LEN, total).and_then(|prefix| prefix.first_chunk().copied());
        let Some(header) = header else { return Err(io::ErrorKind::UnexpectedEof.into()) };
        buf.vnet = VnetHeader::decode(&header);
        Ok(true)
    }

    fn send(&self, buf: &mut PacketBuf) -> io::Result<()> {
        let header = buf.vnet.encode();
        *buf.push_front().ok_or(io::ErrorKind::InvalidInput)? = header;
        self.device.send(buf.packet()).map(drop)
    }

    fn wait(&self, waker: &EventWaker) -> io::Result<Ready> {
        waker.wait_for(&self.device, None)
    }

    fn abort(&self, host: Ipv4Addr) -> io::Result<usize> {
        abort::connections_from(host)
    }
}

use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use model::MacAddress;
use platform_api::{HostError, PlaneIo, PortConfig, Ready, TunDevice, TunId, UplinkPort, Waker};
use xlat::PacketBuf;

use crate::state::{Sent, Shared, State};
use crate::{Call, View};

/// Callers round what they wait for up by this. Time stands still here, so the rest would never be over.
const ROUNDING: Duration = Duration::from_millis(1);

/// The packet half of the scripted host. All tunnels share one queue, and so do the ports of one uplink.
#[derive(Clone, Debug)]
pub struct FakeIo {
    shared: Arc<Shared>,
}

impl FakeIo {
    pub(crate) fn new(shared: Arc<Shared>) -> Self {
        Self { shared }
    }

    fn open(&self, call: Call, count: impl FnOnce(&mut View)) -> Result<Arc<Shared>, HostError> {
        self.shared
            .change(|state| {
                state.call(call)?;
                count(&mut state.in_place);
                Ok::<_, io::Error>(Arc::clone(&self.shared))
            })
            .map_err(|_| call.host_error())
    }
}

impl PlaneIo for FakeIo {
    type Tun = FakeTun;
    type Port = FakePort;
    type Waker = FakeWaker;

    fn open_tun(&self) -> Result<FakeTun, HostError> {
        let shared = self.open(Call::OpenTun, |view| view.tunnels += 1)?;
        Ok(FakeTun { shared, id: TunId { index: 9, name: "everclat0".into() } })
    }

    fn open_port(&self, config: &PortConfig) -> Result<FakePort, HostError> {
        let shared = self.open(Call::OpenPort, |view| view.ports += 1)?;
        Ok(FakePort { shared, link: config.link })
    }

    fn waker(&self) -> Result<FakeWaker, HostError> {
        let shared = self.open(Call::MakeWaker, |view| view.wakers += 1)?;
        Ok(FakeWaker { shared, woken: AtomicBool::new(false) })
    }
}

/// Wakes one thread.
#[derive(Debug)]
pub struct FakeWaker {
    shared: Arc<Shared>,
    woken: AtomicBool,
}

impl Waker for FakeWaker {
    fn wake(&self) {
        // Under the lock, so that a thread about to wait cannot miss it.
        self.shared.change(|_| self.woken.store(true, Ordering::Release));
    }
}

impl FakeWaker {
    fn take(&self) -> bool {
        self.woken.swap(false, Ordering::AcqRel)
    }
}

impl Drop for FakeWaker {
    fn drop(&mut self) {
        self.shared.change(|state| state.in_place.wakers -= 1);
    }
}

/// The tunnel; with it go its address and its route, as on a real host.
#[derive(Debug)]
pub struct FakeTun {
    shared: Arc<Shared>,
    id: TunId,
}

impl TunDevice<FakeWaker> for FakeTun {
    fn id(&self) -> &TunId {
        &self.id
    }

    fn recv(&self, buf: &mut PacketBuf) -> io::Result<bool> {
        let packet = self.shared.change(|state| {
            state.call(Call::TunRecv)?;
            Ok::<_, io::Error>(state.from_apps.pop_front())
        })?;
        Ok(packet.is_some_and(|packet| buf.set_packet(&packet)))
    }

    fn send(&self, buf: &mut PacketBuf) -> io::Result<()> {
        self.shared.change(|state| {
            state.call(Call::TunSend)?;
            state.to_apps.push_back(buf.packet().to_vec());
            Ok(())
        })
    }

    fn wait(&self, waker: &FakeWaker) -> io::Result<Ready> {
        self.shared.change(|state| state.call(Call::TunWait))?;
        self.shared.wait_forever(|state| {
            ready(waker, !state.from_apps.is_empty(), false).or_else(|| broken(state, Call::TunWait))
        })
    }
}

impl Drop for FakeTun {
    fn drop(&mut self) {
        self.shared.change(|state| {
            let view = &mut state.in_place;
            view.tunnels -= 1;
            (view.address, view.device_mtu, view.route) = (None, None, None);
        });
    }
}

/// The port on the uplink.
#[derive(Debug)]
pub struct FakePort {
    shared: Arc<Shared>,
    link: u32,
}

impl UplinkPort<FakeWaker> for FakePort {
    fn recv(&self, buf: &mut PacketBuf) -> io::Result<Option<MacAddress>> {
        let packet = self.shared.change(|state| {
            state.call(Call::PortRecv)?;
            Ok::<_, io::Error>(state.from_link.entry(self.link).or_default().pop_front())
        })?;
        Ok(packet.filter(|(_, packet)| buf.set_packet(packet)).map(|(from, _)| from))
    }

    fn send(&self, buf: &mut PacketBuf, to: MacAddress) -> io::Result<()> {
        self.shared.change(|state| {
            state.call(Call::PortSend)?;
            state.to_link.entry(self.link).or_default().push_back(Sent::Packet { to, bytes: buf.packet().to_vec() });
            Ok(())
        })
    }

    fn send_frame(&self, frame: &[u8]) -> io::Result<()> {
        self.shared.change(|state| {
            state.call(Call::PortSendFrame)?;
            state.to_link.entry(self.link).or_default().push_back(Sent::Frame(frame.to_vec()));
            Ok(())
        })
    }

    fn wait(&self, waker: &FakeWaker, timeout: Option<Duration>) -> io::Result<Ready> {
        let end = self.shared.change(|state| {
            state.call(Call::PortWait)?;
            Ok::<_, io::Error>(timeout.map(|timeout| state.now + timeout.saturating_sub(ROUNDING)))
        })?;
        self.shared.wait_forever(|state| {
            let over = end.is_some_and(|end| end <= state.now);
            let gone = !state.network.links.contains_key(&self.link);
            let waiting = state.from_link.get(&self.link).is_some_and(|queue| !queue.is_empty());
            ready(waker, waiting, over)
                .or_else(|| broken(state, Call::PortWait))
                .or_else(|| gone.then(|| Err(io::Error::other("no such interface"))))
        })
    }
}

impl Drop for FakePort {
    fn drop(&mut self) {
        self.shared.change(|state| state.in_place.ports -= 1);
    }
}

fn ready(waker: &FakeWaker, packet: bool, over: bool) -> Option<io::Result<Ready>> {
    if waker.take() {
        Some(Ok(Ready::Woken))
    } else if packet {
        Some(Ok(Ready::Packet))
    } else {
        over.then_some(Ok(Ready::Timeout))
    }
}

/// A device can break while somebody waits for it.
fn broken(state: &State, call: Call) -> Option<io::Result<Ready>> {
    state.failing.contains(&call).then(|| Err(call.error()))
}

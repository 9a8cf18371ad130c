use std::cell::RefCell;
use std::collections::VecDeque;
use std::io;
use std::net::Ipv4Addr;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use model::{MacAddress, Timestamp};
use platform_api::{
    FastRefusal, Gone, HostError, PlaneIo, PortConfig, Ready, Sides, TunDevice, TunId, UplinkPort, Waker,
};
use xlat::PacketBuf;

use crate::Call;
use crate::fast::{self, FakeFast};
use crate::state::{OpenPort, Sent, Shared, State, Waiting};

/// Index of the tunnel.
pub(crate) const TUN: u32 = 9;

/// Callers round what they wait for up by this. Time stands still here, so the rest would never be over.
const ROUNDING: Duration = Duration::from_millis(1);

/// The packet half of the scripted host. All tunnels share one queue.
#[derive(Clone, Debug)]
pub struct FakeIo {
    shared: Arc<Shared>,
}

impl FakeIo {
    pub(crate) fn new(shared: Arc<Shared>) -> Self {
        Self { shared }
    }

    /// Opens something, and gives the number by which it is known.
    fn open(&self, call: Call, count: impl FnOnce(&mut State)) -> Result<(Arc<Shared>, u64), HostError> {
        self.shared
            .change(|state| {
                state.call(call)?;
                count(state);
                Ok::<_, io::Error>((Arc::clone(&self.shared), state.number()))
            })
            .map_err(|_| call.host_error())
    }
}

impl PlaneIo for FakeIo {
    type Tun = FakeTun;
    type Port = FakePort;
    type Waker = FakeWaker;
    type Fast = FakeFast;

    fn open_tun(&self) -> Result<FakeTun, HostError> {
        let (shared, number) = self.open(Call::OpenTun, |state| {
            state.in_place.tunnels += 1;
            state.unattended += 1;
        })?;
        shared.change(|state| state.tunnels.insert(number));
        let id = TunId { index: TUN, name: "everclat0".into() };
        Ok(FakeTun { attended: AtomicBool::new(false), shared, number, id })
    }

    fn open_port(&self, config: &PortConfig) -> Result<FakePort, HostError> {
        let (shared, number) = self.open(Call::OpenPort, |state| {
            state.in_place.ports += 1;
            state.unattended += 1;
        })?;
        let port = OpenPort { link: config.link, v6: config.v6, queue: VecDeque::new() };
        shared.change(|state| state.open_ports.insert(number, port));
        Ok(FakePort { attended: AtomicBool::new(false), shared, number, link: config.link })
    }

    fn waker(&self) -> Result<FakeWaker, HostError> {
        let (shared, number) = self.open(Call::MakeWaker, |state| state.in_place.wakers += 1)?;
        Ok(FakeWaker { shared, number })
    }

    fn wait_both(tun: &FakeTun, port: &FakePort, waker: &FakeWaker) -> Result<Sides, Gone> {
        let thread = attend(&tun.shared, &tun.attended);
        tun.shared.change(|state| state.call(Call::TunWait)).map_err(Gone::Tun)?;
        tun.shared.change(|state| state.call(Call::PortWait)).map_err(Gone::Port)?;
        let waiting = Waiting::Both { tun: tun.number, port: port.number, waker: waker.number };
        tun.shared.wait_packet(thread, waiting).map(|_| Sides::BOTH)
    }

    fn fast_lane(&self) -> impl FnOnce() -> Result<FakeFast, FastRefusal> + Send + 'static {
        let shared = Arc::clone(&self.shared);
        move || fast::make(&shared)
    }
}

/// That a packet thread lives: for as long as it does, and not only until it says that it ends.
struct Attendance {
    shared: Arc<Shared>,
    number: u64,
}

impl Drop for Attendance {
    fn drop(&mut self) {
        self.shared.change(|state| {
            state.in_place.threads -= 1;
            state.waiting.remove(&self.number);
        });
    }
}

thread_local! {
    static ATTENDANCE: RefCell<Option<Attendance>> = const { RefCell::new(None) };
}

/// Notes that this thread, whose number it gives, looks after a device.
fn attend(shared: &Arc<Shared>, attended: &AtomicBool) -> u64 {
    ATTENDANCE.with_borrow_mut(|attendance| {
        let known = attendance.as_ref().map(|attendance| attendance.number);
        if let (Some(number), true) = (known, attended.load(Ordering::Relaxed)) {
            return number;
        }
        let number = shared.change(|state| {
            if !attended.swap(true, Ordering::Relaxed) {
                state.unattended -= 1;
            }
            known.unwrap_or_else(|| {
                state.in_place.threads += 1;
                state.number()
            })
        });
        attendance.get_or_insert_with(|| Attendance { shared: Arc::clone(shared), number }).number
    })
}

/// Wakes one thread.
#[derive(Debug)]
pub struct FakeWaker {
    shared: Arc<Shared>,
    number: u64,
}

impl Waker for FakeWaker {
    fn wake(&self) {
        self.shared.change(|state| state.woken.insert(self.number));
    }

    fn wait(&self, timeout: Option<Duration>) -> io::Result<Ready> {
        let thread = attend(&self.shared, &AtomicBool::new(true));
        let end = self.shared.look(|state| end(state, timeout));
        Ok(self.shared.wait_packet(thread, Waiting::Nothing { waker: self.number, end })?)
    }
}

/// When the wait is over.
fn end(state: &State, timeout: Option<Duration>) -> Option<Timestamp> {
    timeout.map(|timeout| state.now + timeout.saturating_sub(ROUNDING))
}

impl Drop for FakeWaker {
    fn drop(&mut self) {
        self.shared.change(|state| {
            state.in_place.wakers -= 1;
            state.woken.remove(&self.number);
        });
    }
}

/// The tunnel; with it go its address and its route, as on a real host.
#[derive(Debug)]
pub struct FakeTun {
    shared: Arc<Shared>,
    attended: AtomicBool,
    number: u64,
    id: TunId,
}

impl TunDevice<FakeWaker> for FakeTun {
    fn id(&self) -> &TunId {
        &self.id
    }

    fn recv(&self, buf: &mut PacketBuf) -> io::Result<bool> {
        attend(&self.shared, &self.attended);
        let packet = self.shared.change(|state| {
            state.call(Call::TunRecv)?;
            if state.deleted.contains(&self.number) {
                return Err(io::Error::other("no such interface"));
            }
            Ok::<_, io::Error>(state.from_apps.pop_front())
        })?;
        Ok(packet.is_some_and(|packet| buf.set_packet(&packet)))
    }

    fn send(&self, buf: &mut PacketBuf) -> io::Result<()> {
        self.shared.change(|state| {
            state.call(Call::TunSend)?;
            let packet = buf.packet().to_vec();
            // As on a real host: it is answered before the call returns.
            let answer = state.kernel.0.as_mut().and_then(|answers| answers(&packet));
            state.to_apps.push_back(packet);
            state.from_apps.extend(answer);
            Ok(())
        })
    }

    fn wait(&self, waker: &FakeWaker) -> io::Result<Ready> {
        let thread = attend(&self.shared, &self.attended);
        self.shared.change(|state| state.call(Call::TunWait))?;
        Ok(self.shared.wait_packet(thread, Waiting::Tun { device: self.number, waker: waker.number })?)
    }

    fn abort(&self, _: Ipv4Addr) -> io::Result<usize> {
        self.shared.change(|state| state.call(Call::TunAbort)).map(|()| 0)
    }
}

impl Drop for FakeTun {
    fn drop(&mut self) {
        self.shared.change(|state| {
            if !self.attended.load(Ordering::Relaxed) {
                state.unattended -= 1;
            }
            state.tunnels.remove(&self.number);
            if !state.deleted.remove(&self.number) {
                state.remove_tunnel();
            }
        });
    }
}

/// The port on the uplink.
#[derive(Debug)]
pub struct FakePort {
    shared: Arc<Shared>,
    attended: AtomicBool,
    number: u64,
    link: u32,
}

impl UplinkPort<FakeWaker> for FakePort {
    fn recv(&self, buf: &mut PacketBuf) -> io::Result<Option<MacAddress>> {
        attend(&self.shared, &self.attended);
        let packet = self.shared.change(|state| {
            state.call(Call::PortRecv)?;
            Ok::<_, io::Error>(state.open_ports.get_mut(&self.number).and_then(|port| port.queue.pop_front()))
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
        let thread = attend(&self.shared, &self.attended);
        let end = self.shared.change(|state| {
            state.call(Call::PortWait)?;
            Ok::<_, io::Error>(end(state, timeout))
        })?;
        Ok(self.shared.wait_packet(thread, Waiting::Port { device: self.number, waker: waker.number, end })?)
    }
}

impl Drop for FakePort {
    fn drop(&mut self) {
        self.shared.change(|state| {
            if !self.attended.load(Ordering::Relaxed) {
                state.unattended -= 1;
            }
            state.in_place.ports -= 1;
            state.open_ports.remove(&self.number);
        });
    }
}

//! The translating plane: one OS thread per direction, nothing shared on the way of a packet but a snapshot that is
//! replaced whole and counters with one writer each.

mod counters;
mod down;
mod limit;
mod up;

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::thread::JoinHandle;

use arc_swap::ArcSwap;
use model::{Generation, MacAddress, PlaneConfig, PlaneEvent};
use platform_api::{Clock, HostError, PlaneIo, PortConfig, TunDevice, TunId, Waker};
use tokio::sync::mpsc;

pub(crate) use counters::Counters;

/// What the plane says, with the generation it says it about.
pub(crate) type Report = (Generation, PlaneEvent);

/// A configuration at work: replaced whole, never changed, except for what the gateway itself tells.
pub(crate) struct Active<P> {
    config: PlaneConfig,
    translator: xlat::Config,
    port: Arc<P>,
    gateway_mac: MacCell,
}

/// What both threads see.
pub(crate) struct Shared<I: PlaneIo> {
    tun: I::Tun,
    active: ArcSwap<Active<I::Port>>,
    stop: AtomicBool,
    wake_up: I::Waker,
    wake_down: I::Waker,
    counters: Arc<Counters>,
    reports: mpsc::UnboundedSender<Report>,
    clock: Arc<dyn Clock>,
}

impl<I: PlaneIo> Shared<I> {
    fn report(&self, generation: Generation, event: PlaneEvent) {
        // Nobody listens only when the service is ending.
        let _ = self.reports.send((generation, event));
    }
}

struct Running<I: PlaneIo> {
    shared: Arc<Shared<I>>,
    threads: [JoinHandle<()>; 2],
}

/// Starts, changes and ends the two threads.
pub(crate) struct Plane<I: PlaneIo> {
    io: I,
    running: Option<Running<I>>,
    counters: Arc<Counters>,
    reports: mpsc::UnboundedSender<Report>,
    clock: Arc<dyn Clock>,
}

impl<I: PlaneIo> Plane<I> {
    pub(crate) fn new(io: I, clock: Arc<dyn Clock>, reports: mpsc::UnboundedSender<Report>) -> Self {
        Self { io, running: None, counters: Arc::default(), reports, clock }
    }

    pub(crate) fn counters(&self) -> &Arc<Counters> {
        &self.counters
    }

    /// The tunnel, while there is one.
    pub(crate) fn tun(&self) -> Option<TunId> {
        self.running.as_ref().map(|running| running.shared.tun.id().clone())
    }

    /// Has packets flow by `config` and says so. A plane that runs already keeps its tunnel and, on the same
    /// uplink with the same address, its port.
    pub(crate) fn set(&mut self, config: PlaneConfig) {
        let generation = config.generation;
        let event = match self.try_set(config) {
            Ok(tun) => PlaneEvent::Started { tun: tun.index, name: tun.name },
            Err(error) => PlaneEvent::Failed(error.to_string()),
        };
        let _ = self.reports.send((generation, event));
    }

    fn try_set(&mut self, config: PlaneConfig) -> Result<TunId, HostError> {
        let wanted = port_config(&config);
        let Some(running) = &self.running else {
            let port = Arc::new(self.io.open_port(&wanted)?);
            return self.start(Active::new(config, port));
        };
        let current = running.shared.active.load();
        let port = if port_config(&current.config) == wanted {
            Arc::clone(&current.port)
        } else {
            Arc::new(self.io.open_port(&wanted)?)
        };
        running.shared.active.store(Arc::new(Active::new(config, port)));
        running.shared.wake_up.wake();
        running.shared.wake_down.wake();
        Ok(running.shared.tun.id().clone())
    }

    fn start(&mut self, active: Active<I::Port>) -> Result<TunId, HostError> {
        let tun = self.io.open_tun()?;
        let id = tun.id().clone();
        let shared = Arc::new(Shared::<I> {
            tun,
            active: ArcSwap::from_pointee(active),
            stop: AtomicBool::new(false),
            wake_up: self.io.waker()?,
            wake_down: self.io.waker()?,
            counters: Arc::clone(&self.counters),
            reports: self.reports.clone(),
            clock: Arc::clone(&self.clock),
        });
        let up = spawn("everclat-up", &shared, up::run)?;
        let down = match spawn("everclat-down", &shared, down::run) {
            Ok(down) => down,
            Err(error) => {
                end(&shared, [up]);
                return Err(error);
            }
        };
        self.running = Some(Running { shared, threads: [up, down] });
        Ok(id)
    }

    /// Ends the threads and closes tunnel and port. Returns when both are gone.
    pub(crate) fn stop(&mut self) {
        if let Some(Running { shared, threads }) = self.running.take() {
            end(&shared, threads);
        }
    }
}

impl<I: PlaneIo> Drop for Plane<I> {
    fn drop(&mut self) {
        self.stop();
    }
}

impl<P> Active<P> {
    fn new(config: PlaneConfig, port: Arc<P>) -> Self {
        let translator = xlat::Config::new(config.pref64, config.v4, config.v6, config.uplink.mtu6);
        let gateway_mac = MacCell::new(config.uplink.gateway_mac);
        Self { config, translator, port, gateway_mac }
    }
}

fn port_config(config: &PlaneConfig) -> PortConfig {
    PortConfig { link: config.uplink.link, mac: config.uplink.mac, v6: config.v6 }
}

fn spawn<I: PlaneIo>(name: &str, shared: &Arc<Shared<I>>, run: fn(&Shared<I>)) -> Result<JoinHandle<()>, HostError> {
    let shared = Arc::clone(shared);
    std::thread::Builder::new()
        .name(name.to_owned())
        .spawn(move || run(&shared))
        .map_err(|error| HostError::new("start a packet thread", error))
}

fn end<I: PlaneIo, const N: usize>(shared: &Shared<I>, threads: [JoinHandle<()>; N]) {
    shared.stop.store(true, Ordering::Release);
    shared.wake_up.wake();
    shared.wake_down.wake();
    for thread in threads {
        // A panic has ended the process before.
        let _ = thread.join();
    }
}

/// A link-layer address that one thread writes and another reads.
struct MacCell(AtomicU64);

impl MacCell {
    fn new(mac: MacAddress) -> Self {
        let cell = Self(AtomicU64::new(0));
        cell.set(mac);
        cell
    }

    fn set(&self, mac: MacAddress) {
        let [a, b, c, d, e, f] = mac.0;
        self.0.store(u64::from_be_bytes([0, 0, a, b, c, d, e, f]), Ordering::Relaxed);
    }

    fn get(&self) -> MacAddress {
        let [_, _, a, b, c, d, e, f] = self.0.load(Ordering::Relaxed).to_be_bytes();
        MacAddress([a, b, c, d, e, f])
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn mac_cell_keeps_all_six_octets() {
        let mac = MacAddress([0xfe, 1, 2, 3, 4, 0xff]);
        assert_eq!(MacCell::new(mac).get(), mac);
    }
}

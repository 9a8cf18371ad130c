//! The translating plane: one OS thread for what apps send, and one for each uplink that packets come in by. Nothing is
//! shared on the way of a packet but a snapshot that is replaced whole and counters.
//!
//! The second uplink is kept ready: its port is open, its X claimed and answered for. Taking it is one swap of a pointer.

mod counters;
mod down;
mod limit;
mod line;
mod traffic;
mod up;

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::JoinHandle;

use arc_swap::ArcSwap;
use model::{Generation, PlaneConfig, PlaneEvent, SpareConfig, TrafficSample};
use platform_api::{Clock, HostError, PlaneIo, TunDevice, TunId, Waker};
use tokio::sync::mpsc;

pub(crate) use counters::Counters;
pub(crate) use line::Order;

use line::{Line, Role, port_config};
use traffic::Traffic;

/// What the plane says, with the generation it says it about.
pub(crate) type Report = (Generation, PlaneEvent);

/// Where packets from apps go.
struct Active<I: PlaneIo> {
    line: Arc<Line<I>>,
    role: Arc<Role>,
}

/// What all threads see.
struct Shared<I: PlaneIo> {
    tun: I::Tun,
    active: ArcSwap<Active<I>>,
    stop: AtomicBool,
    wake_up: I::Waker,
    counters: Arc<Counters>,
    traffic: Traffic,
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
    up: JoinHandle<()>,
    active: line::Running<I>,
    spare: Option<line::Running<I>>,
}

/// Starts, changes and ends the threads.
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

    /// Has packets flow by `config` and says so. A plane that runs already keeps its tunnel; an uplink that is ready,
    /// its port and what was found out there. The uplink that was in use before is kept as the spare in place of the one
    /// that is used now, until [`set_spare`](Self::set_spare) says otherwise.
    pub(crate) fn set(&mut self, config: PlaneConfig) {
        let generation = config.generation;
        let (event, left) = match self.try_set(config) {
            Ok((tun, left)) => (PlaneEvent::Started { tun: tun.index, name: tun.name }, left),
            Err(error) => (PlaneEvent::Failed(error.to_string()), None),
        };
        let _ = self.reports.send((generation, event));
        // Nothing waits for this any more.
        if let Some(left) = left {
            left.end();
        }
    }

    /// Gives the uplink that is no longer needed.
    fn try_set(&mut self, config: PlaneConfig) -> Result<(TunId, Option<line::Running<I>>), HostError> {
        let Some(running) = &mut self.running else { return Ok((self.start(config)?, None)) };
        let (wanted, role) = (port_config(&config), Role::active(config));
        let mut left = None;
        if running.active.key == wanted {
            running.active.line.assign(Arc::clone(&role));
        } else {
            let ready = running.spare.take_if(|spare| spare.key == wanted);
            let next = match ready {
                Some(ready) => ready,
                None => line::Running::start(&running.shared, Line::open(&self.io, Arc::clone(&role))?)?,
            };
            let old = std::mem::replace(&mut running.active, next);
            if running.spare.is_none() && old.key.link != wanted.link {
                let plane = old.line.role.load().config.clone();
                let answers = plane.v6 != role.config.v6;
                // Before the other one announces the same X.
                old.line.assign(Role::spare(SpareConfig { plane, answers }));
                running.spare = Some(old);
            } else {
                left = Some(old);
            }
            running.active.line.assign(Arc::clone(&role));
        }
        let line = Arc::clone(&running.active.line);
        running.shared.active.store(Arc::new(Active { line, role }));
        running.shared.traffic.set_bell();
        running.shared.wake_up.wake();
        Ok((running.shared.tun.id().clone(), left))
    }

    fn start(&mut self, config: PlaneConfig) -> Result<TunId, HostError> {
        let role = Role::active(config);
        let line = Line::open(&self.io, Arc::clone(&role))?;
        let tun = self.io.open_tun()?;
        let id = tun.id().clone();
        let shared = Arc::new(Shared::<I> {
            tun,
            active: ArcSwap::from_pointee(Active { line: Arc::clone(&line), role }),
            stop: AtomicBool::new(false),
            wake_up: self.io.waker()?,
            counters: Arc::clone(&self.counters),
            traffic: Traffic::default(),
            reports: self.reports.clone(),
            clock: Arc::clone(&self.clock),
        });
        shared.traffic.set_bell();
        let active = line::Running::start(&shared, line)?;
        let theirs = Arc::clone(&shared);
        match spawn("everclat-up", move || up::run(&theirs)) {
            Ok(up) => self.running = Some(Running { shared, up, active, spare: None }),
            Err(error) => {
                active.end();
                return Err(error);
            }
        }
        Ok(id)
    }

    /// Keeps a second uplink ready beside the one in use, or none, and says so.
    pub(crate) fn set_spare(&mut self, spare: Option<SpareConfig>) {
        let generation = spare.as_ref().map(|spare| spare.plane.generation);
        let event = match self.try_set_spare(spare) {
            Ok(tun) => PlaneEvent::Started { tun: tun.index, name: tun.name },
            Err(error) => PlaneEvent::Failed(error.to_string()),
        };
        if let Some(generation) = generation {
            let _ = self.reports.send((generation, event));
        }
    }

    fn try_set_spare(&mut self, spare: Option<SpareConfig>) -> Result<TunId, HostError> {
        let stopped = || HostError::new("keep an uplink ready", std::io::ErrorKind::NotConnected.into());
        let running = self.running.as_mut().ok_or_else(stopped)?;
        let id = running.shared.tun.id().clone();
        let role = spare.map(Role::spare);
        let key = role.as_ref().map(|role| port_config(&role.config));
        if let Some(left) = running.spare.take_if(|current| key.as_ref() != Some(&current.key)) {
            left.end();
        }
        match (role, &running.spare) {
            (None, _) => {}
            (Some(role), Some(current)) => current.line.assign(role),
            (Some(role), None) => {
                let line = Line::open(&self.io, role)?;
                running.spare = Some(line::Running::start(&running.shared, line)?);
            }
        }
        Ok(id)
    }

    /// Has the uplink of this generation do something besides; nothing if there is none.
    pub(crate) fn order(&self, generation: Generation, order: Order) {
        let Some(running) = &self.running else { return };
        let mut lines = [Some(&running.active), running.spare.as_ref()].into_iter().flatten();
        if let Some(found) = lines.find(|running| running.line.role.load().config.generation == generation) {
            found.line.order(order);
        }
    }

    /// What went through since the last time. With `last`, the next packet from an app is told.
    pub(crate) fn sample(&self, last: bool) -> TrafficSample {
        // Before the counters are read: a packet between the two is told twice, not missed.
        if let Some(running) = self.running.as_ref().filter(|_| last) {
            running.shared.traffic.set_bell();
        }
        let (mute, answered) = self.running.as_ref().map(|running| running.shared.traffic.take()).unwrap_or_default();
        let counters = self.counters.snapshot();
        TrafficSample { sent: counters.packets_out, received: counters.packets_in, mute, answered }
    }

    /// Ends the threads and closes tunnel and ports. Returns when all are gone.
    pub(crate) fn stop(&mut self) {
        let Some(Running { shared, up, active, spare }) = self.running.take() else { return };
        shared.stop.store(true, Ordering::Release);
        shared.wake_up.wake();
        // A panic has ended the process before.
        let _ = up.join();
        active.end();
        if let Some(spare) = spare {
            spare.end();
        }
    }
}

impl<I: PlaneIo> Drop for Plane<I> {
    fn drop(&mut self) {
        self.stop();
    }
}

fn spawn(name: &str, run: impl FnOnce() + Send + 'static) -> Result<JoinHandle<()>, HostError> {
    std::thread::Builder::new()
        .name(name.to_owned())
        .spawn(run)
        .map_err(|error| HostError::new("start a packet thread", error))
}

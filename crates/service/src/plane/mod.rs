//! The translating plane: one OS thread for what apps send, and one for each line that packets come in by. Nothing is
//! shared on the way of a packet but a snapshot that is replaced whole and counters.
//!
//! Lines beside the one in use: the second uplink is kept ready, its port open, its X claimed and answered for; taking it
//! is one swap of a pointer. Flows that began on a line may go on there for a while.

mod admit;
mod batch;
mod close;
mod counters;
mod down;
mod fast;
mod lane;
mod lend;
mod limit;
mod line;
mod odd;
mod traffic;
mod up;

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering, fence};
use std::sync::mpsc::SyncSender;
use std::thread::JoinHandle;
use std::time::Duration;

use arc_swap::ArcSwap;
use engine::flow::{Ending, Flows, KEPT};
use model::{
    Beside, CounterSnapshot, FastStatus, Generation, PlaneConfig, PlaneEvent, SpareConfig, Timestamp, TrafficSample,
};
use platform_api::{Clock, HostError, PlaneIo, TunDevice, TunId, Waker};
use tokio::sync::mpsc;

pub(crate) use counters::Counters;
pub(crate) use line::Order;

use close::Closing;
use fast::Fast;
use lane::Lane;
use line::{Line, Orders, Role, port_config};
use traffic::Traffic;

/// What the plane says, with the generation it says it about.
pub(crate) type Report = (Generation, PlaneEvent);

/// Apps are told that all their flows are over before the tunnel closes. It takes some microseconds; a thread that has
/// more urgent things to do is not waited for any longer.
const ENDING: Duration = Duration::from_millis(20);

/// A line, and what it is there for at this moment.
struct Way<I: PlaneIo> {
    line: Arc<Line<I>>,
    role: Arc<Role>,
}

/// Where packets from apps go: by the line in use, or by the one where their flow began.
struct Ways<I: PlaneIo> {
    used: Way<I>,
    kept: [Option<Way<I>>; KEPT],
    /// Of the way in use, as the fast path counts.
    epoch: u64,
}

/// What the thread of the tunnel is to do besides.
struct EndFlows {
    ending: Ending,
    done: SyncSender<()>,
}

/// What all threads see.
struct Shared<I: PlaneIo> {
    tun: I::Tun,
    ways: ArcSwap<Ways<I>>,
    orders: Orders<EndFlows>,
    stop: AtomicBool,
    /// The tunnel's thread has ended by itself.
    dead: AtomicBool,
    wake_up: I::Waker,
    counters: Arc<Counters>,
    traffic: Traffic,
    fast: Arc<Fast<I>>,
    reports: mpsc::UnboundedSender<Report>,
    clock: Arc<dyn Clock>,
}

impl<I: PlaneIo> Shared<I> {
    fn report(&self, generation: Generation, event: PlaneEvent) {
        // Nobody listens only when the service is ending.
        let _ = self.reports.send((generation, event));
    }

    /// As [`Line::dies`], for the tunnel.
    fn dies(&self) -> Generation {
        self.dead.store(true, Ordering::SeqCst);
        fence(Ordering::SeqCst);
        self.ways.load().used.role.config.generation
    }

    /// That nothing which was taken into use has ended at that very moment.
    fn check(&self, line: &Line<I>) -> Result<(), HostError> {
        let dead = line.is_dead() || self.dead.load(Ordering::SeqCst);
        if dead { Err(HostError::new("use the uplink", std::io::ErrorKind::BrokenPipe.into())) } else { Ok(()) }
    }
}

struct Running<I: PlaneIo> {
    shared: Arc<Shared<I>>,
    /// Gives back the flows that it knows.
    up: JoinHandle<Flows>,
    used: line::Running<I>,
    /// The spare, and the twin.
    beside: [Option<line::Running<I>>; KEPT],
}

impl<I: PlaneIo> Running<I> {
    fn beside(&mut self, beside: Beside) -> &mut Option<line::Running<I>> {
        let [spare, twin] = &mut self.beside;
        match beside {
            Beside::Spare => spare,
            Beside::Twin => twin,
        }
    }

    /// Identifications of all lines there are.
    fn lanes(&self) -> Vec<Lane> {
        std::iter::once(&self.used).chain(self.beside.iter().flatten()).map(|running| running.line.lane).collect()
    }

    /// Has the fast path be where flows may go by it now, or after the next change.
    fn prepare(&self) {
        let mut links: Vec<u32> = vec![self.used.key.link];
        links.extend(self.beside.iter().flatten().map(|running| running.key.link));
        links.sort_unstable();
        links.dedup();
        self.shared.fast.want(self.shared.tun.id(), links, &self.shared);
    }

    /// Has packets from apps leave by `role`, or where their flow began.
    fn publish(&self, role: Option<Arc<Role>>) {
        let way = |running: &line::Running<I>| {
            let line = Arc::clone(&running.line);
            Way { role: line.role.load_full(), line }
        };
        let used = match role {
            Some(role) => Way { line: Arc::clone(&self.used.line), role },
            None => way(&self.used),
        };
        let kept = self.beside.each_ref().map(|running| running.as_ref().map(way).filter(|way| way.role.lingers));
        let epoch = self.shared.fast.epoch();
        self.shared.ways.store(Arc::new(Ways { used, kept, epoch }));
        self.shared.wake_up.wake();
        self.prepare();
    }
}

/// Starts, changes and ends the threads.
pub(crate) struct Plane<I: PlaneIo> {
    io: I,
    running: Option<Running<I>>,
    /// Known from before, while nothing runs: a flow survives a plane that is away for a moment.
    flows: Flows,
    closing: Closing,
    counters: Arc<Counters>,
    reports: mpsc::UnboundedSender<Report>,
    clock: Arc<dyn Clock>,
    fast: Arc<Fast<I>>,
}

impl<I: PlaneIo> Plane<I> {
    pub(crate) fn new(io: I, clock: Arc<dyn Clock>, reports: mpsc::UnboundedSender<Report>) -> Self {
        let fast = Fast::new(&io);
        Self {
            io,
            fast,
            running: None,
            flows: Flows::default(),
            closing: Closing::default(),
            counters: Arc::default(),
            reports,
            clock,
        }
    }

    /// What went through so far, by whichever path.
    pub(crate) fn counters(&self) -> CounterSnapshot {
        let mut counters = self.counters.snapshot();
        let fast = self.fast.totals();
        counters.packets_out += fast.packets_out;
        counters.packets_in += fast.packets_in;
        counters.bytes_out += fast.bytes_out;
        counters.bytes_in += fast.bytes_in;
        counters.send_errors += fast.lost;
        let last = fast.answered.map(|ago| self.clock.now().since_start().saturating_sub(ago));
        let last = last.map(Timestamp::from_duration);
        counters.last_reply = counters.last_reply.max(last);
        counters
    }

    /// Whether the fast path may be used.
    pub(crate) fn allow_fast(&self, allowed: bool) {
        self.fast.allow(allowed);
        // What was wanted meanwhile has waited.
        if let Some(running) = self.running.as_ref().filter(|_| allowed) {
            running.prepare();
        }
    }

    /// What there is to say about it.
    pub(crate) fn fast_status(&self) -> FastStatus {
        self.fast.status()
    }

    /// The tunnel, while there is one.
    pub(crate) fn tun(&self) -> Option<TunId> {
        self.running.as_ref().map(|running| running.shared.tun.id().clone())
    }

    /// Has packets flow by `config` and says so. A plane that runs already keeps its tunnel; a line that is ready, its
    /// port and what was found out there. The line that was in use before is kept in place of the one that is used now,
    /// or as the spare, until [`set_beside`](Self::set_beside) says otherwise; flows that began there go on there.
    pub(crate) fn set(&mut self, config: PlaneConfig) {
        let generation = config.generation;
        let mut left = None;
        let event = match self.try_set(config, &mut left) {
            Ok(tun) => PlaneEvent::Started { tun: tun.index, name: tun.name },
            Err(error) => PlaneEvent::Failed(error.to_string()),
        };
        let _ = self.reports.send((generation, event));
        // Nothing waits for this any more.
        self.closing.add(left.into_iter().map(line::Running::end).collect());
    }

    /// Leaves the line that is no longer needed in `left`.
    fn try_set(&mut self, config: PlaneConfig, left: &mut Option<line::Running<I>>) -> Result<TunId, HostError> {
        let Some(running) = &mut self.running else { return self.start(config) };
        let (wanted, role) = (port_config(&config), Role::active(config));
        self.fast.close();
        if running.used.key == wanted && !running.used.line.is_dead() {
            running.used.line.assign(Arc::clone(&role));
        } else {
            let is_ready = |ready: &mut line::Running<I>| ready.key == wanted && !ready.line.is_dead();
            let ready = [Beside::Spare, Beside::Twin]
                .into_iter()
                .find_map(|beside| Some((running.beside(beside).take_if(is_ready)?, beside)));
            let (next, mut free) = match ready {
                Some((ready, beside)) => (ready, Some(beside)),
                None => {
                    let line = Line::open(&self.io, Arc::clone(&role), Lane::free(&running.lanes()), self.clock.now())?;
                    (line::Running::start(&running.shared, line)?, None)
                }
            };
            let old = std::mem::replace(&mut running.used, next);
            if free.is_none() && running.beside(Beside::Spare).is_none() && old.key.link != wanted.link {
                free = Some(Beside::Spare);
            }
            if let Some(beside) = free {
                let plane = old.line.role.load().config.clone();
                let answers = plane.v6 != role.config.v6;
                // Before the other one announces the same X.
                old.line.assign(Role::beside(SpareConfig { plane, answers, lingers: answers }));
                *running.beside(beside) = Some(old);
            } else {
                *left = Some(old);
            }
            running.used.line.assign(Arc::clone(&role));
        }
        running.shared.fast.set_bell(&running.shared.traffic);
        running.publish(Some(role));
        running.shared.check(&running.used.line)?;
        Ok(running.shared.tun.id().clone())
    }

    fn start(&mut self, config: PlaneConfig) -> Result<TunId, HostError> {
        let role = Role::active(config);
        let line = Line::open(&self.io, Arc::clone(&role), Lane::free(&[]), self.clock.now())?;
        let tun = self.io.open_tun()?;
        let id = tun.id().clone();
        let used = Way { line: Arc::clone(&line), role };
        self.fast.close();
        let shared = Arc::new(Shared::<I> {
            tun,
            ways: ArcSwap::from_pointee(Ways { used, kept: [const { None }; KEPT], epoch: self.fast.epoch() }),
            orders: Orders::default(),
            stop: AtomicBool::new(false),
            dead: AtomicBool::new(false),
            wake_up: self.io.waker()?,
            counters: Arc::clone(&self.counters),
            traffic: Traffic::default(),
            fast: Arc::clone(&self.fast),
            reports: self.reports.clone(),
            clock: Arc::clone(&self.clock),
        });
        shared.fast.set_bell(&shared.traffic);
        let used = line::Running::start(&shared, line)?;
        let (theirs, flows) = (Arc::clone(&shared), std::mem::take(&mut self.flows));
        match spawn("everclat-up", move || up::run(&theirs, flows)) {
            Ok(up) => {
                let running = Running { shared, up, used, beside: [const { None }; KEPT] };
                running.prepare();
                self.running = Some(running);
            }
            Err(error) => {
                self.closing.add(vec![used.end()]);
                return Err(error);
            }
        }
        Ok(id)
    }

    /// Keeps a line beside the one in use, or none, and says so.
    pub(crate) fn set_beside(&mut self, beside: Beside, spare: Option<SpareConfig>) {
        let generation = spare.as_ref().map(|spare| spare.plane.generation);
        let event = match self.try_set_beside(beside, spare) {
            Ok(tun) => PlaneEvent::Started { tun: tun.index, name: tun.name },
            Err(error) => PlaneEvent::Failed(error.to_string()),
        };
        if let Some(generation) = generation {
            let _ = self.reports.send((generation, event));
        }
    }

    fn try_set_beside(&mut self, beside: Beside, spare: Option<SpareConfig>) -> Result<TunId, HostError> {
        let stopped = || HostError::new("keep a line ready", std::io::ErrorKind::NotConnected.into());
        let running = self.running.as_mut().ok_or_else(stopped)?;
        let id = running.shared.tun.id().clone();
        let role = spare.map(Role::beside);
        let key = role.as_ref().map(|role| port_config(&role.config));
        let shared = Arc::clone(&running.shared);
        // Before one is left: it still runs while the next one is opened.
        let lane = Lane::free(&running.lanes());
        let place = running.beside(beside);
        let left = place.take_if(|current| key.as_ref() != Some(&current.key));
        let mut result = Ok(());
        match (role, &place) {
            (None, _) => {}
            (Some(role), Some(current)) => {
                current.line.assign(role);
                result = shared.check(&current.line);
            }
            (Some(role), None) => {
                let opened = Line::open(&self.io, role, lane, self.clock.now())
                    .and_then(|line| line::Running::start(&shared, line));
                result = opened.map(|line| *place = Some(line));
            }
        }
        running.publish(None);
        self.closing.add(left.into_iter().map(line::Running::end).collect());
        result.map(|()| id)
    }

    /// Has the line of this generation do something besides; nothing if there is none.
    pub(crate) fn order(&self, generation: Generation, order: Order) {
        let Some(running) = &self.running else { return };
        let mut lines = std::iter::once(&running.used).chain(running.beside.iter().flatten());
        if let Some(found) = lines.find(|running| running.line.role.load().config.generation == generation) {
            found.line.order(order);
        }
    }

    /// Tells apps that flows of theirs are over. If all are, they know when this returns.
    pub(crate) fn end_flows(&self, ending: Ending) {
        let Some(running) = &self.running else { return };
        let (done, told) = std::sync::mpsc::sync_channel(1);
        running.shared.orders.give(EndFlows { ending, done });
        running.shared.wake_up.wake();
        match ending {
            Ending::Stranded => {}
            // A courtesy: what it did not come to in time is not waited for.
            Ending::All => drop(told.recv_timeout(ENDING)),
        }
    }

    /// What went through since the last time. With `last`, the next packet from an app is told.
    pub(crate) fn sample(&self, last: bool) -> TrafficSample {
        // Before the counters are read: a packet between the two is told twice, not missed.
        if let Some(running) = self.running.as_ref().filter(|_| last) {
            running.shared.fast.set_bell(&running.shared.traffic);
        }
        if let Some(running) = &self.running {
            self.fast.sample(&running.shared.traffic, self.clock.now());
        }
        let (mute, answered) = self.running.as_ref().map(|running| running.shared.traffic.take()).unwrap_or_default();
        let (sent, received) = self.counters.by_the_way_in_use();
        let fast = self.fast.totals();
        TrafficSample { sent: sent + fast.packets_out, received: received + fast.packets_in, mute, answered }
    }

    /// Ends the threads and closes the tunnel; the ports follow.
    pub(crate) fn stop(&mut self) {
        let Some(Running { shared, up, used, beside }) = self.running.take() else { return };
        self.fast.leave();
        shared.stop.store(true, Ordering::Release);
        shared.wake_up.wake();
        // A panic has ended the process before.
        self.flows = up.join().unwrap_or_default();
        self.closing.add(std::iter::once(used).chain(beside.into_iter().flatten()).map(line::Running::end).collect());
        // The tunnel closes here and now: its name is free for the next one.
    }
}

impl<I: PlaneIo> Drop for Plane<I> {
    fn drop(&mut self) {
        self.stop();
        self.fast.quit();
    }
}

fn spawn<T: Send + 'static>(name: &str, run: impl FnOnce() -> T + Send + 'static) -> Result<JoinHandle<T>, HostError> {
    std::thread::Builder::new()
        .name(name.to_owned())
        .spawn(run)
        .map_err(|error| HostError::new("start a packet thread", error))
}

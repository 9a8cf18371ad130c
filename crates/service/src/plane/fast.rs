//! The system's fast path: who may switch it on, and what it has carried. docs/decisions/0011-fast-path.md.
//!
//! Three threads have to do with it. One that is here for nothing else prepares it, which is slow. The control thread
//! closes it before it changes the way in use: nothing is translated by what was in force before. The tunnel's thread takes
//! back what it knows of flows, and opens it anew for the way that it follows itself.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError, Weak};
use std::time::Duration;

use model::{Bytes, FastReason, FastState, FastStatus, Timestamp};
use platform_api::{FastConfig, FastLane, FastRefusal, FastTotals, PlaneIo, TunId, Waker};

use super::line::Role;
use super::traffic::Traffic;
use super::{Shared, Way};

/// After what may be another time.
const AGAIN: Duration = Duration::from_secs(1);

/// Makes the fast path.
type Maker<L> = Box<dyn FnOnce() -> Result<L, FastRefusal> + Send>;

/// See the [module](self).
pub(super) struct Fast<I: PlaneIo> {
    gate: Mutex<Gate<I>>,
    /// For the thread that prepares it.
    news: Condvar,
    /// Counts what the tunnel's thread should look at.
    version: AtomicU64,
}

struct Gate<I: PlaneIo> {
    maker: Option<Maker<I::Fast>>,
    is_prepared: bool,
    allowed: bool,
    quit: bool,
    lane: Option<Arc<I::Fast>>,
    wanted: Option<Wanted<I>>,
    /// Where it is in place: the tunnel, and the uplinks.
    attached: Option<(u32, Vec<u32>)>,
    /// Counts changes of the way in use.
    epoch: u64,
    /// Not before the next change.
    halted: bool,
    on: bool,
    /// Why it is off.
    why: Option<FastRefusal>,
    /// That it was refused for good.
    refused: bool,
    /// Frames above 64 KiB before it was switched on.
    huge: u64,
    sampled: Timestamp,
}

/// Where it is to be.
struct Wanted<I: PlaneIo> {
    tun: TunId,
    links: Vec<u32>,
    shared: Weak<Shared<I>>,
}

impl<I: PlaneIo> Clone for Wanted<I> {
    fn clone(&self) -> Self {
        Self { tun: self.tun.clone(), links: self.links.clone(), shared: Weak::clone(&self.shared) }
    }
}

impl<I: PlaneIo> Fast<I> {
    pub(super) fn new(io: &I) -> Arc<Self> {
        let gate = Gate {
            maker: Some(Box::new(io.fast_lane())),
            is_prepared: false,
            allowed: true,
            quit: false,
            lane: None,
            wanted: None,
            attached: None,
            epoch: 0,
            halted: false,
            on: false,
            why: None,
            refused: false,
            huge: 0,
            sampled: Timestamp::ZERO,
        };
        Arc::new(Self { gate: Mutex::new(gate), news: Condvar::new(), version: AtomicU64::new(0) })
    }

    fn lock(&self) -> MutexGuard<'_, Gate<I>> {
        // Nobody panics while holding it.
        self.gate.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Whether it may be used at all.
    pub(super) fn allow(&self, allowed: bool) {
        let mut gate = self.lock();
        if gate.allowed == allowed {
            return;
        }
        gate.allowed = allowed;
        gate.off(None);
        self.tell(&gate);
    }

    /// Where it is to be: between `tun` and the uplinks.
    pub(super) fn want(self: &Arc<Self>, tun: &TunId, links: Vec<u32>, shared: &Arc<Shared<I>>) {
        let mut gate = self.lock();
        let known = |wanted: &Wanted<I>| wanted.tun == *tun && wanted.links == links;
        if gate.wanted.as_ref().is_some_and(known) {
            return;
        }
        gate.wanted = Some(Wanted { tun: tun.clone(), links, shared: Arc::downgrade(shared) });
        if gate.allowed && !gate.is_prepared {
            let theirs = Arc::clone(self);
            // Without such a thread there is no fast path, and nothing else is missing.
            gate.is_prepared = super::spawn("everclat-fast", move || theirs.prepare()).is_ok();
        }
        self.news.notify_all();
    }

    /// Nowhere any more.
    pub(super) fn leave(&self) {
        let mut gate = self.lock();
        gate.off(None);
        (gate.wanted, gate.attached) = (None, None);
        self.news.notify_all();
    }

    pub(super) fn quit(&self) {
        self.lock().quit = true;
        self.news.notify_all();
    }

    /// Nothing is translated any more by what was in force. What is in force next is another [epoch](Self::epoch).
    pub(super) fn close(&self) {
        let mut gate = self.lock();
        gate.off(None);
        gate.epoch += 1;
        gate.halted = false;
    }

    /// The same, until something changes.
    pub(super) fn halt(&self) {
        let mut gate = self.lock();
        gate.off(None);
        gate.halted = true;
        self.tell(&gate);
    }

    /// The same, until it is opened again.
    pub(super) fn suspend(&self) {
        self.lock().off(None);
    }

    /// The gateway has another link-layer address: until it is opened with that one, packets go through the service.
    pub(super) fn renew(&self) {
        let mut gate = self.lock();
        gate.off(None);
        self.tell(&gate);
    }

    pub(super) fn is_on(&self) -> bool {
        self.lock().on
    }

    pub(super) fn epoch(&self) -> u64 {
        self.lock().epoch
    }

    /// Changes when the tunnel's thread should try to [open](Self::open) it.
    pub(super) fn version(&self) -> u64 {
        self.version.load(Ordering::Acquire)
    }

    /// Switches it on for the way of this epoch, if there is a fast path and nothing has changed since. Gives where flows
    /// are admitted.
    pub(super) fn open(&self, epoch: u64, way: &Way<I>, shared: &Shared<I>) -> Option<Arc<I::Fast>> {
        use platform_api::TunDevice;

        let mut gate = self.lock();
        if !gate.allowed || gate.halted || gate.epoch != epoch {
            return None;
        }
        let config = match config(way, shared.tun.id()) {
            Ok(config) => config,
            Err(refusal) => {
                gate.off(Some(refusal));
                return None;
            }
        };
        let lane = gate.lane.clone()?;
        let is_there = |(tun, links): &(u32, Vec<u32>)| *tun == config.tun && links.contains(&config.link);
        if !gate.attached.as_ref().is_some_and(is_there) {
            return None;
        }
        if gate.on {
            return Some(lane);
        }
        gate.huge = lane.totals().huge;
        lane.hold(shared.traffic.is_bell_set());
        if let Err(error) = lane.start(&config) {
            gate.off(Some(FastRefusal::new(FastReason::Refused, error.to_string())));
            return None;
        }
        gate.on = true;
        gate.why = None;
        Some(lane)
    }

    /// The next packet from an app is to be told, so it is not to go by here.
    pub(super) fn set_bell(&self, traffic: &Traffic) {
        let gate = self.lock();
        if let Some(lane) = &gate.lane {
            lane.hold(true);
        }
        traffic.set_bell();
    }

    /// It was told.
    pub(super) fn rung(&self, traffic: &Traffic) {
        let gate = self.lock();
        // It may be set again already.
        if let Some(lane) = gate.lane.as_ref().filter(|_| !traffic.is_bell_set()) {
            lane.hold(false);
        }
    }

    /// Notes in `traffic` who was sent to and who has answered since the last time.
    pub(super) fn sample(&self, traffic: &Traffic, now: Timestamp) {
        let mut gate = self.lock();
        let since = now.since(gate.sampled);
        gate.sampled = now;
        let Some(lane) = gate.lane.clone().filter(|_| gate.on) else { return };
        if lane.totals().huge > gate.huge {
            let refusal = FastRefusal::new(FastReason::BigTcp, "the uplink delivers frames above 64 KiB");
            gate.off(Some(refusal));
            gate.halted = true;
            self.tell(&gate);
        }
        drop(gate);
        for (key, flow) in lane.flows() {
            if flow.sent <= since {
                traffic.note_sent(key.peer);
            }
            if flow.answered.is_some_and(|ago| ago <= since) {
                traffic.answered(key.peer);
            }
        }
    }

    /// What went by it so far.
    pub(super) fn totals(&self) -> FastTotals {
        let lane = self.lock().lane.clone();
        lane.map(|lane| lane.totals()).unwrap_or_default()
    }

    pub(super) fn status(&self) -> FastStatus {
        let totals = self.totals();
        let gate = self.lock();
        let setting = || FastRefusal::new(FastReason::Setting, "the setting FastPath says so");
        let starting = || FastRefusal::new(FastReason::Starting, "it is being prepared");
        let why = match (gate.on, gate.allowed) {
            (true, _) => None,
            (false, false) => Some(setting()),
            (false, true) => Some(gate.why.clone().unwrap_or_else(starting)),
        };
        FastStatus {
            state: if why.is_none() { FastState::On } else { FastState::Off },
            reason: why.as_ref().map(|why| why.reason.name().to_owned()),
            detail: why.map(|why| why.detail).unwrap_or_default(),
            packets: Bytes { out: totals.packets_out, inward: totals.packets_in },
        }
    }

    /// Has the tunnel's thread look.
    fn tell(&self, gate: &Gate<I>) {
        self.version.fetch_add(1, Ordering::Release);
        if let Some(shared) = gate.wanted.as_ref().and_then(|wanted| wanted.shared.upgrade()) {
            shared.wake_up.wake();
        }
    }

    /// Brings it to where it is wanted, until nobody wants it any more.
    fn prepare(&self) {
        let mut done: Option<(TunId, Vec<u32>)> = None;
        let mut gate = self.lock();
        loop {
            let settled = |wanted: &Wanted<I>| done.as_ref() == Some(&(wanted.tun.clone(), wanted.links.clone()));
            let wanted = gate.wanted.clone();
            if gate.quit || gate.refused {
                return;
            }
            if !gate.allowed || wanted.as_ref().map_or(done.is_none(), settled) {
                gate = self.news.wait(gate).unwrap_or_else(PoisonError::into_inner);
                continue;
            }
            let (maker, lane) = (gate.maker.take(), gate.lane.clone());
            drop(gate);
            let made = match (lane, maker) {
                (Some(lane), _) => Ok(lane),
                (None, Some(make)) => make().map(Arc::new),
                (None, None) => Err(FastRefusal::new(FastReason::Refused, "it could not be made")),
            };
            let result = made.map(|lane| {
                let there = match &wanted {
                    Some(wanted) => lane.attach(&wanted.tun, &wanted.links),
                    None => {
                        lane.detach();
                        Ok(Vec::new())
                    }
                };
                (lane, there)
            });
            gate = self.lock();
            let mut pause = None;
            match result {
                Ok((lane, there)) => {
                    gate.lane = Some(lane);
                    match (there, wanted) {
                        (Ok(links), Some(wanted)) => {
                            gate.attached = Some((wanted.tun.index, links));
                            done = Some((wanted.tun, wanted.links));
                        }
                        (Ok(_), None) => done = None,
                        // The interface was gone: another one comes, or this one once more.
                        (Err(refusal), _) if refusal.reason == FastReason::Starting => {
                            done = None;
                            pause = Some(AGAIN);
                        }
                        (Err(refusal), _) => gate.refuse(refusal),
                    }
                }
                Err(refusal) => gate.refuse(refusal),
            }
            self.tell(&gate);
            if let Some(pause) = pause {
                gate = self.news.wait_timeout(gate, pause).unwrap_or_else(PoisonError::into_inner).0;
            }
        }
    }
}

impl<I: PlaneIo> Gate<I> {
    fn off(&mut self, why: Option<FastRefusal>) {
        if let Some(lane) = self.lane.as_ref().filter(|_| self.on) {
            lane.stop();
        }
        self.on = false;
        if !self.refused {
            self.why = why;
        }
    }

    fn refuse(&mut self, refusal: FastRefusal) {
        tracing::info!(reason = refusal.reason.name(), "no fast path: {}", refusal.detail);
        self.off(Some(refusal));
        if let Some(lane) = self.lane.take() {
            lane.detach();
        }
        self.refused = true;
    }
}

/// What the fast path is to do for a way.
fn config<I: PlaneIo>(way: &Way<I>, tun: &TunId) -> Result<FastConfig, FastRefusal> {
    let role: &Role = &way.role;
    let config = &role.config;
    if !xlat::is_neutral(config.v4, config.v6, config.pref64) {
        let text = "the address for translated packets does not leave checksums as they are under this NAT64 prefix";
        return Err(FastRefusal::new(FastReason::NotNeutral, text));
    }
    let translator = &role.translator;
    let mtu6 = translator.mtu6.max(MIN_MTU6);
    let (first_id, id_mask, id_start) = way.line.lane.outside();
    Ok(FastConfig {
        tun: tun.index,
        link: config.uplink.link,
        v4: config.v4,
        v6: config.v6,
        pref64: config.pref64,
        mac: config.uplink.mac,
        gateway_mac: role.gateway_mac.get(),
        mtu6,
        divisible: translator.lowest_ipv6_mtu.min(mtu6).max(MIN_MTU6),
        mtu4: translator.mtu4,
        first_id,
        id_mask,
        id_start,
    })
}

/// The least MTU of an IPv6 link (RFC 8200 section 5).
const MIN_MTU6: u16 = 1280;

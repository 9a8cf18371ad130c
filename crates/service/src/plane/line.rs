//! One uplink of the plane: its port, its thread, and what it is there for.

use std::net::Ipv4Addr;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering, fence};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread::JoinHandle;

use arc_swap::ArcSwap;
use engine::flow::Home;
use model::{Dad, Generation, MacAddress, PlaneConfig, ProbeTarget, SpareConfig, Timestamp};
use platform_api::{HostError, PlaneIo, PortConfig, Waker};

use super::down::Inbound;
use super::lane::Lane;
use super::{Shared, down, spawn};

/// What a line is there for: replaced whole, never changed, except for what the gateway itself tells.
pub(super) struct Role {
    pub(super) config: PlaneConfig,
    pub(super) translator: xlat::Config,
    /// Packets from apps leave here.
    pub(super) active: bool,
    /// X is claimed and answered for here.
    pub(super) answers: bool,
    /// Flows that began here go on here.
    pub(super) lingers: bool,
    pub(super) gateway_mac: MacCell,
    /// An app has got a reply by it.
    pub(super) replied: AtomicBool,
}

impl Role {
    pub(super) fn active(config: PlaneConfig) -> Arc<Self> {
        Self::new(config, true, true, false)
    }

    pub(super) fn beside(spare: SpareConfig) -> Arc<Self> {
        Self::new(spare.plane, false, spare.answers, spare.lingers)
    }

    /// Where flows that go by here are at home.
    pub(super) fn home(&self) -> Home {
        Home { v4: self.config.v4, v6: self.config.v6 }
    }

    fn new(config: PlaneConfig, active: bool, answers: bool, lingers: bool) -> Arc<Self> {
        let mut translator = xlat::Config::new(config.pref64, config.v4, config.v6, config.uplink.mtu6);
        translator.gateway_v4 = config.gateway_v4;
        // Only what leaves is held to it: what comes in has passed.
        translator.mtu6 = config.path_mtu;
        translator.lowest_ipv6_mtu = config.lowest_ipv6_mtu;
        let gateway_mac = MacCell::new(config.uplink.gateway_mac);
        Arc::new(Self { config, translator, active, answers, lingers, gateway_mac, replied: AtomicBool::new(false) })
    }
}

/// What a line is to do besides.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Order {
    /// Ask the gateway whether it is there.
    AskGateway,
    /// Ask servers behind the NAT64.
    Probe(Vec<ProbeTarget<Ipv4Addr>>),
    /// Ask them by packets of so many bytes.
    Measure(Vec<(Ipv4Addr, u16)>),
}

/// What the line's thread sees.
pub(super) struct Line<I: PlaneIo> {
    pub(super) port: I::Port,
    /// Whose IPv4 identifications its translators use.
    pub(super) lane: Lane,
    pub(super) role: ArcSwap<Role>,
    pub(super) stop: AtomicBool,
    pub(super) wake: I::Waker,
    /// Its thread has ended by itself.
    dead: AtomicBool,
    /// The round in which nobody has objected to X, plus one; 0: none yet.
    claimed: AtomicU64,
    orders: Orders<Order>,
    /// Who takes what comes in holds it meanwhile.
    inbound: Mutex<Inbound>,
    /// The tunnel's thread is to take what comes in; see [`super::lend`].
    lent: AtomicBool,
}

/// What a packet thread is to do besides. Looking whether there is anything costs one load.
pub(super) struct Orders<T> {
    any: AtomicBool,
    list: Mutex<Vec<T>>,
}

impl<T> Default for Orders<T> {
    fn default() -> Self {
        Self { any: AtomicBool::new(false), list: Mutex::default() }
    }
}

impl<T> Orders<T> {
    /// The thread still has to be woken.
    pub(super) fn give(&self, order: T) {
        // Nobody panics while holding it.
        self.list.lock().unwrap_or_else(PoisonError::into_inner).push(order);
        self.any.store(true, Ordering::Release);
    }

    pub(super) fn take(&self) -> Vec<T> {
        if !self.any.load(Ordering::Relaxed) || !self.any.swap(false, Ordering::Acquire) {
            return Vec::new();
        }
        std::mem::take(&mut *self.list.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

impl<I: PlaneIo> Line<I> {
    pub(super) fn open(io: &I, role: Arc<Role>, lane: Lane, now: Timestamp) -> Result<Arc<Self>, HostError> {
        Ok(Arc::new(Self {
            port: io.open_port(&port_config(&role.config))?,
            lane,
            inbound: Mutex::new(Inbound::new(lane, Arc::clone(&role), now)),
            lent: AtomicBool::new(false),
            role: ArcSwap::new(role),
            stop: AtomicBool::new(false),
            wake: io.waker()?,
            dead: AtomicBool::new(false),
            claimed: AtomicU64::new(0),
            orders: Orders::default(),
        }))
    }

    /// In this round nobody has objected to X; `None`: that is to be seen again, or somebody has.
    pub(super) fn note_claim(&self, round: Option<u32>) {
        self.claimed.store(round.map_or(0, |round| u64::from(round) + 1), Ordering::Relaxed);
    }

    /// Whether packets may leave from X as `role` has it. Strict duplicate detection waits for its answer (RFC 4862 section
    /// 5.4), for flows that an X in doubt is kept for, too.
    #[inline]
    pub(super) fn may_send(&self, role: &Role) -> bool {
        let config = &role.config;
        match config.dad {
            Dad::Optimistic => true,
            Dad::Strict => {
                let claimed = self.claimed.load(Ordering::Relaxed) == u64::from(config.round) + 1;
                // Where it does not answer, another line of ours has claimed X.
                !role.answers || config.owned || claimed
            }
        }
    }

    pub(super) fn assign(&self, role: Arc<Role>) {
        self.role.store(role);
        self.wake.wake();
    }

    /// The line's thread ends by itself: gives the generation to tell that about. Whoever assigns a role at this very moment
    /// finds the line [dead](Self::is_dead) afterwards, or the role is found here: the end is told about the role in force.
    pub(super) fn dies(&self) -> Generation {
        self.dead.store(true, Ordering::SeqCst);
        fence(Ordering::SeqCst);
        self.role.load().config.generation
    }

    /// Whether the line's thread has ended by itself. Ask after a role is assigned.
    pub(super) fn is_dead(&self) -> bool {
        fence(Ordering::SeqCst);
        self.dead.load(Ordering::SeqCst)
    }

    pub(super) fn order(&self, order: Order) {
        self.orders.give(order);
        self.wake.wake();
    }

    pub(super) fn inbound(&self) -> MutexGuard<'_, Inbound> {
        // A panic ends the process.
        self.inbound.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Whether the tunnel's thread is to take what comes in.
    pub(super) fn is_lent(&self) -> bool {
        self.lent.load(Ordering::Acquire)
    }

    /// From now on the tunnel's thread is to; it has to be woken.
    pub(super) fn lend(&self) {
        self.lent.store(true, Ordering::Release);
    }

    /// From now on the line's own thread is to.
    pub(super) fn take_back(&self) {
        if self.lent.swap(false, Ordering::AcqRel) {
            self.wake.wake();
        }
    }

    pub(super) fn take_orders(&self) -> Vec<Order> {
        self.orders.take()
    }
}

/// A line with its thread.
pub(super) struct Running<I: PlaneIo> {
    pub(super) key: PortConfig,
    pub(super) line: Arc<Line<I>>,
    thread: JoinHandle<()>,
}

impl<I: PlaneIo> Running<I> {
    pub(super) fn start(shared: &Arc<Shared<I>>, line: Arc<Line<I>>) -> Result<Self, HostError> {
        let key = port_config(&line.role.load().config);
        let (theirs, shared) = (Arc::clone(&line), Arc::clone(shared));
        let thread = spawn("everclat-down", move || down::run(&shared, &theirs))?;
        Ok(Self { key, line, thread })
    }

    /// Ends the thread. Gives the line, to be closed.
    pub(super) fn end(self) -> Arc<Line<I>> {
        self.line.stop.store(true, Ordering::Release);
        self.line.wake.wake();
        // A panic has ended the process before.
        let _ = self.thread.join();
        self.line
    }
}

pub(super) fn port_config(config: &PlaneConfig) -> PortConfig {
    PortConfig { link: config.uplink.link, mac: config.uplink.mac, v6: config.v6 }
}

/// A link-layer address that one thread writes and another reads.
pub(super) struct MacCell(AtomicU64);

impl MacCell {
    fn new(mac: MacAddress) -> Self {
        let cell = Self(AtomicU64::new(0));
        cell.set(mac);
        cell
    }

    pub(super) fn set(&self, mac: MacAddress) {
        let [a, b, c, d, e, f] = mac.0;
        self.0.store(u64::from_be_bytes([0, 0, a, b, c, d, e, f]), Ordering::Relaxed);
    }

    pub(super) fn get(&self) -> MacAddress {
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

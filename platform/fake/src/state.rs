use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::io;
use std::net::{Ipv4Addr, Ipv6Addr};
use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use model::{HostIntent, Ipv4Default, MacAddress, NetworkSnapshot, Timestamp};
use platform_api::{Gone, HostEvent, Ready};
use tokio::sync::mpsc;

use crate::Call;
use crate::fast::FastState;
use crate::fault::Fault;

/// Something that left on the uplink.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Sent {
    /// An IPv6 packet, and to whom.
    Packet {
        /// The next hop.
        to: MacAddress,
        /// From its IPv6 header.
        bytes: Vec<u8>,
    },
    /// A whole Ethernet frame.
    Frame(Vec<u8>),
}

/// What there is on the host at one moment.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct View {
    /// Tunnels open.
    pub tunnels: usize,
    /// Ports open.
    pub ports: usize,
    /// Wakers alive.
    pub wakers: usize,
    /// Packet threads that have not ended.
    pub threads: usize,
    /// The IPv4 address on the tunnel.
    pub address: Option<Ipv4Addr>,
    /// The tunnel's MTU, if it was set.
    pub device_mtu: Option<u16>,
    /// The IPv4 default route.
    pub route: Option<Ipv4Default>,
    /// The addresses the host keeps silent about.
    pub silent: Vec<Ipv6Addr>,
}

impl View {
    /// Whether nothing of ours is left.
    #[must_use]
    pub fn is_clean(&self) -> bool {
        *self == Self::default()
    }

    /// Whether IPv4 leads into a tunnel that somebody reads.
    #[must_use]
    pub fn is_armed(&self) -> bool {
        self.tunnels == 1 && self.ports > 0 && self.address.is_some() && self.route.is_some()
    }
}

/// What a packet thread waits for.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Waiting {
    Tun {
        device: u64,
        waker: u64,
    },
    Port {
        device: u64,
        waker: u64,
        end: Option<Timestamp>,
    },
    Both {
        tun: u64,
        port: u64,
        waker: u64,
    },
    /// But to be woken.
    Nothing {
        waker: u64,
        end: Option<Timestamp>,
    },
}

/// A port as the host sees it.
#[derive(Debug)]
pub(crate) struct OpenPort {
    pub(crate) link: u32,
    pub(crate) v6: Ipv6Addr,
    /// What has come in and was not taken yet.
    pub(crate) queue: VecDeque<(MacAddress, Vec<u8>)>,
}

/// Somebody who waits for virtual time to pass.
#[derive(Debug)]
pub(crate) struct Sleeper {
    pub(crate) end: Timestamp,
    pub(crate) waker: std::task::Waker,
}

/// What the host's own stack says to a packet from the tunnel.
type Answers = Box<dyn FnMut(&[u8]) -> Option<Vec<u8>> + Send>;

/// The host's own stack, if it is to say anything.
#[derive(Default)]
pub(crate) struct Kernel(pub(crate) Option<Answers>);

impl std::fmt::Debug for Kernel {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Kernel").field("speaks", &self.0.is_some()).finish()
    }
}

#[derive(Debug, Default)]
pub(crate) struct State {
    pub(crate) now: Timestamp,
    pub(crate) network: NetworkSnapshot,
    pub(crate) events: Option<mpsc::Sender<HostEvent>>,
    pub(crate) failing: BTreeMap<Call, Fault>,
    pub(crate) calls: Vec<Call>,
    pub(crate) intents: Vec<HostIntent>,
    pub(crate) stale: Vec<String>,
    pub(crate) in_place: View,
    pub(crate) from_apps: VecDeque<Vec<u8>>,
    pub(crate) to_apps: VecDeque<Vec<u8>>,
    pub(crate) kernel: Kernel,
    pub(crate) to_link: BTreeMap<u32, VecDeque<Sent>>,
    /// By number.
    pub(crate) open_ports: BTreeMap<u64, OpenPort>,
    /// Interfaces on which routers were solicited, and neighbours that were to be resolved.
    pub(crate) solicited: Vec<u32>,
    pub(crate) resolving: Vec<(u32, Ipv6Addr)>,
    /// Tunnels that were opened, and those of them that somebody else has deleted.
    pub(crate) tunnels: BTreeSet<u64>,
    pub(crate) deleted: BTreeSet<u64>,
    /// Devices for which no thread has shown up yet.
    pub(crate) unattended: usize,
    /// By thread.
    pub(crate) waiting: BTreeMap<u64, Waiting>,
    /// Wakers that were used since they were last looked at.
    pub(crate) woken: BTreeSet<u64>,
    pub(crate) sleepers: BTreeMap<u64, Sleeper>,
    pub(crate) fast: FastState,
    /// How often the service has done something that can be seen from here.
    pub(crate) activity: u64,
    /// Tests that wait for something.
    watchers: usize,
    numbers: u64,
}

impl State {
    pub(crate) fn view(&self) -> View {
        self.in_place.clone()
    }

    /// A number that nothing else has.
    pub(crate) fn number(&mut self) -> u64 {
        self.numbers += 1;
        self.numbers
    }

    /// Notes the call and says whether it may succeed.
    pub(crate) fn call(&mut self, call: Call) -> Result<(), io::Error> {
        self.calls.push(call);
        self.activity += 1;
        let strikes = self.failing.get_mut(&call).is_some_and(Fault::strikes);
        if strikes { Err(call.error()) } else { Ok(()) }
    }

    /// A packet comes in on an interface: to the port of its destination, or to all if it has none there.
    pub(crate) fn arrive(&mut self, link: u32, from: MacAddress, packet: &[u8]) {
        let to = packet.get(24..).and_then(|rest| rest.first_chunk::<16>()).copied().map(Ipv6Addr::from);
        let owned = self.open_ports.values().any(|port| port.link == link && Some(port.v6) == to);
        for port in self.open_ports.values_mut().filter(|port| port.link == link) {
            if !owned || Some(port.v6) == to {
                port.queue.push_back((from, packet.to_vec()));
            }
        }
    }

    /// A tunnel is gone, and with it what was on it.
    pub(crate) fn remove_tunnel(&mut self) {
        let view = &mut self.in_place;
        view.tunnels -= 1;
        // What nobody has read is lost.
        self.from_apps.clear();
        (view.address, view.device_mtu, view.route) = (None, None, None);
    }

    /// A device can break while somebody waits for it.
    fn breaks(&self, call: Call) -> bool {
        self.failing.get(&call).is_some_and(|fault| fault.is_due())
    }

    /// Whether `waiting` is over.
    fn is_over(&self, waiting: &Waiting) -> bool {
        match waiting {
            Waiting::Tun { device, waker } => {
                self.woken.contains(waker)
                    || !self.from_apps.is_empty()
                    || self.deleted.contains(device)
                    || self.breaks(Call::TunWait)
            }
            Waiting::Both { tun, port, waker } => {
                self.is_over(&Waiting::Tun { device: *tun, waker: *waker })
                    || self.is_over(&Waiting::Port { device: *port, waker: *waker, end: None })
            }
            Waiting::Nothing { waker, end } => self.woken.contains(waker) || end.is_some_and(|end| end <= self.now),
            Waiting::Port { device, waker, end } => {
                let port = self.open_ports.get(device);
                self.woken.contains(waker)
                    || port.is_none_or(|port| !port.queue.is_empty() || !self.network.links.contains_key(&port.link))
                    || end.is_some_and(|end| end <= self.now)
                    || self.breaks(Call::PortWait)
            }
        }
    }

    /// Why `waiting` is over.
    fn outcome(&mut self, waiting: &Waiting) -> Option<Result<Ready, Gone>> {
        let (Waiting::Tun { waker, .. }
        | Waiting::Port { waker, .. }
        | Waiting::Both { waker, .. }
        | Waiting::Nothing { waker, .. }) = waiting;
        if self.woken.remove(waker) {
            return Some(Ok(Ready::Woken));
        }
        match waiting {
            Waiting::Tun { device, .. } => {
                let gone = self.deleted.contains(device);
                let outcome = self.device(Call::TunWait, !self.from_apps.is_empty(), false, gone)?;
                Some(outcome.map_err(Gone::Tun))
            }
            Waiting::Port { device, end, .. } => {
                let port = self.open_ports.get(device);
                let gone = port.is_none_or(|port| !self.network.links.contains_key(&port.link));
                let packet = port.is_some_and(|port| !port.queue.is_empty());
                let outcome = self.device(Call::PortWait, packet, end.is_some_and(|end| end <= self.now), gone)?;
                Some(outcome.map_err(Gone::Port))
            }
            Waiting::Both { tun, port, waker } => self
                .outcome(&Waiting::Tun { device: *tun, waker: *waker })
                .or_else(|| self.outcome(&Waiting::Port { device: *port, waker: *waker, end: None })),
            Waiting::Nothing { end, .. } => end.is_some_and(|end| end <= self.now).then_some(Ok(Ready::Timeout)),
        }
    }

    /// Why the wait for a device is over.
    fn device(&mut self, call: Call, packet: bool, over: bool, gone: bool) -> Option<io::Result<Ready>> {
        if gone {
            Some(Err(io::Error::other("no such interface")))
        } else if packet {
            Some(Ok(Ready::Packet))
        } else if over {
            Some(Ok(Ready::Timeout))
        } else {
            self.failing
                .get_mut(&call)
                .is_some_and(|fault| fault.is_due() && fault.strikes())
                .then(|| Err(call.error()))
        }
    }

    /// Whether every packet thread waits for what has not come yet.
    fn rests(&self) -> bool {
        self.unattended == 0
            && self.waiting.len() == self.in_place.threads
            && !self.waiting.values().any(|waiting| self.is_over(waiting))
    }

    /// Whether one thread waits for the tunnel and a port.
    pub(crate) fn is_shared(&self) -> bool {
        self.waiting.values().any(|waiting| matches!(waiting, Waiting::Both { .. }))
    }

    /// The first moment at which time alone has somebody go on.
    pub(crate) fn next(&self) -> Option<Timestamp> {
        let ends = self.waiting.values().filter_map(|waiting| match waiting {
            Waiting::Port { end, .. } | Waiting::Nothing { end, .. } => *end,
            Waiting::Tun { .. } | Waiting::Both { .. } => None,
        });
        ends.chain(self.sleepers.values().map(|sleeper| sleeper.end)).min()
    }
}

/// One lock and one condition for all: this is a test's host, not a fast one.
#[derive(Debug)]
pub(crate) struct Shared {
    state: Mutex<State>,
    changed: Condvar,
}

impl Shared {
    pub(crate) fn new(network: NetworkSnapshot) -> Self {
        Self { state: Mutex::new(State { network, ..State::default() }), changed: Condvar::new() }
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        // A test that panicked has said what is wrong; others need not.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(crate) fn look<T>(&self, look: impl FnOnce(&State) -> T) -> T {
        look(&self.lock())
    }

    pub(crate) fn change<T>(&self, change: impl FnOnce(&mut State) -> T) -> T {
        let mut state = self.lock();
        let result = change(&mut state);
        // Waking a thread for nothing costs more than asking for it whether there is something.
        if state.watchers > 0 || state.waiting.values().any(|waiting| state.is_over(waiting)) {
            drop(state);
            self.changed.notify_all();
        }
        result
    }

    /// Time passes; whoever has waited for it goes on.
    pub(crate) fn pass(&self, time: Duration) {
        let over: Vec<std::task::Waker> = self.change(|state| {
            state.now = state.now + time;
            let over = state.sleepers.values().filter(|sleeper| sleeper.end <= state.now);
            over.map(|sleeper| sleeper.waker.clone()).collect()
        });
        over.into_iter().for_each(std::task::Waker::wake);
    }

    /// Waits until `answer` gives one; the last view if that takes longer than `patience` of real time.
    pub(crate) fn wait<T>(
        &self,
        patience: Duration,
        mut answer: impl FnMut(&mut State) -> Option<T>,
    ) -> Result<T, View> {
        let end = Instant::now() + patience;
        let mut state = self.lock();
        state.watchers += 1;
        let answer = loop {
            if let Some(answer) = answer(&mut state) {
                break Ok(answer);
            }
            let Some(rest) = end.checked_duration_since(Instant::now()) else { break Err(state.view()) };
            state = self.changed.wait_timeout(state, rest).unwrap_or_else(PoisonError::into_inner).0;
        };
        state.watchers -= 1;
        answer
    }

    /// Waits until all packet threads rest.
    pub(crate) fn rest(&self, patience: Duration) -> Result<(), View> {
        self.wait(patience, |state| state.rests().then_some(()))
    }

    /// The packet thread `thread` waits for as long as it takes.
    pub(crate) fn wait_packet(&self, thread: u64, waiting: Waiting) -> Result<Ready, Gone> {
        let mut state = self.lock();
        loop {
            if let Some(outcome) = state.outcome(&waiting) {
                state.waiting.remove(&thread);
                return outcome;
            }
            if state.waiting.insert(thread, waiting).is_none() && state.watchers > 0 {
                self.changed.notify_all();
            }
            state = self.changed.wait(state).unwrap_or_else(PoisonError::into_inner);
        }
    }
}

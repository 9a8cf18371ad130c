use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::io;
use std::net::{Ipv4Addr, Ipv6Addr};
use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use model::{HostIntent, Ipv4Default, MacAddress, NetworkSnapshot, Timestamp};
use platform_api::HostEvent;
use tokio::sync::mpsc;

use crate::Call;

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

#[derive(Debug, Default)]
pub(crate) struct State {
    pub(crate) now: Timestamp,
    pub(crate) network: NetworkSnapshot,
    pub(crate) events: Option<mpsc::Sender<HostEvent>>,
    pub(crate) failing: BTreeSet<Call>,
    pub(crate) calls: Vec<Call>,
    pub(crate) intents: Vec<HostIntent>,
    pub(crate) stale: Vec<String>,
    pub(crate) in_place: View,
    pub(crate) from_apps: VecDeque<Vec<u8>>,
    pub(crate) to_apps: VecDeque<Vec<u8>>,
    pub(crate) from_link: BTreeMap<u32, VecDeque<(MacAddress, Vec<u8>)>>,
    pub(crate) to_link: BTreeMap<u32, VecDeque<Sent>>,
}

impl State {
    pub(crate) fn view(&self) -> View {
        self.in_place.clone()
    }

    /// Notes the call and says whether it may succeed.
    pub(crate) fn call(&mut self, call: Call) -> Result<(), io::Error> {
        self.calls.push(call);
        if self.failing.contains(&call) { Err(call.error()) } else { Ok(()) }
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
        let result = change(&mut self.lock());
        self.changed.notify_all();
        result
    }

    /// Waits until `answer` gives one; the last view if that takes longer than `patience` of real time.
    pub(crate) fn wait<T>(
        &self,
        patience: Duration,
        mut answer: impl FnMut(&mut State) -> Option<T>,
    ) -> Result<T, View> {
        let end = Instant::now() + patience;
        let mut state = self.lock();
        loop {
            if let Some(answer) = answer(&mut state) {
                return Ok(answer);
            }
            let Some(rest) = end.checked_duration_since(Instant::now()) else { return Err(state.view()) };
            state = self.changed.wait_timeout(state, rest).unwrap_or_else(PoisonError::into_inner).0;
        }
    }

    /// Waits for as long as it takes.
    pub(crate) fn wait_forever<T>(&self, mut answer: impl FnMut(&mut State) -> Option<T>) -> T {
        let mut state = self.lock();
        loop {
            if let Some(answer) = answer(&mut state) {
                return answer;
            }
            state = self.changed.wait(state).unwrap_or_else(PoisonError::into_inner);
        }
    }
}

//! A scripted host: the platform's traits in memory and in manual time.
//!
//! [`Fake`] is the test's hand on it. It says what the network looks like, hands packets in and takes them out,
//! moves the clock, makes any one [`Call`] fail, and knows what is in place. [`Fake::host`], [`Fake::io`] and
//! [`Fake::clock`] are what the service gets.

#![forbid(unsafe_code)]

mod fast;
mod fault;
mod host;
mod io;
mod network;
mod state;

use std::net::Ipv6Addr;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::{Duration, SystemTime};

use model::{HostIntent, MacAddress, NetworkSnapshot, Timestamp};
use platform_api::{Clock, HostEvent};

pub use fast::{FakeFast, FastView};
pub use fault::Call;
pub use host::{FakeHost, FakeSockets};
pub use io::{FakeIo, FakePort, FakeTun, FakeWaker};
pub use network::{ETH, ROUTER, ROUTER_MAC, add_ethernet, ipv6_only, pref64_option, unplug};
pub use state::{Sent, View};

use fault::Fault;
use state::{Shared, Sleeper, State};

/// Longer than any snapshot pause of the service, so that each change is looked at.
const STEP: Duration = Duration::from_millis(20);

/// A test that waits longer than this has failed.
const PATIENCE: Duration = Duration::from_secs(10);

/// The test's hand on the host. Clones are the same host.
#[derive(Clone, Debug)]
pub struct Fake {
    shared: Arc<Shared>,
}

impl Default for Fake {
    fn default() -> Self {
        Self::new(NetworkSnapshot::default())
    }
}

impl Fake {
    /// A host that sees `network`. Answers to lookups are made from its routes.
    #[must_use]
    pub fn new(network: NetworkSnapshot) -> Self {
        Self { shared: Arc::new(Shared::new(network)) }
    }

    /// The control half.
    #[must_use]
    pub fn host(&self) -> FakeHost {
        FakeHost::new(Arc::clone(&self.shared))
    }

    /// The packet half.
    #[must_use]
    pub fn io(&self) -> FakeIo {
        FakeIo::new(Arc::clone(&self.shared))
    }

    /// The clock; it stands still unless it is [moved](Self::advance).
    #[must_use]
    pub fn clock(&self) -> Arc<dyn Clock> {
        Arc::new(FakeClock { shared: Arc::clone(&self.shared) })
    }

    /// Lets time pass.
    pub fn advance(&self, time: Duration) {
        self.pass(time);
        self.tell(HostEvent::Changed);
    }

    /// Lets time pass without telling that anything has changed: only who has waited for it goes on.
    pub fn pass(&self, time: Duration) {
        self.shared.pass(time);
    }

    /// What time it is.
    #[must_use]
    pub fn now(&self) -> Timestamp {
        self.shared.look(|state| state.now)
    }

    /// The first moment at which time alone has the service, or a packet thread, go on.
    #[must_use]
    pub fn next(&self) -> Option<Timestamp> {
        self.shared.look(State::next)
    }

    /// Changes the network and says nothing.
    pub fn change(&self, change: impl FnOnce(&mut NetworkSnapshot)) {
        self.shared.change(|state| change(&mut state.network));
    }

    /// The host sleeps and wakes, and says so.
    pub fn sleep(&self, time: Duration) {
        self.shared.pass(time);
        self.tell(HostEvent::Woke);
    }

    /// Changes the network and says that something changed.
    pub fn edit(&self, change: impl FnOnce(&mut NetworkSnapshot)) {
        self.shared.change(|state| change(&mut state.network));
        self.advance(STEP);
    }

    /// A router's option is heard.
    pub fn hear(&self, link: u32, bytes: &[u8]) {
        let router = ROUTER.parse().ok();
        self.tell(HostEvent::RouterOption { link, router, bytes: bytes.to_vec() });
    }

    /// From now on `call` fails.
    pub fn fail(&self, call: Call) {
        self.fail_later(call, 0, None);
    }

    /// After `spared` more successes `call` fails: so many `times`, or until it is [healed](Self::heal).
    pub fn fail_later(&self, call: Call, spared: usize, times: Option<usize>) {
        self.shared.change(|state| state.failing.insert(call, Fault { spared, times }));
    }

    /// `call` works again.
    pub fn heal(&self, call: Call) {
        self.shared.change(|state| state.failing.remove(&call));
    }

    /// Things that a former process left behind.
    pub fn leave_behind(&self, things: &[&str]) {
        self.shared.change(|state| state.stale.extend(things.iter().map(|thing| (*thing).to_owned())));
    }

    /// Somebody else takes our default route away.
    pub fn undo_route(&self) {
        self.shared.change(|state| state.in_place.route = None);
        self.advance(STEP);
    }

    /// Somebody else takes our IPv4 address away, and the kernel the route that needs it.
    pub fn undo_address(&self) {
        self.shared.change(|state| (state.in_place.address, state.in_place.route) = (None, None));
        self.advance(STEP);
    }

    /// Somebody else deletes our tunnels.
    pub fn undo_tunnel(&self) {
        self.shared.change(|state| {
            let tunnels: Vec<u64> = state.tunnels.difference(&state.deleted).copied().collect();
            for tunnel in tunnels {
                state.deleted.insert(tunnel);
                state.remove_tunnel();
            }
        });
        self.advance(STEP);
    }

    /// Stops telling what happens, as a system that is broken would.
    pub fn go_deaf(&self) {
        self.shared.change(|state| state.events = None);
    }

    /// What there is now.
    #[must_use]
    pub fn view(&self) -> View {
        self.shared.look(State::view)
    }

    /// Every intent so far.
    #[must_use]
    pub fn intents(&self) -> Vec<HostIntent> {
        self.shared.look(|state| state.intents.clone())
    }

    /// Every call so far, in order.
    #[must_use]
    pub fn calls(&self) -> Vec<Call> {
        self.shared.look(|state| state.calls.clone())
    }

    /// How often the service has done something that can be seen from here. Together with [`rest`](Self::rest) it tells a
    /// test that runs the service in its own thread when nothing is left to do.
    #[must_use]
    pub fn activity(&self) -> u64 {
        self.shared.look(|state| state.activity)
    }

    /// Whether every tunnel and every port has its thread and its waker, and they have nothing else: ports close a moment
    /// after the threads that have read them.
    #[must_use]
    pub fn is_tended(&self) -> bool {
        self.shared.look(|state| {
            let View { tunnels, ports, wakers, threads, .. } = state.in_place;
            (wakers, threads) == (tunnels + ports, tunnels + ports)
        })
    }

    /// Whether one thread looks after the tunnel and a port, as long as there is little to do. Ask when all rest.
    #[must_use]
    pub fn is_shared(&self) -> bool {
        self.shared.look(State::is_shared)
    }

    /// Waits until every packet thread waits for what has not come yet.
    ///
    /// # Panics
    /// When that takes too long.
    pub fn rest(&self) {
        if let Err(view) = self.shared.rest(PATIENCE) {
            panic!("the packet threads never rest: {view:?}");
        }
    }

    /// Waits until `condition` holds.
    ///
    /// # Panics
    /// When that takes too long; `what` says what was waited for.
    pub fn wait_until(&self, what: &str, condition: impl Fn(&View) -> bool) {
        if let Err(view) = self.shared.wait(PATIENCE, |state| condition(&state.view()).then_some(())) {
            panic!("waited in vain for {what}: {view:?}");
        }
    }

    /// Waits until `call` has been made after the first `after` calls; says how many calls there are then.
    ///
    /// # Panics
    /// When that takes too long.
    pub fn wait_call(&self, call: Call, after: usize) -> usize {
        let made = |calls: &[Call]| calls.get(after..).is_some_and(|new| new.contains(&call));
        match self.shared.wait(PATIENCE, |state| made(&state.calls).then_some(state.calls.len())) {
            Ok(count) => count,
            Err(view) => panic!("waited in vain for {call:?}: {view:?}"),
        }
    }

    /// An app on the host sends an IPv4 packet into the tunnel.
    pub fn app_sends(&self, packet: &[u8]) {
        self.shared.change(|state| state.from_apps.push_back(packet.to_vec()));
    }

    /// Apps send several at the same moment: nobody reads the first before the last is there.
    pub fn apps_send(&self, packets: &[Vec<u8>]) {
        self.shared.change(|state| state.from_apps.extend(packets.iter().cloned()));
    }

    /// The host's own stack says `answers` to what it gets by the tunnel, at once and into the tunnel.
    pub fn host_answers(&self, answers: impl FnMut(&[u8]) -> Option<Vec<u8>> + Send + 'static) {
        self.shared.change(|state| state.kernel.0 = Some(Box::new(answers)));
    }

    /// The next packet that an app gets.
    ///
    /// # Panics
    /// When none comes.
    #[must_use]
    pub fn app_gets(&self) -> Vec<u8> {
        self.shared
            .wait(PATIENCE, |state| state.to_apps.pop_front())
            .unwrap_or_else(|view| panic!("no packet for the apps: {view:?}"))
    }

    /// A neighbour on [`ETH`] sends an IPv6 packet that the port is to see.
    pub fn link_sends(&self, from: MacAddress, packet: &[u8]) {
        self.link_sends_on(ETH, from, packet);
    }

    /// The same on any uplink. Without a port there, it is lost.
    pub fn link_sends_on(&self, link: u32, from: MacAddress, packet: &[u8]) {
        self.shared.change(|state| state.arrive(link, from, packet));
    }

    /// Several packets come in on [`ETH`] at the same moment.
    pub fn link_sends_all(&self, from: MacAddress, packets: &[Vec<u8>]) {
        self.shared.change(|state| packets.iter().for_each(|packet| state.arrive(ETH, from, packet)));
    }

    /// The next thing that left on [`ETH`].
    ///
    /// # Panics
    /// When nothing does.
    #[must_use]
    pub fn link_gets(&self) -> Sent {
        self.link_gets_on(ETH)
    }

    /// The next thing that left on an uplink.
    ///
    /// # Panics
    /// When nothing does.
    #[must_use]
    pub fn link_gets_on(&self, link: u32) -> Sent {
        self.shared
            .wait(PATIENCE, |state| state.to_link.get_mut(&link)?.pop_front())
            .unwrap_or_else(|view| panic!("nothing left on the uplink: {view:?}"))
    }

    /// What has left on the uplinks, by uplink and in order, and has not been taken yet.
    #[must_use]
    pub fn take_sent(&self) -> Vec<(u32, Sent)> {
        self.shared.change(|state| {
            let sent = state.to_link.iter_mut().flat_map(|(link, queue)| queue.drain(..).map(|sent| (*link, sent)));
            sent.collect()
        })
    }

    /// What apps have got and nobody has taken yet.
    #[must_use]
    pub fn take_received(&self) -> Vec<Vec<u8>> {
        self.shared.change(|state| state.to_apps.drain(..).collect())
    }

    /// How many ports are open on an uplink.
    #[must_use]
    pub fn ports_on(&self, link: u32) -> usize {
        self.shared.look(|state| state.open_ports.values().filter(|port| port.link == link).count())
    }

    /// Interfaces on which routers were solicited since the last call.
    #[must_use]
    pub fn take_solicited(&self) -> Vec<u32> {
        self.shared.change(|state| std::mem::take(&mut state.solicited))
    }

    /// Neighbours that were to be resolved since the last call.
    #[must_use]
    pub fn take_resolving(&self) -> Vec<(u32, Ipv6Addr)> {
        self.shared.change(|state| std::mem::take(&mut state.resolving))
    }

    /// Intents since the last call.
    #[must_use]
    pub fn take_intents(&self) -> Vec<HostIntent> {
        self.shared.change(|state| std::mem::take(&mut state.intents))
    }

    /// Calls since the last call of this.
    #[must_use]
    pub fn take_calls(&self) -> Vec<Call> {
        self.shared.change(|state| std::mem::take(&mut state.calls))
    }

    /// Has the service hear something. A queue that is full holds a hint already.
    pub fn tell(&self, event: HostEvent) {
        let events = self.shared.look(|state| state.events.clone());
        if let Some(events) = events {
            // A full queue holds a hint already; a service that has ended hears nothing.
            let _ = events.try_send(event);
        }
    }
}

#[derive(Debug)]
struct FakeClock {
    shared: Arc<Shared>,
}

impl Clock for FakeClock {
    fn now(&self) -> Timestamp {
        self.shared.change(|state| {
            state.activity += 1;
            state.now
        })
    }

    fn wall(&self) -> SystemTime {
        // 2023-11-14, for documents that look real.
        SystemTime::UNIX_EPOCH + Duration::from_secs(1_700_000_000) + self.now().since_start()
    }

    fn sleep(&self, time: Duration) -> Pin<Box<dyn Future<Output = ()> + Send>> {
        let (number, end) = self.shared.change(|state| (state.number(), state.now + time));
        Box::pin(FakeSleep { shared: Arc::clone(&self.shared), number, end })
    }
}

/// A wait for virtual time.
#[derive(Debug)]
struct FakeSleep {
    shared: Arc<Shared>,
    number: u64,
    end: Timestamp,
}

impl Future for FakeSleep {
    type Output = ();

    fn poll(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<()> {
        self.shared.change(|state| {
            if self.end <= state.now {
                return Poll::Ready(());
            }
            state.sleepers.insert(self.number, Sleeper { end: self.end, waker: context.waker().clone() });
            Poll::Pending
        })
    }
}

impl Drop for FakeSleep {
    fn drop(&mut self) {
        self.shared.change(|state| state.sleepers.remove(&self.number));
    }
}

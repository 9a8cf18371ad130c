use std::io;
use std::net::{Ipv6Addr, TcpStream, UdpSocket};
use std::sync::Arc;

use model::{Applied, HostIntent, MacAddress, NetworkSnapshot, StepFailure};
use platform_api::{EVENT_QUEUE, Host, HostError, HostEvent, Observe, TunId, UplinkSockets};
use tokio::sync::mpsc;

use crate::Call;
use crate::network::seen;
use crate::state::{Shared, State};

/// The control half of the scripted host.
#[derive(Debug)]
pub struct FakeHost {
    shared: Arc<Shared>,
}

impl FakeHost {
    pub(crate) fn new(shared: Arc<Shared>) -> Self {
        Self { shared }
    }

    fn call(&self, call: Call) -> Result<(), HostError> {
        self.shared.change(|state| state.call(call)).map_err(|_| call.host_error())
    }
}

impl Observe for FakeHost {
    fn subscribe(&mut self) -> Result<mpsc::Receiver<HostEvent>, HostError> {
        self.call(Call::Subscribe)?;
        let (sender, receiver) = mpsc::channel(EVENT_QUEUE);
        self.shared.change(|state| state.events = Some(sender));
        Ok(receiver)
    }

    async fn snapshot(&mut self, lookups: &[Ipv6Addr], _own: Option<&TunId>) -> Result<NetworkSnapshot, HostError> {
        self.call(Call::Snapshot)?;
        Ok(self.shared.look(|state| seen(&state.network, lookups, state.in_place.route.as_ref())))
    }
}

impl Host for FakeHost {
    type Sockets = FakeSockets;

    fn sockets(&self) -> FakeSockets {
        FakeSockets
    }

    async fn apply(&mut self, intent: &HostIntent, own: Option<&TunId>) -> Applied {
        self.shared.change(|state| {
            state.intents.push(intent.clone());
            let mut failures = Vec::new();
            put(state, intent, own, &mut failures);
            take_away(state, intent, &mut failures);
            Applied { failures, ..found(state, intent) }
        })
    }

    fn in_place(&self, intent: &HostIntent) -> Option<Applied> {
        self.shared.look(|state| (state.in_place.tunnels > 0).then(|| found(state, intent)))
    }

    async fn cleanup_stale(&mut self) -> Result<Vec<String>, HostError> {
        self.call(Call::CleanupStale)?;
        Ok(self.shared.change(|state| {
            state.in_place.silent.clear();
            std::mem::take(&mut state.stale)
        }))
    }

    fn solicit_routers(&mut self, link: u32, _mac: Option<MacAddress>) -> Result<(), HostError> {
        self.call(Call::SolicitRouters)?;
        self.shared.change(|state| state.solicited.push(link));
        Ok(())
    }

    async fn resolve_neighbour(&mut self, link: u32, address: Ipv6Addr) -> Result<(), HostError> {
        self.call(Call::ResolveNeighbour)?;
        self.shared.change(|state| state.resolving.push((link, address)));
        Ok(())
    }
}

/// One step; says whether it was done.
fn step(state: &mut State, call: Call, failures: &mut Vec<StepFailure>) -> bool {
    match state.call(call) {
        Ok(()) => true,
        Err(error) => {
            failures.push(StepFailure { step: format!("{call:?}"), error: error.to_string() });
            false
        }
    }
}

/// What of `intent` there is.
fn found(state: &State, intent: &HostIntent) -> Applied {
    let in_place = &state.in_place;
    let without = intent.default_v4.clone().filter(|route| !route.leads && in_place.route.is_none());
    let route = in_place.route.clone().or(without).filter(|route| in_place.address == Some(route.address));
    let silent = intent.silent_v6.iter().copied().filter(|silent| in_place.silent.contains(silent));
    Applied { generation: intent.generation, default_v4: route, silent_v6: silent.collect(), failures: Vec::new() }
}

fn put(state: &mut State, intent: &HostIntent, own: Option<&TunId>, failures: &mut Vec<StepFailure>) {
    if let Some(route) = &intent.default_v4 {
        if own.is_none() || state.in_place.tunnels == 0 {
            let error = "there is no tunnel to put it on".to_owned();
            return failures.push(StepFailure { step: "AddAddress".into(), error });
        }
        if state.in_place.address != Some(route.address) && step(state, Call::AddAddress, failures) {
            state.in_place.address = Some(route.address);
        }
        if state.in_place.device_mtu != Some(route.device_mtu) && step(state, Call::SetMtu, failures) {
            state.in_place.device_mtu = Some(route.device_mtu);
        }
        let reachable = state.in_place.address == Some(route.address);
        let there = state.in_place.route.as_ref() == Some(route);
        if !route.leads && state.in_place.route.is_some() && step(state, Call::RemoveRoute, failures) {
            state.in_place.route = None;
        }
        if route.leads && reachable && !there && step(state, Call::AddRoute, failures) {
            state.in_place.route = Some(route.clone());
        }
    }
    for silent in &intent.silent_v6 {
        if !state.in_place.silent.contains(silent) && step(state, Call::Silence, failures) {
            state.in_place.silent.push(*silent);
        }
    }
}

fn take_away(state: &mut State, intent: &HostIntent, failures: &mut Vec<StepFailure>) {
    if intent.default_v4.is_none() {
        if state.in_place.route.is_some() && step(state, Call::RemoveRoute, failures) {
            state.in_place.route = None;
        }
        if state.in_place.address.is_some() && step(state, Call::RemoveAddress, failures) {
            state.in_place.address = None;
        }
    }
    let needless = |silent: &Ipv6Addr| !intent.silent_v6.contains(silent);
    if state.in_place.silent.iter().any(needless) && step(state, Call::Unsilence, failures) {
        state.in_place.silent.retain(|silent| intent.silent_v6.contains(silent));
    }
}

/// Sockets of uplinks on which no resolver can be reached.
#[derive(Clone, Copy, Debug, Default)]
pub struct FakeSockets;

impl UplinkSockets for FakeSockets {
    fn udp(&self, _: u32, _: u16) -> io::Result<UdpSocket> {
        Err(io::ErrorKind::NetworkUnreachable.into())
    }

    fn tcp(&self, _: u32) -> io::Result<TcpStream> {
        Err(io::ErrorKind::NetworkUnreachable.into())
    }
}

//! The scripted fast path. It translates nothing: a test says that a packet goes by it, and it says whether it would.

use std::collections::BTreeMap;
use std::io;
use std::sync::Arc;
use std::time::Duration;

use model::{FastReason, FlowKey, Timestamp};
use platform_api::{FastConfig, FastFlow, FastLane, FastRefusal, FastSeed, FastTotals, TunId};

use crate::Fake;
use crate::state::{Shared, State};

/// What is known of the fast path. There is none unless [`Fake::offer_fast_path`] says so.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct FastView {
    /// Between which tunnel and which uplinks.
    pub attached: Option<(u32, Vec<u32>)>,
    /// By what it translates; `None`: it does not.
    pub config: Option<FastConfig>,
    /// What apps send passes on.
    pub held: bool,
    /// Flows, and what their apps expect next.
    pub flows: BTreeMap<FlowKey, u32>,
    /// How often a flow was taken.
    pub admitted: usize,
}

#[derive(Debug, Default)]
pub(crate) struct FastState {
    offered: bool,
    view: FastView,
    flows: BTreeMap<FlowKey, Flow>,
    totals: FastTotals,
    answered: Option<Timestamp>,
}

#[derive(Clone, Copy, Debug)]
struct Flow {
    sent: Timestamp,
    answered: Option<Timestamp>,
}

impl Fake {
    /// The system has a fast path.
    pub fn offer_fast_path(&self) {
        self.shared.change(|state| state.fast.offered = true);
    }

    /// What is known of it now.
    #[must_use]
    pub fn fast(&self) -> FastView {
        self.shared.look(|state| state.fast.view.clone())
    }

    /// Waits until the fast path is as it should be.
    ///
    /// # Panics
    /// When that takes too long; `what` says what was waited for.
    pub fn wait_fast(&self, what: &str, condition: impl Fn(&FastView) -> bool) {
        let done = |state: &mut State| condition(&state.fast.view).then_some(());
        if self.shared.wait(crate::PATIENCE, done).is_err() {
            panic!("waited in vain for {what}: {:?}", self.fast());
        }
    }

    /// An app sends a packet of so many bytes, expecting the byte `expects` next. Whether it goes by the fast path; if not,
    /// it is to [be sent](Fake::app_sends) to the tunnel.
    #[must_use]
    pub fn fast_sends(&self, key: &FlowKey, expects: u32, bytes: u64) -> bool {
        self.shared.change(|state| {
            let (now, fast) = (state.now, &mut state.fast);
            let known = fast.flows.get_mut(key).filter(|_| fast.view.config.is_some() && !fast.view.held);
            let Some(flow) = known else { return false };
            flow.sent = now;
            fast.view.flows.insert(*key, expects);
            fast.totals.packets_out += 1;
            fast.totals.bytes_out += bytes;
            true
        })
    }

    /// The network answers a flow by so many bytes. Whether that goes by the fast path.
    #[must_use]
    pub fn fast_gets(&self, key: &FlowKey, bytes: u64) -> bool {
        self.shared.change(|state| {
            let (now, fast) = (state.now, &mut state.fast);
            let known = fast.flows.get_mut(key).filter(|_| fast.view.config.is_some());
            let Some(flow) = known else { return false };
            (flow.answered, fast.answered) = (Some(now), Some(now));
            fast.totals.packets_in += 1;
            fast.totals.bytes_in += bytes;
            true
        })
    }

    /// A frame above 64 KiB comes by.
    pub fn fast_sees_huge_frame(&self) {
        self.shared.change(|state| state.fast.totals.huge += 1);
    }
}

/// The packet half's fast path.
#[derive(Debug)]
pub struct FakeFast {
    shared: Arc<Shared>,
}

pub(crate) fn make(shared: &Arc<Shared>) -> Result<FakeFast, FastRefusal> {
    match shared.look(|state| state.fast.offered) {
        true => Ok(FakeFast { shared: Arc::clone(shared) }),
        false => Err(FastRefusal::new(FastReason::Unsupported, "this system has none")),
    }
}

impl FakeFast {
    fn change<T>(&self, change: impl FnOnce(Timestamp, &mut FastState) -> T) -> T {
        self.shared.change(|state| {
            state.activity += 1;
            change(state.now, &mut state.fast)
        })
    }
}

impl FastLane for FakeFast {
    fn attach(&self, tun: &TunId, links: &[u32]) -> Result<Vec<u32>, FastRefusal> {
        self.change(|_, fast| fast.view.attached = Some((tun.index, links.to_vec())));
        Ok(links.to_vec())
    }

    fn detach(&self) {
        self.change(|_, fast| fast.view.attached = None);
    }

    fn start(&self, config: &FastConfig) -> io::Result<()> {
        self.change(|_, fast| {
            fast.view.config = Some(config.clone());
            // Those it was told of before are none any more.
            fast.flows.clear();
            fast.view.flows.clear();
        });
        Ok(())
    }

    fn stop(&self) {
        self.change(|_, fast| fast.view.config = None);
    }

    fn hold(&self, held: bool) {
        self.change(|_, fast| fast.view.held = held);
    }

    fn admit(&self, key: &FlowKey, seed: &FastSeed) -> io::Result<()> {
        self.change(|now, fast| {
            fast.flows.insert(*key, Flow { sent: now, answered: None });
            fast.view.flows.insert(*key, seed.expects);
            fast.view.admitted += 1;
        });
        Ok(())
    }

    fn remove(&self, key: &FlowKey) {
        self.change(|_, fast| {
            fast.flows.remove(key);
            fast.view.flows.remove(key);
        });
    }

    fn flows(&self) -> Vec<(FlowKey, FastFlow)> {
        self.change(|now, fast| {
            let seen = fast.flows.iter().map(|(key, flow)| {
                let expects = fast.view.flows.get(key).copied().unwrap_or_default();
                let answered = flow.answered.map(|at| now.since(at));
                (*key, FastFlow { expects, sent: now.since(flow.sent), answered })
            });
            seen.collect()
        })
    }

    fn clear(&self) {
        self.change(|_, fast| {
            fast.flows.clear();
            fast.view.flows.clear();
        });
    }

    fn totals(&self) -> FastTotals {
        let now = |state: &State| state.now;
        self.shared.look(|state| {
            let answered: Option<Duration> = state.fast.answered.map(|at| now(state).since(at));
            FastTotals { answered, ..state.fast.totals }
        })
    }
}

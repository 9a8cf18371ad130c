//! What becomes of flows when X changes: they go on where they began as long as that works, or their apps are told.

use std::net::{Ipv4Addr, Ipv6Addr};
use std::time::Duration;

use model::{PlaneConfig, State, Timestamp};

use super::{Engine, SpareState};
use crate::Action;
use crate::decide::{Path, Trouble};
use crate::flow::Ending;

/// On the uplink that is left for a better one, flows go on for so long: most are over by then, and who still has one is
/// to have the better uplink, too.
const LINGER: Duration = Duration::from_secs(30);

/// An uplink that still works was left for a better one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Lingering {
    pub(super) link: u32,
    pub(super) until: Timestamp,
}

/// Where flows begin: the host's address on the tunnel, and X.
type Home = (Ipv4Addr, Ipv6Addr);

impl Engine {
    /// `old` has been left. Whoever still works there may go on.
    pub(super) fn leave(&mut self, old: &PlaneConfig, now: Timestamp) {
        let link = old.uplink.link;
        let works = |path: &Path| path.link == link && path.trouble == Trouble::None;
        let lingers = self.second.as_ref().is_some_and(works);
        self.lingering = lingers.then(|| Lingering { link, until: now + LINGER });
    }

    /// Whether flows that began on the uplink go on there.
    pub(super) fn lingers(&self, link: u32) -> bool {
        self.lingering.is_some_and(|lingering| lingering.link == link)
    }

    /// Ends what has lasted long enough, or leads nowhere any more.
    pub(super) fn end_lingering(&mut self, now: Timestamp) {
        let second = self.second.as_ref().filter(|path| path.trouble == Trouble::None).map(|path| path.link);
        self.lingering.take_if(|lingering| lingering.until <= now || Some(lingering.link) != second);
    }

    /// Has apps told whose flows can no longer go on, once there is an address by which they can be told.
    pub(super) fn strand(&mut self) {
        let Some(plane) = self.plane.as_ref().filter(|plane| plane.started) else { return };
        if !self.apps_have_an_address() {
            return;
        }
        let home = |config: &PlaneConfig| (config.v4, config.v6);
        let beside = self.spare.iter().chain(&self.twin).filter(|spare| spare.config.lingers);
        let homes: Vec<Home> =
            std::iter::once(home(&plane.config)).chain(beside.map(|spare| home(&spare.config.plane))).collect();
        if self.homes.iter().any(|home| !homes.contains(home)) {
            self.push(Action::EndFlows(Ending::Stranded));
        }
        self.homes = homes;
    }

    /// IPv4 goes another way from now on, and takes no flow with it. To be told while the address is still there.
    pub(super) fn end_all_flows(&mut self, state: State) {
        let elsewhere = match state {
            State::StandbyNative | State::StandbyOs => true,
            // They may go on when this is over.
            State::Working | State::Checking | State::Limited | State::Down | State::Paused | State::NoNetwork => false,
        };
        if elsewhere && self.plane.is_some() && self.apps_have_an_address() {
            self.push(Action::EndFlows(Ending::All));
            self.homes.clear();
        }
    }

    /// Without one, nothing that is said to them arrives.
    fn apps_have_an_address(&self) -> bool {
        self.applied.default_v4.is_some() && self.requested.default_v4.is_some()
    }
}

/// A spare in which the uplink or the X that is left is kept.
pub(super) fn left(old: &super::PlaneState, answers: bool) -> SpareState {
    let config = model::SpareConfig { plane: old.config.clone(), answers, lingers: answers };
    SpareState { config, started: old.started, claimed: answers && old.claimed }
}

//! Taking down what is armed, and having the host changed.

use std::net::Ipv6Addr;

use model::{Code, HostIntent, Ipv4Default, State, Timestamp};

use super::Engine;
use crate::Action;
use crate::rearm::loss_reason;

impl Engine {
    /// Takes everything down and asks everyone anew; what is known stays until it is contradicted, so that IPv4 is back
    /// at once.
    pub(super) fn rearm(&mut self, now: Timestamp) {
        self.lost("asked-for", now);
        self.withdraw(now);
        self.stop_plane();
        self.failures.clear();
        self.spare_failure = None;
        self.undone = None;
        self.claims.clear();
        self.health.restart();
        self.path_mtu.restart();
        self.portals.restart(now);
        self.check_points.clear();
        self.asked_points.clear();
        self.solicitor.restart(now);
        self.asker.restart();
        self.push(Action::Refresh);
    }

    pub(super) fn stand_back(&mut self, state: State, code: Code, now: Timestamp) {
        self.resolving.clear();
        self.failures.clear();
        // What was found out about a way says nothing about it when it is needed again.
        self.health.restart();
        self.path_mtu.restart();
        self.lost(loss_reason(state, code), now);
        self.end_all_flows(state);
        self.withdraw(now);
        self.stop_plane();
    }

    /// Has everything of ours taken off the host; asks again, ever less often, as long as something stays.
    pub(super) fn withdraw(&mut self, now: Timestamp) {
        let asked = self.requested.is_empty();
        let answered = self.applied.generation == self.requested.generation;
        let again = answered && self.cleanup.is_some_and(|backoff| backoff.is_due(now));
        if self.host_dirty && (!asked || again) {
            self.apply(None, Vec::new());
        }
    }

    pub(super) fn stop_plane(&mut self) {
        if self.plane.take().is_some() {
            self.push(Action::StopPlane);
            self.push(Action::StatusChanged);
        }
        // They end with the plane.
        self.spare = None;
        self.lingering = None;
        self.twin = None;
        self.former = None;
        for claim in self.claims.values_mut() {
            (claim.address, claim.owned) = (None, false);
        }
        // The tunnel takes address and route with it.
        self.applied.default_v4 = None;
    }

    pub(super) fn apply(&mut self, default_v4: Option<Ipv4Default>, silent_v6: Vec<Ipv6Addr>) {
        self.note_intent(default_v4.as_ref(), &silent_v6);
        self.generation = self.generation.next();
        self.requested = HostIntent { generation: self.generation, default_v4, silent_v6 };
        self.host_dirty |= !self.requested.is_empty();
        self.push(Action::Apply(self.requested.clone()));
    }
}

//! What there is to tell about losses and re-armings.

use std::net::Ipv6Addr;

use model::{Departure, Ipv4Default, PlaneConfig, RearmStep, State, Timestamp};

use super::Engine;
use crate::Action;
use crate::decide::{Decision, Path, candidates, uplinks};
use crate::health::Place;
use crate::rearm::loss_reason;

impl Engine {
    /// IPv4 is lost because `path` is to be taken in place of what is armed.
    pub(super) fn lost_for(&mut self, path: &Path, reason: &'static str, now: Timestamp) {
        self.lost(reason, now);
        let old = self.plane.as_ref().map(|plane| &plane.config).filter(|old| old.uplink.link != path.link);
        if let Some(why) = old.map(|old| self.departure(old, now)) {
            self.rearming.left(why);
        }
    }

    /// What speaks against the uplink of `old`, weightiest first.
    fn departure(&self, old: &PlaneConfig, now: Timestamp) -> Departure {
        let (link, pref64) = (old.uplink.link, old.pref64);
        let Some(snapshot) = &self.snapshot else { return Departure::LinkLost };
        let Some(there) = snapshot.links.get(&link).filter(|there| there.is_usable()) else {
            return Departure::LinkLost;
        };
        let prefix = there.global_v6().map(|(net, _)| net.trunc()).find(|net| net.contains(&old.v6));
        if !uplinks(snapshot, &self.settings).iter().any(|(uplink, _)| uplink.index == link) {
            Departure::RouteLost
        } else if !candidates(link, &self.discovery, &self.settings).iter().any(|known| known.prefix == pref64) {
            Departure::PrefixLost
        } else if prefix.is_none_or(|prefix| self.is_refused(link, prefix, now)) {
            Departure::Refused
        } else if self.portals.on(link).is_some() {
            Departure::CaptivePortal
        } else if self.health.is_dead(Place { link, pref64 }) {
            Departure::PathDead
        } else if self.health.is_silent(link, old.uplink.gateway).is_some() {
            Departure::GatewaySilent
        } else {
            Departure::BetterUplink
        }
    }

    /// The plane is about to become what `config` says.
    pub(super) fn note_plane(&mut self, config: &PlaneConfig) {
        let line = |config: &PlaneConfig| (config.uplink.link, config.uplink.mac, config.v6);
        let ready = |spare: &super::SpareState| spare.started && line(&spare.config.plane) == line(config);
        self.rearming.replaced();
        match &self.plane {
            None => self.rearming.note(RearmStep::OpenedTunnel),
            Some(old) if old.config.uplink.link == config.uplink.link => {}
            Some(_) if self.spare.as_ref().is_some_and(ready) => self.rearming.note(RearmStep::TookReserve),
            Some(_) => self.rearming.note(RearmStep::OpenedUplink),
        }
    }

    /// The host is about to be asked for this.
    pub(super) fn note_intent(&mut self, default_v4: Option<&Ipv4Default>, silent_v6: &[Ipv6Addr]) {
        let Some(route) = default_v4 else { return };
        let again = self.requested.default_v4.as_ref() == Some(route) && self.requested.silent_v6 == silent_v6;
        let there = self.applied.default_v4.as_ref();
        let leads = there.is_some_and(|there| there.leads);
        if route.leads && (!leads || again && there != Some(route)) {
            self.rearming.note(RearmStep::PutRouteBack);
        }
        if again && self.applied.silent_v6 != silent_v6 {
            self.rearming.note(RearmStep::SilencedKernel);
        }
    }

    /// Whether anybody misses us, while we are not armed.
    pub(super) fn note_standby(&mut self, now: Timestamp) {
        match &self.decision {
            Decision::Stand {
                state: state @ (State::StandbyNative | State::StandbyOs | State::Paused), code, ..
            } => self.rearming.not_missed(loss_reason(*state, *code), now),
            // A VPN has IPv4 and nobody misses us, except perhaps the VPN.
            Decision::Arm(path) if path.beneath.is_some() => self.rearming.not_missed("native-ipv4", now),
            Decision::Stand { .. } | Decision::Arm(_) => self.rearming.missed(),
        }
    }

    /// IPv4 may be armed now, again perhaps.
    pub(super) fn count_rearm(&mut self, now: Timestamp) {
        let in_place = self.requested.default_v4 == self.applied.default_v4;
        let leads = self.applied.default_v4.as_ref().is_some_and(|route| route.leads);
        let Some(plane) = self.plane.as_ref().filter(|plane| plane.started && in_place && leads) else { return };
        if self.plane_in_use().is_none() {
            return;
        }
        if let Some(rearmed) = self.rearming.armed(&plane.config, now).cloned() {
            self.push(Action::Rearmed(rearmed));
            self.push(Action::StatusChanged);
        }
    }

    /// IPv4 is seen to work.
    pub(super) fn note_reply(&mut self, now: Timestamp) {
        if self.rearming.replied(now) {
            self.push(Action::StatusChanged);
        }
    }
}

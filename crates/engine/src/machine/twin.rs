//! A second X on the uplink in use. When the NAT64 prefix changes, X stays, and each packet's checksums have to be
//! adjusted; an X that makes this unnecessary (RFC 6052 section 4.1) is claimed in the background, and taken once nobody
//! has objected. Flows that know the former X go on with it until they end. The same when the /64 of X is deprecated: its
//! successor is taken in another one.

use std::net::Ipv6Addr;

use ipnet::Ipv6Net;
use model::{Generation, MacAddress, PlaneConfig, PlaneEvent, Pref64, SpareConfig, Timestamp};

use super::doubt::nets;
use super::{Engine, MAX_DUPLICATES, SpareState};
use crate::Action;
use crate::address::clat_address;
use crate::decide::{Decision, Path};

/// The X that flows began with, and where.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Former {
    link: u32,
    mac: MacAddress,
    v6: Ipv6Addr,
    /// How often it had come into doubt when it was left.
    round: u32,
}

/// The search for an X that suits a prefix.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Search {
    prefix: Ipv6Net,
    pref64: Pref64,
    /// How many of its addresses were taken.
    tries: u8,
}

impl Engine {
    /// Brings the second X in line with what should be beside the one in use.
    pub(super) fn prepare_twin(&mut self) {
        // What goes on beside a plane that is just changing goes on.
        if !self.plane.as_ref().is_some_and(|plane| plane.started) {
            return;
        }
        let wanted = self.wanted_twin();
        let current = self.twin.as_ref().map(|twin| SpareConfig {
            plane: PlaneConfig { generation: Generation::default(), ..twin.config.plane.clone() },
            ..twin.config
        });
        if current == wanted {
            return;
        }
        let Some(mut config) = wanted else {
            self.twin = None;
            // Once nobody answers for it, it may become somebody else's.
            self.former = None;
            return self.push(Action::SetTwin(None));
        };
        self.generation = self.generation.next();
        config.plane.generation = self.generation;
        self.twin = Some(SpareState { config: config.clone(), started: false, claimed: false });
        self.push(Action::SetTwin(Some(config)));
    }

    fn wanted_twin(&mut self) -> Option<SpareConfig> {
        let Decision::Arm(path) = &self.decision else { return None };
        let path = path.clone();
        let plane = self.plane.as_ref().filter(|plane| plane.started && plane.config.uplink.link == path.link)?;
        let used = plane.config.clone();
        let here = |former: &Former| (former.link, former.mac) == (used.uplink.link, used.uplink.mac);
        let attached = self.snapshot.as_ref().and_then(|snapshot| snapshot.links.get(&path.link));
        let attached = attached.map(nets).unwrap_or_default();
        let is_there = |former: &Former| former.v6 != used.v6 && attached.iter().any(|net| net.contains(&former.v6));
        self.former.take_if(|former| !here(former) || !is_there(former));
        if let Some(former) = self.former {
            let owned = former.round == self.round_of(former.v6);
            return Some(self.beside(&used, former.v6, owned, true));
        }
        let settled = plane.claimed && self.applied.default_v4.is_some();
        let suits = !path.pref64.is_neutral_possible() || xlat::is_neutral(used.v4, used.v6, path.pref64);
        if !settled || path.is_withheld() {
            return None;
        }
        if let Some(next) = path.successor.map(|prefix| Path { prefix, ..path.clone() }) {
            let exhausted = self.is_out_of_addresses(&next);
            let v6 = self.claim(&next);
            return (!exhausted).then(|| self.beside(&used, v6, false, false));
        }
        if suits {
            return None;
        }
        let v6 = self.suitable(&path)?;
        Some(self.beside(&used, v6, false, false))
    }

    /// Another X on the same uplink; its generation is still to be given.
    fn beside(&self, used: &PlaneConfig, v6: Ipv6Addr, owned: bool, lingers: bool) -> SpareConfig {
        let (generation, round) = (Generation::default(), self.round_of(v6));
        SpareConfig { plane: PlaneConfig { generation, v6, round, owned, ..used.clone() }, answers: true, lingers }
    }

    /// How often the /64 of an X has come into doubt.
    pub(super) fn round_of(&self, v6: Ipv6Addr) -> u32 {
        self.claims.iter().find(|(net, _)| net.contains(&v6)).map_or(0, |(_, claim)| claim.round)
    }

    /// An X that suits the prefix in use, unless too many of them were taken.
    fn suitable(&mut self, path: &Path) -> Option<Ipv6Addr> {
        let place = (path.prefix, path.pref64);
        let search = self.search.filter(|search| (search.prefix, search.pref64) == place);
        let search = search.unwrap_or(Search { prefix: path.prefix, pref64: path.pref64, tries: 0 });
        self.search = Some(search);
        let claim = self.claims.get(&path.prefix)?;
        let attempt = claim.attempt.wrapping_add(search.tries);
        (search.tries < MAX_DUPLICATES).then(|| clat_address(&self.secret, path.prefix, attempt, path.v4, path.pref64))
    }

    pub(super) fn on_twin(&mut self, event: &PlaneEvent, now: Timestamp) {
        let Some(twin) = &mut self.twin else { return };
        let v6 = twin.config.plane.v6;
        match *event {
            PlaneEvent::Started { .. } => twin.started = true,
            PlaneEvent::Claimed(address) if address == v6 => {
                twin.claimed = true;
                if !twin.config.lingers {
                    self.take_twin();
                }
            }
            PlaneEvent::Duplicate(address) if address == v6 => self.give_up_twin(Some(address), now),
            PlaneEvent::Failed(_) => self.give_up_twin(None, now),
            PlaneEvent::Abandoned => self.former = None,
            PlaneEvent::Claimed(_)
            | PlaneEvent::Duplicate(_)
            | PlaneEvent::FirstReply
            | PlaneEvent::Traffic
            | PlaneEvent::GatewayAnswered
            | PlaneEvent::ProbeAnswered(_)
            | PlaneEvent::Unacknowledged { .. }
            | PlaneEvent::Passed { .. }
            | PlaneEvent::FlowsEnded(_) => {}
        }
    }

    /// The second X is ours: what follows is for whoever arms.
    fn take_twin(&mut self) {
        let Some(v6) = self.twin.as_ref().map(|twin| twin.config.plane.v6) else { return };
        if self.is_successor(v6) {
            return self.owned(v6);
        }
        let Some(search) = self.search else { return };
        if let Some(claim) = self.claims.get_mut(&search.prefix) {
            claim.attempt = claim.attempt.wrapping_add(search.tries);
            (claim.address, claim.owned) = (Some(v6), true);
        }
    }

    /// Whether it is the X that was chosen in the /64 that follows.
    fn is_successor(&self, v6: Ipv6Addr) -> bool {
        self.claims.values().any(|claim| claim.address == Some(v6))
    }

    /// Somebody else has it, or it cannot be had: there are others, up to a point.
    fn give_up_twin(&mut self, taken: Option<Ipv6Addr>, now: Timestamp) {
        if self.former.take().is_some() {
            return;
        }
        if let Some(taken) = taken.filter(|taken| self.is_successor(*taken)) {
            self.taken(taken, now);
        } else if let Some(search) = &mut self.search {
            search.tries = search.tries.saturating_add(1);
        }
    }

    /// Whether `config` is what the second X was claimed for.
    pub(super) fn is_twin(&self, config: &PlaneConfig) -> bool {
        self.twin.as_ref().is_some_and(|twin| line(&twin.config.plane) == line(config))
    }

    /// X was changed for the one beside it; the former is kept for the flows that know it.
    pub(super) fn change_places(&mut self, old: &super::PlaneState) {
        let config = &old.config;
        let (link, mac) = (config.uplink.link, config.uplink.mac);
        self.former = Some(Former { link, mac, v6: config.v6, round: config.round });
        self.twin = Some(super::flows::left(old, true));
    }
}

fn line(config: &PlaneConfig) -> (u32, MacAddress, Ipv6Addr) {
    (config.uplink.link, config.uplink.mac, config.v6)
}

//! The way in use, as it is watched.

use std::collections::VecDeque;
use std::net::{Ipv4Addr, Ipv6Addr};
use std::time::Duration;

use model::{ProbeTarget, Timestamp};

use super::{Place, Targets, Want};

/// Solicitations to a gateway, and how long each may take. Three as by RFC 4861 section 10, but not a second apart: they
/// go to a link-layer address that is known, and moving costs less than waiting.
const GATEWAY_TRIES: u8 = 3;
pub(super) const GATEWAY_PATIENCE: Duration = Duration::from_millis(250);
/// While nothing comes back, the gateway is asked again so often.
const GATEWAY_AGAIN: Duration = Duration::from_secs(5);
/// Packets that get no reply for so long are worth asking who is to blame for.
const MUTE: Duration = Duration::from_secs(1);
/// So many destinations have to be silent together.
const SEVERAL: usize = 2;
/// Who answered longer ago than this may have gone for reasons of his own.
const LATELY: Duration = Duration::from_secs(600);
/// Suspicion has the servers asked no more often than this: one-way traffic is always suspicious.
const CALM: Duration = Duration::from_secs(30);

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Gateway {
    Unasked,
    Asking { tries: u8, next: Timestamp },
    Answered { at: Timestamp },
}

/// Rounds of probes under way.
#[derive(Clone, Debug)]
pub(super) struct Check {
    pub(super) round: u8,
    pub(super) next: Timestamp,
    pub(super) targets: Vec<ProbeTarget<Ipv4Addr>>,
    /// Silence began it; it ends with the traffic.
    pub(super) suspicion: bool,
    /// The other uplink's way is asked the same: so many rounds, unless it has answered.
    pub(super) spare: Option<(Place, u8)>,
}

/// The way in use.
#[derive(Clone, Debug)]
pub(super) struct Watch {
    pub(super) place: Place,
    pub(super) v6: Ipv6Addr,
    /// The next hop.
    pub(super) router: Ipv6Addr,
    pub(super) totals: Option<(u64, u64)>,
    /// `None`: nothing flows, and the plane will say when something does.
    pub(super) sample: Option<Timestamp>,
    pub(super) quiet: u8,
    /// Packets have gone out since then and nothing has come back.
    pub(super) mute_since: Option<Timestamp>,
    pub(super) mute: Vec<Ipv4Addr>,
    pub(super) gateway: Gateway,
    pub(super) check: Option<Check>,
    pub(super) last_proof: Option<Timestamp>,
    pub(super) last_check: Option<Timestamp>,
    /// When silence last had somebody asked.
    pub(super) last_suspicion: Option<Timestamp>,
}

impl Watch {
    pub(super) fn proof(&mut self, now: Timestamp) {
        self.last_proof = Some(now);
        self.forget_suspicion();
    }

    pub(super) fn forget_suspicion(&mut self) {
        self.mute_since = None;
        self.mute.clear();
        self.gateway = Gateway::Unasked;
        self.check = None;
    }

    /// Asks the gateway as long as nothing comes back. `true`: it does not answer.
    pub(super) fn ask_gateway(&mut self, now: Timestamp, wants: &mut Vec<Want>) -> bool {
        let ask = Want::AskGateway { link: self.place.link, router: self.router };
        match self.gateway {
            Gateway::Asking { tries, next } if next <= now => {
                if tries >= GATEWAY_TRIES {
                    self.gateway = Gateway::Unasked;
                    return true;
                }
                self.gateway = Gateway::Asking { tries: tries + 1, next: now + GATEWAY_PATIENCE };
                wants.push(ask);
            }
            Gateway::Unasked if self.mute_since.is_some() => {
                self.gateway = Gateway::Asking { tries: 1, next: now + GATEWAY_PATIENCE };
                wants.push(ask);
            }
            Gateway::Answered { at } if self.mute_since.is_some() && now.since(at) >= GATEWAY_AGAIN => {
                self.gateway = Gateway::Asking { tries: 1, next: now + GATEWAY_PATIENCE };
                wants.push(ask);
            }
            Gateway::Unasked | Gateway::Asking { .. } | Gateway::Answered { .. } => {}
        }
        false
    }

    /// When the check servers are to be asked without any suspicion.
    fn routine(&self, targets: &Targets) -> Option<Timestamp> {
        if !targets.enabled || targets.servers.is_empty() || targets.interval.is_zero() {
            return None;
        }
        let last = self.last_proof.max(self.last_check);
        Some(last.map_or(Timestamp::ZERO, |last| last + targets.interval))
    }

    /// Whom to ask now, if anybody.
    pub(super) fn whom_to_ask(
        &self,
        targets: &Targets,
        answered: &VecDeque<(Ipv4Addr, Timestamp)>,
        now: Timestamp,
    ) -> Option<(Vec<ProbeTarget<Ipv4Addr>>, bool)> {
        if self.routine(targets).is_some_and(|at| at <= now) {
            return Some((targets.servers.clone(), false));
        }
        let calm = self.last_suspicion.is_none_or(|last| now.since(last) >= CALM);
        let suspicious = calm
            && self.mute_since.is_some_and(|since| now.since(since) >= MUTE)
            && matches!(self.gateway, Gateway::Answered { .. });
        if !suspicious {
            return None;
        }
        if !targets.servers.is_empty() {
            return Some((targets.servers.clone(), true));
        }
        let lately = answered.iter().filter(|(_, at)| now.since(*at) < LATELY).map(|(address, _)| *address);
        let lately: Vec<Ipv4Addr> = lately.collect();
        let together = self.mute.iter().filter(|address| lately.contains(address)).count();
        let echo = |address: Ipv4Addr| ProbeTarget { address, port: None };
        (together >= SEVERAL).then(|| (lately.into_iter().map(echo).collect(), true))
    }

    pub(super) fn next(&self, targets: &Targets, blamed: bool, now: Timestamp) -> Option<Timestamp> {
        let check = self.check.as_ref().map(|check| check.next);
        let routine = if check.is_some() { None } else { self.routine(targets) };
        let gateway = match self.gateway {
            Gateway::Asking { next, .. } => Some(next),
            Gateway::Answered { at } if self.mute_since.is_some() => Some(at + GATEWAY_AGAIN),
            Gateway::Unasked | Gateway::Answered { .. } => None,
        };
        let calm = self.last_suspicion.map_or(Timestamp::ZERO, |last| last + CALM);
        let suspicion = self.mute_since.map(|since| (since + MUTE).max(calm)).filter(|_| check.is_none());
        let judging = [check, routine, gateway, suspicion].into_iter().flatten();
        self.sample.into_iter().chain(judging.filter(|_| !blamed)).filter(|at| *at > now).min()
    }
}

//! Paths that swallow large packets and say nothing (RFC 2923 section 2.1, RFC 4821 section 1.1): found, measured, and
//! asked again.
//!
//! Nothing is asked as long as nothing is wrong. A flow whose large segments are sent again and again unacknowledged has
//! servers behind the NAT64 asked by echo from X, small and large. If small ones are answered, and no large one in five
//! rounds by anybody, the path is too narrow for what is sent by it: the largest size that passes is looked for and holds
//! until the network changes, or until it is found to be larger when it is asked again (RFC 4821 section 7.2). Lost
//! packets, a slow peer or a dead one do not look like that: they treat small ones no better than large ones.
//!
//! See docs/decisions/0010-path-mtu.md.

use std::collections::{BTreeMap, BTreeSet};
use std::net::Ipv4Addr;
use std::time::Duration;

use model::Timestamp;

use crate::health::Place;

/// Every IPv6 path takes this (RFC 8200 section 5).
pub(crate) const LEAST: u16 = 1280;

/// Rounds until large packets are called lost: with one of ten lost each way, five are once in three thousand times.
const ROUNDS: u8 = 5;
/// Rounds of the search, once it is known that there is something to be found.
const SEARCH_ROUNDS: u8 = 3;
/// Small packets have to be answered so often for large ones to be missed.
const ANSWERS: u8 = 3;
const ROUND: Duration = Duration::from_millis(400);
/// The last answers may take as long as a satellite's.
const LAST_WAIT: Duration = Duration::from_millis(900);
/// Sizes between the bounds that are asked at once.
const STEPS: u16 = 9;
/// PMTU_RAISE_TIMER of RFC 8899 section 5.1.1.
const RAISE: Duration = Duration::from_secs(600);
/// A path found innocent is not asked about again before.
const CALM: Duration = Duration::from_secs(60);
/// So many servers are asked at once.
const MAX_SERVERS: usize = 4;
/// An echo request of the least size: the answer says that the server answers.
pub(crate) const SMALL: u16 = 0;

/// Echo requests to be sent: to whom, and as IPv6 packets of how many bytes; [`SMALL`]: as small as they get.
pub(crate) type Asked = Vec<(Ipv4Addr, u16)>;

#[derive(Clone, Debug)]
struct Measurement {
    place: Place,
    /// The uplink's own, when it began.
    link_mtu: u16,
    /// What flows had: the largest size of interest.
    top: u16,
    /// Known to pass, and known not to.
    low: u16,
    high: u16,
    /// How often each server has answered small ones.
    servers: BTreeMap<Ipv4Addr, u8>,
    /// Sizes that somebody has answered.
    passed: BTreeSet<u16>,
    /// The first rounds, in which it is found out whether there is anything to be found.
    doubts: bool,
    round: u8,
    next: Timestamp,
}

/// What a path takes.
#[derive(Clone, Debug)]
struct Found {
    mtu: u16,
    link_mtu: u16,
    top: u16,
    /// Who has answered.
    servers: Vec<Ipv4Addr>,
    again: Timestamp,
}

/// See the [module](self).
#[derive(Clone, Debug, Default)]
pub(crate) struct PathMtu {
    running: Option<Measurement>,
    found: BTreeMap<Place, Found>,
    innocent: BTreeMap<Place, Timestamp>,
}

impl PathMtu {
    /// Large segments of `size` bytes, as IPv6 packets, are not acknowledged by way of `place`. `servers`: whom to ask.
    pub(crate) fn suspect(&mut self, place: Place, link_mtu: u16, size: u16, servers: Vec<Ipv4Addr>, now: Timestamp) {
        let known = self.found.get(&place).is_some_and(|found| size > found.mtu);
        let calm = self.innocent.get(&place).is_some_and(|at| now.since(*at) < CALM);
        let size = size.min(link_mtu);
        if self.running.is_some() || known || calm || size <= LEAST {
            return;
        }
        let high = self.found.get(&place).map_or(size, |found| found.top);
        self.running = Some(Measurement {
            place,
            link_mtu,
            top: high,
            low: LEAST,
            high: size,
            servers: servers.into_iter().take(MAX_SERVERS).map(|server| (server, 0)).collect(),
            passed: BTreeSet::new(),
            doubts: true,
            round: 0,
            next: now,
        });
    }

    /// `server` has answered an echo request of `size` bytes.
    pub(crate) fn answered(&mut self, place: Place, server: Ipv4Addr, size: u16) {
        let Some(running) = self.running.as_mut().filter(|running| running.place == place) else { return };
        if let Some(count) = running.servers.get_mut(&server) {
            *count = count.saturating_add(u8::from(size == SMALL));
            running.passed.insert(size);
        }
    }

    /// The largest IPv6 packet that the path takes, if that is less than the uplink does.
    pub(crate) fn of(&self, place: Place) -> Option<u16> {
        self.found.get(&place).map(|found| found.mtu)
    }

    /// The uplink's MTU is this now: what was found out under another one is no longer true.
    pub(crate) fn link_mtu(&mut self, place: Place, mtu: u16) {
        self.running.take_if(|running| running.place == place && running.link_mtu != mtu);
        if self.found.get(&place).is_some_and(|found| found.link_mtu != mtu) {
            self.found.remove(&place);
        }
    }

    /// Forgets what is known of links other than these.
    pub(crate) fn links(&mut self, present: &[u32]) {
        self.retain(|place| present.contains(&place.link));
    }

    /// The network on `link` may be another one.
    pub(crate) fn forget(&mut self, link: u32) {
        self.retain(|place| place.link != link);
    }

    /// Forgets everything.
    pub(crate) fn restart(&mut self) {
        *self = Self::default();
    }

    fn retain(&mut self, keep: impl Fn(&Place) -> bool) {
        self.running.take_if(|running| !keep(&running.place));
        self.found.retain(|place, _| keep(place));
        self.innocent.retain(|place, _| keep(place));
    }

    /// Nothing is measured on any way but this one.
    pub(crate) fn follow(&mut self, used: Option<Place>) {
        self.running.take_if(|running| Some(running.place) != used);
    }

    /// What is to be asked at `now` by the way in use, and whether what is known has changed.
    pub(crate) fn due(&mut self, used: Place, now: Timestamp) -> (Option<Asked>, bool) {
        if self.running.is_none() {
            self.running = self.raise(used, now);
        }
        let Some(running) = self.running.as_mut().filter(|running| running.next <= now) else { return (None, false) };
        let rounds = if running.doubts { ROUNDS } else { SEARCH_ROUNDS };
        if running.round < rounds {
            running.round += 1;
            running.next = now + if running.round < rounds { ROUND } else { LAST_WAIT };
            return (Some(running.questions()), false);
        }
        let Some(running) = self.running.take() else { return (None, false) };
        (None, self.conclude(running, now))
    }

    /// Asks again what a path takes, because time has passed.
    fn raise(&mut self, place: Place, now: Timestamp) -> Option<Measurement> {
        let found = self.found.get_mut(&place).filter(|found| found.again <= now)?;
        found.again = now + RAISE;
        Some(Measurement {
            place,
            link_mtu: found.link_mtu,
            top: found.top,
            low: found.mtu,
            high: found.top.saturating_add(1),
            servers: found.servers.iter().map(|server| (*server, 0)).collect(),
            passed: BTreeSet::new(),
            doubts: false,
            round: 0,
            next: now,
        })
    }

    /// The rounds are over. Says whether what is known has changed.
    fn conclude(&mut self, mut running: Measurement, now: Timestamp) -> bool {
        let place = running.place;
        let passed = running.passed.last().copied().unwrap_or(SMALL);
        if passed >= running.top {
            self.innocent.insert(place, now);
            return self.found.remove(&place).is_some();
        }
        if running.doubts && passed >= running.high {
            self.innocent.insert(place, now);
            return false;
        }
        if running.doubts {
            running.servers.retain(|_, answers| *answers >= ANSWERS);
            if running.servers.is_empty() {
                // Who answers nothing at all says nothing about sizes.
                self.innocent.insert(place, now);
                return false;
            }
            running.doubts = false;
        }
        let low = running.low.max(passed);
        let missed = running.sizes().find(|size| *size > low);
        running.high = missed.unwrap_or(running.high);
        running.low = low;
        let changed = self.found.get(&place).is_none_or(|found| found.mtu != running.low);
        let found = Found {
            mtu: running.low,
            link_mtu: running.link_mtu,
            top: running.top,
            servers: running.servers.keys().copied().collect(),
            again: now + RAISE,
        };
        self.found.insert(place, found);
        if running.high - running.low > 1 {
            (running.round, running.next) = (0, now);
            running.passed.clear();
            self.running = Some(running);
        }
        changed
    }

    /// When something is due by way of `used`.
    pub(crate) fn next(&self, used: Place) -> Option<Timestamp> {
        match &self.running {
            Some(running) => Some(running.next),
            None => self.found.get(&used).map(|found| found.again),
        }
    }
}

impl Measurement {
    /// Sizes between what passes and what does not, in order.
    fn sizes(&self) -> impl Iterator<Item = u16> + use<> {
        let (low, high) = (self.low, self.high);
        let step = (high.saturating_sub(low) / (STEPS + 1)).max(1);
        (1..=STEPS).map(move |number| low.saturating_add(step * number)).filter(move |size| *size < high)
    }

    fn questions(&self) -> Vec<(Ipv4Addr, u16)> {
        let mut questions = Vec::new();
        if self.doubts {
            let both = |server: &Ipv4Addr| [(*server, SMALL), (*server, self.high)];
            questions.extend(self.servers.keys().flat_map(both));
        } else {
            // What was lost by chance passes in the end.
            questions.extend(self.servers.keys().map(|server| (*server, self.top)));
        }
        // All of it to one who answers: what is in doubt is the path, not the server.
        let speaks = |(_, answers): &(&Ipv4Addr, &u8)| !self.doubts || **answers > 0;
        if let Some((server, _)) = self.servers.iter().find(speaks) {
            questions.extend(self.sizes().map(|size| (*server, size)));
        }
        questions
    }
}

#[cfg(test)]
mod tests;

//! Whether what is armed also works: what replies prove, whom silence accuses, and when to ask.
//!
//! Two clocks. The fast one listens to the gateway: packets go out, nothing comes back, and the gateway does not answer
//! solicitations either: the uplink is left for a warm one at once, and nobody is accused. The slow one judges the path
//! behind it: the gateway answers, but a check server is silent three times, or several destinations that had answered
//! are silent together and do not answer echo either. One silent server never counts (architecture rule 10).

mod watch;

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::net::{Ipv4Addr, Ipv6Addr};
use std::time::Duration;

use model::{ProbeTarget, Timestamp, TrafficSample};
use xlat::Pref64;

use crate::backoff::Backoff;

use watch::{Check, GATEWAY_PATIENCE, Gateway, Watch};

/// While packets flow, the counters are read so often; when they stop, nothing is.
const SAMPLE: Duration = Duration::from_millis(150);
/// Samples without any packet, after which the plane is asked to say when packets flow again.
const QUIET: u8 = 14;
/// RFC 7050 section 3.2: three tries a second apart, then three seconds to wait.
const ROUND: Duration = Duration::from_secs(1);
const ROUNDS: u8 = 3;
const LAST_WAIT: Duration = Duration::from_secs(3);
/// So many destinations are asked at once, and remembered.
const MAX_TARGETS: usize = 4;
/// A verdict that no answer could lift, because nobody can be asked or may be relied upon to answer, ends by itself after
/// so long; the next one lasts twice as long.
const PROBATION: Duration = Duration::from_secs(60);
const MAX_PROBATION: Duration = Duration::from_secs(600);
/// A gateway that falls silent again within this is asked less often from the start: no flapping.
const RELAPSE: Duration = Duration::from_secs(300);

/// More ways than this nobody has.
const MAX_PLACES: usize = 64;

/// One way of translated packets.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Place {
    pub(crate) link: u32,
    pub(crate) pref64: Pref64,
}

/// What the machine is to have done.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Want {
    /// Read the counters; with `last`, and have the plane say when packets flow again.
    Sample { last: bool },
    /// Solicit this router of the uplink.
    AskGateway { link: u32, router: Ipv6Addr },
    /// Ask these servers by this way.
    Probe { place: Place, targets: Vec<ProbeTarget<Ipv4Addr>> },
}

/// How it is known that a gateway is silent.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Silence {
    /// The kernel could not resolve it.
    Unresolved,
    /// It no longer answers us; asked again then.
    Unanswered(Backoff),
}

/// Whom to ask.
#[derive(Clone, Debug, Default)]
pub(crate) struct Targets {
    /// Probing is allowed.
    pub(crate) enabled: bool,
    /// Check servers: the administrator's, or the network's own.
    pub(crate) servers: Vec<ProbeTarget<Ipv4Addr>>,
    /// The administrator has named them: they answer when the path works. Others may accuse only once they have.
    pub(crate) named: bool,
    /// How often, as long as nothing else proves that the path works; zero: only on suspicion.
    pub(crate) interval: Duration,
}

/// What is needed to judge at one moment.
pub(crate) struct Moment<'a> {
    pub(crate) targets: &'a Targets,
    /// X in use is ours: from any other nothing may be asked (RFC 4429 section 3.2).
    pub(crate) claimed: bool,
    /// The second uplink's way, if it may be asked by.
    pub(crate) spare: Option<Place>,
    pub(crate) now: Timestamp,
}

#[derive(Clone, Debug)]
struct Dead {
    targets: Vec<ProbeTarget<Ipv4Addr>>,
    again: Backoff,
    /// `None`: until somebody answers.
    until: Option<Timestamp>,
}

/// See the [module](self).
#[derive(Clone, Debug, Default)]
pub(crate) struct Health {
    watch: Option<Watch>,
    /// Routers that answer nobody, by uplink.
    silent: BTreeMap<(u32, Ipv6Addr), Silence>,
    dead: BTreeMap<Place, Dead>,
    /// Destinations that answered last, the newest first.
    answered: VecDeque<(Ipv4Addr, Timestamp)>,
    /// Ways on which a check server that nobody has vouched for has answered.
    proven: BTreeSet<Place>,
    /// How long the last verdict that ended by itself had lasted.
    probations: BTreeMap<Place, Duration>,
    /// How often a gateway has fallen silent in a row, and when last.
    relapses: BTreeMap<u32, (u32, Timestamp)>,
    /// Uplinks whose gateway is to be asked once, whether anything flows or not.
    verify: BTreeSet<u32>,
}

impl Health {
    /// The way in use, if any; another one starts anew.
    pub(crate) fn follow(&mut self, used: Option<(Place, Ipv6Addr, Ipv6Addr)>, now: Timestamp) {
        let current = self.watch.as_ref().map(|watch| (watch.place, watch.v6, watch.router));
        if current == used {
            return;
        }
        self.watch = used.map(|(place, v6, router)| Watch {
            place,
            v6,
            router,
            totals: None,
            // Whether anything flows is found out by looking, not by hoping for a word that may have been missed.
            sample: Some(now + SAMPLE),
            quiet: 0,
            mute_since: None,
            mute: Vec::new(),
            gateway: Gateway::Unasked,
            check: None,
            last_proof: None,
            last_check: None,
            last_suspicion: None,
        });
    }

    /// Forgets every verdict: a person or the network wants everything looked at again.
    pub(crate) fn restart(&mut self) {
        *self = Self::default();
    }

    /// Forgets what is known of links other than these, and of other routers than these.
    pub(crate) fn links(&mut self, present: &[u32], routers: &BTreeSet<(u32, Ipv6Addr)>) {
        self.silent.retain(|(link, _), _| present.contains(link));
        let used = self.watch.as_ref().map(|watch| (watch.place.link, watch.router));
        // Nobody goes on asking for a router that no route leads to.
        self.silent.retain(|key, _| used == Some(*key) || routers.contains(key));
        self.dead.retain(|place, _| present.contains(&place.link));
        self.proven.retain(|place| present.contains(&place.link));
        self.probations.retain(|place, _| present.contains(&place.link));
        self.relapses.retain(|link, _| present.contains(link));
        self.verify.retain(|link| present.contains(link));
    }

    /// Time has passed without us: what was not answered then says nothing.
    pub(crate) fn woke(&mut self) {
        if let Some(watch) = &mut self.watch {
            watch.forget_suspicion();
            watch.totals = None;
        }
    }

    /// The network on `link` may be another one: no verdict about the old one holds, and the way in use is asked at once.
    pub(crate) fn verify(&mut self, link: u32) {
        self.silent.retain(|(of, _), _| *of != link);
        self.dead.retain(|place, _| place.link != link);
        self.proven.retain(|place| place.link != link);
        self.probations.retain(|place, _| place.link != link);
        self.relapses.remove(&link);
        self.verify.insert(link);
        if let Some(watch) = self.watch.as_mut().filter(|watch| watch.place.link == link) {
            watch.forget_suspicion();
            (watch.totals, watch.last_proof, watch.last_check, watch.last_suspicion) = (None, None, None, None);
        }
    }

    /// Nobody can be asked about `place` now.
    pub(crate) fn cannot_ask(&mut self, place: Place, now: Timestamp) {
        let probation = self.probations.get(&place).map_or(PROBATION, |last| (*last * 2).min(MAX_PROBATION));
        if let Some(dead) = self.dead.get_mut(&place).filter(|dead| dead.until.is_none()) {
            dead.until = Some(now + probation);
            self.probations.insert(place, probation);
        }
    }

    /// The kernel could not resolve a router of the uplink.
    pub(crate) fn unresolved(&mut self, link: u32, router: Ipv6Addr) {
        self.silent.entry((link, router)).or_insert(Silence::Unresolved);
    }

    /// The kernel knows the router: that contradicts only what the kernel itself said.
    pub(crate) fn resolved(&mut self, link: u32, router: Ipv6Addr) {
        if self.silent.get(&(link, router)) == Some(&Silence::Unresolved) {
            self.silent.remove(&(link, router));
        }
    }

    /// Whether a router of the uplink answers nobody.
    pub(crate) fn is_silent(&self, link: u32, router: Ipv6Addr) -> Option<Silence> {
        self.silent.get(&(link, router)).copied()
    }

    /// Whether nothing comes back from behind the gateway.
    pub(crate) fn is_dead(&self, place: Place) -> bool {
        self.dead.contains_key(&place)
    }

    /// A translated reply came back by the way in use. Says whether that changes a verdict.
    pub(crate) fn replied(&mut self, now: Timestamp) -> bool {
        let Some(watch) = &mut self.watch else { return false };
        watch.proof(now);
        let (place, router) = (watch.place, watch.router);
        self.alive(place, router)
    }

    /// A probe was answered by way of `place` and this next hop. Says whether that changes a verdict.
    pub(crate) fn probe_answered(&mut self, place: Place, router: Ipv6Addr, now: Timestamp) -> bool {
        if self.proven.len() < MAX_PLACES {
            self.proven.insert(place);
        }
        if let Some(watch) = &mut self.watch {
            if watch.place == place {
                watch.proof(now);
            } else if let Some(check) = &mut watch.check {
                check.spare.take_if(|(spare, _)| *spare == place);
            }
        }
        self.alive(place, router)
    }

    fn alive(&mut self, place: Place, router: Ipv6Addr) -> bool {
        let key = (place.link, router);
        let gateway = matches!(self.silent.get(&key), Some(Silence::Unanswered(_)));
        if gateway {
            self.silent.remove(&key);
        }
        self.probations.remove(&place);
        self.dead.remove(&place).is_some() || gateway
    }

    /// A router of `link` has answered, or said something by itself. Says whether that changes a verdict.
    pub(crate) fn gateway_answered(&mut self, link: u32, router: Ipv6Addr, now: Timestamp) -> bool {
        if let Some(watch) = self.watch.as_mut().filter(|watch| (watch.place.link, watch.router) == (link, router)) {
            watch.gateway = Gateway::Answered { at: now };
        }
        self.silent.remove(&(link, router)).is_some()
    }

    /// Destinations that answered last, the newest first.
    pub(crate) fn lately(&self) -> impl Iterator<Item = Ipv4Addr> {
        self.answered.iter().map(|(address, _)| *address)
    }

    /// Packets flow again after a pause.
    pub(crate) fn traffic(&mut self, now: Timestamp) {
        if let Some(watch) = &mut self.watch {
            watch.quiet = 0;
            watch.sample.get_or_insert(now + SAMPLE);
        }
    }

    /// The counters were read.
    pub(crate) fn sampled(&mut self, sample: &TrafficSample, now: Timestamp) -> bool {
        for address in &sample.answered {
            self.answered.retain(|(known, _)| known != address);
            self.answered.push_front((*address, now));
        }
        self.answered.truncate(MAX_TARGETS);
        let Some(watch) = &mut self.watch else { return false };
        let before = watch.totals.replace((sample.sent, sample.received));
        let (out, back) = match before {
            Some((sent, received)) => (sample.sent > sent, sample.received > received),
            // What was counted before this way was used is no news of it.
            None => (!sample.mute.is_empty(), !sample.answered.is_empty()),
        };
        watch.quiet = if out || back { 0 } else { watch.quiet.saturating_add(1) };
        if back {
            return self.replied(now);
        }
        if out {
            watch.mute_since.get_or_insert(now);
            for address in &sample.mute {
                if !watch.mute.contains(address) && watch.mute.len() < MAX_TARGETS {
                    watch.mute.push(*address);
                }
            }
        }
        if watch.quiet > QUIET {
            watch.sample = None;
            if watch.check.as_ref().is_none_or(|check| check.suspicion) {
                watch.forget_suspicion();
            }
        }
        false
    }

    /// What is to be done at `now`. Verdicts may change by it: says so.
    pub(crate) fn due(&mut self, moment: &Moment<'_>) -> (Vec<Want>, bool) {
        let Moment { targets, claimed, spare, now } = *moment;
        let mut wants = Vec::new();
        let before = self.dead.len();
        self.dead.retain(|_, dead| dead.until.is_none_or(|until| until > now));
        let mut changed = before != self.dead.len();
        for ((link, router), silence) in &mut self.silent {
            if let Silence::Unanswered(again) = silence
                && again.is_due(now)
            {
                *silence = Silence::Unanswered(Backoff::after(Some(*again), now));
                wants.push(Want::AskGateway { link: *link, router: *router });
            }
        }
        for (place, dead) in &mut self.dead {
            if dead.again.is_due(now) {
                dead.again = Backoff::after(Some(dead.again), now);
                wants.push(Want::Probe { place: *place, targets: dead.targets.clone() });
            }
        }
        let Some(watch) = &mut self.watch else { return (wants, changed) };
        if watch.sample.is_some_and(|at| at <= now) {
            watch.sample = Some(now + SAMPLE);
            wants.push(Want::Sample { last: watch.quiet >= QUIET });
        }
        if !claimed {
            return (wants, changed);
        }
        let key = (watch.place.link, watch.router);
        let known_silent = self.silent.contains_key(&key);
        if self.verify.remove(&watch.place.link) && !matches!(watch.gateway, Gateway::Answered { .. }) {
            watch.gateway = Gateway::Asking { tries: 1, next: now + GATEWAY_PATIENCE };
            wants.push(Want::AskGateway { link: watch.place.link, router: watch.router });
        }
        if !known_silent && watch.ask_gateway(now, &mut wants) {
            let relapses = self.relapses.entry(watch.place.link).or_insert((0, now));
            let again = if now.since(relapses.1) < RELAPSE { relapses.0.saturating_add(1) } else { 0 };
            *relapses = (again, now);
            self.silent.insert(key, Silence::Unanswered(Backoff::after_failures(again, now)));
            watch.check = None;
            return (wants, true);
        }
        if known_silent || self.dead.contains_key(&watch.place) || !targets.enabled {
            watch.check = None;
            return (wants, changed);
        }
        if watch.check.is_none()
            && let Some((servers, suspicion)) = watch.whom_to_ask(targets, &self.answered, now)
        {
            watch.last_check = Some(now);
            if suspicion {
                watch.last_suspicion = Some(now);
            }
            let spare = spare.map(|place| (place, 0));
            watch.check = Some(Check { round: 0, next: now, targets: servers, suspicion, spare });
            // A path is not to be accused of what the gateway does.
            if !matches!(watch.gateway, Gateway::Asking { .. }) {
                watch.gateway = Gateway::Asking { tries: 1, next: now + GATEWAY_PATIENCE };
                wants.push(Want::AskGateway { link: watch.place.link, router: watch.router });
            }
        }
        if let Some(check) = watch.check.as_mut().filter(|check| check.next <= now) {
            if check.round < ROUNDS {
                check.round += 1;
                check.next = now + if check.round < ROUNDS { ROUND } else { LAST_WAIT };
                wants.push(Want::Probe { place: watch.place, targets: check.targets.clone() });
                if let Some((place, rounds)) = check.spare.as_mut().filter(|(place, _)| spare == Some(*place)) {
                    *rounds += 1;
                    wants.push(Want::Probe { place: *place, targets: check.targets.clone() });
                }
            } else if let Some(check) = watch.check.take() {
                let servers = !targets.servers.is_empty() && check.targets == targets.servers;
                // Who was never heard to answer accuses nobody.
                if servers && !targets.named && !self.proven.contains(&watch.place) {
                    return (wants, changed);
                }
                let asked = |(place, rounds): &(Place, u8)| spare == Some(*place) && *rounds >= ROUNDS;
                let places = check.spare.filter(asked).map(|(place, _)| place);
                for place in places.into_iter().chain([watch.place]) {
                    let again = Backoff::after(None, now);
                    self.dead.insert(place, Dead { targets: check.targets.clone(), again, until: None });
                    if !(servers && targets.named) {
                        // They need not answer for ever because they once did.
                        let last = self.probations.get(&place).copied();
                        let probation = last.map_or(PROBATION, |last| (last * 2).min(MAX_PROBATION));
                        self.probations.insert(place, probation);
                        if let Some(dead) = self.dead.get_mut(&place) {
                            dead.until = Some(now + probation);
                        }
                    }
                }
                changed = true;
            }
        }
        (wants, changed)
    }

    /// When something is due after `now`: what could not be done when it was due hides nothing that comes later.
    pub(crate) fn next(&self, targets: &Targets, now: Timestamp) -> Option<Timestamp> {
        let silent = self.silent.values().filter_map(|silence| match silence {
            Silence::Unanswered(again) => Some(again.at()),
            Silence::Unresolved => None,
        });
        let dead = self.dead.values().flat_map(|dead| [Some(dead.again.at()), dead.until]).flatten();
        let watch = self.watch.iter().filter_map(|watch| {
            let blamed =
                self.silent.contains_key(&(watch.place.link, watch.router)) || self.dead.contains_key(&watch.place);
            watch.next(targets, blamed, now)
        });
        silent.chain(dead).chain(watch).filter(|at| *at > now).min()
    }
}

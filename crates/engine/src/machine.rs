mod arm;
mod discover;
mod doubt;
mod flows;
mod hear;
mod history;
mod judge;
mod memory;
mod mend;
mod pmtu;
mod retreat;
mod spare;
mod state;
mod twin;

use doubt::Traces;
use flows::Lingering;
use mend::Undone;
pub(crate) use state::{Claim, Failure, MAX_DUPLICATES, Pause, PlaneState, SpareState};
use twin::{Former, Search};

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::net::{Ipv4Addr, Ipv6Addr};
use std::time::Duration;

use ipnet::Ipv6Net;
use model::{Applied, Code, Generation, HostIntent, NetworkSnapshot, Settings, State, Timestamp};

use crate::ask::Asker;
use crate::backoff::Backoff;
use crate::decide::{Choice, Decision, Known, Path, decide, probe_address};
use crate::discovery::Discovery;
use crate::health::{Health, Place};
use crate::pmtu::PathMtu;
use crate::portal::Portals;
use crate::rearm::Rearming;
use crate::solicit::Solicitor;
use crate::{Action, Event};

/// What a person may say about a pause, in characters.
const MAX_REASON: usize = 200;

/// A router that does not say its link-layer address for so long is silent: the kernel's own patience is three
/// solicitations a second apart (RFC 4861 section 10), and moving costs less than waiting for the last.
const SILENT: Duration = Duration::from_secs(2);

/// A router whose link-layer address is being asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Resolving {
    address: Ipv6Addr,
    since: Timestamp,
    again: Timestamp,
}

/// The sans-IO machine. See the [crate](crate) documentation.
#[derive(Debug)]
pub struct Engine {
    secret: [u8; 32],
    pub(crate) settings: Settings,
    pub(crate) snapshot: Option<NetworkSnapshot>,
    pub(crate) discovery: Discovery,
    solicitor: Solicitor,
    asker: Asker,
    health: Health,
    pub(crate) path_mtu: PathMtu,
    pub(crate) portals: Portals,
    pub(crate) decision: Decision,
    /// The way that is kept ready beside the one in use.
    second: Option<Path>,
    generation: Generation,
    pub(crate) claims: BTreeMap<Ipv6Net, Claim>,
    pub(crate) plane: Option<PlaneState>,
    pub(crate) spare: Option<SpareState>,
    /// Where flows go on that began there.
    lingering: Option<Lingering>,
    /// A second X on the uplink in use.
    twin: Option<SpareState>,
    /// The X that is kept for flows that know it.
    former: Option<Former>,
    search: Option<Search>,
    /// Where flows may have begun.
    homes: Vec<(Ipv4Addr, Ipv6Addr)>,
    /// The spare could not be made ready: on this link, not before then.
    spare_failure: Option<(u32, Backoff)>,
    /// When a probe was last answered by the way in use.
    pub(crate) probed: Option<Timestamp>,
    /// Servers that stand for the rest of IPv4 on a network (RFC 7050 section 3.2), asked for once.
    check_points: BTreeMap<Place, Vec<Ipv4Addr>>,
    asked_points: BTreeSet<Place>,
    requested: HostIntent,
    /// Something of ours may be on the host.
    host_dirty: bool,
    /// When to try again to take it away.
    cleanup: Option<Backoff>,
    pub(crate) applied: Applied,
    /// Somebody undoes what we have put in place.
    pub(crate) undone: Option<Undone>,
    /// When the plane last failed.
    last_failure: Option<Timestamp>,
    /// The last snapshot does not answer all of [`lookup_targets`](Self::lookup_targets).
    lookups_pending: bool,
    /// By uplink.
    resolving: BTreeMap<u32, Resolving>,
    /// By uplink: another need not wait.
    pub(crate) failures: BTreeMap<u32, Failure>,
    malformed_options: u64,
    pub(crate) pause: Option<Pause>,
    shutting_down: bool,
    pub(crate) verdict: (State, Code),
    pub(crate) verdict_since: Timestamp,
    pub(crate) verdict_detail: String,
    pub(crate) rearming: Rearming,
    traces: Traces,
    /// When the machine wanted to be called at the latest.
    expected: Option<Timestamp>,
    actions: VecDeque<Action>,
}

impl Engine {
    /// A machine that knows nothing yet. `secret` makes addresses unpredictable to others and stable for this host
    /// (RFC 7217 section 5).
    #[must_use]
    pub fn new(settings: Settings, secret: [u8; 32], now: Timestamp) -> Self {
        let choice = decide(&Known {
            snapshot: None,
            discovery: &Discovery::default(),
            settings: &settings,
            health: &Health::default(),
            portals: &Portals::default(),
            refused: &|_, _| false,
            paused: None,
            settling: true,
            armed: false,
            awaited: &[],
            router: &|_| None,
            kept: &|_| None,
            former: &|_, _| false,
        });
        Self {
            secret,
            settings,
            snapshot: None,
            discovery: Discovery::default(),
            solicitor: Solicitor::default(),
            asker: Asker::default(),
            health: Health::default(),
            path_mtu: PathMtu::default(),
            portals: Portals::default(),
            decision: choice.decision,
            second: None,
            generation: Generation::default(),
            claims: BTreeMap::new(),
            plane: None,
            spare: None,
            lingering: None,
            twin: None,
            former: None,
            search: None,
            homes: Vec::new(),
            spare_failure: None,
            probed: None,
            check_points: BTreeMap::new(),
            asked_points: BTreeSet::new(),
            requested: HostIntent::default(),
            host_dirty: false,
            cleanup: None,
            applied: Applied::default(),
            undone: None,
            last_failure: None,
            lookups_pending: false,
            resolving: BTreeMap::new(),
            failures: BTreeMap::new(),
            malformed_options: 0,
            pause: None,
            shutting_down: false,
            verdict: (State::Checking, Code::NoLink),
            verdict_since: now,
            verdict_detail: String::new(),
            rearming: Rearming::default(),
            traces: Traces::default(),
            expected: None,
            actions: VecDeque::new(),
        }
    }

    /// Destinations whose route the next snapshot has to hold.
    #[must_use]
    pub fn lookup_targets(&self) -> Vec<Ipv6Addr> {
        let learnt = self.discovery.links().flat_map(|link| self.discovery.prefixes(link)).map(|known| known.prefix);
        let mut targets: Vec<Ipv6Addr> =
            self.settings.pref64_static.value.iter().copied().chain(learnt).map(probe_address).collect();
        targets.sort_unstable();
        targets.dedup();
        targets
    }

    /// The settings in force.
    #[must_use]
    pub fn settings(&self) -> &Settings {
        &self.settings
    }

    /// Router advertisement options that had to be ignored.
    #[must_use]
    pub fn malformed_options(&self) -> u64 {
        self.malformed_options
    }

    /// Tells the machine what happened.
    pub fn handle(&mut self, event: Event, now: Timestamp) {
        // Before what happened is taken for what is.
        self.notice_sleep(now);
        let asked = self.lookup_targets();
        match event {
            Event::Snapshot(snapshot) => {
                self.lookups_pending = false;
                self.on_snapshot(snapshot, now);
            }
            Event::RouterOption { link, router, bytes } => self.on_option(link, router, &bytes, now),
            Event::News { link, news } => self.on_news(link, news),
            Event::PortalAnswer { link, question, answer } => {
                if self.portals.answered(link, question, answer, now) {
                    self.push(Action::StatusChanged);
                }
            }
            Event::CheckPoints { link, pref64, servers } => {
                self.check_points.insert(Place { link, pref64 }, servers);
            }
            Event::Sample(sample) => {
                self.health.sampled(&sample, now);
                if self.rearming.sampled(sample.received, now) {
                    self.push(Action::StatusChanged);
                }
            }
            Event::DnsAnswer { link, question, answer } => self.on_dns(link, question, answer, now),
            Event::Plane { generation, event } => self.on_plane(generation, event, now),
            Event::Applied(applied) => self.on_applied(applied, now),
            Event::InPlace(found) => self.on_found(found, now),
            Event::Settings(settings) => self.settings = *settings,
            Event::Pause { length, reason } => {
                // It is shown on other people's terminals: no control characters, and no more than a line.
                let reason = reason.chars().filter(|c| !c.is_control()).take(MAX_REASON).collect();
                self.pause = Some(Pause { until: length.map(|length| now + length), reason });
                self.push(Action::StatusChanged);
            }
            Event::Resume => self.pause = None,
            Event::Rearm => self.rearm(now),
            Event::Woke => self.woke(now),
            Event::Shutdown => self.shutting_down = true,
        }
        if self.lookup_targets().iter().any(|target| !asked.contains(target)) {
            self.lookups_pending = true;
            self.push(Action::Refresh);
        }
        self.settle(now);
    }

    /// Has the machine do what is due at `now`.
    pub fn handle_timeout(&mut self, now: Timestamp) {
        self.notice_sleep(now);
        self.settle(now);
    }

    /// When [`handle_timeout`](Self::handle_timeout) is wanted; `None`: not before another event.
    #[must_use]
    pub fn poll_timeout(&self, now: Timestamp) -> Option<Timestamp> {
        let backoffs = [
            self.cleanup,
            self.spare_failure.map(|(_, backoff)| backoff),
            self.undone.as_ref().and_then(Undone::backoff),
        ];
        let failures = self.failures.values().map(|failure| failure.backoff);
        let backoffs = backoffs.into_iter().flatten().chain(failures).map(Backoff::at);
        let resolve = self.resolving.values().map(|resolving| resolving.again);
        let conflicts = self.claims.values().filter_map(|claim| claim.again);
        let known = [
            self.solicitor.next(now),
            self.discovery.next_expiry(),
            self.discovery.next_refresh(),
            self.traces.next(now),
            self.asker.next(),
            self.portals.next(),
            self.pause.as_ref().and_then(|pause| pause.until),
            self.health.next(&self.targets(), now),
            self.place_in_use().and_then(|place| self.path_mtu.next(place)),
            self.undone.as_ref().map(Undone::over),
            self.lingering.map(|lingering| lingering.until),
        ];
        // What is due already waits for something else to happen.
        known.into_iter().flatten().chain(backoffs).chain(resolve).chain(conflicts).filter(|at| *at > now).min()
    }

    /// The next thing to do.
    pub fn poll_action(&mut self) -> Option<Action> {
        self.actions.pop_front()
    }

    /// Notes when IPv4 was lost and why.
    fn lost(&mut self, reason: &'static str, now: Timestamp) {
        if self.applied.default_v4.is_some() {
            self.rearming.lost(reason, now);
        }
    }

    fn fail(&mut self, link: u32, error: String, now: Timestamp) {
        let previous = self.failures.get(&link).map(|failure| failure.backoff);
        self.failures.insert(link, Failure { backoff: Backoff::after(previous, now), error });
    }

    /// Brings actions in line with what is known. Idempotent.
    fn settle(&mut self, now: Timestamp) {
        self.settle_now(now);
        self.expected = self.poll_timeout(now);
    }

    fn settle_now(&mut self, now: Timestamp) {
        if self.discovery.expire(now) {
            self.push(Action::Refresh);
            self.push(Action::StatusChanged);
        }
        self.solicit(now);
        for claim in self.claims.values_mut().filter(|claim| claim.again.is_some_and(|again| again <= now)) {
            claim.duplicates = 0;
            claim.again = None;
        }
        self.pause.take_if(|pause| pause.until.is_some_and(|until| until <= now));
        self.undone.take_if(|undone| undone.over() <= now);
        self.ask_dns(now);
        self.ask_portals(now);
        self.note_standby(now);
        for (link, resolving) in &self.resolving {
            if now.since(resolving.since) >= SILENT {
                self.health.unresolved(*link, resolving.address);
            }
        }
        self.look_after(now);
        self.measure(now);
        (self.decision, self.second) = self.patient(self.choose(now));
        match self.decision.clone() {
            Decision::Stand { state, code, .. } => self.stand_back(state, code, now),
            Decision::Arm(path) => self.arm(&path, now),
        }
        self.end_lingering(now);
        self.prepare(now);
        self.prepare_twin();
        self.disown();
        self.strand();
        self.watch(now);
        if self.plane.is_none() {
            self.withdraw(now);
        }
        self.count_rearm(now);
        self.note_standby(now);
        self.judge(now);
    }

    /// Whether the host or the network has refused us there lately.
    fn is_refused(&self, link: u32, prefix: Ipv6Net, now: Timestamp) -> bool {
        let failed = self.failures.get(&link).is_some_and(|failure| !failure.backoff.is_due(now));
        failed || self.claims.get(&prefix).is_some_and(Claim::is_exhausted)
    }

    fn choose(&self, now: Timestamp) -> Choice {
        if self.shutting_down {
            let detail = "the service is stopping".into();
            let decision = Decision::Stand { state: State::Paused, code: Code::Paused, detail };
            return Choice { decision, others: Vec::new() };
        }
        decide(&Known {
            snapshot: self.snapshot.as_ref(),
            discovery: &self.discovery,
            settings: &self.settings,
            health: &self.health,
            portals: &self.portals,
            refused: &|link, prefix| self.is_refused(link, prefix, now),
            paused: self.pause.as_ref().map(|pause| pause.reason.as_str()),
            settling: self.lookups_pending || self.solicitor.settling(now),
            armed: self.plane.is_some(),
            awaited: &self.solicitor.awaited(now),
            router: &|link| self.line_on(link).map(|config| config.uplink.gateway),
            kept: &|link| self.kept_prefix(link),
            former: &|link, net| self.traces.is_former(link, net, now),
        })
    }

    /// The plane, if it is the one that the decision wants and our default route leads to it and is to stay.
    pub(crate) fn plane_in_use(&self) -> Option<&PlaneState> {
        let Decision::Arm(path) = &self.decision else { return None };
        self.requested.default_v4.as_ref()?;
        let on_path = |plane: &&PlaneState| (plane.config.uplink.link, plane.config.pref64) == (path.link, path.pref64);
        self.plane.as_ref().filter(on_path).filter(|_| self.applied.default_v4.is_some())
    }

    /// Settles on the state and code to show.
    fn judge(&mut self, now: Timestamp) {
        let (state, code, detail) = self.assess();
        if self.verdict != (state, code) {
            self.verdict = (state, code);
            self.verdict_since = now;
            self.push(Action::StatusChanged);
        }
        self.verdict_detail = detail;
    }

    fn push(&mut self, action: Action) {
        let repeatable = match &action {
            Action::Refresh
            | Action::SolicitRouters { .. }
            | Action::AskDns { .. }
            | Action::AskPortal { .. }
            | Action::FindCheckPoints { .. }
            | Action::Sample { .. }
            | Action::AskGateway { .. }
            | Action::Probe { .. }
            | Action::Measure { .. }
            | Action::ResolveNeighbour { .. }
            | Action::Ignored { .. }
            | Action::Refused { .. }
            | Action::StatusChanged => true,
            // These build on each other: each one counts, in its place.
            Action::SetPlane(_)
            | Action::SetSpare(_)
            | Action::SetTwin(_)
            | Action::EndFlows(_)
            | Action::StopPlane
            | Action::Apply(_)
            | Action::Rearmed(_) => false,
        };
        if !(repeatable && self.actions.contains(&action)) {
            self.actions.push_back(action);
        }
    }
}

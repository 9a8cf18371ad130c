use std::collections::VecDeque;
use std::net::Ipv6Addr;
use std::time::Duration;

use ipnet::Ipv6Net;
use model::{
    Applied, Code, Dad, GATEWAY_V4, Generation, HostIntent, Ipv4Default, LinkKind, NetworkDelta, NetworkSnapshot,
    PlaneConfig, PlaneEvent, PlaneKind, Settings, State, Timestamp, UplinkConfig,
};

use crate::address::clat_address;
use crate::decide::{Decision, Known, Path, candidates, decide, probe_address, uplinks};
use crate::discovery::Discovery;
use crate::option::RouterOption;
use crate::solicit::Solicitor;
use crate::{Action, Event};

/// RFC 7217 section 6: how many duplicates in a row are bad luck.
const MAX_DUPLICATES: u8 = 3;
/// The kernel's own retransmission interval for neighbour solicitations (RFC 4861 section 10).
const RESOLVE_AGAIN: Duration = Duration::from_secs(1);
/// After a failure of the plane or of the host's configuration: doubled each time up to the maximum.
const RETRY_MIN: Duration = Duration::from_millis(500);
const RETRY_MAX: Duration = Duration::from_secs(30);
/// What a packet gains on its way to IPv6: 40 - 20 bytes of header, and 8 more for a Fragment header (RFC 7915
/// section 4.1).
const GROWTH_UNFRAGMENTED: u16 = 20;
const GROWTH_FRAGMENTED: u16 = 28;

/// X and how it was found.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Claim {
    prefix: Ipv6Net,
    attempt: u8,
    /// `None`: to be chosen, because nothing is armed or the last one was taken.
    address: Option<Ipv6Addr>,
}

/// The plane as it was asked for and as it reported.
#[derive(Clone, Debug)]
pub(crate) struct PlaneState {
    pub(crate) config: PlaneConfig,
    /// The tunnel; it outlives changes of the configuration.
    pub(crate) tun: Option<String>,
    /// This very configuration is at work.
    started: bool,
    claimed: bool,
    pub(crate) replied: bool,
}

/// The sans-IO machine. See the [crate](crate) documentation.
#[derive(Debug)]
pub struct Engine {
    secret: [u8; 32],
    pub(crate) settings: Settings,
    pub(crate) snapshot: Option<NetworkSnapshot>,
    pub(crate) discovery: Discovery,
    solicitor: Solicitor,
    pub(crate) decision: Decision,
    generation: Generation,
    claim: Option<Claim>,
    pub(crate) plane: Option<PlaneState>,
    requested: HostIntent,
    /// Something of ours may be on the host.
    host_dirty: bool,
    pub(crate) applied: Applied,
    resolve_at: Option<Timestamp>,
    retry: Option<(Timestamp, Duration, String)>,
    malformed_options: u64,
    shutting_down: bool,
    pub(crate) verdict: (State, Code),
    pub(crate) verdict_since: Timestamp,
    pub(crate) verdict_detail: String,
    outage: Option<(Timestamp, &'static str)>,
    pub(crate) rearms: u64,
    pub(crate) last_rearm: Option<(Duration, &'static str)>,
    actions: VecDeque<Action>,
}

impl Engine {
    /// A machine that knows nothing yet. `secret` makes addresses unpredictable to others and stable for this host
    /// (RFC 7217 section 5).
    #[must_use]
    pub fn new(settings: Settings, secret: [u8; 32], now: Timestamp) -> Self {
        let decision =
            decide(&Known { snapshot: None, discovery: &Discovery::default(), settings: &settings, settling: true });
        Self {
            secret,
            settings,
            snapshot: None,
            discovery: Discovery::default(),
            solicitor: Solicitor::default(),
            decision,
            generation: Generation::default(),
            claim: None,
            plane: None,
            requested: HostIntent::default(),
            host_dirty: false,
            applied: Applied::default(),
            resolve_at: None,
            retry: None,
            malformed_options: 0,
            shutting_down: false,
            verdict: (State::Checking, Code::NoLink),
            verdict_since: now,
            verdict_detail: String::new(),
            outage: None,
            rearms: 0,
            last_rearm: None,
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

    /// Router advertisement options that had to be ignored.
    #[must_use]
    pub fn malformed_options(&self) -> u64 {
        self.malformed_options
    }

    /// Tells the machine what happened.
    pub fn handle(&mut self, event: Event, now: Timestamp) {
        match event {
            Event::Snapshot(snapshot) => self.on_snapshot(snapshot, now),
            Event::RouterOption { link, router, bytes } => self.on_option(link, router, &bytes, now),
            Event::Plane { generation, event } => self.on_plane(generation, event, now),
            Event::Applied(applied) => self.on_applied(applied, now),
            Event::Settings(settings) => self.settings = settings,
            Event::Shutdown => self.shutting_down = true,
        }
        self.settle(now);
    }

    /// Has the machine do what is due at `now`.
    pub fn handle_timeout(&mut self, now: Timestamp) {
        self.settle(now);
    }

    /// When [`handle_timeout`](Self::handle_timeout) is wanted; `None`: not before another event.
    #[must_use]
    pub fn poll_timeout(&self, now: Timestamp) -> Option<Timestamp> {
        let retry = self.retry.as_ref().map(|(at, _, _)| *at).filter(|at| *at > now);
        [self.solicitor.next(now), self.discovery.next_expiry(), self.resolve_at, retry].into_iter().flatten().min()
    }

    /// The next thing to do.
    pub fn poll_action(&mut self) -> Option<Action> {
        self.actions.pop_front()
    }

    fn on_snapshot(&mut self, snapshot: NetworkSnapshot, now: Timestamp) {
        if NetworkDelta::between(self.snapshot.as_ref(), &snapshot).is_empty() {
            return;
        }
        let present: Vec<u32> = snapshot
            .links
            .values()
            .filter(|link| link.is_usable() && matches!(link.kind, LinkKind::Ethernet | LinkKind::Bridge))
            .filter(|link| link.mac.is_some())
            .map(|link| link.index)
            .collect();
        for gone in self.solicitor.links(&present, now) {
            // Whatever is plugged in next is another network until it says otherwise.
            self.discovery.forget(gone);
            self.claim = None;
        }
        self.snapshot = Some(snapshot);
    }

    fn on_option(&mut self, link: u32, router: Option<Ipv6Addr>, bytes: &[u8], now: Timestamp) {
        let targets = self.lookup_targets();
        match RouterOption::parse(bytes) {
            Ok(RouterOption::Pref64 { prefix, lifetime }) => {
                self.discovery.pref64(link, router, prefix, lifetime, now);
            }
            Ok(RouterOption::Rdnss { servers, lifetime }) => {
                if self.discovery.rdnss(link, &servers, lifetime, now) {
                    self.push(Action::StatusChanged);
                }
            }
            Ok(RouterOption::Other(_)) => {}
            Err(error) => {
                self.malformed_options = self.malformed_options.saturating_add(1);
                self.push(Action::Ignored { link, error });
            }
        }
        if targets != self.lookup_targets() {
            self.push(Action::Refresh);
        }
    }

    fn on_plane(&mut self, generation: Generation, event: PlaneEvent, now: Timestamp) {
        let Some(plane) = self.plane.as_mut().filter(|plane| plane.config.generation == generation) else { return };
        match event {
            PlaneEvent::Started { tun: _, name } => {
                plane.tun = Some(name);
                plane.started = true;
            }
            PlaneEvent::Claimed(address) if address == plane.config.v6 => plane.claimed = true,
            PlaneEvent::Duplicate(address) if address == plane.config.v6 => {
                if let Some(claim) = &mut self.claim {
                    claim.attempt = claim.attempt.saturating_add(1);
                    claim.address = None;
                }
                self.lost("address-conflict", now);
            }
            // A word about an address that is no longer X.
            PlaneEvent::Claimed(_) | PlaneEvent::Duplicate(_) => {}
            PlaneEvent::FirstReply => {
                plane.replied = true;
                self.retry = None;
            }
            PlaneEvent::Failed(error) => {
                self.lost("plane-failed", now);
                self.stop_plane();
                self.fail(error, now);
            }
        }
    }

    fn on_applied(&mut self, applied: Applied, now: Timestamp) {
        if applied.generation != self.requested.generation {
            return;
        }
        let in_place = applied.default_v4 == self.requested.default_v4;
        let first_failure = applied.failures.first().map(|failure| format!("{}: {}", failure.step, failure.error));
        self.applied = applied;
        if self.requested.default_v4.is_none() {
            self.host_dirty = !in_place || first_failure.is_some();
        } else if !in_place || first_failure.is_some() {
            self.lost("host-configuration", now);
            self.fail(first_failure.unwrap_or_else(|| "the IPv4 default route is not in place".into()), now);
        }
    }

    /// Notes when IPv4 was lost and why; the first reason counts.
    fn lost(&mut self, reason: &'static str, now: Timestamp) {
        if self.applied.default_v4.is_some() && self.outage.is_none() {
            self.outage = Some((now, reason));
        }
    }

    fn fail(&mut self, error: String, now: Timestamp) {
        let pause = self.retry.as_ref().map_or(RETRY_MIN, |(_, pause, _)| (*pause * 2).min(RETRY_MAX));
        self.retry = Some((now + pause, pause, error));
        // What is in place is unknown: ask for everything again.
        self.requested.default_v4 = None;
        self.requested.generation = Generation::default();
    }

    /// Brings actions in line with what is known. Idempotent.
    fn settle(&mut self, now: Timestamp) {
        if self.discovery.expire(now) {
            self.push(Action::Refresh);
        }
        for link in self.solicitor.due(now, |link| !self.discovery.prefixes(link).is_empty()) {
            self.push(Action::SolicitRouters { link });
        }
        let decision = if self.shutting_down {
            Decision::Stand { state: State::Paused, code: Code::Paused, detail: "the service is stopping".into() }
        } else {
            decide(&Known {
                snapshot: self.snapshot.as_ref(),
                discovery: &self.discovery,
                settings: &self.settings,
                settling: self.solicitor.settling(now),
            })
        };
        self.resolve_at = self.resolve_at.filter(|at| *at > now);
        match &decision {
            Decision::Stand { state, code, .. } => {
                self.resolve_at = None;
                self.stand_back(*state, *code, now);
            }
            Decision::Arm(path) => self.arm(&path.clone(), now),
        }
        self.decision = decision;
        self.count_rearm(now);
        self.judge(now);
    }

    fn stand_back(&mut self, state: State, code: Code, now: Timestamp) {
        self.lost(loss_reason(state, code), now);
        self.retry = None;
        if self.requested.default_v4.is_some()
            || (self.host_dirty && self.requested.generation == Generation::default())
        {
            self.apply(None, None);
        }
        self.stop_plane();
    }

    fn stop_plane(&mut self) {
        if self.plane.take().is_some() {
            self.push(Action::StopPlane);
        }
        if let Some(claim) = &mut self.claim {
            claim.address = None;
        }
        // The tunnel takes address and route with it.
        self.applied.default_v4 = None;
    }

    fn arm(&mut self, path: &Path, now: Timestamp) {
        if self.retry.as_ref().is_some_and(|(at, _, _)| *at > now) {
            return;
        }
        let Some(gateway_mac) = path.gateway_mac.or_else(|| self.mac_in_use(path)) else {
            if self.resolve_at.is_none() {
                self.resolve_at = Some(now + RESOLVE_AGAIN);
                self.push(Action::ResolveNeighbour { link: path.link, address: path.gateway });
            }
            return;
        };
        self.resolve_at = None;
        let Some(v6) = self.claim(path) else { return };
        let uplink = UplinkConfig {
            link: path.link,
            name: path.name.clone(),
            mac: path.mac,
            gateway: path.gateway,
            gateway_mac,
            mtu6: path.mtu6,
        };
        let wanted = PlaneConfig {
            generation: self.generation,
            kind: PlaneKind::Translate,
            uplink,
            pref64: path.pref64,
            v4: self.settings.clat_ipv4.value,
            v6,
            dad: self.settings.dad.value,
        };
        let current =
            self.plane.as_ref().map(|plane| PlaneConfig { generation: self.generation, ..plane.config.clone() });
        if current.as_ref() != Some(&wanted) {
            if let Some(current) = &current {
                self.lost(change_reason(current, &wanted), now);
            }
            self.set_plane(wanted);
        }
        let ready = self
            .plane
            .as_ref()
            .is_some_and(|plane| plane.started && (plane.claimed || plane.config.dad == Dad::Optimistic));
        if ready {
            self.request_default(path, v6);
        }
    }

    /// The gateway's address on the link as the running plane knows it, while the kernel asks again.
    fn mac_in_use(&self, path: &Path) -> Option<model::MacAddress> {
        let uplink = &self.plane.as_ref()?.config.uplink;
        (uplink.link == path.link && uplink.gateway == path.gateway).then_some(uplink.gateway_mac)
    }

    /// X for this path: kept as long as the /64 stays, whatever the NAT64 prefix; chosen afresh after a duplicate.
    fn claim(&mut self, path: &Path) -> Option<Ipv6Addr> {
        let mut claim = self.claim.filter(|claim| claim.prefix == path.prefix).unwrap_or(Claim {
            prefix: path.prefix,
            attempt: 0,
            address: None,
        });
        if claim.attempt > MAX_DUPLICATES {
            if self.requested.default_v4.is_some() {
                self.apply(None, None);
            }
            self.stop_plane();
            return None;
        }
        let v4 = self.settings.clat_ipv4.value;
        let choose = || clat_address(&self.secret, path.prefix, claim.attempt, v4, path.pref64);
        let address = claim.address.unwrap_or_else(choose);
        claim.address = Some(address);
        self.claim = Some(claim);
        Some(address)
    }

    fn set_plane(&mut self, wanted: PlaneConfig) {
        self.generation = self.generation.next();
        let config = PlaneConfig { generation: self.generation, ..wanted };
        let old = self.plane.take();
        let same_x =
            old.as_ref().is_some_and(|old| old.config.v6 == config.v6 && old.config.uplink.link == config.uplink.link);
        let same_path = same_x && old.as_ref().is_some_and(|old| old.config.pref64 == config.pref64);
        self.plane = Some(PlaneState {
            claimed: same_x && old.as_ref().is_some_and(|old| old.claimed),
            replied: same_path && old.as_ref().is_some_and(|old| old.replied),
            tun: old.and_then(|old| old.tun),
            started: false,
            config: config.clone(),
        });
        self.push(Action::SetPlane(config));
    }

    fn request_default(&mut self, path: &Path, v6: Ipv6Addr) {
        let automatic = path.mtu6.saturating_sub(GROWTH_FRAGMENTED);
        let route_mtu = match self.settings.mtu.value {
            0 => automatic,
            fixed => fixed.min(automatic),
        };
        let default_v4 = Ipv4Default {
            uplink: path.link,
            address: self.settings.clat_ipv4.value,
            gateway: GATEWAY_V4,
            route_mtu,
            device_mtu: path.mtu6.saturating_sub(GROWTH_UNFRAGMENTED),
            metric: self.settings.ipv4_route_metric.value,
        };
        let silent_v6 = path.forwards.then_some(v6);
        if self.requested.default_v4.as_ref() != Some(&default_v4) || self.requested.silent_v6 != silent_v6 {
            self.apply(Some(default_v4), silent_v6);
        }
    }

    fn apply(&mut self, default_v4: Option<Ipv4Default>, silent_v6: Option<Ipv6Addr>) {
        self.generation = self.generation.next();
        self.host_dirty |= default_v4.is_some() || silent_v6.is_some();
        self.requested = HostIntent { generation: self.generation, default_v4, silent_v6 };
        self.push(Action::Apply(self.requested.clone()));
    }

    fn is_armed(&self) -> bool {
        self.applied.default_v4.is_some() && self.requested.default_v4 == self.applied.default_v4
    }

    fn count_rearm(&mut self, now: Timestamp) {
        if !(self.is_armed() && self.plane.as_ref().is_some_and(|plane| plane.started)) {
            return;
        }
        if let Some((since, reason)) = self.outage.take() {
            self.rearms = self.rearms.saturating_add(1);
            self.last_rearm = Some((now.since(since), reason));
            self.push(Action::StatusChanged);
        }
    }

    /// Settles on the state and code to show.
    fn judge(&mut self, now: Timestamp) {
        let (state, code, detail) = self.verdict();
        if self.verdict != (state, code) {
            self.verdict = (state, code);
            self.verdict_since = now;
            self.push(Action::StatusChanged);
        }
        self.verdict_detail = detail;
    }

    fn verdict(&self) -> (State, Code, String) {
        let path = match &self.decision {
            Decision::Stand { state, code, detail } => return (*state, *code, detail.clone()),
            Decision::Arm(path) => path,
        };
        if let Some((_, _, error)) = &self.retry {
            return (State::Down, Code::TunFailed, error.clone());
        }
        if self.claim.is_some_and(|claim| claim.attempt > MAX_DUPLICATES) {
            let detail = format!("{MAX_DUPLICATES} addresses in a row are in use on {}", path.name);
            return (State::Down, Code::AddressConflict, detail);
        }
        let armed = self.is_armed();
        match &self.plane {
            Some(plane) if armed && plane.replied => (State::Working, Code::Working, String::new()),
            Some(_) if armed => (State::Working, Code::Ready, String::new()),
            Some(_) | None if path.gateway_mac.is_none() && self.plane.is_none() => {
                let detail = format!("the router {} on {} does not answer", path.gateway, path.name);
                (State::Checking, Code::Unstable, detail)
            }
            Some(_) | None => (State::Checking, Code::Ready, "arming".into()),
        }
    }

    /// The prefixes in order of use: the one that translates first, then the others of its uplink, then the rest.
    pub(crate) fn ordered_prefixes(&self) -> Vec<crate::decide::Candidate> {
        let Some(snapshot) = &self.snapshot else { return Vec::new() };
        let mut links: Vec<u32> = match &self.decision {
            Decision::Arm(path) => vec![path.link],
            Decision::Stand { .. } => Vec::new(),
        };
        links.extend(uplinks(snapshot).into_iter().map(|(link, _)| link.index));
        links.extend(self.discovery.links());
        let mut ordered: Vec<crate::decide::Candidate> = Vec::new();
        for link in links {
            for candidate in candidates(link, &self.discovery, &self.settings) {
                if !ordered.iter().any(|known| known.prefix == candidate.prefix && known.link == candidate.link) {
                    ordered.push(candidate);
                }
            }
        }
        if let Decision::Arm(path) = &self.decision {
            let in_use = ordered.iter().position(|candidate| {
                candidate.prefix == path.pref64 && candidate.link.is_none_or(|link| link == path.link)
            });
            if let Some(index) = in_use {
                ordered[..=index].rotate_right(1);
            }
        }
        ordered
    }

    fn push(&mut self, action: Action) {
        if !self.actions.contains(&action) {
            self.actions.push_back(action);
        }
    }
}

fn loss_reason(state: State, code: Code) -> &'static str {
    match state {
        State::StandbyNative | State::StandbyOs => "native-ipv4",
        State::Paused => "paused",
        State::NoNetwork => "uplink-lost",
        State::Down | State::Limited | State::Checking | State::Working => {
            if code == Code::NoPref64 {
                "prefix-withdrawn"
            } else if code == Code::Pref64Expired {
                "prefix-expired"
            } else if code == Code::VpnTakesTraffic {
                "vpn"
            } else {
                "uplink-lost"
            }
        }
    }
}

fn change_reason(old: &PlaneConfig, new: &PlaneConfig) -> &'static str {
    if old.uplink.link != new.uplink.link {
        "uplink-changed"
    } else if old.pref64 != new.pref64 {
        "prefix-changed"
    } else if old.v6 != new.v6 {
        "address-changed"
    } else if (old.uplink.gateway, old.uplink.gateway_mac) != (new.uplink.gateway, new.uplink.gateway_mac) {
        "gateway-changed"
    } else {
        "settings-changed"
    }
}

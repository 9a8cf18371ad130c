//! The world around the machine: answers its actions and writes them down.

use std::net::{Ipv4Addr, Ipv6Addr};
use std::time::{Duration, SystemTime};

use engine::flow::Ending;
use engine::{Action, Engine, Event, ProcessInfo, Rearmed};
use model::{
    Applied, CounterSnapshot, Generation, HostIntent, PlaneConfig, PlaneEvent, Settings, SpareConfig, Status,
    StepFailure, Timestamp, TrafficSample,
};

use crate::network::Network;

/// More actions than this in one turn have no end.
const MAX_ACTIONS: usize = 200;

/// More turns than this at one moment is spinning.
const MAX_TURNS: usize = 8;

/// How plane and host answer what they are asked to do.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Answer {
    /// Done at once.
    Done,
    /// Refused.
    Fails,
    /// No answer, until the test gives one.
    Later,
}

pub(crate) struct World {
    pub(crate) network: Network,
    pub(crate) engine: Engine,
    pub(crate) now: Timestamp,
    /// How the plane answers.
    pub(crate) plane: Answer,
    /// How the host answers when something is to be put in place.
    pub(crate) host: Answer,
    /// How the host answers when everything is to be taken away.
    pub(crate) cleanup: Answer,
    /// The plane's configuration, while it runs.
    pub(crate) running: Option<PlaneConfig>,
    /// The second uplink, while it is kept ready.
    pub(crate) spare: Option<SpareConfig>,
    /// The second X, while there is one.
    pub(crate) twin: Option<SpareConfig>,
    /// The last intent.
    pub(crate) intent: HostIntent,
    pub(crate) counters: CounterSnapshot,
    /// The last question for resolvers that was asked.
    pub(crate) question: Option<u64>,
    /// The last question for a captive portal's API.
    pub(crate) portal: Option<u64>,
    /// What the plane will say when it is asked what went through: packets sent and received so far, destinations that
    /// have not answered since the last time, and those that have.
    pub(crate) traffic: TrafficSample,
    /// How often the counters were read, and how often with the wish to be told of the next packet.
    pub(crate) samples: usize,
    pub(crate) last_samples: usize,
    /// Echo requests of up to this size are answered when sizes are tried; `None`: none are.
    pub(crate) takes: Option<u16>,
    /// What is to be noted in the log.
    pub(crate) rearmed: Vec<Rearmed>,
    log: Vec<String>,
    generation: Generation,
    /// The last configuration that the plane said was at work.
    started: Generation,
}

impl World {
    /// A service that has not looked around yet.
    pub(crate) fn new(network: Network, settings: Settings) -> Self {
        Self {
            network,
            engine: Engine::new(settings, [7; 32], Timestamp::ZERO),
            now: Timestamp::ZERO,
            plane: Answer::Done,
            host: Answer::Done,
            cleanup: Answer::Done,
            running: None,
            spare: None,
            twin: None,
            intent: HostIntent::default(),
            counters: CounterSnapshot::default(),
            question: None,
            portal: None,
            traffic: TrafficSample::default(),
            samples: 0,
            last_samples: 0,
            takes: None,
            rearmed: Vec::new(),
            log: Vec::new(),
            generation: Generation::default(),
            started: Generation::default(),
        }
    }

    /// Started on `network`.
    pub(crate) fn started(network: Network) -> Self {
        Self::started_with(network, Settings::default())
    }

    pub(crate) fn started_with(network: Network, settings: Settings) -> Self {
        let mut world = Self::new(network, settings);
        world.look();
        world
    }

    /// Started on the IPv6-only network, armed with 64:ff9b::/96, the log emptied.
    pub(crate) fn armed() -> Self {
        Self::armed_on(Network::ipv6_only())
    }

    pub(crate) fn armed_on(network: Network) -> Self {
        let mut world = Self::started(network);
        world.pref64(crate::network::ETH, "64:ff9b::/96", 1800);
        world.until(5_000);
        world.claimed();
        assert_eq!(world.verdict(), "working CL-004");
        world.took();
        world
    }

    /// The host looks at the network.
    pub(crate) fn look(&mut self) {
        let snapshot = self.network.snapshot(&self.engine.lookup_targets());
        self.tell(Event::Snapshot(snapshot));
    }

    /// A router announces a PREF64, or withdraws it and says no more.
    pub(crate) fn pref64(&mut self, link: u32, prefix: &str, lifetime: u16) {
        self.option(link, &pref64_option(prefix, lifetime));
        if lifetime == 0 {
            // Its successor might be the next option.
            let now: u64 = self.now.since_start().as_millis().try_into().unwrap();
            self.until(now + 10);
        }
    }

    pub(crate) fn option(&mut self, link: u32, bytes: &[u8]) {
        self.option_from(link, crate::network::ROUTER, bytes);
    }

    pub(crate) fn option_from(&mut self, link: u32, router: &str, bytes: &[u8]) {
        let router = Some(router.parse().unwrap());
        self.tell(Event::RouterOption { link, router, bytes: bytes.to_vec() });
    }

    /// Nothing happens for so long, and nobody is there to see that.
    pub(crate) fn sleep(&mut self, length: Duration) {
        self.now = self.now + length;
    }

    /// The running plane reports.
    pub(crate) fn report(&mut self, event: PlaneEvent) {
        let generation = self.running.as_ref().expect("a plane runs").generation;
        self.tell(Event::Plane { generation, event });
    }

    /// The spare uplink reports.
    pub(crate) fn report_spare(&mut self, event: PlaneEvent) {
        let generation = self.spare.as_ref().expect("a spare is ready").plane.generation;
        self.tell(Event::Plane { generation, event });
    }

    /// The second X reports.
    pub(crate) fn report_twin(&mut self, event: PlaneEvent) {
        let generation = self.twin.as_ref().expect("a second X").plane.generation;
        self.tell(Event::Plane { generation, event });
    }

    pub(crate) fn claimed(&mut self) {
        self.report(PlaneEvent::Claimed(self.x()));
    }

    pub(crate) fn duplicate(&mut self) {
        self.report(PlaneEvent::Duplicate(self.x()));
    }

    /// An app sends a packet to each of these; `answered`: and hears back.
    pub(crate) fn app_talks(&mut self, to: &[Ipv4Addr], answered: bool) {
        self.traffic.sent += 1;
        let list = if answered { &mut self.traffic.answered } else { &mut self.traffic.mute };
        list.extend(to);
        if answered {
            self.traffic.received += 1;
        }
    }

    /// A reply comes back.
    pub(crate) fn reply(&mut self) {
        self.counters.last_reply = Some(self.now);
        self.report(PlaneEvent::FirstReply);
    }

    /// The plane that was asked for is there.
    pub(crate) fn plane_starts(&mut self) {
        self.report(PlaneEvent::Started { tun: 9, name: "everclat0".into() });
    }

    /// X, as the plane has it.
    pub(crate) fn x(&self) -> Ipv6Addr {
        self.running.as_ref().expect("a plane runs").v6
    }

    pub(crate) fn tell(&mut self, event: Event) {
        if let Event::Plane { generation, event: PlaneEvent::Started { .. } } = event
            && self.running.as_ref().is_some_and(|config| config.generation == generation)
        {
            self.started = generation;
        }
        self.engine.handle(event, self.now);
        self.act();
    }

    /// Lets time pass until `ms`, doing what is due on the way.
    pub(crate) fn until(&mut self, ms: u64) {
        let end = Timestamp::from_millis(ms);
        let mut turns = 0;
        while let Some(at) = self.engine.poll_timeout(self.now).filter(|at| *at <= end) {
            turns = if at > self.now { 0 } else { turns + 1 };
            assert!(turns < MAX_TURNS, "spins at {:?}", self.now);
            self.now = self.now.max(at);
            self.engine.handle_timeout(self.now);
            self.act();
        }
        self.now = self.now.max(end);
    }

    /// What was done since the last call, in order.
    pub(crate) fn took(&mut self) -> Vec<String> {
        std::mem::take(&mut self.log)
    }

    pub(crate) fn status(&self) -> Status {
        let process = ProcessInfo { version: "0".into(), protocol: 1, pid: 1 };
        let wall = SystemTime::UNIX_EPOCH + Duration::from_secs(1_000_000) + self.now.since_start();
        self.engine.status(&process, &self.counters, self.now, wall)
    }

    /// State and code.
    pub(crate) fn verdict(&self) -> String {
        let status = self.status();
        format!("{} {}", status.state.name(), status.code)
    }

    /// Why the state is not a good one.
    pub(crate) fn cause(&self) -> String {
        self.status().causes.first().expect("a cause").detail.clone()
    }

    /// Does what the machine wants.
    pub(crate) fn act(&mut self) {
        let mut done = 0;
        while let Some(action) = self.engine.poll_action() {
            done += 1;
            self.log.extend(describe(&action));
            assert!(done < MAX_ACTIONS, "no end at {:?}: {:?}", self.now, &self.log[self.log.len() - 8..]);
            match action {
                Action::Refresh => {
                    let snapshot = self.network.snapshot(&self.engine.lookup_targets());
                    self.engine.handle(Event::Snapshot(snapshot), self.now);
                }
                Action::Sample { last } => {
                    self.samples += 1;
                    self.last_samples += usize::from(last);
                    let sample = TrafficSample {
                        mute: std::mem::take(&mut self.traffic.mute),
                        answered: std::mem::take(&mut self.traffic.answered),
                        ..self.traffic.clone()
                    };
                    self.engine.handle(Event::Sample(sample), self.now);
                }
                Action::Measure { generation, questions } if self.takes.is_some() => {
                    // What passes is answered.
                    for (server, size) in questions.into_iter().filter(|(_, size)| Some(*size) <= self.takes) {
                        let event = PlaneEvent::Passed { server, size };
                        self.engine.handle(Event::Plane { generation, event }, self.now);
                    }
                }
                Action::SetPlane(config) => self.set_plane(config),
                Action::StopPlane => {
                    assert!(self.running.take().is_some(), "a plane that does not run is stopped");
                    self.spare = None;
                    self.twin = None;
                }
                Action::SetSpare(spare) => self.set_spare(spare),
                Action::SetTwin(twin) => self.set_twin(twin),
                Action::EndFlows(_) => {
                    assert!(self.running.is_some(), "nobody could be told without a tunnel");
                    assert!(self.intent.default_v4.is_some(), "or without an address");
                }
                Action::Apply(intent) => self.apply(intent),
                Action::AskDns { question, .. } => self.question = Some(question),
                Action::AskPortal { question, .. } => self.portal = Some(question),
                Action::SolicitRouters { .. }
                | Action::FindCheckPoints { .. }
                | Action::AskGateway { .. }
                | Action::Probe { .. }
                | Action::Measure { .. }
                | Action::ResolveNeighbour { .. }
                | Action::Ignored { .. }
                | Action::Refused { .. }
                | Action::StatusChanged => {}
                Action::Rearmed(rearmed) => self.rearmed.push(rearmed),
            }
        }
    }

    fn set_plane(&mut self, config: PlaneConfig) {
        self.grows(config.generation);
        let generation = config.generation;
        let line = |config: &PlaneConfig| (config.uplink.link, config.uplink.mac, config.v6);
        // As the service does it: what was in use takes the place of what is used now, or that of the spare.
        if let Some(old) = self.running.take().filter(|old| line(old) != line(&config)) {
            let is_next =
                |spare: &Option<SpareConfig>| spare.as_ref().is_some_and(|spare| line(&spare.plane) == line(&config));
            let elsewhere = old.uplink.link != config.uplink.link;
            let answers = old.v6 != config.v6;
            let left = SpareConfig { plane: old, answers, lingers: answers };
            if is_next(&self.spare) {
                self.spare = Some(left);
            } else if is_next(&self.twin) {
                self.twin = Some(left);
            } else if elsewhere && self.spare.is_none() {
                self.spare = Some(left);
            }
        }
        self.running = Some(config);
        let event = match self.plane {
            Answer::Done => PlaneEvent::Started { tun: 9, name: "everclat0".into() },
            Answer::Fails => PlaneEvent::Failed("open the tunnel: no".into()),
            Answer::Later => return,
        };
        if self.plane == Answer::Done {
            self.started = generation;
        }
        self.engine.handle(Event::Plane { generation, event }, self.now);
    }

    fn set_spare(&mut self, spare: Option<SpareConfig>) {
        let running = self.running.as_ref().expect("no spare without a plane");
        if let Some(spare) = &spare {
            assert_ne!(spare.plane.uplink.link, running.uplink.link, "the spare is another uplink");
            assert_eq!(spare.answers, spare.plane.v6 != running.v6, "one X, one answer");
            self.grows(spare.plane.generation);
        }
        self.spare = spare;
        if let Some(spare) = &self.spare {
            let generation = spare.plane.generation;
            let event = PlaneEvent::Started { tun: 9, name: "everclat0".into() };
            self.engine.handle(Event::Plane { generation, event }, self.now);
        }
    }

    fn set_twin(&mut self, twin: Option<SpareConfig>) {
        let running = self.running.as_ref().expect("no second X without a first");
        if let Some(twin) = &twin {
            assert_eq!(twin.plane.uplink, running.uplink, "on the same uplink");
            assert_ne!(twin.plane.v6, running.v6, "a second X");
            self.grows(twin.plane.generation);
        }
        self.twin = twin;
        if let Some(twin) = &self.twin {
            let generation = twin.plane.generation;
            let event = PlaneEvent::Started { tun: 9, name: "everclat0".into() };
            self.engine.handle(Event::Plane { generation, event }, self.now);
        }
    }

    fn apply(&mut self, intent: HostIntent) {
        self.grows(intent.generation);
        let at_work = self.running.as_ref().is_some_and(|config| config.generation == self.started);
        assert!(intent.default_v4.is_none() || at_work, "a default route without a plane");
        let answer = if intent.default_v4.is_some() { self.host } else { self.cleanup };
        self.intent = intent;
        match answer {
            Answer::Done => self.engine.handle(Event::Applied(in_place(&self.intent)), self.now),
            Answer::Fails => self.engine.handle(Event::Applied(refused(&self.intent)), self.now),
            Answer::Later => {}
        }
    }

    fn grows(&mut self, generation: Generation) {
        assert!(generation > self.generation, "{generation} after {}", self.generation);
        self.generation = generation;
    }
}

/// The host after all of `intent` succeeded.
pub(crate) fn in_place(intent: &HostIntent) -> Applied {
    Applied {
        generation: intent.generation,
        default_v4: intent.default_v4.clone(),
        silent_v6: intent.silent_v6.clone(),
        failures: Vec::new(),
    }
}

/// The host after nothing of `intent` succeeded.
pub(crate) fn refused(intent: &HostIntent) -> Applied {
    Applied {
        generation: intent.generation,
        default_v4: None,
        silent_v6: Vec::new(),
        failures: vec![StepFailure { step: "route add".into(), error: "no".into() }],
    }
}

/// One line per action; changes of the status and looks at the counters are left out.
fn describe(action: &Action) -> Option<String> {
    Some(match action {
        Action::Refresh => "refresh".into(),
        Action::SolicitRouters { link } => format!("solicit {link}"),
        Action::AskDns { link, servers, .. } => {
            let servers: Vec<String> = servers.iter().map(ToString::to_string).collect();
            format!("ask {} on {link}", servers.join(" "))
        }
        Action::ResolveNeighbour { link, address } => format!("resolve {address} on {link}"),
        Action::AskPortal { link, uri, .. } => format!("portal {uri} on {link}"),
        Action::FindCheckPoints { link, pref64, .. } => format!("points {pref64} on {link}"),
        Action::AskGateway { .. } => "ask gateway".into(),
        Action::Probe { targets, .. } => {
            let targets: Vec<String> = targets.iter().map(ToString::to_string).collect();
            format!("probe {}", targets.join(" "))
        }
        Action::Measure { questions, .. } => {
            let largest = questions.iter().map(|(_, size)| size).max();
            format!("measure {}", largest.copied().unwrap_or_default())
        }
        Action::SetSpare(None) => "no spare".into(),
        Action::SetSpare(Some(spare)) => {
            let quiet = if spare.answers { "" } else { " quiet" };
            let lingers = if spare.lingers { " lingers" } else { "" };
            format!("spare {} {}{quiet}{lingers}", spare.plane.uplink.name, spare.plane.pref64)
        }
        Action::SetTwin(None) => "no twin".into(),
        Action::SetTwin(Some(twin)) => {
            let lingers = if twin.lingers { " lingers" } else { "" };
            format!("twin {} {}{lingers}", twin.plane.uplink.name, twin.plane.pref64)
        }
        Action::EndFlows(Ending::Stranded) => "end stranded flows".into(),
        Action::EndFlows(Ending::All) => "end all flows".into(),
        Action::SetPlane(config) => format!("plane {} {}", config.uplink.name, config.pref64),
        Action::StopPlane => "stop".into(),
        Action::Apply(HostIntent { default_v4: Some(route), silent_v6, .. }) => {
            let silent = if silent_v6.is_empty() { "" } else { " silent" };
            let only = if route.leads { "" } else { " address only" };
            format!("apply {} mtu {}/{}{silent}{only}", route.address, route.route_mtu, route.device_mtu)
        }
        Action::Apply(HostIntent { default_v4: None, .. }) => "apply none".into(),
        Action::Ignored { link, .. } => format!("ignored {link}"),
        Action::Refused { link, error } => format!("refused {link}: {error}"),
        Action::StatusChanged | Action::Rearmed(_) | Action::Sample { .. } => return None,
    })
}

/// RFC 8781 section 4.
pub(crate) fn pref64_option(prefix: &str, lifetime: u16) -> Vec<u8> {
    let prefix: model::Pref64 = prefix.parse().unwrap();
    let code = match prefix.prefix_len() {
        96 => 0,
        64 => 1,
        56 => 2,
        48 => 3,
        40 => 4,
        _ => 5,
    };
    let mut option = vec![38, 2];
    option.extend((lifetime & !7 | code).to_be_bytes());
    option.extend(&prefix.prefix().octets()[..12]);
    option
}

/// RFC 8106 section 5.1.
pub(crate) fn rdnss_option(server: &str, lifetime: u32) -> Vec<u8> {
    let mut option = vec![25, 3, 0, 0];
    option.extend(lifetime.to_be_bytes());
    option.extend(server.parse::<Ipv6Addr>().unwrap().octets());
    option
}

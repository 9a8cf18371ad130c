//! The loop: what happens goes into the engine, what it wants done is done, in order.

use std::collections::HashMap;
use std::future::Future;
use std::net::Ipv6Addr;
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Result, bail};
use engine::{Action, Engine, Event, ProcessInfo, Rearmed};
use ipc::{Backend, Control, LogBatch, LogLevel, Peer, Refusal, RefusalKind, Server, SettingsReport};
use model::{Beside, Departure, FastPath, HostIntent, MacAddress, Pref64, Settings, Status, Timestamp};
use platform_api::{Clock, Host, HostEvent, PlaneIo};
use tokio::sync::{mpsc, oneshot, watch};
use tracing::{debug, info, warn};

use crate::config::{InForce, Sources};
use crate::dns;
use crate::log;
use crate::memory::Keeper;
use crate::names::Names;
use crate::plane::{Order, Plane, Report};
use crate::portal;
use crate::rights;

/// Between two snapshots: a storm of notifications must not become a storm of work. Short enough not to be felt.
const SNAPSHOT_PAUSE: Duration = Duration::from_millis(5);

/// After the system could not be asked.
const SNAPSHOT_AGAIN: Duration = Duration::from_secs(1);

/// What a client wants; the answer goes back through it.
enum Question {
    Status(oneshot::Sender<Status>),
    Settings(oneshot::Sender<SettingsReport>),
    Control(Peer, Control, oneshot::Sender<Result<(), Refusal>>),
}

/// Everything the service is made of.
pub(crate) struct Driver<H: Host, I: PlaneIo> {
    host: H,
    plane: Plane<I>,
    reports: mpsc::UnboundedReceiver<Report>,
    /// Answers to what was asked of others than the host and the plane.
    answers: mpsc::UnboundedReceiver<Event>,
    heard: mpsc::UnboundedSender<Event>,
    clock: Arc<dyn Clock>,
    engine: Engine,
    keeper: Keeper,
    process: ProcessInfo,
    sources: Sources,
    in_force: InForce,
    macs: HashMap<u32, MacAddress>,
    /// What the host was last brought into.
    intent: HostIntent,
    names: Names,
    changes: watch::Sender<u64>,
    last_snapshot: Option<Timestamp>,
    stale: bool,
    /// When to try again what failed, if no notification comes before.
    look_again: Option<Timestamp>,
}

impl<H: Host, I: PlaneIo> Driver<H, I> {
    pub(crate) fn new(
        host: H,
        io: I,
        clock: Arc<dyn Clock>,
        sources: Sources,
        secret: [u8; 32],
        keeper: Keeper,
    ) -> Self {
        let (sender, reports) = mpsc::unbounded_channel();
        let (heard, answers) = mpsc::unbounded_channel();
        let mut engine = Engine::new(Settings::default(), secret, clock.now());
        engine.remember(keeper.kept());
        Self {
            host,
            plane: Plane::new(io, Arc::clone(&clock), sender),
            reports,
            answers,
            heard,
            engine,
            keeper,
            sources,
            in_force: InForce::nothing_read(),
            clock,
            process: ProcessInfo {
                version: env!("CARGO_PKG_VERSION").into(),
                protocol: ipc::PROTOCOL,
                pid: std::process::id(),
            },
            macs: HashMap::new(),
            intent: HostIntent::default(),
            names: Names::default(),
            changes: watch::Sender::new(0),
            last_snapshot: None,
            stale: true,
            look_again: None,
        }
    }

    /// Runs until `stop`, then puts everything back. Each message of `reload` has the configuration read again.
    pub(crate) async fn run(
        mut self,
        server: Server,
        stop: impl Future<Output = ()>,
        mut reload: mpsc::Receiver<()>,
    ) -> Result<()> {
        self.reload();
        let removed = self.host.cleanup_stale().await?;
        for thing in removed {
            info!(thing, "removed what a former process left behind");
        }
        // Listen first, look afterwards: nothing may fall between the two.
        let mut events = self.host.subscribe()?;
        let (questions, mut asked) = mpsc::channel(16);
        let source = Arc::new(Source { questions, changes: self.changes.subscribe() });
        let serving = tokio::spawn(server.run(source));
        tokio::pin!(stop);
        let result = loop {
            self.stale |= self.look_again.is_some_and(|at| at <= self.clock.now());
            if self.stale && self.snapshot_due() {
                self.snapshot().await;
            }
            // Of this one moment: what comes due while things are being done would else neither be done nor waited for.
            let settled = self.clock.now();
            self.engine.handle_timeout(settled);
            self.act().await;
            self.keeper.look(&self.engine, &*self.clock);
            let wake = self.next_wake(settled);
            tokio::select! {
                biased;
                () = &mut stop => break Ok(()),
                event = events.recv() => match event {
                    Some(event) => self.hear(event, &mut events),
                    None => break bail_deaf(),
                },
                Some((generation, event)) = self.reports.recv() => {
                    debug!(%generation, ?event, "plane");
                    self.engine.handle(Event::Plane { generation, event }, self.clock.now());
                }
                Some(event) = self.answers.recv() => {
                    debug!(?event, "answer");
                    self.engine.handle(event, self.clock.now());
                }
                Some(()) = reload.recv() => self.reload(),
                Some(question) = asked.recv() => self.answer(question),
                () = self.clock.sleep(wake.unwrap_or(Duration::MAX)), if wake.is_some() => {
                    self.engine.handle_timeout(self.clock.now());
                }
            }
        };
        info!("stopping");
        let memory = self.engine.memory();
        self.engine.handle(Event::Shutdown, self.clock.now());
        self.act().await;
        serving.abort();
        // Its end removes the socket.
        let _ = serving.await;
        self.keeper.close(memory, &*self.clock).await;
        result
    }

    fn snapshot_due(&self) -> bool {
        self.last_snapshot.is_none_or(|last| self.clock.now().since(last) >= SNAPSHOT_PAUSE)
    }

    /// Until when nothing is due that was not due, and done, when `settled` was now.
    fn next_wake(&self, settled: Timestamp) -> Option<Duration> {
        let now = self.clock.now();
        let engine = self.engine.poll_timeout(settled).map(|at| at.since(now));
        let snapshot = self.last_snapshot.filter(|_| self.stale).map(|last| (last + SNAPSHOT_PAUSE).since(now));
        // tokio counts in milliseconds; a wait that ends a moment early would spin.
        let again = [self.look_again, self.keeper.next()].into_iter().flatten().min().map(|at| at.since(now));
        [engine, snapshot, again].into_iter().flatten().min().map(|wait| wait.saturating_add(Duration::from_millis(1)))
    }

    /// Takes what has queued up: options one by one, hints as one.
    fn hear(&mut self, first: HostEvent, events: &mut mpsc::Receiver<HostEvent>) {
        let now = self.clock.now();
        let mut next = Some(first);
        while let Some(event) = next {
            match event {
                HostEvent::Changed => self.stale = true,
                HostEvent::Woke => self.engine.handle(Event::Woke, now),
                HostEvent::RouterOption { link, router, bytes } => {
                    self.engine.handle(Event::RouterOption { link, router, bytes }, now);
                }
                HostEvent::News { link, news } => self.engine.handle(Event::News { link, news }, now),
            }
            next = events.try_recv().ok();
        }
    }

    async fn snapshot(&mut self) {
        self.stale = false;
        self.look_again = None;
        self.last_snapshot = Some(self.clock.now());
        let own = self.plane.tun();
        match self.host.snapshot(&self.engine.lookup_targets(), own.as_ref()).await {
            Ok(snapshot) => {
                self.macs = snapshot.links.values().filter_map(|link| Some((link.index, link.mac?))).collect();
                self.names.learn(&snapshot, &self.changes);
                self.engine.handle(Event::Snapshot(snapshot), self.clock.now());
                // Somebody else may have changed what is ours.
                if let Some(found) = self.host.in_place(&self.intent) {
                    self.engine.handle(Event::InPlace(found), self.clock.now());
                }
            }
            // The last good picture stays.
            Err(error) => {
                warn!(%error, "cannot look at the network");
                self.look_again = Some(self.clock.now() + SNAPSHOT_AGAIN);
            }
        }
    }

    /// Does what the engine wants, until it wants nothing more.
    async fn act(&mut self) {
        while let Some(action) = self.engine.poll_action() {
            debug!(?action, "act");
            match action {
                Action::Refresh => self.snapshot().await,
                Action::SolicitRouters { link } => {
                    // Fails while the interface has no address yet; the engine asks again.
                    if let Err(error) = self.host.solicit_routers(link, self.macs.get(&link).copied()) {
                        debug!(%error, "no solicitation sent");
                    }
                }
                Action::AskDns { link, servers, question } => self.ask_dns(link, servers, question),
                Action::ResolveNeighbour { link, address } => {
                    if let Err(error) = self.host.resolve_neighbour(link, address).await {
                        warn!("cannot have the kernel resolve the router");
                        debug!(%error, link, "not resolved");
                    }
                }
                Action::SetPlane(config) => {
                    info!(uplink = config.uplink.name, pref64 = %config.pref64, "translating");
                    self.plane.set(config);
                    // The answer is there already: it need not wait for another turn of the loop.
                    while let Ok((generation, event)) = self.reports.try_recv() {
                        self.engine.handle(Event::Plane { generation, event }, self.clock.now());
                    }
                }
                Action::SetSpare(spare) => {
                    debug!(ready = spare.is_some(), "second uplink");
                    self.plane.set_beside(Beside::Spare, spare);
                }
                Action::SetTwin(twin) => {
                    debug!(ready = twin.is_some(), "second X");
                    self.plane.set_beside(Beside::Twin, twin);
                }
                Action::EndFlows(ending) => self.plane.end_flows(ending),
                Action::Sample { last } => {
                    let sample = self.plane.sample(last);
                    self.engine.handle(Event::Sample(sample), self.clock.now());
                }
                Action::AskGateway { generation } => self.plane.order(generation, Order::AskGateway),
                Action::Probe { generation, targets } => self.plane.order(generation, Order::Probe(targets)),
                Action::Measure { generation, questions } => self.plane.order(generation, Order::Measure(questions)),
                Action::AskPortal { link, servers, question, uri } => self.ask_portal(link, servers, question, uri),
                Action::FindCheckPoints { link, servers, pref64 } => self.find_check_points(link, servers, pref64),
                Action::StopPlane => {
                    self.plane.stop();
                    info!("no longer translating");
                }
                Action::Apply(intent) => self.apply(&intent).await,
                Action::Ignored { link, error } => warn!(link, %error, "ignored an option of a router advertisement"),
                Action::Refused { link, error } => {
                    warn!(link, %error, "resolvers named a prefix that can be no NAT64's");
                }
                Action::Rearmed(rearmed) => note(&rearmed),
                Action::StatusChanged => self.changes.send_modify(|version| *version = version.wrapping_add(1)),
            }
        }
    }

    async fn apply(&mut self, intent: &HostIntent) {
        self.intent = intent.clone();
        let own = self.plane.tun();
        let applied = self.host.apply(intent, own.as_ref()).await;
        for failure in &applied.failures {
            // The step names addresses, which are for DEBUG; the status tells them to who asks.
            warn!(error = failure.error, "the host refused a change");
            debug!(step = failure.step, "refused");
        }
        self.engine.handle(Event::Applied(applied), self.clock.now());
        let status = self.status();
        info!(state = status.state.name(), code = %status.code, "{}", status.title);
    }

    /// Asks beside everything else; the answer comes back by the channel.
    fn ask_dns(&self, link: u32, servers: Vec<Ipv6Addr>, question: u64) {
        let (sockets, heard) = (self.host.sockets(), self.heard.clone());
        tokio::spawn(async move {
            let answer = dns::ask(&sockets, link, &servers, dns::BUDGET).await;
            // Nobody listens only when the service is ending.
            let _ = heard.send(Event::DnsAnswer { link, question, answer });
        });
    }

    fn ask_portal(&self, link: u32, servers: Vec<Ipv6Addr>, question: u64, uri: String) {
        let (sockets, heard) = (self.host.sockets(), self.heard.clone());
        tokio::spawn(async move {
            let answer = portal::ask(&sockets, link, &servers, &uri, portal::BUDGET).await;
            let _ = heard.send(Event::PortalAnswer { link, question, answer });
        });
    }

    fn find_check_points(&self, link: u32, servers: Vec<Ipv6Addr>, pref64: Pref64) {
        let (sockets, heard) = (self.host.sockets(), self.heard.clone());
        tokio::spawn(async move {
            let servers = dns::check_points(&sockets, link, &servers, pref64, dns::BUDGET).await;
            let _ = heard.send(Event::CheckPoints { link, pref64, servers });
        });
    }

    fn answer(&mut self, question: Question) {
        // Whoever asked may have left.
        match question {
            Question::Status(answer) => {
                let _ = answer.send(self.status());
            }
            Question::Settings(answer) => {
                let _ = answer.send(self.in_force.report());
            }
            Question::Control(peer, control, answer) => {
                let allowed = rights::check(peer, &control, self.engine.settings());
                if allowed.is_ok() {
                    info!(uid = peer.uid, pid = peer.pid, ?control, "asked by a client");
                }
                let result = allowed.and_then(|()| self.carry_out(control));
                if let Err(refusal) = &result {
                    info!(uid = peer.uid, pid = peer.pid, "refused a client: {}", refusal.message);
                }
                let _ = answer.send(result);
            }
        }
    }

    fn carry_out(&mut self, control: Control) -> Result<(), Refusal> {
        let event = match control {
            Control::Rearm => Event::Rearm,
            Control::Pause { seconds, reason } => Event::Pause { length: seconds.map(Duration::from_secs), reason },
            Control::Resume => Event::Resume,
            Control::Reload => {
                self.reload();
                return Ok(());
            }
            Control::LogLevel { level, seconds } => {
                let changed = log::set_level(level, Duration::from_secs(seconds));
                return changed.map_err(|message| Refusal { kind: RefusalKind::Unable, message });
            }
        };
        self.engine.handle(event, self.clock.now());
        Ok(())
    }

    /// Reads configuration and policies again; what is wrong with them leaves the last good value.
    fn reload(&mut self) {
        let read = self.sources.read();
        let before = std::mem::replace(&mut self.in_force, read);
        self.in_force.tell(&before);
        self.plane.allow_fast(self.in_force.settings().fast_path.value == FastPath::Auto);
        // What did not change has no effect, on traffic least of all.
        if self.in_force.settings() != self.engine.settings() {
            self.engine.handle(Event::Settings(Box::new(self.in_force.settings().clone())), self.clock.now());
        }
    }

    fn status(&self) -> Status {
        let counters = self.plane.counters();
        let mut status = self.engine.status(&self.process, &counters, self.clock.now(), self.clock.wall());
        self.names.describe(&mut status.interfaces);
        if let Some(clat) = &mut status.clat {
            clat.fast_path = Some(self.plane.fast_status());
        }
        status
    }
}

/// One line for each re-arming, without addresses. An uplink's name is the host's own.
fn note(rearmed: &Rearmed) {
    let millis = |time: Duration| u64::try_from(time.as_millis()).unwrap_or(u64::MAX);
    let done: Vec<&str> = rearmed.done.iter().map(|step| step.name()).collect();
    info!(
        number = rearmed.number,
        reason = rearmed.reason,
        left = rearmed.left.map(Departure::name),
        gap_ms = millis(rearmed.gap),
        standby_ms = rearmed.standby.map(millis),
        from = rearmed.from,
        to = rearmed.to,
        done = done.join(" "),
        "re-armed"
    );
}

fn bail_deaf() -> Result<()> {
    bail!("the system no longer tells what happens to the network")
}

struct Source {
    questions: mpsc::Sender<Question>,
    changes: watch::Receiver<u64>,
}

impl Backend for Source {
    async fn status(&self) -> Option<Status> {
        let (question, answer) = oneshot::channel();
        self.questions.send(Question::Status(question)).await.ok()?;
        answer.await.ok()
    }

    async fn settings(&self) -> Option<SettingsReport> {
        let (question, answer) = oneshot::channel();
        self.questions.send(Question::Settings(question)).await.ok()?;
        answer.await.ok()
    }

    async fn control(&self, peer: Peer, control: Control) -> Result<(), Refusal> {
        let stopping = || Refusal { kind: RefusalKind::Stopping, message: "the service is stopping".into() };
        let (question, answer) = oneshot::channel();
        self.questions.send(Question::Control(peer, control, question)).await.map_err(|_| stopping())?;
        answer.await.map_err(|_| stopping())?
    }

    fn log(&self, from: u64, level: LogLevel, since_unix_ms: u64) -> LogBatch {
        log::book().read(from, level, since_unix_ms)
    }

    fn log_changes(&self) -> watch::Receiver<u64> {
        log::book().changes()
    }

    fn changes(&self) -> watch::Receiver<u64> {
        self.changes.clone()
    }
}

//! The app without its window against a service over the real codec.

#![cfg(unix)]
#![expect(clippy::unwrap_used, reason = "a test may panic")]

use std::path::PathBuf;
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use everclat_tray::conductor::{Conductor, Hands, Remote, remote};
use everclat_tray::controller::{Ask, Event, Facts, Look, Notice};
use everclat_tray::link::Link;
use everclat_tray::view::{FailedKind, Icon, Os, Prefs, Service, Theme, View};
use ipc::{Backend, Control, LogBatch, LogLevel, Peer, Refusal, RefusalKind, Server, SettingsReport};
use jiff::tz::TimeZone;
use model::Status;
use serde_json::json;
use tempfile::TempDir;
use tokio::runtime::Runtime;
use tokio::sync::{mpsc, watch};
use tokio::time::{sleep, timeout};

const PATIENCE: Duration = Duration::from_secs(10);

/// What the scripted service says: its state, and a number that counts up.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Script {
    state: (&'static str, &'static str),
    count: u64,
}

const WORKING: (&str, &str) = ("working", "CL-000");
const DOWN: (&str, &str) = ("down", "CL-501");

#[derive(Clone)]
struct Scripted {
    script: watch::Sender<Script>,
    changes: watch::Sender<u64>,
    controls: Arc<Mutex<Vec<Control>>>,
    asked: Arc<Mutex<u32>>,
}

impl Scripted {
    fn new() -> Self {
        Self {
            script: watch::Sender::new(Script { state: WORKING, count: 0 }),
            changes: watch::Sender::new(0),
            controls: Arc::default(),
            asked: Arc::default(),
        }
    }

    fn say(&self, state: (&'static str, &'static str)) -> u64 {
        self.script.send_modify(|script| *script = Script { state, count: script.count + 1 });
        self.changes.send_modify(|changes| *changes += 1);
        self.script.borrow().count
    }
}

impl Backend for Scripted {
    async fn status(&self) -> Option<Status> {
        *self.asked.lock().unwrap() += 1;
        let Script { state: (state, code), count } = *self.script.borrow();
        let document = json!({
            "schema": "everclat.status/1", "product": {"version": "0.1.0", "protocol": 1},
            "service": {"pid": 1, "uptime_s": count}, "state": state, "code": code, "title": "", "since": "",
            "time": "", "owner": "self", "plane": null, "uplink": null, "pref64": [], "clat": null,
            "rearms": {"count": 0, "last_ms": null, "last_reason": null},
            "evidence": {"kind": "traffic", "age_s": 0.1}, "ignored": {"router_options": 0}, "causes": [],
            "interfaces": [],
        });
        Some(serde_json::from_value(document).unwrap())
    }

    async fn settings(&self) -> Option<SettingsReport> {
        Some(SettingsReport { settings: model::setting_entries(&model::Settings::default()), ..Default::default() })
    }

    async fn control(&self, _: Peer, control: Control) -> Result<(), Refusal> {
        self.controls.lock().unwrap().push(control.clone());
        match control {
            Control::Rearm | Control::Resume | Control::Reload | Control::LogLevel { .. } => Ok(()),
            Control::Pause { .. } => Err(Refusal { kind: RefusalKind::Denied, message: "not you".into() }),
        }
    }

    fn log(&self, _: u64, _: LogLevel, _: u64) -> LogBatch {
        LogBatch { entries: Vec::new(), lost: 0, more: false, next: 0 }
    }

    fn log_changes(&self) -> watch::Receiver<u64> {
        self.changes.subscribe()
    }

    fn changes(&self) -> watch::Receiver<u64> {
        self.changes.subscribe()
    }
}

impl Drop for World {
    fn drop(&mut self) {
        // A runtime may not be dropped where others run.
        if let Some(serving) = self.serving.take() {
            serving.shutdown_background();
        }
    }
}

/// What reached the desktop.
enum Did {
    Page(Box<View>, Instant),
    Tray(Option<Look>),
    Opened,
}

struct Recorded(mpsc::UnboundedSender<Did>);

impl Hands for Recorded {
    fn page(&mut self, view: View) {
        let _ = self.0.send(Did::Page(Box::new(view), Instant::now()));
    }

    fn tray(&mut self, look: Option<Look>) {
        let _ = self.0.send(Did::Tray(look));
    }

    fn notify(&mut self, notice: Notice) {
        panic!("nothing here lasts long enough: {notice:?}");
    }

    fn open_window(&mut self) {
        let _ = self.0.send(Did::Opened);
    }

    fn save(&mut self, _: &Prefs) {}

    fn set_autostart(&mut self, _: bool) {}

    fn has_icon(&mut self, _: bool) {}

    fn dress(&mut self, _: Theme) {}

    fn quit(&mut self) {}
}

struct World {
    service: Scripted,
    serving: Option<Runtime>,
    remote: Remote,
    did: mpsc::UnboundedReceiver<Did>,
    path: PathBuf,
    _directory: TempDir,
}

impl World {
    /// The app, and no service yet.
    fn alone() -> Self {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("sock");
        let (remote, ends) = remote();
        let (hand, did) = mpsc::unbounded_channel();
        let facts = Facts {
            version: "0.1.0".into(),
            os: Os::Linux,
            language_os: "en".into(),
            start_hint: "start it".into(),
            zone: TimeZone::UTC,
        };
        let link = Link::new(path.clone(), remote.events());
        tokio::spawn(Conductor::new(facts, Prefs::default(), link, Recorded(hand), ends).run());
        Self { service: Scripted::new(), serving: None, remote, did, path, _directory: directory }
    }

    /// App and service, and somebody who looks.
    async fn together() -> Self {
        let mut world = Self::alone();
        world.serve().await;
        world.remote.tell(Event::Window(true)).await;
        world.remote.tell(Event::Watching(true)).await;
        world.sees("connected", |view| view.status.is_some() && view.settings.is_some()).await;
        world
    }

    async fn serve(&mut self) {
        let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build().unwrap();
        let (path, service) = (self.path.clone(), Arc::new(self.service.clone()));
        let bound = runtime.spawn(async move { Server::bind(&path, "everclatd 0.1.0").await.unwrap() });
        runtime.spawn(bound.await.unwrap().run(service));
        self.serving = Some(runtime);
    }

    /// Ends the service and every connection to it, as the end of its process would.
    fn stop(&mut self) {
        self.serving.take().unwrap().shutdown_background();
    }

    /// Waits until the page is told something; says when.
    async fn sees(&mut self, what: &str, condition: impl Fn(&View) -> bool) -> (Box<View>, Instant) {
        let seen = async {
            loop {
                if let Did::Page(view, at) = self.did.recv().await.unwrap()
                    && condition(&view)
                {
                    return (view, at);
                }
            }
        };
        timeout(PATIENCE, seen).await.unwrap_or_else(|_| panic!("never {what}"))
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_change_is_with_the_page_at_once() {
    let mut world = World::together().await;
    let mut slowest = Duration::ZERO;
    for turn in 0..20 {
        let begin = Instant::now();
        let count = world.service.say(if turn % 2 == 0 { DOWN } else { WORKING });
        let there = |view: &View| view.status.as_ref().is_some_and(|status| status.service.uptime_s == count);
        let (_, at) = world.sees("the change", there).await;
        slowest = slowest.max(at - begin);
        sleep(Duration::from_millis(60)).await;
    }
    println!("slowest of 20 changes: {slowest:?}");
    assert!(slowest < Duration::from_millis(200), "{slowest:?}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn ten_thousand_changes_in_a_rush_leave_the_last_one_and_no_queue() {
    let mut world = World::together().await;
    let begin = Instant::now();
    let mut last = 0;
    for turn in 0..10_000_u32 {
        last = world.service.say(if turn.is_multiple_of(2) { DOWN } else { WORKING });
        if turn.is_multiple_of(100) {
            sleep(Duration::from_millis(5)).await;
        }
    }
    let ended = Instant::now();
    let there = move |view: &View| view.status.as_ref().is_some_and(|status| status.service.uptime_s == last);
    let mut pages = 0;
    let caught_up = loop {
        match timeout(PATIENCE, world.did.recv()).await.unwrap().unwrap() {
            Did::Page(view, at) => {
                pages += 1;
                if there(&view) {
                    break at;
                }
            }
            Did::Tray(_) | Did::Opened => {}
        }
    };
    let most = 2 + (caught_up - begin).as_millis() / 50;
    println!(
        "10,000 changes in {:?}: {pages} views, the last {:?} later",
        ended - begin,
        caught_up.saturating_duration_since(ended)
    );
    assert!(pages <= most, "{pages} views, {most} expected at most");
    assert!(caught_up.saturating_duration_since(ended) < Duration::from_millis(500));
    // And it answers as ever.
    let begin = Instant::now();
    world.remote.ask(Ask::Rearm).await.unwrap().unwrap();
    assert!(begin.elapsed() < Duration::from_millis(500), "{:?}", begin.elapsed());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_service_may_come_later_and_go_and_come_again() {
    let mut world = World::alone();
    world.remote.tell(Event::Window(true)).await;
    world.remote.tell(Event::Watching(true)).await;
    let unreachable = |view: &View| matches!(&view.service, Service::Unreachable { hint, .. } if hint == "start it");
    for _ in 0..3 {
        let (view, _) = world.sees("unreachable", unreachable).await;
        assert_eq!(view.status, None);
        world.serve().await;
        world.sees("connected", |view| view.status.is_some()).await;
        world.stop();
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn actions_are_carried_out_and_refusals_are_told() {
    let world = World::together().await;
    world.remote.ask(Ask::Rearm).await.unwrap().unwrap();
    assert_eq!(*world.service.controls.lock().unwrap(), [Control::Rearm]);
    let refused = world.remote.ask(Ask::Pause { minutes: Some(5), reason: "call".into() }).await.unwrap().unwrap_err();
    assert_eq!((refused.kind, refused.message.as_str()), (FailedKind::Denied, "not you"));
    let paused = Control::Pause { seconds: Some(300), reason: "call".into() };
    assert_eq!(world.service.controls.lock().unwrap().last(), Some(&paused));
    let view = world.remote.view().await.unwrap();
    assert_eq!((view.busy, view.failed), (None, Some(refused)));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn counters_are_asked_for_only_while_somebody_looks() {
    let mut world = World::together().await;
    let asked = |world: &World| *world.service.asked.lock().unwrap();
    sleep(Duration::from_millis(2_500)).await;
    assert!(asked(&world) >= 3, "{}", asked(&world));
    world.remote.tell(Event::Watching(false)).await;
    sleep(Duration::from_millis(200)).await;
    let before = asked(&world);
    sleep(Duration::from_millis(2_500)).await;
    assert_eq!(asked(&world), before);
    // The tray goes on without the page.
    world.service.say(DOWN);
    let shown = async {
        loop {
            if let Did::Tray(Some(look)) = world.did.recv().await.unwrap()
                && look.icon == Icon::Down
            {
                return;
            }
        }
    };
    timeout(PATIENCE, shown).await.unwrap();
}

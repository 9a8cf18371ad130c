use std::time::Duration;

use ipc::{Control, PROTOCOL, SettingsReport};
use jiff::Timestamp;
use jiff::tz::TimeZone;
use model::{Origin, SettingEntry, Status};
use serde_json::{Value, json};

use super::{Action, Ask, Choice, Controller, Entry, Event, Facts, Look, Lost, Notice, Now};
use crate::view::{ActionName, FailedKind, Icon, Notifications, Os, Prefs, Service, View};

/// A controller, its time, and all it had done.
struct World {
    controller: Controller,
    ms: u64,
    done: Vec<(u64, Action)>,
}

impl World {
    fn new() -> Self {
        Self::with(Prefs::default())
    }

    fn with(prefs: Prefs) -> Self {
        let facts = Facts {
            version: "0.1.0".into(),
            os: Os::Linux,
            language_os: "en-GB".into(),
            start_hint: "systemctl start everclatd".into(),
            zone: TimeZone::UTC,
        };
        let controller = Controller::new(facts, prefs, now(0));
        let mut world = Self { controller, ms: 0, done: Vec::new() };
        world.collect();
        world
    }

    /// Connected, with a window that somebody looks at, and a status heard.
    fn connected(state: &str, code: &str) -> Self {
        let mut world = Self::new();
        world.happens(Event::TrayHost(true));
        world.happens(hello());
        world.hears(state, code);
        world.after(2_000);
        world
    }

    fn happens(&mut self, event: Event) {
        self.controller.handle(event, now(self.ms));
        self.collect();
    }

    fn hears(&mut self, state: &str, code: &str) {
        self.happens(Event::Heard(status(state, code)));
    }

    /// Lets time pass, and wakes the controller exactly when it asked for it.
    fn after(&mut self, ms: u64) {
        let end = self.ms + ms;
        for _ in 0..100_000 {
            let Some(next) = self.controller.next().map(|next| u64::try_from(next.as_millis()).unwrap()) else { break };
            if next > end {
                break;
            }
            assert!(next >= self.ms, "asks to be woken in the past");
            self.ms = next;
            self.controller.wake(now(next));
            self.collect();
            let again = self.controller.next().map(|next| u64::try_from(next.as_millis()).unwrap());
            assert_ne!(again, Some(next), "spins");
        }
        self.ms = end;
    }

    fn collect(&mut self) {
        while let Some(action) = self.controller.poll() {
            self.done.push((self.ms, action));
        }
    }

    fn take(&mut self) -> Vec<Action> {
        std::mem::take(&mut self.done).into_iter().map(|(_, action)| action).collect()
    }

    fn icon(&self) -> Icon {
        self.controller.view().shown.icon
    }

    fn looks(&self) -> Vec<(u64, Box<Look>)> {
        let look = |(at, action): &(u64, Action)| {
            let Action::Tray(Some(look)) = action else { return None };
            Some((*at, look.clone()))
        };
        self.done.iter().filter_map(look).collect()
    }

    fn pages(&self) -> Vec<(u64, Box<View>)> {
        let page = |(at, action): &(u64, Action)| {
            let Action::Page(view) = action else { return None };
            Some((*at, view.clone()))
        };
        self.done.iter().filter_map(page).collect()
    }

    fn notices(&self) -> Vec<(u64, Notice)> {
        let notice = |(at, action): &(u64, Action)| {
            let Action::Notify(notice) = action else { return None };
            Some((*at, notice.clone()))
        };
        self.done.iter().filter_map(notice).collect()
    }

    fn codes(&self) -> Vec<String> {
        self.notices().iter().map(|(_, notice)| notice.code.to_string()).collect()
    }

    fn menu(&self) -> Vec<Entry> {
        self.looks().last().unwrap().1.menu.clone()
    }
}

fn now(ms: u64) -> Now {
    let wall = Timestamp::from_second(1_800_000_000).unwrap();
    Now { mono: Duration::from_millis(ms), wall: wall + Duration::from_millis(ms) }
}

fn hello() -> Event {
    Event::Connected { program: "everclatd 0.1.0".into(), protocol: PROTOCOL }
}

fn document(state: &str, code: &str) -> Value {
    json!({
        "schema": "everclat.status/1", "product": {"version": "0.1.0", "protocol": PROTOCOL},
        "service": {"pid": 1, "uptime_s": 1}, "state": state, "code": code, "title": "", "since": "", "time": "",
        "owner": "self", "plane": null, "uplink": null, "pref64": [], "clat": null,
        "rearms": {"count": 0, "last_ms": null, "last_reason": null}, "evidence": {"kind": "traffic", "age_s": 1.0},
        "ignored": {"router_options": 0}, "causes": [],
        "interfaces": [{"name": "eth0", "up": true, "v6": ["2001:db8:1::2/64"], "v4_native": false, "mtu": 1500,
                        "resolvers": []}],
    })
}

fn status(state: &str, code: &str) -> Box<Status> {
    serde_json::from_value(document(state, code)).unwrap()
}

fn changed(state: &str, code: &str, change: impl FnOnce(&mut Value)) -> Box<Status> {
    let mut document = document(state, code);
    change(&mut document);
    serde_json::from_value(document).unwrap()
}

fn lost() -> Event {
    Event::Lost(Lost::NotRunning("nobody listens".into()))
}

fn settings(entries: &[(&str, &str)]) -> Event {
    let entry = |(key, value): &(&str, &str)| SettingEntry {
        key: (*key).to_owned(),
        value: (*value).to_owned(),
        origin: Origin::Policy,
        locked: true,
        source: Some("10-company.json".to_owned()),
    };
    let settings = entries.iter().map(entry).collect();
    Event::Settings(SettingsReport { settings, ..SettingsReport::default() })
}

fn pause(minutes: Option<u32>) -> Ask {
    Ask::Pause { minutes, reason: String::new() }
}

#[test]
fn it_calls_at_once_and_then_ever_less_often_until_somebody_answers() {
    let mut world = World::new();
    assert!(world.take().contains(&Action::Connect));
    let mut waits = Vec::new();
    for _ in 0..8 {
        let before = world.ms;
        world.happens(lost());
        let next = world.controller.next().unwrap();
        world.after(u64::try_from(next.as_millis()).unwrap() - before);
        while !world.take().contains(&Action::Connect) {
            world.after(100);
        }
        waits.push(world.ms - before);
    }
    assert!(waits[0] <= 300 && waits.windows(2).all(|pair| pair[0] <= pair[1] + 100), "{waits:?}");
    assert!((4_900..=5_100).contains(waits.last().unwrap()), "{waits:?}");
    world.happens(hello());
    world.hears("working", "CL-000");
    world.take();
    world.happens(lost());
    world.after(250);
    assert!(world.take().contains(&Action::Connect), "soon again after a success");
}

#[test]
fn nothing_stale_looks_alive() {
    let mut world = World::connected("working", "CL-000");
    world.happens(settings(&[]));
    world.happens(lost());
    let view = world.controller.view();
    assert_eq!((view.status, view.settings), (None, None));
    let Service::Unreachable { hint, since, .. } = view.service else { panic!("{:?}", view.service) };
    assert_eq!(hint, "systemctl start everclatd");
    world.after(10_000);
    world.happens(lost());
    let Service::Unreachable { since: later, .. } = world.controller.view().service else { panic!() };
    assert_eq!(since, later, "since the first time");
}

#[test]
fn each_way_of_not_being_understood_is_told_apart() {
    let mut world = World::new();
    for (lost, kind) in [
        (Lost::Denied("no".into()), "denied"),
        (Lost::TooOld("everclatd 0.0.1".into()), "too_old"),
        (Lost::TooNew("everclatd 9.0.0".into()), "too_new"),
        (Lost::Broken("hung".into()), "unreachable"),
    ] {
        world.happens(Event::Lost(lost));
        assert_eq!(serde_json::to_value(world.controller.view().service).unwrap()["kind"], kind);
    }
    for (program, protocol, outdated, newer) in [
        ("everclatd 0.1.0", PROTOCOL, false, false),
        ("everclatd 0.0.9", PROTOCOL, true, false),
        ("everclatd 0.1.0", PROTOCOL - 1, true, false),
        ("everclatd 0.2.0", PROTOCOL, false, true),
    ] {
        world.happens(Event::Connected { program: program.into(), protocol });
        let service = serde_json::to_value(world.controller.view().service).unwrap();
        assert_eq!((&service["outdated"], &service["newer"]), (&json!(outdated), &json!(newer)), "{program}");
    }
    world.happens(Event::NotUnderstood);
    assert!(matches!(world.controller.view().service, Service::TooNew { .. }));
    world.hears("working", "CL-000");
    assert!(matches!(world.controller.view().service, Service::Connected { newer: true, .. }));
}

#[test]
fn every_state_has_its_silhouette() {
    for (state, code, icon) in [
        ("working", "CL-000", Icon::Working),
        ("working", "CL-004", Icon::Working),
        ("standby_native", "CL-001", Icon::Standby),
        ("standby_os", "CL-002", Icon::Os),
        ("checking", "CL-301", Icon::Checking),
        ("limited", "CL-202", Icon::Limited),
        ("down", "CL-301", Icon::Down),
        ("paused", "CL-003", Icon::Paused),
        ("no_network", "CL-101", Icon::NoNetwork),
    ] {
        assert_eq!(World::connected(state, code).icon(), icon, "{state}");
    }
    let mut world = World::new();
    world.happens(lost());
    world.after(1_500);
    assert_eq!(world.icon(), Icon::NoService);
}

#[test]
fn without_evidence_nothing_is_said_to_work() {
    let mut world = World::connected("standby_native", "CL-001");
    let ready = changed("working", "CL-004", |document| {
        document["evidence"] = json!({"kind": "none", "age_s": null});
    });
    world.happens(Event::Heard(ready));
    world.after(1_000);
    assert_eq!(world.looks().last().unwrap().1.title, "Ready for IPv4 apps");
    world.hears("working", "CL-000");
    world.after(1_000);
    assert_eq!(world.looks().last().unwrap().1.title, "IPv4 apps work (translated)");
}

#[test]
fn a_cable_that_is_replugged_changes_nothing_in_the_panel() {
    let mut world = World::connected("working", "CL-000");
    world.take();
    world.hears("no_network", "CL-101");
    world.after(900);
    world.hears("checking", "CL-301");
    world.after(50);
    world.hears("working", "CL-000");
    world.after(20_000);
    assert_eq!(world.looks(), [], "no icon, no word");
}

#[test]
fn a_lost_link_is_checked_for_a_while_and_then_shown() {
    let mut world = World::connected("working", "CL-000");
    world.take();
    let begin = world.ms;
    world.hears("no_network", "CL-101");
    world.after(10_000);
    let icons: Vec<(u64, Icon)> = world.looks().iter().map(|(at, look)| (at - begin, look.icon)).collect();
    assert_eq!(icons, [(1_000, Icon::Checking), (5_000, Icon::NoNetwork)]);
    // Back again: at once.
    world.take();
    let begin = world.ms;
    world.hears("working", "CL-000");
    world.after(10);
    assert_eq!((world.looks()[0].0 - begin, world.looks()[0].1.icon), (0, Icon::Working));
}

#[test]
fn what_the_service_has_waited_for_is_shown_at_once() {
    let mut world = World::connected("working", "CL-000");
    for code in ["CL-301", "CL-501", "CL-604"] {
        world.hears("down", code);
        assert_eq!(world.icon(), Icon::Down, "{code}");
        world.after(2_000);
        world.hears("working", "CL-000");
        world.after(2_000);
    }
}

#[test]
fn the_icon_changes_at_most_once_a_second() {
    let mut world = World::connected("working", "CL-000");
    world.take();
    for turn in 0..600 {
        let (state, code) = [("down", "CL-501"), ("working", "CL-000"), ("limited", "CL-303")][turn % 3];
        world.hears(state, code);
        world.after(100);
    }
    let times: Vec<u64> = world.looks().iter().map(|(at, _)| *at).collect();
    assert!(times.len() > 10 && times.windows(2).all(|pair| pair[1] - pair[0] >= 1_000), "{times:?}");
    world.hears("working", "CL-000");
    world.after(2_000);
    assert_eq!(world.looks().last().unwrap().1.icon, Icon::Working, "the latest wins");
}

#[test]
fn ten_thousand_changes_a_minute_neither_queue_up_nor_get_lost() {
    let mut world = World::connected("working", "CL-000");
    world.happens(Event::Window(true));
    world.happens(Event::Watching(true));
    world.take();
    for turn in 0..10_000 {
        let (state, code) = if turn % 2 == 0 { ("working", "CL-000") } else { ("down", "CL-501") };
        world.hears(state, code);
        world.after(6);
    }
    let pages = world.pages().len();
    assert!((1_000..=1_201).contains(&pages), "{pages} views in a minute");
    assert!(world.looks().len() <= 61, "{}", world.looks().len());
    world.hears("standby_native", "CL-001");
    world.after(50);
    let (_, last) = world.pages().pop().unwrap();
    assert_eq!(last.status.unwrap().code.as_str(), "CL-001", "the latest wins");
    assert_eq!(world.controller.poll(), None, "nothing is left over");
}

#[test]
fn the_page_hears_the_first_change_at_once() {
    let mut world = World::connected("working", "CL-000");
    world.happens(Event::Window(true));
    world.happens(Event::Watching(true));
    world.after(500);
    world.take();
    let begin = world.ms;
    world.hears("down", "CL-501");
    world.after(7);
    world.hears("working", "CL-000");
    world.after(500);
    let times: Vec<u64> = world.pages().iter().map(|(at, _)| at - begin).collect();
    assert_eq!(times, [0, 50]);
}

#[test]
fn nobody_is_asked_anything_unless_somebody_looks() {
    let mut world = World::connected("working", "CL-000");
    world.happens(Event::Window(true));
    world.after(10_000);
    world.take();
    world.after(3_600_000);
    assert_eq!(world.take(), [], "an hour of silence");
    assert_eq!(world.controller.next(), None, "and no timer");
    world.happens(Event::Watching(true));
    world.after(10_050);
    let asked = world.take();
    assert_eq!(asked.iter().filter(|action| **action == Action::AskStatus).count(), 11);
    assert_eq!(asked.iter().filter(|action| **action == Action::AskSettings).count(), 3);
    world.happens(Event::Window(false));
    world.take();
    world.after(10_000);
    assert_eq!(world.take(), [], "the window was closed");
}

#[test]
fn counters_are_renewed_but_never_turn_time_back() {
    let mut world = World::connected("working", "CL-000");
    world.happens(Event::Window(true));
    world.happens(Event::Watching(true));
    world.take();
    world.after(100);
    let newer = changed("working", "CL-000", |document| document["service"]["uptime_s"] = json!(77));
    world.happens(Event::Refreshed(newer));
    assert_eq!(world.pages().last().unwrap().1.status.as_ref().unwrap().service.uptime_s, 77);
    world.hears("down", "CL-501");
    world.happens(Event::Refreshed(status("working", "CL-000")));
    assert_eq!(world.controller.view().status.unwrap().code.as_str(), "CL-501", "asked before the change");
}

#[test]
fn an_action_is_carried_out_and_answered() {
    let mut world = World::connected("working", "CL-000");
    world.take();
    world.happens(Event::Asked(Some(7), Ask::Rearm));
    assert!(world.take().contains(&Action::Control(Control::Rearm)));
    assert_eq!(world.controller.view().busy.unwrap().action, ActionName::Rearm);
    // Twice is refused, and does not disturb the first.
    world.happens(Event::Asked(Some(8), pause(Some(5))));
    let Action::Answer(8, Err(failed)) = &world.take()[0] else { panic!() };
    assert_eq!(failed.kind, FailedKind::Refused);
    world.happens(Event::Ended(Ok(())));
    assert!(world.take().contains(&Action::Answer(7, Ok(()))));
    let view = world.controller.view();
    assert_eq!((view.busy, view.failed), (None, None));
}

#[test]
fn a_failure_stays_until_the_next_action() {
    let mut world = World::connected("working", "CL-000");
    world.happens(Event::Asked(Some(1), pause(None)));
    assert!(world.take().contains(&Action::Control(Control::Pause { seconds: None, reason: String::new() })));
    let refused =
        super::Failed { action: ActionName::Rearm, kind: FailedKind::Denied, message: "too long for you".into() };
    world.happens(Event::Ended(Err(refused)));
    let failed = world.controller.view().failed.unwrap();
    assert_eq!((failed.action, failed.kind), (ActionName::Pause, FailedKind::Denied));
    world.happens(Event::Asked(Some(2), Ask::Resume));
    assert_eq!(world.controller.view().failed, None);
}

#[test]
fn without_a_service_actions_fail_at_once() {
    let mut world = World::new();
    world.happens(lost());
    world.take();
    world.happens(Event::Asked(Some(1), Ask::Rearm));
    let Action::Answer(1, Err(failed)) = &world.take()[0] else { panic!() };
    assert_eq!(failed.kind, FailedKind::Unreachable);
}

#[test]
fn a_choice_from_the_tray_that_fails_opens_the_window() {
    let mut world = World::connected("working", "CL-000");
    world.take();
    world.happens(Event::Chosen(Choice::Pause(30)));
    assert!(world.take().contains(&Action::Control(Control::Pause { seconds: Some(1_800), reason: String::new() })));
    let failed = super::Failed { action: ActionName::Pause, kind: FailedKind::Denied, message: "no".into() };
    world.happens(Event::Ended(Err(failed)));
    assert!(world.take().contains(&Action::OpenWindow));
}

#[test]
fn preferences_are_kept_and_locked_ones_are_not_changed() {
    let mut world = World::connected("working", "CL-000");
    world.take();
    world.happens(Event::Asked(Some(1), Ask::SetPref { key: "theme".into(), value: json!("dark") }));
    let done = world.take();
    assert!(done.contains(&Action::Answer(1, Ok(()))), "{done:?}");
    assert!(done.iter().any(|action| matches!(action, Action::Save(prefs) if prefs.theme == crate::view::Theme::Dark)));
    world.happens(Event::Asked(Some(2), Ask::SetPref { key: "theme".into(), value: json!("pink") }));
    assert!(matches!(&world.take()[0], Action::Answer(2, Err(failed)) if failed.kind == FailedKind::Refused));
    world.happens(settings(&[("Theme", "\"light\"")]));
    world.take();
    world.happens(Event::Asked(Some(3), Ask::SetPref { key: "theme".into(), value: json!("dark") }));
    assert!(matches!(&world.take()[0], Action::Answer(3, Err(failed)) if failed.kind == FailedKind::Denied));
    let view = world.controller.view();
    assert_eq!((view.prefs.theme, view.prefs_locked["theme"].as_str()), (crate::view::Theme::Light, "10-company.json"));
    // What a policy says is not kept as the user's own choice.
    world.happens(Event::Asked(Some(4), Ask::SetPref { key: "language".into(), value: json!("de") }));
    let done = world.take();
    assert!(done.iter().any(|action| matches!(action, Action::Save(prefs) if prefs.theme == crate::view::Theme::Dark)));
}

#[test]
fn starting_at_login_is_what_the_system_says() {
    let mut world = World::connected("working", "CL-000");
    world.take();
    world.happens(Event::Asked(Some(1), Ask::SetPref { key: "autostart".into(), value: json!(true) }));
    assert!(world.take().contains(&Action::SetAutostart(true)));
    assert!(!world.controller.view().prefs.autostart, "not before it is done");
    world.happens(Event::Autostart(true));
    world.happens(Event::Ended(Ok(())));
    assert!(world.take().contains(&Action::Answer(1, Ok(()))));
    assert!(world.controller.view().prefs.autostart);
}

#[test]
fn the_icon_can_be_switched_off() {
    let mut world = World::connected("working", "CL-000");
    assert!(world.controller.has_icon());
    world.take();
    world.happens(Event::Asked(Some(1), Ask::SetPref { key: "show_tray".into(), value: json!(false) }));
    assert!(world.take().contains(&Action::Tray(None)));
    assert!(!world.controller.has_icon() && !world.controller.view().app.tray);
}

#[test]
fn the_menu_has_its_order_and_says_what_is_wrong() {
    let mut world = World::connected("down", "CL-501");
    world.hears("down", "CL-501");
    let item = |text: &str, choice| Entry::Item(text.to_owned(), choice);
    let pauses = [(5, "5 minutes"), (30, "30 minutes"), (60, "1 hour")];
    let pauses = pauses.map(|(minutes, text)| item(text, Some(Choice::Pause(minutes)))).to_vec();
    let menu = vec![
        item("IPv4 apps cannot connect", Some(Choice::Open)),
        item("CL-501: IPv4 gateway does not answer", Some(Choice::Open)),
        Entry::Separator,
        item("Check again", Some(Choice::Rearm)),
        Entry::Separator,
        Entry::More("Pause".into(), pauses),
        Entry::Separator,
        item("Open Everclat", Some(Choice::Open)),
        item("Everclat 0.1.0, service 0.1.0", None),
        Entry::Separator,
        item("Close this icon (translation continues)", Some(Choice::Close)),
    ];
    assert_eq!(world.menu(), menu);
}

#[test]
fn a_pause_can_be_ended_and_says_when_it_ends() {
    let mut world = World::connected("working", "CL-000");
    let paused = changed("paused", "CL-003", |document| {
        document["pause"] = json!({"until": "2027-01-15T14:30:59Z", "reason": ""});
    });
    world.happens(Event::Heard(paused));
    world.after(1_000);
    let menu = world.menu();
    assert_eq!(menu[0], Entry::Item("Paused until 14:30".into(), Some(Choice::Open)));
    assert!(menu.contains(&Entry::Item("Resume".into(), Some(Choice::Resume))), "{menu:?}");
}

#[test]
fn the_menu_offers_no_pause_that_a_policy_forbids() {
    let mut world = World::connected("working", "CL-000");
    world.happens(settings(&[("PauseMaxMinutes", "30")]));
    world.after(1_000);
    let offered = |menu: Vec<Entry>| {
        menu.into_iter().find_map(|entry| match entry {
            Entry::More(_, entries) => Some(entries.len()),
            Entry::Item(..) | Entry::Separator => None,
        })
    };
    assert_eq!(offered(world.menu()), Some(2));
    world.happens(settings(&[("PauseMaxMinutes", "3")]));
    world.after(1_000);
    assert_eq!(offered(world.menu()), Some(1));
    world.happens(settings(&[("AllowUserPause", "false")]));
    world.after(1_000);
    assert!(world.menu().contains(&Entry::Item("Pausing is not allowed (10-company.json)".into(), None)));
    assert_eq!(offered(world.menu()), None);
}

#[test]
fn the_tray_speaks_the_users_language() {
    let mut world = World::with(Prefs { language: "de".into(), ..Prefs::default() });
    world.happens(hello());
    world.hears("standby_native", "CL-001");
    world.after(2_000);
    assert_eq!(world.looks().last().unwrap().1.title, "In Bereitschaft: Dieses Netz hat IPv4");
}

#[test]
fn a_loss_is_told_after_a_minute_and_so_is_its_end() {
    let mut world = World::connected("working", "CL-000");
    world.take();
    let begin = world.ms;
    world.hears("down", "CL-301");
    world.after(30_000);
    world.hears("checking", "CL-301");
    world.after(1_000);
    world.hears("down", "CL-501");
    world.after(300_000);
    assert_eq!(world.codes(), ["CL-501"], "once, by its last name");
    assert_eq!(world.notices()[0].0 - begin, 60_000);
    assert_eq!(world.notices()[0].1.title, "IPv4 apps cannot connect");
    world.take();
    world.hears("working", "CL-000");
    world.after(1_000_000);
    assert_eq!(world.codes(), ["CL-000"]);
}

#[test]
fn short_trouble_and_good_news_are_no_notifications() {
    let mut world = World::connected("working", "CL-000");
    for _ in 0..10 {
        world.hears("down", "CL-501");
        world.after(59_000);
        world.hears("working", "CL-000");
        world.after(5_000);
        world.hears("no_network", "CL-101");
        world.after(600_000);
        world.hears("limited", "CL-202");
        world.after(100_000);
        world.hears("working", "CL-000");
    }
    assert_eq!(world.codes(), [""; 0]);
}

#[test]
fn a_portal_and_a_conflict_are_told_soon() {
    for code in ["CL-102", "CL-603"] {
        let mut world = World::connected("working", "CL-000");
        world.hears("down", code);
        world.after(5_000);
        assert_eq!(world.codes(), [code]);
    }
}

#[test]
fn the_same_is_told_once_in_four_hours_on_each_network() {
    let mut world = World::connected("working", "CL-000");
    world.take();
    let elsewhere =
        || changed("down", "CL-301", |document| document["interfaces"][0]["v6"] = json!(["2001:db8:2::7/64"]));
    for _ in 0..3 {
        world.hears("down", "CL-301");
        world.after(61_000);
        world.hears("working", "CL-000");
        world.after(61_000);
    }
    assert_eq!(world.codes(), ["CL-301", "CL-000"], "and no recovery from what was not told");
    world.take();
    world.happens(Event::Heard(elsewhere()));
    world.after(61_000);
    assert_eq!(world.codes(), ["CL-301"], "another network");
    world.hears("working", "CL-000");
    world.after(4 * 3_600_000);
    world.take();
    world.hears("down", "CL-301");
    world.after(61_000);
    assert_eq!(world.codes(), ["CL-301"], "four hours later");
}

#[test]
fn who_wants_no_notifications_gets_none_and_who_wants_all_gets_more() {
    for (notifications, codes) in [
        (Notifications::None, vec![]),
        (Notifications::Problems, vec!["CL-501", "CL-000"]),
        (Notifications::All, vec!["CL-202", "CL-501", "CL-000"]),
    ] {
        let mut world = World::with(Prefs { notifications, ..Prefs::default() });
        world.happens(hello());
        world.hears("limited", "CL-202");
        world.after(61_000);
        world.hears("down", "CL-501");
        world.after(61_000);
        world.hears("working", "CL-000");
        world.after(61_000);
        assert_eq!(world.codes(), codes);
    }
}

#[test]
fn a_service_that_stays_away_is_told() {
    let mut world = World::connected("working", "CL-000");
    world.take();
    for _ in 0..100 {
        world.happens(lost());
        world.after(1_000);
    }
    assert_eq!(world.codes(), ["CL-901"]);
}

#[test]
fn memory_of_notifications_is_bounded() {
    let mut world = World::connected("working", "CL-000");
    for network in 0..200 {
        let there = changed("down", "CL-102", |document| {
            document["interfaces"][0]["v6"] = json!([format!("2001:db8:{network:x}::1/64")]);
        });
        world.happens(Event::Heard(there));
        world.after(6_000);
        world.hears("working", "CL-000");
        world.after(1_000);
    }
    assert!(world.codes().len() >= 200);
    assert!(world.controller.notices.remembered() <= 64);
}

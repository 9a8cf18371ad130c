//! The controller in virtual time.

mod actions;
mod connection;
mod icon;
mod notices;
mod page;

use std::time::Duration;

use ipc::{Control, PROTOCOL, SettingsReport};
use jiff::Timestamp;
use jiff::tz::TimeZone;
use model::{Origin, SettingEntry, Status};
use serde_json::{Value, json};

use super::{Action, Ask, Choice, Controller, Entry, Event, Facts, Look, Lost, Notice, Now, PAUSES};
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
    Event::Connected { program: "everclatd 0.1.0".into(), protocol: PROTOCOL, administrator: false }
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

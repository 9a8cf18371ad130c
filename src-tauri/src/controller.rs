//! Decides what window, tray and notifications show. Events and time come in, actions go out; it reads no clock and does nothing by itself.

mod event;
mod failure;
mod menu;
mod notices;
mod prefs;
mod rights;
mod shown;
#[cfg(test)]
mod tests;

use std::collections::BTreeMap;
use std::collections::VecDeque;
use std::time::Duration;

use ipc::{Control, SettingsReport};
use model::Status;
use serde_json::Value;

use crate::view::{ActionName, App, Busy, Failed, FailedKind, Prefs, Service, Shown, Theme, View};
use crate::words::Language;
pub use event::{Action, Ask, Event, Facts, Now, Ticket};
pub use failure::Lost;
pub use menu::{Choice, Entry, Look, PAUSES};
pub use notices::Notice;

/// Views that come faster than this are not told apart by anybody; the latest wins.
const PAGE_PAUSE: Duration = Duration::from_millis(50);
/// Between two views for a window that nobody sees.
const UNSEEN_PAUSE: Duration = Duration::from_secs(1);
/// Between two changes of the tray: a panel that blinks is a nuisance.
const TRAY_PAUSE: Duration = Duration::from_secs(1);
/// Counters are asked for so often while somebody looks, and never else.
const REFRESH: Duration = Duration::from_secs(1);
/// With every so many counters, the settings are asked for, too.
const SETTINGS_EVERY: u32 = 5;
/// First and longest wait before the service is called again.
const RETRY: (Duration, Duration) = (Duration::from_millis(250), Duration::from_secs(5));

/// What is under way, and for whom.
#[derive(Debug)]
struct Pending {
    action: ActionName,
    ticket: Option<Ticket>,
}

/// The decisions of the app.
#[derive(Debug)]
pub struct Controller {
    facts: Facts,
    service: Service,
    /// Whether the service takes this user for an administrator.
    administrator: bool,
    status: Option<Box<Status>>,
    settings: Option<SettingsReport>,
    prefs: Prefs,
    autostart: bool,
    /// What the desktop wants, and what the window wears.
    scheme: Theme,
    dress: Theme,
    tray_host: bool,
    window: bool,
    watching: bool,
    pending: Option<Pending>,
    failed: Option<Failed>,
    shown: shown::Gate,
    notices: notices::Desk,
    /// When to call the service again, and how long to wait after that.
    retry: Option<Duration>,
    patience: Duration,
    refresh: Option<Duration>,
    refreshed: u32,
    /// Something changed since the page was told.
    page_due: bool,
    page_last: Option<Duration>,
    tray_last: Option<(Duration, Option<Box<Look>>)>,
    /// When the tray may change again, if it has to.
    tray_due: Option<Duration>,
    actions: VecDeque<Action>,
}

impl Controller {
    /// Begins, and calls the service.
    #[must_use]
    pub fn new(facts: Facts, prefs: Prefs, now: Now) -> Self {
        let mut new = Self {
            facts,
            service: Service::Connecting,
            administrator: false,
            status: None,
            settings: None,
            scheme: Theme::System,
            dress: prefs.theme,
            prefs,
            autostart: false,
            tray_host: false,
            window: false,
            watching: false,
            pending: None,
            failed: None,
            shown: shown::Gate::default(),
            notices: notices::Desk::default(),
            retry: None,
            patience: RETRY.0,
            refresh: None,
            refreshed: 0,
            page_due: false,
            page_last: None,
            tray_last: None,
            tray_due: None,
            actions: VecDeque::from([Action::Connect]),
        };
        new.settle(now);
        new
    }

    /// Takes in what happened.
    pub fn handle(&mut self, event: Event, now: Now) {
        match event {
            Event::Connected { program, protocol, administrator } => {
                self.administrator = administrator;
                self.connected(&program, protocol);
            }
            Event::Heard(status) => self.hear(status),
            Event::Refreshed(status) => self.refreshed(status),
            Event::NotUnderstood => self.not_understood(),
            Event::Settings(report) => self.settings = Some(report),
            Event::Lost(lost) => self.lost(lost, now),
            Event::Asked(ticket, ask) => self.asked(ticket, ask),
            Event::Ended(result) => self.ended(result),
            Event::Window(open) => {
                self.window = open;
                self.watching &= open;
                self.refresh = self.refresh.filter(|_| open);
                // A new window has heard nothing yet.
                self.page_last = self.page_last.filter(|_| open);
            }
            Event::Watching(watching) => {
                self.watching = watching;
                self.refresh = watching.then_some(now.mono);
                self.refreshed = 0;
            }
            Event::TrayHost(there) => self.tray_host = there,
            Event::Scheme(scheme) => self.scheme = scheme,
            Event::Autostart(on) => self.autostart = on,
            Event::Chosen(choice) => self.chosen(choice),
        }
        self.page_due = true;
        self.settle(now);
    }

    /// Does what has come due.
    pub fn wake(&mut self, now: Now) {
        self.settle(now);
    }

    /// When to [`wake`](Self::wake) it, in the same time as [`Now::mono`]; `None`: not before the next event.
    #[must_use]
    pub fn next(&self) -> Option<Duration> {
        let page = self.page_at().filter(|_| self.page_due && self.window);
        [self.retry, self.refresh, page, self.tray_due, self.shown.next(), self.notices.next()]
            .into_iter()
            .flatten()
            .min()
    }

    /// What is to be done next.
    pub fn poll(&mut self) -> Option<Action> {
        self.actions.pop_front()
    }

    /// Whether an icon is in a panel: without one, the window is all there is.
    #[must_use]
    pub fn has_icon(&self) -> bool {
        self.tray_host && self.effective_prefs().show_tray
    }

    /// All that the page may know.
    #[must_use]
    pub fn view(&self) -> View {
        View {
            app: App {
                version: self.facts.version.clone(),
                protocol: ipc::PROTOCOL,
                os: self.facts.os,
                tray: self.has_icon(),
                language_os: self.facts.language_os.clone(),
            },
            service: self.service.clone(),
            status: self.status.clone(),
            settings: self.settings.clone(),
            prefs: self.effective_prefs(),
            prefs_locked: self.locks(),
            denied: self.denied(),
            longest_pause: self.longest_pause(),
            shown: Shown { icon: self.shown.icon() },
            busy: self.pending.as_ref().map(|pending| Busy { action: pending.action }),
            failed: self.failed.clone(),
        }
    }

    fn effective_prefs(&self) -> Prefs {
        let own = Prefs { autostart: self.autostart, ..self.prefs.clone() };
        prefs::with_policy(&own, self.settings.as_ref())
    }

    fn locks(&self) -> BTreeMap<String, String> {
        prefs::locks(self.settings.as_ref())
    }

    fn denied(&self) -> BTreeMap<ActionName, String> {
        rights::denied(self.administrator, self.settings.as_ref())
    }

    fn longest_pause(&self) -> Option<u32> {
        rights::longest_pause(self.administrator, self.settings.as_ref())
    }

    fn language(&self) -> Language {
        Language::choose(&self.effective_prefs().language, &self.facts.language_os)
    }

    fn connected(&mut self, program: &str, protocol: u32) {
        let version = failure::version_of(program);
        let order = failure::compare(&version, &self.facts.version);
        self.service = Service::Connected {
            version,
            protocol,
            outdated: order.is_some_and(std::cmp::Ordering::is_lt) || protocol < ipc::PROTOCOL,
            newer: order.is_some_and(std::cmp::Ordering::is_gt),
        };
        self.retry = None;
        self.patience = RETRY.0;
    }

    fn hear(&mut self, status: Box<Status>) {
        // After a status that was not understood, one that is says that the connection is of use again.
        if let Service::TooNew { service } = &self.service {
            let version = failure::version_of(service);
            self.service = Service::Connected { version, protocol: ipc::PROTOCOL, outdated: false, newer: true };
        }
        self.status = Some(status);
    }

    /// Counters of the state that is known. Another state was asked for before the change and answered after it, or the other way round:
    /// changes come in order by the watch alone.
    fn refreshed(&mut self, status: Box<Status>) {
        let same =
            |known: &Status| (known.state, known.code, &known.since) == (status.state, status.code, &status.since);
        if self.status.as_deref().is_some_and(same) {
            self.status = Some(status);
        }
    }

    fn not_understood(&mut self) {
        self.status = None;
        if let Service::Connected { version, .. } = &self.service {
            self.service = Service::TooNew { service: format!("everclatd {version}") };
        }
    }

    fn lost(&mut self, lost: Lost, now: Now) {
        self.status = None;
        self.settings = None;
        self.retry = Some(now.mono + self.patience);
        self.patience = (self.patience * 2).min(RETRY.1);
        let since = match &self.service {
            Service::Unreachable { since, .. } => since.clone(),
            Service::Connecting
            | Service::Connected { .. }
            | Service::Denied { .. }
            | Service::TooOld { .. }
            | Service::TooNew { .. } => now.wall.strftime("%FT%TZ").to_string(),
        };
        self.service = match lost {
            Lost::NotRunning(detail) | Lost::Broken(detail) => {
                Service::Unreachable { detail, hint: self.facts.start_hint.clone(), since }
            }
            Lost::Denied(detail) => Service::Denied { detail },
            Lost::TooOld(service) => Service::TooOld { service },
            Lost::TooNew(service) => Service::TooNew { service },
        };
    }

    fn asked(&mut self, ticket: Option<Ticket>, ask: Ask) {
        let action = ask.action();
        if self.pending.is_some() {
            // Not a failure of what is under way; the page does not offer it, the tray lets it be.
            let busy = Failed { action, kind: FailedKind::Refused, message: "something else is under way".to_owned() };
            return self.answer(ticket, Err(busy));
        }
        self.failed = None;
        let control = match ask {
            Ask::Rearm => Control::Rearm,
            Ask::Pause { minutes, reason } => {
                Control::Pause { seconds: minutes.map(|minutes| u64::from(minutes) * 60), reason }
            }
            Ask::Resume => Control::Resume,
            Ask::SetPref { key, value } => return self.set_pref(ticket, &key, &value),
        };
        if matches!(self.service, Service::Connected { .. }) {
            self.pending = Some(Pending { action, ticket });
            self.actions.push_back(Action::Control(control));
        } else {
            let message = "the background service does not answer".to_owned();
            self.fail(ticket, Failed { action, kind: FailedKind::Unreachable, message });
        }
    }

    fn set_pref(&mut self, ticket: Option<Ticket>, key: &str, value: &Value) {
        let action = ActionName::Settings;
        if let Some(who) = self.locks().get(key) {
            let message = format!("{key} is set by {who}");
            return self.fail(ticket, Failed { action, kind: FailedKind::Denied, message });
        }
        match prefs::set(&self.effective_prefs(), key, value) {
            Ok(new) if new.autostart != self.autostart => {
                self.pending = Some(Pending { action, ticket });
                self.actions.push_back(Action::SetAutostart(new.autostart));
            }
            Ok(_) => {
                // Only what the user chose is kept, not what policies say meanwhile.
                if let Ok(own) = prefs::set(&self.prefs, key, value) {
                    self.prefs = own;
                    self.actions.push_back(Action::Save(self.prefs.clone()));
                }
                self.answer(ticket, Ok(()));
            }
            Err(message) => self.fail(ticket, Failed { action, kind: FailedKind::Refused, message }),
        }
    }

    fn ended(&mut self, result: Result<(), Failed>) {
        let Some(pending) = self.pending.take() else { return };
        match result {
            Ok(()) => self.answer(pending.ticket, Ok(())),
            Err(failed) => self.fail(pending.ticket, Failed { action: pending.action, ..failed }),
        }
    }

    fn fail(&mut self, ticket: Option<Ticket>, failed: Failed) {
        self.failed = Some(failed.clone());
        // Asked from the tray, it would fail unseen.
        if ticket.is_none() {
            self.actions.push_back(Action::OpenWindow);
        }
        self.answer(ticket, Err(failed));
    }

    fn answer(&mut self, ticket: Option<Ticket>, result: Result<(), Failed>) {
        if let Some(ticket) = ticket {
            self.actions.push_back(Action::Answer(ticket, result));
        }
    }

    fn chosen(&mut self, choice: Choice) {
        match choice {
            Choice::Open => self.actions.push_back(Action::OpenWindow),
            Choice::Rearm => self.asked(None, Ask::Rearm),
            Choice::Pause(minutes) => self.asked(None, Ask::Pause { minutes: Some(minutes), reason: String::new() }),
            Choice::Resume => self.asked(None, Ask::Resume),
            Choice::Close => self.actions.push_back(Action::Quit),
        }
    }

    /// Does all that is due now.
    fn settle(&mut self, now: Now) {
        let due = |at: Option<Duration>| at.is_some_and(|at| at <= now.mono);
        if due(self.retry) {
            self.retry = None;
            self.actions.push_back(Action::Connect);
        }
        if due(self.refresh) {
            self.refresh = Some(now.mono + REFRESH);
            self.ask();
        }
        let icon = self.shown.icon();
        let calm = self.shown.advance(&self.service, self.status.as_deref(), now.mono);
        self.page_due |= self.shown.icon() != icon;
        let level = self.effective_prefs().notifications;
        let language = self.language();
        if let Some(notice) =
            self.notices.advance(&self.service, self.status.as_deref(), calm, level, language, now.mono)
        {
            self.actions.push_back(Action::Notify(notice));
        }
        self.settle_tray(now.mono);
        self.settle_dress();
        if self.page_due && self.window && self.page_at().is_none_or(|at| at <= now.mono) {
            self.page_due = false;
            self.page_last = Some(now.mono);
            self.actions.push_back(Action::Page(Box::new(self.view())));
        }
    }

    fn ask(&mut self) {
        if !matches!(self.service, Service::Connected { .. }) {
            return;
        }
        self.actions.push_back(Action::AskStatus);
        if self.refreshed.is_multiple_of(SETTINGS_EVERY) {
            self.actions.push_back(Action::AskSettings);
        }
        self.refreshed = self.refreshed.wrapping_add(1);
    }

    fn page_at(&self) -> Option<Duration> {
        let pause = if self.watching { PAGE_PAUSE } else { UNSEEN_PAUSE };
        self.page_last.map(|last| last + pause)
    }

    fn settle_dress(&mut self) {
        let chosen = self.effective_prefs().theme;
        let dress = if chosen == Theme::System { self.scheme } else { chosen };
        if std::mem::replace(&mut self.dress, dress) != dress {
            self.actions.push_back(Action::Dress(dress));
        }
    }

    fn settle_tray(&mut self, now: Duration) {
        let look = self.effective_prefs().show_tray.then(|| Box::new(self.look()));
        self.tray_due = None;
        if let Some((last, shown)) = &self.tray_last {
            if *shown == look {
                return;
            }
            let at = *last + TRAY_PAUSE;
            if at > now {
                self.tray_due = Some(at);
                return;
            }
        }
        self.tray_last = Some((now, look.clone()));
        self.actions.push_back(Action::Tray(look));
    }

    fn look(&self) -> Look {
        menu::look(&menu::Scene {
            icon: self.shown.icon(),
            service: &self.service,
            status: self.status.as_deref(),
            denied: self.denied(),
            longest_pause: self.longest_pause(),
            language: self.language(),
            zone: &self.facts.zone,
            version: &self.facts.version,
            busy: self.pending.is_some(),
        })
    }
}

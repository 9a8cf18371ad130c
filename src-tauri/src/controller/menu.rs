//! What the tray shows, as a value that can be compared.

use ipc::SettingsReport;
use jiff::tz::TimeZone;
use model::{EvidenceKind, State, Status};

use super::prefs::{entry, who};
use crate::view::{Icon, Service};
use crate::words::{Language, Phrase};

/// How long the menu offers to pause, in minutes.
pub const PAUSES: [u32; 3] = [5, 30, 60];

/// Icon, words and menu.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Look {
    /// The silhouette.
    pub icon: Icon,
    /// The state in words.
    pub title: String,
    /// The menu, from top to bottom.
    pub menu: Vec<Entry>,
}

/// One entry of a menu.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Entry {
    /// Something to read or to choose; without a choice it cannot be chosen.
    Item(String, Option<Choice>),
    /// More entries behind it.
    More(String, Vec<Self>),
    /// A line.
    Separator,
}

/// What can be chosen.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Choice {
    /// Open the window.
    Open,
    /// Arm anew.
    Rearm,
    /// Pause for so many minutes.
    Pause(u32),
    /// End a pause.
    Resume,
    /// End the app.
    Close,
}

/// What the look depends on.
pub(super) struct Scene<'a> {
    pub(super) icon: Icon,
    pub(super) service: &'a Service,
    pub(super) status: Option<&'a Status>,
    pub(super) settings: Option<&'a SettingsReport>,
    pub(super) language: Language,
    pub(super) zone: &'a TimeZone,
    pub(super) version: &'a str,
    pub(super) busy: bool,
}

/// The order is the same on every system.
pub(super) fn look(scene: &Scene<'_>) -> Look {
    let say = |phrase| scene.language.say(phrase).to_owned();
    let title = state(scene);
    let mut menu = vec![Entry::Item(title.clone(), Some(Choice::Open))];
    menu.extend(cause(scene).map(|cause| Entry::Item(cause, Some(Choice::Open))));
    menu.push(Entry::Separator);
    let connected = matches!(scene.service, Service::Connected { .. });
    let ready = connected && !scene.busy;
    menu.push(Entry::Item(say(Phrase::CheckAgain), ready.then_some(Choice::Rearm)));
    if connected {
        menu.push(Entry::Separator);
        menu.push(pause(scene));
    }
    menu.push(Entry::Separator);
    menu.push(Entry::Item(say(Phrase::Open), Some(Choice::Open)));
    menu.push(Entry::Item(versions(scene), None));
    menu.push(Entry::Separator);
    menu.push(Entry::Item(say(Phrase::Close), Some(Choice::Close)));
    Look { icon: scene.icon, title, menu }
}

/// The state in words. They belong to the icon, which may wait a little before it tells of a fault.
fn state(scene: &Scene<'_>) -> String {
    let say = |phrase| scene.language.say(phrase).to_owned();
    match scene.icon {
        Icon::Working if scene.status.is_some_and(|status| status.evidence.kind == EvidenceKind::None) => {
            say(Phrase::Ready)
        }
        Icon::Working => say(Phrase::Working),
        Icon::Standby => say(Phrase::Standby),
        Icon::Os => say(Phrase::Os),
        Icon::Checking => say(Phrase::Checking),
        Icon::Limited => say(Phrase::Limited),
        Icon::Down => say(Phrase::Down),
        Icon::Paused => match scene.status.and_then(until).and_then(|until| clock(&until, scene.zone)) {
            Some(clock) => scene.language.paused_until(&clock),
            None => say(Phrase::Paused),
        },
        Icon::NoService => match scene.service {
            Service::Denied { .. } => say(Phrase::Denied),
            Service::TooOld { .. } | Service::TooNew { .. } => say(Phrase::Skew),
            Service::Connecting | Service::Connected { .. } | Service::Unreachable { .. } => say(Phrase::NoService),
        },
        Icon::NoNetwork => say(Phrase::NoNetwork),
    }
}

/// The code and what it says, when something is wrong and that is what the icon tells.
fn cause(scene: &Scene<'_>) -> Option<String> {
    let status = scene.status?;
    let told = match (scene.icon, status.state) {
        (Icon::Limited, State::Limited) | (Icon::Down, State::Down) => true,
        (
            Icon::Working
            | Icon::Standby
            | Icon::Os
            | Icon::Checking
            | Icon::Limited
            | Icon::Down
            | Icon::Paused
            | Icon::NoService
            | Icon::NoNetwork,
            _,
        ) => false,
    };
    told.then(|| format!("{}: {}", status.code, scene.language.title(status.code)))
}

fn pause(scene: &Scene<'_>) -> Entry {
    let language = scene.language;
    if scene.status.is_some_and(|status| status.pause.is_some()) {
        return Entry::Item(language.say(Phrase::Resume).to_owned(), (!scene.busy).then_some(Choice::Resume));
    }
    if let Some(entry) = entry(scene.settings, "AllowUserPause").filter(|entry| entry.value == "false") {
        return Entry::Item(language.pause_locked(&who(entry)), None);
    }
    // 0: no limit.
    let most = entry(scene.settings, "PauseMaxMinutes").and_then(|entry| entry.value.parse().ok());
    let most = most.filter(|most: &u32| *most > 0).unwrap_or(u32::MAX);
    let offered = PAUSES.into_iter().filter(|minutes| *minutes <= most);
    let entries: Vec<Entry> = offered
        .map(|minutes| Entry::Item(language.minutes(minutes), (!scene.busy).then_some(Choice::Pause(minutes))))
        .collect();
    if entries.is_empty() {
        // All that is offered is too long, so the longest that is allowed.
        let choice = (!scene.busy).then_some(Choice::Pause(most));
        return Entry::More(language.say(Phrase::Pause).to_owned(), vec![Entry::Item(language.minutes(most), choice)]);
    }
    Entry::More(language.say(Phrase::Pause).to_owned(), entries)
}

fn versions(scene: &Scene<'_>) -> String {
    let service = match scene.service {
        Service::Connected { version, .. } => Some(version.as_str()),
        Service::TooOld { service } | Service::TooNew { service } => Some(service.as_str()),
        Service::Connecting | Service::Unreachable { .. } | Service::Denied { .. } => None,
    };
    scene.language.versions(scene.version, service)
}

fn until(status: &Status) -> Option<String> {
    status.pause.as_ref()?.until.clone()
}

/// The time of day where the user is.
fn clock(moment: &str, zone: &TimeZone) -> Option<String> {
    let moment: jiff::Timestamp = moment.parse().ok()?;
    Some(moment.to_zoned(zone.clone()).strftime("%H:%M").to_string())
}

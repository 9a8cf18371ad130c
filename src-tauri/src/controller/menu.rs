//! What the tray shows, as a value that can be compared.

use std::collections::BTreeMap;

use jiff::tz::TimeZone;
use model::{EvidenceKind, State, Status};

use crate::view::{ActionName, Icon, Service};
use crate::words::Language;

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
    /// What this user may not have done, and who says so.
    pub(super) denied: BTreeMap<ActionName, String>,
    pub(super) longest_pause: Option<u32>,
    pub(super) language: Language,
    pub(super) zone: &'a TimeZone,
    pub(super) version: &'a str,
    pub(super) busy: bool,
}

/// The order is the same on every system.
pub(super) fn look(scene: &Scene<'_>) -> Look {
    let words = scene.language.words();
    let title = state(scene);
    let mut menu = vec![Entry::Item(title.clone(), Some(Choice::Open))];
    menu.extend(cause(scene).map(|cause| Entry::Item(cause, Some(Choice::Open))));
    menu.push(Entry::Separator);
    let connected = matches!(scene.service, Service::Connected { .. });
    let ready = connected && !scene.busy;
    menu.push(match forbidden(scene, ActionName::Rearm, words.rearm_forbidden) {
        Some(why) => why,
        None => Entry::Item(words.rearm.to_owned(), ready.then_some(Choice::Rearm)),
    });
    if connected {
        menu.push(Entry::Separator);
        menu.push(pause(scene));
    }
    menu.push(Entry::Separator);
    menu.push(Entry::Item(words.open.to_owned(), Some(Choice::Open)));
    menu.push(Entry::Item(versions(scene), None));
    menu.push(Entry::Separator);
    menu.push(Entry::Item(words.close.to_owned(), Some(Choice::Close)));
    Look { icon: scene.icon, title, menu }
}

/// The state in words. They belong to the icon, which may wait a little before it tells of a fault.
fn state(scene: &Scene<'_>) -> String {
    let words = scene.language.words();
    let text = match scene.icon {
        Icon::Working if scene.status.is_some_and(|status| status.evidence.kind == EvidenceKind::None) => words.ready,
        Icon::Working => words.works,
        Icon::Standby => words.standby,
        Icon::Os => words.os,
        Icon::Checking => words.checking,
        Icon::Limited => words.limited,
        Icon::Down => words.down,
        Icon::Paused => match scene.status.and_then(until).and_then(|until| clock(&until, scene.zone)) {
            Some(clock) => return words.paused_until.replace("{time}", &clock),
            None => words.paused,
        },
        Icon::NoService => match scene.service {
            Service::Denied { .. } => words.denied,
            Service::TooOld { .. } | Service::TooNew { .. } => words.skew,
            Service::Connecting | Service::Connected { .. } | Service::Unreachable { .. } => words.no_service,
        },
        Icon::NoNetwork => words.no_network,
    };
    text.to_owned()
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

/// Says that the user may not, if that is so.
fn forbidden(scene: &Scene<'_>, action: ActionName, why: &str) -> Option<Entry> {
    let who = scene.denied.get(&action)?;
    let who = if who.is_empty() { scene.language.words().somebody } else { who };
    Some(Entry::Item(why.replace("{who}", who), None))
}

fn pause(scene: &Scene<'_>) -> Entry {
    let (language, words) = (scene.language, scene.language.words());
    if scene.status.is_some_and(|status| status.pause.is_some()) {
        return Entry::Item(words.resume.to_owned(), (!scene.busy).then_some(Choice::Resume));
    }
    if let Some(why) = forbidden(scene, ActionName::Pause, words.pause_forbidden) {
        return why;
    }
    let offer = |minutes| Entry::Item(language.minutes(minutes), (!scene.busy).then_some(Choice::Pause(minutes)));
    let most = scene.longest_pause.unwrap_or(u32::MAX);
    let mut entries: Vec<Entry> = PAUSES.into_iter().filter(|minutes| *minutes <= most).map(offer).collect();
    if entries.is_empty() {
        // All that is offered is too long, so the longest that is allowed.
        entries.push(offer(most));
    }
    Entry::More(words.pause.to_owned(), entries)
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

//! What is worth a notification: trouble that lasts, its end, and what only the user can solve. Each at most once in four hours on the same
//! network.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use model::{Code, State, Status};

use crate::view::{Notifications, Service};
use crate::words::Language;

/// A loss that is over sooner is better not mentioned.
const LOST: Duration = Duration::from_secs(60);
/// A portal or a conflict that is over sooner was none.
const ACTION: Duration = Duration::from_secs(5);
/// How long the same is not said again on the same network.
const AGAIN: Duration = Duration::from_secs(4 * 3600);
/// Networks are forgotten from here on, oldest notification first.
const REMEMBERED: usize = 64;

/// A notification.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Notice {
    /// What it is about.
    pub code: Code,
    /// One line.
    pub title: String,
    /// One or two sentences.
    pub body: String,
}

/// Trouble of one code, and since when.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Trouble {
    code: Code,
    since: Duration,
    /// Whether it was given the chance to be notified about.
    judged: bool,
}

/// Decides about notifications.
#[derive(Debug, Default)]
pub(super) struct Desk {
    trouble: Option<Trouble>,
    /// Whether the user was told of a loss that has not ended.
    told: bool,
    said: BTreeMap<(String, Code), Duration>,
    next: Option<Duration>,
}

impl Desk {
    /// When it has to be asked again.
    pub(super) const fn next(&self) -> Option<Duration> {
        self.next
    }

    #[cfg(test)]
    pub(super) fn remembered(&self) -> usize {
        self.said.len()
    }

    /// What to notify about now.
    pub(super) fn advance(
        &mut self,
        service: &Service,
        status: Option<&Status>,
        calm: bool,
        level: Notifications,
        language: Language,
        now: Duration,
    ) -> Option<Notice> {
        self.next = None;
        let Some((code, patience)) = worth(service, status, level) else {
            // Being checked is no end of trouble; leaving the network is.
            if status.is_some_and(|status| status.state == State::NoNetwork) {
                self.trouble = None;
            }
            if calm {
                self.trouble = None;
                let told = std::mem::take(&mut self.told);
                // A user who paused knows; everything else is the end of a loss.
                let works = status.is_some_and(|status| status.state != State::Paused);
                return (told && works && level != Notifications::None).then(|| language.recovered());
            }
            return None;
        };
        // The loss began when nothing worked any more, whatever it was called meanwhile.
        let mut trouble = self.trouble.unwrap_or(Trouble { code, since: now, judged: false });
        if trouble.code != code {
            trouble = Trouble { code, judged: false, ..trouble };
        }
        let due = trouble.since + patience;
        if due > now {
            self.next = Some(due);
            self.trouble = Some(trouble);
            return None;
        }
        let first = !std::mem::replace(&mut trouble.judged, true);
        self.trouble = Some(trouble);
        let network = network(status);
        if !first || !self.fresh(network, code, now) {
            return None;
        }
        self.told = true;
        Some(language.notice(code, status.is_some_and(|status| status.state == State::Limited)))
    }

    /// Whether this was not said lately; from now on it was.
    fn fresh(&mut self, network: String, code: Code, now: Duration) -> bool {
        self.said.retain(|_, at| now < *at + AGAIN);
        if self.said.contains_key(&(network.clone(), code)) {
            return false;
        }
        if self.said.len() >= REMEMBERED {
            let oldest = self.said.iter().min_by_key(|(_, at)| **at).map(|(key, _)| key.clone());
            oldest.map(|key| self.said.remove(&key));
        }
        self.said.insert((network, code), now);
        true
    }
}

/// The code that would be notified about, and how long it has to last.
fn worth(service: &Service, status: Option<&Status>, level: Notifications) -> Option<(Code, Duration)> {
    if level == Notifications::None {
        return None;
    }
    match service {
        Service::Connecting | Service::Connected { .. } => {}
        Service::Unreachable { .. } => return Some((Code::ServiceDown, LOST)),
        Service::TooOld { .. } | Service::TooNew { .. } => return Some((Code::VersionSkew, LOST)),
        Service::Denied { .. } => return Some((Code::Denied, LOST)),
    }
    let status = status?;
    match (status.state, status.code) {
        (State::Down | State::Limited, Code::CaptivePortal | Code::Conflict) => Some((status.code, ACTION)),
        (State::Down, code) => Some((code, LOST)),
        (State::Limited, code) if level == Notifications::All => Some((code, LOST)),
        // Without a link, the system's own sign says so.
        (
            State::Limited
            | State::NoNetwork
            | State::Working
            | State::StandbyNative
            | State::StandbyOs
            | State::Checking
            | State::Paused,
            _,
        ) => None,
    }
}

/// The network, by what stays the same while a host is there: interfaces with their prefixes.
fn network(status: Option<&Status>) -> String {
    let there = status.into_iter().flat_map(|status| &status.interfaces).filter(|interface| interface.up);
    let names: BTreeSet<String> = there
        .flat_map(|interface| {
            let prefixes = interface.v6.iter().map(|address| address.trunc().to_string());
            prefixes.chain([String::new()]).map(|prefix| format!("{} {prefix}", interface.name))
        })
        .collect();
    names.into_iter().collect::<Vec<_>>().join(", ")
}

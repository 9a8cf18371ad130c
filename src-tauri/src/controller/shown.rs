//! Which silhouette the tray shows. Good news at once, faults only when they last.

use std::time::Duration;

use model::{Code, State, Status};

use crate::view::{Icon, Service};

/// "Checking" is worth a look only when it takes so long.
const CHECKING: Duration = Duration::from_secs(1);
/// Cables are replugged and Wi-Fi roams in less; a service that is updated is back in less.
const LINK: Duration = Duration::from_secs(5);
/// Between two changes of the icon.
const PAUSE: Duration = Duration::from_secs(1);

/// Lets silhouettes through when they are due.
#[derive(Debug)]
pub(super) struct Gate {
    icon: Icon,
    /// When it last changed.
    changed: Option<Duration>,
    /// Since when nothing good was heard.
    trouble: Option<Duration>,
    /// Since when it is being checked.
    checking: Option<Duration>,
    /// Whether anything good was heard yet. Before, a fault is no loss, and there is nothing to wait for.
    settled: bool,
    next: Option<Duration>,
}

impl Default for Gate {
    fn default() -> Self {
        Self { icon: Icon::Checking, changed: None, trouble: None, checking: None, settled: false, next: None }
    }
}

impl Gate {
    pub(super) const fn icon(&self) -> Icon {
        self.icon
    }

    /// When it has to be asked again.
    pub(super) const fn next(&self) -> Option<Duration> {
        self.next
    }

    /// Chooses the icon for now. Says whether all is well, or will soon be known to be.
    pub(super) fn advance(&mut self, service: &Service, status: Option<&Status>, now: Duration) -> bool {
        self.next = None;
        let (wanted, patience) = wanted(service, status);
        let Some(patience) = patience else {
            self.settled = true;
            self.trouble = None;
            self.checking = None;
            self.show(wanted, now);
            return true;
        };
        let trouble = *self.trouble.get_or_insert(now);
        if wanted == Icon::Checking {
            let checking = *self.checking.get_or_insert(now);
            self.show_at(Icon::Checking, checking + CHECKING, now);
            return false;
        }
        self.checking = None;
        let due = if self.settled { trouble + patience } else { now };
        if due > now && now < trouble + CHECKING {
            self.next = Some(trouble + CHECKING);
        } else if due > now {
            // It is not known yet whether it lasts.
            self.show(Icon::Checking, now);
            self.wake_at(due);
        } else {
            self.show(wanted, now);
        }
        false
    }

    fn show_at(&mut self, icon: Icon, due: Duration, now: Duration) {
        if due > now { self.wake_at(due) } else { self.show(icon, now) }
    }

    fn show(&mut self, icon: Icon, now: Duration) {
        if icon == self.icon {
            return;
        }
        let due = self.changed.map_or(now, |changed| changed + PAUSE);
        if due > now {
            self.wake_at(due);
            return;
        }
        self.icon = icon;
        self.changed = Some(now);
    }

    fn wake_at(&mut self, at: Duration) {
        self.next = Some(self.next.map_or(at, |next| next.min(at)));
    }
}

/// The silhouette of what was heard, and how long it has to last; `None`: it is shown at once.
fn wanted(service: &Service, status: Option<&Status>) -> (Icon, Option<Duration>) {
    match service {
        Service::Connecting => (Icon::Checking, Some(CHECKING)),
        Service::Unreachable { .. } => (Icon::NoService, Some(LINK)),
        // What no waiting cures.
        Service::Denied { .. } | Service::TooOld { .. } | Service::TooNew { .. } => {
            (Icon::NoService, Some(Duration::ZERO))
        }
        Service::Connected { .. } => status.map_or((Icon::Checking, Some(CHECKING)), heard),
    }
}

fn heard(status: &Status) -> (Icon, Option<Duration>) {
    match status.state {
        State::Working => (Icon::Working, None),
        State::StandbyNative => (Icon::Standby, None),
        State::StandbyOs => (Icon::Os, None),
        State::Paused => (Icon::Paused, None),
        State::Checking => (Icon::Checking, Some(CHECKING)),
        State::Limited => (Icon::Limited, Some(patience(status.code))),
        State::Down => (Icon::Down, Some(patience(status.code))),
        State::NoNetwork => (Icon::NoNetwork, Some(patience(status.code))),
    }
}

/// How long a fault has to last. The service itself waits before it says that there is no prefix, that the NAT64 is silent or
/// that an adapter cannot be had; what it says of links, routers and portals it says at once.
fn patience(code: Code) -> Duration {
    if code.number() < 300 { LINK } else { Duration::ZERO }
}

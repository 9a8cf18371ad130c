//! All that the page knows, as one value. The page's TypeScript types are made from these.

use ipc::SettingsReport;
use model::Status;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// Everything the window shows. Always whole, never a difference.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[cfg_attr(feature = "ts", derive(ts_rs::TS))]
pub struct View {
    /// This program.
    pub app: App,
    /// How it stands with the service.
    pub service: Service,
    /// The last status heard; null unless connected, so that nothing stale looks alive.
    pub status: Option<Box<Status>>,
    /// Every setting of the service; null until it has been heard.
    pub settings: Option<SettingsReport>,
    /// What this user prefers.
    pub prefs: Prefs,
    /// Preferences that the user cannot change, and who says so.
    pub prefs_locked: BTreeMap<String, String>,
    /// What this user may not have the service do, and who says so; an empty text where nobody is named.
    pub denied: BTreeMap<ActionName, String>,
    /// The longest pause this user may ask for, in minutes; null: of any length.
    pub longest_pause: Option<u32>,
    /// What the tray shows.
    pub shown: Shown,
    /// What is under way.
    pub busy: Option<Busy>,
    /// The last action, if it failed.
    pub failed: Option<Failed>,
}

/// This program.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[cfg_attr(feature = "ts", derive(ts_rs::TS))]
pub struct App {
    /// Its version.
    pub version: String,
    /// The newest protocol it speaks.
    pub protocol: u32,
    /// The system it runs on.
    pub os: Os,
    /// Whether a panel shows our icon.
    pub tray: bool,
    /// The user's language as the system has it (BCP 47).
    pub language_os: String,
}

/// An operating system.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
#[cfg_attr(feature = "ts", derive(ts_rs::TS))]
pub enum Os {
    /// Linux.
    Linux,
    /// macOS.
    Macos,
    /// Windows.
    Windows,
}

/// How it stands with the service.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(tag = "kind", rename_all = "snake_case")]
#[cfg_attr(feature = "ts", derive(ts_rs::TS))]
pub enum Service {
    /// Not asked yet, or about to be asked again.
    Connecting,
    /// It answers.
    Connected {
        /// Its version.
        version: String,
        /// The protocol spoken with it.
        protocol: u32,
        /// It is older than this program, and still understood.
        outdated: bool,
        /// It is newer than this program, and still understood.
        newer: bool,
    },
    /// It does not answer; asked again and again.
    Unreachable {
        /// What the system said.
        detail: String,
        /// The command that starts it on this system.
        hint: String,
        /// Since when (RFC 3339, UTC).
        since: String,
    },
    /// This user may not talk to it.
    Denied {
        /// What the system said.
        detail: String,
    },
    /// It is too old for this program.
    TooOld {
        /// Its name and version, as far as it told.
        service: String,
    },
    /// It is too new for this program.
    TooNew {
        /// Its name and version, as far as it told.
        service: String,
    },
}

/// What this user prefers.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
#[cfg_attr(feature = "ts", derive(ts_rs::TS))]
pub struct Prefs {
    /// `system`, or a language's name such as `de`.
    pub language: String,
    /// Light or dark.
    pub theme: Theme,
    /// Whether the app starts at login. The system keeps it; what a file says of it counts for nothing.
    pub autostart: bool,
    /// What to notify about.
    pub notifications: Notifications,
    /// Whether to show an icon in the panel.
    pub show_tray: bool,
}

impl Default for Prefs {
    fn default() -> Self {
        Self {
            language: "system".to_owned(),
            theme: Theme::System,
            autostart: false,
            notifications: Notifications::Problems,
            show_tray: true,
        }
    }
}

/// Light or dark.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
#[cfg_attr(feature = "ts", derive(ts_rs::TS))]
pub enum Theme {
    /// As the system.
    System,
    /// Light.
    Light,
    /// Dark.
    Dark,
}

/// What to notify about.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
#[cfg_attr(feature = "ts", derive(ts_rs::TS))]
pub enum Notifications {
    /// Lasting limitations, too.
    All,
    /// Lasting losses and their end, and what only the user can solve.
    Problems,
    /// Nothing.
    None,
}

/// What the tray shows, each fault after its delay.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[cfg_attr(feature = "ts", derive(ts_rs::TS))]
pub struct Shown {
    /// The silhouette.
    pub icon: Icon,
}

/// One of the nine silhouettes in `icons/`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "snake_case")]
#[cfg_attr(feature = "ts", derive(ts_rs::TS))]
pub enum Icon {
    /// IPv4 works, or would if an app asked.
    Working,
    /// The network has IPv4.
    Standby,
    /// Another program translates.
    Os,
    /// It is being found out.
    Checking,
    /// Some IPv4 works.
    Limited,
    /// IPv4 does not work.
    Down,
    /// Switched off.
    Paused,
    /// The service does not answer.
    NoService,
    /// There is no link.
    NoNetwork,
}

impl Icon {
    /// Every silhouette.
    pub const ALL: [Self; 9] = [
        Self::Working,
        Self::Standby,
        Self::Os,
        Self::Checking,
        Self::Limited,
        Self::Down,
        Self::Paused,
        Self::NoService,
        Self::NoNetwork,
    ];

    /// The name of its file.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Working => "working",
            Self::Standby => "standby",
            Self::Os => "os",
            Self::Checking => "checking",
            Self::Limited => "limited",
            Self::Down => "down",
            Self::Paused => "paused",
            Self::NoService => "no_service",
            Self::NoNetwork => "no_network",
        }
    }
}

/// What is under way.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[cfg_attr(feature = "ts", derive(ts_rs::TS))]
pub struct Busy {
    /// What.
    pub action: ActionName,
}

/// What a user can have done.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "lowercase")]
#[cfg_attr(feature = "ts", derive(ts_rs::TS))]
pub enum ActionName {
    /// Arm anew.
    Rearm,
    /// Pause.
    Pause,
    /// End a pause.
    Resume,
    /// Change a preference.
    Settings,
}

/// An action that failed.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[cfg_attr(feature = "ts", derive(ts_rs::TS))]
pub struct Failed {
    /// What was to be done.
    pub action: ActionName,
    /// What a program branches on.
    pub kind: FailedKind,
    /// What a person reads, in English.
    pub message: String,
}

/// Why an action failed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
#[cfg_attr(feature = "ts", derive(ts_rs::TS))]
pub enum FailedKind {
    /// This user may not.
    Denied,
    /// It cannot be done.
    Refused,
    /// The service does not answer.
    Unreachable,
}

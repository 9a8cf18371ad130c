//! What comes in and what goes out.

use std::time::Duration;

use ipc::{Control, SettingsReport};
use jiff::Timestamp;
use jiff::tz::TimeZone;
use model::Status;
use serde_json::Value;

use super::{Choice, Look, Lost, Notice};
use crate::view::{ActionName, Failed, Os, Prefs, Theme, View};

/// The time of an event.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Now {
    /// Since any fixed moment; never goes back.
    pub mono: Duration,
    /// By the calendar.
    pub wall: Timestamp,
}

/// What does not change while the app runs.
#[derive(Clone, Debug)]
pub struct Facts {
    /// Version of this app.
    pub version: String,
    /// The system.
    pub os: Os,
    /// The user's language as the system has it (BCP 47).
    pub language_os: String,
    /// The command that starts the service on this system.
    pub start_hint: String,
    /// Where the user is.
    pub zone: TimeZone,
}

/// Names one request of the page, so that its answer finds it.
pub type Ticket = u64;

/// Something that happened.
#[derive(Clone, Debug, PartialEq)]
pub enum Event {
    /// The service said hello: its name with version, and the protocol spoken.
    Connected {
        /// Such as `everclatd 0.1.0`.
        program: String,
        /// The protocol.
        protocol: u32,
        /// Whether it takes this user for an administrator.
        administrator: bool,
    },
    /// The service reports a change.
    Heard(Box<Status>),
    /// It answered [`Action::AskStatus`].
    Refreshed(Box<Status>),
    /// It said a status that only newer programs understand.
    NotUnderstood,
    /// It told its settings.
    Settings(SettingsReport),
    /// There is no connection, or no longer one.
    Lost(Lost),
    /// The user wants something, through the page (with a ticket) or the tray.
    Asked(Option<Ticket>, Ask),
    /// [`Action::Control`] or [`Action::SetAutostart`] came to an end.
    Ended(Result<(), Failed>),
    /// There is a window, or none.
    Window(bool),
    /// Whether somebody looks at the page.
    Watching(bool),
    /// Whether a panel shows icons.
    TrayHost(bool),
    /// What the desktop says that a person wants all apps to be; [`Theme::System`]: nothing. Where windows learn it by themselves,
    /// this never comes.
    Scheme(Theme),
    /// Whether the app starts at login, as the system keeps it.
    Autostart(bool),
    /// The user chose from the tray's menu.
    Chosen(Choice),
}

/// What a user can want.
#[derive(Clone, Debug, PartialEq)]
pub enum Ask {
    /// Arm anew.
    Rearm,
    /// Pause.
    Pause {
        /// How long; `None`: until resumed.
        minutes: Option<u32>,
        /// Why; may be empty.
        reason: String,
    },
    /// End a pause.
    Resume,
    /// Change a preference.
    SetPref {
        /// Its name in [`Prefs`].
        key: String,
        /// Its new value.
        value: Value,
    },
}

impl Ask {
    pub(super) const fn action(&self) -> ActionName {
        match self {
            Self::Rearm => ActionName::Rearm,
            Self::Pause { .. } => ActionName::Pause,
            Self::Resume => ActionName::Resume,
            Self::SetPref { .. } => ActionName::Settings,
        }
    }
}

/// Something to be done.
#[derive(Clone, Debug, PartialEq)]
pub enum Action {
    /// Call the service: hello, settings, then every change of its status.
    Connect,
    /// Ask for the status.
    AskStatus,
    /// Ask for the settings.
    AskSettings,
    /// Have the service do this.
    Control(Control),
    /// Tell the page what became of its request.
    Answer(Ticket, Result<(), Failed>),
    /// Show this in the window.
    Page(Box<View>),
    /// Show this in the tray; `None`: no icon.
    Tray(Option<Box<Look>>),
    /// Notify.
    Notify(Notice),
    /// Open the window, or raise it.
    OpenWindow,
    /// Have the window wear this; [`Theme::System`]: whatever the system does.
    Dress(Theme),
    /// Keep these preferences.
    Save(Prefs),
    /// Have the app start at login, or not.
    SetAutostart(bool),
    /// End the app. Translation goes on.
    Quit,
}

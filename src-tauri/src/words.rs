//! What tray and notifications say. The window has its own words in `ui/src/i18n`.

mod de;
mod en;

use model::Code;

use crate::controller::Notice;

/// A language that is complete.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Language {
    /// English.
    English,
    /// German.
    German,
}

/// Something that is always said in the same words.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Phrase {
    /// Translated, with evidence.
    Working,
    /// Armed, not used yet.
    Ready,
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
    /// Switched off, nobody knows until when.
    Paused,
    /// The service does not answer.
    NoService,
    /// This user may not talk to it.
    Denied,
    /// App and service do not understand each other.
    Skew,
    /// There is no link.
    NoNetwork,
    /// Arm anew.
    CheckAgain,
    /// Pause.
    Pause,
    /// End a pause.
    Resume,
    /// Open the window.
    Open,
    /// End the app.
    Close,
    /// The title of the notification that IPv4 is back.
    Recovered,
    /// Its text.
    RecoveredMore,
    /// Added to the text of a notification: where to read on.
    ReadOn,
}

impl Language {
    /// The language for a preference (`system` or a name) on a system in `os`; English where there is nothing better.
    #[must_use]
    pub fn choose(preference: &str, os: &str) -> Self {
        let name = if preference == "system" { os } else { preference };
        let first = name.split(['-', '_', '.']).next().unwrap_or_default();
        if first.eq_ignore_ascii_case("de") { Self::German } else { Self::English }
    }

    /// The words for something.
    #[must_use]
    pub const fn say(self, phrase: Phrase) -> &'static str {
        match self {
            Self::English => en::say(phrase),
            Self::German => de::say(phrase),
        }
    }

    /// The title of a code.
    #[must_use]
    pub const fn title(self, code: Code) -> &'static str {
        match self {
            Self::English => code.title(),
            Self::German => de::title(code),
        }
    }

    /// A pause and its end.
    #[must_use]
    pub fn paused_until(self, clock: &str) -> String {
        match self {
            Self::English => format!("Paused until {clock}"),
            Self::German => format!("Pausiert bis {clock}"),
        }
    }

    /// Why there is no pause to be had.
    #[must_use]
    pub fn pause_locked(self, who: &str) -> String {
        match self {
            Self::English => format!("Pausing is not allowed ({who})"),
            Self::German => format!("Pausieren ist nicht erlaubt ({who})"),
        }
    }

    /// A length of time.
    #[must_use]
    pub fn minutes(self, minutes: u32) -> String {
        match (self, minutes) {
            (Self::English, 60) => "1 hour".to_owned(),
            (Self::German, 60) => "1 Stunde".to_owned(),
            (Self::English, 1) => "1 minute".to_owned(),
            (Self::German, 1) => "1 Minute".to_owned(),
            (Self::English, _) => format!("{minutes} minutes"),
            (Self::German, _) => format!("{minutes} Minuten"),
        }
    }

    /// The versions of both parts.
    #[must_use]
    pub fn versions(self, app: &str, service: Option<&str>) -> String {
        match (self, service) {
            (Self::English, Some(service)) => format!("Everclat {app}, service {service}"),
            (Self::German, Some(service)) => format!("Everclat {app}, Dienst {service}"),
            (Self::English | Self::German, None) => format!("Everclat {app}"),
        }
    }

    /// The notification about a code; `some` says that some IPv4 works.
    #[must_use]
    pub fn notice(self, code: Code, some: bool) -> Notice {
        let (title, read_on) = (self.title(code), self.say(Phrase::ReadOn));
        // What the user can do comes first.
        let own = [Code::CaptivePortal, Code::Conflict, Code::ServiceDown, Code::VersionSkew, Code::Denied];
        if own.contains(&code) {
            return Notice { code, title: title.to_owned(), body: format!("{read_on} ({code})") };
        }
        let what = if some { Phrase::Limited } else { Phrase::Down };
        Notice { code, title: self.say(what).to_owned(), body: format!("{title}. {read_on} ({code})") }
    }

    /// The notification that it works again.
    #[must_use]
    pub fn recovered(self) -> Notice {
        let (title, body) = (self.say(Phrase::Recovered), self.say(Phrase::RecoveredMore));
        Notice { code: Code::Working, title: title.to_owned(), body: body.to_owned() }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_preference_beats_the_system() {
        assert_eq!(Language::choose("system", "de-AT"), Language::German);
        assert_eq!(Language::choose("system", "de_DE.UTF-8"), Language::German);
        assert_eq!(Language::choose("en", "de-DE"), Language::English);
        assert_eq!(Language::choose("system", "den"), Language::English);
        assert_eq!(Language::choose("system", ""), Language::English);
    }

    #[test]
    fn every_code_has_a_title_of_its_own_in_german() {
        for code in Code::ALL {
            let title = Language::German.title(*code);
            assert!(!title.is_empty() && title != code.title(), "{code}");
        }
    }
}

//! What tray and notifications say. The build takes it from the languages of the window (`ui/src/i18n`), so that both say the same, and a
//! language is one file.

use model::Code;

use crate::controller::Notice;

/// A language that is complete.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Language(&'static Words);

/// What is always said in the same words. `{names}` stand for values.
#[derive(Debug, PartialEq, Eq)]
pub struct Words {
    /// The language (BCP 47).
    pub tag: &'static str,
    /// Translated, with evidence.
    pub works: &'static str,
    /// Armed, not used yet.
    pub ready: &'static str,
    /// The network has IPv4.
    pub standby: &'static str,
    /// Another program translates.
    pub os: &'static str,
    /// It is being found out.
    pub checking: &'static str,
    /// Some IPv4 works.
    pub limited: &'static str,
    /// IPv4 does not work.
    pub down: &'static str,
    /// Switched off, nobody knows until when.
    pub paused: &'static str,
    /// Switched off until `{time}`.
    pub paused_until: &'static str,
    /// The service does not answer.
    pub no_service: &'static str,
    /// This user may not talk to it.
    pub denied: &'static str,
    /// App and service do not understand each other.
    pub skew: &'static str,
    /// There is no link.
    pub no_network: &'static str,
    /// Arm anew.
    pub rearm: &'static str,
    /// `{who}` does not let this user do so.
    pub rearm_forbidden: &'static str,
    /// Pause.
    pub pause: &'static str,
    /// `{who}` does not let this user do so.
    pub pause_forbidden: &'static str,
    /// `{n}` minutes. Short, as other languages have many plurals.
    pub minutes: &'static str,
    /// Sixty minutes.
    pub hour: &'static str,
    /// End a pause.
    pub resume: &'static str,
    /// Open the window.
    pub open: &'static str,
    /// The versions of `{app}` and `{service}`.
    pub versions: &'static str,
    /// End the app.
    pub close: &'static str,
    /// Who has set something, if nobody says.
    pub somebody: &'static str,
    /// Added to the text of a notification: where to read on.
    pub read_on: &'static str,
    /// Title and text of the notification that IPv4 is back.
    pub recovered: (&'static str, &'static str),
    /// Names of codes, and their titles.
    titles: &'static [(&'static str, &'static str)],
}

/// Every language, by tag.
const LANGUAGES: &[Words] = include!(concat!(env!("OUT_DIR"), "/words.rs"));

impl Language {
    /// The language for a preference (`system` or a tag) on a system in `os`, chosen as the window does; English where there is nothing better.
    #[must_use]
    pub fn choose(preference: &str, os: &str) -> Self {
        let wish = if preference == "system" { os } else { preference };
        let find = |fits: &dyn Fn(&str) -> bool| LANGUAGES.iter().find(|words| fits(words.tag));
        let exact = find(&|tag| tag.eq_ignore_ascii_case(wish));
        let found = exact.or_else(|| find(&|tag| base(tag).eq_ignore_ascii_case(base(wish))));
        Self(found.or_else(|| find(&|tag| tag == "en")).unwrap_or(const { &LANGUAGES[0] }))
    }

    /// Its words.
    #[must_use]
    pub const fn words(self) -> &'static Words {
        self.0
    }

    /// The title of a code.
    #[must_use]
    pub fn title(self, code: Code) -> &'static str {
        let found = self.0.titles.iter().find(|(name, _)| *name == code.as_str());
        found.map_or(code.title(), |(_, title)| title)
    }

    /// A length of time.
    #[must_use]
    pub fn minutes(self, minutes: u32) -> String {
        if minutes == 60 { self.0.hour.to_owned() } else { self.0.minutes.replace("{n}", &minutes.to_string()) }
    }

    /// The versions of both parts.
    #[must_use]
    pub fn versions(self, app: &str, service: Option<&str>) -> String {
        match service {
            Some(service) => self.0.versions.replace("{app}", app).replace("{service}", service),
            None => format!("Everclat {app}"),
        }
    }

    /// The notification about a code; `some` says that some IPv4 works.
    #[must_use]
    pub fn notice(self, code: Code, some: bool) -> Notice {
        let (title, read_on) = (self.title(code), self.0.read_on);
        // What the user can do comes first.
        let own = [Code::CaptivePortal, Code::Conflict, Code::ServiceDown, Code::VersionSkew, Code::Denied];
        if own.contains(&code) {
            return Notice { code, title: title.to_owned(), body: format!("{read_on} ({code})") };
        }
        let what = if some { self.0.limited } else { self.0.down };
        Notice { code, title: what.to_owned(), body: format!("{title}. {read_on} ({code})") }
    }

    /// The notification that it works again.
    #[must_use]
    pub fn recovered(self) -> Notice {
        let (title, body) = self.0.recovered;
        Notice { code: Code::Working, title: title.to_owned(), body: body.to_owned() }
    }
}

/// A tag without country, script and the like.
fn base(tag: &str) -> &str {
    tag.split(['-', '_', '.', '@']).next().unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn tag(preference: &str, os: &str) -> &'static str {
        Language::choose(preference, os).words().tag
    }

    #[test]
    fn the_preference_beats_the_system() {
        assert_eq!(tag("system", "de-AT"), "de");
        assert_eq!(tag("system", "de_DE.UTF-8"), "de");
        assert_eq!(tag("en", "de-DE"), "en");
        assert_eq!(tag("system", "den"), "en");
        assert_eq!(tag("system", ""), "en");
    }

    #[test]
    fn the_window_has_a_title_for_every_code_in_every_language() {
        for words in LANGUAGES {
            let titled: Vec<&str> = words.titles.iter().map(|(name, _)| *name).collect();
            let known: Vec<&str> = Code::ALL.iter().map(|code| code.as_str()).collect();
            assert_eq!(titled, known, "{}", words.tag);
        }
    }

    /// The service, its log and the command-line tool say a code's title in English.
    #[test]
    fn the_window_calls_codes_as_the_service_does() {
        for code in Code::ALL {
            assert_eq!(Language::choose("en", "").title(*code), code.title(), "{code}");
        }
    }

    #[test]
    fn values_have_their_places() {
        for words in LANGUAGES {
            let holds = |text: &str, name: &str| assert!(text.contains(name), "{} lacks {name}: {text}", words.tag);
            holds(words.paused_until, "{time}");
            holds(words.rearm_forbidden, "{who}");
            holds(words.pause_forbidden, "{who}");
            holds(words.minutes, "{n}");
            holds(words.versions, "{app}");
            holds(words.versions, "{service}");
        }
        let english = Language::choose("en", "");
        assert_eq!((english.minutes(5), english.minutes(60)), ("5 min".to_owned(), "1 h".to_owned()));
    }
}

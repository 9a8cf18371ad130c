//! The configuration file's text and the settings it stands for. Each key stands for itself: a bad value leaves the key
//! as it was and is reported with file, line and what is allowed; the rest of the file counts.

mod keys;

use std::fmt;
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};
use toml::de::DeTable;

use crate::{Origin, Settings};
use keys::KEYS;

/// Something in the file that could not be taken as written.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ConfigProblem {
    path: PathBuf,
    line: Option<usize>,
    text: String,
}

impl ConfigProblem {
    /// A problem with the file as a whole.
    #[must_use]
    pub fn of_file(path: &Path, text: String) -> Self {
        Self { path: path.to_owned(), line: None, text }
    }
}

impl fmt::Display for ConfigProblem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.line {
            Some(line) => write!(f, "{}:{line}: {}", self.path.display(), self.text),
            None => write!(f, "{}: {}", self.path.display(), self.text),
        }
    }
}

/// One setting, for people.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct SettingEntry {
    /// The key.
    pub key: String,
    /// The effective value as it would stand in the file.
    pub value: String,
    /// Where it came from.
    pub origin: Origin,
    /// Whether lower layers may not override it.
    pub locked: bool,
}

/// Reads the text of the file `path`. A key with a bad value keeps what `last` has for it, and so do all keys when the
/// text is no TOML: the last good state stays.
#[must_use]
pub fn parse_config(path: &Path, text: &str, last: &Settings) -> (Settings, Vec<ConfigProblem>) {
    let problem = |offset: Option<usize>, said: String| ConfigProblem {
        path: path.to_owned(),
        line: offset.map(|offset| 1 + text.as_bytes().iter().take(offset).filter(|byte| **byte == b'\n').count()),
        text: said,
    };
    // Editors on Windows put a byte order mark in front.
    let table = match DeTable::parse(text.trim_start_matches('\u{feff}')) {
        Ok(table) => table,
        Err(error) => {
            let offset = error.span().map(|span| span.start);
            let said = format!("not valid TOML: {}; the file is ignored", error.message());
            return (last.clone(), vec![problem(offset, said)]);
        }
    };
    let mut settings = Settings::default();
    let mut problems = Vec::new();
    for (name, value) in table.get_ref() {
        let offset = Some(name.span().start);
        let Some(key) = KEYS.iter().find(|key| key.name == name.get_ref().as_ref()) else {
            problems.push(problem(offset, unknown_key(name.get_ref())));
            continue;
        };
        if let Err(why) = (key.take)(&mut settings, value.get_ref()) {
            (key.keep)(&mut settings, last);
            let kept = (key.show)(&settings).value;
            problems.push(problem(offset, format!("{}: {why}; it stays {kept}", key.name)));
        }
    }
    problems.sort_by_key(|problem| problem.line);
    (settings, problems)
}

/// Every setting, in the order of the documentation.
#[must_use]
pub fn setting_entries(settings: &Settings) -> Vec<SettingEntry> {
    KEYS.iter().map(|key| (key.show)(settings)).collect()
}

/// What to say about a key that does not exist.
#[must_use]
pub fn unknown_key(key: &str) -> String {
    let nearest = KEYS
        .iter()
        .map(|known| (strsim::damerau_levenshtein(&known.name.to_lowercase(), &key.to_lowercase()), known.name))
        .min()
        .filter(|(distance, _)| *distance <= 3);
    match nearest {
        Some((_, name)) => format!("unknown key `{key}`; did you mean `{name}`?"),
        None => {
            let names: Vec<&str> = KEYS.iter().map(|key| key.name).collect();
            format!("unknown key `{key}`; known are {}", names.join(", "))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Dad;

    fn read_over(last: &Settings, text: &str) -> (Settings, Vec<String>) {
        let (settings, problems) = parse_config(Path::new("/etc/everclat/config.toml"), text, last);
        (settings, problems.iter().map(ToString::to_string).collect())
    }

    fn read(text: &str) -> (Settings, Vec<String>) {
        read_over(&Settings::default(), text)
    }

    const EVERY_KEY: &str = "Enabled = false\nPref64Static = [\"64:ff9b::/96\", \"2001:db8:64::/48\"]\n\
        ClatIpv4 = \"192.0.0.5\"\nDad = \"strict\"\nIpv4RouteMetric = 4096\nMtu = 1400\nAllowUserPause = false\n\
        PauseMaxMinutes = 5\nAllowUserConfig = true\nPref64Sources = [\"dns\", \"policy\", \"ra\"]\n\
        Pref64Allow = [\"2001:db8::/32\"]\nPref64Deny = [\"2001:db8:bad::/48\", \"64:ff9b::/96\"]\n\
        InterfacesInclude = [\"eth*\", \"wlan0\"]\nInterfacesExclude = [\"docker?\"]\nProbeEnabled = false\n\
        ProbeTargetsV4 = [\"198.51.100.1:443\", \"198.51.100.2\"]\nProbeTargetsV6 = [\"[2001:db8::1]:443\"]\n\
        ProbeIntervalSeconds = 0\nAllowInternetProbe = true\n";

    #[test]
    fn every_key_with_its_origin_and_back() {
        let (settings, problems) = read(EVERY_KEY);
        assert_eq!(problems, Vec::<String>::new());
        assert!(!settings.enabled.value && !settings.allow_user_pause.value);
        assert_eq!(settings.dad.value, Dad::Strict);
        assert_eq!(
            (settings.ipv4_route_metric.value, settings.mtu.value, settings.pause_max_minutes.value),
            (4096, 1400, 5)
        );
        let entries = setting_entries(&settings);
        assert!(entries.iter().all(|entry| entry.origin == Origin::Config && !entry.locked), "{entries:?}");
        let mut written: Vec<String> = entries.iter().map(|entry| format!("{} = {}", entry.key, entry.value)).collect();
        let mut original: Vec<String> = EVERY_KEY.lines().map(str::to_owned).collect();
        written.sort();
        original.sort();
        assert_eq!(written, original, "what is shown could stand in the file");
    }

    #[test]
    fn a_bad_key_does_not_spoil_the_others() {
        let (settings, problems) = read("Mtu = 12\nDad = \"strict\"\nClatIpv4 = \"10.0.0.1\"\nenabld = 1\n");
        assert_eq!(settings.dad.value, Dad::Strict);
        assert_eq!(settings.mtu, Settings::default().mtu);
        assert_eq!(
            problems,
            [
                "/etc/everclat/config.toml:1: Mtu: 12 is not allowed; use 0 (automatic) or 1252 to 65507 bytes; it stays 0",
                "/etc/everclat/config.toml:3: ClatIpv4: 10.0.0.1 is not allowed; use one of 192.0.0.2 to 192.0.0.7 \
                 (RFC 7335); it stays \"192.0.0.2\"",
                "/etc/everclat/config.toml:4: unknown key `enabld`; did you mean `Enabled`?",
            ]
        );
    }

    #[test]
    fn the_last_good_value_stays() {
        let (good, _) = read("Mtu = 1400\nDad = \"strict\"\n");
        let (settings, problems) = read_over(&good, "Mtu = \"big\"\n");
        assert_eq!(settings.mtu, good.mtu);
        assert_eq!(settings.dad.value, Dad::Optimistic, "a key that is gone is a default again");
        assert!(problems[0].ends_with("Mtu: expected a whole number, found string; it stays 1400"), "{problems:?}");
        let (settings, problems) = read_over(&good, "Mtu = = 1\n");
        assert_eq!(settings, good);
        assert!(problems[0].contains(":1: not valid TOML: "), "{problems:?}");
    }

    #[test]
    fn wrong_types_name_line_and_remedy() {
        let (_, problems) = read("Enabled = \"yes\"\nPref64Static = [\"64:ff9b::/95\"]\nMtu = 99999999999999999999\n");
        assert!(
            problems[0].ends_with(":1: Enabled: expected true or false, found string; it stays true"),
            "{problems:?}"
        );
        assert!(problems[1].contains(":2: Pref64Static: `64:ff9b::/95`: "), "{problems:?}");
        assert!(problems[2].contains(":3: Mtu: the number is too large"), "{problems:?}");
    }

    #[test]
    fn lists_name_the_item_that_is_wrong() {
        let (settings, problems) = read(
            "Pref64Allow = [\"2001:db8::1/32\"]\nPref64Sources = [\"ra\", \"ra\"]\nInterfacesExclude = \"docker0\"\n\
             ProbeIntervalSeconds = 29\nProbeTargetsV4 = [\"example.com\"]\nPref64Deny = [7]\nPref64Sources2 = []\n",
        );
        assert_eq!(settings, Settings::default());
        for (line, part) in [
            "Pref64Allow: `2001:db8::1/32` has bits set behind the prefix length; did you mean 2001:db8::/32?; it stays []",
            "Pref64Sources: name one or more of \"ra\", \"dns\" and \"policy\", each once, best first; it stays [\"ra\", \"dns\"]",
            "InterfacesExclude: expected a list, each item an interface name or pattern, such as \"eth*\", found string; ",
            "ProbeIntervalSeconds: 29 is not allowed; use 0 (only when in doubt) or 30 to 3600 seconds; it stays 300",
            "ProbeTargetsV4: `example.com` is not of the form 198.51.100.1 or 198.51.100.1:443; it stays []",
            "Pref64Deny: expected an IPv6 prefix, such as \"2001:db8::/32\", found integer; it stays []",
            "unknown key `Pref64Sources2`; did you mean `Pref64Sources`?",
        ]
        .iter()
        .enumerate()
        {
            let start = format!("/etc/everclat/config.toml:{}: {part}", line + 1);
            assert!(problems[line].starts_with(&start), "{}\nwanted {start}", problems[line]);
        }
    }
}

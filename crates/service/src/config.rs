//! The configuration file. Each key stands for itself: a bad value falls back to the default and is reported with
//! file, line and what is allowed; the rest of the file counts.

use std::fmt;
use std::path::{Path, PathBuf};

use model::{Dad, InvalidSetting, Origin, Pref64, Settings};
use toml::de::{DeTable, DeValue};

/// Something in the file that could not be taken as written.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Problem {
    path: PathBuf,
    line: Option<usize>,
    text: String,
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.line {
            Some(line) => write!(f, "{}:{line}: {}", self.path.display(), self.text),
            None => write!(f, "{}: {}", self.path.display(), self.text),
        }
    }
}

/// Reads the file. A file that is absent is no problem: everything has a default.
pub fn load(path: &Path) -> (Settings, Vec<Problem>) {
    match std::fs::read_to_string(path) {
        Ok(text) => parse(path, &text),
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => (Settings::default(), Vec::new()),
        Err(error) => {
            let text = format!("cannot be read ({error}); using the built-in defaults");
            (Settings::default(), vec![Problem { path: path.to_owned(), line: None, text }])
        }
    }
}

/// A key, and how its value gets into the settings.
type Taker = fn(&mut Settings, &DeValue<'_>) -> Result<(), String>;

const KEYS: [(&str, Taker); 8] = [
    ("Enabled", |settings, value| {
        let enabled = value.as_bool().ok_or_else(|| expected("true or false", value))?;
        settings.enabled.set(enabled, Origin::Config);
        Ok(())
    }),
    ("Pref64Static", |settings, value| {
        let list = value.as_array().ok_or_else(|| expected("a list of prefixes, such as [\"64:ff9b::/96\"]", value))?;
        let prefixes = list.iter().map(|item| prefix(item.get_ref())).collect::<Result<_, _>>()?;
        settings.pref64_static.set(prefixes, Origin::Config);
        Ok(())
    }),
    ("ClatIpv4", |settings, value| {
        let text = value.as_str().ok_or_else(|| expected("an IPv4 address in quotes", value))?;
        let address = text.parse().map_err(|_| format!("`{text}` is no IPv4 address"))?;
        settings.clat_ipv4.set(Settings::check_clat_ipv4(address).map_err(|error| reason(&error))?, Origin::Config);
        Ok(())
    }),
    ("Dad", |settings, value| {
        let dad = match value.as_str() {
            Some("optimistic") => Dad::Optimistic,
            Some("strict") => Dad::Strict,
            Some(_) | None => return Err(expected("\"optimistic\" or \"strict\"", value)),
        };
        settings.dad.set(dad, Origin::Config);
        Ok(())
    }),
    ("Ipv4RouteMetric", |settings, value| {
        let metric = Settings::check_metric(integer(value)?).map_err(|error| reason(&error))?;
        settings.ipv4_route_metric.set(metric, Origin::Config);
        Ok(())
    }),
    ("AllowUserPause", |settings, value| {
        let allowed = value.as_bool().ok_or_else(|| expected("true or false", value))?;
        settings.allow_user_pause.set(allowed, Origin::Config);
        Ok(())
    }),
    ("PauseMaxMinutes", |settings, value| {
        let minutes = Settings::check_pause_max_minutes(integer(value)?).map_err(|error| reason(&error))?;
        settings.pause_max_minutes.set(minutes, Origin::Config);
        Ok(())
    }),
    ("Mtu", |settings, value| {
        settings.mtu.set(Settings::check_mtu(integer(value)?).map_err(|error| reason(&error))?, Origin::Config);
        Ok(())
    }),
];

fn parse(path: &Path, text: &str) -> (Settings, Vec<Problem>) {
    let mut settings = Settings::default();
    let problem = |offset: Option<usize>, text_of: String| Problem {
        path: path.to_owned(),
        line: offset.map(|offset| 1 + text.as_bytes().iter().take(offset).filter(|byte| **byte == b'\n').count()),
        text: text_of,
    };
    // Editors on Windows put a byte order mark in front.
    let table = match DeTable::parse(text.trim_start_matches('\u{feff}')) {
        Ok(table) => table,
        Err(error) => {
            let offset = error.span().map(|span| span.start);
            let text = format!("not valid TOML: {}; using the built-in defaults", error.message());
            return (settings, vec![problem(offset, text)]);
        }
    };
    let mut problems = Vec::new();
    for (key, value) in table.get_ref() {
        let offset = Some(key.span().start);
        let Some((name, take)) = KEYS.iter().find(|(name, _)| *name == key.get_ref().as_ref()) else {
            problems.push(problem(offset, unknown(key.get_ref())));
            continue;
        };
        if let Err(why) = take(&mut settings, value.get_ref()) {
            problems.push(problem(offset, format!("{name}: {why}; using the default")));
        }
    }
    problems.sort_by_key(|problem| problem.line);
    (settings, problems)
}

fn unknown(key: &str) -> String {
    let nearest = KEYS
        .iter()
        .map(|(name, _)| (strsim::damerau_levenshtein(&name.to_lowercase(), &key.to_lowercase()), *name))
        .min()
        .filter(|(distance, _)| *distance <= 3);
    match nearest {
        Some((_, name)) => format!("unknown key `{key}`; did you mean `{name}`?"),
        None => {
            let names: Vec<&str> = KEYS.iter().map(|(name, _)| *name).collect();
            format!("unknown key `{key}`; known are {}", names.join(", "))
        }
    }
}

fn prefix(value: &DeValue<'_>) -> Result<Pref64, String> {
    let text = value.as_str().ok_or_else(|| expected("a prefix in quotes, such as \"64:ff9b::/96\"", value))?;
    text.parse().map_err(|error| format!("`{text}`: {error}"))
}

fn integer(value: &DeValue<'_>) -> Result<i64, String> {
    let integer = value.as_integer().ok_or_else(|| expected("a whole number", value))?;
    i64::from_str_radix(integer.as_str(), integer.radix()).map_err(|_| "the number is too large".to_owned())
}

fn expected(what: &str, value: &DeValue<'_>) -> String {
    format!("expected {what}, found {}", value.type_str())
}

fn reason(error: &InvalidSetting) -> String {
    error.reason.clone()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &str) -> (Settings, Vec<String>) {
        let (settings, problems) = parse(Path::new("/etc/everclat/config.toml"), text);
        (settings, problems.iter().map(ToString::to_string).collect())
    }

    #[test]
    fn every_key_with_its_origin() {
        let (settings, problems) = read(
            "Enabled = false\nPref64Static = [\"64:ff9b::/96\", \"2001:db8:64::/48\"]\nClatIpv4 = \"192.0.0.5\"\n\
             Dad = \"strict\"\nIpv4RouteMetric = 0x1000\nMtu = 1400\n",
        );
        assert_eq!(problems, Vec::<String>::new());
        assert!(!settings.enabled.value);
        assert_eq!(settings.enabled.origin, Origin::Config);
        assert_eq!(settings.pref64_static.value.len(), 2);
        assert_eq!(settings.clat_ipv4.value.octets(), [192, 0, 0, 5]);
        assert_eq!(settings.dad.value, Dad::Strict);
        assert_eq!((settings.ipv4_route_metric.value, settings.mtu.value), (4096, 1400));
    }

    #[test]
    fn a_bad_key_does_not_spoil_the_others() {
        let (settings, problems) = read("Mtu = 12\nDad = \"strict\"\nClatIpv4 = \"10.0.0.1\"\nenabld = 1\n");
        assert_eq!(settings.dad.value, Dad::Strict);
        assert_eq!(settings.mtu, Settings::default().mtu);
        assert_eq!(
            problems,
            [
                "/etc/everclat/config.toml:1: Mtu: 12 is not allowed; use 0 (automatic) or 1252 to 65507 bytes; using \
                 the default",
                "/etc/everclat/config.toml:3: ClatIpv4: 10.0.0.1 is not allowed; use one of 192.0.0.2 to 192.0.0.7 \
                 (RFC 7335); using the default",
                "/etc/everclat/config.toml:4: unknown key `enabld`; did you mean `Enabled`?",
            ]
        );
    }

    #[test]
    fn wrong_types_and_broken_files_name_line_and_remedy() {
        let (_, problems) = read("Enabled = \"yes\"\nPref64Static = [\"64:ff9b::/95\"]\nMtu = 99999999999999999999\n");
        assert_eq!(
            problems[0],
            "/etc/everclat/config.toml:1: Enabled: expected true or false, found string; using the default"
        );
        assert!(problems[1].contains(":2: Pref64Static: `64:ff9b::/95`: "), "{}", problems[1]);
        assert!(problems[2].contains(":3: Mtu: "), "{}", problems[2]);
        let (settings, problems) = read("Enabled = false\nDad = = 1\n");
        assert_eq!(settings, Settings::default());
        assert!(problems[0].starts_with("/etc/everclat/config.toml:2: not valid TOML: "), "{}", problems[0]);
    }

    #[test]
    fn an_absent_file_is_no_problem_and_a_directory_is_one() {
        let dir = tempfile::tempdir().unwrap();
        assert!(load(&dir.path().join("none.toml")).1.is_empty());
        assert_eq!(load(dir.path()).1.len(), 1);
    }
}

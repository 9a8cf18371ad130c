//! The texts of configuration and policy, and the settings they stand for. Each key stands for itself: a bad value leaves
//! the key as it was and is reported with file, line and what is allowed; the rest of the file counts.

mod given;
mod keys;
mod read;

use std::collections::BTreeMap;
use std::fmt;
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use crate::{Code, Origin, Settings};
use keys::KEYS;
pub use read::{parse_config, parse_policy};

/// Something in a file that could not be taken as written.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "ts", derive(ts_rs::TS))]
pub struct ConfigProblem {
    /// The code for helpdesks; `None` for a note about something that is as it should be.
    pub code: Option<Code>,
    /// The file, or the directory.
    pub file: String,
    /// The line, from 1; `None` when it is about the file as a whole.
    pub line: Option<usize>,
    /// The key; `None` when it is about none, or about one that does not exist.
    pub key: Option<String>,
    /// What is wrong, what is allowed, and what holds now.
    pub text: String,
}

impl ConfigProblem {
    /// A file, or a directory of files, that is not taken into account.
    #[must_use]
    pub fn unreadable(path: &Path, text: String) -> Self {
        Self { code: Some(Code::PolicyUnreadable), file: path.display().to_string(), line: None, key: None, text }
    }
}

impl fmt::Display for ConfigProblem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.file)?;
        if let Some(line) = self.line {
            write!(f, ":{line}")?;
        }
        if let Some(key) = &self.key {
            write!(f, ": {key}")?;
        }
        write!(f, ": {}", self.text)
    }
}

/// One setting, for people.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "ts", derive(ts_rs::TS))]
pub struct SettingEntry {
    /// The key.
    pub key: String,
    /// The effective value as it would stand in the file.
    pub value: String,
    /// Where it came from.
    pub origin: Origin,
    /// Whether lower layers may not override it.
    pub locked: bool,
    /// The file it came from; null for a default, and from a service that does not say.
    #[serde(default)]
    pub source: Option<String>,
}

/// What one file says; every other key is at its default.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Layer {
    path: PathBuf,
    origin: Origin,
    settings: Settings,
    /// Where the keys stand.
    lines: BTreeMap<&'static str, usize>,
}

impl Layer {
    /// A file that says nothing; `origin` says what sort of file it is.
    #[must_use]
    pub fn empty(path: &Path, origin: Origin) -> Self {
        Self { path: path.to_owned(), origin, settings: Settings::default(), lines: BTreeMap::new() }
    }

    /// The file.
    #[must_use]
    pub fn path(&self) -> &Path {
        &self.path
    }
}

/// What holds when all files are laid over each other.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Layered {
    /// The settings in force.
    pub settings: Settings,
    /// The same for people, with the file each came from.
    pub entries: Vec<SettingEntry>,
    /// What the configuration says in vain.
    pub notes: Vec<ConfigProblem>,
}

/// Lays policies over the configuration; later ones win over earlier ones. What a policy sets is locked.
#[must_use]
pub fn lay(config: &Layer, policies: &[Layer]) -> Layered {
    let mut settings = Settings::default();
    let (mut entries, mut notes) = (Vec::new(), Vec::new());
    for key in &KEYS {
        let says = |layer: &&Layer| (key.show)(&layer.settings).origin == layer.origin;
        let policy = policies.iter().rev().find(says);
        let configured = Some(config).filter(says);
        if let Some(layer) = policy.or(configured) {
            (key.keep)(&mut settings, &layer.settings);
        }
        if policy.is_some() {
            (key.lock)(&mut settings);
        }
        let mut entry = (key.show)(&settings);
        entry.source = policy.or(configured).map(|layer| layer.path.display().to_string());
        if let (Some(policy), Some(configured)) = (policy, configured) {
            let vain = (key.show)(&configured.settings).value;
            notes.push(ConfigProblem {
                code: None,
                file: configured.path.display().to_string(),
                line: configured.lines.get(key.name).copied(),
                key: Some(key.name.to_owned()),
                text: format!("{} sets it to {}; {vain} here has no effect", policy.path.display(), entry.value),
            });
        }
        entries.push(entry);
    }
    Layered { settings, entries, notes }
}

/// Every setting, in the order of the documentation.
#[must_use]
pub fn setting_entries(settings: &Settings) -> Vec<SettingEntry> {
    KEYS.iter().map(|key| (key.show)(settings)).collect()
}

/// What a key is about, as in docs/configuration.md.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct KeyReference {
    /// The key.
    pub key: &'static str,
    /// The sort of value.
    #[serde(rename = "type")]
    pub kind: &'static str,
    /// The value without any file, as it would stand in one.
    pub default: String,
    /// What it may be.
    pub allowed: &'static str,
    /// What it does.
    pub about: &'static str,
}

/// Every key, in the order of the documentation.
#[must_use]
pub fn key_references() -> Vec<KeyReference> {
    let defaults = Settings::default();
    let reference = |key: &keys::Key| KeyReference {
        key: key.name,
        kind: key.kind,
        default: (key.show)(&defaults).value,
        allowed: key.allowed,
        about: key.about,
    };
    KEYS.iter().map(reference).collect()
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
mod tests;

//! The state file of a running lab, and the lock that serializes those who change it.

use std::fs::{self, File};
use std::io::ErrorKind;
use std::path::{Path, PathBuf};

use anyhow::Context;
use serde::{Deserialize, Serialize};

use crate::config::LabConfig;
use crate::error::Result;
use crate::plan::{self, RUN_DIR};
use crate::process::ProcessRecord;
use crate::{Pref64, sys};

const STATE_FILE: &str = "lab.json";

/// What a later process must know to use or remove the lab.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct State {
    /// Process start times count from this boot.
    pub(crate) boot_id: String,
    /// `up` has finished.
    pub(crate) ready: bool,
    pub(crate) config: LabConfig,
    pub(crate) children: Vec<ProcessRecord>,
    pub(crate) translators: Vec<Translator>,
}

/// One prefix that a router translates (or reflects).
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Translator {
    /// Number of the router.
    pub(crate) site: u8,
    pub(crate) prefix: Pref64,
    /// Number of its TAYGA in the router; `None` for a reflector.
    pub(crate) tayga: Option<u8>,
}

impl State {
    pub(crate) fn new(config: LabConfig) -> Self {
        Self { boot_id: boot_id(), ready: false, config, children: Vec::new(), translators: Vec::new() }
    }

    /// The state of lab `name`; `None` if there is none, or it is unreadable, or from before a reboot.
    pub(crate) fn load(name: &str) -> Option<Self> {
        let text = fs::read_to_string(plan::run_dir(name).join(STATE_FILE)).ok()?;
        serde_json::from_str::<Self>(&text).ok().filter(|state| state.boot_id == boot_id())
    }

    /// Replaces the file whole.
    pub(crate) fn save(&self) -> Result<()> {
        let directory = plan::run_dir(&self.config.name);
        let text = serde_json::to_string_pretty(self).context("encoding the lab's state")?;
        let temporary = directory.join(".lab.json.new");
        let write = || fs::write(&temporary, text).and_then(|()| fs::rename(&temporary, directory.join(STATE_FILE)));
        Ok(write().with_context(|| format!("writing {}", directory.join(STATE_FILE).display()))?)
    }

    /// The children that do `what`, which are no longer the lab's: the caller ends them.
    pub(crate) fn take_children(&mut self, what: &str) -> Vec<ProcessRecord> {
        let (taken, others) = std::mem::take(&mut self.children).into_iter().partition(|child| child.what == what);
        self.children = others;
        taken
    }

    /// Everything is as `up` left it.
    pub(crate) fn is_living(&self) -> bool {
        let namespaces = plan::Plan::new(&self.config).namespaces();
        self.ready
            && namespaces.iter().all(crate::netns::Netns::exists)
            && self.children.iter().all(ProcessRecord::is_alive)
    }
}

/// Held while a lab is built, changed or removed.
#[derive(Debug)]
pub(crate) struct Lock {
    path: PathBuf,
    /// The lock lives as long as this open file.
    file: File,
}

impl Lock {
    pub(crate) fn take(name: &str) -> Result<Self> {
        let path = Path::new(RUN_DIR).join(format!(".{name}.lock"));
        loop {
            fs::create_dir_all(RUN_DIR).with_context(|| format!("creating {RUN_DIR}"))?;
            let file = match File::create(&path) {
                // Somebody has just removed the directory with the last lab.
                Err(error) if error.kind() == ErrorKind::NotFound => continue,
                result => result.with_context(|| format!("creating {}", path.display()))?,
            };
            file.lock().with_context(|| format!("locking {}", path.display()))?;
            let lock = Self { path: path.clone(), file };
            if lock.is_current() {
                return Ok(lock);
            }
        }
    }

    /// Whoever held the lock before may have removed the file that was waited for.
    fn is_current(&self) -> bool {
        sys::is_same_file(&self.file, &self.path)
    }

    /// Ends the lock and removes its file, after the lab itself.
    pub(crate) fn discard(self) -> Result<()> {
        fs::remove_file(&self.path).with_context(|| format!("removing {}", self.path.display()))?;
        // Refused as long as there is another lab.
        drop(fs::remove_dir(RUN_DIR));
        Ok(())
    }
}

/// Names of the labs that have a state file.
pub(crate) fn names() -> Vec<String> {
    let entries = fs::read_dir(RUN_DIR).into_iter().flatten().flatten();
    let labs = entries.filter(|entry| entry.path().join(STATE_FILE).exists());
    let mut names: Vec<_> = labs.filter_map(|entry| entry.file_name().into_string().ok()).collect();
    names.sort();
    names
}

fn boot_id() -> String {
    let text = fs::read_to_string("/proc/sys/kernel/random/boot_id").unwrap_or_default();
    text.trim_end().to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_state_file_reads_back_and_shows_prefixes_as_text() {
        let mut state = State::new(LabConfig::default());
        let prefix = "2001:db8:64::/96".parse().unwrap();
        state.translators.push(Translator { site: 1, prefix, tayga: Some(0) });
        state.children.push(ProcessRecord { what: "tayga".into(), pid: 1, start: 2 });
        let json = serde_json::to_value(&state).unwrap();
        assert_eq!(json["translators"][0]["prefix"], "2001:db8:64::/96");
        assert_eq!(serde_json::from_value::<State>(json).unwrap(), state);
    }

    #[test]
    fn a_lab_with_a_dead_child_is_not_living() {
        let mut state = State::new(LabConfig::named("no-such-lab"));
        state.ready = true;
        assert!(!state.is_living());
    }
}

use std::collections::BTreeSet;
use std::fs::{File, OpenOptions};
use std::io;
use std::path::{Path, PathBuf};

use anyhow::{Result, bail};
use notify::event::{AccessKind, AccessMode};
use notify::{Event, EventKind, RecommendedWatcher, RecursiveMode, Watcher};

use crate::Options;

#[cfg(target_os = "macos")]
pub(crate) const DEFAULT_CONFIG: &str = "/Library/Application Support/Everclat/config.toml";
#[cfg(target_os = "macos")]
pub(crate) const DEFAULT_POLICY_DIR: &str = "/Library/Application Support/Everclat/policy.d";
#[cfg(target_os = "macos")]
pub(crate) const DEFAULT_STATE_DIR: &str = "/Library/Application Support/Everclat/state";
#[cfg(windows)]
pub(crate) const DEFAULT_CONFIG: &str = r"C:\ProgramData\Everclat\config.toml";
#[cfg(windows)]
pub(crate) const DEFAULT_POLICY_DIR: &str = r"C:\ProgramData\Everclat\policy.d";
#[cfg(windows)]
pub(crate) const DEFAULT_STATE_DIR: &str = r"C:\ProgramData\Everclat\state";

/// Nothing is caught as long as this system is not served.
pub struct Signals(());

impl Signals {
    /// To be called before anything else.
    ///
    /// # Errors
    /// Never here.
    pub fn catch() -> Result<Self> {
        Ok(Self(()))
    }
}

/// Says that this system is not served yet.
///
/// # Errors
/// Always.
pub fn run(_: &Options, _: Signals) -> Result<()> {
    bail!("everclatd translates on Linux so far; docs/platforms.md says what there is for this system")
}

/// Listens until it is dropped.
pub(crate) struct DirectoryWatch {
    _watcher: RecommendedWatcher,
}

/// Calls `changed` with the path of each thing that changes in one of `directories`, or with nothing when changes may have
/// been missed or no more will be told.
pub(crate) fn watch_directories(
    directories: &BTreeSet<PathBuf>,
    changed: impl Fn(Option<&Path>) + Send + Sync + 'static,
) -> io::Result<DirectoryWatch> {
    let tell = move |event: notify::Result<Event>| match event {
        Ok(event) if event.need_rescan() => changed(None),
        Ok(event) if is_reading(event.kind) => {}
        Ok(event) => event.paths.iter().for_each(|path| changed(Some(path))),
        Err(_) => changed(None),
    };
    let mut watcher = notify::recommended_watcher(tell).map_err(io::Error::other)?;
    for directory in directories {
        watcher.watch(directory, RecursiveMode::NonRecursive).map_err(io::Error::other)?;
    }
    Ok(DirectoryWatch { _watcher: watcher })
}

/// Mere reading, ours included.
fn is_reading(kind: EventKind) -> bool {
    match kind {
        EventKind::Access(AccessKind::Close(AccessMode::Write)) => false,
        EventKind::Access(_) => true,
        EventKind::Any | EventKind::Create(_) | EventKind::Modify(_) | EventKind::Remove(_) | EventKind::Other => false,
    }
}

/// A new file; only administrators may read what is in the state directory.
pub(crate) fn create_private(path: &Path) -> io::Result<File> {
    OpenOptions::new().write(true).create(true).truncate(true).open(path)
}

/// Whether a file is the administrator's word. Any user may create files under ProgramData, and this does not read who may
/// write one: so none is.
#[cfg(windows)]
pub(crate) fn trusted(_: &std::fs::Metadata) -> Result<(), String> {
    Err("policy files are not taken on Windows".to_owned())
}

/// Opens a file of ours to be read: no link to elsewhere.
#[cfg(windows)]
pub(crate) fn open_ours(path: &Path) -> io::Result<File> {
    if std::fs::symlink_metadata(path)?.is_file() {
        return File::open(path);
    }
    Err(io::Error::other("it is not a plain file"))
}

/// NTFS keeps a journal of names; a directory cannot be flushed.
#[cfg(windows)]
pub(crate) fn sync_directory(_: &Path) -> io::Result<()> {
    Ok(())
}

/// What changes with a file: size, times of change and creation.
#[cfg(windows)]
pub(crate) type Fingerprint = (u64, Option<std::time::SystemTime>, Option<std::time::SystemTime>);

/// What changes with the file of `metadata`.
#[cfg(windows)]
pub(crate) fn fingerprint(metadata: &std::fs::Metadata) -> Fingerprint {
    (metadata.len(), metadata.modified().ok(), metadata.created().ok())
}

use std::fs::{File, OpenOptions};
use std::io;
use std::path::Path;

use anyhow::{Result, bail};

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

/// Says that this system is not served yet.
///
/// # Errors
/// Always.
pub fn run(_: &Options) -> Result<()> {
    bail!("everclatd translates on Linux so far; docs/platforms.md says what there is for this system")
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

/// What changes with a file: size, times of change and creation.
#[cfg(windows)]
pub(crate) type Fingerprint = (u64, Option<std::time::SystemTime>, Option<std::time::SystemTime>);

/// What changes with the file of `metadata`.
#[cfg(windows)]
pub(crate) fn fingerprint(metadata: &std::fs::Metadata) -> Fingerprint {
    (metadata.len(), metadata.modified().ok(), metadata.created().ok())
}

use std::fs::{File, OpenOptions};
use std::io;
use std::path::Path;

use anyhow::{Result, bail};

use crate::Options;

#[cfg(target_os = "macos")]
pub(crate) const DEFAULT_CONFIG: &str = "/Library/Application Support/Everclat/config.toml";
#[cfg(target_os = "macos")]
pub(crate) const DEFAULT_STATE_DIR: &str = "/Library/Application Support/Everclat/state";
#[cfg(windows)]
pub(crate) const DEFAULT_CONFIG: &str = r"C:\ProgramData\Everclat\config.toml";
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

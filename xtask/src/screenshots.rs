//! `cargo xtask screenshots`: the pictures in the README, from the real app on a display without a screen.

use std::process::ExitCode;

use anyhow::{Result, bail};

use crate::install;
use crate::run::{build, cargo, succeed, target_directory, top};
use crate::tray::{missing, program};

/// Renews `docs/images/`.
pub(crate) fn run() -> Result<ExitCode> {
    if !install::is_root() {
        bail!("the lab behind the window needs root; type: sudo -E cargo xtask screenshots");
    }
    install::tools()?;
    install::window()?;
    install::pictures()?;
    if let Some(why) = missing() {
        bail!("{why}");
    }
    build()?;
    let app = program(true)?;
    let images = top().join("docs/images");
    std::fs::create_dir_all(&images)?;
    let mut command = cargo(&["run", "--locked", "-p", "everclat-e2e-gui", "--bin", "screenshots", "--"]);
    command.arg(&images).env("EVERCLAT_BIN_DIR", target_directory().join("release")).env("EVERCLAT_TRAY", app);
    succeed(&mut command)?;
    let mut sheet = cargo(&["run", "--locked", "-p", "everclat-tray", "--example", "contact_sheet"]);
    succeed(sheet.arg("--").arg(images.join("icons.png")))?;
    Ok(ExitCode::SUCCESS)
}

//! The real window, where there is somebody to look at it.

use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

use anyhow::{Context, Result, bail};

use crate::tray::{missing, program};
use crate::{install, ui};

/// Makes the app ready if there is a display and the app can be built here, else says why not. Before anything is shown: it takes
/// minutes the first time.
pub(crate) fn prepare() -> Option<PathBuf> {
    let set = |name| std::env::var_os(name).is_some_and(|value| !value.is_empty());
    if !set("DISPLAY") && !set("WAYLAND_DISPLAY") {
        println!("    (no display here, so no window)");
        return None;
    }
    let built = install::window().and_then(|()| ui::build()).and_then(|()| match missing() {
        Some(why) => bail!("{why}"),
        None => program(true),
    });
    built.inspect_err(|error| println!("    (no window: {error:#})")).ok()
}

/// Opens the window for the service at `socket`. It is its own process: the caller ends it, or leaves it open.
pub(crate) fn open(app: &Path, socket: &Path) -> Result<Child> {
    let mut command = Command::new(app);
    command.arg("--socket").arg(socket).stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
    command.spawn().context("start everclat-tray")
}

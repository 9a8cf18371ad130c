//! The real window, where there is somebody to look at it.

use std::path::Path;
use std::process::{Child, Command, Stdio};

use anyhow::{Context, Result};

use crate::tray::program;

/// Opens the window for the service at `socket`, if there is a display and the app can be built here; else says why not. The window is its
/// own process: the caller ends it, or leaves it open.
#[expect(dead_code, reason = "the demo opens it once its own changes are in")]
pub(crate) fn open(socket: &Path) -> Result<Option<Child>> {
    let set = |name| std::env::var_os(name).is_some_and(|value| !value.is_empty());
    if !set("DISPLAY") && !set("WAYLAND_DISPLAY") {
        println!("    (no display here, so no window)");
        return Ok(None);
    }
    if let Some(why) = crate::tray::missing() {
        println!("    (no window: {why})");
        return Ok(None);
    }
    let mut command = Command::new(program(true)?);
    command.arg("--socket").arg(socket).stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
    command.spawn().map(Some).context("start everclat-tray")
}

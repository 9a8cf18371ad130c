use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::time::Duration;

use anyhow::{Context, Result};
use e2e::until;

use crate::Desktop;

/// A running app.
#[derive(Debug)]
pub struct App {
    child: Child,
}

impl App {
    /// The program: `EVERCLAT_TRAY`, or the release binary.
    #[must_use]
    pub fn program() -> PathBuf {
        std::env::var_os("EVERCLAT_TRAY").map_or_else(|| e2e::binary("everclat-tray"), PathBuf::from)
    }

    /// Starts it on `desktop` for the service at `socket`.
    ///
    /// # Errors
    /// When it cannot be started.
    pub fn start(desktop: &Desktop, socket: &Path, arguments: &[&str]) -> Result<Self> {
        let mut command: Command = desktop.command(Self::program());
        command.arg("--socket").arg(socket).args(arguments).stdin(Stdio::null());
        let log = std::fs::OpenOptions::new().create(true).append(true).open(desktop.home().join("stderr"))?;
        let child = command.stdout(Stdio::null()).stderr(log).spawn().context("start everclat-tray")?;
        Ok(Self { child })
    }

    /// Its process id.
    #[must_use]
    pub fn pid(&self) -> u32 {
        self.child.id()
    }

    /// Waits until it has ended by itself.
    ///
    /// # Errors
    /// When it does not in `patience`.
    pub fn ended(&mut self, patience: Duration) -> Result<ExitStatus> {
        let mut status = None;
        until(patience, || {
            status = self.child.try_wait()?;
            Ok(status.is_some())
        })?;
        status.context("an exit status")
    }

    /// Whether it is still there.
    ///
    /// # Errors
    /// When the system does not tell.
    pub fn is_running(&mut self) -> Result<bool> {
        Ok(self.child.try_wait()?.is_none())
    }
}

impl Drop for App {
    fn drop(&mut self) {
        if matches!(self.child.try_wait(), Ok(None)) {
            let _ = self.child.kill();
            let _ = self.child.wait();
        }
    }
}

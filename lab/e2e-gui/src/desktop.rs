use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

use anyhow::{Context, Result};
use tempfile::TempDir;

/// The programs a desktop is made of.
pub const TOOLS: [&str; 3] = ["Xvfb", "dbus-daemon", "WebKitWebDriver"];

/// A desktop of the test's own; dropped, it is gone.
#[derive(Debug)]
pub struct Desktop {
    display: String,
    bus: String,
    home: TempDir,
    processes: Vec<Child>,
}

impl Desktop {
    /// Starts display and bus.
    ///
    /// # Errors
    /// When one of them cannot be started.
    pub fn start() -> Result<Self> {
        let home = tempfile::tempdir()?;
        let mut desktop = Self { display: String::new(), bus: String::new(), home, processes: Vec::new() };
        // It chooses a number that is free, and says which.
        let mut display = Command::new("Xvfb");
        display.args(["-displayfd", "1", "-screen", "0", "1024x768x24", "-wr", "-nolisten", "tcp"]);
        desktop.display = format!(":{}", desktop.first_line(&mut display)?);
        let mut bus = Command::new("dbus-daemon");
        bus.args(["--session", "--nofork", "--nopidfile", "--print-address=1"]);
        desktop.bus = desktop.first_line(&mut bus)?;
        Ok(desktop)
    }

    /// Starts a program that says in its first line where it is.
    fn first_line(&mut self, command: &mut Command) -> Result<String> {
        let program = command.get_program().to_owned();
        let command = self.at_home(command);
        let mut child = command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::null()).spawn()?;
        let said = child.stdout.take().context("its output")?;
        self.processes.push(child);
        let mut line = String::new();
        BufReader::new(said).read_line(&mut line)?;
        let line = line.trim().to_owned();
        anyhow::ensure!(!line.is_empty(), "{} did not start", program.display());
        Ok(line)
    }

    /// A program on this desktop.
    #[must_use]
    pub fn command(&self, program: impl AsRef<std::ffi::OsStr>) -> Command {
        let mut command = Command::new(program);
        self.at_home(&mut command).env("DISPLAY", &self.display).env("DBUS_SESSION_BUS_ADDRESS", &self.bus);
        command
    }

    /// The same for a program that stays until the desktop is gone.
    ///
    /// # Errors
    /// When it cannot be started.
    pub fn keep(&mut self, command: &mut Command) -> Result<()> {
        let program = command.get_program().to_owned();
        let command = command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
        self.processes.push(command.spawn().with_context(|| format!("start {}", program.display()))?);
        Ok(())
    }

    fn at_home<'a>(&self, command: &'a mut Command) -> &'a mut Command {
        let home = self.home.path();
        let ours = ["XDG_CONFIG_HOME", "XDG_STATE_HOME", "XDG_DATA_HOME", "XDG_CACHE_HOME", "XDG_CONFIG_DIRS"];
        for variable in ours.into_iter().chain(["WAYLAND_DISPLAY", "EVERCLAT_SOCKET", "XDG_CURRENT_DESKTOP"]) {
            command.env_remove(variable);
        }
        command.env("HOME", home).env("XDG_RUNTIME_DIR", home).env("LANG", "C.UTF-8").env("LC_ALL", "C.UTF-8");
        // The bus for screen readers would start programs that nobody ends.
        command.env("NO_AT_BRIDGE", "1").env("GTK_A11Y", "none")
    }

    /// The name of the display.
    #[must_use]
    pub fn display(&self) -> &str {
        &self.display
    }

    /// The address of the session's bus.
    #[must_use]
    pub fn bus(&self) -> &str {
        &self.bus
    }

    /// The home directory.
    #[must_use]
    pub fn home(&self) -> &Path {
        self.home.path()
    }

    /// Where the app keeps the user's preferences.
    #[must_use]
    pub fn preferences(&self) -> PathBuf {
        self.home().join(".config/everclat/preferences.json")
    }

    /// What the app has logged.
    #[must_use]
    pub fn log(&self) -> String {
        std::fs::read_to_string(self.home().join(".local/state/everclat/everclat-tray.log")).unwrap_or_default()
    }
}

impl Drop for Desktop {
    fn drop(&mut self) {
        // The display last: who still draws on it would complain.
        for mut process in std::mem::take(&mut self.processes).into_iter().rev() {
            let _ = process.kill();
            let _ = process.wait();
        }
    }
}

/// Which of [`TOOLS`] are missing.
pub(crate) fn missing() -> Vec<&'static str> {
    let path = std::env::var_os("PATH").unwrap_or_default();
    let there = |tool: &str| std::env::split_paths(&path).any(|directory| directory.join(tool).is_file());
    TOOLS.into_iter().filter(|tool| !there(tool)).collect()
}

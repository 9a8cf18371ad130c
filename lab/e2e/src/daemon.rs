//! A running `everclatd`, and the command-line tool against it.

use std::path::PathBuf;
use std::process::{Child, Command, ExitStatus, Output};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail, ensure};
use model::Status;
use rustix::process::{Pid, Signal, kill_process};

use crate::{PATIENCE, binary, until};

/// A running `everclatd`.
#[derive(Debug)]
pub struct Daemon {
    pub(crate) child: Child,
    pub(crate) socket: PathBuf,
    pub(crate) log: PathBuf,
    /// When it was started.
    pub started: Instant,
}

impl Daemon {
    /// Its process id.
    #[must_use]
    pub fn pid(&self) -> u32 {
        self.child.id()
    }

    /// How it has ended, if it has.
    ///
    /// # Errors
    /// When the system does not tell.
    pub fn ended(&mut self) -> Result<Option<ExitStatus>> {
        Ok(self.child.try_wait()?)
    }

    /// Where it listens.
    #[must_use]
    pub fn socket(&self) -> &std::path::Path {
        &self.socket
    }

    /// Lets users reach the socket: its directory is the test's own, where nobody else may look.
    ///
    /// # Errors
    /// When the rights cannot be set.
    pub fn open_to_users(&self) -> Result<()> {
        let directory = self.socket.parent().context("a directory")?;
        Ok(std::fs::set_permissions(directory, std::os::unix::fs::PermissionsExt::from_mode(0o755))?)
    }

    /// What it has logged.
    #[must_use]
    pub fn log(&self) -> String {
        std::fs::read_to_string(&self.log).unwrap_or_default()
    }

    /// Runs the command-line tool against it.
    ///
    /// # Errors
    /// When it cannot be run.
    pub fn cli(&self, arguments: &[&str]) -> Result<Output> {
        Ok(Command::new(binary("everclat")).env("EVERCLAT_SOCKET", &self.socket).args(arguments).output()?)
    }

    /// The tool as a user who is no administrator would call it.
    #[must_use]
    pub fn command_of_user(&self, arguments: &[&str]) -> Command {
        let mut command = Command::new("setpriv");
        command.args(["--reuid", "65534", "--regid", "65534", "--clear-groups"]).arg(binary("everclat"));
        command.env("EVERCLAT_SOCKET", &self.socket).args(arguments);
        command
    }

    /// Runs that to its end.
    ///
    /// # Errors
    /// When it cannot be run.
    pub fn cli_of_user(&self, arguments: &[&str]) -> Result<Output> {
        Ok(self.command_of_user(arguments).output()?)
    }

    /// The status, by `everclat status --json`.
    ///
    /// # Errors
    /// When it does not answer or says something else.
    pub fn status(&self) -> Result<Status> {
        let output = self.cli(&["status", "--json"])?;
        ensure!(output.status.success(), "status: {}", String::from_utf8_lossy(&output.stderr));
        Ok(serde_json::from_slice(&output.stdout)?)
    }

    /// Waits until it is armed, by `everclat wait --for ready`.
    ///
    /// # Errors
    /// When that takes longer than [`PATIENCE`]; the error holds the log.
    pub fn ready(&self) -> Result<()> {
        let output = self.cli(&["wait", "--for", "ready", "--timeout", "10s"])?;
        ensure!(output.status.success(), "{}\nlog:\n{}", String::from_utf8_lossy(&output.stderr), self.log());
        Ok(())
    }

    /// Waits until the status satisfies `condition` and gives it.
    ///
    /// # Errors
    /// When that takes longer than [`PATIENCE`]; the error holds the last status and the log.
    pub fn reaches(&self, what: &str, condition: impl Fn(&Status) -> bool) -> Result<Status> {
        let mut last = None;
        let reached = until(PATIENCE, || {
            // It may not listen yet.
            let Ok(status) = self.status() else { return Ok(false) };
            let there = condition(&status);
            last = Some(status);
            Ok(there)
        });
        match (reached, last) {
            (Ok(_), Some(status)) => Ok(status),
            (_, last) => bail!("never {what}: {last:#?}\nlog:\n{}", self.log()),
        }
    }

    /// SIGHUP: it reads its configuration again.
    ///
    /// # Errors
    /// When there is no such process.
    pub fn hang_up(&self) -> Result<()> {
        self.signal(Signal::HUP)
    }

    /// SIGTERM, and nothing more.
    ///
    /// # Errors
    /// When there is no such process.
    pub fn terminate(&self) -> Result<()> {
        self.signal(Signal::TERM)
    }

    /// SIGSTOP: it neither hears nor does anything until [`wake`](Self::wake), as in a host that sleeps.
    ///
    /// # Errors
    /// When there is no such process.
    pub fn sleep(&self) -> Result<()> {
        self.signal(Signal::STOP)
    }

    /// SIGCONT; says when.
    ///
    /// # Errors
    /// When there is no such process.
    pub fn wake(&self) -> Result<Instant> {
        self.signal(Signal::CONT)?;
        Ok(Instant::now())
    }

    /// SIGTERM; it must exit with 0 within a few seconds.
    ///
    /// # Errors
    /// When it does not.
    pub fn stop(mut self) -> Result<()> {
        self.signal(Signal::TERM)?;
        let mut code = None;
        until(Duration::from_secs(5), || {
            code = self.child.try_wait()?;
            Ok(code.is_some())
        })?;
        ensure!(code.is_some_and(|code| code.success()), "exit {code:?}\nlog:\n{}", self.log());
        Ok(())
    }

    /// `kill -9`; says when. It takes a while until the kernel has put everything away, which is waited for.
    ///
    /// # Errors
    /// When there is no such process.
    pub fn kill(mut self) -> Result<Instant> {
        self.signal(Signal::KILL)?;
        let when = Instant::now();
        self.child.wait()?;
        Ok(when)
    }

    fn signal(&self, signal: Signal) -> Result<()> {
        let pid = i32::try_from(self.child.id()).ok().and_then(Pid::from_raw).context("a process id")?;
        Ok(kill_process(pid, signal)?)
    }
}

impl Drop for Daemon {
    fn drop(&mut self) {
        // A test that failed must not leave it behind; one that passed has waited for it.
        if matches!(self.child.try_wait(), Ok(None)) {
            let _ = self.child.kill();
            let _ = self.child.wait();
        }
    }
}

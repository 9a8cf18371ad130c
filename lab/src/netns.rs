//! One network namespace, and ways to do something inside.

use std::io::Write;
use std::path::PathBuf;
use std::process::{Command, Output, Stdio};

use anyhow::{Context, anyhow};

use crate::error::Result;
use crate::{sys, tools};

const RUN_NETNS: &str = "/run/netns";

/// A network namespace by its name under `/run/netns`.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Netns {
    name: String,
}

impl Netns {
    /// The namespace `name`, which may or may not exist.
    #[must_use]
    pub fn named(name: impl Into<String>) -> Self {
        Self { name: name.into() }
    }

    /// Its name, as `ip netns list` shows it.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.name
    }

    /// The file that holds it.
    #[must_use]
    pub fn path(&self) -> PathBuf {
        PathBuf::from(RUN_NETNS).join(&self.name)
    }

    /// Whether it is there.
    #[must_use]
    pub fn exists(&self) -> bool {
        self.path().exists()
    }

    /// A command that runs inside, by `ip netns exec`; the child's process id is that of the program itself.
    #[must_use]
    pub fn command(&self, program: impl AsRef<std::ffi::OsStr>) -> Command {
        let mut command = tools::ip();
        command.args(["netns", "exec", &self.name]).arg(program);
        command
    }

    /// Runs a program inside and gives its standard output.
    ///
    /// # Errors
    /// When it cannot be started or fails; its error output is part of the message.
    pub fn run(&self, command: &[&str]) -> Result<String> {
        let (program, args) = command.split_first().context("an empty command")?;
        output(self.command(program).args(args))
    }

    /// `ip` with these arguments, inside.
    ///
    /// # Errors
    /// As [`Netns::run`].
    pub fn ip(&self, args: &[&str]) -> Result<String> {
        output(tools::ip().args(["-n", &self.name]).args(args))
    }

    /// Calls `work` on a thread inside and gives what it returns. Sockets opened there stay there.
    /// The mount namespace does not change: `/etc/resolv.conf` is that of the machine.
    ///
    /// # Errors
    /// When the namespace is gone or cannot be entered.
    pub fn enter<T: Send>(&self, work: impl FnOnce() -> T + Send) -> Result<T> {
        let result = sys::in_namespace(&self.path(), work);
        Ok(result.with_context(|| format!("entering the namespace {}", self.name))?)
    }

    /// Reads `/proc/sys/net/<key>` inside.
    ///
    /// # Errors
    /// When there is no such key.
    pub fn sysctl(&self, key: &str) -> Result<String> {
        let text = self.enter(|| std::fs::read_to_string(sysctl_path(key)))?;
        Ok(text.with_context(|| format!("reading the sysctl {key}"))?.trim_end().to_owned())
    }

    /// Writes to `/proc/sys/net` inside.
    ///
    /// # Errors
    /// When a key does not exist or refuses the value.
    pub fn set_sysctls(&self, pairs: &[(&str, &str)]) -> Result<()> {
        self.enter(|| {
            for (key, value) in pairs {
                std::fs::write(sysctl_path(key), value).with_context(|| format!("setting the sysctl {key}"))?;
            }
            Ok::<_, anyhow::Error>(())
        })??;
        Ok(())
    }

    /// Runs many `ip` commands in one process; the first failure ends it.
    pub(crate) fn ip_batch(&self, lines: &[String]) -> Result<()> {
        ip_batch(&["-n", &self.name], lines)
    }
}

fn sysctl_path(key: &str) -> PathBuf {
    PathBuf::from("/proc/sys/net").join(key)
}

/// `ip <options> -batch -` with these lines.
pub(crate) fn ip_batch(options: &[&str], lines: &[String]) -> Result<()> {
    if lines.is_empty() {
        return Ok(());
    }
    let mut command = tools::ip();
    command.args(options).args(["-batch", "-"]);
    let script = lines.join("\n") + "\n";
    with_input(&mut command, &script).with_context(|| script.clone())?;
    Ok(())
}

/// Runs `command` with `input` on its standard input.
pub(crate) fn with_input(command: &mut Command, input: &str) -> Result<String> {
    command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut child = command.spawn().with_context(|| describe(command))?;
    if let Some(mut stdin) = child.stdin.take() {
        // A program that fails early closes its input; its exit status says why.
        drop(stdin.write_all(input.as_bytes()));
    }
    let result = child.wait_with_output().with_context(|| describe(command))?;
    checked(command, &result)
}

/// Runs `command` to its end and gives its standard output.
pub(crate) fn output(command: &mut Command) -> Result<String> {
    let result = command.stdin(Stdio::null()).output().with_context(|| describe(command))?;
    checked(command, &result)
}

fn checked(command: &Command, result: &Output) -> Result<String> {
    if result.status.success() {
        return Ok(String::from_utf8_lossy(&result.stdout).into_owned());
    }
    let error = String::from_utf8_lossy(&result.stderr);
    Err(anyhow!("{}: {}: {}", describe(command), result.status, error.trim()).into())
}

fn describe(command: &Command) -> String {
    let words: Vec<_> = command.get_args().map(std::ffi::OsStr::to_string_lossy).collect();
    format!("{} {}", command.get_program().to_string_lossy(), words.join(" "))
}

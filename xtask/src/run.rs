//! Runs programs.

use std::ffi::OsStr;
use std::io::{BufRead, BufReader};
use std::path::PathBuf;
use std::process::{Command, Stdio};

use anyhow::{Context, Result, ensure};

/// The top of the repository.
pub(crate) fn top() -> PathBuf {
    let own = PathBuf::from(env!("CARGO_MANIFEST_DIR"));
    own.parent().map_or_else(|| own.clone(), PathBuf::from)
}

/// A cargo command in the repository, with the cargo that runs us.
pub(crate) fn cargo(arguments: &[&str]) -> Command {
    let mut command = Command::new(std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into()));
    command.current_dir(top()).args(arguments);
    // What cargo has told this program about itself would be news to build scripts that look at it (ring's does), and what
    // depends on them would be built anew whenever a developer types `cargo build` and `cargo xtask demo` in turns.
    let about_us = |name: &OsStr| ABOUT_A_PACKAGE.iter().any(|start| name.to_string_lossy().starts_with(start));
    for (name, _) in std::env::vars_os().filter(|(name, _)| about_us(name)) {
        command.env_remove(name);
    }
    command
}

/// How names of variables begin by which cargo tells a program what package it is of.
const ABOUT_A_PACKAGE: [&str; 2] = ["CARGO_PKG_", "CARGO_MANIFEST_"];

/// Where cargo puts what it builds.
pub(crate) fn target_directory() -> PathBuf {
    std::env::var_os("CARGO_TARGET_DIR").map_or_else(|| top().join("target"), PathBuf::from)
}

/// A release binary of ours.
pub(crate) fn binary(name: &str) -> PathBuf {
    target_directory().join("release").join(name)
}

/// Builds the service and the command-line tool for release.
pub(crate) fn build() -> Result<()> {
    succeed(&mut cargo(&["build", "--release", "--locked", "-p", "everclat-service", "-p", "everclat-cli"]))
}

/// Runs to the end; anything but success is an error.
pub(crate) fn succeed(command: &mut Command) -> Result<()> {
    let status = command.status().with_context(|| format!("run {}", describe(command)))?;
    ensure!(status.success(), "{} ended with {status}", describe(command));
    Ok(())
}

/// Runs to the end, shows what it says as it says it, and gives it back with whether it succeeded.
pub(crate) fn tee(command: &mut Command) -> Result<(String, bool)> {
    let mut child = command.stdout(Stdio::piped()).spawn().with_context(|| format!("run {}", describe(command)))?;
    let mut said = String::new();
    for line in BufReader::new(child.stdout.take().context("its output")?).lines() {
        let line = line?;
        println!("{line}");
        said.push_str(&line);
        said.push('\n');
    }
    Ok((said, child.wait()?.success()))
}

/// Whether a program can be found.
pub(crate) fn exists(program: &str) -> bool {
    let path = std::env::var_os("PATH").unwrap_or_default();
    // Administrators' tools are not on everybody's path.
    let more = ["/usr/sbin", "/sbin"].map(PathBuf::from);
    std::env::split_paths(&path).chain(more).any(|directory| directory.join(program).is_file())
}

/// The command as a person would type it.
pub(crate) fn describe(command: &Command) -> String {
    let words = std::iter::once(command.get_program()).chain(command.get_args());
    let own = binary("");
    let own = own.to_string_lossy();
    // Without the long way to our own binaries.
    words.map(|word| OsStr::to_string_lossy(word).replace(&*own, "")).collect::<Vec<_>>().join(" ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_inner_cargo_is_not_told_which_package_the_outer_one_runs() {
        // As cargo has told this test.
        assert_eq!(std::env::var("CARGO_PKG_NAME").unwrap(), "xtask");
        let command = cargo(&["build"]);
        let removed: Vec<_> = command.get_envs().filter(|(_, value)| value.is_none()).map(|(name, _)| name).collect();
        for name in ["CARGO_PKG_NAME", "CARGO_PKG_VERSION_PRE", "CARGO_MANIFEST_DIR"] {
            assert!(removed.contains(&OsStr::new(name)), "{name} is inherited");
        }
        assert!(!removed.contains(&OsStr::new("CARGO_TARGET_DIR")) && !removed.contains(&OsStr::new("CARGO_HOME")));
    }
}

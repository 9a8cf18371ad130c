//! `cargo xtask test`.

use std::process::{Command, ExitCode};
use std::time::Instant;

use anyhow::{Result, ensure};
use clap::Args;

use crate::figures;
use crate::install::{self, BARE, TARGETS};
use crate::instructions;
use crate::run::{build, cargo, exists, succeed, tee};
use crate::{tray, ui};

/// How much to test.
#[derive(Args, Debug)]
pub(crate) struct Options {
    /// Also the long repetitions whose figures stand in docs/measurements.md and docs/reliability.md
    #[arg(long)]
    full: bool,

    /// Only the steps whose name contains this
    #[arg(long, value_name = "PART")]
    only: Option<String>,
}

/// Packages that are Linux's own, or tools for developing on it.
const LINUX_ONLY: [&str; 5] =
    ["everclat-platform-linux", "everclat-fuzzing", "everclat-e2e", "everclat-bench", "xtask"];

/// What needs WebKit and the page, and has a step of its own.
pub(crate) const WINDOW: [&str; 2] = ["everclat-tray", "everclat-e2e-gui"];

/// What came of a step.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Tally {
    pub(crate) passed: u64,
    pub(crate) failed: u64,
    pub(crate) skipped: u64,
}

impl std::ops::Add for Tally {
    type Output = Self;

    fn add(self, other: Self) -> Self {
        Self {
            passed: self.passed + other.passed,
            failed: self.failed + other.failed,
            skipped: self.skipped + other.skipped,
        }
    }
}

type Step = (&'static str, fn(&Options) -> Result<Tally>);

const STEPS: [Step; 12] = [
    ("tools", |_| install::tools().map(|()| once())),
    ("format", |_| check(&mut cargo(&["fmt", "--all", "--check"]))),
    ("lint", |_| check(workspace(&["clippy", "--all-targets"]).args(["--", "-D", "warnings"]))),
    ("lint for other systems", |_| lint_elsewhere()),
    ("docs", |_| check(workspace(&["doc", "--no-deps"]).env("RUSTDOCFLAGS", "-D warnings"))),
    ("licences", licences),
    ("unit", unit),
    ("instructions", |_| instructions::test()),
    ("page", |_| ui::test()),
    ("build", |_| build().map(|()| once())),
    ("end to end", end_to_end),
    ("tray", |options| tray::test(options.full)),
];

/// Runs the steps; a failed one does not keep the others from running.
pub(crate) fn run(options: &Options) -> Result<ExitCode> {
    let mut sum = Tally::default();
    let mut broken = Vec::new();
    for (name, step) in STEPS {
        if options.only.as_ref().is_some_and(|part| !name.contains(part.as_str())) {
            continue;
        }
        println!("\n== {name}");
        let begin = Instant::now();
        let tally = step(options).unwrap_or_else(|error| {
            eprintln!("{error:#}");
            Tally { failed: 1, ..Tally::default() }
        });
        if tally.failed > 0 {
            broken.push(name);
        }
        println!("== {name}: {}, {:.0} s", describe(&tally), begin.elapsed().as_secs_f64());
        sum = sum + tally;
    }
    ensure!(sum != Tally::default(), "no step has such a name");
    if !broken.is_empty() {
        println!("\nfailed: {}", broken.join(", "));
    }
    println!("\n{}", describe(&sum));
    Ok(if sum.failed == 0 { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

fn describe(tally: &Tally) -> String {
    let mut text = format!("{} passed, {} failed", tally.passed, tally.failed);
    if tally.skipped > 0 {
        text.push_str(&format!(", {} skipped", tally.skipped));
    }
    text
}

/// A cargo command for everything but [`WINDOW`].
fn workspace(arguments: &[&str]) -> Command {
    let mut command = cargo(arguments);
    command.args(["--workspace", "--locked"]);
    for package in WINDOW {
        command.args(["--exclude", package]);
    }
    command
}

fn once() -> Tally {
    Tally { passed: 1, ..Tally::default() }
}

pub(crate) fn check(command: &mut Command) -> Result<Tally> {
    succeed(command)?;
    Ok(once())
}

fn unit(options: &Options) -> Result<Tally> {
    let mut command = workspace(&["test", "--no-fail-fast"]);
    command.args(["--exclude", "everclat-e2e"]);
    if options.full {
        // More random events, from a seed that nobody has chosen.
        command.env("EVERCLAT_FULL", "1");
    }
    tests(&mut command)
}

/// Runs tests and adds up what their runners say.
pub(crate) fn tests(command: &mut Command) -> Result<Tally> {
    tests_said(command).map(|(tally, _)| tally)
}

/// The same, with what was said.
fn tests_said(command: &mut Command) -> Result<(Tally, String)> {
    let (said, succeeded) = tee(command)?;
    let mut tally = count(&said);
    ensure!(tally.passed + tally.failed > 0, "no test ran");
    if !succeeded && tally.failed == 0 {
        // It did not compile, or a test ended the whole process.
        tally.failed = 1;
    }
    Ok((tally, said))
}

/// Adds up lines such as `test result: ok. 5 passed; 0 failed; 1 ignored; ...`. A test that finds what it needs missing
/// says so in a line `SKIPPED: ...` and passes; it counts as skipped.
fn count(said: &str) -> Tally {
    let mut tally = Tally::default();
    for line in said.lines().filter_map(|line| line.strip_prefix("test result: ")) {
        for part in line.split([';', '.']) {
            let mut words = part.split_whitespace();
            if let (Some(Ok(number)), Some(what)) = (words.next().map(str::parse::<u64>), words.next()) {
                match what {
                    "passed" => tally.passed += number,
                    "failed" => tally.failed += number,
                    "ignored" => tally.skipped += number,
                    _ => {}
                }
            }
        }
    }
    for _ in said.lines().filter(|line| line.starts_with("SKIPPED: ")) {
        tally.passed = tally.passed.saturating_sub(1);
        tally.skipped += 1;
    }
    tally
}

/// Windows and macOS matter as much: everything that is not Linux's own has to compile and lint for them.
fn lint_elsewhere() -> Result<Tally> {
    install::targets()?;
    let mut tally = Tally::default();
    for target in TARGETS {
        let mut command = workspace(&["clippy", "--target", target]);
        for package in LINUX_ONLY {
            command.args(["--exclude", package]);
        }
        succeed(command.args(["--", "-D", "warnings"]))?;
        tally.passed += 1;
    }
    // The translator promises to need no std, and this target has none.
    succeed(&mut cargo(&["check", "--package", "everclat-xlat", "--features", "serde", "--target", BARE]))?;
    tally.passed += 1;
    Ok(tally)
}

/// Licences, sources and duplicate versions by deny.toml. Advisories need the network and are for `cargo deny check`.
fn licences(options: &Options) -> Result<Tally> {
    if !exists("cargo-deny") && !cargo_bin_has("cargo-deny") {
        if !options.full {
            println!("SKIPPED: cargo-deny is not installed; `cargo xtask test --full` installs it (a few minutes)");
            return Ok(Tally { skipped: 1, ..Tally::default() });
        }
        succeed(&mut cargo(&["install", "--locked", "cargo-deny", "--version", "^0.20"]))?;
    }
    check(&mut cargo(&["deny", "--offline", "check", "licenses", "bans", "sources"]))
}

fn cargo_bin_has(program: &str) -> bool {
    std::env::home_dir().is_some_and(|home| home.join(".cargo/bin").join(program).is_file())
}

/// The real binaries in namespaces.
fn end_to_end(options: &Options) -> Result<Tally> {
    if !install::is_root() {
        println!("SKIPPED: network namespaces need root; type: sudo -E cargo xtask test --only 'end to end'");
        return Ok(Tally { skipped: 1, ..Tally::default() });
    }
    let (tally, said) = tests_said(&mut end_to_end_tests(&["--no-fail-fast"], options.full))?;
    if options.full {
        figures::refresh(&said)?;
    }
    Ok(tally)
}

/// The command for end-to-end tests; more options of the test runner may follow.
pub(crate) fn end_to_end_tests(which: &[&str], full: bool) -> Command {
    let mut command = cargo(&["test", "-p", "everclat-e2e", "--locked"]);
    // One lab at a time: two cores shared by two labs would measure each other.
    command.args(which).args(["--", "--test-threads=1", "--show-output"]).env("RUST_BACKTRACE", "0");
    if full {
        command.env("EVERCLAT_FULL", "1");
    }
    if let Some(directory) = crate::run::binary("everclatd").parent() {
        command.env("EVERCLAT_BIN_DIR", directory);
    }
    command
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn results_of_several_runners_add_up() {
        let said = "running 3 tests\ntest result: ok. 3 passed; 0 failed; 0 ignored; 0 measured; finished in 0.1s\n\
                    noise 7 failed\ntest result: FAILED. 1 passed; 2 failed; 4 ignored; 0 measured\n";
        assert_eq!(count(said), Tally { passed: 4, failed: 2, skipped: 4 });
        assert_eq!(describe(&count(said)), "4 passed, 2 failed, 4 skipped");
        assert_eq!(count("error: could not compile"), Tally::default());
        let said = "SKIPPED: no such kernel module\ntest result: ok. 2 passed; 0 failed; 0 ignored\n";
        assert_eq!(count(said), Tally { passed: 1, failed: 0, skipped: 1 });
    }
}

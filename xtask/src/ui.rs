//! The status window's page: its types, its checks, and what a browser makes of it.

use std::process::Command;

use anyhow::{Result, ensure};

use crate::install;
use crate::run::{cargo, exists, succeed, tee, top};
use crate::test::{Tally, tests};

/// Everything about `ui/`. Needs Node.js; what is seen needs Chromium, too.
pub(crate) fn test() -> Result<Tally> {
    let types = tests(&mut cargo(&[
        "test",
        "-p",
        "everclat-model",
        "-p",
        "everclat-ipc",
        "--features",
        "everclat-model/ts,everclat-ipc/ts",
        "--test",
        "typescript",
        "--locked",
    ]))?;
    if !exists("npm") {
        println!("SKIPPED: npm is not here; the window's page was neither built nor tested (Node.js 20.19 or newer)");
        return Ok(types + Tally { skipped: 1, ..Tally::default() });
    }
    if let Err(error) = install::browser() {
        println!("{error:#}");
    }
    succeed(&mut npm(&["ci", "--no-fund", "--no-audit"]))?;
    Ok(types + vitest("check")? + vitest("e2e")?)
}

/// Builds the page into `ui/dist`, if that has not been done.
pub(crate) fn build() -> Result<()> {
    if top().join("ui/dist/index.html").is_file() {
        return Ok(());
    }
    ensure!(exists("npm"), "npm is not here (Node.js 20.19 or newer)");
    succeed(&mut npm(&["ci", "--no-fund", "--no-audit"]))?;
    succeed(&mut npm(&["run", "build"]))
}

fn npm(arguments: &[&str]) -> Command {
    let mut command = Command::new("npm");
    command.current_dir(top().join("ui")).args(arguments).env("NO_COLOR", "1");
    command
}

/// Runs a script of package.json that ends with Vitest, and reads what that says.
fn vitest(script: &str) -> Result<Tally> {
    let (said, succeeded) = tee(&mut npm(&["run", script]))?;
    let mut tally = count(&said);
    ensure!(!succeeded || tally != Tally::default(), "no test ran");
    if !succeeded && tally.failed == 0 {
        // Types, lint or the build.
        tally.failed = 1;
    }
    Ok(tally)
}

/// Reads a line such as `Tests  1 failed | 88 passed | 3 skipped (92)`.
fn count(said: &str) -> Tally {
    let mut tally = Tally::default();
    let lines = said.lines().filter_map(|line| line.trim_start().strip_prefix("Tests "));
    for part in lines.flat_map(|line| line.split('|')) {
        let mut words = part.split_whitespace();
        if let (Some(Ok(number)), Some(what)) = (words.next().map(str::parse::<u64>), words.next()) {
            match what {
                "passed" => tally.passed += number,
                "failed" => tally.failed += number,
                "skipped" => tally.skipped += number,
                _ => {}
            }
        }
    }
    tally
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_vitest_says() {
        let said = " Test Files  1 failed | 3 passed (4)\n      Tests  7 failed | 82 passed | 3 skipped (92)\n   Duration  3s\n";
        assert_eq!(count(said), Tally { passed: 82, failed: 7, skipped: 3 });
        assert_eq!(count("      Tests  90 passed (90)\n"), Tally { passed: 90, ..Tally::default() });
        assert_eq!(count("nothing\n"), Tally::default());
    }
}

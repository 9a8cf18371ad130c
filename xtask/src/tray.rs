//! The tray app: built, linted and tested, with a real window on a display without a screen.

use std::path::PathBuf;
use std::process::Command;

use anyhow::Result;

use crate::install::{self, TARGETS};
use crate::run::{build, cargo, exists, succeed, target_directory, top};
use crate::test::{Tally, WINDOW, check, tests};

/// Everything about `src-tauri/`; the page has to be built. With `full`, the release binary is what is measured.
pub(crate) fn test(full: bool) -> Result<Tally> {
    if let Err(error) = install::window() {
        println!("{error:#}");
    }
    if let Some(why) = missing() {
        println!("SKIPPED: {why}; the tray app was neither built nor tested");
        return Ok(Tally { skipped: 1, ..Tally::default() });
    }
    let lint = check(
        with_window(&["clippy", "--all-targets", "--features", "everclat-tray/ts", "--locked"])
            .args(["--", "-D", "warnings"]),
    )?;
    let unit = tests(&mut cargo(&["test", "-p", "everclat-tray", "--features", "ts", "--locked", "--no-fail-fast"]))?;
    Ok(lint + unit + elsewhere()? + end_to_end(full)?)
}

/// What keeps the app from being built.
pub(crate) fn missing() -> Option<&'static str> {
    if !install::has_webkit() {
        return Some("WebKitGTK's headers (webkit2gtk-4.1) are not here");
    }
    let page = top().join("ui/dist/index.html");
    (!page.is_file()).then_some("the page is not built (in ui/: npm ci && npm run build)")
}

fn with_window(arguments: &[&str]) -> Command {
    let mut command = cargo(arguments);
    for package in WINDOW {
        command.args(["-p", package]);
    }
    command
}

/// Some of what a window brings along is in C, and needs a compiler for the other system.
fn elsewhere() -> Result<Tally> {
    install::targets()?;
    if let Err(error) = install::elsewhere() {
        println!("{error:#}");
    }
    let mut tally = Tally::default();
    for (target, compiler) in TARGETS.into_iter().zip(["x86_64-w64-mingw32-gcc", "clang"]) {
        if !exists(compiler) {
            println!("SKIPPED: {compiler} is not here; the tray app was not linted for {target}");
            tally.skipped += 1;
            continue;
        }
        let mut command = cargo(&["clippy", "-p", "everclat-tray", "--locked", "--target", target]);
        command.env("CC_aarch64_apple_darwin", "clang").args(["--", "-D", "warnings"]);
        tally = tally + check(&mut command)?;
    }
    Ok(tally)
}

fn end_to_end(full: bool) -> Result<Tally> {
    if !install::is_root() {
        println!("SKIPPED: the lab behind the window needs root; type: sudo -E cargo xtask test --only tray");
        return Ok(Tally { skipped: 1, ..Tally::default() });
    }
    build()?;
    let mut command = cargo(&["test", "-p", "everclat-e2e-gui", "--locked", "--no-fail-fast"]);
    command.args(["--", "--test-threads=1", "--show-output"]).env("RUST_BACKTRACE", "0");
    command.env("EVERCLAT_BIN_DIR", target_directory().join("release")).env("EVERCLAT_TRAY", program(full)?);
    if full {
        command.env("EVERCLAT_FULL", "1");
    }
    tests(&mut command)
}

/// Builds the app; says where it is.
pub(crate) fn program(release: bool) -> Result<PathBuf> {
    let profile: &[&str] = if release { &["--release"] } else { &[] };
    succeed(cargo(&["build", "--locked", "-p", "everclat-tray"]).args(profile))?;
    Ok(target_directory().join(if release { "release" } else { "debug" }).join("everclat-tray"))
}

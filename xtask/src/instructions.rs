//! `cargo xtask instructions`: how many instructions a translation takes, against a committed baseline.
//!
//! Time depends on what else a machine does; the count of instructions does not, so a change that makes the translator slower
//! by accident fails on any machine.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::process::{Command, ExitCode};

use anyhow::{Context, Result, bail, ensure};

use crate::run::{cargo, describe, exists, target_directory, top};
use crate::test::Tally;

const BASELINE: &str = "crates/xlat/benches/instructions.txt";

/// More than this many percent above the baseline is a regression. Processors differ in which `memcpy` they take.
const TOLERANCE: f64 = 3.0;

/// Instructions per packet, by kind.
type Counts = BTreeMap<String, f64>;

/// Counts, and writes the baseline anew or compares.
pub(crate) fn run(renew: bool) -> Result<ExitCode> {
    let counts = count()?;
    if renew {
        std::fs::write(top().join(BASELINE), written(&counts))?;
        println!("{BASELINE} is renewed");
        return Ok(ExitCode::SUCCESS);
    }
    let tally = judge(&counts)?;
    Ok(if tally.failed == 0 { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

/// The step of `cargo xtask test`.
pub(crate) fn test() -> Result<Tally> {
    if !exists("valgrind") {
        println!("SKIPPED: valgrind is not installed");
        return Ok(Tally { skipped: 1, ..Tally::default() });
    }
    judge(&count()?)
}

fn judge(counts: &Counts) -> Result<Tally> {
    let baseline = std::fs::read_to_string(top().join(BASELINE)).with_context(|| format!("reading {BASELINE}"))?;
    let worse = compare(&read(&baseline)?, counts);
    for line in &worse {
        eprintln!("{line}");
    }
    if !worse.is_empty() {
        eprintln!("If that is meant to be: cargo xtask instructions --renew");
    }
    println!("instructions: {} kinds, {} above the baseline", counts.len(), worse.len());
    let failed = u64::try_from(worse.len())?;
    Ok(Tally { passed: u64::try_from(counts.len())?.saturating_sub(failed), failed, skipped: 0 })
}

/// What is worse than it was, or was not there before, or is no longer there.
fn compare(before: &Counts, now: &Counts) -> Vec<String> {
    let mut worse = Vec::new();
    for (kind, count) in now {
        match before.get(kind) {
            Some(old) if *count > old * (1.0 + TOLERANCE / 100.0) => {
                worse.push(format!("{kind}: {count:.1} instructions, {old:.1} before"));
            }
            Some(_) => {}
            None => worse.push(format!("{kind}: not in {BASELINE}")),
        }
    }
    worse
        .extend(before.keys().filter(|kind| !now.contains_key(*kind)).map(|kind| format!("{kind}: no longer counted")));
    worse
}

fn written(counts: &Counts) -> String {
    let lines = counts.iter().map(|(kind, count)| format!("{count:.1}\t{kind}\n"));
    ["# Instructions per packet: cargo xtask instructions --renew\n".to_owned()].into_iter().chain(lines).collect()
}

fn read(text: &str) -> Result<Counts> {
    let lines = text.lines().filter(|line| !line.starts_with('#'));
    let line = |line: &str| -> Result<(String, f64)> {
        let (count, kind) = line.split_once('\t').with_context(|| format!("{BASELINE}: {line:?}"))?;
        Ok((kind.to_owned(), count.parse().with_context(|| format!("{BASELINE}: {line:?}"))?))
    };
    lines.map(line).collect()
}

fn count() -> Result<Counts> {
    let program = built()?;
    let directory = target_directory().join("callgrind");
    // Dumps are numbered; those of a former run would be read as this one's.
    if directory.exists() {
        std::fs::remove_dir_all(&directory)?;
    }
    std::fs::create_dir_all(&directory)?;
    let out = directory.join("out");
    let mut command = Command::new("valgrind");
    // Of two options for one function callgrind 3.19 takes the last only, so there are two functions.
    command.args(["--tool=callgrind", "--quiet", "--toggle-collect=*counted*", "--dump-after=*measured*"]);
    command.arg(format!("--callgrind-out-file={}", out.display())).arg(program);
    let output = command.output().with_context(|| format!("run {}", describe(&command)))?;
    ensure!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let said = String::from_utf8_lossy(&output.stdout);
    let (first, kinds) = said.split_once('\n').context("nothing was said")?;
    let packets: f64 = first.trim_end_matches(" packets").parse().context("how many packets")?;
    let mut counts = Counts::new();
    for (number, kind) in (1_u32..).zip(kinds.lines()) {
        let total = total(&PathBuf::from(format!("{}.{number}", out.display())))?;
        counts.insert(kind.to_owned(), total / packets);
    }
    ensure!(!counts.is_empty(), "nothing was counted");
    Ok(counts)
}

/// Instructions in one dump.
fn total(dump: &Path) -> Result<f64> {
    let text = std::fs::read_to_string(dump).with_context(|| format!("reading {}", dump.display()))?;
    let number = text
        .lines()
        .find_map(|line| line.strip_prefix("totals:"))
        .with_context(|| format!("{} has no total", dump.display()))?
        .trim();
    Ok(number.parse()?)
}

/// The program to be counted.
fn built() -> Result<PathBuf> {
    let mut command = cargo(&["bench", "-p", "everclat-xlat", "--bench", "instructions", "--locked", "--no-run"]);
    let output = command.arg("--message-format=json").stderr(std::process::Stdio::inherit()).output()?;
    ensure!(output.status.success(), "{} failed", describe(&command));
    for line in String::from_utf8_lossy(&output.stdout).lines() {
        let message: serde_json::Value = serde_json::from_str(line)?;
        if let (Some("instructions"), Some(path)) = (message["target"]["name"].as_str(), message["executable"].as_str())
        {
            return Ok(path.into());
        }
    }
    bail!("cargo did not say what it built")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn counts(pairs: &[(&str, f64)]) -> Counts {
        pairs.iter().map(|(kind, count)| ((*kind).to_owned(), *count)).collect()
    }

    #[test]
    fn more_instructions_new_kinds_and_lost_kinds_are_told() {
        let before = counts(&[("a", 100.0), ("b", 100.0), ("c", 100.0), ("lost", 1.0)]);
        let now = counts(&[("a", 102.9), ("b", 103.1), ("c", 50.0), ("new", 1.0)]);
        let worse = compare(&before, &now);
        assert_eq!(worse.len(), 3);
        assert!(
            worse[0].starts_with("b: 103.1") && worse[1].starts_with("new:") && worse[2].starts_with("lost:"),
            "{worse:?}"
        );
    }

    #[test]
    fn the_baseline_is_read_as_it_is_written() {
        let some = counts(&[("v4_to_v6 96: TCP 64 B", 81.5), ("v6_to_v4 64: echo 64 B", 120.0)]);
        assert_eq!(read(&written(&some)).unwrap(), some);
        assert!(read("nonsense").is_err() && read("x\ty").is_err());
    }
}

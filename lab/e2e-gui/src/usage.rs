use std::collections::BTreeMap;
use std::fs;
use std::time::Duration;

use anyhow::{Context, Result};

/// What a program and the programs it has started use.
#[derive(Clone, Copy, Debug, Default)]
pub struct Usage {
    /// Memory in bytes; what is shared with others counts by their number (PSS).
    pub memory: u64,
    /// Time on processors so far.
    pub processor: Duration,
    /// How many processes they are.
    pub processes: usize,
}

/// What the process `pid` and all below it use now.
///
/// # Errors
/// When the process is gone.
pub fn usage_of(pid: u32) -> Result<Usage> {
    let parents = parents()?;
    let mut sum = Usage::default();
    for process in parents.keys().copied().filter(|process| is_below(*process, pid, &parents)) {
        // One that has just ended uses nothing.
        let (Ok(memory), Ok(ticks)) = (memory(process), ticks(process)) else { continue };
        sum.memory += memory;
        // Linux counts in hundredths of a second for everybody (USER_HZ).
        sum.processor += Duration::from_millis(ticks * 10);
        sum.processes += 1;
    }
    anyhow::ensure!(sum.processes > 0, "no process {pid}");
    Ok(sum)
}

fn is_below(process: u32, top: u32, parents: &BTreeMap<u32, u32>) -> bool {
    let mut at = Some(process);
    // No process is so deep down.
    for _ in 0..64 {
        match at {
            Some(here) if here == top => return true,
            Some(here) => at = parents.get(&here).copied(),
            None => return false,
        }
    }
    false
}

fn parents() -> Result<BTreeMap<u32, u32>> {
    let mut parents = BTreeMap::new();
    for entry in fs::read_dir("/proc")? {
        let Some(pid) = entry?.file_name().to_str().and_then(|name| name.parse().ok()) else { continue };
        if let Ok(parent) = field(pid, 1) {
            parents.insert(pid, u32::try_from(parent)?);
        }
    }
    Ok(parents)
}

fn ticks(pid: u32) -> Result<u64> {
    Ok(field(pid, 11)? + field(pid, 12)?)
}

/// A number of `/proc/PID/stat`, counted from behind the name, which may hold anything.
fn field(pid: u32, index: usize) -> Result<u64> {
    let stat = fs::read_to_string(format!("/proc/{pid}/stat"))?;
    let (_, rest) = stat.rsplit_once(')').context("a name")?;
    Ok(rest.split_whitespace().nth(index).context("a field")?.parse()?)
}

fn memory(pid: u32) -> Result<u64> {
    let rollup = fs::read_to_string(format!("/proc/{pid}/smaps_rollup"))?;
    let line = rollup.lines().find_map(|line| line.strip_prefix("Pss:")).context("Pss")?;
    let kilobytes: u64 = line.trim().trim_end_matches(" kB").parse()?;
    Ok(kilobytes * 1024)
}

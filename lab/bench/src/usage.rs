//! Processor time and memory, as the kernel counts them.

use std::time::Duration;

use anyhow::{Context, Result};

/// Time that processors have worked since they were started.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Worked {
    /// All programs and the kernel itself.
    pub(crate) machine: Duration,
    /// One process; zero without one.
    pub(crate) process: Duration,
}

/// `USER_HZ`: what `/proc/stat` counts in, on every Linux that there is.
const TICKS_PER_SECOND: u64 = 100;

impl Worked {
    pub(crate) fn now(pid: Option<u32>) -> Result<Self> {
        let stat = std::fs::read_to_string("/proc/stat")?;
        let line = stat.lines().next().context("/proc/stat is empty")?;
        let fields: Vec<u64> = line.split_whitespace().skip(1).map_while(|field| field.parse().ok()).collect();
        // user nice system idle iowait irq softirq steal
        let busy: u64 =
            fields.iter().enumerate().filter(|(at, _)| matches!(at, 0..=2 | 5..=6)).map(|(_, ticks)| ticks).sum();
        let process = pid.map_or(Ok(Duration::ZERO), of_process)?;
        Ok(Self { machine: Duration::from_millis(busy * 1000 / TICKS_PER_SECOND), process })
    }

    pub(crate) fn since(self, before: Self) -> Self {
        Self {
            machine: self.machine.saturating_sub(before.machine),
            process: self.process.saturating_sub(before.process),
        }
    }
}

/// Nanoseconds on a processor, all threads.
fn of_process(pid: u32) -> Result<Duration> {
    let mut nanoseconds = 0;
    for thread in std::fs::read_dir(format!("/proc/{pid}/task"))? {
        let stat = std::fs::read_to_string(thread?.path().join("schedstat"))?;
        nanoseconds += stat.split_whitespace().next().context("schedstat")?.parse::<u64>()?;
    }
    Ok(Duration::from_nanos(nanoseconds))
}

/// Resident memory in KiB.
pub(crate) fn resident(pid: u32) -> Result<u64> {
    let status = std::fs::read_to_string(format!("/proc/{pid}/status"))?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:")).context("VmRSS")?;
    Ok(line.split_whitespace().next().context("VmRSS")?.parse()?)
}

//! Processes of a lab: started detached, found again and stopped by a later process.

use std::fs::File;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use anyhow::Context;
use serde::{Deserialize, Serialize};

use crate::error::{Error, Result};
use crate::netns::Netns;
use crate::sys::{self, End};

/// How long a process may take to end by itself.
const GRACE: Duration = Duration::from_secs(3);
const POLL: Duration = Duration::from_millis(5);

/// A process that cannot be mistaken for a later one with the same number.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct ProcessRecord {
    /// What it does, for people: `tayga eth0 2001:db8:64::/96`.
    pub(crate) what: String,
    pub(crate) pid: u32,
    /// Field 22 of `/proc/<pid>/stat`: clock ticks since boot.
    pub(crate) start: u64,
}

impl ProcessRecord {
    /// The record of a running process.
    pub(crate) fn of(pid: u32, what: impl Into<String>) -> Option<Self> {
        let (_, start) = stat(pid)?;
        Some(Self { what: what.into(), pid, start })
    }

    /// A zombie counts as ended: in a container nobody may reap it.
    pub(crate) fn is_alive(&self) -> bool {
        stat(self.pid).is_some_and(|(state, start)| start == self.start && state != 'Z' && state != 'X')
    }
}

/// State letter and start time.
fn stat(pid: u32) -> Option<(char, u64)> {
    parse_stat(&std::fs::read_to_string(format!("/proc/{pid}/stat")).ok()?)
}

fn parse_stat(text: &str) -> Option<(char, u64)> {
    // The second field is the program name in parentheses and may contain anything.
    let mut fields = text.rsplit_once(')')?.1.split_ascii_whitespace();
    let state = fields.next()?.chars().next()?;
    // Field 3 was just read; 22 is the 19th after it.
    let start = fields.nth(18)?.parse().ok()?;
    Some((state, start))
}

/// Starts `command` detached from this process, with its output in `log`.
pub(crate) fn start(mut command: Command, what: &str, log: &Path) -> Result<(Child, ProcessRecord)> {
    let file = File::options().create(true).append(true).open(log);
    let file = file.with_context(|| format!("opening {}", log.display()))?;
    let errors = file.try_clone().context("duplicating the log's descriptor")?;
    command.stdin(Stdio::null()).stdout(file).stderr(errors);
    sys::detach(&mut command);
    let mut child = command.spawn().with_context(|| format!("starting {what}"))?;
    let Some(record) = ProcessRecord::of(child.id(), what) else {
        let status = child.wait().context("waiting for a child")?;
        return Err(Error::Other(anyhow::anyhow!("{what} ended at once ({status}); see {}", log.display())));
    };
    Ok((child, record))
}

/// Ends them all: politely, and by force after a grace.
pub(crate) fn stop(records: &[ProcessRecord]) -> Result<()> {
    stop_with(records, &[(End::Politely, GRACE), (End::AtOnce, GRACE)])
}

/// Ends them all in the first of these ways, and after its grace in the next.
pub(crate) fn stop_with(records: &[ProcessRecord], ways: &[(End, Duration)]) -> Result<()> {
    for (how, grace) in ways.iter().copied() {
        for record in records.iter().filter(|record| record.is_alive()) {
            sys::end(record.pid, how).with_context(|| format!("ending {} ({})", record.what, record.pid))?;
        }
        if wait_until(grace, || !records.iter().any(ProcessRecord::is_alive)) {
            return Ok(());
        }
    }
    let after_s = ways.iter().map(|(_, grace)| grace.as_secs()).sum();
    let left: Vec<_> = records.iter().filter(|r| r.is_alive()).map(|r| format!("{} ({})", r.what, r.pid)).collect();
    Err(Error::Timeout { what: format!("the end of {}", left.join(", ")), after_s })
}

/// Processes that live inside `namespaces`, this one and its ancestors excepted.
pub(crate) fn inside(namespaces: &[Netns]) -> Vec<ProcessRecord> {
    let mut own = Vec::new();
    let mut next = Some(std::process::id());
    while let Some(pid) = next.filter(|pid| *pid > 1) {
        own.push(pid);
        next = parent(pid);
    }
    let living = namespaces.iter().filter(|namespace| namespace.exists());
    let lists = living.filter_map(|namespace| {
        crate::netns::output(crate::tools::ip().args(["netns", "pids", namespace.name()])).ok()
    });
    let pids: Vec<u32> =
        lists.flat_map(|list| list.lines().filter_map(|l| l.trim().parse().ok()).collect::<Vec<_>>()).collect();
    let foreign = pids.into_iter().filter(|pid| !own.contains(pid));
    foreign.filter_map(|pid| ProcessRecord::of(pid, "a process inside the lab")).collect()
}

fn parent(pid: u32) -> Option<u32> {
    number_in_stat(pid, 1)
}

/// Its process group: each child of a lab leads one, in which is what it has started.
pub(crate) fn group(pid: u32) -> Option<u32> {
    number_in_stat(pid, 2)
}

/// A field of `/proc/<pid>/stat`, counted from the state behind the program name.
fn number_in_stat(pid: u32, field: usize) -> Option<u32> {
    let text = std::fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
    text.rsplit_once(')')?.1.split_ascii_whitespace().nth(field)?.parse().ok()
}

/// Collects those that have ended; the others become children of init when this process ends.
pub(crate) fn reap(children: &mut Vec<Child>) {
    children.retain_mut(|child| matches!(child.try_wait(), Ok(None)));
}

/// Polls `done` until it holds or `limit` has passed.
pub(crate) fn wait_until(limit: Duration, mut done: impl FnMut() -> bool) -> bool {
    let start = Instant::now();
    loop {
        if done() {
            return true;
        }
        if start.elapsed() > limit {
            return false;
        }
        std::thread::sleep(POLL);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn start_time_is_found_behind_a_hostile_program_name() {
        let text = "4242 (a) S 1 (b)) Z 1 4242 4242 0 -1 4194560 1 0 0 0 0 0 0 0 20 0 1 0 987654 0 0 0";
        assert_eq!(parse_stat(text), Some(('Z', 987_654)));
        assert_eq!(parse_stat("4242 (x"), None);
    }

    #[test]
    fn a_reused_process_id_is_not_ours() {
        let Some(own) = ProcessRecord::of(std::process::id(), "this test") else { return };
        assert!(own.is_alive());
        assert!(!ProcessRecord { start: own.start + 1, ..own }.is_alive());
    }
}

//! A re-arming is told wherever somebody may look for it.

use std::io::{BufRead, BufReader, Lines};
use std::process::{Child, ChildStdout, Command, Stdio};

use anyhow::{Context, Result, ensure};
use everclat_e2e::{Daemon, World, binary};
use serde_json::Value;

/// `everclat watch`, until dropped.
struct Watch {
    child: Child,
    lines: Lines<BufReader<ChildStdout>>,
}

impl Watch {
    /// Returns when it has heard the first status.
    fn start(daemon: &Daemon, arguments: &[&str]) -> Result<Self> {
        let mut command = Command::new(binary("everclat"));
        command.env("EVERCLAT_SOCKET", daemon.socket()).env("TZ", "UTC").arg("watch").args(arguments);
        let mut child = command.stdout(Stdio::piped()).stderr(Stdio::null()).spawn()?;
        let lines = BufReader::new(child.stdout.take().context("its output")?).lines();
        let mut watch = Self { child, lines };
        watch.lines.next().context("the state at the beginning")??;
        Ok(watch)
    }

    /// Ends with the service at the latest.
    fn until(&mut self, word: &str) -> Result<String> {
        loop {
            let line = self.lines.next().with_context(|| format!("{word} is never said"))??;
            if line.contains(word) {
                return Ok(line);
            }
        }
    }
}

impl Drop for Watch {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn said(daemon: &Daemon, arguments: &[&str]) -> Result<String> {
    let output = daemon.cli(arguments)?;
    ensure!(output.status.success(), "{arguments:?}: {output:?}");
    Ok(String::from_utf8(output.stdout)?)
}

#[test]
fn a_cut_is_one_entry_in_status_watch_log_and_history() -> Result<()> {
    let world = World::new("e2e-history", |_| ())?;
    let daemon = world.start()?;
    daemon.ready()?;
    world.first_reply()?;
    daemon.reaches("a ready reserve", |status| status.spare.as_ref().is_some_and(|spare| spare.ready))?;
    ensure!(said(&daemon, &["history"])?.starts_with("no re-arming since the service started"));

    let mut events = Watch::start(&daemon, &["--events", "--json"])?;
    let mut lines = Watch::start(&daemon, &[])?;
    world.lab.cut("eth0")?;
    daemon.reaches("wlan0", |status| status.uplink.as_ref().is_some_and(|uplink| uplink.name == "wlan0"))?;
    world.first_reply()?;
    let status = daemon
        .reaches("a reply", |status| status.rearms.history.first().is_some_and(|last| last.first_reply_ms.is_some()))?;
    let rearms = &status.rearms;
    ensure!(rearms.count == 1 && rearms.history.len() == 1, "one cut: {rearms:#?}");
    let last = &rearms.history[0];
    ensure!(last.reason == "uplink-changed" && last.left.as_deref() == Some("link-lost"), "{last:#?}");
    ensure!((last.from.as_deref(), last.to.as_deref()) == (Some("eth0"), Some("wlan0")), "{last:#?}");
    ensure!(Some(last.gap_ms) == rearms.last_ms && last.gap_ms < 1_000, "{last:#?}");
    ensure!(last.done.first().is_some_and(|step| step == "took-reserve"), "{last:#?}");

    let words = "eth0 had lost its link; eth0 to wlan0";
    ensure!(said(&daemon, &["status", "-v"])?.contains(words));
    ensure!(said(&daemon, &["history"])?.contains(words));
    let history: Value = serde_json::from_str(&said(&daemon, &["history", "--json"])?)?;
    ensure!(history["schema"] == "everclat.history/1" && history["count"] == 1, "{history}");
    ensure!(history["history"][0]["number"] == 1 && history["history"][0]["to"] == "wlan0", "{history}");

    let event: Value = serde_json::from_str(&events.until("rearmed")?)?;
    ensure!(event["schema"] == "everclat.event/1" && event["event"] == "rearmed", "{event}");
    ensure!(event["gap_ms"] == last.gap_ms && event["left"] == "link-lost" && event["number"] == 1, "{event}");
    let line = lines.until("Re-armed")?;
    ensure!(line.contains(words) && line.contains("took the uplink in reserve"), "{line}");

    let log = said(&daemon, &["log", "--level", "info"])?;
    let told: Vec<&str> = log.lines().filter(|line| line.contains("re-armed")).collect();
    ensure!(told.len() == 1, "{log}");
    for part in ["reason=uplink-changed", "left=link-lost", "gap_ms=", "from=eth0", "to=wlan0", "done=took-reserve"] {
        ensure!(told[0].contains(part), "{part}: {told:?}");
    }
    ensure!(!told[0].contains("2001:db8") && !told[0].contains("192."), "no addresses: {told:?}");
    daemon.stop()
}

/// What somebody undoes, and IPv4 that comes and goes, by their own reasons and steps.
#[test]
fn repairs_and_standbys_are_told_apart() -> Result<()> {
    let world = World::new("e2e-history2", |config| config.uplinks.truncate(1))?;
    let daemon = world.start()?;
    daemon.ready()?;
    world.first_reply()?;
    world.lab.host().run(&["ip", "route", "del", "default", "dev", "everclat0"])?;
    daemon.reaches("a repair", |status| status.rearms.count == 1)?;
    world.lab.host().run(&["ip", "link", "set", "everclat0", "down"])?;
    daemon.reaches("another", |status| status.rearms.count == 2)?;
    world.lab.host().run(&["ip", "link", "del", "everclat0"])?;
    daemon.reaches("a third", |status| status.rearms.count == 3)?;
    world.lab.native4("eth0", true)?;
    daemon.reaches("standby", |status| status.clat.is_none())?;
    std::thread::sleep(std::time::Duration::from_millis(300));
    world.lab.native4("eth0", false)?;
    let status = daemon.reaches("armed again", |status| status.rearms.count == 4)?;
    let told: Vec<(&str, String)> =
        status.rearms.history.iter().map(|one| (one.reason.as_str(), one.done.join(" "))).collect();
    let expected = [
        ("native-ipv4", "opened-tunnel put-route-back".to_owned()),
        ("plane-failed", "opened-tunnel put-route-back".to_owned()),
        ("undone", "put-route-back".to_owned()),
        ("undone", "put-route-back".to_owned()),
    ];
    ensure!(told == expected, "{:#?}", status.rearms);
    let standby = status.rearms.history[0].standby_ms;
    ensure!(standby.is_some_and(|ms| (200..10_000).contains(&ms)), "{:#?}", status.rearms);
    ensure!(status.rearms.history[1..].iter().all(|one| one.standby_ms.is_none()));
    daemon.stop()
}

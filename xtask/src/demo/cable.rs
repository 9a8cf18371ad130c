//! Ethernet unplugged and plugged in again, as a program sees it that asks an IPv4 server something all the time.

use std::io::{BufRead, BufReader, Read};
use std::process::{Child, ChildStdout, Command, Stdio};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};
use serde_json::Value;

use super::{Demo, LITERAL, in_host, lab, must, probe, say};
use crate::run::describe;

/// Time between two probes.
const EVERY_MS: u32 = 10;
/// Probes of the programs: enough for a kernel that tells of the carrier a second late.
const PULLED: u32 = 250;
const PLUGGED_IN: u32 = 300;
/// So many are lost only when IPv4 does not come back.
const TOO_MANY: u64 = 150;
/// Until everything has settled when the cable is back; a kernel that tells late included.
const BACK: Duration = Duration::from_secs(10);
/// What the kernel may take before it is worth a word.
const LATE: Duration = Duration::from_millis(20);

/// Pulls it. IPv4 has to go on by Wi-Fi.
pub(super) fn pull(demo: &Demo) -> Result<()> {
    say(&format!("Ethernet is unplugged, while a program asks {LITERAL} something every {EVERY_MS} ms:"));
    let mut monitor = Monitor::start()?;
    let probes = Probes::start(PULLED)?;
    must(&mut lab(&["cut", "eth0"]))?;
    let pulled = Instant::now();
    let noticed = monitor.carrier_lost()?.saturating_duration_since(pulled);
    let seen = probes.finish()?;
    let uplink = demo.uplink()?;
    ensure!(uplink == "wlan0" && seen.lost < TOO_MANY, "IPv4 did not move to Wi-Fi: {seen:?}, now by {uplink}");
    let Seen { sent, lost, silence } = seen;
    println!("    Ethernet unplugged: IPv4 was away for {} ms; now by {uplink}", silence.as_millis());
    println!("    (the longest time without an answer; probes lost: {lost} of {sent})");
    if noticed > LATE {
        let late = noticed.as_millis();
        println!(
            "    (the kernel told of it {late} ms late: at most once a second, for all networks on this machine together)"
        );
    }
    Ok(())
}

/// Plugs it in again. IPv4 has to go back.
pub(super) fn plug_in(demo: &Demo) -> Result<()> {
    say("Ethernet is plugged in again:");
    let probes = Probes::start(PLUGGED_IN)?;
    let begin = Instant::now();
    must(&mut lab(&["restore", "eth0"]))?;
    while demo.uplink()? != "eth0" {
        ensure!(begin.elapsed() < BACK, "Everclat does not go back to Ethernet");
        std::thread::sleep(Duration::from_millis(20));
    }
    let back = begin.elapsed().as_millis();
    let Seen { sent, lost, .. } = probes.finish()?;
    println!("    Ethernet plugged in: IPv4 by eth0 again after {back} ms; probes lost: {lost} of {sent}");
    Ok(())
}

/// A program that sends UDP echoes all the time.
struct Probes(Child);

/// What it has seen.
#[derive(Debug)]
struct Seen {
    sent: u64,
    lost: u64,
    /// The longest time without an answer; the interval when all is well.
    silence: Duration,
}

impl Probes {
    /// Runs already when this returns, and goes on until `count` are sent.
    fn start(count: u32) -> Result<Self> {
        let (count, interval) = (count.to_string(), EVERY_MS.to_string());
        let mut command = probe(&["--count", &count, "--interval-ms", &interval, "--linger-ms", "300"]);
        println!("    $ {} &", describe(&command));
        let child = command.stdin(Stdio::null()).stdout(Stdio::piped()).spawn()?;
        std::thread::sleep(Duration::from_millis(300));
        Ok(Self(child))
    }

    fn finish(self) -> Result<Seen> {
        let report = self.0.wait_with_output()?;
        ensure!(report.status.success(), "no probe was answered");
        let report: Value = serde_json::from_slice(&report.stdout)?;
        let number = |field: &str| report[field].as_u64().with_context(|| format!("{field} in {report}"));
        let sent = number("sent")? + number("refused")?;
        let silence = report["longest_gap_ms"].as_f64().context("the longest silence")?;
        Ok(Seen {
            sent,
            lost: sent.saturating_sub(number("received")?),
            silence: Duration::try_from_secs_f64(silence / 1000.0)?,
        })
    }
}

/// What the host's kernel says about its interfaces.
struct Monitor {
    child: Child,
    said: BufReader<ChildStdout>,
}

impl Monitor {
    fn start() -> Result<Self> {
        let mut command: Command = in_host(&["timeout", "10", "ip", "-oneline", "monitor", "link"]);
        let mut child = command.stdin(Stdio::null()).stdout(Stdio::piped()).spawn()?;
        let said = BufReader::new(child.stdout.take().context("its output")?);
        Ok(Self { child, said })
    }

    /// When it said that Ethernet has no carrier any more.
    fn carrier_lost(&mut self) -> Result<Instant> {
        for line in self.said.by_ref().lines() {
            let line = line?;
            if line.contains(" eth0@") && line.contains("NO-CARRIER") {
                return Ok(Instant::now());
            }
        }
        anyhow::bail!("the kernel does not notice that the cable is gone")
    }
}

impl Drop for Monitor {
    fn drop(&mut self) {
        // It ends by itself soon, at the latest with the lab.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

//! Outages of IPv4 as an app sees them: a UDP echo every ten milliseconds through the lab's NAT64.
//!
//! An outage counts from the kernel's event, as any program hears it by netlink, or from the moment a fault is in force, to
//! the first answer of a probe that was sent after it. `cargo xtask reliability` writes the figures to
//! `docs/reliability.md`.

mod flows;
mod others;
mod ours;
mod repairs;

use std::hash::{BuildHasher, RandomState};
use std::net::{IpAddr, SocketAddr};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};
use everclat_e2e::events::{Events, Notice};
use everclat_e2e::stream::{INTERVAL, Stream, Trace};
use everclat_e2e::{Daemon, ECHO, World, figure, is_full, until};
use model::Status;

/// An outage that has not ended by then is none that anybody sits out.
const NEVER: Duration = Duration::from_secs(10);
/// How long a stream goes on after it is back, so that a relapse shows.
const AFTERWARDS: Duration = Duration::from_millis(200);
/// Longer than the kernel's pause between two carrier events.
const CARRIER_PAUSE: Duration = Duration::from_millis(1100);
/// How much more the short run allows: it shares its machine, and its few samples have no p90.
const SHORT_RUN: u32 = 10;

/// Longest median and p90.
#[derive(Debug, Clone, Copy)]
struct Bar {
    median: Duration,
    p90: Duration,
}

const fn bar(median_ms: u64, p90_ms: u64) -> Bar {
    Bar { median: Duration::from_millis(median_ms), p90: Duration::from_millis(p90_ms) }
}

/// One outage.
#[derive(Debug, Clone, Copy)]
struct Sample {
    /// `None`: it did not end.
    outage: Option<Duration>,
    /// Probes since the event that were not answered.
    lost: usize,
}

/// Streams probes to `server` through `event`, which says when it happened, until they are answered again.
fn sample(world: &World, server: IpAddr, event: impl FnOnce(&Events) -> Result<Instant>) -> Result<Sample> {
    let events = Events::listen(world.lab.host())?;
    let stream = Stream::start(world.lab.host(), SocketAddr::new(server, ECHO))?;
    // At any point between two probes: else the outage would be the same part of the interval each time.
    std::thread::sleep(INTERVAL.mul_f64(chance()));
    let at = event(&events)?;
    if until(NEVER, || Ok(stream.is_back_since(at))).is_ok() {
        std::thread::sleep(AFTERWARDS);
    }
    let trace = stream.finish();
    Ok(Sample { outage: trace.outage(at), lost: trace.lost_since(at) })
}

/// A number from 0 to 1.
fn chance() -> f64 {
    let random = u32::try_from(RandomState::new().hash_one(0) >> 32).unwrap_or(0);
    f64::from(random) / f64::from(u32::MAX)
}

/// Streams probes through what should cost none.
fn trace(world: &World, server: IpAddr, work: impl FnOnce() -> Result<()>) -> Result<Trace> {
    let stream = Stream::start(world.lab.host(), SocketAddr::new(server, ECHO))?;
    work()?;
    std::thread::sleep(AFTERWARDS);
    Ok(stream.finish())
}

/// Notes a row of the table, and fails when it misses its bar.
fn judge(row: &str, bar: Option<Bar>, mut samples: Vec<Sample>) -> Result<()> {
    if samples.is_empty() {
        return Ok(());
    }
    // What did not end comes last.
    samples.sort_by_key(|sample| sample.outage.unwrap_or(Duration::MAX));
    let at = |index: usize| samples.get(index).context("a sample").map(|sample| sample.outage);
    let (median, p90) = (at(samples.len() / 2)?, at((samples.len() * 9).div_ceil(10) - 1)?);
    let worst = at(samples.len() - 1)?;
    let mut lost: Vec<_> = samples.iter().map(|sample| sample.lost).collect();
    lost.sort_unstable();
    let bars = bar.map_or("".to_owned(), |bar| format!("{} / {}", bar.median.as_millis(), bar.p90.as_millis()));
    let (half, most) = (lost[lost.len() / 2], lost[lost.len() - 1]);
    let cells = [bars, ms(median), ms(p90), ms(worst), samples.len().to_string(), format!("{half} / {most}")];
    figure("reliability", &format!("| {row} | {} |", cells.join(" | ")));
    if let Some(bar) = bar {
        let allow = |limit: Duration| if is_full() { limit } else { limit * SHORT_RUN };
        ensure!(median.is_some_and(|median| median <= allow(bar.median)), "{row}: median {}: {samples:?}", ms(median));
        ensure!(p90.is_some_and(|p90| p90 <= allow(bar.p90)), "{row}: p90 {}: {samples:?}", ms(p90));
    }
    Ok(())
}

fn ms(outage: Option<Duration>) -> String {
    outage.map_or_else(|| format!("not in {} s", NEVER.as_secs()), |outage| outage.as_millis().to_string())
}

fn uses(status: &Status, uplink: &str) -> bool {
    status.clat.is_some() && status.uplink.as_ref().is_some_and(|used| used.name == uplink)
}

/// As it is on a quiet day: Ethernet in use, Wi-Fi ready.
fn settled(daemon: &Daemon) -> Result<()> {
    let ready = |status: &Status| {
        uses(status, "eth0") && status.spare.as_ref().is_some_and(|spare| spare.name == "wlan0" && spare.ready)
    };
    daemon.reaches("on Ethernet, with Wi-Fi in reserve", ready).map(drop)
}

/// Pulls the cable; the moment at which the host's kernel says so.
///
/// The kernel tells at most once a second about carriers, of all namespaces together; what would be late is made prompt, so
/// that the cut and the event are one and TCP loses nothing in between.
fn cut(world: &World, events: &Events) -> Result<Instant> {
    std::thread::sleep(CARRIER_PAUSE);
    world.lab.cut("eth0")?;
    events.first(|notice| *notice == Notice::Link { name: "eth0".to_owned(), running: false })
}

/// Plugs it in again and waits until the kernel has configured it.
fn plug_in(world: &World) -> Result<()> {
    world.lab.restore("eth0")?;
    has_address(world)
}

/// Whether Ethernet has an address past its duplicate detection.
fn has_address(world: &World) -> Result<()> {
    let host = world.lab.host();
    until(Duration::from_secs(10), || {
        let list = host.ip(&["-6", "address", "show", "dev", "eth0", "scope", "global", "-tentative"])?;
        let routes = host.ip(&["-6", "route", "show", "default", "dev", "eth0"])?;
        Ok(!list.trim().is_empty() && !routes.trim().is_empty())
    })
    .context("Ethernet does not come back")
    .map(drop)
}

fn server4(world: &World) -> IpAddr {
    IpAddr::V4(world.lab.server_v4())
}

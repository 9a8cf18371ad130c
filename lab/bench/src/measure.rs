//! One turn of one contender.

use std::process::Stdio;
use std::time::Duration;

use anyhow::{Context, Result, ensure};
use everclat_e2e::World;
use serde_json::Value;

use crate::Part;
use crate::contender::Running;
use crate::udp::{self, Flood, Pace, number};
use crate::usage::{self, Worked};

/// What one turn showed. Times in seconds, sizes in bytes.
#[derive(Clone, Debug, Default)]
pub(crate) struct Sample {
    /// One stream up, four up, one down, four down.
    pub(crate) tcp: [Tcp; 4],
    /// 64 bytes, one by one.
    pub(crate) small: Flood,
    pub(crate) small_cpu: f64,
    /// For each that the contender took from its tunnel, whether it arrived or not.
    pub(crate) small_taken_cpu: Option<f64>,
    pub(crate) small_machine: f64,
    /// 1200 bytes, in batches that the kernel cuts.
    pub(crate) batches: Flood,
    /// 64 bytes, 80,000 in a second.
    pub(crate) paced: Flood,
    /// One after the other, with pauses.
    pub(crate) idle: Trip,
    /// Without.
    pub(crate) close: Trip,
    /// Beside four streams up.
    pub(crate) loaded: Trip,
    pub(crate) resident_kib: Option<u64>,
}

/// A transfer by TCP.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Tcp {
    pub(crate) bits_per_second: f64,
    pub(crate) retransmits: u64,
    /// Seconds of processor time for a gigabyte.
    pub(crate) process_per_gb: f64,
    pub(crate) machine_per_gb: f64,
}

/// A round trip.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Trip {
    pub(crate) median: f64,
    pub(crate) p99: f64,
}

/// What the streams of a sample are called.
pub(crate) const STREAMS: [&str; 4] =
    ["TCP up, 1 stream", "TCP up, 4 streams", "TCP down, 1 stream", "TCP down, 4 streams"];

impl Sample {
    pub(crate) fn summary(&self) -> String {
        let gbit = |tcp: &Tcp| tcp.bits_per_second / 1e9;
        let [up1, up4, down1, down4] = self.tcp.each_ref().map(gbit);
        format!(
            "TCP up {up1:.1} and {up4:.1}, down {down1:.1} and {down4:.1} Gbit/s; 64 bytes {:.0} kpps; 1200 in batches {:.0} kpps; {:.0} us round trip",
            self.small.rate() / 1e3,
            self.batches.rate() / 1e3,
            self.idle.median * 1e6
        )
    }
}

pub(crate) fn all(world: &World, running: &Running, seconds: u32, part: Part) -> Result<Sample> {
    let mut sample = Sample::default();
    if part.has(Part::Tcp) {
        for (slot, (streams, down)) in sample.tcp.iter_mut().zip([(1, false), (4, false), (1, true), (4, true)]) {
            *slot = tcp(world, running, seconds, streams, down)?;
        }
    }
    if part.has(Part::Udp) {
        datagrams(world, running, seconds, &mut sample)?;
    }
    sample.resident_kib = running.pid().map(usage::resident).transpose()?;
    Ok(sample)
}

fn datagrams(world: &World, running: &Running, seconds: u32, sample: &mut Sample) -> Result<()> {
    let (time, target) = (Duration::from_secs(seconds.into()), running.target);
    let taken = running.taken(world)?;
    let before = Worked::now(running.pid())?;
    sample.small = udp::flood(world, target, 64, Pace::Flood, time)?;
    let worked = Worked::now(running.pid())?.since(before);
    ensure!(sample.small.received > 0, "no datagram arrived");
    sample.small_cpu = worked.process.as_secs_f64() / number(sample.small.received);
    let taken = running.taken(world)?.zip(taken).map(|(now, before)| now.saturating_sub(before));
    // The fast path leaves the first few.
    let all = taken.filter(|taken| *taken > sample.small.received / 2);
    sample.small_taken_cpu = all.map(|taken| worked.process.as_secs_f64() / number(taken));
    sample.small_machine = worked.machine.as_secs_f64() / number(sample.small.received);
    sample.batches = udp::flood(world, target, 1200, Pace::Batches, time)?;
    sample.paced = udp::flood(world, target, 64, Pace::PerMillisecond(80), time)?;
    sample.idle = trip(&udp::round_trips(world, target, 2000, Duration::from_micros(200))?)?;
    sample.close = trip(&udp::round_trips(world, target, 10_000, Duration::ZERO)?)?;
    let mut load = iperf(world, running, seconds + 1, 4, false);
    let mut load = load.spawn()?;
    std::thread::sleep(Duration::from_millis(500));
    let loaded = udp::round_trips(world, target, 1000, Duration::from_micros(500));
    load.wait()?;
    sample.loaded = trip(&loaded?)?;
    Ok(())
}

fn trip(sorted: &[Duration]) -> Result<Trip> {
    let at = |part: usize| sorted.get(sorted.len() * part / 100).map(Duration::as_secs_f64);
    Ok(Trip { median: at(50).context("no answer")?, p99: at(99).context("no answer")? })
}

fn iperf(world: &World, running: &Running, seconds: u32, streams: u32, down: bool) -> std::process::Command {
    let mut command = world.lab.host().command("iperf3");
    command.args(["-J", "-c", &running.target.to_string(), "-t", &seconds.to_string(), "-P", &streams.to_string()]);
    if down {
        command.arg("-R");
    }
    command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
    command
}

fn tcp(world: &World, running: &Running, seconds: u32, streams: u32, down: bool) -> Result<Tcp> {
    let mut command = iperf(world, running, seconds, streams, down);
    let before = Worked::now(running.pid())?;
    let output = command.stdout(Stdio::piped()).output()?;
    let worked = Worked::now(running.pid())?.since(before);
    let said: Value = serde_json::from_slice(&output.stdout).context("iperf3 said nothing that can be read")?;
    ensure!(output.status.success(), "iperf3: {}", said["error"]);
    let (received, sent) = (&said["end"]["sum_received"], &said["end"]["sum_sent"]);
    let gigabytes = received["bytes"].as_f64().context("bytes")? / 1e9;
    ensure!(gigabytes > 0.0, "nothing arrived");
    Ok(Tcp {
        bits_per_second: received["bits_per_second"].as_f64().context("bits per second")?,
        retransmits: sent["retransmits"].as_u64().unwrap_or_default(),
        process_per_gb: worked.process.as_secs_f64() / gigabytes,
        machine_per_gb: worked.machine.as_secs_f64() / gigabytes,
    })
}

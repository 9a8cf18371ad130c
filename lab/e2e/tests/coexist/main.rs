//! Beside others: containers, firewalls, VPNs, other translators, native IPv4 and IPv6.

mod clats;
mod containers;
mod dhcp;
mod firewalls;
mod native;
mod tunnels;
mod wireguard;

use std::process::{Child, Command, Stdio};

use anyhow::{Context, Result, ensure};
use everclat_e2e::{Daemon, World};
use lab::{Dns64, Netns};

/// One uplink without DNS64: nothing else leads to a NAT64.
fn single(name: &str) -> Result<World> {
    World::new(name, |config| {
        config.uplinks.truncate(1);
        config.uplinks[0].dns64 = Dns64::Off;
    })
}

/// `ip` with each of these lines.
fn ip(netns: &Netns, lines: &[&str]) -> Result<()> {
    for line in lines {
        netns.ip(&line.split_whitespace().collect::<Vec<_>>())?;
    }
    Ok(())
}

/// Whether a default route of ours is in the host.
fn has_our_route(world: &World) -> Result<bool> {
    Ok(!world.lab.host().run(&["ip", "-4", "route", "show", "table", "all", "proto", "236"])?.trim().is_empty())
}

/// A namespace of the test's own, gone with it.
#[derive(Debug)]
struct Guest(Netns);

impl Guest {
    fn new(name: &str) -> Result<Self> {
        let guest = Self(Netns::named(name));
        let ip = |verb: &str| Command::new("ip").args(["netns", verb, name]).stderr(Stdio::null()).status();
        // One that a killed run has left.
        ip("delete")?;
        ensure!(ip("add")?.success(), "ip netns add {name}");
        Ok(guest)
    }
}

impl Drop for Guest {
    fn drop(&mut self) {
        let _ = Command::new("ip").args(["netns", "delete", self.0.name()]).status();
    }
}

/// A program that ends with the test.
#[derive(Debug)]
struct Program(Child);

impl Program {
    fn start(mut command: Command) -> Result<Self> {
        command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
        Ok(Self(command.spawn().with_context(|| format!("{command:?}"))?))
    }
}

impl Drop for Program {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// Seconds of processor time that a service has used.
fn processor_seconds(daemon: &Daemon) -> Result<f64> {
    const TICKS_PER_SECOND: f64 = 100.0;
    let text = std::fs::read_to_string(format!("/proc/{}/stat", daemon.pid()))?;
    let fields = text.rsplit_once(')').context("a program name")?.1;
    // Fields 14 and 15 of the line; the first after the name is the third.
    let ticks: Vec<f64> = fields.split_whitespace().skip(11).take(2).map(str::parse).collect::<Result<_, _>>()?;
    Ok(ticks.iter().sum::<f64>() / TICKS_PER_SECOND)
}

/// Packets sent on an interface of the host so far; none on one that is not there.
fn packets_sent(world: &World, interface: &str) -> Result<u64> {
    let text = world.lab.host().enter(|| std::fs::read_to_string("/proc/thread-self/net/dev"))??;
    let line = text.lines().find_map(|line| line.trim().strip_prefix(interface)?.strip_prefix(':'));
    // Eight fields of what was received come first; the second of the others counts packets.
    line.map_or(Ok(0), |line| Ok(line.split_whitespace().nth(9).context("a counter")?.parse()?))
}

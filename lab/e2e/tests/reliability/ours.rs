//! What happens to networks, with Everclat.

use std::time::Instant;

use anyhow::{Context, Result, ensure};
use everclat_e2e::events::Notice;
use everclat_e2e::{World, figure, repetitions, until};
use lab::{AnnouncedPref64, Dns64, Fault, LabConfig, Pref64, RaDelay, RaPatch, UplinkConfig};

use crate::{Sample, bar, cut, has_address, judge, plug_in, sample, server4, settled, trace, uses};

/// Pulls the cable again and again; with `flush`, a manager removes addresses and routes once it has heard of it.
fn pull_the_cable(name: &str, change: impl FnOnce(&mut LabConfig), flush: bool) -> Result<Vec<Sample>> {
    let world = World::new(name, change)?;
    let daemon = world.start()?;
    let mut samples = Vec::new();
    for _ in 0..repetitions(2, 30) {
        settled(&daemon)?;
        samples.push(sample(&world, server4(&world), |events| {
            let at = cut(&world, events)?;
            if flush {
                world.lab.flush("eth0")?;
            }
            Ok(at)
        })?);
        plug_in(&world)?;
    }
    daemon.stop()?;
    Ok(samples)
}

#[test]
fn ethernet_loses_its_carrier_and_a_manager_flushes() -> Result<()> {
    let samples = pull_the_cable("e2e-rel-flush", |_| (), true)?;
    judge("Ethernet carrier lost, addresses flushed by a manager", Some(bar(50, 150)), samples)
}

#[test]
fn ethernet_loses_its_carrier_and_nobody_flushes() -> Result<()> {
    let samples = pull_the_cable("e2e-rel-cut", |_| (), false)?;
    judge("Ethernet carrier lost, nobody flushes", Some(bar(50, 200)), samples)
}

/// Ethernet and Wi-Fi of one home router: X has to be found behind another MAC address.
#[test]
fn ethernet_loses_its_carrier_on_a_shared_prefix() -> Result<()> {
    let share = |config: &mut LabConfig| config.uplinks[1] = UplinkConfig::sharing("wlan0", 600, "eth0");
    let samples = pull_the_cable("e2e-rel-x", share, false)?;
    judge("Ethernet carrier lost, one /64 on both uplinks", Some(bar(50, 200)), samples)
}

/// Both work: nothing may be lost on the way back.
#[test]
fn ethernet_returns() -> Result<()> {
    let world = World::new("e2e-rel-return", |_| ())?;
    let daemon = world.start()?;
    let mut lost = Vec::new();
    let mut gaps = Vec::new();
    for _ in 0..repetitions(1, 30) {
        settled(&daemon)?;
        world.lab.cut("eth0")?;
        daemon.reaches("on Wi-Fi", |status| uses(status, "wlan0"))?;
        let trace = trace(&world, server4(&world), || {
            world.lab.restore("eth0")?;
            settled(&daemon)
        })?;
        lost.push(trace.lost());
        gaps.push(trace.longest_gap());
    }
    lost.sort_unstable();
    gaps.sort_unstable();
    let (half, most, n) = (lost[lost.len() / 2], lost[lost.len() - 1], lost.len());
    let gap = |index: usize| gaps[index].as_millis();
    let cells = format!("{} | {} | {} | {n} | {half} / {most}", gap(n / 2), gap((n * 9).div_ceil(10) - 1), gap(n - 1));
    figure("reliability", &format!("| return to Ethernet | 0 lost | {cells} |"));
    ensure!(most == 0, "lost: {lost:?}");
    daemon.stop()
}

/// A dock is unplugged. The lab has no way to plug it in again, so each one has a network of its own.
#[test]
fn ethernet_is_removed() -> Result<()> {
    let mut samples = Vec::new();
    for _ in 0..repetitions(1, 30) {
        let world = World::new("e2e-rel-remove", |_| ())?;
        let daemon = world.start()?;
        settled(&daemon)?;
        samples.push(sample(&world, server4(&world), |events| {
            world.lab.host().ip(&["link", "delete", "eth0"])?;
            events.first(|notice| *notice == Notice::LinkGone { name: "eth0".to_owned() })
        })?);
        daemon.stop()?;
    }
    judge("Ethernet device removed", Some(bar(50, 150)), samples)
}

/// The kernel goes on sending there. A service that was started anew trusts the router again at once, which spares the wait.
#[test]
fn the_router_falls_silent() -> Result<()> {
    let world = World::new("e2e-rel-mute", |_| ())?;
    let mut samples = Vec::new();
    for _ in 0..repetitions(1, 30) {
        let daemon = world.start()?;
        settled(&daemon)?;
        samples.push(sample(&world, server4(&world), |_| {
            world.lab.set_fault("eth0", Fault::RouterMute, true)?;
            Ok(Instant::now())
        })?);
        daemon.stop()?;
        world.lab.set_fault("eth0", Fault::RouterMute, false)?;
        until_router_answers(&world)?;
    }
    judge("black hole, carrier stays", Some(bar(1200, 2000)), samples)
}

/// Neighbour discovery has given it up by then, and has to find it again.
fn until_router_answers(world: &World) -> Result<()> {
    let router = format!("{}%eth0", world.lab.gateway());
    until(everclat_e2e::PATIENCE, || world.ping(&router, 8))?;
    has_address(world)
}

/// Two NAT64s behind one router; the one in use dies, and at the same moment the router announces the other one instead.
#[test]
fn the_router_changes_its_prefix() -> Result<()> {
    let world = World::new("e2e-rel-pref64", |config| {
        config.uplinks.truncate(1);
        config.uplinks[0].dns64 = Dns64::Off;
    })?;
    let mut now: Pref64 = world.lab.ra("eth0")?.config.pref64[0].prefix;
    let mut next: Pref64 = "2001:db8:1064::/96".parse()?;
    world.lab.add_nat64("eth0", next)?;
    let daemon = world.start()?;
    let mut samples = Vec::new();
    for _ in 0..repetitions(2, 30) {
        let uses_now = |status: &model::Status| {
            status.clat.is_some() && status.pref64.first().is_some_and(|known| known.prefix == now)
        };
        daemon.reaches("using the announced prefix", uses_now)?;
        samples.push(sample(&world, server4(&world), |_| {
            swallow(&world, now)?;
            let at = Instant::now();
            let old = AnnouncedPref64 { prefix: now, lifetime_s: 0 };
            world.lab.set_ra("eth0", RaPatch::announce([AnnouncedPref64::new(next), old]))?;
            Ok(at)
        })?);
        std::mem::swap(&mut now, &mut next);
    }
    daemon.stop()?;
    judge("PREF64 changed by RA while the old prefix is black-holed", Some(bar(50, 150)), samples)
}

/// The router drops what is sent to this prefix, and to no other any more.
fn swallow(world: &World, prefix: Pref64) -> Result<()> {
    let rule = format!("add rule inet old in ip6 daddr {prefix} drop");
    let chain = "add chain inet old in { type filter hook prerouting priority -300; }";
    let rules = format!("add table inet old; delete table inet old; add table inet old; {chain}; {rule}");
    world.lab.router("eth0")?.run(&["nft", &rules])?;
    Ok(())
}

/// Kills it and starts the next one when it is gone; the network is changed by `change`.
fn killed(name: &str, change: impl FnOnce(&mut LabConfig)) -> Result<Vec<Sample>> {
    let world = World::new(name, change)?;
    let mut daemon = world.start()?;
    let mut samples = Vec::new();
    for _ in 0..repetitions(2, 30) {
        settled(&daemon)?;
        let mut dead = Some(daemon);
        let mut next = None;
        samples.push(sample(&world, server4(&world), |_| {
            let at = dead.take().context("a service to kill")?.kill()?;
            next = Some(world.start()?);
            Ok(at)
        })?);
        daemon = next.context("started again")?;
    }
    daemon.stop()?;
    Ok(samples)
}

#[test]
fn killed_and_started_again() -> Result<()> {
    judge("`kill -9`, restart at once", Some(bar(300, 700)), killed("e2e-rel-kill", |_| ())?)
}

/// Routers announce their resolvers only, and take their time (RFC 4861).
#[test]
fn killed_and_started_again_where_only_dns_tells() -> Result<()> {
    let samples = killed("e2e-rel-kill-dns", |config| {
        for uplink in &mut config.uplinks {
            uplink.translated = uplink.pref64.drain(..).map(|announced| announced.prefix).collect();
            uplink.ra_delay = RaDelay::Rfc4861;
        }
    })?;
    judge("`kill -9`, restart at once, PREF64 by DNS, slow routers", Some(bar(300, 700)), samples)
}

#[test]
fn killed_and_started_again_among_slow_routers() -> Result<()> {
    let samples = killed("e2e-rel-kill-slow", |config| {
        config.uplinks.iter_mut().for_each(|uplink| uplink.ra_delay = RaDelay::Rfc4861);
    })?;
    judge("`kill -9`, restart at once, slow routers", Some(bar(300, 700)), samples)
}

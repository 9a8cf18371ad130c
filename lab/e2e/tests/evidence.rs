//! Whether it works, as replies and probes tell, and what follows when it does not.

use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};
use everclat_e2e::{PATIENCE, World, figure, repetitions, until};
use lab::{AnnouncedPref64, Fault, Pref64};
use model::{Code, EvidenceKind, State};

/// So long may three probes, two seconds apart, and the last wait take, on a loaded machine.
const VERDICT: Duration = Duration::from_secs(15);

fn our_default(world: &World) -> Result<bool> {
    Ok(!world.lab.host().run(&["ip", "-4", "route", "show", "default", "proto", "236"])?.trim().is_empty())
}

fn with_target(world: &World) -> String {
    format!("ProbeTargetsV4 = [\"{}\"]\nProbeIntervalSeconds = 30\n", world.lab.server_v4())
}

#[test]
fn a_check_server_proves_that_it_works_before_anybody_uses_it() -> Result<()> {
    let world = World::new("e2e-probe", |_| ())?;
    let daemon = world.start_with(&with_target(&world))?;
    let status = daemon.reaches("working", |status| status.code == Code::Working)?;
    ensure!(status.evidence.kind == EvidenceKind::Probe, "{status:#?}");
    let clat = status.clat.context("armed")?;
    ensure!((clat.packets.out, clat.packets.inward) == (0, 0), "no app's packet: {clat:?}");
    ensure!(daemon.cli(&["wait", "--for", "working", "--timeout", "1s"])?.status.success());
    daemon.stop()?;

    // By TCP: the port is open, so the server is told that nobody wants it.
    let tcp = format!("ProbeTargetsV4 = [\"{}:7\"]\n", world.lab.server_v4());
    let daemon = world.start_with(&tcp)?;
    daemon.reaches("working", |status| status.evidence.kind == EvidenceKind::Probe)?;
    let half_open = world.lab.inet().run(&["ss", "-Htn", "state", "syn-recv"])?;
    ensure!(half_open.trim().is_empty(), "{half_open}");
    daemon.stop()
}

/// The gateway answers, the NAT64 does not: the default goes, the plane stays and finds out by itself when it is back.
#[test]
fn a_dead_nat64_takes_the_default_away_until_it_is_back() -> Result<()> {
    let world = World::new("e2e-dead", |config| config.uplinks.truncate(1))?;
    let daemon = world.start_with(&with_target(&world))?;
    daemon.reaches("working", |status| status.code == Code::Working)?;
    world.lab.set_fault("eth0", Fault::Nat64Dead, true)?;
    let begin = Instant::now();
    // Somebody has to miss it, or the next routine question finds out.
    until(VERDICT, || {
        let _ = world.udp_once()?;
        Ok(daemon.status()?.code == Code::PlatSilent)
    })?;
    figure("dead NAT64, one check server: default withdrawn", &format!("{:.1?}", begin.elapsed()));
    let status = daemon.status()?;
    ensure!(status.state == State::Down && status.clat.is_none() && status.plane.is_some(), "{status:#?}");
    ensure!(!our_default(&world)?, "a dead default is worse than none");
    let check = daemon.cli(&["check"])?;
    ensure!(check.status.code() == Some(11), "{check:?}");

    world.lab.set_fault("eth0", Fault::Nat64Dead, false)?;
    until(Duration::from_secs(40), || our_default(&world))?;
    ensure!(world.udp()?.received == 10, "IPv4 is back");
    let status = daemon.reaches("working", |status| status.code == Code::Working)?;
    ensure!(status.rearms.last_reason.as_deref() == Some("path-dead"), "{:?}", status.rearms);
    daemon.stop()
}

/// RFC 7050 section 3, RFC 8781 section 5: where a network has several prefixes, the order is its own, but one that leads nowhere
/// makes room for the next.
#[test]
fn of_two_prefixes_the_one_that_answers_is_used() -> Result<()> {
    let (dead, alive): (Pref64, Pref64) = ("2001:db8:ff::/96".parse()?, "2001:db8:64::/96".parse()?);
    let world = World::new("e2e-twopref", |config| {
        config.uplinks.truncate(1);
        config.uplinks[0].pref64 = vec![AnnouncedPref64::new(dead), AnnouncedPref64::new(alive)];
        config.uplinks[0].translated = vec![alive];
    })?;
    let daemon = world.start_with(&with_target(&world))?;
    let begin = Instant::now();
    let status = daemon.reaches("working", |status| status.code == Code::Working)?;
    figure("the first of two prefixes is dead: working by the second", &format!("{:.1?}", begin.elapsed()));
    ensure!(status.pref64.first().is_some_and(|used| used.prefix == alive), "{status:#?}");
    ensure!(world.udp()?.received == 10, "apps' packets");
    let said = daemon.cli(&["status", "-v"])?;
    let said = String::from_utf8_lossy(&said.stdout);
    ensure!(said.contains(&dead.to_string()) && said.contains(&alive.to_string()), "both are shown: {said}");
    daemon.stop()
}

/// The second uplink's X is claimed and answered for before anything happens, and the host knows nothing of it.
#[test]
fn the_second_uplink_is_ready() -> Result<()> {
    let world = World::new("e2e-warm", |_| ())?;
    let daemon = world.start()?;
    let status = daemon.reaches("a spare", |status| status.spare.as_ref().is_some_and(|spare| spare.ready))?;
    let spare = status.spare.context("a spare")?;
    ensure!(spare.name == "wlan0" && status.uplink.context("in use")?.name == "eth0");
    let router = world.lab.router("wlan0")?;
    let x = spare.v6.to_string();
    router.command("ping").args(["-c1", "-W1", "-n", &x]).output()?;
    let neighbour = router.run(&["ip", "-6", "neigh", "show", &x])?;
    ensure!(neighbour.contains("lladdr"), "the router finds it: {neighbour:?}");
    let addresses = world.lab.host().run(&["ip", "-6", "address"])?;
    ensure!(!addresses.contains(&x), "{addresses}");
    daemon.stop()
}

/// The carrier stays and the router says nothing any more: the kernel goes on sending there, we do not.
#[test]
fn a_router_that_falls_silent_makes_room() -> Result<()> {
    let mut took = Vec::new();
    for _ in 0..repetitions(1, 5) {
        let world = World::new("e2e-mute", |_| ())?;
        let daemon = world.start()?;
        daemon.reaches("a spare", |status| status.spare.as_ref().is_some_and(|spare| spare.ready))?;
        ensure!(world.udp()?.received == 10);
        world.lab.set_fault("eth0", Fault::RouterMute, true)?;
        let begin = Instant::now();
        until(PATIENCE, || world.udp_once())?;
        took.push(begin.elapsed());
        let status = daemon.status()?;
        ensure!(status.uplink.context("in use")?.name == "wlan0");
        ensure!(status.code == Code::Working && status.causes.is_empty(), "nobody is accused");
        // It speaks again, and is the better one.
        world.lab.set_fault("eth0", Fault::RouterMute, false)?;
        let back = |status: &model::Status| status.uplink.as_ref().is_some_and(|uplink| uplink.name == "eth0");
        until(Duration::from_secs(45), || Ok(back(&daemon.status()?)))?;
        ensure!(world.udp()?.received == 10);
        daemon.stop()?;
    }
    took.sort_unstable();
    figure(
        "silent router: IPv4 back by the other uplink",
        &format!("median {:.0?}, worst {:.0?}, n={}", took[took.len() / 2], took[took.len() - 1], took.len()),
    );
    Ok(())
}

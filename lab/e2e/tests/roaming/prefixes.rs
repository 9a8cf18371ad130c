//! The same router says something else.

use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};
use everclat_e2e::{World, repetitions, until};
use lab::{AnnouncedPref64, RaPatch, RaPrefix};
use model::{Code, State, Status};

use crate::{HOME, Identity, Sample, TRUTH, found, guard, is_on, judge, sample, settled, single, stream};

/// The same network with another /64.
const RENUMBERED: Identity = Identity { net: 0x9, ..HOME };

fn announce(world: &World, prefixes: Vec<RaPrefix>) -> Result<()> {
    world.lab.set_ra("eth0", RaPatch { prefixes: Some(prefixes), ..RaPatch::default() })?;
    Ok(())
}

/// Takes the host's addresses of a /64 away, as a manager does.
fn remove(world: &World, network: Identity) -> Result<Instant> {
    let net = format!("2001:db8:{:x}::/64", network.net);
    world.lab.host().ip(&["-6", "address", "flush", "dev", "eth0", "to", &net])?;
    Ok(Instant::now())
}

fn has_address(world: &World, network: Identity) -> Result<()> {
    let list = || world.lab.host().ip(&["-6", "address", "show", "dev", "eth0", "scope", "global", "-tentative"]);
    until(everclat_e2e::PATIENCE, || Ok(list()?.contains(&network.begin()))).map(drop)
}

/// Deprecated first, removed later: nothing is lost by the first, hardly anything by the second.
#[test]
fn the_prefix_is_deprecated_then_removed() -> Result<()> {
    let world = single("e2e-roam-old")?;
    found(&world, RENUMBERED)?;
    let daemon = world.start()?;
    let (mut from, mut to) = (HOME, RENUMBERED);
    let (mut deprecated, mut removed) = (Vec::new(), Vec::new());
    for _ in 0..repetitions(1, 10) {
        settled(&daemon, from)?;
        let former = daemon.status()?.clat.context("armed")?.v6;
        deprecated.push(sample(&world, || {
            let at = Instant::now();
            announce(&world, vec![RaPrefix { preferred_s: 0, ..from.prefix()? }, to.prefix()?])?;
            settled(&daemon, to)?;
            // The socket of the probes goes on with the former one.
            ensure!(world.udp()?.received == 10, "what begins now");
            Ok(at)
        })?);
        ensure!(daemon.status()?.rearms.last_reason.as_deref() != Some("prefix-changed"));
        removed.push(sample(&world, || {
            announce(&world, vec![to.prefix()?])?;
            remove(&world, from)
        })?);
        ensure!(daemon.status()?.clat.context("armed")?.v6 != former);
        std::mem::swap(&mut from, &mut to);
    }
    let lost: usize = deprecated.iter().map(|sample| sample.lost).sum();
    ensure!(lost == 0, "a prefix that is deprecated cuts nothing: {deprecated:?}");
    judge("/64 deprecated, another one preferred", Duration::from_millis(100), deprecated)?;
    judge("the deprecated /64 removed afterwards", Duration::from_millis(500), removed)?;
    daemon.stop()
}

#[test]
fn the_prefix_is_replaced_at_once() -> Result<()> {
    let world = single("e2e-roam-new")?;
    found(&world, RENUMBERED)?;
    let daemon = world.start()?;
    let (mut from, mut to) = (HOME, RENUMBERED);
    let mut samples = Vec::new();
    for _ in 0..repetitions(2, 10) {
        settled(&daemon, from)?;
        samples.push(sample(&world, || {
            announce(&world, vec![to.prefix()?])?;
            has_address(&world, to)?;
            guard(&world, &[to])?;
            remove(&world, from)
        })?);
        std::mem::swap(&mut from, &mut to);
    }
    judge("/64 replaced, the old addresses removed at once", Duration::from_millis(500), samples)?;
    daemon.stop()
}

/// The router came back with another prefix and does not know of the former one: the host keeps that for a day, and what
/// leaves from there is dropped.
#[test]
fn the_prefix_is_replaced_and_nobody_says_so() -> Result<()> {
    let mut samples = Vec::new();
    for _ in 0..repetitions(1, 5) {
        let world = single("e2e-roam-flash")?;
        found(&world, RENUMBERED)?;
        let daemon = world.start()?;
        settled(&daemon, HOME)?;
        // Longer than a router's pause between two advertisements.
        std::thread::sleep(Duration::from_millis(4_500));
        samples.push(sample(&world, || {
            guard(&world, &[RENUMBERED])?;
            let at = Instant::now();
            announce(&world, vec![RENUMBERED.prefix()?])?;
            Ok(at)
        })?);
        ensure!(is_on(&daemon.status()?, RENUMBERED));
        daemon.stop()?;
    }
    judge("/64 replaced without a word about the old one", Duration::from_secs(4), samples)
}

#[test]
fn the_status_tells_of_a_withdrawal_at_once() -> Result<()> {
    let world = single("e2e-roam-gone")?;
    let daemon = world.start()?;
    settled(&daemon, HOME)?;
    let begin = Instant::now();
    world.lab.set_ra("eth0", RaPatch::withdrawn())?;
    let gone = |status: &Status| status.code == Code::NoPref64 && status.clat.is_none();
    let status = daemon.reaches("without a prefix", gone)?;
    ensure!(begin.elapsed() < TRUTH && status.state != State::Working, "{:?} {status:#?}", begin.elapsed());
    ensure!(world.udp()?.sent == 0, "no route of ours where it would lead nowhere");
    daemon.reaches("down", |status| status.state == State::Down)?;
    daemon.stop()
}

/// It advertises no more by itself but answers: what it announced is asked for in time, again and again.
#[test]
fn a_router_that_only_answers() -> Result<()> {
    let world = single("e2e-roam-asked")?;
    let announced = AnnouncedPref64 { lifetime_s: 8, ..AnnouncedPref64::new(HOME.pref64()?) };
    world.lab.set_ra("eth0", RaPatch { interval_ms: Some(600_000), ..RaPatch::announce([announced]) })?;
    let daemon = world.start()?;
    settled(&daemon, HOME)?;
    let stream = stream(&world)?;
    let asked = world.lab.ra("eth0")?.solicitations;
    std::thread::sleep(Duration::from_secs(20));
    let trace = stream.finish();
    let asked = world.lab.ra("eth0")?.solicitations - asked;
    ensure!(trace.lost() == 0, "{} lost\nlog:\n{}", trace.lost(), daemon.log());
    ensure!((2..=6).contains(&asked), "asked {asked} times in 20 s for what lasts 8 s");
    let samples = vec![Sample { outage: Some(trace.longest_gap()), lost: trace.lost() }];
    judge("router that answers but advertises no more, for twice the lifetime", Duration::from_millis(200), samples)?;
    // Now it answers nobody any more.
    world.lab.set_ra("eth0", RaPatch { silent: Some(true), send_now: false, ..RaPatch::default() })?;
    let status = daemon.reaches("expired", |status| status.clat.is_none())?;
    ensure!(status.pref64.is_empty(), "{status:#?}");
    daemon.reaches("down", |status| status.state == State::Down && status.code == Code::Pref64Expired)?;
    daemon.stop()
}

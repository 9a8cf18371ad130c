//! Another router, another network under the same name, another address of our own.

use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};
use everclat_e2e::repetitions;
use lab::RaPatch;

use crate::{HOME, Identity, become_network, found, is_on, judge, sample, settled, single};

/// The same network behind another machine.
const REPLACED: Identity = Identity { mac: 7, ..HOME };
/// Duplicate detection takes a second.
const CLAIMED: Duration = Duration::from_millis(1_500);
/// Another network: only the router's link-local address is the same.
const ELSEWHERE: Identity = Identity { mac: 8, net: 0x8, nat64: 0x68 };

#[test]
fn the_router_is_replaced_and_says_so() -> Result<()> {
    let world = single("e2e-roam-router")?;
    let daemon = world.start()?;
    let (mut from, mut to) = (HOME, REPLACED);
    let mut samples = Vec::new();
    for _ in 0..repetitions(2, 10) {
        settled(&daemon, from)?;
        samples.push(sample(&world, || {
            become_network(&world, to)?;
            let at = Instant::now();
            world.lab.set_ra("eth0", to.advertisement()?)?;
            Ok(at)
        })?);
        std::mem::swap(&mut from, &mut to);
    }
    judge("router replaced, same addresses, it advertises", Duration::from_millis(500), samples)?;
    daemon.stop()
}

/// It advertises only when it is asked: that it is another one, neighbour discovery has to find out.
#[test]
fn the_router_is_replaced_without_a_word() -> Result<()> {
    let world = single("e2e-roam-mute")?;
    world.lab.set_ra("eth0", RaPatch { interval_ms: Some(600_000), ..HOME.advertisement()? })?;
    let daemon = world.start()?;
    let (mut from, mut to) = (HOME, REPLACED);
    let mut samples = Vec::new();
    for _ in 0..repetitions(1, 10) {
        settled(&daemon, from)?;
        samples.push(sample(&world, || {
            world.lab.set_ra("eth0", RaPatch { send_now: false, ..to.advertisement()? })?;
            become_network(&world, to)?;
            Ok(Instant::now())
        })?);
        std::mem::swap(&mut from, &mut to);
    }
    judge("router replaced, same addresses, it says nothing by itself", Duration::from_secs(2), samples)?;
    daemon.stop()
}

#[test]
fn another_network_under_the_same_name() -> Result<()> {
    let mut samples = Vec::new();
    for _ in 0..repetitions(1, 5) {
        let world = single("e2e-roam-away")?;
        found(&world, ELSEWHERE)?;
        let daemon = world.start()?;
        settled(&daemon, HOME)?;
        samples.push(sample(&world, || {
            become_network(&world, ELSEWHERE)?;
            let at = Instant::now();
            world.lab.set_ra("eth0", ELSEWHERE.advertisement()?)?;
            Ok(at)
        })?);
        let status = daemon.status()?;
        ensure!(is_on(&status, ELSEWHERE), "{status:#?}");
        daemon.reaches("without the old prefix", |status| status.pref64.len() == 1)?;
        daemon.stop()?;
    }
    judge("another network behind the same link-local address", Duration::from_secs(2), samples)
}

#[test]
fn our_own_address_changes() -> Result<()> {
    let world = single("e2e-roam-mac")?;
    let daemon = world.start()?;
    let mut samples = Vec::new();
    // X has to be ours: until then nobody may be told to send its packets elsewhere (RFC 4429 section 3.3).
    std::thread::sleep(CLAIMED);
    for last in 0..repetitions(2, 10) {
        settled(&daemon, HOME)?;
        let x = daemon.status()?.clat.context("armed")?.v6;
        samples.push(sample(&world, || {
            world.lab.host().ip(&["link", "set", "eth0", "address", &format!("06:00:00:00:01:{last:02x}")])?;
            Ok(Instant::now())
        })?);
        ensure!(daemon.status()?.clat.context("armed")?.v6 == x, "X depends on no link-layer address");
    }
    judge("our own link-layer address changed, carrier stays", Duration::from_millis(500), samples)?;
    daemon.stop()
}

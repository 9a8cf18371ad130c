//! The service is stopped, as by a host that sleeps, and the network goes on without it.

use std::time::{Duration, Instant};

use anyhow::{Result, ensure};
use everclat_e2e::repetitions;
use lab::{AnnouncedPref64, RaPatch};
use model::{State, Status};

use crate::{HOME, Identity, TRUTH, become_network, end, found, is_on, judge, settled, single, stream};

const ELSEWHERE: Identity = Identity { mac: 8, net: 0x8, nat64: 0x68 };

/// So long that timers that were due are late enough to tell.
const NIGHT: Duration = Duration::from_secs(12);

#[test]
fn it_wakes_in_another_network() -> Result<()> {
    let mut samples = Vec::new();
    for _ in 0..repetitions(1, 5) {
        let world = single("e2e-sleep-away")?;
        found(&world, ELSEWHERE)?;
        let daemon = world.start()?;
        settled(&daemon, HOME)?;
        let stream = stream(&world)?;
        daemon.sleep()?;
        become_network(&world, ELSEWHERE)?;
        world.lab.set_ra("eth0", ELSEWHERE.advertisement()?)?;
        std::thread::sleep(NIGHT);
        let at = daemon.wake()?;
        let told = daemon.reaches("in the other network", |status| is_on(status, ELSEWHERE));
        ensure!(told.is_ok() && at.elapsed() < TRUTH, "{:?}: {told:?}", at.elapsed());
        samples.push(end(stream, at));
        daemon.stop()?;
    }
    judge("awake in another network (from waking)", Duration::from_secs(2), samples)
}

/// The same router's address, another machine behind it, and no NAT64: what was learnt is of no use.
#[test]
fn it_wakes_in_a_network_without_nat64() -> Result<()> {
    let world = single("e2e-sleep-none")?;
    found(&world, ELSEWHERE)?;
    let daemon = world.start()?;
    settled(&daemon, HOME)?;
    daemon.sleep()?;
    become_network(&world, ELSEWHERE)?;
    world.lab.set_ra("eth0", RaPatch { pref64: Some(Vec::new()), ..ELSEWHERE.advertisement()? })?;
    std::thread::sleep(NIGHT);
    let at = daemon.wake()?;
    let gone = |status: &Status| status.clat.is_none() && status.pref64.is_empty();
    daemon.reaches("without a prefix", gone)?;
    ensure!(at.elapsed() < TRUTH, "{:?}\nlog:\n{}", at.elapsed(), daemon.log());
    daemon.reaches("down", |status| status.state == State::Down)?;
    daemon.stop()
}

/// What its router said has run out meanwhile, and the router is silent: it must not go on as if nothing had happened.
#[test]
fn it_wakes_when_lifetimes_are_over() -> Result<()> {
    let world = single("e2e-sleep-late")?;
    let announced =
        |lifetime_s| AnnouncedPref64 { lifetime_s, ..AnnouncedPref64::new(HOME.pref64().expect("a prefix")) };
    world.lab.set_ra("eth0", RaPatch::announce([announced(8)]))?;
    let daemon = world.start()?;
    settled(&daemon, HOME)?;
    daemon.sleep()?;
    world.lab.set_ra("eth0", RaPatch { silent: Some(true), send_now: false, ..RaPatch::default() })?;
    std::thread::sleep(NIGHT);
    let at = daemon.wake()?;
    daemon.reaches("without a prefix", |status| status.clat.is_none() && status.pref64.is_empty())?;
    ensure!(at.elapsed() < TRUTH, "{:?}", at.elapsed());
    world.lab.set_ra("eth0", RaPatch { silent: Some(false), ..RaPatch::announce([announced(1800)]) })?;
    settled(&daemon, HOME)?;
    ensure!(world.udp()?.received == 10);
    daemon.stop()
}

/// Nothing has changed: everything is asked again, and nothing is lost by that.
#[test]
fn it_wakes_where_it_fell_asleep() -> Result<()> {
    let mut samples = Vec::new();
    let world = single("e2e-sleep-same")?;
    // Somebody speaks, so that timers are due.
    let daemon = world.start()?;
    for _ in 0..repetitions(1, 5) {
        settled(&daemon, HOME)?;
        let stream = stream(&world)?;
        let asked = world.lab.ra("eth0")?.solicitations;
        daemon.sleep()?;
        std::thread::sleep(NIGHT);
        let at = daemon.wake()?;
        samples.push(end(stream, at));
        let begin = Instant::now();
        while world.lab.ra("eth0")?.solicitations == asked {
            ensure!(begin.elapsed() < TRUTH, "the router was not asked\nlog:\n{}", daemon.log());
            std::thread::sleep(Duration::from_millis(20));
        }
    }
    judge("awake in the same network (from waking)", Duration::from_millis(200), samples)?;
    daemon.stop()
}

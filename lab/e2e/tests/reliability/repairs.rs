//! Somebody takes away what is ours.

use std::time::Instant;

use anyhow::Result;
use everclat_e2e::events::{Events, Notice};
use everclat_e2e::{Daemon, World, repetitions};

use crate::{Sample, bar, judge, sample, server4, settled};

/// Who does not repair it three times will not do so the thirtieth time.
const ENOUGH: usize = 3;

/// Deletes by `ip` with these words; a service that does not repair it is started anew for the next time.
fn delete(name: &str, words: &[&str], gone: impl Fn(&Notice) -> bool) -> Result<Vec<Sample>> {
    let world = World::new(name, |_| ())?;
    let mut daemon = world.start()?;
    let mut samples = Vec::new();
    for _ in 0..repetitions(2, 30) {
        if samples.len() >= ENOUGH && samples.iter().all(|sample: &Sample| sample.outage.is_none()) {
            break;
        }
        // From the fourth time within a minute it would be a quarrel, which is answered slowly on purpose; a person ends it.
        daemon.cli(&["rearm"])?;
        daemon.ready()?;
        settled(&daemon)?;
        let deletion = |events: &Events| -> Result<Instant> {
            world.lab.host().ip(words)?;
            events.first(&gone)
        };
        let one = sample(&world, server4(&world), deletion)?;
        samples.push(one);
        if one.outage.is_none() {
            daemon = anew(&world, daemon)?;
        }
    }
    daemon.stop()?;
    Ok(samples)
}

/// It may have ended by itself.
fn anew(world: &World, daemon: Daemon) -> Result<Daemon> {
    drop(daemon);
    let daemon = world.start()?;
    daemon.ready()?;
    Ok(daemon)
}

#[test]
fn our_route_is_deleted() -> Result<()> {
    let ours = |notice: &Notice| *notice == Notice::Ipv4DefaultGone { protocol: 236 };
    let samples = delete("e2e-rel-route", &["-4", "route", "delete", "default", "proto", "236"], ours)?;
    judge("our route deleted by someone", Some(bar(50, 300)), samples)
}

#[test]
fn our_address_is_deleted() -> Result<()> {
    let ours = |notice: &Notice| *notice == Notice::Ipv4AddressGone([192, 0, 0, 2]);
    let samples = delete("e2e-rel-address", &["address", "delete", "192.0.0.2/32", "dev", "everclat0"], ours)?;
    judge("our address deleted by someone", Some(bar(50, 300)), samples)
}

#[test]
fn our_tunnel_is_deleted() -> Result<()> {
    let ours = |notice: &Notice| *notice == Notice::LinkGone { name: "everclat0".to_owned() };
    let samples = delete("e2e-rel-tunnel", &["link", "delete", "everclat0"], ours)?;
    judge("our TUN deleted by someone", Some(bar(50, 300)), samples)
}

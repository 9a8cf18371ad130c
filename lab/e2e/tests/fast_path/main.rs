//! Flows that the kernel translates by itself. Each test looks at its counters: none can pass by the service alone.

use std::net::{IpAddr, SocketAddr};

use anyhow::{Context, Result, ensure};
use everclat_e2e::{Daemon, PATIENCE, World};
use lab::{AnnouncedPref64, Nat64, probe};
use model::{FastState, FastStatus, Status};

/// What `status` says about it.
fn fast(status: &Status) -> Result<&FastStatus> {
    status.clat.as_ref().and_then(|clat| clat.fast_path.as_ref()).context("it says nothing about the fast path")
}

fn is_on(status: &Status) -> bool {
    fast(status).is_ok_and(|fast| fast.state == FastState::On)
}

/// Ready, with the fast path on.
fn ready(world: &World, config: &str) -> Result<Daemon> {
    let daemon = world.start_verbose(config)?;
    daemon.ready()?;
    daemon.reaches("the fast path on", is_on)?;
    Ok(daemon)
}

fn reflecting(name: &str) -> Result<World> {
    World::new(name, |config| {
        for uplink in &mut config.uplinks {
            uplink.nat64 = Nat64::Reflector;
            uplink.pref64 = vec![AnnouncedPref64::new("2001:db8:64::/96".parse().expect("a prefix"))];
        }
    })
}

#[test]
fn flows_go_by_it_and_are_counted() -> Result<()> {
    let world = reflecting("e2e-fast")?;
    let daemon = ready(&world, "")?;
    world.tcp(20 << 20)?;
    let status = daemon.status()?;
    let clat = status.clat.as_ref().context("armed")?;
    let fast = fast(&status)?;
    println!("{fast:?} {:?} {:?} {:?}", clat.packets, clat.bytes, clat.drops);
    ensure!(fast.packets.out > 100 && fast.packets.inward > 100, "{fast:?}");
    ensure!(clat.packets.out >= fast.packets.out && clat.packets.inward >= fast.packets.inward);
    // What apps have sent and got, and headers.
    let sent = 20 << 20;
    ensure!((sent..sent + sent / 10).contains(&clat.bytes.out), "{:?}", clat.bytes);
    ensure!((sent..sent + sent / 10).contains(&clat.bytes.inward), "{:?}", clat.bytes);
    ensure!(clat.drops.is_empty(), "{:?}", clat.drops);
    daemon.stop()
}

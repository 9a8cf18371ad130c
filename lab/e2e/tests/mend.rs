//! What somebody on the host takes away from us is back before apps notice much.

use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};
use everclat_e2e::{PATIENCE, World, figure, repetitions, until};
use model::{Code, State};

/// Takes something away, says how long it was until an echo got through again.
fn undo(world: &World, what: &[&str]) -> Result<Duration> {
    ensure!(world.udp_once()?, "it works before");
    world.lab.host().run(what)?;
    let begin = Instant::now();
    until(PATIENCE, || world.udp_once())?;
    Ok(begin.elapsed())
}

fn note(name: &str, mut took: Vec<Duration>) {
    took.sort_unstable();
    let (median, worst) = (took[took.len() / 2], took[took.len() - 1]);
    figure(name, &format!("median {median:.0?}, worst {worst:.0?}, n={}", took.len()));
}

#[test]
fn what_is_taken_away_is_put_back() -> Result<()> {
    let world = World::new("e2e-mend", |_| ())?;
    let daemon = world.start()?;
    daemon.ready()?;
    let things: [(&str, &[&str]); 4] = [
        ("our default route deleted: IPv4 back", &["ip", "route", "del", "default", "dev", "everclat0"]),
        ("our address deleted: IPv4 back", &["ip", "addr", "flush", "dev", "everclat0"]),
        ("our tunnel switched off: IPv4 back", &["ip", "link", "set", "everclat0", "down"]),
        ("our tunnel deleted: IPv4 back", &["ip", "link", "del", "everclat0"]),
    ];
    for (name, what) in things {
        let mut took = Vec::new();
        for _ in 0..repetitions(1, 10) {
            took.push(undo(&world, what).context(name)?);
            // Three in a row are put back at once; more within a minute would be a quarrel.
            daemon.cli(&["rearm"])?;
            daemon.ready()?;
        }
        note(name, took);
    }
    ensure!(daemon.status()?.state == State::Working);
    daemon.stop()
}

/// A program that wins every time is told of, and does not keep us busy.
#[test]
fn a_quarrel_is_told() -> Result<()> {
    let world = World::new("e2e-quarrel", |_| ())?;
    let daemon = world.start()?;
    daemon.ready()?;
    for _ in 0..4 {
        until(PATIENCE, || Ok(world.lab.host().run(&["ip", "route", "del", "default", "dev", "everclat0"]).is_ok()))?;
        std::thread::sleep(Duration::from_millis(50));
    }
    let status = daemon.reaches("a quarrel", |status| status.code == Code::Blocked)?;
    ensure!(status.state == State::Limited && status.causes[0].detail.contains("4 times"), "{status:#?}");
    ensure!(daemon.cli(&["check"])?.status.code() == Some(10));
    until(PATIENCE, || world.udp_once()).context("put back all the same")?;
    daemon.stop()
}

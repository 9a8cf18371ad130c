//! An uplink that delivers frames above 64 KiB.

use std::io::{Read, Write};
use std::net::{SocketAddr, SocketAddrV6, TcpListener, TcpStream};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};
use everclat_e2e::{PATIENCE, World, figure};
use lab::{Nat64, Pref64};

use super::router;

const RAISED: &str = "185000";
const USUAL: &str = "65536";
/// Sent for a figure.
const BYTES: usize = 600 << 20;

/// What both ends of the cable put together.
fn set_sizes(world: &World, size: &str) -> Result<()> {
    let sizes = ["gro_max_size", size, "gso_max_size", size];
    world.lab.host().ip(&[&["link", "set", "eth0"][..], &sizes].concat())?;
    router(world)?.ip(&[&["link", "set", "lan"][..], &sizes].concat())?;
    Ok(())
}

/// The reflector sends `bytes` bytes; the host's app takes them as IPv4 and says how long that took. `look`: each has to be
/// what was sent.
fn download(world: &World, bytes: usize, look: bool) -> Result<Duration> {
    let server = world.lab.server_v4();
    let prefix: Pref64 = world.lab.config().uplinks[0].translated()[0];
    let v6 = SocketAddrV6::new(prefix.embed(server), 0, 0, 0);
    let listener = router(world)?.enter(|| TcpListener::bind(v6))??;
    let target = SocketAddr::new(server.into(), listener.local_addr()?.port());
    // Of a length that no segment has.
    let pattern: Vec<u8> = (0..251 * 1000).map(|at: usize| u8::try_from(at % 251).unwrap_or(0)).collect();
    let chunk = pattern.clone();
    let sender = std::thread::spawn(move || -> Result<()> {
        let (mut stream, _) = listener.accept()?;
        stream.set_write_timeout(Some(PATIENCE))?;
        let mut left = bytes;
        while left > 0 {
            let now = left.min(chunk.len());
            stream.write_all(&chunk[..now])?;
            left -= now;
        }
        Ok(())
    });
    let taken = world.lab.host().enter(|| -> Result<Duration> {
        let mut stream = TcpStream::connect_timeout(&target, PATIENCE)?;
        stream.set_read_timeout(Some(PATIENCE))?;
        let begin = Instant::now();
        let mut buffer = vec![0; pattern.len()];
        let mut left = bytes;
        while left > 0 {
            let now = left.min(buffer.len());
            stream.read_exact(&mut buffer[..now])?;
            ensure!(!look || buffer[..now] == pattern[..now], "other bytes arrived than were sent");
            left -= now;
        }
        Ok(begin.elapsed())
    })?;
    let taken = taken.context("the download")?;
    sender.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic))?;
    Ok(taken)
}

#[test]
fn large_frames_are_cut_and_nothing_collapses() -> Result<()> {
    let world = World::new("e2e-bigtcp", |config| {
        config.uplinks.truncate(1);
        config.uplinks[0].nat64 = Nat64::Reflector;
    })?;
    let daemon = world.start()?;
    daemon.ready()?;
    let gigabits =
        |taken: Duration| f64::from(u32::try_from(BYTES >> 20).unwrap_or(0)) * 8.388_608e-3 / taken.as_secs_f64();
    download(&world, 50 << 20, true)?;
    let mut ratios = Vec::new();
    for round in 0..everclat_e2e::repetitions(2, 5) {
        set_sizes(&world, USUAL)?;
        let usual = gigabits(download(&world, BYTES, false)?);
        ensure!(round > 0 || !daemon.log().contains("BIG TCP"), "nothing large yet");
        set_sizes(&world, RAISED)?;
        // The first large frame is the one that tells.
        download(&world, 50 << 20, true)?;
        let raised = gigabits(download(&world, BYTES, false)?);
        figure("download, gro_max_size 65536 and 185000", &format!("{usual:.1} and {raised:.1} Gbit/s"));
        ratios.push(raised / usual);
    }
    ensure!(daemon.log().contains("BIG TCP"), "no large frame has come: the test proves nothing");
    ratios.sort_by(f64::total_cmp);
    let median = ratios[ratios.len() / 2];
    figure("download with BIG TCP on the uplink, times without", &format!("{median:.2}"));
    ensure!(median > 0.5, "{ratios:?}");
    download(&world, 200 << 20, true)?;
    world.tcp(20 << 20)?;
    let status = daemon.status()?;
    let drops = &status.clat.as_ref().context("armed")?.drops;
    ensure!(drops.is_empty(), "{drops:?}");
    daemon.stop()
}

//! SIGTERM at any moment after the start is a clean end.

use std::os::unix::process::ExitStatusExt;
use std::time::{Duration, Instant};

use anyhow::{Result, ensure};
use everclat_e2e::{Daemon, PATIENCE, World, repetitions, until};

/// The number of SIGTERM.
const TERM: i32 = 15;

/// Whether it has said to the kernel that it wants to hear of SIGTERM.
fn catches(daemon: &Daemon) -> Result<bool> {
    let status = std::fs::read_to_string(format!("/proc/{}/status", daemon.pid()))?;
    let caught = status.lines().find_map(|line| line.strip_prefix("SigCgt:")).unwrap_or("0");
    Ok(u64::from_str_radix(caught.trim(), 16)? & 1 << (TERM - 1) != 0)
}

/// As soon as there is anything of it that could be left behind. A few milliseconds are enough for it to go further, so it
/// takes many starts.
#[test]
fn sigterm_as_soon_as_there_is_a_socket_ends_it_cleanly() -> Result<()> {
    let world = World::new("e2e-stop", |_| ())?;
    let before = world.residue()?;
    for round in 0..repetitions(20, 200) {
        let daemon = world.start()?;
        let socket = daemon.socket().to_owned();
        let begin = Instant::now();
        while !socket.exists() && begin.elapsed() < PATIENCE {
            std::thread::yield_now();
        }
        ensure!(catches(&daemon)?, "start {round}: it listens, and SIGTERM would kill it");
        daemon.stop()?;
        ensure!(!socket.exists(), "start {round}");
    }
    world.assert_as_before(&before)
}

/// Before its first instruction nobody can catch anything: then it ends by the signal, and has left nothing.
#[test]
fn sigterm_at_any_moment_leaves_nothing() -> Result<()> {
    let world = World::new("e2e-stop2", |_| ())?;
    let before = world.residue()?;
    for round in 0..repetitions(30, 300) {
        let mut daemon = world.start()?;
        let socket = daemon.socket().to_owned();
        std::thread::sleep(Duration::from_micros(500 * u64::try_from(round % 30)?));
        let caught = catches(&daemon)?;
        daemon.terminate()?;
        let mut end = None;
        until(PATIENCE, || {
            end = daemon.ended()?;
            Ok(end.is_some())
        })?;
        let clean = end.is_some_and(|end| end.success());
        let killed = end.is_some_and(|end| end.signal() == Some(TERM));
        ensure!(clean || killed && !caught, "start {round}: {end:?}, caught: {caught}\n{}", daemon.log());
        ensure!(!killed || daemon.log().is_empty(), "start {round}: it had begun\n{}", daemon.log());
        ensure!(!socket.exists(), "start {round}: {end:?}");
    }
    world.assert_as_before(&before)
}

//! TCP connections that live while the network changes under them.

use std::io::{BufRead, BufReader, Error, ErrorKind, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};
use everclat_e2e::events::Events;
use everclat_e2e::{ECHO, PATIENCE, World, figure, repetitions};
use lab::UplinkConfig;

use crate::{cut, plug_in, server4, settled, uses};

/// How fast somebody types.
const KEYSTROKE: Duration = Duration::from_millis(50);

/// What came of a session.
#[derive(Debug)]
struct Session {
    /// Longest time from a line to its echo.
    stall: Duration,
    lines: u64,
    /// How the connection broke, if it did.
    broken: Option<Error>,
}

/// A line every 50 ms, each echoed before the next one is due or whenever it comes, until `stop` or the end of the connection.
fn session(mut stream: &TcpStream, stop: &AtomicBool) -> Result<Session> {
    let mut echoes = BufReader::new(stream);
    let mut said = Session { stall: Duration::ZERO, lines: 0, broken: None };
    while !stop.load(Ordering::Relaxed) {
        let begin = Instant::now();
        let line = format!("line {}\n", said.lines);
        let mut echo = String::new();
        let exchange = stream.write_all(line.as_bytes()).and_then(|()| echoes.read_line(&mut echo));
        if let Err(error) = exchange {
            said.broken = Some(error);
            break;
        }
        ensure!(echo == line, "{line:?} came back as {echo:?}");
        said.lines += 1;
        said.stall = said.stall.max(begin.elapsed());
        std::thread::sleep(KEYSTROKE.saturating_sub(begin.elapsed()));
    }
    Ok(said)
}

fn connect(world: &World) -> Result<TcpStream> {
    let server = SocketAddr::new(server4(world), ECHO);
    let stream = world.lab.host().enter(|| TcpStream::connect_timeout(&server, PATIENCE))?.context("connect")?;
    stream.set_nodelay(true)?;
    stream.set_read_timeout(Some(PATIENCE))?;
    Ok(stream)
}

/// A session in the host while `work` is done.
fn during(world: &World, work: impl FnOnce() -> Result<()>) -> Result<Session> {
    let stream = connect(world)?;
    let stop = AtomicBool::new(false);
    std::thread::scope(|scope| {
        let session = scope.spawn(|| session(&stream, &stop));
        std::thread::sleep(4 * KEYSTROKE);
        let worked = work();
        stop.store(true, Ordering::Relaxed);
        let session = session.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic))?;
        worked.map(|()| session)
    })
}

/// Ethernet and Wi-Fi of one home router: X moves, and so does the connection.
#[test]
fn a_session_survives_on_a_shared_prefix() -> Result<()> {
    let world = World::new("e2e-rel-shared", |config| {
        config.uplinks[1] = UplinkConfig::sharing("wlan0", 600, "eth0");
    })?;
    let daemon = world.start()?;
    let mut stalls = Vec::new();
    for _ in 0..repetitions(1, 10) {
        settled(&daemon)?;
        let x = daemon.status()?.clat.context("armed")?.v6;
        let session = during(&world, || {
            cut(&world, &Events::listen(world.lab.host())?)?;
            let status = daemon.reaches("on Wi-Fi", |status| uses(status, "wlan0"))?;
            ensure!(status.clat.context("armed")?.v6 == x, "X stays");
            std::thread::sleep(20 * KEYSTROKE);
            Ok(())
        })?;
        ensure!(session.broken.is_none(), "{session:?}\nlog:\n{}", daemon.log());
        stalls.push(session.stall);
        plug_in(&world)?;
    }
    stalls.sort_unstable();
    let (median, worst) = (stalls[stalls.len() / 2], stalls[stalls.len() - 1]);
    figure(
        "TCP session over a cut, shared /64: longest wait for an echo",
        &format!("median {median:.0?}, worst {worst:.0?}, n={}", stalls.len()),
    );
    // TCP's own timer doubles from 200 ms: what was lost during a swap of 50 ms is repeated within that.
    ensure!(median <= Duration::from_secs(2), "{stalls:?}");
    daemon.stop()
}

/// The NAT64 knows nothing of the connection under another X. An app that only listens would wait for ever: it has to be
/// told. (One that goes on sending is told by the lab's server, to which TAYGA lets stray segments pass.)
#[test]
fn a_session_that_cannot_survive_is_ended() -> Result<()> {
    let world = World::new("e2e-rel-reset", |_| ())?;
    let daemon = world.start()?;
    let mut took = Vec::new();
    for _ in 0..repetitions(1, 10) {
        settled(&daemon)?;
        let mut stream = connect(&world)?;
        stream.write_all(b"hello\n")?;
        stream.read_exact(&mut [0; 6])?;
        let listening = std::thread::spawn(move || {
            let error = stream.read(&mut [0; 64]);
            (Instant::now(), error)
        });
        let at = cut(&world, &Events::listen(world.lab.host())?)?;
        let (when, heard) = listening.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic));
        let reset = heard.as_ref().is_err_and(|error| error.kind() == ErrorKind::ConnectionReset);
        ensure!(reset, "the app heard {heard:?} after {:?}", when.saturating_duration_since(at));
        took.push(when.saturating_duration_since(at));
        plug_in(&world)?;
    }
    took.sort_unstable();
    let (median, worst) = (took[took.len() / 2], took[took.len() - 1]);
    figure(
        "TCP session over a cut, different prefixes: until its end",
        &format!("median {median:.0?}, worst {worst:.0?}, n={}", took.len()),
    );
    ensure!(worst <= Duration::from_secs(1), "{took:?}");
    daemon.stop()
}

//! TCP connections that live while the network changes under them.

use std::io::{BufRead, BufReader, Error, ErrorKind, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};
use everclat_e2e::events::Events;
use everclat_e2e::{ECHO, PATIENCE, World, figure, is_full, repetitions};
use lab::{AnnouncedPref64, Dns64, RaPatch, UplinkConfig};
use model::{Pref64, Status};

use crate::{CARRIER_PAUSE, cut, plug_in, server4, settled, uses};

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

/// An app that only listens, while `event` happens: how long until its connection is reset.
fn until_reset(world: &World, event: impl FnOnce() -> Result<Instant>) -> Result<Duration> {
    let mut stream = connect(world)?;
    stream.set_read_timeout(Some(4 * PATIENCE))?;
    stream.write_all(b"hello\n")?;
    stream.read_exact(&mut [0; 6])?;
    let listening = std::thread::spawn(move || {
        let error = stream.read(&mut [0; 64]);
        (Instant::now(), error)
    });
    let at = event()?;
    let (when, heard) = listening.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic));
    let took = when.saturating_duration_since(at);
    let reset = heard.as_ref().is_err_and(|error| error.kind() == ErrorKind::ConnectionReset);
    ensure!(reset, "the app heard {heard:?} after {took:?}");
    Ok(took)
}

/// The NAT64 knows nothing of the connection under another X. An app that only listens would wait for ever: it has to be
/// told. (One that goes on sending would be told by the lab's server, to which TAYGA lets stray segments pass.)
#[test]
fn a_session_that_cannot_survive_is_ended() -> Result<()> {
    let world = World::new("e2e-rel-reset", |_| ())?;
    let daemon = world.start()?;
    let mut took = Vec::new();
    for _ in 0..repetitions(1, 10) {
        settled(&daemon)?;
        took.push(until_reset(&world, || cut(&world, &Events::listen(world.lab.host())?))?);
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

/// Native IPv4 takes no connection over.
#[test]
fn a_session_ends_when_native_ipv4_comes() -> Result<()> {
    let world = World::new("e2e-rel-native", |config| config.uplinks.truncate(1))?;
    let daemon = world.start()?;
    daemon.reaches("armed", |status| status.clat.is_some())?;
    let took = until_reset(&world, || {
        let at = Instant::now();
        world.lab.native4("eth0", true)?;
        Ok(at)
    })?;
    figure("TCP session when native IPv4 comes: until its end", &format!("{took:.0?}, switching it on included"));
    ensure!(took <= Duration::from_secs(1), "{took:?}");
    daemon.stop()
}

/// How often the host's kernel has asked back about a segment that it did not trust (RFC 5961).
fn challenges(world: &World) -> Result<u64> {
    let text = world.say(&["cat", "/proc/net/netstat"])?;
    // A line of names, then one of numbers, for each group.
    let mut groups = text.lines().filter_map(|line| line.strip_prefix("TcpExt: "));
    let (names, numbers) = (groups.next().context("names")?, groups.next().context("numbers")?);
    let found = names.split(' ').zip(numbers.split(' ')).find(|(name, _)| *name == "TCPChallengeACK");
    Ok(found.context("a counter of challenges")?.1.parse()?)
}

/// How an app that owed an acknowledgement heard of the end of its connection.
#[derive(Debug)]
struct Owing {
    took: Duration,
    how: ErrorKind,
    /// Its kernel has not believed the first reset.
    challenged: bool,
}

/// An app that only listens while `event` happens, and says so little otherwise that its kernel has not acknowledged yet what
/// it got last. The event can have it ask for that.
fn until_told(world: &World, event: impl FnOnce(&TcpStream) -> Result<Instant>) -> Result<Owing> {
    let mut stream = connect(world)?;
    // One line after the other: the kernel learns that acknowledgements can travel with the next line.
    for _ in 0..4 {
        stream.write_all(b"hello\n")?;
        stream.read_exact(&mut [0; 6])?;
    }
    let before = challenges(world)?;
    let mut ears = stream.try_clone()?;
    let listening = std::thread::spawn(move || {
        loop {
            match ears.read(&mut [0; 64]) {
                Ok(bytes) if bytes > 0 => {}
                end => return (Instant::now(), end),
            }
        }
    });
    let at = event(&stream)?;
    let (when, end) = listening.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic));
    let (took, challenged) = (when.saturating_duration_since(at), challenges(world)? > before);
    match end {
        Err(error) if error.kind() != ErrorKind::WouldBlock => Ok(Owing { took, how: error.kind(), challenged }),
        end => anyhow::bail!("the app heard {end:?} after {took:?}; challenged: {challenged}"),
    }
}

/// Native IPv4 comes, by a route of this `metric`, while apps owe acknowledgements. Gives how they heard of it.
fn native_while_owing(name: &str, metric: u32) -> Result<Vec<Owing>> {
    let world = World::new(name, |config| {
        config.uplinks.truncate(1);
        config.uplinks[0].metric = metric;
    })?;
    let daemon = world.start()?;
    let mut heard: Vec<Owing> = Vec::new();
    // Whether a reset was too little at all is a race: until it was, but not for ever.
    let proven =
        |heard: &[Owing]| heard.iter().any(|owing| owing.challenged || owing.how == ErrorKind::ConnectionAborted);
    for round in 0..60 {
        if round >= repetitions(6, 20) && proven(&heard) {
            break;
        }
        daemon.reaches("armed", |status| status.clat.is_some())?;
        let owing = until_told(&world, |mut stream| {
            daemon.sleep()?;
            if round % 3 == 2 {
                // It acknowledges the line before with this one, where we may not see it.
                world.lab.native4("eth0", true)?;
                stream.write_all(b"more\n")?;
            } else {
                // The answer and the news come at the same moment: 40 ms before the kernel acknowledges by itself.
                stream.write_all(b"more\n")?;
                world.lab.native4("eth0", true)?;
            }
            daemon.wake()
        })?;
        let known = [ErrorKind::ConnectionReset, ErrorKind::ConnectionAborted].contains(&owing.how);
        ensure!(known && owing.took <= Duration::from_secs(1), "{owing:?}\n{}", daemon.log());
        heard.push(owing);
        daemon.reaches("standing back", |status| status.clat.is_none())?;
        world.lab.native4("eth0", false)?;
    }
    ensure!(proven(&heard), "resets were always enough: {heard:?}");
    figure(
        &format!("TCP session that owes an acknowledgement, native IPv4 with metric {metric}: until its end"),
        &format!("worst {:.0?}, n={}", heard.iter().map(|owing| owing.took).max().unwrap_or_default(), heard.len()),
    );
    daemon.stop()?;
    Ok(heard)
}

/// Nobody here knows the number that a reset has to carry, and what the kernel has to say about it leaves by the native
/// uplink already.
#[test]
fn a_session_that_owes_an_acknowledgement_ends_when_native_ipv4_comes() -> Result<()> {
    native_while_owing("e2e-rel-owing", 100).map(drop)
}

/// A native route that loses to ours: the kernel says into the tunnel which number it expects, and believes that one.
#[test]
fn a_session_that_owes_an_acknowledgement_ends_by_the_number_that_its_kernel_names() -> Result<()> {
    let heard = native_while_owing("e2e-rel-asked", 20_100)?;
    // Unless the app holds its socket at that very moment: then it speaks later.
    let asked = heard.iter().filter(|owing| owing.challenged && owing.how == ErrorKind::ConnectionReset);
    ensure!(2 * asked.count() >= heard.iter().filter(|owing| owing.challenged).count(), "{heard:?}");
    Ok(())
}

/// The plane goes on, and answers who asks back.
#[test]
fn a_session_that_owes_an_acknowledgement_ends_when_x_is_gone() -> Result<()> {
    let world = World::new("e2e-rel-owing2", |_| ())?;
    let daemon = world.start()?;
    let mut heard: Vec<Owing> = Vec::new();
    for round in 0..30 {
        if round >= repetitions(3, 10) && heard.iter().any(|owing| owing.challenged) {
            break;
        }
        settled(&daemon)?;
        std::thread::sleep(CARRIER_PAUSE);
        let owing = until_told(&world, |_| {
            let at = Instant::now();
            world.lab.cut("eth0")?;
            Ok(at)
        })?;
        ensure!(owing.took <= Duration::from_secs(1) && owing.how == ErrorKind::ConnectionReset, "{owing:?}");
        heard.push(owing);
        plug_in(&world)?;
    }
    ensure!(heard.iter().any(|owing| owing.challenged), "no kernel ever asked back: {heard:?}");
    daemon.stop()
}

/// A session that began on Wi-Fi goes on there when Ethernet comes back, for half a minute; what begins later uses Ethernet.
#[test]
fn a_session_lingers_on_the_uplink_that_is_left() -> Result<()> {
    let world = World::new("e2e-rel-linger", |_| ())?;
    let daemon = world.start()?;
    settled(&daemon)?;
    world.lab.cut("eth0")?;
    daemon.reaches("on Wi-Fi", |status| uses(status, "wlan0"))?;
    let session = during(&world, || {
        plug_in(&world)?;
        settled(&daemon)?;
        ensure!(world.udp()?.received == 10, "new flows go by Ethernet");
        std::thread::sleep(20 * KEYSTROKE);
        Ok(())
    })?;
    ensure!(session.broken.is_none(), "{session:?}\nlog:\n{}", daemon.log());
    figure("TCP session when a better uplink comes: longest wait for an echo", &format!("{:.0?}", session.stall));
    ensure!(session.stall < Duration::from_secs(2), "{session:?}");
    if is_full() {
        // Then it is to have the better uplink, too. Ethernet goes and comes, because it is in use already.
        world.lab.cut("eth0")?;
        daemon.reaches("on Wi-Fi", |status| uses(status, "wlan0"))?;
        let left = until_reset(&world, || {
            plug_in(&world)?;
            settled(&daemon)?;
            Ok(Instant::now())
        })?;
        figure("TCP session on the uplink that is left: until its end", &format!("{left:.1?}"));
        ensure!((Duration::from_secs(25)..=Duration::from_secs(31)).contains(&left), "{left:?}");
    }
    daemon.stop()
}

/// After a change of prefix X stays, and soon another one that suits the prefix takes its place; who knows the first goes
/// on with it.
#[test]
fn a_session_survives_the_change_to_an_x_that_suits_the_prefix() -> Result<()> {
    let world = World::new("e2e-rel-neutral", |config| {
        config.uplinks.truncate(1);
        config.uplinks[0].dns64 = Dns64::Off;
    })?;
    let before: Pref64 = world.lab.ra("eth0")?.config.pref64[0].prefix;
    let after: Pref64 = "2001:db8:1064::/96".parse()?;
    world.lab.add_nat64("eth0", after)?;
    let daemon = world.start()?;
    let first = daemon.reaches("armed", |status| status.clat.is_some())?.clat.context("armed")?.v6;
    let old = AnnouncedPref64 { prefix: before, lifetime_s: 0 };
    world.lab.set_ra("eth0", RaPatch::announce([AnnouncedPref64::new(after), old]))?;
    let changed = |status: &Status| status.pref64.first().is_some_and(|known| known.prefix == after);
    let kept = daemon.reaches("with the new prefix", changed)?.clat.context("armed")?;
    ensure!(kept.v6 == first, "X stays when the prefix changes");
    let session = during(&world, || {
        let suits = |status: &Status| {
            status.clat.as_ref().is_some_and(|clat| clat.v6 != first && xlat::is_neutral(clat.v4, clat.v6, after))
        };
        daemon.reaches("another X", suits)?;
        ensure!(world.udp()?.received == 10, "it serves new flows");
        std::thread::sleep(20 * KEYSTROKE);
        Ok(())
    })?;
    ensure!(session.broken.is_none() && session.stall < Duration::from_secs(2), "{session:?}\n{}", daemon.log());
    daemon.stop()
}

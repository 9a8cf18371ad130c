//! Native IPv6 and IPv4 on the same interface.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, UdpSocket};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail, ensure};
use everclat_e2e::{ECHO, PATIENCE, World, figure, is_full, repetitions};
use lab::probe;
use model::State;

use crate::{ip, single};

/// What the host's apps see of the network without IPv4 translation.
#[derive(Debug, PartialEq, Eq)]
struct View {
    source: IpAddr,
    answers: Vec<(String, bool)>,
    echoes: u32,
    tcp: bool,
    hops: Vec<String>,
    closed_port: std::io::ErrorKind,
}

fn look(world: &World) -> Result<View> {
    let host = world.lab.host();
    let server = world.lab.server_v6();
    let echo = SocketAddr::new(IpAddr::V6(server), ECHO);
    let mut answers = Vec::new();
    let gateway = format!("{}%eth0", world.lab.gateway());
    let neighbour = world.lab.neighbour("eth0")?.to_string();
    for target in [&server.to_string(), &neighbour, &gateway, "::1", "127.0.0.1", "192.0.2.1"] {
        answers.push((target.to_owned(), world.ping(target, 56)?));
    }
    // The largest packet of the link, and one that the host has to cut.
    for size in [1452, 4000] {
        answers.push((format!("{size} bytes"), world.ping(&server.to_string(), size)?));
    }
    let source = host.enter(|| -> std::io::Result<IpAddr> {
        let socket = UdpSocket::bind((Ipv6Addr::UNSPECIFIED, 0))?;
        socket.connect(echo)?;
        Ok(socket.local_addr()?.ip())
    })??;
    // From outside to a port where nobody listens: the kernel's own answer.
    let closed_port = world.lab.inet().enter(|| -> std::io::Result<std::io::ErrorKind> {
        let socket = UdpSocket::bind((server, 0))?;
        socket.connect((source, 9999))?;
        socket.set_read_timeout(Some(Duration::from_secs(2)))?;
        socket.send(b"anyone?")?;
        Ok(socket.recv(&mut [0; 8]).map_or_else(|error| error.kind(), |_| std::io::ErrorKind::Other))
    })??;
    Ok(View {
        source,
        answers,
        echoes: world.udp_to(IpAddr::V6(server))?.received,
        tcp: host.enter(|| probe::tcp(echo, 4 << 20, PATIENCE))?.is_ok(),
        hops: hops(world, server)?,
        closed_port,
    })
}

/// Who answers at each hop limit, up to the target.
fn hops(world: &World, target: Ipv6Addr) -> Result<Vec<String>> {
    let mut hops = Vec::new();
    for limit in 1..10 {
        let said = world.say(&["ping", "-6", "-n", "-c1", "-W2", "-t", &limit.to_string(), &target.to_string()])?;
        if said.contains("bytes from") {
            hops.push("the target".to_owned());
            return Ok(hops);
        }
        let from = said.lines().find_map(|line| line.strip_prefix("From ")?.split_whitespace().next());
        hops.push(from.with_context(|| format!("hop {limit} says nothing: {said}"))?.to_owned());
    }
    bail!("{target} is not reached: {hops:?}")
}

#[test]
fn native_ipv6_is_as_it_was() -> Result<()> {
    let world = single("e2e-native6")?;
    // Also IPv4 on the link itself, without a way out.
    ip(world.lab.host(), &["address add 192.0.2.2/24 dev eth0"])?;
    ip(world.lab.router("eth0")?, &["address add 192.0.2.1/24 dev lan"])?;
    let before = look(&world)?;
    ensure!(before.answers.iter().all(|(_, answered)| *answered) && before.tcp && before.echoes == 10, "{before:?}");
    ensure!(before.hops.len() == 2 && before.closed_port == std::io::ErrorKind::ConnectionRefused, "{before:?}");
    let state = world.residue()?;
    let daemon = world.start()?;
    daemon.ready()?;
    ensure!(world.udp()?.received == 10, "armed and in use");
    let while_armed = look(&world)?;
    ensure!(while_armed == before, "before: {before:?}\nwhile armed: {while_armed:?}");
    ensure!(daemon.status()?.state == State::Working, "still armed");
    daemon.stop()?;
    world.assert_as_before(&state)
}

/// Reads the host's IPv4 routes again and again until `wanted`; the moment of the last reading before it, at most a fraction
/// of a millisecond earlier, is the moment of the change.
pub(crate) fn watch(patience: Duration, wanted: impl Fn(&str) -> bool) -> Result<Instant> {
    let begin = Instant::now();
    let mut last = begin;
    while begin.elapsed() < patience {
        let now = Instant::now();
        if wanted(&std::fs::read_to_string("/proc/thread-self/net/route")?) {
            return Ok(last);
        }
        last = now;
        // The service needs the processor, too.
        std::thread::sleep(Duration::from_micros(100));
    }
    bail!("no such change of routes in {patience:?}")
}

/// `/proc/net/route`: interface, destination, gateway and more.
pub(crate) fn has_default(routes: &str, interface: &str) -> bool {
    routes.lines().any(|line| {
        let mut fields = line.split_whitespace();
        fields.next() == Some(interface) && fields.next() == Some("00000000")
    })
}

/// Echoes over IPv4 until one comes back.
pub(crate) fn wait_for_echo(server: Ipv4Addr) -> Result<()> {
    let begin = Instant::now();
    let socket = UdpSocket::bind((Ipv4Addr::UNSPECIFIED, 0))?;
    socket.set_read_timeout(Some(Duration::from_millis(5)))?;
    while begin.elapsed() < PATIENCE {
        if socket.send_to(b"everclat", (server, ECHO)).is_err() {
            std::thread::sleep(Duration::from_micros(500));
        } else if socket.recv_from(&mut [0; 64]).is_ok() {
            return Ok(());
        }
    }
    bail!("no echo in {PATIENCE:?}")
}

/// Bars of the full run: our default gone 100 ms after the native one appears; IPv4 back 300 ms after it went.
#[test]
fn native_ipv4_comes_and_goes_at_once() -> Result<()> {
    let world = single("e2e-native4")?;
    let daemon = world.start()?;
    daemon.ready()?;
    let (mut gone, mut back) = (Vec::new(), Vec::new());
    for _ in 0..repetitions(3, 20) {
        daemon.reaches("armed", |status| status.clat.is_some())?;
        gone.push(during(&world, true, |_| {
            let came = watch(PATIENCE, |routes| has_default(routes, "eth0"))?;
            watch(PATIENCE, |routes| !has_default(routes, "everclat0"))?;
            Ok(came.elapsed())
        })?);
        daemon.reaches("standby", |status| status.state == State::StandbyNative)?;
        ensure!(world.udp()?.received == 10, "native IPv4 serves");
        back.push(during(&world, false, |server| {
            let went = watch(PATIENCE, |routes| !has_default(routes, "eth0"))?;
            wait_for_echo(server)?;
            Ok(went.elapsed())
        })?);
    }
    let came = summary("native IPv4 comes: our default gone", &mut gone);
    let went = summary("native IPv4 goes: first IPv4 reply through us", &mut back);
    let bars = if is_full() { (100, 300) } else { (1000, 3000) };
    ensure!(came <= Duration::from_millis(bars.0), "{gone:?}");
    ensure!(went <= Duration::from_millis(bars.1), "{back:?}");
    daemon.stop()
}

/// Measures in the host while native IPv4 is switched.
fn during(world: &World, on: bool, measure: impl FnOnce(Ipv4Addr) -> Result<Duration> + Send) -> Result<Duration> {
    let server = world.lab.server_v4();
    std::thread::scope(|scope| {
        let measured = scope.spawn(|| world.lab.host().enter(|| measure(server))?);
        // It reads routes by then.
        std::thread::sleep(Duration::from_millis(50));
        world.lab.native4("eth0", on)?;
        measured.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic))
    })
}

/// Notes the figure and gives the median.
pub(crate) fn summary(name: &str, took: &mut [Duration]) -> Duration {
    took.sort_unstable();
    let (median, worst) = (took[took.len() / 2], took[took.len() - 1]);
    let p90 = took[(took.len() * 9).div_ceil(10) - 1];
    figure(name, &format!("median {median:.1?}, p90 {p90:.1?}, worst {worst:.1?}, n={}", took.len()));
    median
}

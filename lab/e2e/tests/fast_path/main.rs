//! Flows that the kernel translates by itself. Each test looks at its counters: none can pass by the service alone.

use std::io::{BufRead, BufReader, ErrorKind, Read, Write};
use std::net::{IpAddr, SocketAddr, TcpStream, UdpSocket};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};
use aya::programs::{SchedClassifier, TcAttachType};
use everclat_e2e::events::{Events, Notice};
use everclat_e2e::stream::Stream;
use everclat_e2e::{Daemon, ECHO, PATIENCE, World, figure, repetitions, until};
use lab::{AnnouncedPref64, Nat64};
use model::{Bytes, FastState, FastStatus, Status};
use nix::sys::socket::{setsockopt, sockopt};

/// What `status` says about it.
fn fast(status: &Status) -> Result<&FastStatus> {
    status.clat.as_ref().and_then(|clat| clat.fast_path.as_ref()).context("it says nothing about the fast path")
}

fn is_on(status: &Status) -> bool {
    fast(status).is_ok_and(|fast| fast.state == FastState::On)
}

/// Packets that went by it.
fn packets(daemon: &Daemon) -> Result<Bytes> {
    Ok(fast(&daemon.status()?)?.packets)
}

/// Ready, with the fast path on.
fn ready(world: &World) -> Result<Daemon> {
    let daemon = world.start_verbose("")?;
    daemon.ready()?;
    daemon.reaches("the fast path on", is_on)?;
    Ok(daemon)
}

/// Only our translator is on the way.
fn reflecting(name: &str, pref64: &str) -> Result<World> {
    let pref64 = AnnouncedPref64::new(pref64.parse()?);
    World::new(name, |config| {
        config.uplinks.truncate(1);
        config.uplinks[0].nat64 = Nat64::Reflector;
        config.uplinks[0].pref64 = vec![pref64];
    })
}

fn server(world: &World) -> SocketAddr {
    SocketAddr::new(IpAddr::V4(world.lab.server_v4()), ECHO)
}

#[test]
fn flows_go_by_it_whole_and_are_counted() -> Result<()> {
    let world = reflecting("e2e-fast", "2001:db8:64::/96")?;
    let daemon = ready(&world)?;
    world.tcp(20 << 20)?;
    let status = daemon.status()?;
    let (clat, fast) = (status.clat.as_ref().context("armed")?, fast(&status)?);
    ensure!(fast.packets.out > 50 && fast.packets.inward > 50, "{fast:?}");
    ensure!(clat.packets.out >= fast.packets.out && clat.packets.inward >= fast.packets.inward, "{clat:?}");
    // What apps have sent and got, and headers; in super-packets.
    let sent = 20 << 20;
    for (bytes, packets) in [(clat.bytes.out, clat.packets.out), (clat.bytes.inward, clat.packets.inward)] {
        ensure!((sent..sent + sent / 10).contains(&bytes), "{clat:?}");
        ensure!(bytes / packets > 5_000, "super-packets were cut: {clat:?}");
    }
    ensure!(clat.drops.is_empty(), "{clat:?}");
    daemon.reaches("CL-000", |status| status.code == model::Code::Working && status.evidence.age_s.is_some())?;

    let said = world.say(&["ping", "-n", "-q", "-i", "0.01", "-c", "60", "198.51.100.10"])?;
    ensure!(said.contains(" 0% packet loss"), "{said}");
    let echoes = packets(&daemon)?;
    ensure!(echoes.out >= fast.packets.out + 40 && echoes.inward >= fast.packets.inward + 40, "{echoes:?}");

    // As bytes on the wire, checksums included, they are what the receiving kernel takes.
    let errors =
        world.lab.router("eth0")?.run(&["nstat", "-saz", "TcpInCsumErrors", "UdpInCsumErrors", "Icmp6InCsumErrors"])?;
    for line in errors.lines().filter(|line| line.contains("CsumErrors")) {
        ensure!(line.split_whitespace().nth(1) == Some("0"), "bad checksums arrived: {line}");
    }
    daemon.stop()
}

#[test]
fn datagrams_in_super_packets_stay_whole() -> Result<()> {
    const SIZE: usize = 1200;
    let world = reflecting("e2e-fast-uso", "2001:db8:64::/96")?;
    let daemon = ready(&world)?;
    let socket = world.lab.host().enter(|| UdpSocket::bind("0.0.0.0:0"))??;
    socket.set_read_timeout(Some(Duration::from_secs(1)))?;
    socket.connect(server(&world))?;
    setsockopt(&socket, sockopt::UdpGsoSegment, &i32::try_from(SIZE)?)?;
    let mut echoed = 0;
    for round in 0..60u8 {
        socket.send(&[round; 10 * SIZE])?;
        let mut answer = [0; 2 * SIZE];
        for _ in 0..10 {
            let Ok(length) = socket.recv(&mut answer) else { break };
            ensure!(length == SIZE && answer[..length] == [round; SIZE], "{round} came back as something else");
            echoed += 1;
        }
    }
    ensure!(echoed >= 590, "only {echoed} of 600 came back");
    let status = daemon.status()?;
    let (clat, fast) = (status.clat.as_ref().context("armed")?, fast(&status)?);
    ensure!(fast.packets.out >= 40 && fast.packets.inward >= 40, "{fast:?}");
    ensure!(clat.packets.out <= 70, "ten datagrams are one packet: {clat:?}");
    ensure!(clat.bytes.out >= 60 * 10 * 1200, "{clat:?}");
    daemon.stop()
}

#[test]
fn without_it_everything_works_and_the_reason_is_told() -> Result<()> {
    for (name, pref64, config, reason) in [
        ("e2e-fast-set", "2001:db8:64::/96", "FastPath = \"off\"\n", "setting"),
        ("e2e-fast-sum", "2001:db8:64:64::/64", "", "not-neutral"),
    ] {
        let world = reflecting(name, pref64)?;
        let daemon = world.start_with(config)?;
        daemon.ready()?;
        let told = |status: &Status| fast(status).is_ok_and(|fast| fast.reason.as_deref() == Some(reason));
        daemon.reaches(reason, told)?;
        world.tcp(1 << 20)?;
        ensure!(world.udp()?.received == 10, "UDP");
        let status = daemon.status()?;
        ensure!(fast(&status)?.packets == Bytes::default() && told(&status), "{status:?}");
        let said = daemon.cli(&["status", "-v"])?.stdout;
        ensure!(String::from_utf8_lossy(&said).contains(&format!("({reason})")), "{}", String::from_utf8_lossy(&said));
        daemon.stop()?;
    }
    Ok(())
}

/// How many programs are on TCX hooks of an interface in the host.
fn programs(world: &World, interface: &str, at: TcAttachType) -> Result<usize> {
    let (_, programs) = world.lab.host().enter(|| SchedClassifier::query_tcx(interface, at))??;
    Ok(programs.len())
}

#[test]
fn nothing_is_left_of_it() -> Result<()> {
    let world = World::new("e2e-fast-kill", |_| ())?;
    let before = world.residue()?;
    let counts = || -> Result<[usize; 2]> {
        let count = |interface| programs(&world, interface, TcAttachType::Ingress);
        Ok([count("eth0")?, count("wlan0")?])
    };
    for kill in [true, false] {
        ensure!(counts()? == [0, 0], "{:?} before", counts()?);
        let daemon = ready(&world)?;
        until(PATIENCE, || Ok(counts()? == [1, 1])).context("on both uplinks")?;
        ensure!(programs(&world, "everclat0", TcAttachType::Egress)? == 1, "on the tunnel");
        ensure!(programs(&world, "everclat0", TcAttachType::Ingress)? == 0, "the trial is over");
        world.tcp(1 << 20)?;
        ensure!(packets(&daemon)?.out > 5, "{:?}", packets(&daemon)?);
        if kill {
            daemon.kill()?;
        } else {
            daemon.stop()?;
        }
        until(PATIENCE, || Ok(counts()? == [0, 0])).context("gone from the uplinks")?;
        world.assert_as_before(&before)?;
    }
    Ok(())
}

#[test]
fn a_setting_changes_living_flows() -> Result<()> {
    let world = reflecting("e2e-fast-live", "2001:db8:64::/96")?;
    let daemon = ready(&world)?;
    let stream = Stream::start(world.lab.host(), server(&world))?;
    until(PATIENCE, || Ok(packets(&daemon)?.out > 20)).context("fast")?;
    std::fs::create_dir_all(world.policies())?;
    let policy = world.policies().join("10-fast.json");
    std::fs::write(&policy, "{\"FastPath\": \"off\"}")?;
    daemon.reaches("off", |status| !is_on(status))?;
    let then = packets(&daemon)?;
    std::thread::sleep(Duration::from_millis(300));
    ensure!(packets(&daemon)? == then, "nothing goes by it any more");
    std::fs::remove_file(policy)?;
    until(PATIENCE, || Ok(packets(&daemon)?.out > then.out + 20)).context("fast again")?;
    let trace = stream.finish();
    ensure!(trace.lost() <= 1, "{} lost", trace.lost());
    daemon.stop()
}

/// An app is reset by the number that it expects, or not at all; only the programs have seen which that is.
#[test]
fn a_fast_connection_is_ended_with_the_right_number() -> Result<()> {
    let world = World::new("e2e-fast-reset", |config| config.uplinks.truncate(1))?;
    let daemon = ready(&world)?;
    let mut stream = world.lab.host().enter(|| TcpStream::connect_timeout(&server(&world), PATIENCE))??;
    stream.set_nodelay(true)?;
    stream.set_read_timeout(Some(PATIENCE))?;
    let mut echoes = BufReader::new(stream.try_clone()?);
    for number in 0..200 {
        stream.write_all(format!("line {number}\n").as_bytes())?;
        let mut echo = String::new();
        echoes.read_line(&mut echo)?;
        ensure!(echo == format!("line {number}\n"), "{echo:?}");
    }
    ensure!(packets(&daemon)?.out >= 150, "{:?}", packets(&daemon)?);
    // What it has got last is acknowledged a moment later.
    std::thread::sleep(Duration::from_millis(300));
    let listening = std::thread::spawn(move || (stream.read(&mut [0; 64]), Instant::now()));
    let begin = Instant::now();
    world.lab.native4("eth0", true)?;
    let (heard, when) = listening.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic));
    let took = when.saturating_duration_since(begin);
    let reset = heard.as_ref().is_err_and(|error| error.kind() == ErrorKind::ConnectionReset);
    ensure!(reset && took <= Duration::from_secs(1), "the app heard {heard:?} after {took:?}\n{}", daemon.log());
    daemon.stop()
}

#[test]
fn fast_flows_move_to_the_second_uplink() -> Result<()> {
    let world = World::new("e2e-fast-move", |_| ())?;
    let daemon = ready(&world)?;
    let mut outages = Vec::new();
    for _ in 0..repetitions(1, 5) {
        daemon.reaches("ready for it", |status| {
            let on_ethernet = status.uplink.as_ref().is_some_and(|uplink| uplink.name == "eth0");
            on_ethernet && is_on(status) && status.spare.as_ref().is_some_and(|spare| spare.ready)
        })?;
        let stream = Stream::start(world.lab.host(), server(&world))?;
        let before = packets(&daemon)?;
        until(PATIENCE, || Ok(packets(&daemon)?.inward > before.inward + 20)).context("fast")?;
        // The kernel tells of one change of the carrier a second.
        std::thread::sleep(Duration::from_millis(1_100));
        let events = Events::listen(world.lab.host())?;
        world.lab.cut("eth0")?;
        let at = events.first(|notice| *notice == Notice::Link { name: "eth0".to_owned(), running: false })?;
        daemon.reaches("on Wi-Fi", |status| status.uplink.as_ref().is_some_and(|uplink| uplink.name == "wlan0"))?;
        until(PATIENCE, || Ok(stream.is_back_since(at))).context("back")?;
        let then = packets(&daemon)?;
        until(PATIENCE, || Ok(packets(&daemon)?.inward > then.inward + 20)).context("fast by Wi-Fi")?;
        outages.extend(stream.finish().outage(at));
        world.lab.restore("eth0")?;
    }
    outages.sort_unstable();
    let worst = outages.last().copied().context("an outage")?;
    figure(
        "UDP by the fast path over a cut: until the first reply",
        &format!("worst {worst:.0?}, n={}", outages.len()),
    );
    ensure!(worst <= Duration::from_millis(500), "{outages:?}");
    daemon.stop()
}

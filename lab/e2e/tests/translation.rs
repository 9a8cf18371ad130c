//! IPv4 through a real NAT64 (TAYGA): the far side judges.

use std::net::{IpAddr, SocketAddr};

use anyhow::{Result, ensure};
use everclat_e2e::{PATIENCE, World};
use lab::{AnnouncedPref64, Nat64, Pref64, RaPatch, probe};
use model::{Code, EvidenceKind, PlaneKind, Pref64Source, State};

#[test]
fn literals_work_and_the_status_says_so() -> Result<()> {
    let world = World::new("e2e-basic", |_| ())?;
    ensure!(world.udp()?.received == 0, "IPv4 must be dead without Everclat, or the test proves nothing");

    let daemon = world.start()?;
    daemon.ready()?;
    let status = daemon.status()?;
    ensure!((status.state, status.code) == (State::Working, Code::Ready), "{status:#?}");
    ensure!(status.evidence.kind == EvidenceKind::None, "nobody has used it yet");

    ensure!(world.udp()?.received == 10, "UDP");
    world.tcp(1 << 20)?;
    ensure!(world.ping("198.51.100.10", 56)?, "ping");
    let web = SocketAddr::new(IpAddr::V4(world.lab.server_v4()), 80);
    let page = world.lab.host().enter(|| probe::http(web, "/", PATIENCE))??;
    ensure!(page.status == 200 && page.body.contains("server: inet 198.51.100.10"), "{page:?}");

    let status = daemon.reaches("CL-000", |status| status.code == Code::Working)?;
    ensure!(status.evidence.kind == EvidenceKind::Traffic && status.evidence.age_s.is_some_and(|age| age < 5.0));
    ensure!(status.plane == Some(PlaneKind::Translate));
    let uplink = status.uplink.as_ref().map(|uplink| (uplink.name.as_str(), uplink.mtu));
    ensure!(uplink == Some(("eth0", 1500)), "{uplink:?}");
    let first = &status.pref64[0];
    ensure!(first.prefix.to_string() == "2001:db8:64::/96" && first.source == Pref64Source::Ra, "{first:?}");
    ensure!(first.uplink.as_deref() == Some("eth0") && first.expires_s.is_some_and(|s| (1700..=1800).contains(&s)));
    let clat = status.clat.as_ref().expect("armed");
    ensure!(clat.iface == "everclat0" && clat.v4.to_string() == "192.0.0.2" && clat.mtu == 1472, "{clat:?}");
    ensure!(world.lab.prefix("eth0")?.contains(&clat.v6), "X is of the uplink's /64");
    ensure!(clat.packets.out >= 20 && clat.packets.inward >= 20 && clat.drops.is_empty(), "{clat:?}");
    ensure!(daemon.cli(&["wait", "--for", "working", "--timeout", "1s"])?.status.success());
    daemon.stop()
}

/// Every length of RFC 6052 section 2.2, each from a cold start through TAYGA.
#[test]
fn all_six_prefix_lengths() -> Result<()> {
    let world = World::new("e2e-lengths", |_| ())?;
    for prefix in [
        "2001:db8:96:0:0:1::/96",
        "2001:db8:64:64::/64",
        "2001:db8:56:5600::/56",
        "2001:db8:4800::/48",
        "2001:db8:4000::/40",
        "3fff:64::/32",
    ] {
        let prefix: Pref64 = prefix.parse()?;
        world.lab.add_nat64("eth0", prefix)?;
        world.lab.set_ra("eth0", RaPatch::announce([AnnouncedPref64::new(prefix)]))?;
        let daemon = world.start()?;
        daemon.ready()?;
        let status = daemon.reaches("armed with the prefix", |status| {
            status.clat.is_some() && status.pref64.first().is_some_and(|first| first.prefix == prefix)
        })?;
        ensure!(status.state == State::Working, "{prefix}: {status:#?}");
        ensure!(world.udp()?.received == 10, "{prefix}: UDP");
        world.tcp(100_000)?;
        // TAYGA cuts what has no DF bit at 1280 bytes, and cut ICMP is not translated: its checksum covers what is not there.
        ensure!(world.ping("198.51.100.10", 1100)?, "{prefix}: ping");
        daemon.stop()?;
    }
    Ok(())
}

/// Only our translator is on the way, so what arrives intact was translated right; the well-known prefix, too.
#[test]
fn bulk_data_through_the_reflector_with_the_well_known_prefix() -> Result<()> {
    let world = World::new("e2e-reflect", |config| {
        for uplink in &mut config.uplinks {
            uplink.nat64 = Nat64::Reflector;
        }
        config.uplinks[0].pref64 = vec![AnnouncedPref64::new(Pref64::WELL_KNOWN)];
    })?;
    let daemon = world.start()?;
    daemon.ready()?;
    // The echo service sends everything back: super-packets in both directions at once.
    world.tcp(50 << 20)?;
    for size in [0, 1, 1000, 1444, 4000, 20_000] {
        ensure!(world.ping("198.51.100.10", size)?, "ping of {size} bytes");
    }
    let large = probe::Udp {
        size: 4000,
        ..probe::Udp::to(SocketAddr::new(IpAddr::V4(world.lab.server_v4()), everclat_e2e::ECHO))
    };
    let report = world.lab.host().enter(|| probe::udp(&large))??;
    ensure!(report.received == 10, "fragments both ways: {report:?}");
    let errors = world.lab.router("eth0")?.run(&[
        "nstat",
        "-saz",
        "TcpInCsumErrors",
        "UdpInCsumErrors",
        "Icmp6InCsumErrors",
        "Udp6InCsumErrors",
    ])?;
    for line in errors.lines().filter(|line| line.contains("CsumErrors")) {
        ensure!(line.split_whitespace().nth(1) == Some("0"), "bad checksums arrived: {line}");
    }
    let status = daemon.status()?;
    let drops = &status.clat.as_ref().expect("armed").drops;
    ensure!(drops.is_empty(), "{drops:?}");
    daemon.stop()
}

#[test]
fn errors_come_back_as_icmpv4() -> Result<()> {
    let world = World::new("e2e-icmp", |_| ())?;
    let daemon = world.start()?;
    daemon.ready()?;
    // The first hop is the translator, which speaks as 192.0.0.1.
    let said = world.say(&["ping", "-n", "-c1", "-W2", "-t1", "198.51.100.10"])?;
    ensure!(said.contains("From 192.0.0.1") && said.contains("Time to live exceeded"), "{said}");
    // A closed port: ICMP error of the far host, translated twice.
    let refused = world.lab.host().enter(|| -> std::io::Result<std::io::ErrorKind> {
        let socket = std::net::UdpSocket::bind("0.0.0.0:0")?;
        socket.connect("198.51.100.10:9999")?;
        socket.set_read_timeout(Some(PATIENCE))?;
        socket.send(b"anyone?")?;
        Ok(socket.recv(&mut [0; 8]).map_or_else(|error| error.kind(), |_| std::io::ErrorKind::Other))
    })??;
    ensure!(refused == std::io::ErrorKind::ConnectionRefused, "{refused:?}");
    // Too large for the path behind the NAT64: Fragmentation Needed becomes Packet Too Big and back again.
    world.lab.router("eth0")?.run(&["ip", "link", "set", "dev", "inet", "mtu", "1400"])?;
    let said = world.say(&["ping", "-n", "-c1", "-W2", "-M", "do", "-s", "1440", "198.51.100.10"])?;
    ensure!(said.contains("Frag needed") && said.contains("mtu = 1400"), "{said}");
    daemon.stop()
}

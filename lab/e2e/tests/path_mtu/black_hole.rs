//! Nobody says that packets are too big: they vanish.

use std::net::{IpAddr, SocketAddr, TcpListener, TcpStream};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};
use everclat_e2e::{ECHO, PATIENCE, figure, until};
use lab::{Pref64, probe};
use model::{Code, State};

use super::{Peer, exchange, learnt, mute, narrow_ipv4, narrow_ipv6, nft, single, upload};

const BYTES: usize = 5 << 20;
/// Within this, 5 MB are through: four retransmissions, and what they carry.
const STALL: Duration = Duration::from_secs(8);

fn mtu(status: &model::Status) -> Option<u16> {
    status.clat.as_ref().map(|clat| clat.mtu)
}

#[test]
fn an_upload_gets_through_and_the_user_is_told() -> Result<()> {
    let world = single("e2e-blackhole")?;
    let daemon = world.start_verbose("")?;
    daemon.ready()?;
    exchange(&world, 1 << 20)?;
    mute(&world)?;
    narrow_ipv6(&world, 1400)?;

    // Without us: the same bytes from the host's own IPv6 stack by the same path to the same server.
    let prefix: Pref64 = world.lab.config().uplinks[0].translated()[0];
    let native = SocketAddr::new(IpAddr::V6(prefix.embed(world.lab.server_v4())), ECHO);
    let stuck = world.lab.host().enter(|| probe::tcp(native, BYTES, STALL))?;
    ensure!(stuck.is_err(), "the path is no black hole: {stuck:?}");

    let begin = Instant::now();
    // What comes back to a flow whose peer knows larger segments, nobody but that peer could help.
    let up = upload(&world, BYTES).with_context(|| daemon.log())?;
    figure("path MTU black hole at 1400: 5 MiB up, from the start to the last byte", &format!("{up:.2?}"));
    ensure!(up < STALL, "{up:?}");
    let status = daemon.reaches("CL-701", |status| status.code == Code::MtuBlackHole)?;
    figure("path MTU black hole: told", &format!("{:.2?} after the first byte at the latest", begin.elapsed()));
    ensure!(status.state == State::Limited && !status.causes.is_empty(), "{status:#?}");
    daemon.reaches("the exact size", |status| mtu(status) == Some(1372))?;
    let said = daemon.cli(&["status"])?;
    let said = String::from_utf8_lossy(&said.stdout);
    ensure!(said.contains("CL-701") && said.contains("1400"), "{said}");
    ensure!(said.contains("Packet Too Big"), "and what to do about it: {said}");

    // New flows have segments that fit from the first one on, both ways: nothing stalls any more.
    let (up, down) = exchange(&world, BYTES)?;
    figure("path MTU black hole, held to 1400: 5 MiB up and down", &format!("{up:.2?}, {down:.2?}"));
    ensure!(up.max(down) < Duration::from_secs(2), "{up:?} {down:?}");

    // The path is wide again. A person need not wait for the next measurement.
    narrow_ipv6(&world, 1500)?;
    ensure!(daemon.cli(&["rearm"])?.status.success());
    daemon.reaches("wide again", |status| mtu(status) == Some(1472) && status.state == State::Working)?;
    exchange(&world, BYTES)?;
    daemon.stop()
}

/// Behind the NAT64 there is no telling by whom they vanish; what helps is the same.
#[test]
fn a_black_hole_behind_the_nat64() -> Result<()> {
    let world = single("e2e-blackhole4")?;
    let daemon = world.start()?;
    daemon.ready()?;
    exchange(&world, 1 << 20)?;
    mute(&world)?;
    narrow_ipv4(&world, 1300)?;
    let up = upload(&world, BYTES)?;
    figure("path MTU black hole behind the NAT64 at 1300: 5 MiB up", &format!("{up:.2?}"));
    ensure!(up < STALL, "{up:?}");
    daemon.reaches("the exact size", |status| status.code == Code::MtuBlackHole && mtu(status) == Some(1292))?;
    daemon.stop()
}

/// A NAT64 that lets no echo through: nothing can be measured, and flows get through all the same.
#[test]
fn without_echo_each_flow_is_helped_by_itself() -> Result<()> {
    let world = single("e2e-blackhole-x")?;
    let daemon = world.start()?;
    daemon.ready()?;
    mute(&world)?;
    nft(&world, "add chain inet mute in { type filter hook prerouting priority 0; }")?;
    nft(&world, "add rule inet mute in icmpv6 type echo-request counter drop")?;
    narrow_ipv6(&world, 1400)?;
    let up = upload(&world, BYTES)?;
    figure("path MTU black hole without echo: 5 MiB up", &format!("{up:.2?}"));
    ensure!(up < STALL, "{up:?}");
    ensure!(learnt(&world)? == Some(1260), "for this destination only: {:?}", learnt(&world)?);
    ensure!(mtu(&daemon.status()?) == Some(1472), "what could not be measured is not said");
    daemon.stop()
}

/// The uplink that is taken next is another path.
#[test]
fn another_uplink_is_another_path() -> Result<()> {
    let world = everclat_e2e::World::new("e2e-blackhole2", |_| ())?;
    let daemon = world.start()?;
    daemon.ready()?;
    mute(&world)?;
    narrow_ipv6(&world, 1400)?;
    upload(&world, BYTES)?;
    daemon.reaches("CL-701", |status| status.code == Code::MtuBlackHole)?;
    world.lab.cut("eth0")?;
    let on_wlan = |status: &model::Status| status.uplink.as_ref().is_some_and(|uplink| uplink.name == "wlan0");
    daemon.reaches("wlan0, wide", |status| {
        on_wlan(status) && mtu(status) == Some(1472) && status.code != Code::MtuBlackHole
    })?;
    daemon.stop()
}

/// Lost packets, a peer that does not read, and one that is gone in the middle of a transfer accuse no path.
#[test]
fn loss_and_slow_or_dead_peers_are_no_black_hole() -> Result<()> {
    let world = single("e2e-lossy")?;
    let daemon = world.start()?;
    daemon.ready()?;
    let accused = |when: &str| -> Result<()> {
        let status = daemon.status()?;
        ensure!(
            status.code != Code::MtuBlackHole && mtu(&status) == Some(1472),
            "{when}: {status:#?}\n{}",
            daemon.log()
        );
        Ok(())
    };
    nft(&world, "add table inet loss")?;
    nft(&world, "add chain inet loss in { type filter hook prerouting priority -300; }")?;
    nft(&world, "add rule inet loss in iifname lan meta length > 80 numgen random mod 10 == 0 counter drop")?;
    let begin = Instant::now();
    while begin.elapsed() < Duration::from_secs(20) {
        exchange(&world, 1 << 20)?;
        accused("one packet of ten is lost")?;
    }
    nft(&world, "flush chain inet loss in")?;

    // A peer that never reads.
    let server = world.lab.server_v4();
    let listener = world.lab.inet().enter(|| TcpListener::bind((server, 0)))??;
    let target = listener.local_addr()?;
    let slow = world.lab.host().enter(|| TcpStream::connect_timeout(&target, PATIENCE))??;
    slow.set_nonblocking(true)?;
    let mut taken = 0;
    until(PATIENCE, || {
        match std::io::Write::write(&mut &slow, &[0; 65_536]) {
            Ok(bytes) => taken += bytes,
            Err(_) if taken > 0 => return Ok(true),
            Err(error) => return Err(error.into()),
        }
        Ok(false)
    })?;

    // And one that is gone for TCP in the middle of it, while it still answers echo.
    let peer = Peer::start(&world, 1 << 20)?;
    let dead = peer.address;
    let gone = world.lab.host().enter(|| TcpStream::connect_timeout(&dead, PATIENCE))??;
    nft(&world, &format!("add rule inet loss in tcp dport {} counter drop", dead.port()))?;
    std::io::Write::write_all(&mut &gone, &[0; 20_000])?;
    let begin = Instant::now();
    while begin.elapsed() < Duration::from_secs(8) {
        accused("one peer is slow and another is gone")?;
        std::thread::sleep(Duration::from_millis(200));
    }
    ensure!(world.udp()?.received == 10, "and the rest goes on");
    drop((slow, gone));
    daemon.stop()
}

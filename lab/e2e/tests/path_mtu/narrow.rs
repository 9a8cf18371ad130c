//! Routers say that packets are too big: the host's own kernel acts on it (RFC 7915 sections 4.2 and 5.2).

use std::mem::MaybeUninit;

use anyhow::{Result, ensure};
use everclat_e2e::{PATIENCE, World, figure, until};
use lab::RaPatch;
use model::Code;
use rustix::net::sockopt::Ipv4PathMtuDiscovery;

use super::{echo_socket, exchange, learnt, narrow_ipv4, narrow_ipv6, single};

const BYTES: usize = 3 << 20;

/// A path narrowed by `narrow` leaves IPv4 packets of `expected` bytes.
fn tcp_and_udp(name: &str, narrow: impl Fn(&World) -> Result<()>, expected: u16) -> Result<()> {
    let world = single(name)?;
    let daemon = world.start()?;
    daemon.ready()?;
    ensure!(learnt(&world)?.is_none_or(|mtu| mtu == 1472), "nothing is learnt yet");
    narrow(&world)?;
    let (up, down) = exchange(&world, BYTES)?;
    figure(&format!("{name}: 3 MiB over TCP, up and down"), &format!("{up:.2?}, {down:.2?}"));
    ensure!(learnt(&world)? == Some(expected), "the kernel has learnt {:?}, not {expected}", learnt(&world)?);

    // One byte more than fits: refused. What fits, comes back.
    let socket = echo_socket(&world, Ipv4PathMtuDiscovery::DO)?;
    let most = usize::from(expected) - 28;
    let refused = socket.send(&vec![0; most + 1]).expect_err("too large").raw_os_error();
    ensure!(refused == Some(rustix::io::Errno::MSGSIZE.raw_os_error()), "{refused:?}");
    ensure!(comes_back(&socket, most)?, "{most} bytes");
    ensure!(daemon.status()?.code == Code::Working, "nobody is to be accused of what he says");
    daemon.stop()
}

/// Whether an echo of so many bytes comes back. The first may teach the other side.
fn comes_back(socket: &socket2::Socket, bytes: usize) -> Result<bool> {
    for _ in 0..5 {
        socket.send(&vec![7; bytes])?;
        let mut buffer = vec![MaybeUninit::uninit(); 4096];
        if socket.recv(&mut buffer).is_ok_and(|length| length == bytes) {
            return Ok(true);
        }
    }
    Ok(false)
}

#[test]
fn a_router_before_the_nat64_says_1400() -> Result<()> {
    tcp_and_udp("e2e-ptb1400", |world| narrow_ipv6(world, 1400), 1380)
}

#[test]
fn a_router_before_the_nat64_says_1280() -> Result<()> {
    tcp_and_udp("e2e-ptb1280", |world| narrow_ipv6(world, 1280), 1260)
}

#[test]
fn a_router_behind_the_nat64_says_1400() -> Result<()> {
    tcp_and_udp("e2e-frag1400", |world| narrow_ipv4(world, 1400), 1400)
}

/// RFC 7915 section 5.1.1: IPv6 packets that cannot be smaller than 1280 become IPv4 packets that cannot be larger than
/// 1260, and a path that takes less than that is for the NAT64 to fragment.
#[test]
fn datagrams_that_may_be_fragmented_arrive() -> Result<()> {
    let world = single("e2e-frags")?;
    let daemon = world.start()?;
    daemon.ready()?;
    for narrow in [None, Some(1400), Some(1280)] {
        if let Some(mtu) = narrow {
            narrow_ipv6(&world, mtu)?;
        }
        let socket = echo_socket(&world, Ipv4PathMtuDiscovery::DONT)?;
        // The IPv4 packet would have 1472 to 1500 bytes: the route's MTU is 1472.
        for bytes in [1444, 1445, 1460, 1472, 4000] {
            ensure!(comes_back(&socket, bytes)?, "{bytes} bytes, path {narrow:?}");
        }
    }
    daemon.stop()
}

/// What the router announces is the uplink's MTU, and ours follows it, both ways.
#[test]
fn the_router_announces_another_mtu() -> Result<()> {
    let world = single("e2e-ra-mtu")?;
    let daemon = world.start()?;
    daemon.ready()?;
    for mtu in [1400, 1280, 1500] {
        world.lab.set_ra("eth0", RaPatch { mtu: Some(mtu), ..RaPatch::default() })?;
        let route = u16::try_from(mtu)? - 28;
        daemon.reaches("the new MTU", |status| status.clat.as_ref().is_some_and(|clat| clat.mtu == route))?;
        until(PATIENCE, || Ok(world.say(&["ip", "route"])?.contains(&format!("mtu {route}"))))?;
        exchange(&world, 1 << 20)?;
    }
    ensure!(daemon.status()?.rearms.count == 0, "IPv4 was never lost");
    daemon.stop()
}

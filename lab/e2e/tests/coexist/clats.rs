//! Never two CLATs at once: another one makes us stand back, whoever was first.

use anyhow::{Context, Result, ensure};
use everclat_e2e::{Daemon, PATIENCE, World, until};
use lab::RaPatch;
use model::{Code, Owner, State};

use crate::{Program, has_our_route, ip, single};

/// The address that the other translator has on the wire.
const THEIRS: &str = "2001:db8:1::c1a7";

/// A TUN device that TAYGA holds, as clatd and systemd-networkd have one.
fn device(world: &World, name: &str) -> Result<Program> {
    let host = world.lab.host();
    let file = world.lab.directory().join(format!("{name}.conf"));
    std::fs::write(
        &file,
        format!(
            "tun-device {name}\nprefix 2001:db8:64::/96\nipv4-addr 192.0.0.6\nipv6-addr 2001:db8:1::c1a6\nmap 192.0.0.1 {THEIRS}\n"
        ),
    )?;
    ip(host, &[&format!("tuntap add dev {name} mode tun"), &format!("link set {name} up")])?;
    let mut command = host.command("tayga");
    command.arg("--nodetach").arg("--config").arg(file);
    let program = Program::start(command)?;
    until(PATIENCE, || Ok(host.ip(&["link", "show", "dev", name])?.contains("LOWER_UP")))?;
    Ok(program)
}

/// Makes the host a router for [`THEIRS`], as TAYGA's and clatd's instructions do.
fn forward_to(world: &World, name: &str) -> Result<()> {
    let host = world.lab.host();
    host.set_sysctls(&[
        ("ipv6/conf/all/accept_ra", "2"),
        ("ipv6/conf/eth0/accept_ra", "2"),
        ("ipv6/conf/eth0/proxy_ndp", "1"),
        ("ipv6/conf/all/forwarding", "1"),
    ])?;
    world.lab.set_ra("eth0", RaPatch::send_now())?;
    until(PATIENCE, || Ok(!host.run(&["ip", "-6", "route", "show", "default"])?.trim().is_empty()))?;
    ip(host, &[&format!("-6 neigh add proxy {THEIRS} dev eth0"), &format!("-6 route add {THEIRS}/128 dev {name}")])
}

fn stands_back(world: &World, daemon: &Daemon, when: &str) -> Result<()> {
    let status = daemon.reaches(when, |status| status.state == State::StandbyOs)?;
    ensure!(status.code == Code::OsTranslates && status.owner == Owner::Other, "{when}: {status:#?}");
    ensure!(status.clat.is_none() && status.plane.is_none(), "{when}: {status:#?}");
    ensure!(!has_our_route(world)?, "{when}: our default is gone");
    ensure!(daemon.cli(&["check"])?.status.success(), "{when}: standing by is healthy");
    Ok(())
}

/// One that is there first, goes, and comes while we are armed.
fn first_and_second(world: &World, come: &[&str], go: &[&str]) -> Result<()> {
    let host = world.lab.host();
    ip(host, come)?;
    let before = world.residue()?;
    let daemon = world.start()?;
    stands_back(world, &daemon, "there first")?;
    ip(host, go)?;
    daemon.reaches("armed", |status| status.clat.is_some())?;
    ensure!(world.udp()?.received == 10, "armed when it has gone");
    ip(host, come)?;
    stands_back(world, &daemon, "there second")?;
    daemon.stop()?;
    world.assert_as_before(&before)
}

/// It does translate, so that two at once would be seen.
#[test]
fn tayga_as_a_clat_on_this_host() -> Result<()> {
    let world = single("e2e-tayga")?;
    let _tayga = device(&world, "nat64")?;
    forward_to(&world, "nat64")?;
    let come = ["address add 192.0.0.1/32 dev nat64", "route add default dev nat64 mtu 1260"];
    let go = ["route delete default dev nat64", "address delete 192.0.0.1/32 dev nat64"];
    ip(world.lab.host(), &come)?;
    until(PATIENCE, || Ok(world.udp()?.received == 10)).context("TAYGA alone must work")?;
    ip(world.lab.host(), &go)?;
    first_and_second(&world, &come, &go)?;
    ensure!(world.udp()?.received == 10, "TAYGA has IPv4 to itself");
    world.tcp(1 << 20)
}

/// clatd: interface `clat`, 192.0.0.1, a default route without gateway and with the metric 2048, which is ours, too.
#[test]
fn clatds_clat() -> Result<()> {
    let world = single("e2e-clatd")?;
    let _tayga = device(&world, "clat")?;
    forward_to(&world, "clat")?;
    let (address, default) = ("address VERB 192.0.0.1/32 dev clat", "route VERB default dev clat metric 2048");
    let host = world.lab.host();
    let step = |verb: &str| {
        let line = |line: &str| line.replace("VERB", verb);
        if verb == "add" {
            return ip(host, &[&line(address), &(line(default) + " mtu 1260")]);
        }
        ip(host, &[&line(default), &line(address)])
    };
    step("add")?;
    let before = world.residue()?;
    let daemon = world.start()?;
    stands_back(&world, &daemon, "there first")?;
    ensure!(world.udp()?.received == 10, "clatd translates");
    step("delete")?;
    daemon.reaches("armed", |status| status.clat.is_some())?;
    // The kernel refuses a second route of the same metric; clatd can be set to a better one.
    ip(host, &["address add 192.0.0.1/32 dev clat", "route add default dev clat metric 1024 mtu 1260"])?;
    stands_back(&world, &daemon, "there second")?;
    ip(host, &["route replace default dev clat metric 2048 mtu 1260", "route delete default dev clat metric 1024"])?;
    stands_back(&world, &daemon, "as it is by itself")?;
    daemon.stop()?;
    world.assert_as_before(&before)
}

/// NetworkManager 1.58 translates in the uplink's own hooks: an address of 192.0.0.0/29 on it, and a default route through the
/// IPv6 router with a metric of the uplink's kind.
#[test]
fn networkmanagers_clat() -> Result<()> {
    let world = single("e2e-nmclat")?;
    let come = [
        "address add 192.0.0.5/32 dev eth0",
        "-4 route add default via inet6 fe80::1 dev eth0 src 192.0.0.5 metric 101 mtu 1472",
    ];
    let go = ["-4 route delete default dev eth0", "address delete 192.0.0.5/32 dev eth0"];
    first_and_second(&world, &come, &go)
}

/// systemd-networkd's proposal: a TUN device named after the uplink. It replaces a route of the same metric.
#[test]
fn networkds_clat() -> Result<()> {
    let world = single("e2e-ndclat")?;
    let _tayga = device(&world, "cl-eth0")?;
    let come = [
        "address add 192.0.0.1/32 dev cl-eth0",
        "route replace default dev cl-eth0 src 192.0.0.1 metric 2048 mtu 1472",
    ];
    let go = ["route delete default dev cl-eth0", "address delete 192.0.0.1/32 dev cl-eth0"];
    first_and_second(&world, &come, &go)
}

/// 192.0.0.1 on an interface that gives no IPv4, as a translator that ended badly leaves it: the kernel takes no route
/// through an address of the host's own.
#[test]
fn our_gateways_address_is_held_by_somebody_else() -> Result<()> {
    let world = single("e2e-gateway")?;
    let _tayga = device(&world, "stale")?;
    ip(world.lab.host(), &["address add 192.0.0.1/32 dev stale"])?;
    let daemon = world.start()?;
    daemon.reaches("armed", |status| status.clat.is_some())?;
    ensure!(world.udp()?.received == 10);
    daemon.stop()
}

//! Containers behind the host, as Docker connects them.

use std::net::{IpAddr, SocketAddr};

use anyhow::{Context, Result, ensure};
use everclat_e2e::{ECHO, PATIENCE, World};
use lab::{Netns, probe};

use crate::{Guest, ip, single};

/// What Docker's bridge driver writes, in the words of nft.
const DOCKER: &str = "
table ip docker {
    chain postrouting {
        type nat hook postrouting priority 100; policy accept;
        ip saddr 172.17.0.0/16 oifname != \"docker0\" masquerade
    }
    chain forward {
        type filter hook forward priority 0; policy drop;
        oifname \"docker0\" ct state established,related accept
        iifname \"docker0\" oifname != \"docker0\" accept
    }
}
";

/// The host's bridge with one container on it.
fn container(world: &World, name: &str) -> Result<Guest> {
    let host = world.lab.host();
    let guest = Guest::new(name)?;
    host.set_sysctls(&[("ipv4/ip_forward", "1"), ("ipv6/conf/default/disable_ipv6", "1")])?;
    ip(
        host,
        &[
            "link add docker0 type bridge",
            "address add 172.17.0.1/16 dev docker0",
            &format!("link add veth0 type veth peer name eth0 netns {name}"),
            "link set veth0 master docker0 up",
            "link set docker0 up",
        ],
    )?;
    host.set_sysctls(&[("ipv6/conf/default/disable_ipv6", "0")])?;
    ip(
        &guest.0,
        &[
            "link set lo up",
            "address add 172.17.0.2/16 dev eth0",
            "link set eth0 up",
            "route add default via 172.17.0.1",
        ],
    )?;
    host.run(&["nft", DOCKER])?;
    ensure!(pings(&guest.0, "172.17.0.1", 56)?, "the container does not reach its host");
    Ok(guest)
}

fn pings(netns: &Netns, target: &str, size: usize) -> Result<bool> {
    let mut command = netns.command("ping");
    command.args(["-c1", "-W2", "-n", "-s", &size.to_string(), target]);
    Ok(command.output()?.status.success())
}

#[test]
fn containers_behind_the_host_have_ipv4() -> Result<()> {
    let world = single("e2e-docker")?;
    let guest = container(&world, "e2e-docker-box")?;
    let server = SocketAddr::new(IpAddr::V4(world.lab.server_v4()), ECHO);
    let small = probe::Udp::to(server);
    let before = world.residue()?;
    let daemon = world.start()?;
    daemon.ready()?;

    let report = guest.0.enter(|| probe::udp(&small))??;
    ensure!(report.received == 10, "UDP: {report:?}");
    ensure!(pings(&guest.0, "198.51.100.10", 56)?, "ping");
    // Full-size segments of a link with 1500 bytes: the host must say that its way is narrower.
    guest.0.enter(|| probe::tcp(server, 8 << 20, PATIENCE))?.context("TCP")?;
    let large = probe::Udp { size: 4000, ..probe::Udp::to(server) };
    let report = guest.0.enter(|| probe::udp(&large))??;
    ensure!(report.received == 10, "UDP in fragments: {report:?}");
    let mut ping = guest.0.command("ping");
    let said = ping.args(["-n", "-c1", "-W2", "-M", "do", "-s", "1472", "198.51.100.10"]).output()?;
    // By now its kernel knows and refuses at once.
    let said = String::from_utf8_lossy(&said.stderr);
    ensure!(said.contains("mtu=1472"), "{said}");
    ensure!(world.udp()?.received == 10, "the host's own apps");

    daemon.stop()?;
    world.assert_as_before(&before)
}

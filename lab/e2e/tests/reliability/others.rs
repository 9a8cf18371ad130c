//! The same events without Everclat, in the same lab.

use std::net::IpAddr;
use std::process::{Child, Stdio};
use std::time::Instant;

use anyhow::{Context, Result};
use everclat_e2e::{PATIENCE, World, is_full, until};
use lab::{Fault, RaPatch};

use crate::{Sample, cut, judge, sample, server4};

/// None in the short run: most of this is waiting, and it says nothing about Everclat.
fn rounds() -> usize {
    if is_full() {
        return 5;
    }
    println!("SKIPPED: comparisons belong to the full run");
    0
}

fn native(name: &str, flush: bool) -> Result<Vec<Sample>> {
    let mut samples = Vec::new();
    for _ in 0..rounds() {
        let world = World::new(name, |_| ())?;
        let server = IpAddr::V6(world.lab.server_v6());
        samples.push(sample(&world, server, |events| {
            let at = cut(&world, events)?;
            if flush {
                world.lab.flush("eth0")?;
            }
            Ok(at)
        })?);
    }
    Ok(samples)
}

#[test]
fn native_ipv6_with_a_manager() -> Result<()> {
    let samples = native("e2e-rel-n6flush", true)?;
    judge("native IPv6: Ethernet carrier lost, addresses flushed by a manager", None, samples)
}

#[test]
fn native_ipv6_alone() -> Result<()> {
    let samples = native("e2e-rel-n6cut", false)?;
    judge("native IPv6: Ethernet carrier lost, nobody flushes", None, samples)
}

/// The kernel's own neighbour discovery has to give the router up.
#[test]
fn native_ipv6_in_a_black_hole() -> Result<()> {
    let mut samples = Vec::new();
    for _ in 0..rounds() {
        let world = World::new("e2e-rel-n6mute", |_| ())?;
        samples.push(sample(&world, IpAddr::V6(world.lab.server_v6()), |_| {
            world.lab.set_fault("eth0", Fault::RouterMute, true)?;
            Ok(Instant::now())
        })?);
    }
    judge("native IPv6: black hole, carrier stays", None, samples)
}

/// As TAYGA's instructions set it up: an address of the first uplink by proxy neighbour discovery.
#[test]
fn tayga_on_the_host() -> Result<()> {
    const THEIRS: &str = "2001:db8:1::c1a7";
    let mut samples = Vec::new();
    for _ in 0..rounds() {
        let world = World::new("e2e-rel-tayga", |_| ())?;
        let host = world.lab.host();
        let file = world.lab.directory().join("nat64.conf");
        std::fs::write(
            &file,
            format!(
                "tun-device nat64\nprefix 2001:db8:64::/96\nipv4-addr 192.0.0.6\nipv6-addr 2001:db8:1::c1a6\n\
                 map 192.0.0.1 {THEIRS}\n"
            ),
        )?;
        let ip = |line: &str| host.ip(&line.split_whitespace().collect::<Vec<_>>());
        ip("tuntap add dev nat64 mode tun")?;
        ip("link set nat64 up")?;
        let mut command = host.command("tayga");
        command.arg("--nodetach").arg("--config").arg(file);
        let child = command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null()).spawn();
        let _tayga = Ending(child.context("start TAYGA")?);
        until(PATIENCE, || Ok(ip("link show dev nat64")?.contains("LOWER_UP")))?;
        host.set_sysctls(&[
            ("ipv6/conf/all/accept_ra", "2"),
            ("ipv6/conf/eth0/accept_ra", "2"),
            ("ipv6/conf/wlan0/accept_ra", "2"),
            ("ipv6/conf/eth0/proxy_ndp", "1"),
            ("ipv6/conf/wlan0/proxy_ndp", "1"),
            ("ipv6/conf/all/forwarding", "1"),
        ])?;
        for uplink in ["eth0", "wlan0"] {
            world.lab.set_ra(uplink, RaPatch::send_now())?;
            ip(&format!("-6 neigh add proxy {THEIRS} dev {uplink}"))?;
        }
        until(PATIENCE, || Ok(ip("-6 route show default")?.lines().count() == 2))?;
        ip(&format!("-6 route add {THEIRS}/128 dev nat64"))?;
        ip("address add 192.0.0.1/32 dev nat64")?;
        ip("route add default dev nat64 mtu 1260")?;
        samples.push(sample(&world, server4(&world), |events| {
            let at = cut(&world, events)?;
            world.lab.flush("eth0")?;
            Ok(at)
        })?);
    }
    judge("TAYGA: Ethernet carrier lost, addresses flushed by a manager", None, samples)
}

/// Ends with the test.
struct Ending(Child);

impl Drop for Ending {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

//! A VPN by a point-to-point interface that takes the default routes of the main table.

use std::net::{IpAddr, Ipv4Addr};
use std::time::Duration;

use anyhow::{Result, ensure};
use everclat_e2e::{PATIENCE, World, until};
use model::{Code, State};

use crate::{Program, has_our_route, ip, single};

/// TAYGA does nothing here but hold the interface, as a VPN's program would.
fn tunnel(world: &World, device: &str) -> Result<Program> {
    let host = world.lab.host();
    let file = world.lab.directory().join(format!("{device}.conf"));
    std::fs::write(
        &file,
        format!(
            "tun-device {device}\nipv4-addr 10.66.0.1\nipv6-addr fd66::1\nprefix fd66:64::/96\ndynamic-pool 10.66.1.0/24\n"
        ),
    )?;
    ip(host, &[&format!("tuntap add dev {device} mode tun"), &format!("link set {device} up")])?;
    let mut command = host.command("tayga");
    command.arg("--nodetach").arg("--config").arg(file);
    let program = Program::start(command)?;
    until(PATIENCE, || Ok(host.ip(&["link", "show", "dev", device])?.contains("LOWER_UP")))?;
    ip(
        host,
        &[&format!("address add 10.66.2.2/32 dev {device}"), &format!("address add fd66:2::2/128 dev {device} nodad")],
    )?;
    Ok(program)
}

#[test]
fn a_vpn_with_both_defaults_then_one_then_none() -> Result<()> {
    let world = single("e2e-vpn")?;
    let host = world.lab.host();
    let daemon = world.start()?;
    daemon.ready()?;
    ensure!(world.udp()?.received == 10);
    let vpn = tunnel(&world, "vpn0")?;
    // The VPN's interface alone changes nothing.
    ensure!(world.udp()?.received == 10 && daemon.status()?.state == State::Working);

    ip(host, &["-6 route add default dev vpn0 metric 50", "-4 route add default dev vpn0 metric 50"])?;
    let status = daemon.reaches("standby", |status| status.state == State::StandbyNative)?;
    ensure!(status.code == Code::NativeIpv4 && status.clat.is_none(), "{status:#?}");
    ensure!(!has_our_route(&world)?, "our default is gone");
    // Where a VPN's program has pinned its server to the way that was there, that way stays.
    ip(host, &["route add 198.51.100.10/32 via 192.0.0.1 dev everclat0 onlink"])?;
    ensure!(world.udp()?.received == 10, "the way to the VPN's server");
    ip(host, &["route delete 198.51.100.10/32"])?;

    // It keeps the way to the NAT64 and gives no IPv4: packets of ours would pass it by.
    ip(host, &["-4 route delete default dev vpn0"])?;
    let status = daemon.reaches("down", |status| status.code == Code::VpnTakesTraffic)?;
    ensure!(status.state == State::Down && status.clat.is_none() && !has_our_route(&world)?, "{status:#?}");
    ensure!(status.causes.iter().any(|cause| cause.detail.contains("vpn0")), "who it is: {:?}", status.causes);
    ensure!(world.udp()?.sent == 0, "IPv4 is refused, not lost");

    // It ends and takes its interface along.
    drop(vpn);
    ip(host, &["link delete vpn0"])?;
    daemon.reaches("armed again", |status| status.clat.is_some())?;
    ensure!(world.udp()?.received == 10, "IPv4 is back");
    daemon.stop()
}

/// IPv6 is left as it is. There before us, gone, and back.
#[test]
fn a_vpn_with_ipv4_alone() -> Result<()> {
    let world = single("e2e-vpn4")?;
    let host = world.lab.host();
    let _vpn = tunnel(&world, "vpn0")?;
    ip(host, &["-4 route add default dev vpn0 metric 50"])?;
    let before = world.residue()?;
    let daemon = world.start()?;
    daemon.reaches("standby from the start", |status| status.state == State::StandbyNative)?;
    ensure!(!has_our_route(&world)?);
    ip(host, &["-4 route delete default dev vpn0"])?;
    daemon.reaches("armed", |status| status.clat.is_some())?;
    ensure!(world.udp()?.received == 10);
    ip(host, &["-4 route add default dev vpn0 metric 50"])?;
    daemon.reaches("standby again", |status| status.state == State::StandbyNative)?;
    daemon.stop()?;
    world.assert_as_before(&before)
}

/// OpenVPN's `redirect-gateway def1`: two halves of IPv4 through the tunnel, and its server pinned to the route that was
/// there, which is ours. The VPN lives on us, so we must stay.
#[test]
fn a_vpn_with_the_two_halves_of_ipv4_keeps_its_way_to_the_server() -> Result<()> {
    let world = single("e2e-halves")?;
    let host = world.lab.host();
    let _vpn = tunnel(&world, "vpn0")?;
    let daemon = world.start()?;
    daemon.ready()?;
    ip(
        host,
        &[
            "route add 198.51.100.10/32 via 192.0.0.1 dev everclat0 onlink",
            "route add 0.0.0.0/1 dev vpn0",
            "route add 128.0.0.0/1 dev vpn0",
        ],
    )?;
    // A look at the network that changes nothing takes a moment, too.
    for _ in 0..3 {
        ensure!(world.udp()?.received == 10, "the way to the VPN's server");
        std::thread::sleep(Duration::from_millis(300));
    }
    let beside = world.udp_to(IpAddr::V4(Ipv4Addr::new(203, 0, 113, 10)))?;
    ensure!(beside.received == 0, "the VPN has all the rest: {beside:?}");
    let status = daemon.status()?;
    ensure!(status.state == State::StandbyNative && status.rearms.count == 0, "the VPN gives IPv4: {status:#?}");
    ip(host, &["link delete vpn0", "route delete 198.51.100.10/32"])?;
    ensure!(world.udp()?.received == 10, "and without the VPN");
    daemon.stop()
}

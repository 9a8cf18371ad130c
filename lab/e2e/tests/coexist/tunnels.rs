//! A VPN by a point-to-point interface that takes the default routes of the main table.

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

    // It keeps the way to the NAT64 and gives no IPv4: packets of ours would pass it by.
    ip(host, &["-4 route delete default dev vpn0"])?;
    let status = daemon.reaches("down", |status| status.code == Code::VpnTakesTraffic)?;
    ensure!(status.state == State::Down && status.clat.is_none() && !has_our_route(&world)?, "{status:#?}");
    ensure!(status.causes.iter().any(|cause| cause.detail.contains("vpn0")), "who it is: {:?}", status.causes);
    ensure!(world.udp()?.sent == 0, "IPv4 is refused, not lost");

    // The program ends, as after a crash: its interface stays and leads nowhere; then it is taken away, too.
    drop(vpn);
    ip(host, &["link delete vpn0"])?;
    daemon.reaches("armed again", |status| status.clat.is_some())?;
    ensure!(world.udp()?.received == 10, "IPv4 is back");
    daemon.stop()
}

/// The same order of events with IPv6 last: standing back must not be forgotten while routes change.
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

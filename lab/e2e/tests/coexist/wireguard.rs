//! WireGuard whose server has nothing but IPv4, and with a full tunnel by wg-quick's rules.

use std::io::Write;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::process::{Command, Stdio};
use std::time::Duration;

use anyhow::{Context, Result, ensure};
use everclat_e2e::{ECHO, PATIENCE, World, until};
use lab::probe::{self, Udp};
use lab::{Netns, residue::HostState};
use model::{Code, State, Status};
use tempfile::TempDir;

use crate::{Program, ip, packets_sent, processor_seconds, single};

const PORT: &str = "51820";
/// What wg-quick uses as firewall mark and table.
const MARK: &str = "51820";
/// Behind the VPN; the host has no other way there than through it, or through us.
const BEHIND: Ipv4Addr = Ipv4Addr::new(203, 0, 113, 10);

/// What wg-quick adds for a default route, and removes at the end.
const FULL_TUNNEL: [&str; 3] = [
    "route VERB default dev DEVICE table MARK",
    "rule VERB not fwmark MARK table MARK",
    "rule VERB table main suppress_prefixlength 0",
];

/// A tunnel between the host and the servers.
#[derive(Debug)]
struct Tunnel<'a> {
    world: &'a World,
    client: String,
    server: String,
    server_key: String,
    keys: TempDir,
    programs: Vec<Program>,
}

impl<'a> Tunnel<'a> {
    /// `None`, said aloud, where there is no WireGuard.
    fn new(world: &'a World) -> Result<Option<Self>> {
        let version = |program: &str| Command::new(program).arg("--version").output().is_ok();
        let kernel = ip(world.lab.host(), &["link add wgtest type wireguard", "link delete wgtest"]).is_ok();
        if !version("wg") || !(kernel || version("wireguard-go")) {
            println!(
                "SKIPPED: WireGuard needs `wg`, and a kernel that has it or `wireguard-go` (apt install wireguard-tools wireguard-go)"
            );
            return Ok(None);
        }
        // wireguard-go's sockets share a directory, whatever the namespace.
        let number = std::process::id() % 1_000_000;
        let (client, server) = (format!("wgc{number}"), format!("wgs{number}"));
        let mut tunnel =
            Self { world, client, server, server_key: String::new(), keys: tempfile::tempdir()?, programs: Vec::new() };
        let client_key = tunnel.key("client")?;
        tunnel.server_key = tunnel.key("server")?;
        let (host, inet) = (world.lab.host(), world.lab.inet());
        tunnel.device(host, &tunnel.client.clone(), "client", kernel)?;
        tunnel.device(inet, &tunnel.server.clone(), "server", kernel)?;
        inet.run(&[
            "wg",
            "set",
            &tunnel.server,
            "listen-port",
            PORT,
            "peer",
            &client_key,
            "allowed-ips",
            "10.99.0.2/32,fd99::2/128",
        ])?;
        for (netns, device, last) in [(host, &tunnel.client, 2), (inet, &tunnel.server, 1)] {
            ip(
                netns,
                &[
                    &format!("address add 10.99.0.{last}/24 dev {device}"),
                    &format!("address add fd99::{last}/64 dev {device} nodad"),
                    // 1472 of the CLAT less 80, as wg-quick reckons.
                    &format!("link set {device} mtu 1392 up"),
                ],
            )?;
        }
        Ok(Some(tunnel))
    }

    /// Makes a private key and gives the public one.
    fn key(&self, name: &str) -> Result<String> {
        let private = Command::new("wg").arg("genkey").output()?.stdout;
        std::fs::write(self.keys.path().join(name), &private)?;
        let mut child = Command::new("wg").arg("pubkey").stdin(Stdio::piped()).stdout(Stdio::piped()).spawn()?;
        child.stdin.take().context("piped")?.write_all(&private)?;
        Ok(String::from_utf8(child.wait_with_output()?.stdout)?.trim().to_owned())
    }

    fn device(&mut self, netns: &Netns, device: &str, key: &str, kernel: bool) -> Result<()> {
        if kernel {
            ip(netns, &[&format!("link add {device} type wireguard")])?;
        } else {
            let mut command = netns.command("wireguard-go");
            command.args(["--foreground", device]);
            self.programs.push(Program::start(command)?);
            until(PATIENCE, || Ok(socket(device).exists()))?;
        }
        let key = self.keys.path().join(key);
        netns.run(&["wg", "set", device, "private-key", key.to_str().context("a path in UTF-8")?])?;
        Ok(())
    }

    fn peer(&self, endpoint: IpAddr, allowed: &str) -> Result<()> {
        let endpoint = SocketAddr::new(endpoint, 51820).to_string();
        let key = &self.server_key;
        self.world.lab.host().run(&[
            "wg",
            "set",
            &self.client,
            "fwmark",
            MARK,
            "peer",
            key,
            "endpoint",
            &endpoint,
            "allowed-ips",
            allowed,
        ])?;
        Ok(())
    }

    /// Everything through the tunnel, or no longer.
    fn full(&self, on: bool) -> Result<()> {
        for family in ["-4", "-6"] {
            for line in FULL_TUNNEL {
                let verb = if on { "add" } else { "delete" };
                let line = line.replace("VERB", verb).replace("DEVICE", &self.client).replace("MARK", MARK);
                ip(self.world.lab.host(), &[&format!("{family} {line}")])?;
            }
        }
        Ok(())
    }

    /// Ten echoes over IPv4 through whatever leads there.
    fn echoes(&self, server: Ipv4Addr) -> Result<u32> {
        self.world.udp_to(IpAddr::V4(server)).map(|report| report.received)
    }
}

impl Drop for Tunnel<'_> {
    fn drop(&mut self) {
        self.programs.clear();
        for device in [&self.client, &self.server] {
            let _ = std::fs::remove_file(socket(device));
        }
    }
}

fn socket(device: &str) -> std::path::PathBuf {
    std::path::PathBuf::from(format!("/run/wireguard/{device}.sock"))
}

/// The host once it has used IPv6: the neighbours that it knows by then are not our doing.
fn settled(world: &World) -> Result<HostState> {
    ensure!(world.ping("2001:db8:100::10", 56)?, "native IPv6");
    world.residue()
}

#[test]
fn a_split_tunnel_reaches_its_ipv4_server_through_us() -> Result<()> {
    let world = single("e2e-wgsplit")?;
    let Some(tunnel) = Tunnel::new(&world)? else { return Ok(()) };
    tunnel.peer(IpAddr::V4(world.lab.server_v4()), "10.99.0.0/24,fd99::/64")?;
    let before = settled(&world)?;
    let daemon = world.start()?;
    daemon.ready()?;
    // Its handshake is repeated every five seconds; this one is the first.
    until(PATIENCE, || world.ping("10.99.0.1", 56)).context("a ping through the tunnel")?;
    let inside = SocketAddr::from((Ipv4Addr::new(10, 99, 0, 1), ECHO));
    world.lab.host().enter(|| probe::tcp(inside, 2 << 20, PATIENCE))?.context("TCP through the tunnel")?;
    ensure!(world.ping("fd99::1", 1300)?, "IPv6 through the tunnel");
    ensure!(world.udp()?.received == 10, "and beside it");
    ensure!(daemon.status()?.state == State::Working);
    daemon.stop()?;
    world.assert_as_before(&before)
}

/// Whatever is decided: packets do not go round, the status is what apps see, and all is well afterwards.
#[test]
fn a_full_tunnel_makes_no_loop_and_no_lie() -> Result<()> {
    let world = single("e2e-wgloop")?;
    let Some(tunnel) = Tunnel::new(&world)? else { return Ok(()) };
    let daemon = world.start()?;
    daemon.ready()?;
    tunnel.peer(IpAddr::V4(world.lab.server_v4()), "0.0.0.0/0,::/0")?;
    until(PATIENCE, || world.ping("10.99.0.1", 56)).context("a ping through the tunnel")?;
    tunnel.full(true)?;
    std::thread::sleep(Duration::from_secs(1));

    let interfaces = ["eth0", "everclat0", &tunnel.client];
    let count = || interfaces.iter().map(|interface| packets_sent(&world, interface)).sum::<Result<u64>>();
    let (packets, seconds) = (count()?, processor_seconds(&daemon)?);
    let apps = Udp { count: 20, interval: Duration::from_millis(100), ..Udp::to(SocketAddr::from((BEHIND, ECHO))) };
    let report = world.lab.host().enter(|| probe::udp(&apps))??;
    let (packets, seconds) = (count()? - packets, processor_seconds(&daemon)? - seconds);
    ensure!(packets <= 200, "20 datagrams became {packets} packets");
    ensure!(seconds <= 0.3, "{seconds} s of processor time");

    let status = daemon.status()?;
    println!("IPv4 server, full tunnel: {} ({}), {} of 20 echoes", status.code.as_str(), status.title, report.received);
    ensure!(report.received > 0 || !says_ipv4_works(&status), "it works for nobody: {status:#?}");
    tunnel.full(false)?;
    daemon.reaches("armed again", |status| status.clat.is_some())?;
    ensure!(world.udp()?.received == 10, "IPv4 is back");
    daemon.stop()
}

#[test]
fn a_full_tunnel_keeps_the_way_to_its_ipv4_server() -> Result<()> {
    let world = single("e2e-wgfull")?;
    let Some(tunnel) = Tunnel::new(&world)? else { return Ok(()) };
    let daemon = world.start()?;
    daemon.ready()?;
    tunnel.peer(IpAddr::V4(world.lab.server_v4()), "0.0.0.0/0,::/0")?;
    tunnel.full(true)?;
    until(PATIENCE, || world.ping("10.99.0.1", 56)).context("a ping through the tunnel")?;
    // Only packets with the VPN's mark take our route; the rules keep all others from it, so nothing passes by the VPN.
    for _ in 0..3 {
        ensure!(tunnel.echoes(BEHIND)? == 10, "IPv4 through the tunnel: {:#?}", daemon.status()?);
        std::thread::sleep(Duration::from_secs(1));
    }
    let status = daemon.status()?;
    ensure!(says_ipv4_works(&status), "{status:#?}");
    tunnel.full(false)?;
    daemon.reaches("armed", |status| status.state == State::Working)?;
    daemon.stop()
}

/// product.md: a VPN that gives IPv4 counts as native, whichever table its route is in.
#[test]
fn a_full_tunnel_that_gives_ipv4_counts_as_native() -> Result<()> {
    let world = single("e2e-wgnative")?;
    let Some(tunnel) = Tunnel::new(&world)? else { return Ok(()) };
    let daemon = world.start()?;
    daemon.ready()?;
    tunnel.peer(IpAddr::V6(world.lab.server_v6()), "0.0.0.0/0,::/0")?;
    tunnel.full(true)?;
    until(PATIENCE, || Ok(tunnel.echoes(BEHIND)? == 10)).context("IPv4 through the tunnel")?;
    let status = daemon.reaches("standby", |status| status.state == State::StandbyNative)?;
    ensure!(status.code == Code::NativeIpv4, "{status:#?}");
    // Our route stays for what the VPN itself may send; apps' packets do not get there.
    let translated = |status: &Status| status.clat.as_ref().map(|clat| clat.packets.out);
    ensure!(tunnel.echoes(BEHIND)? == 10, "still");
    ensure!(translated(&daemon.status()?) == translated(&status), "nothing passes the VPN by");
    tunnel.full(false)?;
    daemon.reaches("armed", |status| status.clat.is_some())?;
    ensure!(world.udp()?.received == 10);
    daemon.stop()
}

fn says_ipv4_works(status: &Status) -> bool {
    match status.state {
        State::Working | State::StandbyNative | State::StandbyOs => true,
        State::Checking | State::Limited | State::Down | State::Paused | State::NoNetwork => false,
    }
}

//! Who carries IPv4, and how it is started and put away.

use std::net::{IpAddr, Ipv6Addr};
use std::path::PathBuf;
use std::process::{Child, Stdio};
use std::time::Duration;

use anyhow::{Context, Result};
use everclat_e2e::{Daemon, PATIENCE, World, until};
use lab::Pref64;
use model::FastState;

/// One way from the host's apps to the server.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Contender {
    /// No translation: the server's address under the prefix, as IPv6.
    Native,
    /// The service alone.
    Everclat,
    /// The service alone, as another build has it.
    Build(PathBuf),
    /// With the kernel's fast path.
    FastPath,
    /// TAYGA, or whatever takes its configuration file, as a CLAT.
    Tayga(PathBuf),
}

impl Contender {
    pub(crate) fn name(&self) -> String {
        match self {
            Self::Native => "native IPv6".into(),
            Self::Everclat => "Everclat".into(),
            Self::Build(path) => format!("Everclat, {}", path.display()),
            Self::FastPath => "Everclat, fast path".into(),
            Self::Tayga(path) if path.as_os_str() == "tayga" => "TAYGA".into(),
            Self::Tayga(path) => {
                path.file_name().map_or_else(|| "peer".into(), |name| name.to_string_lossy().into_owned())
            }
        }
    }

    pub(crate) fn start(&self, world: &mut World, pref64: Pref64) -> Result<Running> {
        let server = world.lab.server_v4();
        world.service = match self {
            Self::Build(path) => path.clone(),
            Self::Native | Self::Everclat | Self::FastPath | Self::Tayga(_) => everclat_e2e::binary("everclatd"),
        };
        let running = match self {
            Self::Native => Running { target: pref64.embed(server).into(), program: Program::None },
            Self::Everclat | Self::Build(_) => {
                let daemon = world.start_with("FastPath = \"off\"\n")?;
                daemon.ready()?;
                Running { target: server.into(), program: Program::Everclat(daemon) }
            }
            Self::FastPath => {
                let daemon = world.start()?;
                daemon.ready()?;
                daemon.reaches("the fast path on", |status| {
                    let fast = status.clat.as_ref().and_then(|clat| clat.fast_path.as_ref());
                    fast.is_some_and(|fast| fast.state == FastState::On)
                })?;
                Running { target: server.into(), program: Program::Everclat(daemon) }
            }
            Self::Tayga(path) => Running { target: server.into(), program: tayga(world, pref64, path)? },
        };
        if !matches!(self, Self::Native) {
            let answered = until(PATIENCE, || Ok(world.udp_once().unwrap_or(false)));
            answered.with_context(|| format!("{} never answered", self.name()))?;
        }
        Ok(running)
    }
}

/// A contender at work.
pub(crate) struct Running {
    /// The server, as apps dial it.
    pub(crate) target: IpAddr,
    program: Program,
}

enum Program {
    None,
    Everclat(Daemon),
    Tayga { child: Child, x: Ipv6Addr, directory: tempfile::TempDir },
}

impl Running {
    /// The process that translates.
    pub(crate) fn pid(&self) -> Option<u32> {
        match &self.program {
            Program::None => None,
            Program::Everclat(daemon) => Some(daemon.pid()),
            Program::Tayga { child, .. } => Some(child.id()),
        }
    }

    /// Packets that it has taken from its tunnel so far; the fast path takes them before.
    pub(crate) fn taken(&self, world: &World) -> Result<Option<u64>> {
        let device = match &self.program {
            Program::None => return Ok(None),
            Program::Everclat(_) => "everclat0",
            Program::Tayga { .. } => DEVICE,
        };
        let said = world.lab.host().ip(&["-s", "-j", "link", "show", "dev", device])?;
        let said: serde_json::Value = serde_json::from_str(&said).context("ip -s -j link")?;
        Ok(said[0]["stats64"]["tx"]["packets"].as_u64())
    }

    pub(crate) fn stop(self, world: &World) -> Result<()> {
        match self.program {
            Program::None => Ok(()),
            Program::Everclat(daemon) => {
                if let Some(clat) = daemon.status()?.clat.filter(|clat| !clat.drops.is_empty()) {
                    eprintln!("    refused: {:?}", clat.drops);
                }
                daemon.stop()
            }
            Program::Tayga { mut child, x, directory } => {
                child.kill()?;
                child.wait()?;
                drop(directory);
                let host = world.lab.host();
                host.ip(&["link", "delete", DEVICE])?;
                host.ip(&["-6", "neigh", "del", "proxy", &x.to_string(), "dev", UPLINK])?;
                host.set_sysctls(&[("ipv6/conf/all/forwarding", "0"), ("ipv6/conf/eth0/proxy_ndp", "0")])?;
                // As the kernel is with such changes, its default route may be gone until the next advertisement.
                world.lab.set_ra(UPLINK, lab::RaPatch::default())?;
                until(PATIENCE, || Ok(!host.ip(&["-6", "route", "show", "default"])?.trim().is_empty()))?;
                Ok(())
            }
        }
    }
}

const UPLINK: &str = "eth0";
const DEVICE: &str = "clat";

/// As its documentation tells people to: a second address by proxy neighbour discovery, the host as a router.
fn tayga(world: &World, pref64: Pref64, path: &std::path::Path) -> Result<Program> {
    let host = world.lab.host();
    let net = world.lab.prefix(UPLINK)?;
    let x = Ipv6Addr::from(u128::from(net.addr()) | 0xc1a7);
    let own = Ipv6Addr::from(u128::from(net.addr()) | 0xc1a8);
    let directory = tempfile::tempdir()?;
    let file = directory.path().join("tayga.conf");
    let text =
        format!("tun-device {DEVICE}\nipv4-addr 192.0.0.1\nipv6-addr {own}\nprefix {pref64}\nmap 192.0.0.2 {x}\n");
    std::fs::write(&file, text)?;
    host.set_sysctls(&[
        ("ipv6/conf/eth0/accept_ra", "2"),
        ("ipv6/conf/all/forwarding", "1"),
        ("ipv6/conf/eth0/proxy_ndp", "1"),
        // Else the kernel waits up to this long before it answers for X (in hundredths of a second).
        ("ipv6/neigh/eth0/proxy_delay", "0"),
    ])?;
    host.ip(&["tuntap", "add", "dev", DEVICE, "mode", "tun"])?;
    host.ip(&["link", "set", DEVICE, "up"])?;
    host.ip(&["-6", "route", "add", &format!("{x}/128"), "dev", DEVICE])?;
    host.ip(&["-6", "neigh", "add", "proxy", &x.to_string(), "dev", UPLINK])?;
    host.ip(&["address", "add", "192.0.0.2/32", "dev", DEVICE])?;
    host.ip(&["route", "add", "default", "dev", DEVICE, "src", "192.0.0.2", "mtu", "1480"])?;
    let mut command = host.command(path);
    command.arg("--nodetach").arg("--config").arg(&file);
    let child = command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null()).spawn()?;
    std::thread::sleep(Duration::from_millis(200));
    Ok(Program::Tayga { child, x, directory })
}

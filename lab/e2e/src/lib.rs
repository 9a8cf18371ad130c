//! End-to-end tests: the real binaries in a lab of namespaces, judged from outside.
//!
//! They need root and the release binaries; `cargo xtask test` builds those and runs them one after the other. Each
//! test has its own lab and takes it down, whether it passes or not.

#![forbid(unsafe_code)]

mod daemon;
pub mod events;
pub mod stream;

use std::fs::Permissions;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::os::unix::fs::PermissionsExt;
use std::path::PathBuf;
use std::process::Stdio;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail, ensure};
use lab::probe::{self, Udp, UdpReport};
use lab::residue::{self, HostState};
use lab::{Lab, LabConfig};
use tempfile::TempDir;

pub use daemon::Daemon;

/// UDP and TCP echo.
pub const ECHO: u16 = 7;
/// Long enough for a loaded machine; every wait ends as soon as its condition holds.
pub const PATIENCE: Duration = Duration::from_secs(10);

/// The release binary `name`.
#[must_use]
pub fn binary(name: &str) -> PathBuf {
    let directory = std::env::var_os("EVERCLAT_BIN_DIR")
        .map_or_else(|| PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../../target/release"), PathBuf::from);
    directory.join(name)
}

/// A lab with room for one `everclatd` at a time.
#[derive(Debug)]
pub struct World {
    /// The network.
    pub lab: Lab,
    /// The service that is started: `everclatd` of this build, unless a test wants another one.
    pub service: PathBuf,
    directory: TempDir,
}

impl World {
    /// Brings the lab up under the test's own name.
    ///
    /// # Errors
    /// When the lab cannot be built.
    pub fn new(name: &str, change: impl FnOnce(&mut LabConfig)) -> Result<Self> {
        let mut config = LabConfig::named(name);
        config.node_exe = binary("everclat");
        config.replace = true;
        config.iperf = false;
        change(&mut config);
        let mut lab = Lab::up(config)?;
        lab.down_on_drop(true);
        // The service is woken when something changes beside its configuration's directory, as in /tmp all the time.
        let parent = std::env::temp_dir().join("everclat-e2e");
        std::fs::create_dir_all(&parent)?;
        // Some tests look at it as an ordinary user.
        std::fs::set_permissions(&parent, Permissions::from_mode(0o755))?;
        Ok(Self { lab, service: binary("everclatd"), directory: tempfile::tempdir_in(parent)? })
    }

    /// Starts `everclatd` in the host.
    ///
    /// # Errors
    /// When it cannot be started at all; see [`Daemon::ready`] for the rest.
    pub fn start(&self) -> Result<Daemon> {
        self.start_with("")
    }

    /// The same with the text of a configuration file.
    ///
    /// # Errors
    /// See [`start`](Self::start).
    pub fn start_with(&self, config: &str) -> Result<Daemon> {
        self.start_in(config, &[])
    }

    /// The same with the log down to DEBUG: for tests whose failures nobody can repeat by hand.
    ///
    /// # Errors
    /// See [`start`](Self::start).
    pub fn start_verbose(&self, config: &str) -> Result<Daemon> {
        // The parts that decide and act; resolvers and such say too much.
        let parts = "everclat_engine=debug,everclat_service=debug,everclat_platform_linux=debug,info";
        self.start_in(config, &[("EVERCLAT_LOG", parts)])
    }

    /// The same with variables in its environment.
    ///
    /// # Errors
    /// See [`start`](Self::start).
    pub fn start_in(&self, config: &str, environment: &[(&str, &str)]) -> Result<Daemon> {
        let file = self.directory.path().join("config.toml");
        std::fs::write(&file, config)?;
        let socket = self.directory.path().join("everclatd.sock");
        let log = self.directory.path().join("log");
        let mut command = self.lab.host().command(&self.service);
        command
            .arg("run")
            .arg("--config")
            .arg(&file)
            .arg("--policy-dir")
            .arg(self.policies())
            .arg("--state-dir")
            .arg(self.state())
            .arg("--socket")
            .arg(&socket)
            .envs(environment.iter().copied())
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(std::fs::File::create(&log)?);
        let child = command.spawn().context("start everclatd")?;
        Ok(Daemon { child, socket, log, started: Instant::now() })
    }

    /// Where it keeps what survives it.
    #[must_use]
    pub fn state(&self) -> PathBuf {
        self.directory.path().join("state")
    }

    /// The next service has to learn everything, as on the first start.
    ///
    /// # Errors
    /// When what the former one kept cannot be removed.
    pub fn forget(&self) -> Result<()> {
        match std::fs::remove_file(self.state().join("memory.json")) {
            Err(error) if error.kind() != std::io::ErrorKind::NotFound => Err(error.into()),
            Ok(()) | Err(_) => Ok(()),
        }
    }

    /// Where its administrator's policies are; nobody has made it yet.
    #[must_use]
    pub fn policies(&self) -> PathBuf {
        self.directory.path().join("policy.d")
    }

    /// A series of UDP echoes from the host's apps to the IPv4-only server.
    ///
    /// # Errors
    /// When no socket can be had.
    pub fn udp(&self) -> Result<UdpReport> {
        self.udp_to(IpAddr::V4(self.lab.server_v4()))
    }

    /// The same to any server.
    ///
    /// # Errors
    /// When no socket can be had.
    pub fn udp_to(&self, server: IpAddr) -> Result<UdpReport> {
        let probe = Udp::to(SocketAddr::new(server, ECHO));
        Ok(self.lab.host().enter(|| probe::udp(&probe))??)
    }

    /// One UDP echo from the host's apps to the IPv4-only server; whether it was answered within 50 ms.
    ///
    /// # Errors
    /// When no socket can be had; an echo that cannot be sent is one that is not answered.
    pub fn udp_once(&self) -> Result<bool> {
        let target = SocketAddr::new(IpAddr::V4(self.lab.server_v4()), ECHO);
        self.lab.host().enter(|| -> Result<bool> {
            let socket = std::net::UdpSocket::bind((Ipv4Addr::UNSPECIFIED, 0))?;
            socket.set_read_timeout(Some(Duration::from_millis(50)))?;
            Ok(socket.send_to(b"everclat", target).is_ok() && socket.recv_from(&mut [0; 64]).is_ok())
        })?
    }

    /// One datagram to a port of the IPv4-only server, whatever becomes of it.
    ///
    /// # Errors
    /// When it cannot be sent.
    pub fn udp_to_port(&self, port: u16) -> Result<()> {
        let target = SocketAddr::new(IpAddr::V4(self.lab.server_v4()), port);
        self.lab.host().enter(|| -> Result<()> {
            let socket = std::net::UdpSocket::bind((Ipv4Addr::UNSPECIFIED, 0))?;
            socket.send_to(b"everclat", target)?;
            Ok(())
        })?
    }

    /// Sends single UDP echoes until one is answered; says how long that took.
    ///
    /// # Errors
    /// When none is answered in [`PATIENCE`].
    pub fn first_reply(&self) -> Result<Duration> {
        let target = SocketAddr::new(IpAddr::V4(self.lab.server_v4()), ECHO);
        self.lab.host().enter(|| -> Result<Duration> {
            let begin = Instant::now();
            let socket = std::net::UdpSocket::bind((Ipv4Addr::UNSPECIFIED, 0))?;
            socket.set_read_timeout(Some(Duration::from_millis(5)))?;
            while begin.elapsed() < PATIENCE {
                // Refused as long as there is no route: that is what is being waited for.
                if socket.send_to(b"everclat", target).is_err() {
                    std::thread::sleep(Duration::from_millis(2));
                    continue;
                }
                if socket.recv_from(&mut [0; 64]).is_ok() {
                    return Ok(begin.elapsed());
                }
            }
            bail!("no reply in {PATIENCE:?}")
        })?
    }

    /// Echoes `bytes` bytes over TCP.
    ///
    /// # Errors
    /// When the connection fails, stalls, or gives back something else.
    pub fn tcp(&self, bytes: usize) -> Result<()> {
        let target = SocketAddr::new(IpAddr::V4(self.lab.server_v4()), ECHO);
        self.lab.host().enter(|| probe::tcp(target, bytes, PATIENCE))??;
        Ok(())
    }

    /// Pings an address from the host with `size` bytes of payload.
    ///
    /// # Errors
    /// When the program cannot be run; an unanswered ping is `false`.
    pub fn ping(&self, target: &str, size: usize) -> Result<bool> {
        let mut command = self.lab.host().command("ping");
        command.args(["-c1", "-W2", "-n", "-s", &size.to_string(), target]);
        Ok(command.stdout(Stdio::null()).stderr(Stdio::null()).status()?.success())
    }

    /// Runs a program in the host and gives what it said, whether it succeeded or not.
    ///
    /// # Errors
    /// When it cannot be run.
    pub fn say(&self, command: &[&str]) -> Result<String> {
        let (program, arguments) = command.split_first().context("a program")?;
        let output = self.lab.host().command(program).args(arguments).output()?;
        let said = [output.stdout, output.stderr].concat();
        Ok(String::from_utf8_lossy(&said).into_owned())
    }

    /// What a program must leave as it found it, once it no longer changes by itself.
    ///
    /// # Errors
    /// When the tools fail.
    pub fn residue(&self) -> Result<HostState> {
        Ok(residue::capture(self.lab.host())?)
    }

    /// Fails with the difference unless the host is as it was.
    ///
    /// # Errors
    /// When something is left, or lost.
    pub fn assert_as_before(&self, before: &HostState) -> Result<()> {
        // The kernel takes a moment to send the last multicast reports and drop the last entries.
        let mut diff = String::new();
        let ended = until(Duration::from_secs(3), || {
            diff = before.diff(&self.residue()?);
            Ok(diff.is_empty())
        });
        ensure!(ended.is_ok(), "the host is not as it was:\n{diff}");
        Ok(())
    }
}

/// Tries until `condition` holds; says how long that took.
///
/// # Errors
/// When it does not hold in time, or fails.
pub fn until(patience: Duration, mut condition: impl FnMut() -> Result<bool>) -> Result<Duration> {
    let begin = Instant::now();
    loop {
        if condition()? {
            return Ok(begin.elapsed());
        }
        ensure!(begin.elapsed() < patience, "not within {patience:?}");
        std::thread::sleep(Duration::from_millis(5));
    }
}

/// How often to repeat what has a figure: often enough for a median in the full run, once or twice otherwise.
#[must_use]
pub fn repetitions(quick: usize, full: usize) -> usize {
    if is_full() { full } else { quick }
}

/// Whether this is `cargo xtask test --full`.
#[must_use]
pub fn is_full() -> bool {
    std::env::var_os("EVERCLAT_FULL").is_some()
}

/// Notes a figure for `docs/measurements.md`; the full run collects these lines.
pub fn figure(name: &str, value: &str) {
    println!("FIGURE {name}: {value}");
}

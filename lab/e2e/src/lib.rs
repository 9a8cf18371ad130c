//! End-to-end tests: the real binaries in a lab of namespaces, judged from outside.
//!
//! They need root and the release binaries; `cargo xtask test` builds those and runs them one after the other. Each
//! test has its own lab and takes it down, whether it passes or not.

#![forbid(unsafe_code)]

use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::path::PathBuf;
use std::process::{Child, Command, Output, Stdio};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail, ensure};
use lab::probe::{self, Udp, UdpReport};
use lab::residue::{self, HostState};
use lab::{Lab, LabConfig};
use model::Status;
use rustix::process::{Pid, Signal, kill_process};
use tempfile::TempDir;

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
        Ok(Self { lab, directory: tempfile::tempdir()? })
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

    /// The same with variables in its environment.
    ///
    /// # Errors
    /// See [`start`](Self::start).
    pub fn start_in(&self, config: &str, environment: &[(&str, &str)]) -> Result<Daemon> {
        let file = self.directory.path().join("config.toml");
        std::fs::write(&file, config)?;
        let socket = self.directory.path().join("everclatd.sock");
        let log = self.directory.path().join("log");
        let child = self
            .lab
            .host()
            .command(binary("everclatd"))
            .arg("run")
            .arg("--config")
            .arg(&file)
            .arg("--policy-dir")
            .arg(self.policies())
            .arg("--state-dir")
            .arg(self.directory.path().join("state"))
            .arg("--socket")
            .arg(&socket)
            .envs(environment.iter().copied())
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(std::fs::File::create(&log)?)
            .spawn()
            .context("start everclatd")?;
        Ok(Daemon { child, socket, log, started: Instant::now() })
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

/// A running `everclatd`.
#[derive(Debug)]
pub struct Daemon {
    child: Child,
    socket: PathBuf,
    log: PathBuf,
    /// When it was started.
    pub started: Instant,
}

impl Daemon {
    /// Its process id.
    #[must_use]
    pub fn pid(&self) -> u32 {
        self.child.id()
    }

    /// Where it listens.
    #[must_use]
    pub fn socket(&self) -> &std::path::Path {
        &self.socket
    }

    /// Lets users reach the socket: its directory is the test's own, where nobody else may look.
    ///
    /// # Errors
    /// When the rights cannot be set.
    pub fn open_to_users(&self) -> Result<()> {
        let directory = self.socket.parent().context("a directory")?;
        Ok(std::fs::set_permissions(directory, std::os::unix::fs::PermissionsExt::from_mode(0o755))?)
    }

    /// What it has logged.
    #[must_use]
    pub fn log(&self) -> String {
        std::fs::read_to_string(&self.log).unwrap_or_default()
    }

    /// Runs the command-line tool against it.
    ///
    /// # Errors
    /// When it cannot be run.
    pub fn cli(&self, arguments: &[&str]) -> Result<Output> {
        Ok(Command::new(binary("everclat")).env("EVERCLAT_SOCKET", &self.socket).args(arguments).output()?)
    }

    /// The tool as a user who is no administrator would call it.
    #[must_use]
    pub fn command_of_user(&self, arguments: &[&str]) -> Command {
        let mut command = Command::new("setpriv");
        command.args(["--reuid", "65534", "--regid", "65534", "--clear-groups"]).arg(binary("everclat"));
        command.env("EVERCLAT_SOCKET", &self.socket).args(arguments);
        command
    }

    /// Runs that to its end.
    ///
    /// # Errors
    /// When it cannot be run.
    pub fn cli_of_user(&self, arguments: &[&str]) -> Result<Output> {
        Ok(self.command_of_user(arguments).output()?)
    }

    /// The status, by `everclat status --json`.
    ///
    /// # Errors
    /// When it does not answer or says something else.
    pub fn status(&self) -> Result<Status> {
        let output = self.cli(&["status", "--json"])?;
        ensure!(output.status.success(), "status: {}", String::from_utf8_lossy(&output.stderr));
        Ok(serde_json::from_slice(&output.stdout)?)
    }

    /// Waits until it is armed, by `everclat wait --for ready`.
    ///
    /// # Errors
    /// When that takes longer than [`PATIENCE`]; the error holds the log.
    pub fn ready(&self) -> Result<()> {
        let output = self.cli(&["wait", "--for", "ready", "--timeout", "10s"])?;
        ensure!(output.status.success(), "{}\nlog:\n{}", String::from_utf8_lossy(&output.stderr), self.log());
        Ok(())
    }

    /// Waits until the status satisfies `condition` and gives it.
    ///
    /// # Errors
    /// When that takes longer than [`PATIENCE`]; the error holds the last status and the log.
    pub fn reaches(&self, what: &str, condition: impl Fn(&Status) -> bool) -> Result<Status> {
        let mut last = None;
        let reached = until(PATIENCE, || {
            // It may not listen yet.
            let Ok(status) = self.status() else { return Ok(false) };
            let there = condition(&status);
            last = Some(status);
            Ok(there)
        });
        match (reached, last) {
            (Ok(_), Some(status)) => Ok(status),
            (_, last) => bail!("never {what}: {last:#?}\nlog:\n{}", self.log()),
        }
    }

    /// SIGHUP: it reads its configuration again.
    ///
    /// # Errors
    /// When there is no such process.
    pub fn hang_up(&self) -> Result<()> {
        self.signal(Signal::HUP)
    }

    /// SIGTERM; it must exit with 0 within a few seconds.
    ///
    /// # Errors
    /// When it does not.
    pub fn stop(mut self) -> Result<()> {
        self.signal(Signal::TERM)?;
        let mut code = None;
        until(Duration::from_secs(5), || {
            code = self.child.try_wait()?;
            Ok(code.is_some())
        })?;
        ensure!(code.is_some_and(|code| code.success()), "exit {code:?}\nlog:\n{}", self.log());
        Ok(())
    }

    /// `kill -9`.
    ///
    /// # Errors
    /// When there is no such process.
    pub fn kill(mut self) -> Result<()> {
        self.signal(Signal::KILL)?;
        self.child.wait()?;
        Ok(())
    }

    fn signal(&self, signal: Signal) -> Result<()> {
        let pid = i32::try_from(self.child.id()).ok().and_then(Pid::from_raw).context("a process id")?;
        Ok(kill_process(pid, signal)?)
    }
}

impl Drop for Daemon {
    fn drop(&mut self) {
        // A test that failed must not leave it behind; one that passed has waited for it.
        if matches!(self.child.try_wait(), Ok(None)) {
            let _ = self.child.kill();
            let _ = self.child.wait();
        }
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

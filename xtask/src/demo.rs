//! `cargo xtask demo`: the main job in plain words and real output.

mod cable;

use std::path::PathBuf;
use std::process::{Child, Command, ExitCode, Stdio};
use std::time::Instant;

use anyhow::{Context, Result, bail, ensure};
use rustix::process::{Pid, Signal, kill_process};
use serde_json::Value;

use crate::run::{binary, build, describe};
use crate::{install, window};

const LAB: &str = "demo";
const LITERAL: &str = "198.51.100.10";
const SERVER6: &str = "2001:db8:100::10";

/// Runs the demo. With `keep`, network and service stay.
pub(crate) fn run(keep: bool) -> Result<ExitCode> {
    if !install::is_root() {
        bail!("network namespaces need root; type: sudo -E cargo xtask demo");
    }
    install::tools()?;
    say("Building everclatd and everclat (the first time takes a minute or two)");
    build()?;
    let app = window::prepare();
    let directory = PathBuf::from("/run/everclat-demo");
    let mut demo = Demo { service: None, app, window: None, directory, keep: false };
    demo.show()?;
    if keep {
        demo.leave_running();
    } else {
        demo.take_down()?;
    }
    Ok(ExitCode::SUCCESS)
}

/// What is running. Dropped early, by an error, it takes everything down.
struct Demo {
    service: Option<Child>,
    /// The app, where there is a display to show it on.
    app: Option<PathBuf>,
    window: Option<Child>,
    directory: PathBuf,
    keep: bool,
}

impl Demo {
    fn show(&mut self) -> Result<()> {
        say("An IPv6-only network in namespaces of this machine: a host, routers that announce a NAT64 prefix \
             (RFC 8781),\nTAYGA as NAT64, unbound as DNS64, and a server that has nothing but IPv4:");
        // Replaces what an interrupted or a kept demo has left, its service included.
        must(&mut lab(&["up", "--replace"]))?;

        say(&format!("A program that dials the IPv4 literal {LITERAL} is dead here:"));
        let page = format!("http://{LITERAL}/");
        let worked = step(&mut in_host(&["curl", "-sS", "-m", "3", &page]))?;
        ensure!(!worked, "IPv4 works without Everclat: this proves nothing");
        say("Native IPv6 works, of course:");
        must(&mut in_host(&["curl", "-sS", "-m", "3", "-g", &format!("http://[{SERVER6}]/")]))?;

        say("Now Everclat starts:");
        let begin = Instant::now();
        self.start()?;
        must(self.everclat().args(["wait", "--for", "ready", "--timeout", "10s"]))?;
        println!("    ready {} ms after the start", begin.elapsed().as_millis());
        if let Some(app) = &self.app {
            say("Its window opens, for who wants to watch:");
            self.window = Some(window::open(app, &self.socket())?);
        }

        say("The same literal:");
        must(&mut in_host(&["curl", "-sS", "-m", "3", &page]))?;
        say("Ping and UDP, too:");
        must(&mut in_host(&["ping", "-n", "-q", "-c", "3", "-i", "0.2", LITERAL]))?;
        must(&mut probe(&[]))?;

        cable::pull(self)?;
        cable::plug_in(self)?;

        say("What was there before is untouched: native IPv6, a neighbour on the LAN, the host itself");
        for target in [SERVER6, "fe80::1%eth0", "::1"] {
            must(&mut in_host(&["ping", "-n", "-q", "-c", "1", "-W", "2", target]))?;
        }
        say("A new connection, now by Ethernet again:");
        must(&mut in_host(&["curl", "-sS", "-m", "3", &page]))?;
        say("What Everclat says:");
        must(self.everclat().args(["status", "-v"]))
    }

    /// The interface that Everclat's packets leave through.
    fn uplink(&self) -> Result<String> {
        let status: Value = serde_json::from_str(&output(self.everclat().args(["status", "--json"]))?)?;
        Ok(status["uplink"]["name"].as_str().unwrap_or("nothing").to_owned())
    }

    fn start(&mut self) -> Result<()> {
        std::fs::create_dir_all(&self.directory)?;
        // `ip netns exec` becomes what it starts, so that a signal reaches the service itself.
        let mut command = Command::new("ip");
        command.args(["netns", "exec", &format!("ev{LAB}-host")]);
        command.arg(binary("everclatd")).arg("run").arg("--socket").arg(self.socket());
        command.arg("--state-dir").arg(self.directory.join("state"));
        command.arg("--config").arg(self.directory.join("config.toml"));
        println!("    $ {} &", describe(&command));
        let log = std::fs::File::create(self.directory.join("log"))?;
        self.service = Some(command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(log).spawn()?);
        Ok(())
    }

    fn take_down(&mut self) -> Result<()> {
        say("Everclat stops, and the network is taken down:");
        self.close_window();
        let mut service = self.service.take().context("a running service")?;
        terminate(&service)?;
        let status = service.wait()?;
        ensure!(status.success(), "everclatd ended with {status}");
        let routes = output(&mut in_host(&["ip", "-4", "route"]))?;
        ensure!(routes.trim().is_empty(), "a route is left: {routes}");
        println!("    everclatd ended; no IPv4 route is left");
        must(&mut lab(&["down"]))?;
        let left = output(Command::new("ip").args(["netns", "list"]))?;
        ensure!(!left.contains("evdemo-"), "a namespace is left: {left}");
        std::fs::remove_dir_all(&self.directory)?;
        self.keep = true;
        println!("    nothing is left");
        Ok(())
    }

    fn close_window(&mut self) {
        if let Some(mut window) = self.window.take() {
            // Somebody may have closed it already.
            let _ = terminate(&window);
            let _ = window.wait();
        }
    }

    fn leave_running(&mut self) {
        self.keep = true;
        let (everclat, socket) = (binary("everclat"), self.socket());
        let (everclat, socket) = (everclat.display(), socket.display());
        say("Network and service stay. Play with them:");
        println!("    {everclat} lab --name {LAB} exec -- curl http://{LITERAL}/");
        println!("    {everclat} lab --name {LAB} exec -- bash");
        println!("    {everclat} --socket {socket} status -v");
        println!("    {everclat} lab --name {LAB} ra --withdraw");
        println!("  and take them down with");
        println!("    {everclat} lab --name {LAB} down && rm -r {}", self.directory.display());
    }

    fn everclat(&self) -> Command {
        let mut command = Command::new(binary("everclat"));
        command.arg("--socket").arg(self.socket());
        command
    }

    fn socket(&self) -> PathBuf {
        self.directory.join("everclatd.sock")
    }
}

impl Drop for Demo {
    fn drop(&mut self) {
        if self.keep {
            return;
        }
        // On the way out of an error: the error is what counts.
        self.close_window();
        if let Some(mut service) = self.service.take() {
            let _ = terminate(&service);
            let _ = service.wait();
        }
        let _ = lab(&["down"]).status();
    }
}

fn say(words: &str) {
    println!("\n{words}");
}

fn lab(arguments: &[&str]) -> Command {
    let mut command = Command::new(binary("everclat"));
    command.args(["lab", "--name", LAB]).args(arguments);
    command
}

/// A command in the host of the lab.
fn in_host(command: &[&str]) -> Command {
    lab(&[&["exec", "--"], command].concat())
}

/// UDP echoes to the IPv4-only server.
fn probe(options: &[&str]) -> Command {
    let mut command = in_host(&[]);
    command.arg(binary("everclat")).args(["lab-node", "probe", "udp", &format!("{LITERAL}:7")]).args(options);
    command
}

/// Shows a command and what it says; `false` when it fails.
fn step(command: &mut Command) -> Result<bool> {
    println!("    $ {}", describe(command));
    let output = command.output().with_context(|| format!("run {}", describe(command)))?;
    let said = [output.stdout, output.stderr].concat();
    for line in String::from_utf8_lossy(&said).lines() {
        println!("    {line}");
    }
    Ok(output.status.success())
}

/// Shows a command that has to succeed.
fn must(command: &mut Command) -> Result<()> {
    ensure!(step(command)?, "that should have worked");
    Ok(())
}

fn output(command: &mut Command) -> Result<String> {
    let output = command.output().with_context(|| format!("run {}", describe(command)))?;
    Ok(String::from_utf8_lossy(&output.stdout).into_owned())
}

fn terminate(child: &Child) -> Result<()> {
    let pid = i32::try_from(child.id()).ok().and_then(Pid::from_raw).context("a process id")?;
    Ok(kill_process(pid, Signal::TERM)?)
}

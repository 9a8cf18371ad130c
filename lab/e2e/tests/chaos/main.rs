//! Hundreds of things that happen to networks and services, in any order and often at once; then everything is healed, and
//! IPv4 must work.
//!
//! `EVERCLAT_CHAOS_SEED=7 EVERCLAT_CHAOS_EVENTS=40` repeats a run, or the beginning of one.

mod events;
mod routes;

use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail, ensure};
use events::{Dice, Event, UPLINKS};
use everclat_e2e::{Daemon, World, figure, is_full, repetitions, until};
use lab::{AnnouncedPref64, Fault, Pref64, RaPatch};
use model::State;

/// How long the healed network may be without IPv4. Duplicate detection and a router that is distrusted for a while are in it.
const HEALED: Duration = Duration::from_secs(15);
/// Events told after a failure.
const TOLD: usize = 50;
/// Lines of the log told after a failure.
const LOG_TOLD: usize = 150;

/// A run of it.
struct Chaos {
    world: World,
    daemon: Option<Daemon>,
    /// What the services before this one have logged.
    logs: String,
    /// PREF64s of the routers as they began, and other ones that they translate, too.
    prefixes: [[Pref64; 2]; 2],
    history: Vec<String>,
    begin: Instant,
}

#[test]
fn whatever_happens_ipv4_comes_back() -> Result<()> {
    let seed = number("EVERCLAT_CHAOS_SEED").unwrap_or_else(|| if is_full() { Dice::seed() } else { 1 });
    let wanted = number("EVERCLAT_CHAOS_EVENTS").and_then(|n| usize::try_from(n).ok());
    let count = wanted.unwrap_or_else(|| repetitions(30, 300));
    println!("EVERCLAT_CHAOS_SEED={seed} EVERCLAT_CHAOS_EVENTS={count}");
    let mut chaos = Chaos::new()?;
    let before = chaos.world.residue()?;
    let result = chaos.run(Dice::new(seed), count).and_then(|()| {
        chaos.daemon.take().context("a service")?.stop()?;
        chaos.world.assert_as_before(&before)
    });
    if result.is_err() {
        chaos.tell(seed)?;
    }
    result
}

fn number(variable: &str) -> Option<u64> {
    std::env::var(variable).ok()?.parse().ok()
}

impl Chaos {
    fn new() -> Result<Self> {
        let world = World::new("e2e-chaos", |_| ())?;
        let mut prefixes = [["2001:db8:64::/96".parse()?, "2001:db8:1064::/96".parse()?]; 2];
        prefixes[1] = ["2001:db8:65::/96".parse()?, "2001:db8:1065::/96".parse()?];
        for (uplink, [first, other]) in UPLINKS.iter().zip(prefixes) {
            let announced = world.lab.ra(uplink)?.config.pref64;
            ensure!(announced.iter().map(|one| one.prefix).eq([first]), "{announced:?}");
            world.lab.add_nat64(uplink, other)?;
        }
        Ok(Self { world, daemon: None, logs: String::new(), prefixes, history: Vec::new(), begin: Instant::now() })
    }

    fn daemon(&mut self) -> Result<&mut Daemon> {
        self.daemon.as_mut().context("a service")
    }

    fn run(&mut self, mut dice: Dice, count: usize) -> Result<()> {
        self.daemon = Some(self.world.start_verbose("")?);
        self.daemon()?.ready()?;
        let watcher = routes::Watcher::start(self.world.lab.host().clone());
        for _ in 0..count {
            let event = dice.event();
            self.note(&format!("{event:?}"));
            self.happen(event).with_context(|| format!("{event:?}"))?;
            self.healthy()?;
            watcher.check()?;
            std::thread::sleep(Duration::from_millis(dice.between(20, 300)));
        }
        self.note("healed");
        self.heal()?;
        let took = until(HEALED, || self.world.udp_once()).context("IPv4 does not come back")?;
        watcher.check()?;
        figure("chaos", &format!("{count} events, IPv4 back {took:.1?} after the host's own IPv6"));
        self.truthful()?;
        self.healthy()?;
        watcher.finish()
    }

    fn note(&mut self, what: &str) {
        self.history.push(format!("{:8.3} s  {what}", self.begin.elapsed().as_secs_f64()));
    }

    fn happen(&mut self, event: Event) -> Result<()> {
        let lab = &self.world.lab;
        match event {
            Event::Cut(uplink) => lab.cut(UPLINKS[uplink])?,
            Event::Restore(uplink) => lab.restore(UPLINKS[uplink])?,
            Event::Flush(uplink) => lab.flush(UPLINKS[uplink])?,
            Event::NativeIpv4(uplink, on) => lab.native4(UPLINKS[uplink], on)?,
            Event::Withdraw(uplink) => lab.set_ra(UPLINKS[uplink], RaPatch::withdrawn()).map(drop)?,
            Event::Announce(uplink, other) => self.announce(uplink, usize::from(other))?,
            Event::RouterMute(uplink, on) => lab.set_fault(UPLINKS[uplink], Fault::RouterMute, on)?,
            Event::Nat64Dead(uplink, on) => lab.set_fault(UPLINKS[uplink], Fault::Nat64Dead, on)?,
            Event::Forwarding(on) => {
                lab.host().set_sysctls(&[("ipv6/conf/all/forwarding", if on { "1" } else { "0" })])?;
            }
            Event::Mtu(uplink, mtu) => {
                lab.host().ip(&["link", "set", UPLINKS[uplink], "mtu", &mtu.to_string()]).map(drop)?;
            }
            Event::Command(words) => self.command(words)?,
            Event::HangUp => self.daemon()?.hang_up()?,
            Event::KillAndStart => {
                let killed = self.daemon.take().context("a service")?;
                self.logs.push_str(&killed.log());
                killed.kill()?;
                self.daemon = Some(self.world.start_verbose("")?);
                // Signals mean something else until it listens to them.
                let daemon = self.daemon()?;
                daemon.reaches("an answer", |_| true)?;
            }
        }
        Ok(())
    }

    /// Announces one of the two PREF64s, and withdraws the other one.
    fn announce(&self, uplink: usize, which: usize) -> Result<()> {
        let mut both = self.prefixes[uplink].map(AnnouncedPref64::new);
        both[1 - which].lifetime_s = 0;
        self.world.lab.set_ra(UPLINKS[uplink], RaPatch::announce(both))?;
        Ok(())
    }

    /// It may be refused, as a re-arming while paused; but it must not hang.
    fn command(&mut self, words: &[&str]) -> Result<()> {
        const HANGS: i32 = 124;
        let mut command = std::process::Command::new("timeout");
        command.arg("10").arg(everclat_e2e::binary("everclat")).arg("--socket").arg(self.daemon()?.socket());
        let output = command.args(words).output()?;
        ensure!(output.status.code() != Some(HANGS), "it hangs");
        Ok(())
    }

    /// The service runs and has not panicked.
    fn healthy(&mut self) -> Result<()> {
        let daemon = self.daemon()?;
        if let Some(status) = daemon.ended()? {
            bail!("everclatd has ended by itself: {status}");
        }
        ensure!(!daemon.log().contains("panicked at"), "a panic is in the log");
        Ok(())
    }

    fn heal(&mut self) -> Result<()> {
        let lab = &self.world.lab;
        lab.host().set_sysctls(&[("ipv6/conf/all/forwarding", "0")])?;
        for (index, uplink) in UPLINKS.into_iter().enumerate() {
            lab.host().ip(&["link", "set", uplink, "mtu", "1500"])?;
            lab.native4(uplink, false)?;
            lab.set_fault(uplink, Fault::RouterMute, false)?;
            lab.set_fault(uplink, Fault::Nat64Dead, false)?;
            lab.restore(uplink)?;
            self.announce(index, 0)?;
        }
        lab.host().ip(&["-4", "neighbour", "flush", "all"])?;
        self.command(&["resume"])?;
        // The kernel drops advertisements until it has noticed the carrier, up to a second later.
        let host = lab_host_ready(&self.world);
        host.context("the host's own IPv6 does not come back")
    }

    /// What it says of itself is what is there.
    fn truthful(&mut self) -> Result<()> {
        let armed = |status: &model::Status| status.state == State::Working && status.clat.is_some();
        let status = self.daemon()?.reaches("working", armed)?;
        let (clat, used) = (status.clat.context("armed")?, status.uplink.context("an uplink")?);
        let index = UPLINKS.iter().position(|uplink| **uplink == used.name).context("an uplink of the lab")?;
        let lab = &self.world.lab;
        ensure!(lab.prefix(&used.name)?.contains(&clat.v6), "{} is not of {}", clat.v6, used.name);
        let first = status.pref64.first().context("a prefix")?;
        ensure!(first.prefix == self.prefixes[index][0], "{:?} is not what {} announces", first, used.name);
        let addresses = lab.host().ip(&["-4", "address", "show", "dev", &clat.iface])?;
        ensure!(addresses.contains(&format!("inet {}/", clat.v4)), "{addresses}");
        let routes = lab.host().ip(&["-4", "route", "show", "default"])?;
        let ours = format!("default via 192.0.0.1 dev {}", clat.iface);
        ensure!(routes.lines().count() == 1 && routes.starts_with(&ours), "{routes}");
        ensure!(routes.contains(&format!("mtu {}", clat.mtu)) && clat.mtu == 1472, "{} in {routes}", clat.mtu);
        ensure!(self.world.udp()?.received == 10, "it works, and goes on working");
        Ok(())
    }

    /// All that is needed to understand a failure, the whole log in a file.
    fn tell(&mut self, seed: u64) -> Result<()> {
        if let Some(daemon) = &self.daemon {
            self.logs.push_str(&daemon.log());
            println!("status: {:#?}", daemon.status());
        }
        let file = std::env::temp_dir().join(format!("everclat-chaos-{seed}.log"));
        std::fs::write(&file, &self.logs)?;
        println!("the last of {} events:", self.history.len());
        for line in self.history.iter().skip(self.history.len().saturating_sub(TOLD)) {
            println!("{line}");
        }
        let lines: Vec<_> = self.logs.lines().collect();
        println!("the end of the log, all of which is in {}:", file.display());
        for line in lines.iter().skip(lines.len().saturating_sub(LOG_TOLD)) {
            println!("{line}");
        }
        println!("routes:\n{}", self.world.say(&["ip", "route", "show", "table", "all"])?);
        println!("{}", self.world.say(&["ip", "-6", "route"])?);
        println!("{}", self.world.say(&["ip", "address"])?);
        Ok(())
    }
}

/// Each uplink has an address past its duplicate detection, and a default route.
fn lab_host_ready(world: &World) -> Result<()> {
    let mut next_call = Instant::now();
    until(HEALED, || {
        let mut missing = false;
        for uplink in UPLINKS {
            let host = world.lab.host();
            let list = host.ip(&["-6", "address", "show", "dev", uplink, "scope", "global", "-tentative"])?;
            let routes = host.ip(&["-6", "route", "show", "default", "dev", uplink])?;
            if list.trim().is_empty() || routes.trim().is_empty() {
                missing = true;
                if Instant::now() >= next_call {
                    world.lab.set_ra(uplink, RaPatch::send_now())?;
                }
            }
        }
        if Instant::now() >= next_call {
            next_call = Instant::now() + Duration::from_millis(200);
        }
        Ok(!missing)
    })
    .map(drop)
}

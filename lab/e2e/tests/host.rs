//! What Everclat does to the host, and what it leaves.

use std::collections::BTreeMap;
use std::net::IpAddr;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};
use everclat_e2e::{PATIENCE, World, figure, is_full, repetitions, until};
use lab::RaPatch;
use model::{Code, State};

/// A router's interface towards the host.
const LAN: &str = "lan";

#[test]
fn nothing_is_left_after_sigterm() -> Result<()> {
    let world = World::new("e2e-term", |_| ())?;
    let before = world.residue()?;
    let daemon = world.start()?;
    daemon.ready()?;
    ensure!(world.udp()?.received == 10);
    daemon.stop()?;
    world.assert_as_before(&before)
}

/// On a host that forwards there is one object that outlives the process: the blackhole route for X.
#[test]
fn nothing_is_left_after_kill_and_one_start_and_stop() -> Result<()> {
    let world = World::new("e2e-kill", |_| ())?;
    for forwarding in ["0", "1"] {
        // accept_ra=2 keeps a forwarding host listening to routers, as Docker hosts are set up.
        world.lab.host().set_sysctls(&[
            ("ipv6/conf/all/accept_ra", "2"),
            ("ipv6/conf/eth0/accept_ra", "2"),
            ("ipv6/conf/wlan0/accept_ra", "2"),
            ("ipv6/conf/all/forwarding", forwarding),
        ])?;
        world.lab.set_ra("eth0", RaPatch::send_now())?;
        world.lab.set_ra("wlan0", RaPatch::send_now())?;
        until(PATIENCE, || Ok(world.lab.host().run(&["ip", "-6", "route", "show", "default"])?.lines().count() == 2))?;
        let before = world.residue()?;
        let daemon = world.start()?;
        daemon.ready()?;
        ensure!(world.udp()?.received == 10, "forwarding={forwarding}");
        // For X here, and for X of the second uplink.
        let expected = if forwarding == "1" { 2 } else { 0 };
        let blackholes = || world.lab.host().run(&["ip", "-6", "route", "show", "type", "blackhole"]);
        until(PATIENCE, || Ok(blackholes()?.lines().count() == expected)).context("blackhole routes")?;
        daemon.kill()?;
        // Address, route and tunnel end with the process.
        let routes = world.lab.host().run(&["ip", "-4", "route", "show", "table", "all", "proto", "236"])?;
        ensure!(routes.trim().is_empty(), "{routes}");

        let daemon = world.start()?;
        daemon.ready()?;
        ensure!(world.udp()?.received == 10, "after kill -9, forwarding={forwarding}");
        daemon.stop()?;
        world.assert_as_before(&before)?;
    }
    Ok(())
}

#[test]
fn the_neighbours_stay_as_they_are() -> Result<()> {
    let world = World::new("e2e-quiet", |_| ())?;
    let host = world.lab.host();
    let server6 = IpAddr::V6(world.lab.server_v6());
    let neighbour = world.lab.neighbour("eth0")?.to_string();
    let daemon = world.start()?;
    daemon.ready()?;
    ensure!(world.udp_to(server6)?.received == 10, "native IPv6");
    ensure!(world.ping(&neighbour, 56)?, "a neighbour on the link");
    ensure!(world.ping("::1", 56)? && world.ping("127.0.0.1", 56)?, "loopback");
    ensure!(host.sysctl("ipv6/conf/all/forwarding")?.trim() == "0", "the host is no router");
    ensure!(host.sysctl("ipv6/conf/eth0/forwarding")?.trim() == "0");
    let x = daemon.status()?.clat.context("armed")?.v6;
    let addresses = host.run(&["ip", "-6", "address"])?;
    ensure!(!addresses.contains(&x.to_string()), "X must stay unassigned: {addresses}");
    // Routers are still heard: a new router lifetime arrives in the kernel's route.
    world.lab.set_ra("eth0", RaPatch { router_lifetime_s: Some(4242), send_now: true, ..RaPatch::default() })?;
    until(PATIENCE, || {
        let routes = host.run(&["ip", "-6", "route", "show", "default", "dev", "eth0"])?;
        Ok(routes.contains("expires 424") || routes.contains("expires 423"))
    })?;
    daemon.stop()
}

/// NetworkManager and systemd-networkd listen to routers themselves and switch the kernel's own listening off.
#[test]
fn routers_are_heard_where_the_kernel_does_not_listen() -> Result<()> {
    let world = World::new("e2e-manager", |config| {
        config.uplinks.truncate(1);
        config.uplinks[0].dns64 = lab::Dns64::Off;
    })?;
    let host = world.lab.host();
    // As a manager leaves it: addresses and routes of its own making, the kernel's listening off.
    let net = world.lab.prefix("eth0")?;
    let gateway = world.lab.gateway().to_string();
    host.set_sysctls(&[("ipv6/conf/eth0/accept_ra", "0")])?;
    host.run(&["ip", "-6", "address", "flush", "dev", "eth0", "scope", "global"])?;
    host.run(&["ip", "-6", "route", "flush", "proto", "ra"])?;
    host.run(&[
        "ip",
        "-6",
        "address",
        "add",
        &format!("{}/64", net.network().to_string() + "5"),
        "dev",
        "eth0",
        "nodad",
    ])?;
    host.run(&["ip", "-6", "route", "add", "default", "via", &gateway, "dev", "eth0", "metric", "100"])?;
    let daemon = world.start()?;
    daemon.ready()?;
    let status = daemon.reaches("armed", |status| status.clat.is_some())?;
    ensure!(status.pref64[0].source == model::Pref64Source::Ra, "{:?}", status.pref64);
    ensure!(world.udp()?.received == 10);
    world.lab.set_ra("eth0", RaPatch::withdrawn())?;
    daemon.reaches("down", |status| status.state == State::Down)?;
    daemon.stop()
}

/// Docker and firewalld set such a policy; a CLAT that forwards through the kernel dies of it.
#[test]
fn a_forward_policy_of_drop_does_not_matter() -> Result<()> {
    let world = World::new("e2e-drop", |_| ())?;
    for family in ["ip", "ip6"] {
        let nft = |rule: &str| world.lab.host().run(&["nft", &rule.replace("FAMILY", family)]);
        nft("add table FAMILY guard")?;
        nft("add chain FAMILY guard forwarded { type filter hook forward priority 0; policy drop; }")?;
    }
    let daemon = world.start()?;
    daemon.ready()?;
    ensure!(world.udp()?.received == 10);
    world.tcp(1 << 20)?;
    daemon.stop()
}

/// The router forgets X and asks: only our own responder can answer, and the answer must come from X.
#[test]
fn x_is_answered_for() -> Result<()> {
    let world = World::new("e2e-nd", |_| ())?;
    let daemon = world.start()?;
    daemon.ready()?;
    let x = daemon.status()?.clat.context("armed")?.v6.to_string();
    let router = world.lab.router("eth0")?;
    // While X is optimistic, and once it is ours.
    for moment in ["optimistic", "claimed"] {
        router.run(&["ip", "-6", "neigh", "flush", "dev", LAN])?;
        ensure!(world.udp()?.received == 10, "{moment}");
        std::thread::sleep(Duration::from_millis(1200));
    }
    let entry = router.run(&["ip", "-6", "neigh", "show", &x])?;
    ensure!(entry.contains("lladdr"), "the router does not know X: {entry}");
    // A second host that wants X is told that it is taken. The lab's routers do without DAD otherwise.
    router.set_sysctls(&[("ipv6/conf/all/accept_dad", "1"), ("ipv6/conf/lan/accept_dad", "1")])?;
    router.run(&["ip", "-6", "address", "add", &format!("{x}/64"), "dev", LAN])?;
    until(PATIENCE, || Ok(router.run(&["ip", "-6", "address", "show", "dev", LAN])?.contains("dadfailed")))
        .context("X was not defended")?;
    daemon.stop()
}

#[test]
fn a_duplicate_gives_the_next_x() -> Result<()> {
    let world = World::new("e2e-dup", |_| ())?;
    let daemon = world.start()?;
    daemon.ready()?;
    let first = daemon.status()?.clat.context("armed")?.v6;
    daemon.stop()?;
    // The secret in the state directory makes X the same again; now somebody else has it.
    let holder = format!("{first}/128");
    world.lab.router("eth0")?.run(&["ip", "-6", "address", "add", &holder, "dev", LAN, "nodad"])?;
    let daemon = world.start()?;
    let status =
        daemon.reaches("armed with another X", |status| status.clat.as_ref().is_some_and(|clat| clat.v6 != first))?;
    ensure!(status.state == State::Working);
    ensure!(world.udp()?.received == 10);
    daemon.stop()
}

#[test]
fn strict_dad_waits_and_then_works() -> Result<()> {
    let world = World::new("e2e-strict", |_| ())?;
    let daemon = world.start_with("Dad = \"strict\"\n")?;
    daemon.ready()?;
    ensure!(daemon.started.elapsed() >= Duration::from_secs(1), "a second must pass without objection");
    ensure!(world.udp()?.received == 10);
    daemon.stop()
}

/// Start to first IPv4 reply, PREF64 in an advertisement that is answered at once: median of 20 at most 0.5 s.
#[test]
fn first_reply_after_start() -> Result<()> {
    let world = World::new("e2e-start", |_| ())?;
    let mut took = Vec::new();
    for _ in 0..repetitions(5, 20) {
        world.forget()?;
        let daemon = world.start()?;
        world.first_reply()?;
        took.push(daemon.started.elapsed());
        daemon.stop()?;
    }
    took.sort_unstable();
    let (median, worst) = (took[took.len() / 2], took[took.len() - 1]);
    figure("start to first IPv4 reply", &format!("median {median:.0?}, worst {worst:.0?}, n={}", took.len()));
    ensure!(median <= Duration::from_millis(500), "{took:?}");
    Ok(())
}

/// At most 20 MiB of resident memory, and at most 60 context switches a minute when idle.
#[test]
fn small_and_quiet() -> Result<()> {
    let world = World::new("e2e-idle", |_| ())?;
    let daemon = world.start()?;
    daemon.ready()?;
    world.tcp(10 << 20)?;
    daemon.reaches("CL-000", |status| status.code == Code::Working)?;
    std::thread::sleep(Duration::from_secs(3));
    let begin = (Instant::now(), switches(daemon.pid())?);
    std::thread::sleep(if is_full() { Duration::from_secs(120) } else { Duration::from_secs(20) });
    let minutes = begin.0.elapsed().as_secs_f64() / 60.0;
    // A thread that ended meanwhile takes its count with it.
    let before = |thread: &String| begin.1.get(thread).copied().unwrap_or(0);
    let since: u32 = switches(daemon.pid())?.iter().map(|(thread, count)| count.saturating_sub(before(thread))).sum();
    let per_minute = f64::from(since) / minutes;
    let rss = resident_kib(daemon.pid())?;
    figure("idle", &format!("{per_minute:.0} context switches a minute, {:.1} MiB resident", f64::from(rss) / 1024.0));
    ensure!(per_minute <= 60.0, "{per_minute} context switches a minute");
    ensure!(rss <= 20 * 1024, "{rss} KiB");
    daemon.stop()
}

/// By thread.
fn switches(pid: u32) -> Result<BTreeMap<String, u32>> {
    let mut threads = BTreeMap::new();
    for task in std::fs::read_dir(format!("/proc/{pid}/task"))? {
        let task = task?;
        let text = std::fs::read_to_string(task.path().join("status"))?;
        let count = field(&text, "voluntary_ctxt_switches:")? + field(&text, "nonvoluntary_ctxt_switches:")?;
        threads.insert(task.file_name().to_string_lossy().into_owned(), count);
    }
    Ok(threads)
}

fn resident_kib(pid: u32) -> Result<u32> {
    field(&std::fs::read_to_string(format!("/proc/{pid}/status"))?, "VmRSS:")
}

fn field(text: &str, name: &str) -> Result<u32> {
    let line = text.lines().find(|line| line.starts_with(name)).with_context(|| name.to_owned())?;
    Ok(line.split_whitespace().nth(1).context("a number")?.parse()?)
}

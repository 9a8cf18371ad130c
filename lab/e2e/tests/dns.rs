//! PREF64 from DNS (RFC 7050), with unbound and BIND as DNS64.

use std::time::Duration;

use anyhow::{Context, Result, ensure};
use everclat_e2e::{World, figure, repetitions};
use lab::{AnnouncedPref64, Dns64, DnsServer, Netns, Pref64, RaPatch};
use model::{Pref64Source, State};

/// Routers that announce a resolver and no prefix; the resolver synthesises with `prefix`.
fn silent_about_it(name: &str, prefix: &str) -> Result<World> {
    silent_behind(DnsServer::Unbound, name, prefix)
}

fn silent_behind(server: DnsServer, name: &str, prefix: &str) -> Result<World> {
    let prefix: Pref64 = prefix.parse()?;
    World::new(name, |config| {
        config.uplinks.truncate(1);
        config.uplinks[0].pref64.clear();
        config.uplinks[0].translated = vec![prefix];
        config.uplinks[0].dns64 = Dns64::Prefix(prefix);
        config.uplinks[0].dns_server = server;
    })
}

/// DNS only: first IPv4 reply at most 2 s after start.
#[test]
fn dns_alone_is_enough() -> Result<()> {
    let world = silent_about_it("e2e-dns", "2001:db8:64::/96")?;
    let mut took = Vec::new();
    for _ in 0..repetitions(3, 20) {
        world.forget()?;
        let daemon = world.start()?;
        world.first_reply()?;
        took.push(daemon.started.elapsed());
        let status = daemon.status()?;
        let first = &status.pref64[0];
        ensure!(first.source == Pref64Source::Dns && first.prefix.to_string() == "2001:db8:64::/96", "{first:?}");
        ensure!(first.expires_s.is_some() && first.uplink.as_deref() == Some("eth0"), "{first:?}");
        daemon.stop()?;
    }
    took.sort_unstable();
    let (median, worst) = (took[took.len() / 2], took[took.len() - 1]);
    figure("start to first IPv4 reply, DNS only", &format!("median {median:.0?}, worst {worst:.0?}, n={}", took.len()));
    ensure!(median <= Duration::from_secs(2), "{took:?}");
    Ok(())
}

#[test]
fn every_length_is_found_in_the_answer() -> Result<()> {
    for prefix in
        ["2001:db8:64:64::/64", "2001:db8:56:5600::/56", "2001:db8:4800::/48", "2001:db8:4000::/40", "3fff:64::/32"]
    {
        let world = silent_about_it("e2e-dnslen", prefix)?;
        let daemon = world.start()?;
        daemon.ready()?;
        let status = daemon.reaches("armed", |status| status.clat.is_some())?;
        ensure!(status.pref64[0].prefix.to_string() == prefix, "{prefix}: {:?}", status.pref64);
        ensure!(world.udp()?.received == 10, "{prefix}");
        daemon.stop()?;
    }
    Ok(())
}

/// BIND answers for `ipv4only.arpa` from a zone that it carries inside, unbound from what its upstream says.
#[test]
fn what_either_dns64_tells_works_to_the_end() -> Result<()> {
    for (server, program) in [(DnsServer::Bind, "named"), (DnsServer::Unbound, "unbound")] {
        for prefix in ["2001:db8:64::/96", "2001:db8:4800::/48"] {
            let world = silent_behind(server, "e2e-dns64", prefix)?;
            ensure!(runs_in(world.lab.router("eth0")?, program)?, "the router's DNS server is not {program}");
            let daemon = world.start()?;
            daemon.ready()?;
            let status = daemon.reaches("armed", |status| status.clat.is_some())?;
            let first = &status.pref64[0];
            ensure!(first.source == Pref64Source::Dns && first.prefix.to_string() == prefix, "{program}: {first:?}");
            ensure!(world.udp()?.received == 10, "{program}, {prefix}: UDP");
            world.tcp(1 << 20).with_context(|| format!("{program}, {prefix}: TCP"))?;
            ensure!(world.ping("198.51.100.10", 56)?, "{program}, {prefix}: ping");
            daemon.stop()?;
        }
    }
    Ok(())
}

fn runs_in(netns: &Netns, program: &str) -> Result<bool> {
    let pids = netns.run(&["ip", "netns", "pids", netns.name()])?;
    let names = pids.lines().filter_map(|pid| std::fs::read_to_string(format!("/proc/{}/comm", pid.trim())).ok());
    Ok(names.into_iter().any(|name| name.trim_end() == program))
}

#[test]
fn a_routers_word_supersedes_dns() -> Result<()> {
    let world = silent_about_it("e2e-super", "2001:db8:64::/96")?;
    let daemon = world.start()?;
    daemon.ready()?;
    let announced: Pref64 = "2001:db8:65::/96".parse()?;
    world.lab.add_nat64("eth0", announced)?;
    world.lab.set_ra("eth0", RaPatch::announce([AnnouncedPref64::new(announced)]))?;
    let status = daemon.reaches("the router's prefix", |status| status.pref64[0].source == Pref64Source::Ra)?;
    ensure!(status.state == State::Working && status.pref64[0].prefix == announced, "{status:#?}");
    ensure!(world.udp()?.received == 10);
    world.lab.set_ra("eth0", RaPatch::withdrawn())?;
    daemon.reaches("the one of DNS again", |status| {
        status.clat.is_some() && status.pref64.first().is_some_and(|first| first.source == Pref64Source::Dns)
    })?;
    ensure!(world.udp()?.received == 10);
    daemon.stop()
}

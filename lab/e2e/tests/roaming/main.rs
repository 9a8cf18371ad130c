//! The network changes while the carrier stays, or while nobody looks: other prefixes, other routers, another network
//! under the same name. Outages as an app sees them, as in the tests `reliability`.

mod prefixes;
mod routers;
mod sleep;

use std::net::{IpAddr, SocketAddr};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};
use everclat_e2e::stream::Stream;
use everclat_e2e::{Daemon, ECHO, World, figure, until};
use lab::{AnnouncedPref64, Dns64, Pref64, RaPatch, RaPrefix};
use model::Status;

/// An outage that has not ended by then is none that anybody sits out.
const NEVER: Duration = Duration::from_secs(10);
/// How long a stream goes on after it is back, so that a relapse shows.
const AFTERWARDS: Duration = Duration::from_millis(200);
/// So soon the status has to tell the truth.
const TRUTH: Duration = Duration::from_secs(1);

/// What a network is known by.
#[derive(Debug, Clone, Copy)]
struct Identity {
    /// The last octet of the router's link-layer address; its other addresses are the same everywhere.
    mac: u8,
    /// Group of the /64.
    net: u16,
    /// Group of the NAT64's prefix.
    nat64: u16,
}

/// The lab as it comes up.
const HOME: Identity = Identity { mac: 1, net: 1, nat64: 0x64 };

impl Identity {
    fn mac(self) -> [u8; 6] {
        [0x02, 0xec, 0, 0, 1, self.mac]
    }

    fn prefix(self) -> Result<RaPrefix> {
        Ok(RaPrefix::slaac(format!("2001:db8:{:x}::/64", self.net).parse()?))
    }

    fn pref64(self) -> Result<Pref64> {
        Ok(format!("2001:db8:{:x}::/96", self.nat64).parse()?)
    }

    /// The start of every address in the /64.
    fn begin(self) -> String {
        format!("2001:db8:{:x}:", self.net)
    }

    /// What a router of this network says when it speaks of all of it.
    fn advertisement(self) -> Result<RaPatch> {
        let pref64 = AnnouncedPref64::new(self.pref64()?);
        let prefixes = Some(vec![self.prefix()?]);
        Ok(RaPatch { prefixes, source_mac: Some(self.mac()), ..RaPatch::announce([pref64]) })
    }
}

/// One uplink, and no other way to learn of a NAT64.
fn single(name: &str) -> Result<World> {
    World::new(name, |config| {
        config.uplinks.truncate(1);
        config.uplinks[0].dns64 = Dns64::Off;
        config.uplinks[0].source_guard = false;
    })
}

/// The router translates for the network, too, and has a way to it.
fn found(world: &World, network: Identity) -> Result<()> {
    let (net, router) = (network.net, world.lab.router("eth0")?);
    router.ip(&["address", "replace", &format!("2001:db8:{net:x}::1/64"), "dev", "lan", "nodad"])?;
    let way = format!("2001:db8:{net:x}::/64");
    world.lab.inet().ip(&["route", "replace", &way, "via", "2001:db8:ff:1::2", "dev", "r1"])?;
    Ok(world.lab.add_nat64("eth0", network.pref64()?)?)
}

/// From now on the router is that of this network: its link-layer address, and whom and what it lets through. What it
/// advertises is for the caller.
fn become_network(world: &World, network: Identity) -> Result<()> {
    let router = world.lab.router("eth0")?;
    let mac = network.mac().map(|octet| format!("{octet:02x}")).join(":");
    router.ip(&["link", "set", "lan", "address", &mac])?;
    guard(world, &[network])
}

/// The router drops what is not from these networks' prefixes (BCP 38), and what is for others' NAT64s.
fn guard(world: &World, networks: &[Identity]) -> Result<()> {
    let list = |of: fn(&Identity) -> String| networks.iter().map(of).collect::<Vec<_>>().join(", ");
    let nets = list(|network| format!("2001:db8:{:x}::/64", network.net));
    let nat64s = list(|network| format!("2001:db8:{:x}::/96", network.nat64));
    let rules = format!(
        "add table inet who; delete table inet who; add table inet who; \
         add chain inet who in {{ type filter hook prerouting priority -300; }}; \
         add rule inet who in iifname lan ip6 saddr != {{ fe80::/10, ::/128, {nets} }} drop; \
         add rule inet who in iifname lan ip6 daddr 2001:db8:64::-2001:db8:6f:ffff:ffff:ffff:ffff:ffff \
         ip6 daddr != {{ {nat64s} }} drop"
    );
    world.lab.router("eth0")?.run(&["nft", &rules])?;
    Ok(())
}

/// Armed on that network.
fn is_on(status: &Status, network: Identity) -> bool {
    let prefix = network.pref64().ok();
    let uses = status.pref64.first().is_some_and(|known| Some(known.prefix) == prefix);
    status.clat.as_ref().is_some_and(|clat| clat.v6.to_string().starts_with(&network.begin())) && uses
}

fn settled(daemon: &Daemon, network: Identity) -> Result<()> {
    daemon.reaches("armed", |status| is_on(status, network)).map(drop)
}

/// One outage.
#[derive(Debug, Clone, Copy)]
struct Sample {
    /// `None`: it did not end.
    outage: Option<Duration>,
    /// Probes since the event that were not answered.
    lost: usize,
}

fn stream(world: &World) -> Result<Stream> {
    Stream::start(world.lab.host(), SocketAddr::new(IpAddr::V4(world.lab.server_v4()), ECHO))
}

/// Ends a stream once it is back since `at`.
fn end(stream: Stream, at: Instant) -> Sample {
    if until(NEVER, || Ok(stream.is_back_since(at))).is_ok() {
        std::thread::sleep(AFTERWARDS);
    }
    let trace = stream.finish();
    Sample { outage: trace.outage(at), lost: trace.lost_since(at) }
}

/// Streams probes through `event`, which says when it happened.
fn sample(world: &World, event: impl FnOnce() -> Result<Instant>) -> Result<Sample> {
    let stream = stream(world)?;
    let at = event()?;
    Ok(end(stream, at))
}

/// Notes a row of the table of other changes, and fails when one of them took longer than `longest`.
fn judge(row: &str, longest: Duration, mut samples: Vec<Sample>) -> Result<()> {
    samples.sort_by_key(|sample| sample.outage.unwrap_or(Duration::MAX));
    let ms = |sample: &Sample| {
        sample.outage.map_or_else(|| format!("not in {} s", NEVER.as_secs()), |took| took.as_millis().to_string())
    };
    let worst = samples.last().context("a sample")?;
    let median = &samples[samples.len() / 2];
    let lost = samples.iter().map(|sample| sample.lost).max().unwrap_or(0);
    let cells = [ms(median), ms(worst), samples.len().to_string(), lost.to_string()].join(" | ");
    figure("other changes", &format!("| {row} | {} | {cells} |", longest.as_millis()));
    ensure!(worst.outage.is_some_and(|took| took <= longest), "{row}: {samples:?}");
    Ok(())
}

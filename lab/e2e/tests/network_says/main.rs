//! What a network says beside its prefix: that somebody has to sign in first, that it would rather have no IPv4, and by
//! other ways than router advertisements who looks up names.

mod bus;
mod portal;

use std::net::{Ipv4Addr, Ipv6Addr, UdpSocket};
use std::time::{Duration, Instant};

use anyhow::{Result, ensure};
use everclat_e2e::{Daemon, PATIENCE, World, figure, is_full, until};
use lab::{Dns64, RaPatch};
use model::{Code, Pref64Source, State, Status};

use bus::Bus;
use portal::Api;

// DHCP message types (RFC 2132 section 9.6).
const OFFER: u8 = 2;
const ACK: u8 = 5;
const NAK: u8 = 6;

const PAGE: &str = "https://portal.example/sign-in?from=lab";

/// One uplink whose NAT64 the routers tell about, or DNS alone.
fn world(name: &str, announced: bool) -> Result<World> {
    World::new(name, |config| {
        config.uplinks.truncate(1);
        let uplink = &mut config.uplinks[0];
        uplink.dns64 = if announced { Dns64::Off } else { Dns64::Follow };
        uplink.translated = uplink.translated();
        if !announced {
            uplink.pref64.clear();
        }
    })
}

fn nothing_of_ours_leads_out(world: &World) -> Result<bool> {
    Ok(world.lab.host().run(&["ip", "-4", "route", "show", "default"])?.trim().is_empty())
}

fn is_armed(status: &Status) -> bool {
    status.state == State::Working && status.clat.is_some()
}

fn text(daemon: &Daemon, arguments: &[&str]) -> Result<String> {
    Ok(String::from_utf8_lossy(&daemon.cli(arguments)?.stdout).into_owned())
}

/// RFC 8910 section 2.3: type, length in units of 8 bytes, the URI, zeros.
fn captive_portal(uri: &str) -> Vec<u8> {
    let units = (2 + uri.len()).div_ceil(8);
    let mut option = vec![37, u8::try_from(units).expect("a short URI")];
    option.extend(uri.as_bytes());
    option.resize(units * 8, 0);
    option
}

/// RFC 8910 says where to ask, RFC 8908 how.
#[test]
fn a_portal_that_the_router_names_holds_ipv4_back() -> Result<()> {
    let world = world("e2e-pt-portal", true)?;
    let captive = format!(r#"{{"captive":true,"user-portal-url":"{PAGE}"}}"#);
    let api = Api::start(world.lab.inet(), world.lab.server_v6().into(), &captive)?;
    let roots = api.roots();
    let daemon = world.start_in("", &[("SSL_CERT_FILE", &roots.to_string_lossy())])?;
    daemon.ready()?;
    world.first_reply()?;

    world.lab.set_ra("eth0", RaPatch::raw([captive_portal(&api.uri())]))?;
    let begin = Instant::now();
    let status = daemon.reaches("captive", |status| status.code == Code::CaptivePortal)?;
    figure("captive portal announced to IPv4 withdrawn", &format!("{:.0?}", begin.elapsed()));
    ensure!(status.state == State::Down && status.clat.is_none(), "{status:#?}");
    ensure!(status.causes[0].detail.ends_with(&format!("sign in at {PAGE}")), "{:?}", status.causes);
    ensure!(nothing_of_ours_leads_out(&world)?, "apps would wait for IPv4 that cannot come");
    ensure!(daemon.cli(&["check"])?.status.code() == Some(11));
    let said = text(&daemon, &["status"])?;
    ensure!(said.starts_with("✘ Sign in to this network first  (CL-102)\n") && said.contains(PAGE), "{said}");

    // Somebody has signed in. That is noticed within half a minute, or at once by who asks for it.
    ensure!(api.asked() == 1, "asked {} times", api.asked());
    api.says(r#"{"captive":false}"#);
    if is_full() {
        until(Duration::from_secs(35), || Ok(is_armed(&daemon.status()?)))?;
    } else {
        ensure!(daemon.cli(&["rearm"])?.status.success());
        daemon.reaches("open", is_armed)?;
    }
    world.first_reply()?;
    ensure!(api.asked() == 2, "asked {} times", api.asked());
    daemon.stop()
}

/// Who cannot prove to be the portal has no say.
#[test]
fn a_portal_that_nobody_vouches_for_has_no_say() -> Result<()> {
    let world = world("e2e-pt-stranger", true)?;
    let api = Api::start(world.lab.inet(), world.lab.server_v6().into(), r#"{"captive":true}"#)?;
    let daemon = world.start()?;
    daemon.ready()?;
    world.lab.set_ra("eth0", RaPatch::raw([captive_portal(&api.uri())]))?;
    until(PATIENCE, || Ok(api.refused() > 0))?;
    std::thread::sleep(Duration::from_millis(300));
    ensure!(is_armed(&daemon.status()?) && world.udp()?.received == 10, "{:#?}", daemon.status()?);
    daemon.stop()
}

/// RFC 7050 section 2.2: `ipv4only.arpa` has no AAAA records, so one that is no synthesised one was made up.
#[test]
fn names_that_all_lead_to_one_place_are_a_portal() -> Result<()> {
    let world = world("e2e-pt-names", false)?;
    world.lab.capture_names("eth0", world.lab.server_v6())?;
    let daemon = world.start()?;
    let status = daemon.reaches("captured", |status| status.code == Code::CaptivePortal)?;
    ensure!(status.state == State::Down && status.pref64.is_empty(), "{status:#?}");
    ensure!(status.causes[0].detail == "the network on eth0 wants somebody to sign in", "{:?}", status.causes);
    ensure!(nothing_of_ours_leads_out(&world)?);

    world.lab.set_dns64("eth0", Some(world.lab.config().uplinks[0].translated()[0]))?;
    ensure!(daemon.cli(&["rearm"])?.status.success());
    let status = daemon.reaches("open", is_armed)?;
    ensure!(status.pref64[0].source == Pref64Source::Dns, "{status:#?}");
    world.first_reply()?;
    daemon.stop()
}

/// An answer of the router to everybody on the link (RFC 2131), as some client's question would bring it.
fn dhcp4(world: &World, kind: u8, seconds: u32) -> Result<()> {
    let mut message = vec![2, 1, 6, 0, 1, 2, 3, 4];
    message.resize(236, 0);
    message.extend([99, 130, 83, 99, 53, 1, kind, 54, 4, 192, 0, 2, 1, 108, 4]);
    message.extend(seconds.to_be_bytes());
    message.push(255);
    message.resize(300, 0);
    world.lab.router("eth0")?.enter(|| -> Result<()> {
        // By the address, so that the kernel knows which link everybody is on.
        let socket = UdpSocket::bind((Ipv4Addr::new(192, 0, 2, 1), 67))?;
        socket.set_broadcast(true)?;
        socket.send_to(&message, (Ipv4Addr::BROADCAST, 68))?;
        Ok(())
    })?
}

#[test]
fn a_network_that_would_rather_have_no_ipv4_is_heard() -> Result<()> {
    let world = world("e2e-pt-opt108", true)?;
    world.lab.router("eth0")?.ip(&["address", "add", "192.0.2.1/24", "dev", "lan"])?;
    let daemon = world.start()?;
    daemon.ready()?;
    let heard = |status: &Status| status.interfaces.iter().find(|there| there.name == "eth0")?.opt108;
    ensure!(heard(&daemon.status()?).is_none());
    for (kind, seconds, known) in [(NAK, 900, None), (OFFER, 1800, Some(1800)), (ACK, 60, Some(300))] {
        dhcp4(&world, kind, seconds)?;
        if known.is_none() {
            std::thread::sleep(Duration::from_millis(200));
        }
        daemon.reaches("told", |status| heard(status) == known)?;
    }
    let said = text(&daemon, &["status", "-v"])?;
    ensure!(said.contains("prefers devices without IPv4 (option 108, 300 s)"), "{said}");
    ensure!(world.udp()?.received == 10, "and has changed nothing");
    daemon.stop()
}

/// No RDNSS, no PREF64: who looks up names stands in a lease alone.
#[test]
fn a_lease_tells_who_knows_the_prefix() -> Result<()> {
    bus::stand_in()?;
    let world = World::new("e2e-pt-lease", |config| {
        config.uplinks.truncate(1);
        let uplink = &mut config.uplinks[0];
        (uplink.translated, uplink.rdnss) = (uplink.translated(), false);
        uplink.pref64.clear();
    })?;
    let resolver = world.lab.dns("eth0")?;
    {
        let test = "a_lease_tells_who_knows_the_prefix";
        let bus = Bus::start(world.lab.host(), test, &resolver.to_string())?;
        let daemon = world.start_in("", &[("DBUS_SYSTEM_BUS_ADDRESS", &bus.address)])?;
        armed_by(&world, &daemon, resolver)?;
        drop(bus);
        daemon.stop()?;
    }
    // Nobody to ask: `resolv.conf` is the last resort, where it can only be this uplink's.
    let file = format!("/etc/netns/{}/resolv.conf", world.lab.host().name());
    std::fs::write(file, format!("nameserver {resolver}\n"))?;
    let daemon = world.start_in("", &[("DBUS_SYSTEM_BUS_ADDRESS", "unix:path=/nonexistent/bus")])?;
    armed_by(&world, &daemon, resolver)?;
    daemon.stop()
}

fn armed_by(world: &World, daemon: &Daemon, resolver: Ipv6Addr) -> Result<()> {
    let status = daemon.reaches("armed", is_armed)?;
    ensure!(status.pref64[0].source == Pref64Source::Dns, "{status:#?}");
    ensure!(status.interfaces.iter().any(|there| there.resolvers == [resolver]), "{status:#?}");
    ensure!(world.udp()?.received == 10);
    Ok(())
}

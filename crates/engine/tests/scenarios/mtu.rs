//! MTUs, and hosts that forward.

use std::net::Ipv4Addr;

use model::{Origin, PlaneEvent, Settings};

use crate::network::{ETH, Network, WLAN};
use crate::world::World;

#[test]
fn the_mtu_follows_the_uplink() {
    let mut world = World::armed();
    for (uplink, expected) in [(1280, "1252/1260"), (1492, "1464/1472"), (9000, "8972/8980")] {
        world.network.link(ETH).mtu6 = uplink;
        world.look();
        assert_eq!(world.took(), ["plane eth0 64:ff9b::/96".into(), format!("apply 192.0.0.2 mtu {expected}")]);
        assert_eq!(world.verdict(), "working CL-004");
    }
    assert_eq!(world.status().clat.unwrap().mtu, 8972);
    assert_eq!(world.status().rearms.count, 0, "IPv4 was never lost");
}

#[test]
fn the_setting_lowers_the_route_but_not_the_device() {
    for (setting, expected) in [(1400, "1400/1480"), (1472, "1472/1480"), (9000, "1472/1480")] {
        let mut settings = Settings::default();
        settings.mtu.set(setting, Origin::Config);
        let mut world = World::started_with(Network::ipv6_only(), settings);
        world.pref64(ETH, "64:ff9b::/96", 1800);
        assert_eq!(world.took().last(), Some(&format!("apply 192.0.0.2 mtu {expected}")));
    }
}

#[test]
fn a_host_that_forwards_is_told_to_be_silent_about_x() {
    let mut network = Network::ipv6_only();
    network.link(ETH).forwards_ipv6 = true;
    let mut world = World::started(network);
    world.pref64(ETH, "64:ff9b::/96", 1800);
    assert_eq!(world.took().last().map(String::as_str), Some("apply 192.0.0.2 mtu 1472/1480 silent"));
    assert_eq!(world.intent.silent_v6, [world.x()]);

    world.duplicate();
    assert_eq!(world.took(), ["plane eth0 64:ff9b::/96", "apply 192.0.0.2 mtu 1472/1480 silent", "end stranded flows"]);
    assert_eq!(world.intent.silent_v6, [world.x()], "the new X");

    world.network.link(ETH).forwards_ipv6 = false;
    world.look();
    assert_eq!(world.took(), ["apply 192.0.0.2 mtu 1472/1480"]);
    assert!(world.intent.silent_v6.is_empty());
}

const SERVER: Ipv4Addr = Ipv4Addr::new(198, 51, 100, 7);
/// A segment as large as the route allows, as an IPv6 packet.
const FULL: u16 = 1492;

fn stuck(world: &mut World) {
    world.report(PlaneEvent::Unacknowledged { server: SERVER, size: FULL });
}

fn wait(world: &mut World, ms: u64) {
    let now: u64 = world.now.since_start().as_millis().try_into().unwrap();
    world.until(now + ms);
}

/// Armed, and the path takes packets of `takes` bytes without saying so.
fn narrow(takes: u16) -> World {
    let mut world = World::armed();
    world.reply();
    world.takes = Some(takes);
    stuck(&mut world);
    wait(&mut world, 10_000);
    world
}

#[test]
fn a_path_that_swallows_large_packets_is_measured_and_ipv4_held_to_it() {
    let mut world = narrow(1400);
    assert_eq!(world.verdict(), "limited CL-701");
    assert!(world.cause().contains("above 1400 bytes"), "{}", world.cause());
    let route = world.intent.default_v4.as_ref().unwrap();
    assert_eq!((route.route_mtu, route.device_mtu), (1372, 1480), "what comes in may be larger");
    let config = world.running.as_ref().unwrap();
    assert_eq!((config.path_mtu, config.uplink.mtu6), (1400, 1500));
    assert_eq!(world.status().rearms.count, 0, "IPv4 was never lost");
    assert_eq!(world.status().clat.unwrap().mtu, 1372);

    // Ten minutes later the path is wide.
    world.pref64(ETH, "64:ff9b::/96", 65_000);
    world.takes = Some(1500);
    wait(&mut world, 590_000);
    assert_eq!(world.verdict(), "limited CL-701");
    wait(&mut world, 20_000);
    assert_eq!(world.verdict(), "working CL-000");
    assert_eq!(world.intent.default_v4.as_ref().unwrap().route_mtu, 1472);
}

#[test]
fn nothing_is_measured_as_long_as_nothing_is_wrong() {
    let mut world = World::armed();
    world.reply();
    world.takes = Some(1400);
    wait(&mut world, 700_000);
    assert!(!world.took().iter().any(|action| action.starts_with("measure")));
    assert_eq!(world.verdict(), "working CL-000");
}

#[test]
fn a_path_that_takes_everything_is_not_accused_and_neither_is_one_that_answers_nothing() {
    for takes in [Some(1500), None] {
        let mut world = World::armed();
        world.reply();
        world.takes = takes;
        stuck(&mut world);
        wait(&mut world, 30_000);
        assert_eq!(world.verdict(), "working CL-000", "{takes:?}");
        let measured: Vec<String> = world.took().into_iter().filter(|action| action.starts_with("measure")).collect();
        assert_eq!(measured, ["measure 1492"; 5], "{takes:?}");
        assert_eq!(world.intent.default_v4.as_ref().unwrap().route_mtu, 1472);
    }
}

#[test]
fn probes_that_are_switched_off_are_none() {
    let mut settings = Settings::default();
    settings.probe_enabled.set(false, Origin::Config);
    let mut world = World::started_with(Network::ipv6_only(), settings);
    world.pref64(ETH, "64:ff9b::/96", 1800);
    world.claimed();
    world.takes = Some(1400);
    world.took();
    stuck(&mut world);
    wait(&mut world, 10_000);
    assert!(world.took().is_empty());
}

#[test]
fn what_was_measured_ends_with_the_network() {
    // A person asks.
    let mut world = narrow(1400);
    world.takes = Some(1500);
    world.tell(engine::Event::Rearm);
    world.claimed();
    assert_eq!(world.intent.default_v4.as_ref().unwrap().route_mtu, 1472);

    // The uplink has another MTU.
    let mut world = narrow(1400);
    world.network.link(ETH).mtu6 = 1492;
    world.look();
    wait(&mut world, 10);
    assert_eq!(world.intent.default_v4.as_ref().unwrap().route_mtu, 1464);

    // The link goes and comes back.
    let mut world = narrow(1400);
    world.network.link(ETH).carrier = false;
    world.look();
    world.network.link(ETH).carrier = true;
    world.look();
    world.pref64(ETH, "64:ff9b::/96", 1800);
    wait(&mut world, 5_000);
    assert_eq!(world.intent.default_v4.as_ref().unwrap().route_mtu, 1472);

    // The host was asleep: who knows where it is now.
    let mut world = narrow(1400);
    world.takes = Some(1500);
    world.tell(engine::Event::Woke);
    wait(&mut world, 5_000);
    assert_eq!(world.intent.default_v4.as_ref().unwrap().route_mtu, 1472);
}

#[test]
fn another_uplink_has_its_own_path() {
    let mut world = World::armed_on(Network::two_uplinks());
    world.pref64(WLAN, "64:ff9b::/96", 1800);
    world.reply();
    world.takes = Some(1400);
    stuck(&mut world);
    wait(&mut world, 10_000);
    assert_eq!(world.intent.default_v4.as_ref().unwrap().route_mtu, 1372);
    world.network.link(ETH).carrier = false;
    world.look();
    wait(&mut world, 5_000);
    assert_eq!(world.running.as_ref().unwrap().uplink.link, WLAN);
    assert_eq!(world.intent.default_v4.as_ref().unwrap().route_mtu, 1472);
    assert_ne!(world.status().code, model::Code::MtuBlackHole);
}

#[test]
fn the_setting_still_counts_where_it_is_less() {
    let mut settings = Settings::default();
    settings.mtu.set(1300, Origin::Config);
    let mut world = World::started_with(Network::ipv6_only(), settings);
    world.pref64(ETH, "64:ff9b::/96", 1800);
    world.claimed();
    world.takes = Some(1280);
    world.report(PlaneEvent::Unacknowledged { server: SERVER, size: 1320 });
    wait(&mut world, 10_000);
    assert_eq!(world.intent.default_v4.as_ref().unwrap().route_mtu, 1252);
    world.takes = Some(1310);
    world.pref64(ETH, "64:ff9b::/96", 65_000);
    wait(&mut world, 610_000);
    assert_eq!(world.intent.default_v4.as_ref().unwrap().route_mtu, 1282);
}

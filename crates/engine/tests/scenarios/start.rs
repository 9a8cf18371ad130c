//! From a cold start to evidence.

use model::{EvidenceKind, LinkKind, Pref64Source, State};

use crate::network::{ETH, Network};
use crate::world::{Answer, World};

#[test]
fn arms_as_soon_as_a_router_names_the_prefix() {
    let mut world = World::started(Network::ipv6_only());
    assert_eq!(world.took(), ["solicit 2"]);
    assert_eq!(world.verdict(), "checking CL-301");

    world.until(20);
    world.pref64(ETH, "64:ff9b::/96", 1800);
    assert_eq!(world.took(), ["refresh", "plane eth0 64:ff9b::/96", "apply 192.0.0.2 mtu 1472/1480"]);
    assert_eq!(world.verdict(), "working CL-004", "armed, no evidence yet");
    assert!(world.status().is_ready() && !world.status().is_working());

    world.until(2_000);
    world.reply();
    world.until(2_400);
    assert_eq!(world.verdict(), "working CL-000");
    let status = world.status();
    assert_eq!((status.evidence.kind, status.evidence.age_s), (EvidenceKind::Traffic, Some(0.4)));
    assert_eq!(world.took(), <[String; 0]>::default(), "nothing is done twice");
}

#[test]
fn the_status_names_uplink_prefix_and_addresses() {
    let mut world = World::armed();
    let status = world.status();
    assert_eq!(status.uplink.map(|uplink| (uplink.name, uplink.mtu)), Some(("eth0".into(), 1500)));
    let prefix = &status.pref64[0];
    assert_eq!((prefix.prefix.to_string().as_str(), prefix.source), ("64:ff9b::/96", Pref64Source::Ra));
    assert_eq!((prefix.expires_s, prefix.uplink.as_deref()), (Some(1795), Some("eth0")));
    let clat = status.clat.unwrap();
    assert_eq!((clat.iface.as_str(), clat.mtu, clat.v4), ("everclat0", 1472, model::DEFAULT_CLAT_V4));
    assert_eq!(clat.v6, world.x());
    assert!(clat.v6.to_string().starts_with("2001:db8:1:"));
    world.until(10_000);
    assert_eq!(world.status().pref64[0].expires_s, Some(1790));
}

#[test]
fn asks_again_while_no_router_answers() {
    let mut world = World::started(Network::ipv6_only());
    world.until(30_000);
    assert_eq!(world.took(), ["solicit 2"; 4]);
    assert_eq!(world.engine.poll_timeout(world.now), None, "then it waits for an event");
}

#[test]
fn before_the_first_look_it_is_checking() {
    let world = World::new(Network::default(), model::Settings::default());
    assert_eq!(world.verdict(), "checking CL-101");
}

#[test]
fn no_link() {
    let mut world = World::started(Network::default());
    assert_eq!(world.verdict(), "no_network CL-101");
    world.network.add_link(ETH, "eth0", LinkKind::Ethernet);
    world.network.link(ETH).carrier = false;
    world.look();
    assert_eq!(world.verdict(), "no_network CL-101", "a card without a cable");
    world.network.link(ETH).carrier = true;
    world.look();
    assert_eq!(world.verdict(), "checking CL-201");
}

#[test]
fn a_bridge_is_a_link_if_a_default_route_says_so() {
    let mut network = Network::default();
    network.add_link(ETH, "br0", LinkKind::Bridge);
    assert_eq!(World::started(network.clone()).verdict(), "no_network CL-101");
    network.uplink(ETH, "2001:db8:1::5/64", 100);
    let mut world = World::started(network);
    world.pref64(ETH, "64:ff9b::/96", 1800);
    assert_eq!(world.verdict(), "working CL-004");
}

#[test]
fn a_link_without_ipv6_is_down_after_settling() {
    let mut world = World::started(Network::cable());
    assert_eq!(world.verdict(), "checking CL-201");
    world.until(3_999);
    assert_eq!(world.verdict(), "checking CL-201");
    world.until(4_000);
    assert_eq!(world.verdict(), "down CL-201");
}

#[test]
fn a_network_without_prefix_is_down_after_settling() {
    let mut world = World::started(Network::ipv6_only());
    world.until(3_999);
    assert_eq!(world.verdict(), "checking CL-301");
    world.until(4_000);
    assert_eq!(world.verdict(), "down CL-301");
    assert_eq!(world.cause(), "no router on this network announces a PREF64 (RFC 8781)");
    world.until(60_000);
    world.pref64(ETH, "64:ff9b::/96", 1800);
    assert_eq!(world.verdict(), "working CL-004", "late is not never");
}

#[test]
fn a_prefix_heard_before_the_link_is_seen_is_kept() {
    let mut world = World::started(Network::default());
    world.pref64(ETH, "64:ff9b::/96", 1800);
    world.network = Network::ipv6_only();
    world.look();
    assert_eq!(world.verdict(), "working CL-004");
}

#[test]
fn without_a_64_to_choose_from_there_is_no_address() {
    let mut network = Network::cable();
    network.uplink(ETH, "2001:db8:1::5/128", 100);
    let mut world = World::started(network);
    world.pref64(ETH, "64:ff9b::/96", 1800);
    world.until(4_000);
    assert_eq!(world.verdict(), "down CL-201");
    assert_eq!(world.cause(), "eth0 has no /64 in which an address could be chosen");
}

#[test]
fn an_unresolved_router_is_resolved_each_second() {
    let mut network = Network::ipv6_only();
    network.forget_neighbours(ETH);
    let mut world = World::started(network);
    world.pref64(ETH, "64:ff9b::/96", 1800);
    assert_eq!(world.took(), ["solicit 2", "refresh", "resolve fe80::1 on 2"]);
    assert_eq!(world.verdict(), "checking CL-202");
    world.until(999);
    assert_eq!(world.took(), <[String; 0]>::default());
    world.until(3_000);
    assert_eq!(world.took(), ["resolve fe80::1 on 2"; 3]);
    assert_eq!(world.cause(), "the router fe80::1 on eth0 does not answer");

    world.network.resolve(ETH);
    world.look();
    assert_eq!(world.took(), ["plane eth0 64:ff9b::/96", "apply 192.0.0.2 mtu 1472/1480"]);
    world.until(60_000);
    assert_eq!(world.took(), <[String; 0]>::default());
}

#[test]
fn a_router_that_the_kernel_forgets_stays_in_use() {
    let mut world = World::armed();
    world.network.forget_neighbours(ETH);
    world.look();
    world.until(60_000);
    assert_eq!(world.took(), <[String; 0]>::default());
    assert_eq!(world.verdict(), "working CL-004");
}

#[test]
fn the_default_waits_for_the_plane() {
    let mut world = World::started(Network::ipv6_only());
    world.plane = Answer::Later;
    world.took();
    world.pref64(ETH, "64:ff9b::/96", 1800);
    assert_eq!(world.took(), ["refresh", "plane eth0 64:ff9b::/96"]);
    assert_eq!(world.status().state, State::Checking);
    world.plane_starts();
    assert_eq!(world.took(), ["apply 192.0.0.2 mtu 1472/1480"]);
}

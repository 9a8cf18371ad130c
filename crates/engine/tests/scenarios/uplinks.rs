//! More than one uplink, and uplinks that change.

use model::{LinkKind, MacAddress, PlaneEvent};

use crate::network::{ETH, Network, VPN, WLAN};
use crate::world::World;

fn warm() -> World {
    let mut world = World::started(Network::two_uplinks());
    world.pref64(ETH, "64:ff9b::/96", 1800);
    world.pref64(WLAN, "64:ff9b::/96", 1800);
    world.until(5_000);
    world.claimed();
    world.took();
    world
}

#[test]
fn the_better_metric_is_the_uplink() {
    let world = warm();
    assert_eq!(world.status().uplink.unwrap().name, "eth0");
}

#[test]
fn the_best_route_of_a_link_counts_and_not_the_first_one() {
    let mut network = Network::two_uplinks();
    network.add_route("::/0", Some("fe80::1"), WLAN, 50);
    let mut world = World::started(network);
    world.pref64(WLAN, "64:ff9b::/96", 1800);
    world.pref64(ETH, "64:ff9b::/96", 1800);
    assert_eq!(world.status().uplink.unwrap().name, "wlan0");
}

/// Both routers are asked at the same moment; whoever answers first must not win only for that.
#[test]
fn the_better_uplink_gets_the_time_a_router_may_take_to_answer() {
    let mut world = World::started(Network::two_uplinks());
    world.pref64(WLAN, "64:ff9b::/96", 1800);
    assert_eq!(world.verdict(), "checking CL-301");
    world.until(400);
    world.pref64(ETH, "64:ff9b::/96", 1800);
    assert_eq!(world.status().uplink.unwrap().name, "eth0");
    assert_eq!(world.status().rearms.count, 0);
}

#[test]
fn an_uplink_without_nat64_does_not_hold_up_the_next_for_long() {
    let mut world = World::started(Network::two_uplinks());
    world.pref64(WLAN, "64:ff9b::/96", 1800);
    world.until(599);
    assert_eq!(world.verdict(), "checking CL-301");
    world.until(700);
    assert_eq!(world.status().uplink.unwrap().name, "wlan0");
    // What comes later is a gain.
    world.pref64(ETH, "64:ff9b::/96", 1800);
    assert_eq!(world.status().uplink.unwrap().name, "eth0");
}

#[test]
fn a_better_uplink_that_appears_does_not_interrupt_the_one_in_use() {
    let mut network = Network::two_uplinks();
    network.unplug(ETH);
    let mut world = World::started(network);
    world.pref64(WLAN, "64:ff9b::/96", 1800);
    assert_eq!(world.status().uplink.unwrap().name, "wlan0");
    world.network = Network::two_uplinks();
    world.look();
    assert_eq!(world.status().uplink.unwrap().name, "wlan0", "until the other one's router has spoken");
}

/// A decision to stand back must be the same once nothing is armed any more.
#[test]
fn a_vpn_on_the_one_in_use_does_not_end_the_wait_for_the_other_one() {
    let mut network = Network::two_uplinks();
    network.add_link(VPN, "wg0", LinkKind::PointToPoint);
    network.unplug(ETH);
    let mut world = World::started(network);
    world.pref64(WLAN, "64:ff9b::/96", 1800);
    world.until(1_000);
    world.network.link(ETH).carrier = true;
    world.network.uplink(ETH, "2001:db8:1::5/64", 100);
    world.network.captured_by = Some(VPN);
    world.look();
    assert_eq!(world.verdict(), "checking CL-301");
    world.until(1_599);
    assert_eq!(world.verdict(), "checking CL-301");
    world.until(1_600);
    assert_eq!(world.verdict(), "down CL-604");
}

#[test]
fn a_lost_uplink_is_replaced_by_the_warm_one_in_one_step() {
    let mut world = warm();
    let x = world.x();
    world.network.unplug(ETH);
    world.look();
    let moved = ["plane wlan0 64:ff9b::/96", "apply 192.0.0.2 mtu 1472/1480", "no spare", "end stranded flows"];
    assert_eq!(world.took(), moved);
    assert_eq!(world.verdict(), "working CL-004");
    assert_ne!(world.x(), x, "another /64");
    let status = world.status();
    assert_eq!(status.uplink.unwrap().name, "wlan0");
    assert_eq!(status.rearms.last_reason.as_deref(), Some("uplink-changed"));
    assert_eq!((status.rearms.count, status.rearms.last_ms), (1, Some(0)));
}

#[test]
fn x_moves_with_the_uplink_on_a_shared_64() {
    let mut network = Network::two_uplinks();
    network.link(WLAN).addresses.clear();
    network.add_address(WLAN, "2001:db8:1::6/64");
    let mut world = World::started(network);
    world.pref64(WLAN, "2001:db8:64::/48", 1800);
    world.pref64(ETH, "64:ff9b::/96", 1800);
    world.duplicate();
    let x = world.x();
    world.network.unplug(ETH);
    world.look();
    assert_eq!(world.status().uplink.unwrap().name, "wlan0");
    assert_eq!(world.x(), x, "not the one that was found to be taken");
}

#[test]
fn losing_the_spare_uplink_does_not_touch_x() {
    let mut world = warm();
    world.pref64(ETH, "2001:db8:64::/96", 1800);
    world.duplicate();
    let x = world.x();
    world.took();
    world.network.unplug(WLAN);
    world.look();
    assert_eq!(world.took(), ["no spare"]);
    assert_eq!(world.x(), x);
}

/// The kernel goes on choosing an uplink whose router is gone; product.md leaves it out.
#[test]
fn a_silent_router_makes_room_for_the_second_uplink_until_it_speaks() {
    let mut network = Network::two_uplinks();
    network.seen.neighbours.retain(|neighbour| neighbour.link != ETH);
    let mut world = World::started(network);
    world.pref64(ETH, "64:ff9b::/96", 1800);
    world.pref64(WLAN, "64:ff9b::/96", 1800);
    world.until(1_999);
    assert_eq!(world.verdict(), "checking CL-202");
    world.until(2_000);
    assert_eq!(world.status().uplink.unwrap().name, "wlan0");
    world.until(60_000);
    assert_eq!(world.status().uplink.unwrap().name, "wlan0");
    world.network.resolve(ETH);
    world.look();
    assert_eq!(world.status().uplink.unwrap().name, "eth0");
}

#[test]
fn a_silent_router_that_is_the_only_one_is_asked_for_ever() {
    let mut network = Network::ipv6_only();
    network.seen.neighbours.clear();
    let mut world = World::started(network);
    world.pref64(ETH, "64:ff9b::/96", 1800);
    world.until(10_000);
    assert_eq!(world.verdict(), "checking CL-202");
    assert_eq!(world.took().iter().filter(|action| action.starts_with("resolve")).count(), 11);
    world.network.resolve(ETH);
    world.look();
    assert_eq!(world.verdict(), "working CL-004");
}

#[test]
fn a_cold_second_uplink_is_resolved_before_it_is_used() {
    let mut network = Network::two_uplinks();
    network.forget_neighbours(WLAN);
    let mut world = World::started(network);
    world.pref64(ETH, "64:ff9b::/96", 1800);
    world.pref64(WLAN, "64:ff9b::/96", 1800);
    world.reply();
    assert!(world.took().contains(&"resolve fe80::1 on 3".into()), "beforehand");
    assert!(world.spare.is_none());
    world.until(1_500);
    world.took();
    world.network.unplug(ETH);
    world.look();
    assert_eq!(world.took(), <[String; 0]>::default(), "it has been asked already");
    assert_eq!(world.verdict(), "checking CL-202", "the old plane leads nowhere");
    world.until(1_520);
    world.network.resolve(WLAN);
    world.look();
    assert_eq!(world.verdict(), "working CL-004");
    let rearms = world.status().rearms;
    assert_eq!((rearms.count, rearms.last_ms, rearms.last_reason.as_deref()), (1, Some(20), Some("uplink-changed")));
}

#[test]
fn two_routers_of_one_name_are_two_routers() {
    let mut network = Network::two_uplinks();
    network.forget_neighbours(ETH);
    network.forget_neighbours(WLAN);
    let mut world = World::started(network);
    world.pref64(WLAN, "64:ff9b::/96", 1800);
    world.pref64(ETH, "64:ff9b::/96", 1800);
    assert!(world.took().contains(&"resolve fe80::1 on 2".into()));
    world.until(100);
    world.network.unplug(ETH);
    world.look();
    assert_eq!(world.took(), ["resolve fe80::1 on 3"], "at once, although fe80::1 was asked for 100 ms ago");
    world.network.resolve(ETH);
    world.look();
    assert!(world.running.is_none(), "eth0's router is not wlan0's");
    world.network.resolve(WLAN);
    world.look();
    let uplink = world.running.unwrap().uplink;
    assert_eq!((uplink.link, uplink.gateway_mac), (WLAN, MacAddress([2, 0, 0, 0, 1, 3])));
}

#[test]
fn a_better_uplink_that_returns_is_used_again() {
    let mut world = warm();
    world.network.unplug(ETH);
    world.look();
    world.took();
    world.network.link(ETH).carrier = true;
    world.network.uplink(ETH, "2001:db8:1::5/64", 100);
    world.look();
    assert_eq!(world.took(), ["solicit 2"], "what it announced before is forgotten");
    assert_eq!(world.status().uplink.unwrap().name, "wlan0");
    world.pref64(ETH, "64:ff9b::/96", 1800);
    assert_eq!(world.took(), ["plane eth0 64:ff9b::/96", "apply 192.0.0.2 mtu 1472/1480"]);
    assert_eq!(world.spare.unwrap().plane.uplink.name, "wlan0", "it stays ready");
}

#[test]
fn the_last_uplink_lost_disarms_and_the_next_one_arms() {
    let mut world = World::armed();
    world.network.unplug(ETH);
    world.look();
    assert_eq!(world.took(), ["apply none", "stop"]);
    assert_eq!(world.verdict(), "no_network CL-101");
    world.until(6_000);
    world.network = Network::ipv6_only();
    world.look();
    world.pref64(ETH, "64:ff9b::/96", 1800);
    assert_eq!(world.verdict(), "working CL-004");
    assert_eq!(world.status().rearms.last_reason.as_deref(), Some("uplink-lost"));
}

#[test]
fn another_router_address_changes_the_plane_only() {
    let mut world = World::armed();
    world.reply();
    world.network.seen.neighbours[0].mac = MacAddress([2, 0, 0, 0, 1, 99]);
    world.look();
    let did = world.took();
    assert_eq!(did, ["resolve fe80::1 on 2", "solicit 2", "plane eth0 64:ff9b::/96"], "nothing about the host");
    assert_eq!(world.verdict(), "working CL-004", "what the other one let through proves nothing");
}

#[test]
fn a_renumbered_link_gets_an_x_of_the_new_prefix() {
    let mut world = World::armed();
    world.network.link(ETH).addresses.clear();
    world.network.add_address(ETH, "2001:db8:9::5/64");
    world.look();
    assert_eq!(world.took(), ["plane eth0 64:ff9b::/96", "end stranded flows"]);
    assert!(world.x().to_string().starts_with("2001:db8:9:"));
}

/// While the uplink was on another network, somebody else may have taken the address.
#[test]
fn an_x_that_was_let_go_is_asked_for_again() {
    let mut world = World::started(Network::two_uplinks());
    world.pref64(ETH, "64:ff9b::/96", 1800);
    world.pref64(WLAN, "64:ff9b::/96", 1800);
    world.claimed();
    let x = world.spare.clone().expect("a spare").plane.v6;
    world.report_spare(PlaneEvent::Claimed(x));
    let home = world.network.link(WLAN).addresses.clone();
    world.network.link(WLAN).addresses.clear();
    world.network.add_address(WLAN, "2001:db8:77::5/64");
    world.look();
    assert_ne!(world.spare.as_ref().expect("a spare").plane.v6, x);
    world.network.link(WLAN).addresses = home;
    world.look();
    let spare = world.spare.clone().expect("a spare").plane;
    assert_eq!((spare.v6, spare.owned), (x, false));
}

#[test]
fn no_default_is_left_while_the_only_other_router_is_silent() {
    let mut network = Network::two_uplinks();
    network.forget_neighbours(WLAN);
    let mut world = World::started(network);
    world.pref64(ETH, "64:ff9b::/96", 1800);
    world.pref64(WLAN, "64:ff9b::/96", 1800);
    world.until(5_000);
    world.claimed();
    world.took();
    world.pref64(ETH, "64:ff9b::/96", 0);
    assert_eq!(world.verdict(), "checking CL-202");
    assert_eq!(world.intent.default_v4, None);
    world.network.resolve(WLAN);
    world.look();
    assert_eq!(world.verdict(), "working CL-004");
}

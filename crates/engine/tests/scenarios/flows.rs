//! What becomes of flows when the way changes under them.

use engine::Event;
use model::{PlaneEvent, Pref64};

use crate::network::{ETH, Network, WLAN};
use crate::world::World;

/// On Ethernet, with Wi-Fi in reserve, X claimed on both.
fn warm_on(network: Network) -> World {
    let mut world = World::started(network);
    world.pref64(ETH, "64:ff9b::/96", 1800);
    world.pref64(WLAN, "64:ff9b::/96", 1800);
    world.until(5_000);
    world.claimed();
    if world.spare.as_ref().is_some_and(|spare| spare.answers) {
        let x = world.spare.as_ref().unwrap().plane.v6;
        world.report_spare(PlaneEvent::Claimed(x));
    }
    world.took();
    world
}

fn warm() -> World {
    warm_on(Network::two_uplinks())
}

fn ends(world: &mut World) -> Vec<String> {
    world.took().into_iter().filter(|line| line.starts_with("end")).collect()
}

/// On Wi-Fi since 5 s; Ethernet comes back at 8 s.
fn gained() -> World {
    let mut world = warm();
    world.network.unplug(ETH);
    world.look();
    world.until(8_000);
    world.took();
    world.network = Network::two_uplinks();
    world.look();
    world.pref64(ETH, "64:ff9b::/96", 1800);
    assert_eq!(world.status().uplink.unwrap().name, "eth0");
    world
}

#[test]
fn flows_of_an_uplink_that_is_lost_are_ended_at_once() {
    let mut world = warm();
    world.network.unplug(ETH);
    world.look();
    let took = world.took();
    let at = |what: &str| took.iter().position(|line| line.starts_with(what));
    assert!(at("plane wlan0") < at("end stranded flows"), "{took:?}");
    assert!(at("plane wlan0").is_some(), "{took:?}");
    assert_eq!(ends(&mut world), [""; 0], "once");
    world.report(PlaneEvent::FlowsEnded(7));
    assert_eq!(world.status().rearms.history[0].flows_ended, 7);
}

#[test]
fn on_a_shared_prefix_x_moves_and_nothing_ends() {
    let mut world = warm_on(Network::shared_prefix());
    world.network.unplug(ETH);
    world.look();
    assert_eq!(world.status().uplink.unwrap().name, "wlan0");
    assert_eq!(ends(&mut world), [""; 0]);
}

#[test]
fn flows_of_an_uplink_that_still_works_go_on_for_half_a_minute() {
    let mut world = gained();
    assert!(world.spare.as_ref().is_some_and(|spare| spare.plane.uplink.link == WLAN && spare.lingers));
    world.until(37_900);
    assert_eq!(ends(&mut world), [""; 0]);
    world.until(38_100);
    assert!(world.spare.as_ref().is_some_and(|spare| !spare.lingers), "ready, and no more");
    assert_eq!(ends(&mut world), ["end stranded flows"]);
}

#[test]
fn flows_end_with_the_uplink_on_which_they_linger() {
    let mut world = gained();
    world.until(15_000);
    world.network.unplug(WLAN);
    world.look();
    assert_eq!(ends(&mut world), ["end stranded flows"]);
    assert!(world.spare.is_none());
}

#[test]
fn nobody_lingers_where_no_flow_is_left() {
    let mut world = gained();
    world.report_spare(PlaneEvent::Abandoned);
    assert!(world.spare.as_ref().is_some_and(|spare| !spare.lingers));
}

#[test]
fn a_flow_goes_on_when_its_uplink_is_used_again() {
    let mut world = gained();
    world.until(15_000);
    world.took();
    world.network.unplug(ETH);
    world.look();
    assert_eq!(world.status().uplink.unwrap().name, "wlan0");
    assert_eq!(ends(&mut world), ["end stranded flows"], "those of Ethernet, that is");
}

#[test]
fn native_ipv4_takes_no_flow_over_and_apps_are_told_while_they_can_be() {
    let mut world = World::armed();
    let generation = world.running.as_ref().unwrap().generation;
    world.network.add_route("0.0.0.0/0", Some("192.0.2.1"), ETH, 100);
    world.look();
    assert_eq!(world.took(), ["end all flows", "apply none", "stop"]);
    // Its report comes when the plane is gone.
    world.tell(Event::Plane { generation, event: PlaneEvent::FlowsEnded(2) });
    world.network.remove_route("0.0.0.0/0");
    world.look();
    assert_eq!(world.status().rearms.history[0].flows_ended, 2);
}

#[test]
fn a_loss_without_another_uplink_ends_no_flow_that_may_go_on() {
    let mut world = World::armed();
    world.network.unplug(ETH);
    world.look();
    world.until(8_000);
    assert_eq!(ends(&mut world), [""; 0]);
    world.network = Network::ipv6_only();
    world.look();
    world.pref64(ETH, "64:ff9b::/96", 1800);
    world.until(12_000);
    assert_eq!(ends(&mut world), [""; 0], "the same network, the same X");
}

#[test]
fn after_a_loss_flows_end_on_another_network_once_there_is_an_address() {
    let mut world = World::armed();
    world.network.unplug(ETH);
    world.look();
    world.until(8_000);
    world.took();
    world.network = Network::two_uplinks();
    world.network.unplug(ETH);
    world.look();
    world.pref64(WLAN, "64:ff9b::/96", 1800);
    world.until(12_000);
    let took = world.took();
    let at = |what: &str| took.iter().position(|line| line.starts_with(what)).expect(what);
    assert!(at("apply 192.0.0.2") < at("end stranded flows"), "{took:?}");
}

/// 2001:db8:64::/96 does not sum up to what 64:ff9b::/96 does.
const OTHER: &str = "2001:db8:64::/96";

fn is_neutral(world: &World) -> bool {
    let plane = world.running.as_ref().unwrap();
    xlat::is_neutral(plane.v4, plane.v6, plane.pref64)
}

/// The router announces another prefix.
fn changed() -> World {
    let mut world = World::armed();
    let x = world.x();
    world.pref64(ETH, OTHER, 1800);
    world.pref64(ETH, "64:ff9b::/96", 0);
    assert_eq!(world.status().pref64[0].prefix, OTHER.parse::<Pref64>().unwrap());
    assert_eq!(world.x(), x, "translation goes on at once");
    assert!(!is_neutral(&world));
    world.claimed();
    world
}

#[test]
fn after_a_change_of_prefix_an_x_that_suits_it_is_claimed_beside_and_taken() {
    let mut world = changed();
    let former = world.x();
    let next = world.twin.as_ref().expect("claimed in the background").plane.v6;
    assert_eq!(world.x(), former);
    let count = world.status().rearms.count;
    world.took();
    world.report_twin(PlaneEvent::Claimed(next));
    let took = world.took();
    assert!(!took.contains(&"no twin".to_owned()), "not for a moment: {took:?}");
    assert_eq!(world.x(), next);
    assert!(is_neutral(&world));
    // Who knows the former X goes on with it, however long that takes.
    let twin = world.twin.clone().expect("the former X is kept");
    assert!(twin.plane.v6 == former && twin.lingers && twin.answers);
    world.until(600_000);
    assert!(world.twin.is_some());
    assert_eq!(ends(&mut world), [""; 0]);
    assert_eq!(world.status().rearms.count, count, "nobody missed anything");
    world.report_twin(PlaneEvent::Abandoned);
    assert!(world.twin.is_none());
    assert_eq!(world.x(), next);
}

#[test]
fn a_second_x_that_is_taken_is_not_insisted_on() {
    let mut world = changed();
    let x = world.x();
    for _ in 0..3 {
        let twin = world.twin.as_ref().expect("another try").plane.v6;
        world.report_twin(PlaneEvent::Duplicate(twin));
    }
    assert!(world.twin.is_none());
    assert_eq!((world.x(), world.verdict().as_str()), (x, "working CL-004"));
    world.until(600_000);
    assert!(world.twin.is_none());
}

#[test]
fn a_former_x_that_somebody_takes_is_let_go_and_its_flows_end() {
    let mut world = changed();
    let next = world.twin.as_ref().unwrap().plane.v6;
    world.report_twin(PlaneEvent::Claimed(next));
    let former = world.twin.as_ref().unwrap().plane.v6;
    world.took();
    world.report_twin(PlaneEvent::Duplicate(former));
    assert!(world.twin.is_none());
    assert_eq!(ends(&mut world), ["end stranded flows"]);
}

#[test]
fn a_second_x_ends_with_its_uplink() {
    let mut world = warm();
    world.pref64(ETH, OTHER, 1800);
    world.pref64(ETH, "64:ff9b::/96", 0);
    world.claimed();
    assert!(world.twin.is_some());
    world.network.unplug(ETH);
    world.look();
    assert!(world.twin.is_none());
    assert_eq!(world.status().uplink.unwrap().name, "wlan0");
}

#[test]
fn no_second_x_where_none_would_suit() {
    let mut world = World::armed();
    world.pref64(ETH, "2001:db8:64::/56", 1800);
    world.pref64(ETH, "64:ff9b::/96", 0);
    world.claimed();
    world.until(60_000);
    assert!(world.twin.is_none());
}

/// While its line was closed, somebody else may have taken it.
#[test]
fn a_former_x_that_was_let_go_does_not_come_back() {
    let mut network = Network::two_uplinks();
    network.forget_neighbours(WLAN);
    let mut world = World::armed_on(network);
    world.pref64(WLAN, "64:ff9b::/96", 1800);
    world.pref64(ETH, "2001:db8:64::/96", 1800);
    let next = world.twin.as_ref().expect("claimed in the background").plane.v6;
    world.report_twin(PlaneEvent::Claimed(next));
    assert!(world.twin.as_ref().is_some_and(|twin| twin.lingers));
    world.pref64(ETH, "64:ff9b::/96", 0);
    world.pref64(ETH, "2001:db8:64::/96", 0);
    assert!(world.twin.is_none(), "its uplink has no prefix, the other one no router");
    world.pref64(ETH, "2001:db8:64::/96", 1800);
    assert_eq!(world.verdict(), "working CL-004");
    assert!(world.twin.is_none());
}

//! How losses are counted.

use crate::network::{ETH, Network};
use crate::world::{Answer, World};

fn rearms(world: &World) -> (u64, Option<u64>, Option<String>) {
    let rearms = world.status().rearms;
    (rearms.count, rearms.last_ms, rearms.last_reason)
}

#[test]
fn the_first_arming_is_no_rearming() {
    assert_eq!(rearms(&World::armed()), (0, None, None));
}

#[test]
fn counts_from_the_loss_until_packets_flow_again() {
    let mut world = World::armed();
    world.pref64(ETH, "64:ff9b::/96", 0);
    world.until(5_100);
    world.plane = Answer::Later;
    world.host = Answer::Later;
    world.pref64(ETH, "64:ff9b::/96", 1800);
    world.until(5_130);
    world.plane_starts();
    assert_eq!(rearms(&world), (0, None, None), "the route is not there yet");
    world.until(5_141);
    let intent = world.intent.clone();
    world.tell(engine::Event::Applied(crate::world::in_place(&intent)));
    assert_eq!(rearms(&world), (1, Some(131), Some("prefix-withdrawn".into())));
}

#[test]
fn a_changed_prefix_counts_when_the_plane_has_it() {
    let mut world = World::armed();
    world.plane = Answer::Later;
    world.pref64(ETH, "2001:db8:64::/96", 1800);
    assert_eq!(rearms(&world).0, 0);
    world.until(5_002);
    world.plane_starts();
    assert_eq!(rearms(&world), (1, Some(2), Some("prefix-changed".into())));
}

#[test]
fn the_first_reason_counts() {
    let mut world = World::armed();
    world.pref64(ETH, "64:ff9b::/96", 0);
    world.network.unplug(ETH);
    world.look();
    world.network = Network::ipv6_only();
    world.look();
    world.pref64(ETH, "64:ff9b::/96", 1800);
    assert_eq!(rearms(&world), (1, Some(0), Some("prefix-withdrawn".into())));
}

#[test]
fn hours_of_native_ipv4_are_no_outage() {
    let mut world = World::armed();
    world.network.add_route("0.0.0.0/0", Some("192.168.1.1"), ETH, 100);
    world.look();
    world.until(1_000_000);
    world.network.remove_route("0.0.0.0/0");
    world.host = Answer::Later;
    world.look();
    world.until(1_000_012);
    let intent = world.intent.clone();
    world.tell(engine::Event::Applied(crate::world::in_place(&intent)));
    assert_eq!(rearms(&world), (1, Some(12), Some("native-ipv4".into())));
}

#[test]
fn standing_by_from_the_start_is_no_loss() {
    let mut network = Network::ipv6_only();
    network.add_route("0.0.0.0/0", Some("192.168.1.1"), ETH, 100);
    let mut world = World::started(network);
    world.pref64(ETH, "64:ff9b::/96", 1800);
    world.until(10_000);
    world.network.remove_route("0.0.0.0/0");
    world.look();
    assert_eq!(world.verdict(), "working CL-004");
    assert_eq!(rearms(&world), (0, None, None));
}

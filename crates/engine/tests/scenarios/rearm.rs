//! How losses are counted.

use crate::network::{ETH, Network, WLAN};
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

/// The newest re-arming in one line.
pub(crate) fn newest(world: &World) -> String {
    let rearms = world.status().rearms;
    let last = rearms.history.first().expect("a re-arming");
    assert_eq!(
        (last.number, Some(last.gap_ms), Some(&last.reason)),
        (rearms.count, rearms.last_ms, rearms.last_reason.as_ref())
    );
    let (from, to) = (last.from.as_deref().unwrap_or_default(), last.to.as_deref().unwrap_or_default());
    let way = if from == to { from.to_owned() } else { format!("{from} to {to}") };
    let left = last.left.as_ref().map(|left| format!(", {left}")).unwrap_or_default();
    let standby = last.standby_ms.map(|ms| format!(" after {ms} of standby")).unwrap_or_default();
    format!("{}{left}: {} ms{standby}, {way}: {}", last.reason, last.gap_ms, last.done.join(" "))
}

fn warm() -> World {
    let mut world = World::started(Network::two_uplinks());
    world.pref64(ETH, "64:ff9b::/96", 1800);
    world.pref64(WLAN, "64:ff9b::/96", 1800);
    world.until(5_000);
    world.claimed();
    world
}

#[test]
fn a_cut_says_from_where_to_where_and_what_was_ready() {
    let mut world = warm();
    world.network.unplug(ETH);
    world.look();
    assert_eq!(newest(&world), "uplink-changed, link-lost: 0 ms, eth0 to wlan0: took-reserve moved-x");
    let last = world.status().rearms.history[0].clone();
    assert_eq!((last.time.as_str(), last.first_reply_ms), ("1970-01-12T13:46:45Z", None));
    world.until(5_012);
    world.reply();
    assert_eq!(world.status().rearms.history[0].first_reply_ms, Some(12));
    world.until(9_000);
    world.report(model::PlaneEvent::ProbeAnswered(model::ProbeTarget { address: [192, 0, 2, 1].into(), port: None }));
    assert_eq!(world.status().rearms.history[0].first_reply_ms, Some(12), "the first one");
}

#[test]
fn an_uplink_that_was_not_ready_is_opened_and_on_a_shared_64_x_stays() {
    let mut network = Network::two_uplinks();
    network.forget_neighbours(WLAN);
    network.link(WLAN).addresses.clear();
    network.add_address(WLAN, "2001:db8:1::6/64");
    let mut world = World::started(network);
    world.pref64(ETH, "64:ff9b::/96", 1800);
    world.pref64(WLAN, "64:ff9b::/96", 1800);
    world.until(1_500);
    world.network.unplug(ETH);
    world.look();
    world.until(1_520);
    world.network.resolve(WLAN);
    world.look();
    assert_eq!(newest(&world), "uplink-changed, link-lost: 20 ms, eth0 to wlan0: opened-uplink kept-x");
}

#[test]
fn a_better_uplink_is_no_fault_of_the_one_that_is_left() {
    let mut world = warm();
    world.network.unplug(ETH);
    world.look();
    world.network.link(ETH).carrier = true;
    world.network.uplink(ETH, "2001:db8:1::5/64", 100);
    world.look();
    world.pref64(ETH, "2001:db8:64::/96", 1800);
    assert_eq!(newest(&world), "uplink-changed, better-uplink: 0 ms, wlan0 to eth0: opened-uplink took-prefix moved-x");
}

#[test]
fn routes_and_prefixes_that_go_are_told_apart() {
    let mut world = warm();
    world.network.seen.routes.retain(|route| route.link != ETH);
    world.look();
    assert_eq!(newest(&world), "uplink-changed, route-lost: 0 ms, eth0 to wlan0: took-reserve moved-x");
    let mut world = warm();
    world.pref64(ETH, "64:ff9b::/96", 0);
    assert_eq!(newest(&world), "uplink-changed, prefix-lost: 0 ms, eth0 to wlan0: took-reserve moved-x");
}

#[test]
fn another_prefix_keeps_x() {
    let mut world = World::armed();
    world.pref64(ETH, "2001:db8:64::/96", 1800);
    world.pref64(ETH, "64:ff9b::/96", 0);
    assert_eq!(newest(&world), "prefix-changed: 0 ms, eth0: took-prefix kept-x");
}

#[test]
fn a_renumbered_link_a_duplicate_and_another_router() {
    let mut world = World::armed();
    world.network.link(ETH).addresses.clear();
    world.network.add_address(ETH, "2001:db8:9::5/64");
    world.look();
    assert_eq!(newest(&world), "address-changed: 0 ms, eth0: moved-x");
    world.duplicate();
    assert_eq!(newest(&world), "address-conflict: 0 ms, eth0: moved-x");
    world.network.seen.neighbours[0].mac = model::MacAddress([2, 0, 0, 0, 1, 99]);
    world.look();
    assert_eq!(newest(&world), "gateway-changed: 0 ms, eth0: took-router");
}

#[test]
fn what_a_person_asked_for_opens_the_tunnel_again_and_keeps_x() {
    let mut world = World::armed();
    world.tell(engine::Event::Rearm);
    assert_eq!(newest(&world), "asked-for: 0 ms, eth0: opened-tunnel put-route-back");
}

#[test]
fn a_plane_that_fails_is_opened_again() {
    let mut world = World::armed();
    world.report(model::PlaneEvent::Failed("the tunnel has gone".into()));
    assert_eq!(newest(&world), "plane-failed: 0 ms, eth0: opened-tunnel put-route-back");
}

#[test]
fn repairs_are_in_it_each_by_what_was_missing() {
    let mut network = Network::ipv6_only();
    network.link(ETH).forwards_ipv6 = true;
    let mut world = World::armed_on(network);
    let found = |world: &World| crate::world::in_place(&world.intent);
    world.tell(engine::Event::InPlace(model::Applied { default_v4: None, ..found(&world) }));
    assert_eq!(newest(&world), "undone: 0 ms, eth0: put-route-back");
    world.tell(engine::Event::InPlace(model::Applied { silent_v6: Vec::new(), ..found(&world) }));
    assert_eq!(newest(&world), "undone: 0 ms, eth0: silenced-kernel");
    assert_eq!(world.status().rearms.history.len(), 2);
}

#[test]
fn a_repair_is_proved_by_traffic_that_goes_on() {
    let mut world = World::armed();
    world.reply();
    world.report(model::PlaneEvent::Traffic);
    world.traffic.received = 10;
    let found = crate::world::in_place(&world.intent);
    world.tell(engine::Event::InPlace(model::Applied { default_v4: None, ..found }));
    let first_reply = |world: &World| world.status().rearms.history[0].first_reply_ms;
    world.traffic.sent = 11;
    world.until(5_160);
    assert_eq!(first_reply(&world), None, "the ten may be older");
    world.traffic.received = 11;
    world.until(5_310);
    assert_eq!(first_reply(&world), Some(300));
}

#[test]
fn standing_back_is_told_with_its_length_and_only_what_was_done_at_the_return() {
    let mut world = World::armed();
    world.until(6_000);
    world.network.unplug(ETH);
    world.look();
    world.until(8_000);
    world.network = Network::ipv6_only();
    world.network.add_route("0.0.0.0/0", Some("192.168.1.1"), ETH, 100);
    world.look();
    assert_eq!(world.verdict(), "standby_native CL-001");
    world.until(9_000);
    world.pref64(ETH, "64:ff9b::/96", 1800);
    world.until(20_000);
    world.network.remove_route("0.0.0.0/0");
    world.host = Answer::Later;
    world.look();
    world.until(20_007);
    let intent = world.intent.clone();
    world.tell(engine::Event::Applied(crate::world::in_place(&intent)));
    assert_eq!(newest(&world), "native-ipv4: 7 ms after 12000 of standby, eth0: opened-tunnel put-route-back");
}

#[test]
fn a_pause_is_a_standby_and_a_vpn_s_default_needs_no_new_tunnel() {
    let mut world = World::armed();
    world.tell(engine::Event::Pause { length: Some(std::time::Duration::from_secs(60)), reason: String::new() });
    world.until(66_000);
    assert_eq!(newest(&world), "paused: 0 ms after 60000 of standby, eth0: opened-tunnel put-route-back");
    world.network.add_link(crate::network::VPN, "tun0", model::LinkKind::PointToPoint);
    world.network.add_route("0.0.0.0/0", None, crate::network::VPN, 50);
    world.look();
    world.until(70_000);
    world.network.remove_route("0.0.0.0/0");
    world.look();
    assert_eq!(newest(&world), "native-ipv4: 0 ms after 4000 of standby, eth0: put-route-back");
}

#[test]
fn each_re_arming_is_told_once() {
    let mut world = World::armed();
    let mut told = Vec::new();
    for _ in 0..40 {
        world.engine.handle(engine::Event::Rearm, world.now);
        world.act();
        told.append(&mut world.rearmed);
    }
    let numbers: Vec<u64> = told.iter().map(|one| one.number).collect();
    assert_eq!(numbers, (1..=40).collect::<Vec<_>>());
    assert!(told.iter().all(|one| (one.reason, one.to.as_str()) == ("asked-for", "eth0")));
    let kept: Vec<u64> = world.status().rearms.history.iter().map(|one| one.number).collect();
    assert_eq!(kept, (9..=40).rev().collect::<Vec<_>>(), "newest first, the last 32");
}

//! Plane and host refuse.

use engine::Event;
use model::{LinkKind, PlaneEvent};

use crate::network::{ETH, Network, WLAN};
use crate::world::{Answer, World, in_place, refused};

/// When, in milliseconds after now, `what` is done until `end`.
fn moments(world: &mut World, what: &str, end: u64) -> Vec<u64> {
    let start: u64 = world.now.since_start().as_millis().try_into().unwrap();
    let mut found = Vec::new();
    for ms in (start..start + end).step_by(100) {
        world.until(ms);
        found.extend(world.took().iter().filter(|line| line.starts_with(what)).map(|_| ms - start));
    }
    found
}

#[test]
fn a_plane_that_cannot_start_is_tried_again_ever_less_often() {
    let mut world = World::started(Network::ipv6_only());
    world.plane = Answer::Fails;
    world.pref64(ETH, "64:ff9b::/96", 65_528);
    assert_eq!(world.verdict(), "down CL-601");
    assert_eq!(world.cause(), "open the tunnel: no");
    world.took();
    assert_eq!(
        moments(&mut world, "plane", 100_000),
        [500, 1_500, 3_500, 7_500, 15_500, 31_500, 61_500, 91_500],
        "the pause doubles up to 30 s"
    );
    world.plane = Answer::Done;
    world.until(130_000);
    assert_eq!(world.verdict(), "working CL-004", "the fault is over");
    assert!(world.status().causes.is_empty());
}

#[test]
fn a_plane_that_ends_takes_the_configuration_with_it() {
    let mut world = World::armed();
    world.report(PlaneEvent::Failed("the tunnel is gone".into()));
    let again = ["apply none", "stop", "plane eth0 64:ff9b::/96", "apply 192.0.0.2 mtu 1472/1480"];
    assert_eq!(world.took(), again, "what worked until now is put up again at once");
    assert_eq!(world.verdict(), "working CL-004");
    world.report(PlaneEvent::Failed("the tunnel is gone".into()));
    assert_eq!(world.took(), ["apply none", "stop"], "but not for ever");
    assert_eq!(world.verdict(), "down CL-601");
    assert!(world.status().clat.is_none() && world.status().plane.is_none());
    world.until(5_500);
    assert_eq!(world.took(), ["plane eth0 64:ff9b::/96", "apply 192.0.0.2 mtu 1472/1480"]);
    assert_eq!(world.verdict(), "working CL-004");
    let rearms = world.status().rearms;
    assert_eq!((rearms.count, rearms.last_ms, rearms.last_reason.as_deref()), (2, Some(500), Some("plane-failed")));
}

#[test]
fn a_reply_ends_the_growth_of_the_pause() {
    let mut world = World::armed();
    world.report(PlaneEvent::Failed("gone".into()));
    for _ in 0..3 {
        world.report(PlaneEvent::Failed("gone".into()));
        world.took();
        assert_eq!(moments(&mut world, "plane", 2_000), [500]);
        world.reply();
    }
}

#[test]
fn a_host_that_refuses_is_cleaned_and_tried_again_ever_less_often() {
    let mut world = World::started(Network::ipv6_only());
    world.host = Answer::Fails;
    world.took();
    world.pref64(ETH, "64:ff9b::/96", 65_528);
    assert_eq!(
        world.took(),
        ["refresh", "plane eth0 64:ff9b::/96", "apply 192.0.0.2 mtu 1472/1480", "apply none"],
        "half a configuration is none"
    );
    assert_eq!(world.verdict(), "down CL-601");
    assert_eq!(world.cause(), "route add: no");
    assert!(world.status().clat.is_none());
    assert_eq!(moments(&mut world, "apply 192", 20_000), [500, 1_500, 3_500, 7_500, 15_500]);
    world.host = Answer::Done;
    world.until(60_000);
    assert_eq!(world.verdict(), "working CL-004");
    assert_eq!(world.status().rearms.count, 0, "it had never been armed");
}

#[test]
fn one_refused_step_is_a_failure_even_if_the_route_is_there() {
    let mut world = World::started(Network::ipv6_only());
    world.host = Answer::Later;
    world.pref64(ETH, "64:ff9b::/96", 1800);
    let mut applied = in_place(&world.intent);
    applied.failures = refused(&world.intent).failures;
    world.tell(Event::Applied(applied));
    assert_eq!(world.verdict(), "down CL-601");
    assert_eq!(world.took().last().map(String::as_str), Some("apply none"));
}

#[test]
fn a_route_that_is_not_there_is_a_failure_even_if_no_step_was_refused() {
    let mut world = World::started(Network::ipv6_only());
    world.host = Answer::Later;
    world.pref64(ETH, "64:ff9b::/96", 1800);
    let mut applied = in_place(&world.intent);
    applied.default_v4 = None;
    world.tell(Event::Applied(applied));
    assert_eq!(world.verdict(), "down CL-601");
    assert_eq!(world.cause(), "the IPv4 default route is not in place");
}

#[test]
fn a_change_that_is_refused_counts_as_a_loss() {
    let mut world = World::armed();
    world.host = Answer::Fails;
    world.network.link(ETH).mtu6 = 1400;
    world.look();
    assert_eq!(world.verdict(), "down CL-601");
    world.host = Answer::Done;
    world.until(6_000);
    let rearms = world.status().rearms;
    assert_eq!((rearms.count, rearms.last_reason.as_deref()), (1, Some("host-configuration")));
}

#[test]
fn an_answer_of_an_older_generation_is_ignored() {
    let mut world = World::started(Network::ipv6_only());
    world.host = Answer::Later;
    world.pref64(ETH, "64:ff9b::/96", 1800);
    let old = world.intent.clone();
    world.network.link(ETH).mtu6 = 1400;
    world.look();
    world.tell(Event::Applied(in_place(&old)));
    assert_eq!(world.verdict(), "checking CL-004", "1472 is not what is wanted any more");
    world.tell(Event::Applied(refused(&old)));
    assert_eq!(world.verdict(), "checking CL-004");
    let new = world.intent.clone();
    world.tell(Event::Applied(in_place(&new)));
    assert_eq!(world.verdict(), "working CL-004");
}

#[test]
fn a_late_success_after_standing_back_arms_nothing() {
    let mut world = World::started(Network::ipv6_only());
    world.host = Answer::Later;
    world.pref64(ETH, "64:ff9b::/96", 1800);
    let old = world.intent.clone();
    world.network.add_route("0.0.0.0/0", Some("192.168.1.1"), ETH, 100);
    world.look();
    world.tell(Event::Applied(in_place(&old)));
    assert_eq!(world.verdict(), "standby_native CL-001");
    assert!(world.status().clat.is_none());
    assert!(world.intent.default_v4.is_none());
}

#[test]
fn what_cannot_be_taken_away_is_tried_again() {
    let mut world = World::armed();
    world.cleanup = Answer::Fails;
    world.network.add_route("0.0.0.0/0", Some("192.168.1.1"), ETH, 100);
    world.look();
    assert_eq!(world.took(), ["end all flows", "apply none", "stop"]);
    assert_eq!(moments(&mut world, "apply none", 8_000), [500, 1_500, 3_500, 7_500]);
    world.cleanup = Answer::Done;
    assert_eq!(moments(&mut world, "apply none", 60_000).len(), 1, "until it is gone");
    assert_eq!(world.verdict(), "standby_native CL-001");
}

#[test]
fn standing_back_while_the_host_is_in_doubt_cleans_it() {
    let mut world = World::started(Network::ipv6_only());
    world.host = Answer::Fails;
    world.cleanup = Answer::Fails;
    world.pref64(ETH, "64:ff9b::/96", 1800);
    world.cleanup = Answer::Done;
    world.took();
    world.network.add_route("0.0.0.0/0", Some("192.168.1.1"), ETH, 100);
    world.look();
    assert_eq!(world.took(), ["stop"], "asked a moment ago");
    world.until(500);
    assert_eq!(world.took(), ["apply none"]);
}

#[test]
fn another_uplink_need_not_wait() {
    let mut world = World::started(Network::two_uplinks());
    world.pref64(WLAN, "64:ff9b::/96", 1800);
    world.pref64(ETH, "64:ff9b::/96", 1800);
    world.until(5_000);
    // The socket notices first that the interface is gone, the snapshot follows.
    world.report(PlaneEvent::Failed("the uplink's socket is gone".into()));
    world.took();
    world.until(5_003);
    world.network.unplug(ETH);
    world.look();
    let moved = ["plane wlan0 64:ff9b::/96", "apply 192.0.0.2 mtu 1472/1480", "no spare", "end stranded flows"];
    assert_eq!(world.took(), moved);
    let rearms = world.status().rearms;
    assert_eq!((rearms.last_ms, rearms.last_reason.as_deref()), (Some(0), Some("uplink-changed")));
}

#[test]
fn a_new_network_need_not_wait() {
    let mut world = World::armed();
    world.plane = Answer::Fails;
    world.report(PlaneEvent::Failed("gone".into()));
    world.until(20_000);
    world.network.unplug(ETH);
    world.look();
    world.plane = Answer::Done;
    world.network.add_link(WLAN, "wlan0", LinkKind::Ethernet);
    world.network.uplink(WLAN, "2001:db8:2::5/64", 600);
    world.look();
    world.pref64(WLAN, "64:ff9b::/96", 1800);
    assert_eq!(world.verdict(), "working CL-004");
}

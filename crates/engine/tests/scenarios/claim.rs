//! X: claimed, objected to, kept.

use engine::Event;
use model::{Dad, Generation, Origin, PlaneEvent, Settings};

use crate::network::{ETH, Network};
use crate::world::World;

fn strict() -> Settings {
    let mut settings = Settings::default();
    settings.dad.set(Dad::Strict, Origin::Config);
    settings
}

#[test]
fn optimistic_does_not_wait() {
    let mut world = World::started(Network::ipv6_only());
    world.pref64(ETH, "64:ff9b::/96", 1800);
    assert_eq!(world.verdict(), "working CL-004");
}

#[test]
fn strict_waits_until_x_is_claimed() {
    let mut world = World::started_with(Network::ipv6_only(), strict());
    world.took();
    world.pref64(ETH, "64:ff9b::/96", 1800);
    assert_eq!(world.took(), ["refresh", "plane eth0 64:ff9b::/96"]);
    assert_eq!(world.verdict(), "checking CL-004");
    world.until(1_000);
    world.claimed();
    assert_eq!(world.took().last().map(String::as_str), Some("apply 192.0.0.2 mtu 1472/1480"));
    assert_eq!(world.verdict(), "working CL-004");
}

#[test]
fn strict_takes_the_default_away_before_x_changes() {
    let mut world = World::started_with(Network::ipv6_only(), strict());
    world.pref64(ETH, "64:ff9b::/96", 1800);
    world.claimed();
    world.took();
    world.duplicate();
    assert_eq!(world.took(), ["apply none", "plane eth0 64:ff9b::/96"]);
    assert_eq!(world.verdict(), "checking CL-004");
    world.claimed();
    assert_eq!(world.took(), ["apply 192.0.0.2 mtu 1472/1480", "end stranded flows"]);
}

#[test]
fn strict_keeps_a_claimed_x_through_a_change_of_prefix() {
    let mut world = World::started_with(Network::ipv6_only(), strict());
    world.pref64(ETH, "64:ff9b::/96", 1800);
    world.claimed();
    world.until(5_000);
    world.took();
    world.pref64(ETH, "2001:db8:64::/96", 1800);
    assert_eq!(world.took(), ["refresh", "plane eth0 2001:db8:64::/96", "twin eth0 2001:db8:64::/96"]);
    assert_eq!(world.verdict(), "working CL-004");
}

#[test]
fn a_duplicate_gives_the_next_x_and_the_route_stays() {
    let mut world = World::armed();
    let first = world.x();
    world.duplicate();
    assert_ne!(world.x(), first);
    assert_eq!(world.took(), ["plane eth0 64:ff9b::/96", "end stranded flows"]);
    assert_eq!(world.verdict(), "working CL-004");
    assert_eq!(world.status().rearms.last_reason.as_deref(), Some("address-conflict"));
}

/// Forged objections must not switch IPv4 off for ever.
#[test]
fn after_a_conflict_the_next_address_is_tried_a_minute_later() {
    let mut world = World::armed();
    let begin = u64::try_from(world.now.since_start().as_millis()).unwrap();
    for _ in 0..3 {
        world.duplicate();
    }
    assert_eq!(world.verdict(), "down CL-605");
    world.until(begin + 59_999);
    assert_eq!(world.verdict(), "down CL-605");
    world.until(begin + 60_000);
    assert_eq!(world.verdict(), "working CL-004");
    world.duplicate();
    assert_eq!(world.verdict(), "working CL-004", "three more tries");
}

#[test]
fn three_duplicates_in_a_row_are_a_conflict() {
    let mut world = World::armed();
    let mut seen = vec![world.x()];
    for _ in 0..2 {
        world.duplicate();
        assert!(!seen.contains(&world.x()));
        seen.push(world.x());
    }
    world.took();
    world.duplicate();
    assert_eq!(world.took(), ["apply none", "stop"]);
    assert_eq!(world.verdict(), "down CL-605");
    assert_eq!(world.cause(), "3 addresses in a row are in use on eth0");
    world.until(50_000);
    assert_eq!(world.took(), <[String; 0]>::default(), "nothing is armed");

    world.network.unplug(ETH);
    world.look();
    assert_eq!(world.verdict(), "no_network CL-101");
    world.network = Network::ipv6_only();
    world.look();
    world.pref64(ETH, "64:ff9b::/96", 1800);
    assert_eq!(world.verdict(), "working CL-004", "another cable, another try");
}

#[test]
fn duplicates_far_apart_are_not_in_a_row() {
    let mut world = World::armed();
    for _ in 0..10 {
        world.duplicate();
        world.claimed();
    }
    assert_eq!(world.verdict(), "working CL-004");
}

#[test]
fn news_of_another_address_or_generation_is_no_news() {
    let mut world = World::armed();
    let (x, generation) = (world.x(), world.running.as_ref().unwrap().generation);
    world.report(PlaneEvent::Duplicate("2001:db8:1::bad".parse().unwrap()));
    world.report(PlaneEvent::Claimed("2001:db8:1::bad".parse().unwrap()));
    let older = Generation(generation.0 - 1);
    for event in
        [PlaneEvent::Duplicate(x), PlaneEvent::FirstReply, PlaneEvent::Failed("old".into()), PlaneEvent::Claimed(x)]
    {
        world.tell(Event::Plane { generation: older, event });
    }
    assert_eq!(world.took(), <[String; 0]>::default());
    assert_eq!(world.verdict(), "working CL-004");
    assert_eq!(world.x(), x);
}

#[test]
fn x_is_the_same_after_every_start_and_neutral() {
    let (one, two) = (World::armed(), World::armed());
    assert_eq!(one.x(), two.x());
    assert!(xlat::is_neutral(model::DEFAULT_CLAT_V4, one.x(), model::Pref64::WELL_KNOWN));
}

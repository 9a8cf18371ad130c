//! What a person asks for.

use std::time::Duration;

use engine::Event;

use crate::network::{ETH, Network};
use crate::world::World;

fn pause(world: &mut World, seconds: Option<u64>) {
    world.tell(Event::Pause { length: seconds.map(Duration::from_secs), reason: "a test call".into() });
}

#[test]
fn a_pause_disarms_says_so_and_ends_by_itself() {
    let mut world = World::armed();
    let begin = world.now;
    pause(&mut world, Some(60));
    assert_eq!(world.took(), ["apply none", "stop"]);
    assert_eq!(world.verdict(), "paused CL-003");
    let told = world.status().pause.unwrap();
    assert_eq!(told.reason, "a test call");
    assert!(told.until.is_some());
    world.until(u64::try_from((begin + Duration::from_secs(60)).since_start().as_millis()).unwrap());
    assert_eq!(world.verdict(), "working CL-004");
    assert!(world.status().pause.is_none());
}

#[test]
fn a_pause_without_end_lasts_until_resumed() {
    let mut world = World::armed();
    pause(&mut world, None);
    world.pref64(ETH, "64:ff9b::/96", 60_000);
    world.until(1_000_000);
    assert_eq!(world.verdict(), "paused CL-003");
    assert!(world.status().pause.unwrap().until.is_none());
    world.tell(Event::Resume);
    assert_eq!(world.verdict(), "working CL-004");
}

#[test]
fn a_second_pause_replaces_the_first() {
    let mut world = World::armed();
    pause(&mut world, Some(600));
    pause(&mut world, Some(1));
    world.until(6_100);
    assert_eq!(world.verdict(), "working CL-004");
}

#[test]
fn prefixes_are_learnt_while_paused() {
    let mut world = World::started(Network::ipv6_only());
    pause(&mut world, Some(3_600));
    world.pref64(ETH, "64:ff9b::/96", 1800);
    assert_eq!(world.status().pref64.len(), 1);
    assert!(world.running.is_none());
    world.tell(Event::Resume);
    assert_eq!(world.verdict(), "working CL-004");
}

#[test]
fn rearming_takes_down_asks_anew_and_is_back_at_once() {
    let mut world = World::armed();
    world.tell(Event::Rearm);
    let took = world.took();
    assert_eq!(took[..2], ["apply none", "stop"]);
    assert!(took.contains(&format!("solicit {ETH}")) && took.contains(&"refresh".to_owned()), "{took:?}");
    assert_eq!(took.last().unwrap(), "apply 192.0.0.2 mtu 1472/1480");
    assert_eq!(world.verdict(), "working CL-004");
    assert_eq!(world.status().rearms.last_reason.as_deref(), Some("asked-for"));
}

#[test]
fn rearming_while_standing_by_changes_nothing() {
    let mut network = Network::ipv6_only();
    network.add_route("0.0.0.0/0", Some("192.0.2.1"), ETH, 100);
    let mut world = World::started(network);
    world.tell(Event::Rearm);
    assert_eq!(world.verdict(), "standby_native CL-001");
    assert!(world.running.is_none());
}

/// A calendar has no word for it; the service must not die of that.
#[test]
fn a_pause_of_any_length_can_be_told() {
    for seconds in [400_000_000_000, u64::MAX] {
        let mut world = World::armed();
        pause(&mut world, Some(seconds));
        assert_eq!(world.status().pause.unwrap().until.as_deref(), Some("9999-12-31T23:59:59Z"));
    }
}

/// Any local user may pause, and an administrator's terminal shows the reason.
#[test]
fn a_reason_is_a_short_line_of_plain_text() {
    let mut world = World::armed();
    let reason = format!("a\u{1b}[2Jb\nc\u{9b}d{}", "x".repeat(10_000));
    world.tell(Event::Pause { length: None, reason });
    let told = world.status().pause.unwrap().reason;
    assert!(told.starts_with("a[2Jbcdxxx"), "{told}");
    assert_eq!(told.chars().count(), 200);
}

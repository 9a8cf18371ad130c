//! What others undo is put back.

use engine::Event;
use model::{Applied, PlaneEvent};

use crate::network::{ETH, Network, WLAN};
use crate::world::{World, in_place};

impl World {
    /// A snapshot finds nothing of ours but the tunnel.
    fn finds_nothing(&mut self) {
        let generation = self.intent.generation;
        self.tell(Event::InPlace(Applied { generation, ..Applied::default() }));
    }
}

#[test]
fn a_route_that_was_taken_away_is_put_back_at_once() {
    let mut world = World::armed();
    world.finds_nothing();
    assert_eq!(world.took(), ["apply 192.0.0.2 mtu 1472/1480"]);
    assert_eq!(world.verdict(), "working CL-004");
    let rearms = world.status().rearms;
    assert_eq!((rearms.count, rearms.last_reason.as_deref()), (1, Some("undone")));
}

#[test]
fn what_is_in_place_is_left_alone() {
    let mut world = World::armed();
    let found = in_place(&world.intent);
    world.tell(Event::InPlace(found));
    assert_eq!(world.took(), <[String; 0]>::default());
}

#[test]
fn an_old_look_says_nothing_about_a_new_intent() {
    let mut world = World::armed();
    let old = Applied { generation: world.intent.generation, ..Applied::default() };
    world.duplicate();
    world.network.link(ETH).mtu6 = 1400;
    world.look();
    world.took();
    world.tell(Event::InPlace(old));
    assert_eq!(world.took(), <[String; 0]>::default());
}

#[test]
fn a_quarrel_is_told_and_slows_down() {
    let mut world = World::armed();
    for _ in 0..3 {
        world.finds_nothing();
        assert_eq!(world.took(), ["apply 192.0.0.2 mtu 1472/1480"]);
    }
    world.finds_nothing();
    assert_eq!(world.took(), <[String; 0]>::default(), "not at once any more");
    assert_eq!(world.verdict(), "limited CL-602");
    assert!(world.cause().contains("4 times"), "{}", world.cause());
    world.until(5_500);
    assert_eq!(world.took(), ["apply 192.0.0.2 mtu 1472/1480"]);
    world.finds_nothing();
    world.until(6_499);
    assert_eq!(world.took(), <[String; 0]>::default());
    world.until(6_500);
    assert_eq!(world.took(), ["apply 192.0.0.2 mtu 1472/1480"]);
    assert_eq!(world.verdict(), "limited CL-602");
    world.until(70_000);
    assert_eq!(world.verdict(), "working CL-004", "a minute of peace");
}

#[test]
fn a_person_who_asks_again_ends_the_quarrel() {
    let mut world = World::armed();
    for _ in 0..4 {
        world.finds_nothing();
    }
    world.tell(Event::Rearm);
    assert_eq!(world.verdict(), "working CL-004");
}

/// The kernel of a host that forwards answers for every X, of the second uplink, too.
#[test]
fn a_forwarding_host_is_silent_about_both() {
    let mut network = Network::two_uplinks();
    for link in [ETH, WLAN] {
        network.link(link).forwards_ipv6 = true;
    }
    let mut world = World::started(network);
    world.pref64(ETH, "64:ff9b::/96", 1800);
    world.pref64(WLAN, "64:ff9b::/96", 1800);
    let mut both = vec![world.x(), world.spare.as_ref().unwrap().plane.v6];
    both.sort_unstable();
    assert_eq!(world.intent.silent_v6, both);
}

#[test]
fn a_quarrel_hides_no_other_trouble() {
    let mut world = World::armed();
    for _ in 0..4 {
        world.finds_nothing();
    }
    assert_eq!(world.verdict(), "limited CL-602");
    world.network.forget_neighbours(ETH);
    world.look();
    world.report(PlaneEvent::Failed("gone".into()));
    assert_eq!(world.verdict(), "checking CL-202");
    assert_eq!(world.status().owner, model::Owner::None);
}

//! The end.

use engine::Event;
use model::PlaneEvent;

use crate::network::{ETH, Network};
use crate::world::{Answer, World};

#[test]
fn shutdown_puts_everything_back() {
    let mut world = World::armed();
    world.tell(Event::Shutdown);
    assert_eq!(world.took(), ["apply none", "stop"]);
    assert_eq!(world.verdict(), "paused CL-003");
    world.look();
    world.pref64(ETH, "2001:db8:64::/96", 1800);
    world.until(60_000);
    assert!(world.running.is_none(), "nothing is armed again");
}

#[test]
fn shutdown_while_arming_stops_what_has_begun() {
    let mut world = World::started(Network::ipv6_only());
    world.plane = Answer::Later;
    world.pref64(ETH, "64:ff9b::/96", 1800);
    world.took();
    let generation = world.running.as_ref().unwrap().generation;
    world.tell(Event::Shutdown);
    assert_eq!(world.took(), ["stop"], "nothing is on the host");
    let event = PlaneEvent::Started { tun: 9, name: "everclat0".into() };
    world.tell(Event::Plane { generation, event });
    assert_eq!(world.took(), <[String; 0]>::default());
}

#[test]
fn shutdown_of_an_idle_service_does_nothing() {
    let mut world = World::started(Network::default());
    world.took();
    world.tell(Event::Shutdown);
    assert_eq!(world.took(), <[String; 0]>::default());
}

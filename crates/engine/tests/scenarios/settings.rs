//! What an administrator sets.

use engine::Event;
use model::{Origin, Pref64Source, Settings};

use crate::network::{ETH, Network};
use crate::world::World;

fn with_prefix(prefix: &str, origin: Origin) -> Settings {
    let mut settings = Settings::default();
    settings.pref64_static.set(vec![prefix.parse().unwrap()], origin);
    settings
}

#[test]
fn switched_off_is_paused() {
    let mut settings = Settings::default();
    settings.enabled.set(false, Origin::Config);
    let mut world = World::started_with(Network::ipv6_only(), settings);
    world.pref64(ETH, "64:ff9b::/96", 1800);
    assert_eq!(world.verdict(), "paused CL-003");
    assert!(world.running.is_none());
    world.tell(Event::Settings(Box::default()));
    assert_eq!(world.verdict(), "working CL-004");
}

#[test]
fn switching_off_disarms() {
    let mut world = World::armed();
    let mut settings = Settings::default();
    settings.enabled.set(false, Origin::Policy);
    world.tell(Event::Settings(Box::new(settings)));
    assert_eq!(world.took(), ["apply none", "stop"]);
    assert_eq!(world.verdict(), "paused CL-003");
}

#[test]
fn a_prefix_by_hand_replaces_learnt_ones() {
    for (origin, source) in [(Origin::Config, Pref64Source::Config), (Origin::Policy, Pref64Source::Policy)] {
        let mut world = World::started_with(Network::ipv6_only(), with_prefix("2001:db8:64::/96", origin));
        world.pref64(ETH, "64:ff9b::/96", 1800);
        assert_eq!(world.verdict(), "working CL-004");
        let list = world.status().pref64;
        assert_eq!(list.len(), 1);
        assert_eq!((list[0].prefix.to_string().as_str(), list[0].source), ("2001:db8:64::/96", source));
        assert_eq!((list[0].expires_s, &list[0].uplink), (None, &None));
    }
}

#[test]
fn a_prefix_by_hand_is_looked_up_when_it_is_set() {
    let mut world = World::armed();
    world.tell(Event::Settings(Box::new(with_prefix("2001:db8:64::/96", Origin::Config))));
    assert_eq!(world.took()[0], "refresh");
    assert_eq!(world.running.as_ref().unwrap().pref64.to_string(), "2001:db8:64::/96");
    assert_eq!(world.verdict(), "working CL-004");
}

#[test]
fn another_ipv4_address_changes_plane_and_host() {
    let mut world = World::armed();
    let mut settings = Settings::default();
    settings.clat_ipv4.set("192.0.0.5".parse().unwrap(), Origin::Config);
    world.tell(Event::Settings(Box::new(settings)));
    let changed = ["plane eth0 64:ff9b::/96", "apply 192.0.0.5 mtu 1472/1480"];
    // An X that suits the other address is looked for, and who is bound to the former one hears of it.
    let besides = ["twin eth0 64:ff9b::/96", "end stranded flows"];
    assert_eq!(world.took(), [changed, besides].concat());
    assert_eq!(world.verdict(), "working CL-004");
}

#[test]
fn another_metric_changes_the_host_only() {
    let mut world = World::armed();
    let mut settings = Settings::default();
    settings.ipv4_route_metric.set(4096, Origin::Config);
    world.tell(Event::Settings(Box::new(settings)));
    assert_eq!(world.took(), ["apply 192.0.0.2 mtu 1472/1480"]);
    assert_eq!(world.intent.default_v4.as_ref().unwrap().metric, 4096);
}

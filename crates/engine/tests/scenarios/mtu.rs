//! MTUs, and hosts that forward.

use model::{Origin, Settings};

use crate::network::{ETH, Network};
use crate::world::World;

#[test]
fn the_mtu_follows_the_uplink() {
    let mut world = World::armed();
    for (uplink, expected) in [(1280, "1252/1260"), (1492, "1464/1472"), (9000, "8972/8980")] {
        world.network.link(ETH).mtu6 = uplink;
        world.look();
        assert_eq!(world.took(), ["plane eth0 64:ff9b::/96".into(), format!("apply 192.0.0.2 mtu {expected}")]);
        assert_eq!(world.verdict(), "working CL-004");
    }
    assert_eq!(world.status().clat.unwrap().mtu, 8972);
    assert_eq!(world.status().rearms.count, 0, "IPv4 was never lost");
}

#[test]
fn the_setting_lowers_the_route_but_not_the_device() {
    for (setting, expected) in [(1400, "1400/1480"), (1472, "1472/1480"), (9000, "1472/1480")] {
        let mut settings = Settings::default();
        settings.mtu.set(setting, Origin::Config);
        let mut world = World::started_with(Network::ipv6_only(), settings);
        world.pref64(ETH, "64:ff9b::/96", 1800);
        assert_eq!(world.took().last(), Some(&format!("apply 192.0.0.2 mtu {expected}")));
    }
}

#[test]
fn a_host_that_forwards_is_told_to_be_silent_about_x() {
    let mut network = Network::ipv6_only();
    network.link(ETH).forwards_ipv6 = true;
    let mut world = World::started(network);
    world.pref64(ETH, "64:ff9b::/96", 1800);
    assert_eq!(world.took().last().map(String::as_str), Some("apply 192.0.0.2 mtu 1472/1480 silent"));
    assert_eq!(world.intent.silent_v6, [world.x()]);

    world.duplicate();
    assert_eq!(world.took(), ["plane eth0 64:ff9b::/96", "apply 192.0.0.2 mtu 1472/1480 silent", "end stranded flows"]);
    assert_eq!(world.intent.silent_v6, [world.x()], "the new X");

    world.network.link(ETH).forwards_ipv6 = false;
    world.look();
    assert_eq!(world.took(), ["apply 192.0.0.2 mtu 1472/1480"]);
    assert!(world.intent.silent_v6.is_empty());
}

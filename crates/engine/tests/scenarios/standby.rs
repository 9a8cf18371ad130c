//! Standing back for somebody else's IPv4, and coming back.

use model::LinkKind;

use crate::network::{ETH, Network, VPN, WLAN};
use crate::world::World;

/// RFC 7335 section 4. An idle CLAT of others that holds no default route is no reason to stand back.
#[test]
fn an_address_that_another_program_holds_is_left_to_it() {
    let mut network = Network::ipv6_only();
    network.add_link(VPN, "clat4", LinkKind::PointToPoint);
    network.add_address(VPN, "192.0.0.2/32");
    let mut world = World::started(network);
    world.pref64(ETH, "64:ff9b::/96", 1800);
    assert_eq!(world.took().last().unwrap(), "apply 192.0.0.3 mtu 1472/1480");
    assert_eq!(world.status().clat.unwrap().v4.to_string(), "192.0.0.3");
}

#[test]
fn a_full_range_is_a_conflict() {
    let mut network = Network::ipv6_only();
    network.add_link(VPN, "clat4", LinkKind::PointToPoint);
    for host in 2..=7 {
        network.add_address(VPN, &format!("192.0.0.{host}/32"));
    }
    let mut world = World::started(network);
    world.pref64(ETH, "64:ff9b::/96", 1800);
    world.until(10_000);
    assert_eq!(world.verdict(), "down CL-605");
    assert!(world.running.is_none());
}

#[test]
fn native_ipv4_takes_over_at_once() {
    let mut world = World::armed();
    world.network.add_route("0.0.0.0/0", Some("192.168.1.1"), ETH, 100);
    world.look();
    let took = world.took();
    assert_eq!(
        took,
        ["end all flows", "apply none", "stop"],
        "the route goes first: no packet may meet a closed tunnel"
    );
    assert_eq!(world.verdict(), "standby_native CL-001");
    assert!(world.status().is_working() && world.status().causes.is_empty());

    world.until(60_000);
    world.network.remove_route("0.0.0.0/0");
    world.look();
    assert_eq!(world.took(), ["plane eth0 64:ff9b::/96", "apply 192.0.0.2 mtu 1472/1480"]);
    assert_eq!(world.verdict(), "working CL-004");
}

#[test]
fn native_ipv4_counts_whether_reachable_or_not_and_at_any_metric() {
    for (link, metric) in [(ETH, 0), (ETH, 4_000_000), (WLAN, 600)] {
        let mut network = Network::two_uplinks();
        network.link(WLAN).carrier = false;
        network.add_route("0.0.0.0/0", Some("192.168.1.1"), link, metric);
        let mut world = World::started(network);
        world.pref64(ETH, "64:ff9b::/96", 1800);
        assert_eq!(world.verdict(), "standby_native CL-001", "link {link} metric {metric}");
        assert!(world.running.is_none());
    }
}

#[test]
fn an_ipv4_default_over_an_ipv6_next_hop_counts() {
    let mut world = World::armed();
    world.network.add_route("0.0.0.0/0", Some("fe80::1"), ETH, 100);
    world.look();
    assert_eq!(world.verdict(), "standby_native CL-001");
}

#[test]
fn without_a_gateway_only_a_better_metric_counts() {
    let mut world = World::armed();
    world.network.add_link(VPN, "tun0", LinkKind::PointToPoint);
    world.network.add_route("0.0.0.0/0", None, VPN, 2048);
    world.look();
    assert_eq!(world.verdict(), "working CL-004");
    world.network.remove_route("0.0.0.0/0");
    world.network.add_route("0.0.0.0/0", None, VPN, 2047);
    world.look();
    assert_eq!(world.verdict(), "standby_native CL-001");
}

#[test]
fn our_own_default_and_narrower_routes_do_not_count() {
    let mut world = World::armed();
    world.network.add_route("0.0.0.0/0", Some("192.0.0.1"), 9, 2048);
    world.network.seen.routes.last_mut().unwrap().ours = true;
    world.network.add_route("10.0.0.0/8", Some("192.168.1.1"), ETH, 100);
    world.look();
    assert_eq!(world.verdict(), "working CL-004");
}

#[test]
fn the_systems_own_clat_takes_over() {
    let mut world = World::armed();
    world.network.add_link(VPN, "clat4", LinkKind::PointToPoint);
    world.network.add_address(VPN, "192.0.0.4/32");
    world.look();
    assert_eq!(world.verdict(), "working CL-004", "an address without a route translates nothing");
    world.network.add_route("0.0.0.0/0", None, VPN, 100);
    world.look();
    assert_eq!(world.verdict(), "standby_os CL-002");
    assert_eq!(world.took(), ["end all flows", "apply none", "stop"]);
    assert_eq!(world.cause_free_owner(), "other");
    world.network.remove_route("0.0.0.0/0");
    world.look();
    assert_eq!(world.verdict(), "working CL-004");
}

#[test]
fn on_a_dual_stack_network_nothing_is_ever_armed() {
    let mut network = Network::ipv6_only();
    network.add_route("0.0.0.0/0", Some("192.168.1.1"), ETH, 100);
    let mut world = World::started(network);
    world.pref64(ETH, "64:ff9b::/96", 1800);
    world.until(60_000);
    assert_eq!(world.took(), ["solicit 2", "refresh"]);
    assert_eq!(world.status().rearms.count, 0);
}

#[test]
fn a_vpn_that_owns_the_route_to_the_prefix_disarms() {
    let mut world = World::armed();
    world.network.add_link(VPN, "wg0", LinkKind::PointToPoint);
    world.network.captured_by = Some(VPN);
    world.look();
    assert_eq!(world.took(), ["apply none", "stop"]);
    assert_eq!(world.verdict(), "down CL-604");
    assert_eq!(world.cause(), "packets to 64:ff9b::/96 leave through wg0");
    world.network.captured_by = None;
    world.look();
    assert_eq!(world.verdict(), "working CL-004");
    assert_eq!(world.status().rearms.last_reason.as_deref(), Some("vpn"));
}

/// It takes IPv4 by rules, as wg-quick does: its own packets still come by our route, and may be all it has.
#[test]
fn a_vpn_with_all_of_ipv4_keeps_what_it_lives_on() {
    let mut world = World::armed();
    world.network.add_link(VPN, "wg0", LinkKind::PointToPoint);
    world.network.captured_by = Some(VPN);
    world.network.seen.ipv4_through = Some(VPN);
    world.look();
    assert_eq!(world.verdict(), "standby_native CL-001");
    assert_eq!(world.took(), <[String; 0]>::default());
    assert!(world.intent.default_v4.as_ref().unwrap().leads && world.running.is_some());
    // It keeps IPv6 and lets IPv4 go: now our packets would pass it by.
    world.network.seen.ipv4_through = None;
    world.look();
    assert_eq!(world.verdict(), "down CL-604");
    world.network.captured_by = None;
    world.look();
    assert_eq!(world.verdict(), "working CL-004");
}

/// A VPN with the default route of the main table has its server pinned to the route that was there: ours.
#[test]
fn a_vpn_with_the_default_route_takes_ours_and_leaves_the_tunnel() {
    let mut world = World::armed();
    world.network.add_link(VPN, "tun0", LinkKind::PointToPoint);
    world.network.add_route("0.0.0.0/0", None, VPN, 50);
    world.look();
    assert_eq!(world.verdict(), "standby_native CL-001");
    assert_eq!(world.took(), ["apply 192.0.0.2 mtu 1472/1480 address only"]);
    assert!(world.running.is_some() && world.status().clat.is_none());
    world.until(20_000);
    world.network.remove_route("0.0.0.0/0");
    world.look();
    assert_eq!(world.verdict(), "working CL-004");
    let rearms = world.status().rearms;
    assert_eq!((rearms.count, rearms.last_ms, rearms.last_reason.as_deref()), (1, Some(0), Some("native-ipv4")));
}

#[test]
fn a_vpn_with_ipv4_where_nothing_could_be_armed_is_native_ipv4() {
    let mut world = World::started(Network::ipv6_only());
    world.network.add_link(VPN, "wg0", LinkKind::PointToPoint);
    world.network.seen.ipv4_through = Some(VPN);
    world.look();
    world.until(60_000);
    assert_eq!(world.verdict(), "standby_native CL-001");
    assert!(world.running.is_none());
}

/// clatd and systemd-networkd: a tunnel of their own, no gateway, and the very metric that is ours.
#[test]
fn another_clat_counts_whatever_its_metric() {
    let mut world = World::armed();
    world.network.add_link(VPN, "clat", LinkKind::PointToPoint);
    world.network.add_address(VPN, "192.0.0.1/32");
    world.network.add_route("0.0.0.0/0", None, VPN, 2048);
    world.look();
    assert_eq!(world.verdict(), "standby_os CL-002");
    world.network.remove_route("0.0.0.0/0");
    world.look();
    assert_eq!(world.verdict(), "working CL-004");
    let route = world.intent.default_v4.clone().unwrap();
    assert_eq!((route.address.to_string(), route.gateway.to_string()), ("192.0.0.2".into(), "192.0.0.7".into()));
    assert_eq!(world.running.unwrap().gateway_v4, route.gateway, "our errors come from there, too");
}

impl World {
    fn cause_free_owner(&self) -> String {
        let status = self.status();
        assert!(status.causes.is_empty());
        serde_json::to_value(status.owner).unwrap().as_str().unwrap().to_owned()
    }
}

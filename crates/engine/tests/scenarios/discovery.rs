//! Prefixes and resolvers that routers announce.

use std::net::Ipv6Addr;

use crate::network::{ETH, Network, WLAN};
use crate::world::{World, pref64_option, rdnss_option};

fn prefixes(world: &World) -> Vec<String> {
    world.status().pref64.iter().map(|known| known.prefix.to_string()).collect()
}

#[test]
fn a_newer_prefix_replaces_the_older_one_and_x_stays() {
    let mut world = World::armed();
    let (x, before) = (world.x(), world.running.as_ref().unwrap().generation);
    world.pref64(ETH, "2001:db8:64::/96", 1800);
    let next = "twin eth0 2001:db8:64::/96";
    assert_eq!(world.took(), ["refresh", "plane eth0 2001:db8:64::/96", next], "nothing about the host changes");
    assert_eq!(world.x(), x);
    assert!(world.running.as_ref().unwrap().generation > before);
    assert_eq!(prefixes(&world), ["2001:db8:64::/96", "64:ff9b::/96"]);
    assert_eq!(world.verdict(), "working CL-004", "the new one has not shown a reply");
}

#[test]
fn a_refresh_changes_nothing() {
    let mut world = World::armed();
    world.pref64(ETH, "64:ff9b::/96", 1800);
    assert_eq!(world.took(), <[String; 0]>::default());
    world.reply();
    world.pref64(ETH, "64:ff9b::/96", 1800);
    assert_eq!(world.verdict(), "working CL-000");
}

/// The withdrawal is the first option, the successor the second: the tunnel stays, and so does IPv4.
#[test]
fn a_prefix_that_is_replaced_in_one_advertisement_interrupts_nothing() {
    let mut world = World::armed();
    world.option(ETH, &pref64_option("64:ff9b::/96", 0));
    world.option(ETH, &pref64_option("2001:db8:64::/96", 1800));
    assert_eq!(world.took(), ["refresh", "plane eth0 2001:db8:64::/96", "twin eth0 2001:db8:64::/96"]);
    world.until(6_000);
    assert_eq!(world.took(), ["refresh"]);
    assert_eq!(world.status().pref64.len(), 1);
}

#[test]
fn a_withdrawn_prefix_disarms() {
    let mut world = World::armed();
    world.pref64(ETH, "64:ff9b::/96", 0);
    assert_eq!(world.took(), ["refresh", "apply none", "stop"]);
    assert_eq!(world.verdict(), "down CL-301");
    let status = world.status();
    assert!(status.plane.is_none() && status.uplink.is_none() && status.clat.is_none() && status.pref64.is_empty());
}

#[test]
fn an_expired_prefix_disarms_and_says_so() {
    let mut world = World::started(Network::ipv6_only());
    world.pref64(ETH, "64:ff9b::/96", 80);
    world.until(79_999);
    assert_eq!(world.verdict(), "working CL-004");
    world.took();
    world.until(80_000);
    assert_eq!(world.verdict(), "down CL-303");
    assert_eq!(world.took(), ["refresh", "apply none", "stop"]);
    world.pref64(ETH, "64:ff9b::/96", 80);
    assert_eq!(world.verdict(), "working CL-004");
}

#[test]
fn the_second_prefix_takes_over_when_the_first_one_ends() {
    let mut world = World::armed();
    world.pref64(ETH, "2001:db8:64::/96", 1800);
    world.took();
    world.pref64(ETH, "2001:db8:64::/96", 0);
    assert_eq!(world.took(), ["refresh", "plane eth0 64:ff9b::/96", "no twin"]);
}

#[test]
fn what_is_withdrawn_before_anybody_acts_is_not_left_running() {
    let mut world = World::armed();
    // The three options are in the queue together: the machine hears all before anything is done.
    for (prefix, lifetime) in [("64:ff9b::/96", 0), ("64:ff9b::/96", 1800), ("64:ff9b::/96", 0)] {
        let router = Some(crate::network::ROUTER.parse().unwrap());
        let bytes = pref64_option(prefix, lifetime);
        world.engine.handle(engine::Event::RouterOption { link: ETH, router, bytes }, world.now);
    }
    world.act();
    world.until(5_010);
    assert!(world.running.is_none());
    assert!(world.intent.default_v4.is_none());
}

#[test]
fn a_prefix_that_is_not_looked_up_yet_is_no_fault_of_the_network() {
    let mut world = World::started(Network::ipv6_only());
    world.until(10_000);
    assert_eq!(world.verdict(), "down CL-301");
    let router = Some(crate::network::ROUTER.parse().unwrap());
    let bytes = pref64_option("64:ff9b::/96", 1800);
    world.engine.handle(engine::Event::RouterOption { link: ETH, router, bytes }, world.now);
    assert_eq!(world.status().state, model::State::Checking);
    world.act();
    assert_eq!(world.verdict(), "working CL-004");
}

#[test]
fn prefixes_are_listed_in_order_of_use() {
    let mut world = World::started(Network::two_uplinks());
    world.pref64(WLAN, "2001:db8:640::/96", 1800);
    world.pref64(ETH, "64:ff9b::/96", 1800);
    assert_eq!(prefixes(&world), ["64:ff9b::/96", "2001:db8:640::/96"]);
}

#[test]
fn malformed_options_are_counted_and_cost_nothing() {
    let mut world = World::armed();
    let mut reserved = pref64_option("64:ff9b::/96", 1800);
    reserved[3] |= 7;
    let mut long = pref64_option("64:ff9b::/96", 1800);
    long[1] = 3;
    long.extend([0; 8]);
    let cut = &pref64_option("64:ff9b::/96", 1800)[..15];
    let mut even = rdnss_option("2001:db8::53", 600);
    even[1] = 2;
    // fe80::/96: no NAT64 can be there.
    let mut link_local = pref64_option("64:ff9b::/96", 1800);
    link_local[4..8].copy_from_slice(&[0xfe, 0x80, 0, 0]);
    let bad: [&[u8]; 8] = [&[], &[38], &[38, 0], &reserved, &long, cut, &even, &link_local];
    for option in bad {
        world.option(ETH, option);
    }
    assert_eq!(world.status().ignored.router_options, 8);
    assert_eq!(world.took(), ["ignored 2"; 8]);
    assert_eq!(prefixes(&world), ["64:ff9b::/96"]);
    world.option(ETH, &[3, 1, 0, 0, 0, 0, 0, 0]);
    assert_eq!(world.status().ignored.router_options, 8, "an option of no interest is none");
    assert_eq!(world.verdict(), "working CL-004");
}

#[test]
fn resolvers_are_listed_until_they_are_withdrawn_or_end() {
    let resolvers = |world: &World| -> Vec<Ipv6Addr> { world.status().interfaces[0].resolvers.clone() };
    let mut world = World::armed();
    world.option(ETH, &rdnss_option("2001:db8::53", u32::MAX));
    world.option(ETH, &rdnss_option("2001:db8::54", 60));
    assert_eq!(resolvers(&world).len(), 2);
    world.until(65_000);
    assert_eq!(resolvers(&world), ["2001:db8::53".parse::<Ipv6Addr>().unwrap()]);
    world.option(ETH, &rdnss_option("2001:db8::53", 0));
    assert_eq!(resolvers(&world), <[Ipv6Addr; 0]>::default());
    assert_eq!(world.verdict(), "working CL-004");
}

#[test]
fn every_change_of_the_list_is_news_for_watchers() {
    let mut world = World::armed();
    world.act();
    let router = Some(crate::network::ROUTER.parse().unwrap());
    for (option, news) in [
        (pref64_option("64:ff9b::/96", 1800), false),
        (pref64_option("64:ff9b:1::/48", 1800), true),
        (rdnss_option("2001:db8::53", 600), true),
        (rdnss_option("2001:db8::53", 600), false),
    ] {
        world.until(world.now.since_start().as_millis().try_into().map(|ms: u64| ms + 5_000).unwrap());
        world.engine.handle(engine::Event::RouterOption { link: ETH, router, bytes: option.clone() }, world.now);
        let mut told = false;
        while let Some(action) = world.engine.poll_action() {
            told |= action == engine::Action::StatusChanged;
        }
        assert_eq!(told, news, "{option:?}");
    }
}

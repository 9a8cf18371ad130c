//! The network changes while the carrier stays: other routers, other prefixes, our own other address.

use std::net::Ipv4Addr;

use model::{MacAddress, PlaneEvent};

use crate::network::{ETH, Network, ROUTER};
use crate::world::{World, pref64_option, rdnss_option};

const P1: &str = "64:ff9b::/96";
const P2: &str = "2001:db8:64::/96";
const OTHER: &str = "fe80::2";
const SERVER: Ipv4Addr = Ipv4Addr::new(198, 51, 100, 7);

fn ms(world: &World) -> u64 {
    world.now.since_start().as_millis().try_into().unwrap()
}

fn pass(world: &mut World, length: u64) {
    world.until(ms(world) + length);
}

fn used(world: &World) -> (String, String) {
    let plane = world.running.as_ref().expect("armed");
    (plane.pref64.to_string(), plane.uplink.gateway.to_string())
}

/// Two routers on the link, each with a NAT64 of its own; the kernel takes the first.
fn two_routers() -> World {
    let mut network = Network::ipv6_only();
    network.add_route("::/0", Some(OTHER), ETH, 100);
    network.resolve_as(ETH, OTHER, 22);
    let mut world = World::started(network);
    world.option_from(ETH, ROUTER, &pref64_option(P1, 1800));
    pass(&mut world, 5_000);
    world.option_from(ETH, OTHER, &pref64_option(P2, 1800));
    world.claimed();
    assert_eq!(used(&world), (P1.into(), ROUTER.into()));
    world.reply();
    world.took();
    world
}

/// An app sends and hears nothing for so long; nobody answers.
fn mute(world: &mut World, length: u64) {
    let end = ms(world) + length;
    world.report(PlaneEvent::Traffic);
    while ms(world) < end {
        world.app_talks(&[SERVER], false);
        pass(world, 50);
    }
}

#[test]
fn two_routers_that_take_turns_move_nothing() {
    let mut world = two_routers();
    for _ in 0..5 {
        pass(&mut world, 200_000);
        world.option_from(ETH, OTHER, &pref64_option(P2, 1800));
        pass(&mut world, 200_000);
        world.option_from(ETH, ROUTER, &pref64_option(P1, 1800));
    }
    let log = world.took();
    assert!(!log.iter().any(|action| action.starts_with("plane")), "{log:?}");
    assert_eq!(world.verdict(), "working CL-000");
}

#[test]
fn a_routers_prefix_leads_by_that_router() {
    let mut network = Network::ipv6_only();
    network.add_route("::/0", Some(OTHER), ETH, 100);
    network.resolve_as(ETH, OTHER, 22);
    let mut world = World::started(network);
    world.option_from(ETH, OTHER, &pref64_option(P2, 1800));
    assert_eq!(used(&world), (P2.into(), OTHER.into()), "the kernel would take the other one");
    assert_eq!(world.running.as_ref().unwrap().uplink.gateway_mac, MacAddress([2, 0, 0, 0, 1, 22]));
}

#[test]
fn a_dead_routers_prefix_does_not_outlive_it_where_another_has_one() {
    let mut world = two_routers();
    pass(&mut world, 5_000);
    mute(&mut world, 1_200);
    assert_eq!(used(&world), (P2.into(), OTHER.into()));
    assert_eq!(world.verdict(), "working CL-004");
    world.reply();
    // It is back: that is no reason to cut what lives by the other one.
    world.option_from(ETH, ROUTER, &pref64_option(P1, 1800));
    pass(&mut world, 10_000);
    assert_eq!(used(&world), (P2.into(), OTHER.into()));
}

#[test]
fn a_router_that_the_kernel_has_given_up_takes_its_prefix_along() {
    let mut world = two_routers();
    let gone: std::net::IpAddr = ROUTER.parse().unwrap();
    world.network.seen.routes.retain(|route| route.gateway != Some(gone));
    world.look();
    assert_eq!(used(&world), (P2.into(), OTHER.into()));
    assert_eq!(world.status().pref64.len(), 2, "its word lasts; the best of it is not used");
}

#[test]
fn a_dead_routers_prefix_is_tried_by_the_other_router_when_there_is_no_other() {
    let mut network = Network::ipv6_only();
    network.add_route("::/0", Some(OTHER), ETH, 100);
    network.resolve_as(ETH, OTHER, 22);
    let mut world = World::started(network);
    world.option_from(ETH, ROUTER, &pref64_option(P1, 1800));
    pass(&mut world, 5_000);
    world.claimed();
    world.reply();
    mute(&mut world, 1_200);
    assert_eq!(used(&world), (P1.into(), OTHER.into()));
}

/// Same address, other machine, and it does not translate.
#[test]
fn a_new_router_behind_the_same_address_has_to_confirm_what_the_old_one_said() {
    let mut world = World::armed();
    world.network.resolve_as(ETH, ROUTER, 99);
    world.look();
    let did = world.took();
    assert!(did.contains(&"solicit 2".into()), "{did:?}");
    assert_eq!(world.status().uplink.unwrap().gateway.to_string(), ROUTER);
    assert_eq!(world.running.as_ref().unwrap().uplink.gateway_mac, MacAddress([2, 0, 0, 0, 1, 99]));
    assert_eq!(world.running.as_ref().unwrap().round, 1, "X is claimed on a network that may be another one");
    world.option(ETH, &rdnss_option("2001:db8::53", 600));
    pass(&mut world, 200);
    assert!(world.status().pref64.is_empty());
    assert_eq!(world.verdict(), "checking CL-301");
}

#[test]
fn a_new_router_that_says_the_same_interrupts_nothing() {
    let mut world = World::armed();
    world.network.resolve_as(ETH, ROUTER, 99);
    world.look();
    world.option(ETH, &pref64_option(P1, 1800));
    world.claimed();
    pass(&mut world, 60_000);
    let log = world.took();
    assert!(!log.contains(&"apply none".into()) && !log.contains(&"stop".into()), "{log:?}");
    assert_eq!(world.verdict(), "working CL-004");
}

#[test]
fn a_router_with_another_address_makes_the_old_ones_word_end() {
    let mut world = World::armed();
    world.network.seen.routes.clear();
    world.network.add_route("::/0", Some(OTHER), ETH, 100);
    world.network.resolve_as(ETH, OTHER, 22);
    world.look();
    assert_eq!(used(&world), (P1.into(), OTHER.into()), "it may be the same network");
    pass(&mut world, 4_000);
    assert!(world.status().pref64.is_empty());
}

/// The access point has changed, or the cable: down and up again between two looks.
#[test]
fn a_blink_that_nobody_saw_has_everything_asked_again() {
    let mut world = World::armed();
    world.network.seen.blinks.insert(ETH, 1);
    world.look();
    world.took();
    world.network.seen.blinks.insert(ETH, 2);
    world.look();
    let did = world.took();
    assert!(did.contains(&"solicit 2".into()) && did.contains(&"plane eth0 64:ff9b::/96".into()), "{did:?}");
    assert_eq!(world.running.as_ref().unwrap().round, 1);
}

#[test]
fn our_own_new_address_takes_x_along() {
    let mut world = World::armed();
    let x = world.x();
    world.network.link(ETH).mac = Some(MacAddress([6, 0, 0, 0, 0, 1]));
    world.network.forget_neighbours(ETH);
    world.look();
    let plane = world.running.clone().unwrap();
    assert_eq!((plane.v6, plane.owned), (x, true), "ours until a moment ago: announced at once");
    assert_eq!(plane.uplink.mac, MacAddress([6, 0, 0, 0, 0, 1]));
    let did = world.took();
    assert!(did.contains(&"solicit 2".into()) && !did.contains(&"apply none".into()), "{did:?}");
    assert_eq!(world.verdict(), "working CL-004");
}

#[test]
fn routers_are_asked_before_their_word_ends() {
    let mut world = World::armed();
    world.until(1_199_999);
    assert!(!world.took().contains(&"solicit 2".into()));
    world.until(1_200_000);
    assert_eq!(world.took(), ["solicit 2"]);
    world.pref64(ETH, P1, 1800);
    world.until(2_399_999);
    assert_eq!(world.took(), <[String; 0]>::default(), "an answer gives it its whole life again");
    world.until(3_000_000);
    assert_eq!(world.verdict(), "down CL-303");
    let asked = world.took().iter().filter(|action| *action == "solicit 2").count();
    assert!((6..=14).contains(&asked), "{asked}");
    pass(&mut world, 4_000_000);
    assert_eq!(world.took(), <[String; 0]>::default(), "nobody is asked for ever");
}

/// RFC 6724 rule 3 for what begins; RFC 4862 section 5.5.4 for what lives in the old one.
#[test]
fn x_moves_to_the_preferred_prefix_and_flows_stay_in_the_old_one_until_it_is_gone() {
    let mut world = World::armed();
    let x = world.x();
    world.network.add_address(ETH, "2001:db8:9::5/64");
    world.network.deprecate(ETH, "2001:db8:1::5/64");
    world.look();
    assert_eq!(world.x(), x, "until the next one is claimed");
    let next = world.twin.as_ref().unwrap().plane.v6;
    assert!(next.to_string().starts_with("2001:db8:9:"), "{next}");
    world.report_twin(PlaneEvent::Claimed(next));
    assert_eq!(world.x(), next);
    let kept = world.twin.clone().unwrap();
    assert_eq!((kept.plane.v6, kept.lingers), (x, true));
    pass(&mut world, 60_000);
    assert_eq!(world.twin, Some(kept), "hours, if flows last so long");
    assert_eq!(world.status().rearms.count, 0, "nobody has missed anything");
    world.network.remove_address(ETH, "2001:db8:1::5/64");
    world.look();
    assert_eq!((world.x(), world.twin.is_none()), (next, true));
}

/// What came into doubt was the old /64: the X of the new one need not be claimed twice.
#[test]
fn a_doubt_before_does_not_follow_x_into_another_prefix() {
    let mut world = World::armed();
    world.tell(engine::Event::Woke);
    world.claimed();
    world.network.add_address(ETH, "2001:db8:9::5/64");
    world.network.deprecate(ETH, "2001:db8:1::5/64");
    world.look();
    let twin = world.twin.clone().unwrap();
    world.report_twin(PlaneEvent::Claimed(twin.plane.v6));
    let plane = world.running.clone().unwrap();
    assert_eq!((plane.v6, plane.round, plane.owned), (twin.plane.v6, twin.plane.round, true));
    let kept = world.twin.clone().unwrap();
    assert_eq!((kept.plane.round, kept.plane.owned), (1, true), "nor does the former one lose its claim");
}

#[test]
fn somebody_takes_the_x_that_was_left() {
    let mut world = World::armed();
    world.network.add_address(ETH, "2001:db8:9::5/64");
    world.network.deprecate(ETH, "2001:db8:1::5/64");
    world.look();
    let (former, next) = (world.x(), world.twin.as_ref().unwrap().plane.v6);
    world.report_twin(PlaneEvent::Claimed(next));
    world.report_twin(PlaneEvent::Duplicate(former));
    assert_eq!((world.x(), world.twin.is_none()), (next, true));
}

#[test]
fn somebody_has_the_x_that_was_to_follow() {
    let mut world = World::armed();
    let x = world.x();
    world.network.add_address(ETH, "2001:db8:9::5/64");
    world.network.deprecate(ETH, "2001:db8:1::5/64");
    world.look();
    let mut tried = Vec::new();
    for _ in 0..3 {
        let next = world.twin.as_ref().unwrap().plane.v6;
        assert!(!tried.contains(&next));
        tried.push(next);
        world.report_twin(PlaneEvent::Duplicate(next));
    }
    assert!(world.twin.is_none());
    assert_eq!((world.x(), world.verdict()), (x, "working CL-004".into()));
}

#[test]
fn x_begins_in_the_preferred_prefix() {
    let mut network = Network::ipv6_only();
    network.add_address(ETH, "2001:db8:9::5/64");
    network.deprecate(ETH, "2001:db8:1::5/64");
    let mut world = World::started(network);
    world.pref64(ETH, P1, 1800);
    assert!(world.x().to_string().starts_with("2001:db8:9:"), "{}", world.x());
}

#[test]
fn a_prefix_that_is_taken_away_at_once_is_left_at_once() {
    let mut world = World::armed();
    world.network.add_address(ETH, "2001:db8:9::5/64");
    world.network.remove_address(ETH, "2001:db8:1::5/64");
    world.look();
    assert!(world.x().to_string().starts_with("2001:db8:9:"), "{}", world.x());
    assert_eq!(world.status().rearms.last_reason.as_deref(), Some("address-changed"));
}

/// A router came back with another prefix and says nothing of the one before (RFC 8978): hosts keep both for days.
#[test]
fn a_prefix_that_routers_no_longer_speak_of_is_left() {
    let mut world = World::armed();
    world.network.refresh(ETH, "2001:db8:1::/64", 1_000);
    world.look();
    pass(&mut world, 5_000);
    world.network.add_address(ETH, "2001:db8:9::5/64");
    world.network.refresh(ETH, "2001:db8:9::/64", 1_005);
    world.look();
    assert!(world.took().contains(&"solicit 2".into()));
    pass(&mut world, 1_500);
    assert!(world.took().contains(&"solicit 2".into()), "once more: frames get lost");
    assert!(world.x().to_string().starts_with("2001:db8:1:"), "{}", world.x());
    pass(&mut world, 100);
    assert!(world.x().to_string().starts_with("2001:db8:9:"), "{}", world.x());
}

#[test]
fn a_prefix_that_routers_still_speak_of_is_kept() {
    let mut world = World::armed();
    let x = world.x();
    world.network.refresh(ETH, "2001:db8:1::/64", 1_000);
    world.look();
    for at in [1_005, 1_200, 1_400] {
        world.network.add_address(ETH, "2001:db8:9::5/64");
        world.network.refresh(ETH, "2001:db8:9::/64", at);
        world.look();
        world.network.refresh(ETH, "2001:db8:1::/64", at);
        world.look();
        pass(&mut world, 100_000);
    }
    assert_eq!(world.x(), x);
}

/// Another network under the same name: the kernel keeps the former one's addresses as if nothing had happened.
#[test]
fn behind_another_router_the_former_networks_prefix_is_left_at_once() {
    let mut world = World::armed();
    world.network.refresh(ETH, "2001:db8:1::/64", 1_000);
    world.look();
    world.network.resolve_as(ETH, ROUTER, 99);
    world.look();
    world.network.add_address(ETH, "2001:db8:9::5/64");
    world.network.refresh(ETH, "2001:db8:9::/64", 1_002);
    world.option(ETH, &pref64_option(P2, 1800));
    world.look();
    assert!(world.x().to_string().starts_with("2001:db8:9:"), "{}", world.x());
    pass(&mut world, 300);
    assert_eq!(world.status().pref64.iter().map(|known| known.prefix.to_string()).collect::<Vec<_>>(), [P2]);
}

//! Time passes without us, and the network may be another one afterwards.

use std::time::Duration;

use engine::Event;
use model::{Dad, DnsAnswer, MacAddress, Origin, PlaneEvent, ProbeTarget, Settings};

use crate::network::{ETH, Network, WLAN};
use crate::world::{Answer, World, pref64_option, rdnss_option};

const HOURS: Duration = Duration::from_secs(8 * 3600);
const P1: &str = "64:ff9b::/96";
const P2: &str = "2001:db8:64::/96";

/// Armed, with a reply seen, and with a lifetime that outlasts the night.
fn asleep() -> World {
    let mut world = World::armed();
    world.pref64(ETH, P1, 65_528);
    world.option(ETH, &rdnss_option("2001:db8::53", 65_528));
    world.reply();
    world.until(6_000);
    assert_eq!(world.verdict(), "working CL-000");
    world.took();
    world
}

fn ms(world: &World) -> u64 {
    world.now.since_start().as_millis().try_into().unwrap()
}

fn wakes(world: &mut World) -> Vec<String> {
    world.sleep(HOURS);
    world.tell(Event::Woke);
    world.took()
}

#[test]
fn everything_is_asked_again_and_ipv4_goes_on() {
    let mut world = asleep();
    let (x, round) = (world.x(), world.running.as_ref().unwrap().round);
    let did = wakes(&mut world);
    for wanted in ["solicit 2", "resolve fe80::1 on 2", "refresh", "plane eth0 64:ff9b::/96"] {
        assert!(did.contains(&wanted.to_owned()), "{wanted}: {did:?}");
    }
    assert!(!did.contains(&"apply none".to_owned()), "{did:?}");
    let plane = world.running.clone().unwrap();
    assert_eq!((plane.v6, plane.round, plane.owned), (x, round + 1, false), "the same X, claimed again");
    assert_eq!(world.verdict(), "working CL-004", "what came back yesterday proves nothing");
    world.claimed();
    assert_eq!(world.took().first().map(String::as_str), Some("ask gateway"), "as soon as X may ask");
    world.option(ETH, &pref64_option(P1, 65_528));
    world.until(ms(&world) + 60_000);
    assert_eq!(world.status().pref64.len(), 1);
}

#[test]
fn the_spare_is_claimed_again_too() {
    let mut world = World::started(Network::two_uplinks());
    world.pref64(ETH, P1, 65_528);
    world.pref64(WLAN, P1, 65_528);
    world.until(5_000);
    world.claimed();
    world.report_spare(PlaneEvent::Claimed(world.spare.as_ref().unwrap().plane.v6));
    world.took();
    let did = wakes(&mut world);
    assert!(did.contains(&"solicit 2".into()) && did.contains(&"solicit 3".into()), "{did:?}");
    let spare = world.spare.as_ref().unwrap();
    assert_eq!((spare.plane.round, spare.plane.owned), (1, false));
    assert!(!world.status().spare.unwrap().ready);
}

/// Nobody has told of the sleep; timers that are hours late do.
#[test]
fn late_timers_tell_of_it() {
    let mut world = asleep();
    world.option(ETH, &pref64_option(P2, 65_528));
    world.until(8_000);
    // Something is due within seconds.
    world.report(PlaneEvent::Traffic);
    world.took();
    world.sleep(HOURS);
    world.look();
    let did = world.took();
    assert!(did.contains(&"solicit 2".into()), "{did:?}");
    world.tell(Event::Woke);
    assert!(!world.took().iter().any(|action| action.starts_with("plane")), "one sleep, one claim");
}

#[test]
fn what_ran_out_meanwhile_is_gone_at_once() {
    let mut world = World::armed();
    let did = wakes(&mut world);
    assert!(did.contains(&"apply none".into()) && did.contains(&"stop".into()), "{did:?}");
    assert!(did.contains(&"solicit 2".into()), "{did:?}");
    assert_eq!(world.verdict(), "checking CL-301", "the answer may be under way");
    world.until(ms(&world) + 700);
    assert_eq!(world.verdict(), "checking CL-303");
    world.until(ms(&world) + 3_301);
    assert_eq!(world.verdict(), "down CL-303");
    world.pref64(ETH, P1, 1800);
    assert_eq!(world.verdict(), "working CL-004");
}

#[test]
fn a_router_that_no_longer_mentions_its_prefix_is_believed() {
    let mut world = asleep();
    wakes(&mut world);
    world.option(ETH, &rdnss_option("2001:db8::53", 65_528));
    assert_eq!(world.verdict(), "working CL-004", "the rest may follow");
    world.until(ms(&world) + 200);
    assert_eq!(world.took().iter().filter(|action| *action == "stop").count(), 1);
    assert!(world.status().pref64.is_empty());
}

#[test]
fn another_prefix_replaces_the_one_from_before() {
    let mut world = asleep();
    wakes(&mut world);
    world.option(ETH, &pref64_option(P2, 1800));
    assert_eq!(world.status().pref64[0].prefix.to_string(), P2);
    world.until(ms(&world) + 200);
    assert_eq!(world.status().pref64.len(), 1);
    assert_eq!(world.verdict(), "working CL-004");
}

/// RFC 4861 lets routers be slow, and radio loses frames: nobody has said anything else.
#[test]
fn as_long_as_nobody_contradicts_what_was_said_holds() {
    let mut world = asleep();
    let mut asked = wakes(&mut world);
    world.until(ms(&world) + 30_000);
    asked.extend(world.took());
    assert_eq!(asked.iter().filter(|action| *action == "solicit 2").count(), 4);
    assert_eq!(world.verdict(), "working CL-004");
}

/// The same address, and another machine behind it: a network elsewhere.
#[test]
fn another_router_behind_the_address_that_all_routers_have() {
    let mut world = asleep();
    wakes(&mut world);
    world.until(ms(&world) + 50);
    world.network.resolve_as(ETH, "fe80::1", 99);
    world.look();
    assert_eq!(world.running.as_ref().unwrap().uplink.gateway_mac, MacAddress([2, 0, 0, 0, 1, 99]));
    world.until(ms(&world) + 3_900);
    assert_eq!(world.status().pref64.len(), 1);
    world.until(ms(&world) + 100);
    assert!(world.status().pref64.is_empty(), "it has not said so in four seconds");
    assert!(world.running.is_none());
}

#[test]
fn somebody_has_taken_x_meanwhile() {
    let mut world = asleep();
    let x = world.x();
    wakes(&mut world);
    world.duplicate();
    assert_ne!(world.x(), x);
    assert_eq!(world.verdict(), "working CL-004");
}

#[test]
fn strict_waits_for_its_claim_again() {
    let mut settings = Settings::default();
    settings.dad.set(Dad::Strict, Origin::Config);
    let mut world = World::started_with(Network::ipv6_only(), settings);
    world.pref64(ETH, P1, 65_528);
    world.claimed();
    world.until(6_000);
    let did = wakes(&mut world);
    assert!(did.contains(&"apply none".into()), "{did:?}");
    assert_eq!(world.verdict(), "checking CL-004");
    world.claimed();
    assert_eq!(world.verdict(), "working CL-004");
}

#[test]
fn a_second_x_is_not_taken_on_the_word_of_a_former_round() {
    let mut world = asleep();
    world.network.add_address(ETH, "2001:db8:9::5/64");
    world.network.deprecate(ETH, "2001:db8:1::5/64");
    world.look();
    let (x, next) = (world.x(), world.twin.as_ref().unwrap().plane.v6);
    world.plane = Answer::Later;
    wakes(&mut world);
    world.report_twin(PlaneEvent::Claimed(next));
    assert_eq!((world.x(), world.running.as_ref().unwrap().owned), (x, false));
    world.plane = Answer::Done;
    world.plane_starts();
    assert!(world.twin.is_none(), "one after the other");
    world.claimed();
    let twin = world.twin.clone().unwrap().plane;
    assert_eq!((twin.v6, twin.round, twin.owned), (next, 1, false), "asked for again");
    world.report_twin(PlaneEvent::Claimed(next));
    assert_eq!(world.x(), next);
}

#[test]
fn resolvers_are_asked_again() {
    let mut world = World::started(Network::ipv6_only());
    world.option(ETH, &rdnss_option("2001:db8::53", u32::MAX));
    world.until(50);
    let answer =
        DnsAnswer::Addresses { addresses: vec!["64:ff9b::c000:aa".parse().unwrap()], ttl: Duration::from_secs(86_400) };
    world.tell(Event::DnsAnswer { link: ETH, question: world.question.unwrap(), answer });
    world.claimed();
    world.until(6_000);
    world.took();
    wakes(&mut world);
    world.until(ms(&world) + 20);
    assert!(world.took().contains(&"ask 2001:db8::53 on 2".into()));
    let question = world.question.unwrap();
    world.tell(Event::DnsAnswer { link: ETH, question, answer: DnsAnswer::Negative { ttl: Duration::from_secs(60) } });
    assert!(world.running.is_none(), "this network has none");
}

#[test]
fn check_servers_are_asked_at_once() {
    let mut settings = Settings::default();
    let server = ProbeTarget { address: [198, 51, 100, 7].into(), port: None };
    settings.probe_targets_v4.set(vec![server], Origin::Config);
    let mut world = World::started_with(Network::ipv6_only(), settings);
    world.pref64(ETH, P1, 65_528);
    world.claimed();
    world.report(PlaneEvent::GatewayAnswered);
    world.report(PlaneEvent::ProbeAnswered(server));
    world.until(6_000);
    assert_eq!(world.verdict(), "working CL-000");
    wakes(&mut world);
    assert_eq!(world.verdict(), "working CL-004");
    world.claimed();
    assert!(world.took().contains(&"probe 198.51.100.7".into()));
    world.report(PlaneEvent::ProbeAnswered(server));
    assert_eq!(world.verdict(), "working CL-000");
}

/// The radio that the laptop was near to is far away now: its router answers nobody.
#[test]
fn a_router_that_is_not_there_any_more_is_found_out() {
    let mut world = asleep();
    wakes(&mut world);
    world.claimed();
    world.until(ms(&world) + 760);
    assert_eq!(world.verdict(), "limited CL-202");
}

#[test]
fn it_does_no_harm_where_nothing_is_armed() {
    let mut world = World::started(Network::cable());
    world.until(60_000);
    world.took();
    world.plane = Answer::Fails;
    let did = wakes(&mut world);
    assert_eq!(did, ["refresh", "solicit 2"]);
    assert_eq!(world.verdict(), "checking CL-201");
}

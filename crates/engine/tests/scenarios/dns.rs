//! PREF64 from DNS (RFC 7050), beside and behind router advertisements.

use std::time::Duration;

use engine::Event;
use model::{DnsAnswer, Pref64Source, Settings};

use crate::network::{ETH, Network};
use crate::world::{World, rdnss_option};

const RESOLVER: &str = "2001:db8:1::53";
const SYNTHESISED: &str = "2001:db8:64::c000:aa";

/// A network whose router announces a resolver and no prefix, after the resolver was asked.
fn asked() -> World {
    let mut world = World::started(Network::ipv6_only());
    world.took();
    world.option(ETH, &rdnss_option(RESOLVER, 3600));
    world.until(20);
    assert_eq!(world.took(), [format!("ask {RESOLVER} on {ETH}")]);
    world
}

fn answer(world: &mut World, answer: DnsAnswer) {
    let question = world.question.expect("a question");
    world.tell(Event::DnsAnswer { link: ETH, question, answer });
}

fn addresses(ttl: u64) -> DnsAnswer {
    DnsAnswer::Addresses { addresses: vec![SYNTHESISED.parse().unwrap()], ttl: Duration::from_secs(ttl) }
}

/// The questions among what the machine did.
fn questions(world: &mut World) -> Vec<String> {
    world.took().into_iter().filter(|action| action.starts_with("ask")).collect()
}

fn sources(world: &World) -> Vec<(String, Pref64Source)> {
    world.status().pref64.iter().map(|known| (known.prefix.to_string(), known.source)).collect()
}

#[test]
fn an_answer_arms() {
    let mut world = asked();
    answer(&mut world, addresses(300));
    assert_eq!(
        world.took(),
        ["refresh", "plane eth0 2001:db8:64::/96", "apply 192.0.0.2 mtu 1472/1480", "points 2001:db8:64::/96 on 2"]
    );
    assert_eq!(sources(&world), [("2001:db8:64::/96".into(), Pref64Source::Dns)]);
    assert_eq!(world.status().pref64[0].expires_s, Some(300));
}

#[test]
fn a_router_that_announces_a_prefix_makes_asking_needless() {
    let mut world = World::started(Network::ipv6_only());
    world.option(ETH, &rdnss_option(RESOLVER, 3600));
    world.pref64(ETH, "64:ff9b::/96", 1800);
    world.took();
    world.until(60_000);
    assert_eq!(questions(&mut world), <[String; 0]>::default());
}

#[test]
fn the_routers_word_supersedes_and_its_end_brings_dns_back() {
    let mut world = asked();
    answer(&mut world, addresses(300));
    let x = world.x();
    world.pref64(ETH, "64:ff9b::/96", 1800);
    assert_eq!(world.running.as_ref().unwrap().pref64.to_string(), "64:ff9b::/96");
    assert_eq!(world.x(), x);
    world.took();
    world.pref64(ETH, "64:ff9b::/96", 0);
    assert_eq!(world.took(), ["refresh", "plane eth0 2001:db8:64::/96"], "known still, so at once");
    world.until(1_000);
    assert_eq!(questions(&mut world), [format!("ask {RESOLVER} on {ETH}")], "and asked for again");
}

#[test]
fn it_is_asked_again_ten_seconds_before_the_end() {
    let mut world = asked();
    answer(&mut world, addresses(60));
    world.took();
    world.until(50_019);
    assert_eq!(questions(&mut world), <[String; 0]>::default());
    world.until(50_020);
    assert_eq!(questions(&mut world), [format!("ask {RESOLVER} on {ETH}")]);
    answer(&mut world, addresses(60));
    world.until(70_000);
    assert_eq!(world.verdict(), "working CL-004");
}

#[test]
fn a_resolver_that_falls_silent_does_not_take_away_what_it_said() {
    let mut world = asked();
    answer(&mut world, addresses(60));
    world.until(50_020);
    answer(&mut world, DnsAnswer::Failed { reason: "timeout".into() });
    assert_eq!(world.verdict(), "working CL-004");
    world.until(60_020);
    assert_eq!(world.verdict(), "down CL-303", "its time is over");
}

/// IPv4-mapped, say: a word about nothing. What was said before stays as long as it was said to.
#[test]
fn a_prefix_in_which_no_nat64_can_be_takes_away_nothing() {
    let nonsense = |ttl| DnsAnswer::Addresses {
        addresses: vec!["::ffff:192.0.0.170".parse().unwrap()],
        ttl: Duration::from_secs(ttl),
    };
    let mut world = asked();
    answer(&mut world, addresses(60));
    world.until(50_020);
    world.took();
    answer(&mut world, nonsense(300));
    assert_eq!(
        world.took(),
        ["refused 2: ::ffff:0.0.0.0 lies in ::/8, where NAT64s have 64:ff9b::/96 and 64:ff9b:1::/48 alone"]
    );
    assert_eq!(world.verdict(), "working CL-004");
    world.until(60_020);
    assert_eq!(world.verdict(), "down CL-303", "its time is over");
    world.took();
    world.until(340_000);
    assert_eq!(questions(&mut world), <[String; 0]>::default(), "an answer is an answer");
    world.until(340_020);
    assert_eq!(questions(&mut world), [format!("ask {RESOLVER} on {ETH}")]);
    answer(&mut world, addresses(60));
    assert_eq!(world.verdict(), "working CL-004");
}

#[test]
fn a_ttl_of_zero_does_not_flap() {
    let mut world = asked();
    answer(&mut world, addresses(0));
    world.took();
    world.until(10_020);
    assert_eq!(questions(&mut world), [format!("ask {RESOLVER} on {ETH}")]);
    answer(&mut world, addresses(0));
    assert_eq!(world.verdict(), "working CL-004");
    assert_eq!(world.status().rearms.count, 0);
}

#[test]
fn no_is_an_answer() {
    let mut world = asked();
    answer(&mut world, DnsAnswer::Negative { ttl: Duration::from_secs(900) });
    world.until(10_000);
    assert_eq!(world.verdict(), "down CL-301");
    world.took();
    world.until(899_000);
    assert_eq!(world.took(), <[String; 0]>::default(), "RFC 7050 section 3: the negative TTL counts");
    world.until(900_100);
    assert_eq!(world.took(), [format!("ask {RESOLVER} on {ETH}")]);
    answer(&mut world, addresses(300));
    assert_eq!(world.verdict(), "working CL-004");
}

#[test]
fn an_answer_of_the_network_before_is_ignored() {
    let mut world = asked();
    world.network.unplug(ETH);
    world.look();
    answer(&mut world, addresses(300));
    world.network = Network::ipv6_only();
    world.look();
    assert!(sources(&world).is_empty());
}

#[test]
fn a_configured_prefix_needs_no_question() {
    let mut settings = Settings::default();
    settings.pref64_static.set(vec!["64:ff9b::/96".parse().unwrap()], model::Origin::Config);
    let mut world = World::started_with(Network::ipv6_only(), settings);
    world.option(ETH, &rdnss_option(RESOLVER, 3600));
    world.until(60_000);
    assert_eq!(questions(&mut world), <[String; 0]>::default());
}

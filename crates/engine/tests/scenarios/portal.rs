//! Captive portals: down, CL-102, by each of the ways to know.

use engine::Event;
use model::{DnsAnswer, LinkNews, PortalAnswer};

use crate::network::{ETH, Network, WLAN};
use crate::world::{World, rdnss_option};

const API: &str = "https://portal.example/api";

/// RFC 8910 section 2.3.
fn option(uri: &str) -> Vec<u8> {
    let mut option = vec![37, 0];
    option.extend(uri.as_bytes());
    option.resize(option.len().next_multiple_of(8), 0);
    option[1] = u8::try_from(option.len() / 8).unwrap();
    option
}

#[test]
fn the_systems_own_check_counts() {
    let mut world = World::armed();
    world.tell(Event::News { link: ETH, news: LinkNews::Portal(true) });
    assert_eq!(world.verdict(), "down CL-102");
    assert!(world.intent.default_v4.is_none() && world.running.is_some(), "armed for the moment it opens");
    world.tell(Event::News { link: ETH, news: LinkNews::Portal(false) });
    assert_eq!(world.verdict(), "working CL-004");
    assert_eq!(world.status().rearms.last_reason.as_deref(), Some("captive-portal"));
}

#[test]
fn the_networks_api_is_asked_until_it_opens() {
    let mut world = World::armed();
    world.option(ETH, &option(API));
    assert!(world.took().contains(&format!("portal {API} on 2")));
    assert_eq!(world.verdict(), "working CL-004", "being advertised is not being captive");
    let answer = PortalAnswer::Captive { page: Some("https://portal.example/".into()) };
    world.tell(Event::PortalAnswer { link: ETH, question: world.portal.unwrap(), answer });
    assert_eq!(world.verdict(), "down CL-102");
    assert!(world.cause().contains("https://portal.example/"), "{}", world.cause());
    world.until(40_000);
    assert!(world.took().contains(&format!("portal {API} on 2")));
    world.tell(Event::PortalAnswer { link: ETH, question: world.portal.unwrap(), answer: PortalAnswer::Open });
    assert_eq!(world.verdict(), "working CL-004");
}

#[test]
fn names_that_somebody_else_answers_are_a_portal() {
    let mut world = World::started(Network::ipv6_only());
    world.option(ETH, &rdnss_option("2001:db8:53::53", 600));
    world.until(1_000);
    let addresses = vec!["2001:db8::80".parse().unwrap()];
    let ttl = std::time::Duration::from_secs(3600);
    let question = world.question.unwrap();
    world.tell(Event::DnsAnswer { link: ETH, question, answer: DnsAnswer::Addresses { addresses, ttl } });
    assert_eq!(world.verdict(), "down CL-102");
    world.took();
    world.until(32_000);
    assert!(world.took().iter().any(|action| action.starts_with("ask 2001:db8:53::53")), "not in an hour");
    let addresses = vec!["64:ff9b::c000:aa".parse().unwrap()];
    let question = world.question.unwrap();
    world.tell(Event::DnsAnswer { link: ETH, question, answer: DnsAnswer::Addresses { addresses, ttl } });
    assert_eq!(world.verdict(), "working CL-004");
}

#[test]
fn an_uplink_without_a_portal_is_preferred() {
    let mut world = World::started(Network::two_uplinks());
    world.pref64(ETH, "64:ff9b::/96", 1800);
    world.pref64(WLAN, "64:ff9b::/96", 1800);
    world.tell(Event::News { link: ETH, news: LinkNews::Portal(true) });
    assert_eq!(world.verdict(), "working CL-004");
    assert_eq!(world.status().uplink.unwrap().name, "wlan0");
}

#[test]
fn another_network_is_another_portal() {
    let mut world = World::armed();
    world.tell(Event::News { link: ETH, news: LinkNews::Portal(true) });
    world.network.unplug(ETH);
    world.look();
    world.network = Network::ipv6_only();
    world.look();
    world.pref64(ETH, "64:ff9b::/96", 1800);
    assert_eq!(world.verdict(), "working CL-004");
}

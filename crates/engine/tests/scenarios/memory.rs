//! After a restart: what the former process knew stands in for the networks' word until that is heard again.

use std::time::Duration;

use engine::{Engine, Event};
use model::{DnsAnswer, Memory, Origin, Pref64Source, Settings};

use crate::network::{ETH, Network, WLAN};
use crate::world::{World, pref64_option, rdnss_option};

const RESOLVER: &str = "2001:db8:1::53";
const APPLY: &str = "apply 192.0.0.2 mtu 1472/1480";

impl World {
    /// `kill -9`, and a new process that has got `memory` and looks at the network.
    pub(crate) fn restart_with(&mut self, memory: Memory) {
        self.kill(memory);
        self.look();
    }

    /// The same with what the old one would have kept.
    pub(crate) fn restart(&mut self) {
        self.restart_with(self.engine.memory());
    }

    fn kill(&mut self, mut memory: Memory) {
        // What is kept is ahead of what was used.
        memory.generation.0 += 1000;
        self.engine = Engine::new(self.engine.settings().clone(), [7; 32], self.now);
        self.engine.remember(memory);
        // The kernel takes the tunnel away, and with it all the rest.
        (self.running, self.spare, self.twin) = (None, None, None);
        self.intent = model::HostIntent::default();
        (self.question, self.portal) = (None, None);
        self.took();
    }

    fn after(&mut self, ms: u64) {
        let now = u64::try_from(self.now.since_start().as_millis()).unwrap();
        self.until(now + ms);
    }

    fn pref64_in_use(&self) -> Option<String> {
        self.running.as_ref().map(|config| config.pref64.to_string())
    }
}

/// Armed by what a resolver said; the router announces the resolver only.
fn armed_by_dns(ttl: u64) -> World {
    let mut world = World::started(Network::ipv6_only());
    world.option(ETH, &rdnss_option(RESOLVER, 3600));
    world.until(20);
    answer(&mut world, addresses("2001:db8:64::c000:aa", ttl));
    world.claimed();
    assert_eq!(world.pref64_in_use().as_deref(), Some("2001:db8:64::/96"));
    world.took();
    world
}

fn answer(world: &mut World, answer: DnsAnswer) {
    let question = world.question.expect("a question");
    world.tell(Event::DnsAnswer { link: ETH, question, answer });
}

fn addresses(address: &str, ttl: u64) -> DnsAnswer {
    DnsAnswer::Addresses { addresses: vec![address.parse().unwrap()], ttl: Duration::from_secs(ttl) }
}

/// After the restart the router says who resolves, and that is asked.
fn ask_again(world: &mut World) {
    world.option(ETH, &rdnss_option(RESOLVER, 3600));
    world.after(20);
    assert_eq!(world.took(), ["points 2001:db8:64::/96 on 2".to_owned(), format!("ask {RESOLVER} on {ETH}")]);
}

#[test]
fn a_restart_goes_on_at_once_and_asks() {
    let mut world = World::armed();
    let (x, generation) = (world.x(), world.running.as_ref().unwrap().generation);
    world.restart();
    assert_eq!(world.took(), ["refresh", "solicit 2", "plane eth0 64:ff9b::/96", APPLY]);
    assert_eq!(world.verdict(), "working CL-004");
    assert_eq!(world.x(), x);
    assert!(!world.running.as_ref().unwrap().owned, "somebody may have taken it meanwhile: claimed again");
    assert!(world.running.as_ref().unwrap().generation > generation);
}

#[test]
fn without_memory_it_waits_as_ever() {
    let mut world = World::armed();
    world.restart_with(Memory::default());
    assert_eq!(world.took(), ["solicit 2"]);
    assert_eq!(world.verdict(), "checking CL-301");
}

#[test]
fn the_routers_word_confirms_and_counts_from_then_on() {
    let mut world = World::armed();
    world.restart();
    world.took();
    world.after(200);
    world.pref64(ETH, "64:ff9b::/96", 600);
    world.after(399_000);
    assert_eq!(world.took(), <[String; 0]>::default(), "not even another solicitation");
    world.after(200_000);
    assert_eq!(world.verdict(), "working CL-004");
    world.after(1_000);
    assert_eq!(world.verdict(), "down CL-303");
}

#[test]
fn what_nobody_confirms_goes_after_half_a_minute() {
    let mut world = World::armed();
    world.restart();
    world.took();
    world.after(29_999);
    assert_eq!(world.took(), ["solicit 2"; 6], "asked as a new network is, and before the end");
    assert_eq!(world.verdict(), "working CL-004");
    world.after(1);
    assert_eq!(world.took(), ["refresh", "apply none", "stop"]);
    assert_eq!(world.verdict(), "down CL-301");
    world.pref64(ETH, "64:ff9b::/96", 600);
    assert_eq!(world.verdict(), "working CL-004");
}

#[test]
fn it_does_not_live_longer_than_it_was_said_to() {
    let mut world = World::started(Network::ipv6_only());
    world.pref64(ETH, "64:ff9b::/96", 16);
    world.until(10_000);
    world.restart();
    world.after(5_999);
    assert_eq!(world.verdict(), "working CL-004");
    world.after(1);
    assert_eq!(world.verdict(), "down CL-301");
    let mut world = World::started(Network::ipv6_only());
    world.pref64(ETH, "64:ff9b::/96", 16);
    let memory = world.engine.memory();
    world.until(16_000);
    world.restart_with(memory);
    assert_eq!(world.took(), ["solicit 2"], "it has ended meanwhile");
}

#[test]
fn a_crash_before_the_confirmation_loses_nothing() {
    let mut world = World::armed();
    let memory = world.engine.memory();
    for _ in 0..3 {
        world.restart();
        world.after(500);
        assert_eq!(world.engine.memory().networks, memory.networks);
    }
    assert_eq!(world.verdict(), "working CL-004");
}

#[test]
fn an_advertisement_without_it_takes_it_away() {
    let mut world = World::armed();
    world.restart();
    world.took();
    world.after(100);
    world.option(ETH, &rdnss_option(RESOLVER, 3600));
    world.after(199);
    assert_eq!(world.verdict(), "working CL-004", "the prefix may be the next option, or in the next advertisement");
    world.after(1);
    assert_eq!(world.verdict(), "checking CL-301");
    assert_eq!(world.intent.default_v4, None);
    assert!(world.engine.memory().networks[0].prefixes.is_empty());
}

#[test]
fn the_prefix_may_be_the_last_option_of_its_advertisement() {
    let mut world = World::armed();
    world.restart();
    world.option(ETH, &rdnss_option(RESOLVER, 3600));
    world.option(ETH, &pref64_option("64:ff9b::/96", 1800));
    world.took();
    world.after(60_000);
    assert_eq!(world.verdict(), "working CL-004");
    assert_eq!(world.status().rearms.count, 0);
}

#[test]
fn another_prefix_takes_its_place() {
    let mut world = World::armed();
    let x = world.x();
    world.restart();
    world.took();
    world.pref64(ETH, "2001:db8:64::/96", 1800);
    assert_eq!(world.took(), ["refresh", "plane eth0 2001:db8:64::/96"], "the route stays");
    assert_eq!(world.x(), x);
    world.after(200);
    let known: Vec<String> = world.status().pref64.iter().map(|known| known.prefix.to_string()).collect();
    assert_eq!(known, ["2001:db8:64::/96"]);
}

#[test]
fn a_withdrawal_counts_at_once() {
    let mut world = World::armed();
    world.restart();
    world.pref64(ETH, "64:ff9b::/96", 0);
    assert_eq!(world.verdict(), "checking CL-301");
}

#[test]
fn what_another_router_says_is_no_contradiction() {
    let mut world = World::armed();
    world.restart();
    let router = Some("fe80::2".parse().unwrap());
    world.tell(Event::RouterOption { link: ETH, router, bytes: rdnss_option(RESOLVER, 3600) });
    world.after(5_000);
    assert_eq!(world.verdict(), "working CL-004");
}

#[test]
fn dns_alone_is_remembered_too_and_asked_again() {
    let mut world = armed_by_dns(3600);
    let x = world.x();
    world.restart();
    assert_eq!(world.took(), ["refresh", "solicit 2", "plane eth0 2001:db8:64::/96", APPLY]);
    assert_eq!(world.status().pref64[0].source, Pref64Source::Dns);
    assert_eq!(world.x(), x);
    ask_again(&mut world);
    answer(&mut world, addresses("2001:db8:64::c000:aa", 3600));
    world.after(100_000);
    assert!(world.took().iter().all(|action| action == "solicit 2"), "nothing is done twice");
    assert_eq!(world.verdict(), "working CL-004");
}

#[test]
fn a_resolver_that_says_no_takes_it_away() {
    let mut world = armed_by_dns(3600);
    world.restart();
    world.took();
    ask_again(&mut world);
    answer(&mut world, DnsAnswer::Negative { ttl: Duration::from_secs(60) });
    assert_eq!(world.took(), ["apply none", "stop"]);
}

#[test]
fn a_resolver_that_says_something_else_is_believed() {
    let mut world = armed_by_dns(3600);
    world.restart();
    world.took();
    ask_again(&mut world);
    answer(&mut world, addresses("64:ff9b::c000:aa", 3600));
    assert_eq!(world.pref64_in_use().as_deref(), Some("64:ff9b::/96"));
    assert_eq!((world.verdict().as_str(), world.status().pref64.len()), ("working CL-004", 1));
}

#[test]
fn a_resolver_that_fails_leaves_it_for_half_a_minute() {
    let mut world = armed_by_dns(3600);
    world.restart();
    world.took();
    ask_again(&mut world);
    answer(&mut world, DnsAnswer::Failed { reason: "timeout".into() });
    world.after(29_000);
    assert_eq!(world.verdict(), "working CL-004");
    world.after(1_000);
    assert_eq!(world.verdict(), "down CL-301");
}

/// The router does not repeat its word: resolvers are asked although a prefix of its is remembered.
#[test]
fn resolvers_are_asked_while_a_router_has_not_confirmed() {
    let mut world = World::armed();
    let memory = world.engine.memory();
    world.restart_with(memory);
    world.took();
    let router = Some("fe80::2".parse().unwrap());
    world.tell(Event::RouterOption { link: ETH, router, bytes: rdnss_option(RESOLVER, 3600) });
    world.after(20);
    assert!(world.took().contains(&format!("ask {RESOLVER} on {ETH}")));
    answer(&mut world, addresses("2001:db8:64::c000:aa", 3600));
    assert_eq!(world.pref64_in_use().as_deref(), Some("64:ff9b::/96"), "a router's word goes first");
    world.after(30_000);
    assert_eq!(world.pref64_in_use().as_deref(), Some("2001:db8:64::/96"));
    assert_eq!(world.verdict(), "working CL-004");
}

#[test]
fn another_network_is_not_taken_for_it() {
    type Change = fn(&mut Network);
    let changes: [(&str, Change); 4] = [
        ("another interface", |network| network.link(ETH).name = "eth1".into()),
        ("another /64", |network| {
            network.link(ETH).addresses.clear();
            network.add_address(ETH, "2001:db8:9::5/64");
        }),
        ("another router", |network| {
            network.remove_route("::/0");
            network.add_route("::/0", Some("fe80::9"), ETH, 100);
        }),
        ("another router at the same address", |network| {
            network.seen.neighbours[0].mac = model::MacAddress([2, 0, 0, 0, 9, 9]);
        }),
    ];
    for (what, change) in changes {
        let mut world = World::armed();
        let memory = world.engine.memory();
        change(&mut world.network);
        world.restart_with(memory);
        world.after(1_000);
        assert_eq!(world.running, None, "{what}");
        assert!(!world.took().iter().any(|action| action == "refresh"), "{what}");
    }
}

#[test]
fn a_router_that_is_not_resolved_is_asked_who_it_is() {
    let mut world = World::armed();
    let memory = world.engine.memory();
    world.network.forget_neighbours(ETH);
    world.restart_with(memory);
    assert_eq!(world.took(), ["resolve fe80::1 on 2", "solicit 2"]);
    world.network.resolve(ETH);
    world.look();
    assert_eq!(world.took(), ["refresh", "plane eth0 64:ff9b::/96", APPLY]);
}

#[test]
fn what_was_said_before_the_network_was_recognised_counts_more() {
    let mut world = World::armed();
    let memory = world.engine.memory();
    world.network.forget_neighbours(ETH);
    world.restart_with(memory);
    world.option(ETH, &rdnss_option(RESOLVER, 3600));
    world.network.resolve(ETH);
    world.look();
    assert_eq!(world.running, None, "the router has spoken, and said no prefix");

    let mut world = armed_by_dns(3600);
    let memory = world.engine.memory();
    world.network.forget_neighbours(ETH);
    world.restart_with(memory);
    world.option(ETH, &rdnss_option(RESOLVER, 3600));
    world.after(20);
    answer(&mut world, DnsAnswer::Negative { ttl: Duration::from_secs(900) });
    world.network.resolve(ETH);
    world.look();
    assert_eq!(world.running, None, "the resolver has answered");
}

#[test]
fn it_is_used_once() {
    let mut world = World::armed();
    world.restart();
    world.network.unplug(ETH);
    world.look();
    world.network = Network::ipv6_only();
    world.look();
    assert_eq!(world.verdict(), "checking CL-301", "what is plugged in next has to say so itself");
}

#[test]
fn a_network_that_comes_later_is_recognised_all_the_same() {
    let mut world = World::armed();
    let memory = world.engine.memory();
    world.network = Network::cable();
    world.restart_with(memory);
    world.after(60_000);
    world.network = Network::ipv6_only();
    world.look();
    assert_eq!(world.verdict(), "working CL-004");
}

#[test]
fn policy_decides() {
    type Change = fn(&mut Settings);
    let changes: [Change; 4] = [
        |settings| assert!(settings.pref64_deny.set(vec!["64:ff9b::/96".parse().unwrap()], Origin::Policy)),
        |settings| assert!(settings.pref64_allow.set(vec!["2001:db8::/32".parse().unwrap()], Origin::Policy)),
        |settings| assert!(settings.pref64_sources.set(vec![Pref64Source::Dns], Origin::Policy)),
        |settings| assert!(settings.interfaces_exclude.set(vec!["eth*".parse().unwrap()], Origin::Policy)),
    ];
    for change in changes {
        let mut world = World::armed();
        let memory = world.engine.memory();
        let mut settings = Settings::default();
        change(&mut settings);
        world.tell(Event::Settings(Box::new(settings)));
        world.restart_with(memory);
        world.after(1_000);
        assert_eq!(world.running, None);
    }
    let mut world = World::armed();
    let memory = world.engine.memory();
    let mut settings = Settings::default();
    settings.pref64_static.set(vec!["2001:db8:64::/96".parse().unwrap()], Origin::Policy);
    world.tell(Event::Settings(Box::new(settings)));
    world.restart_with(memory);
    assert_eq!(world.pref64_in_use().as_deref(), Some("2001:db8:64::/96"));
}

#[test]
fn x_stays_what_it_was() {
    let mut world = World::armed();
    world.duplicate();
    world.claimed();
    let second = world.x();
    world.restart();
    assert_eq!(world.x(), second, "the first one is still somebody else's");

    let mut world = World::armed();
    let first = world.x();
    world.pref64(ETH, "2001:db8:64::/96", 1800);
    world.claimed();
    world.restart();
    assert_eq!((world.x(), world.pref64_in_use().unwrap().as_str()), (first, "2001:db8:64::/96"));
    world.duplicate();
    assert_ne!(world.x(), first, "somebody has taken it meanwhile");
    assert_eq!(world.verdict(), "working CL-004");
}

#[test]
fn x_stays_when_the_network_is_recognised_before_it_can_be_used() {
    let mut world = World::armed();
    let first = world.x();
    world.pref64(ETH, "2001:db8:64::/96", 1800);
    world.claimed();
    let memory = world.engine.memory();
    world.tell(Event::Pause { length: None, reason: String::new() });
    world.kill(memory);
    world.tell(Event::Pause { length: None, reason: String::new() });
    world.look();
    assert_eq!(world.running, None);
    world.tell(Event::Resume);
    assert_eq!(world.x(), first);
}

/// Nobody writes such things but somebody who means harm, or a disk.
#[test]
fn an_x_that_cannot_be_is_left_alone() {
    let world = World::armed();
    let x = world.x();
    for bad in ["2001:db8:9::5", "2001:db8:1::", "2001:db8:1:0:fdff:ffff:ffff:ff80", "2001:db8:1::5"] {
        let mut memory = world.engine.memory();
        memory.networks[0].x = Some(bad.parse().unwrap());
        let mut next = World::armed();
        next.restart_with(memory);
        assert_eq!(next.x(), x, "{bad}");
    }
}

#[test]
fn an_x_that_nobody_could_object_to_yet_is_not_remembered() {
    let mut world = World::started(Network::ipv6_only());
    world.pref64(ETH, "64:ff9b::/96", 1800);
    assert_eq!(world.engine.memory().networks[0].x, None);
    world.claimed();
    assert_eq!(world.engine.memory().networks[0].x, Some(world.x()));
}

#[test]
fn both_uplinks_are_remembered() {
    let mut world = World::started(Network::two_uplinks());
    world.pref64(ETH, "64:ff9b::/96", 1800);
    world.pref64(WLAN, "2001:db8:64::/96", 1800);
    world.until(2_000);
    world.restart();
    assert_eq!(
        world.took(),
        ["refresh", "solicit 2", "solicit 3", "plane eth0 64:ff9b::/96", APPLY, "spare wlan0 2001:db8:64::/96"]
    );
    world.network.unplug(ETH);
    world.look();
    assert_eq!(world.verdict(), "working CL-004");
    let left: Vec<String> = world.engine.memory().networks.into_iter().map(|network| network.id.uplink).collect();
    assert_eq!(left, ["wlan0"]);
}

#[test]
fn nothing_is_remembered_of_what_is_configured() {
    let mut settings = Settings::default();
    settings.pref64_static.set(vec!["64:ff9b::/96".parse().unwrap()], Origin::Config);
    let mut world = World::started_with(Network::ipv6_only(), settings);
    world.claimed();
    let memory = world.engine.memory();
    assert!(memory.networks[0].prefixes.is_empty());
    assert_eq!(memory.networks[0].x, Some(world.x()));
}

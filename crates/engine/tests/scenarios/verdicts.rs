//! Verdicts that must not be passed, and those that must not last.

use std::net::Ipv4Addr;
use std::time::Duration;

use engine::Event;
use model::{Dad, DnsAnswer, LinkKind, LinkNews, Origin, PlaneEvent, PortalAnswer, ProbeTarget, Settings, Timestamp};

use crate::network::{ETH, Network, WLAN};
use crate::world::{Answer, World, rdnss_option};

const SERVER: Ipv4Addr = Ipv4Addr::new(198, 51, 100, 7);
const API: &str = "https://portal.example/api";

fn with_server() -> Settings {
    let mut settings = Settings::default();
    settings.probe_targets_v4.set(vec![ProbeTarget { address: SERVER, port: None }], Origin::Config);
    settings
}

fn answered() -> PlaneEvent {
    PlaneEvent::ProbeAnswered(ProbeTarget { address: SERVER, port: None })
}

fn count(log: &[String], what: &str) -> usize {
    log.iter().filter(|action| action.starts_with(what)).count()
}

fn ms(world: &World) -> u64 {
    world.now.since_start().as_millis().try_into().unwrap()
}

/// RFC 8910 section 2.3.
fn portal_option(uri: &str) -> Vec<u8> {
    let mut option = vec![37, 0];
    option.extend(uri.as_bytes());
    option.resize(option.len().next_multiple_of(8), 0);
    option[1] = u8::try_from(option.len() / 8).unwrap();
    option
}

/// Time passes; the gateway answers when it is asked, if it does.
fn pass(world: &mut World, until: u64, gateway: bool) -> Vec<String> {
    let mut all = Vec::new();
    while ms(world) < until {
        world.until(ms(world) + 10);
        let log = world.took();
        if gateway && world.running.is_some() && log.iter().any(|action| action == "ask gateway") {
            world.report(PlaneEvent::GatewayAnswered);
        }
        all.extend(log);
    }
    all
}

/// The same, while an app sends and hears nothing.
fn mute(world: &mut World, until: u64, gateway: bool, to: &[Ipv4Addr]) -> Vec<String> {
    let mut all = Vec::new();
    world.report(PlaneEvent::Traffic);
    while ms(world) < until {
        world.app_talks(to, false);
        all.extend(pass(world, ms(world) + 10, gateway));
    }
    all
}

#[test]
fn a_router_that_was_slow_to_resolve_is_watched_afterwards() {
    let mut network = Network::ipv6_only();
    network.forget_neighbours(ETH);
    let mut world = World::started(network);
    world.pref64(ETH, "64:ff9b::/96", 1800);
    world.until(3_000);
    assert_eq!(world.verdict(), "checking CL-202");
    world.network.resolve(ETH);
    world.look();
    assert_eq!(world.verdict(), "working CL-004");
    world.claimed();
    let log = mute(&mut world, 6_000, false, &[SERVER]);
    assert!(count(&log, "ask gateway") >= 3, "{log:?}");
}

#[test]
fn a_word_that_was_missed_makes_nobody_blind() {
    let mut world = World::started(Network::ipv6_only());
    world.pref64(ETH, "64:ff9b::/96", 1800);
    world.claimed();
    world.until(100);
    assert_eq!(world.samples, 0);
    world.until(200);
    assert_eq!(world.samples, 1, "looked by itself");
}

#[test]
fn nobody_is_accused_while_x_may_not_ask() {
    let mut world = World::started(Network::ipv6_only());
    world.pref64(ETH, "64:ff9b::/96", 1800);
    // DAD takes a second; the agent asks nothing meanwhile.
    mute(&mut world, 1_000, false, &[SERVER]);
    assert_eq!(world.verdict(), "working CL-004");
}

#[test]
fn strict_sends_nothing_from_x_before_it_is_claimed() {
    let mut settings = with_server();
    settings.dad.set(Dad::Strict, Origin::Config);
    let mut world = World::started_with(Network::ipv6_only(), settings);
    world.pref64(ETH, "64:ff9b::/96", 1800);
    world.until(990);
    assert_eq!(count(&world.took(), "probe"), 0);
    world.claimed();
    assert_eq!(count(&world.took(), "probe"), 1);
}

#[test]
fn one_answered_packet_right_after_arming_accuses_nobody() {
    let mut world = World::started(Network::two_uplinks());
    world.pref64(ETH, "64:ff9b::/96", 1800);
    world.pref64(WLAN, "64:ff9b::/96", 1800);
    world.until(10);
    world.claimed();
    world.app_talks(&[SERVER], true);
    world.until(40);
    world.reply();
    world.until(1_500);
    assert_eq!(world.status().uplink.unwrap().name, "eth0");
    assert_eq!(world.verdict(), "working CL-000");
}

#[test]
fn a_prefix_from_the_router_ends_the_word_of_dns() {
    let mut world = World::started(Network::ipv6_only());
    world.option(ETH, &rdnss_option("2001:db8:53::53", 600));
    world.until(5_000);
    let addresses = vec!["2001:db8::80".parse().unwrap()];
    let answer = DnsAnswer::Addresses { addresses, ttl: Duration::from_secs(3600) };
    world.tell(Event::DnsAnswer { link: ETH, question: world.question.unwrap(), answer });
    assert_eq!(world.verdict(), "down CL-102");
    world.pref64(ETH, "64:ff9b::/96", 65_528);
    assert_eq!(world.verdict(), "working CL-004");
}

#[test]
fn two_keepalives_without_answer_do_not_end_ipv4() {
    let mut world = World::armed();
    world.pref64(ETH, "64:ff9b::/96", 65_528);
    let peers = [Ipv4Addr::new(203, 0, 113, 1), Ipv4Addr::new(203, 0, 113, 2)];
    world.report(PlaneEvent::Traffic);
    world.report(PlaneEvent::FirstReply);
    for _ in 0..20 {
        world.app_talks(&peers, true);
        world.until(ms(&world) + 100);
    }
    // An hour later: one datagram to each, and neither they nor their echo answer.
    world.until(3_600_000);
    world.report(PlaneEvent::Traffic);
    world.app_talks(&peers, false);
    pass(&mut world, 3_620_000, true);
    assert_eq!(world.verdict(), "working CL-000");
}

#[test]
fn a_verdict_does_not_outlive_a_standby() {
    let mut world = World::started_with(Network::ipv6_only(), with_server());
    world.pref64(ETH, "64:ff9b::/96", 65_528);
    world.claimed();
    pass(&mut world, 6_000, true);
    world.report(PlaneEvent::GatewayAnswered);
    pass(&mut world, 8_000, true);
    assert_eq!(world.verdict(), "down CL-501");
    world.network.add_link(9, "eth9", LinkKind::Ethernet);
    world.network.add_route("0.0.0.0/0", Some("192.0.2.1"), 9, 100);
    world.look();
    assert_eq!(world.verdict(), "standby_native CL-001");
    let mut wakes = 0;
    let end = Timestamp::from_millis(7_000_000);
    while let Some(at) = world.engine.poll_timeout(world.now).filter(|at| *at <= end) {
        world.now = at;
        world.engine.handle_timeout(at);
        world.act();
        wakes += 1;
    }
    assert!(wakes < 10, "{wakes} wake-ups");
    world.now = end;
    world.network.remove_route("0.0.0.0/0");
    world.look();
    assert_eq!(world.verdict(), "working CL-004");
}

#[test]
fn an_uplink_whose_port_fails_makes_room_for_one_that_works() {
    let mut world = World::armed_on(Network::two_uplinks());
    world.pref64(WLAN, "64:ff9b::/96", 1800);
    world.plane = Answer::Later;
    world.report(PlaneEvent::Failed("no buffer".into()));
    world.report(PlaneEvent::Failed("no buffer".into()));
    world.plane_starts();
    assert_eq!(world.status().uplink.unwrap().name, "wlan0");
    assert_eq!(world.verdict(), "working CL-004");
}

#[test]
fn an_uplink_that_refuses_every_x_makes_room() {
    let mut world = World::armed_on(Network::two_uplinks());
    world.pref64(WLAN, "64:ff9b::/96", 1800);
    for _ in 0..3 {
        world.duplicate();
    }
    assert_eq!(world.status().uplink.unwrap().name, "wlan0");
    assert_eq!(world.verdict(), "working CL-004");
}

#[test]
fn apis_that_take_turns_start_no_storm() {
    let mut world = World::armed();
    for number in 0..1000 {
        world.option(ETH, &portal_option(&format!("https://portal.example/{number}")));
    }
    assert!(count(&world.took(), "portal") < 5);
}

#[test]
fn one_way_traffic_does_not_hammer_the_check_server() {
    let mut world = World::started_with(Network::ipv6_only(), with_server());
    world.pref64(ETH, "64:ff9b::/96", 65_528);
    world.claimed();
    world.report(answered());
    world.report(PlaneEvent::Traffic);
    let mut probes = 0;
    while ms(&world) < 600_000 {
        world.app_talks(&[SERVER], false);
        let until = ms(&world) + 10;
        let log = pass(&mut world, until, true);
        if count(&log, "probe") > 0 {
            probes += 1;
            world.report(answered());
        }
    }
    assert!((2..40).contains(&probes), "{probes} in ten minutes");
}

#[test]
fn sleep_accuses_nobody() {
    let mut world = World::started_with(Network::ipv6_only(), with_server());
    world.pref64(ETH, "64:ff9b::/96", 65_528);
    world.claimed();
    world.report(PlaneEvent::GatewayAnswered);
    world.until(2_100);
    world.now = Timestamp::from_millis(3_600_000);
    world.engine.handle_timeout(world.now);
    world.act();
    assert_eq!(world.verdict(), "working CL-004");
}

/// X is the same on both, and the one that is not used answers for nothing: its router is asked for its own word.
#[test]
fn a_silent_gateway_on_a_shared_64_can_speak_again() {
    let mut network = Network::two_uplinks();
    network.link(WLAN).addresses.clear();
    network.add_address(WLAN, "2001:db8:1::6/64");
    let mut world = World::started(network);
    world.pref64(ETH, "64:ff9b::/96", 65_528);
    world.pref64(WLAN, "64:ff9b::/96", 65_528);
    world.claimed();
    world.until(3_000);
    world.report(PlaneEvent::FirstReply);
    mute(&mut world, 4_600, false, &[SERVER]);
    assert_eq!(world.status().uplink.unwrap().name, "wlan0");
    world.report(PlaneEvent::FirstReply);
    world.until(10_000);
    assert!(count(&world.took(), "solicit 2") > 0);
    world.pref64(ETH, "64:ff9b::/96", 65_528);
    assert_eq!(world.status().uplink.unwrap().name, "eth0");
}

#[test]
fn a_captive_api_that_stops_answering_does_not_hold_for_ever() {
    let mut world = World::armed();
    world.pref64(ETH, "64:ff9b::/96", 65_528);
    world.option(ETH, &portal_option(API));
    let captive = PortalAnswer::Captive { page: None };
    world.tell(Event::PortalAnswer { link: ETH, question: world.portal.unwrap(), answer: captive });
    assert_eq!(world.verdict(), "down CL-102");
    for _ in 0..3 {
        world.until(ms(&world) + 61_000);
        let answer = PortalAnswer::Failed { reason: "no answer".into() };
        world.tell(Event::PortalAnswer { link: ETH, question: world.portal.unwrap(), answer });
    }
    assert_eq!(world.verdict(), "working CL-004");
}

#[test]
fn a_default_that_could_not_be_taken_away_is_tried_again() {
    let mut world = World::armed();
    world.cleanup = Answer::Fails;
    world.tell(Event::News { link: ETH, news: LinkNews::Portal(true) });
    world.cleanup = Answer::Done;
    world.took();
    world.until(10_000);
    assert_eq!(count(&world.took(), "apply none"), 1);
}

#[test]
fn a_spare_that_was_not_asked_is_not_accused() {
    let mut world = World::started_with(Network::two_uplinks(), with_server());
    world.pref64(ETH, "64:ff9b::/96", 65_528);
    world.pref64(WLAN, "64:ff9b::/96", 65_528);
    world.claimed();
    let x = world.spare.as_ref().unwrap().plane.v6;
    world.report_spare(PlaneEvent::Claimed(x));
    pass(&mut world, 1_100, true);
    world.report(answered());
    pass(&mut world, 301_300, true);
    // In the middle of a routine check.
    world.network.unplug(WLAN);
    world.look();
    pass(&mut world, 320_000, true);
    assert_eq!(world.verdict(), "down CL-501");
    world.network = Network::two_uplinks();
    world.look();
    world.pref64(WLAN, "64:ff9b::/96", 65_528);
    assert_eq!(world.status().uplink.unwrap().name, "wlan0");
}

/// RFC 4862 section 5.4: what is tentative sends nothing, and asks no server whether the path is back.
#[test]
fn strict_asks_nobody_before_x_is_claimed() {
    let mut settings = with_server();
    settings.dad.set(Dad::Strict, Origin::Config);
    let mut world = World::started_with(Network::ipv6_only(), settings);
    world.pref64(ETH, "64:ff9b::/96", 1800);
    world.until(1_000);
    world.claimed();
    mute(&mut world, 9_000, true, &[SERVER]);
    assert_eq!(world.verdict(), "down CL-501");
    world.network.link(ETH).addresses.clear();
    world.network.add_address(ETH, "2001:db8:77::5/64");
    world.look();
    assert_eq!(count(&pass(&mut world, 60_000, true), "probe"), 0);
    world.claimed();
    assert_ne!(count(&pass(&mut world, 120_000, true), "probe"), 0);
    assert_eq!(world.verdict(), "down CL-501", "nobody has answered");
}

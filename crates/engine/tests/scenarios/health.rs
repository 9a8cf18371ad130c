//! Evidence: what replies prove and whom silence accuses.

use std::net::Ipv4Addr;

use engine::Event;
use model::{EvidenceKind, Origin, PlaneEvent, ProbeTarget, Settings};

use crate::network::{ETH, Network, WLAN};
use crate::world::World;

const CHECK_SERVER: Ipv4Addr = Ipv4Addr::new(198, 51, 100, 7);

/// How apps talk.
#[derive(Clone, Copy)]
struct Apps {
    destinations: u8,
    answered: bool,
    /// The gateway answers when it is asked.
    gateway: bool,
}

const HEARD: Apps = Apps { destinations: 1, answered: true, gateway: true };
const UNHEARD: Apps = Apps { answered: false, ..HEARD };

impl Apps {
    /// A packet every 10 ms until `ms`; what was done meanwhile.
    fn talk(self, world: &mut World, ms: u64) -> Vec<String> {
        let all: Vec<Ipv4Addr> = (1..=self.destinations).map(|last| Ipv4Addr::new(203, 0, 113, last)).collect();
        let mut log = world.took();
        world.report(PlaneEvent::Traffic);
        while millis(world) < ms && world.running.is_some() {
            world.app_talks(&all, self.answered);
            world.until(millis(world) + 10);
            let done = world.took();
            if self.gateway && done.iter().any(|action| action == "ask gateway") {
                world.report(PlaneEvent::GatewayAnswered);
            }
            log.extend(done);
        }
        log
    }
}

fn millis(world: &World) -> u64 {
    world.now.since_start().as_millis().try_into().unwrap()
}

fn with_server() -> Settings {
    let mut settings = Settings::default();
    settings.probe_targets_v4.set(vec![ProbeTarget { address: CHECK_SERVER, port: None }], Origin::Config);
    settings
}

fn armed_with(settings: Settings, network: Network) -> World {
    let mut world = World::started_with(network, settings);
    world.pref64(ETH, "64:ff9b::/96", 65_000);
    world.pref64(WLAN, "64:ff9b::/96", 65_000);
    world.claimed();
    world
}

fn answered() -> PlaneEvent {
    PlaneEvent::ProbeAnswered(ProbeTarget { address: CHECK_SERVER, port: None })
}

fn count(log: &[String], what: &str) -> usize {
    log.iter().filter(|action| action.starts_with(what)).count()
}

#[test]
fn an_idle_plane_is_not_looked_at() {
    let mut world = World::armed();
    let before = world.samples;
    world.until(600_000);
    assert_eq!(world.samples, before);
    HEARD.talk(&mut world, 601_000);
    world.until(700_000);
    assert!(world.samples - before < 30, "until it is quiet");
    assert_eq!(world.last_samples, 2, "and the plane is asked to ring again, as at the beginning");
}

/// With nobody to ask about the path, the gateway is all there is to be asked.
#[test]
fn a_gateway_that_has_answered_is_asked_again_while_nothing_comes_back() {
    let mut world = World::armed();
    world.report(PlaneEvent::Traffic);
    UNHEARD.talk(&mut world, 7_000);
    let (before, mut log) = (world.samples, Vec::new());
    for _ in 0..100 {
        world.app_talks(&[CHECK_SERVER], false);
        // Nothing else happens that would have the machine look at its clock.
        world.until(millis(&world) + 100);
        log.extend(world.took());
    }
    assert!(world.samples - before > 60, "{} looks in ten seconds", world.samples - before);
    assert!(count(&log, "ask gateway") >= 3, "{log:?}");
    assert_eq!(world.verdict(), "limited CL-202", "it no longer answers");
}

#[test]
fn a_probe_that_is_answered_is_evidence() {
    let mut world = armed_with(with_server(), Network::ipv6_only());
    assert_eq!(count(&world.took(), "probe 198.51.100.7"), 1, "as soon as it is armed");
    assert_eq!(world.verdict(), "working CL-004");
    world.report(answered());
    assert_eq!(world.verdict(), "working CL-000");
    assert_eq!(world.status().evidence.kind, EvidenceKind::Probe);
    world.until(299_000);
    assert_eq!(count(&world.took(), "probe"), 0);
    world.until(300_500);
    assert_eq!(count(&world.took(), "probe"), 1, "and every five minutes");
}

#[test]
fn traffic_makes_probes_needless() {
    let mut world = armed_with(with_server(), Network::ipv6_only());
    world.report(answered());
    world.took();
    world.until(200_000);
    world.reply();
    world.until(499_000);
    assert_eq!(count(&world.took(), "probe"), 0);
    assert_eq!(world.status().evidence.kind, EvidenceKind::Traffic);
}

#[test]
fn a_check_server_silent_three_times_takes_the_default_away_and_the_plane_stays() {
    let mut world = armed_with(with_server(), Network::ipv6_only());
    world.report(PlaneEvent::GatewayAnswered);
    world.until(4_900);
    assert_eq!(world.verdict(), "working CL-004");
    assert_eq!(count(&world.took(), "probe"), 3);
    world.until(5_100);
    assert_eq!(world.verdict(), "down CL-501");
    assert!(world.running.is_some() && world.intent.default_v4.is_none());
    assert_eq!(world.took(), ["apply none"]);
    let status = world.status();
    assert!(status.plane.is_some() && status.clat.is_none(), "armed, and led nowhere");
    world.until(60_000);
    let asked = count(&world.took(), "probe");
    assert!((5..=12).contains(&asked), "asked on, ever less often: {asked}");
    world.report(answered());
    assert_eq!(world.verdict(), "working CL-000");
    assert_eq!(world.took(), ["apply 192.0.0.2 mtu 1472/1480"]);
    assert_eq!(crate::rearm::newest(&world), "path-dead: 55000 ms, eth0: put-route-back");
    assert_eq!(world.status().rearms.history[0].first_reply_ms, Some(0), "that is what brought it back");
}

#[test]
fn a_gateway_that_does_not_answer_is_to_blame_and_not_the_path() {
    let mut world = armed_with(with_server(), Network::ipv6_only());
    world.until(10_000);
    assert_eq!(world.verdict(), "limited CL-202", "three solicitations, no answer");
    assert!(world.intent.default_v4.is_some(), "there is no other way");
    world.report(PlaneEvent::GatewayAnswered);
    assert_eq!(world.verdict(), "working CL-004");
}

#[test]
fn one_silent_server_accuses_nobody() {
    let mut world = World::armed();
    HEARD.talk(&mut world, 6_000);
    world.report(PlaneEvent::FirstReply);
    UNHEARD.talk(&mut world, 60_000);
    assert_eq!(world.verdict(), "working CL-000");
}

#[test]
fn several_destinations_that_fall_silent_together_accuse_the_path() {
    let mut world = World::armed();
    Apps { destinations: 2, ..HEARD }.talk(&mut world, 6_000);
    world.report(PlaneEvent::FirstReply);
    let silent = Apps { destinations: 2, ..UNHEARD };
    silent.talk(&mut world, 11_500);
    assert_eq!(world.verdict(), "working CL-000", "not yet");
    silent.talk(&mut world, 13_500);
    assert_eq!(world.verdict(), "down CL-501", "no target is configured: those that answered last are asked");
    assert!(world.intent.default_v4.is_none());
    // They need not answer echo at all: IPv4 is tried again, and accused again only if it is silent again.
    world.until(80_000);
    assert_eq!(world.verdict(), "working CL-000");
}

#[test]
fn a_reply_in_time_ends_the_suspicion() {
    let mut world = armed_with(with_server(), Network::ipv6_only());
    world.report(PlaneEvent::GatewayAnswered);
    world.until(4_000);
    world.report(answered());
    world.until(20_000);
    assert_eq!(world.verdict(), "working CL-000");
}

#[test]
fn a_silent_gateway_makes_room_for_the_warm_uplink_and_nobody_is_accused() {
    let mut world = armed_with(Settings::default(), Network::two_uplinks());
    let x = world.spare.as_ref().unwrap().plane.v6;
    world.report_spare(PlaneEvent::Claimed(x));
    world.until(3_000);
    world.report(PlaneEvent::FirstReply);
    HEARD.talk(&mut world, 3_300);
    let mut moved = 3_300;
    while world.status().uplink.unwrap().name == "eth0" && moved < 6_000 {
        moved += 10;
        Apps { gateway: false, ..UNHEARD }.talk(&mut world, moved);
    }
    // The counters are read every 150 ms, and three solicitations take 250 ms each.
    assert!((4_050..=4_400).contains(&moved), "{moved}");
    HEARD.talk(&mut world, moved + 500);
    let spare = world.spare.as_ref().unwrap();
    assert_eq!(spare.plane.uplink.name, "eth0", "and is asked on");
    assert!(!spare.lingers, "no flow goes on there");
    assert!(world.intent.default_v4.is_some());
    let told = "uplink-changed, gateway-silent: 0 ms, eth0 to wlan0: took-reserve moved-x";
    assert_eq!(crate::rearm::newest(&world), told);
    world.took();
    world.until(40_000);
    assert!(count(&world.took(), "ask gateway") >= 4);
    world.report_spare(PlaneEvent::GatewayAnswered);
    assert_eq!(world.status().uplink.unwrap().name, "eth0", "it speaks again");
}

#[test]
fn a_path_dead_on_one_uplink_and_alive_on_the_other_moves() {
    let mut world = armed_with(with_server(), Network::two_uplinks());
    let x = world.spare.as_ref().unwrap().plane.v6;
    world.report_spare(PlaneEvent::Claimed(x));
    world.report(PlaneEvent::GatewayAnswered);
    world.until(5_100);
    assert_eq!(world.status().uplink.unwrap().name, "wlan0");
    let told = "uplink-changed, path-dead: 0 ms, eth0 to wlan0: took-reserve moved-x";
    assert_eq!(crate::rearm::newest(&world), told);
    assert!(world.intent.default_v4.is_some());
    world.report(PlaneEvent::GatewayAnswered);
    world.report(answered());
    assert_eq!(world.verdict(), "working CL-000");
    world.took();
    world.until(40_000);
    assert!(count(&world.took(), "probe") >= 5, "the better uplink is asked on");
    world.report_spare(answered());
    assert_eq!(world.status().uplink.unwrap().name, "eth0");
}

#[test]
fn a_person_who_asks_again_gets_a_new_verdict() {
    let mut world = armed_with(with_server(), Network::ipv6_only());
    world.report(PlaneEvent::GatewayAnswered);
    world.until(6_000);
    assert_eq!(world.verdict(), "down CL-501");
    world.tell(Event::Rearm);
    assert_eq!(world.verdict(), "working CL-004");
}

#[test]
fn nothing_is_asked_where_probing_is_switched_off() {
    let mut settings = with_server();
    settings.probe_enabled.set(false, Origin::Policy);
    let mut world = armed_with(settings, Network::ipv6_only());
    world.until(900_000);
    assert_eq!(count(&world.took(), "probe"), 0);
    assert_eq!(world.verdict(), "working CL-004");
}

#[test]
fn private_targets_are_not_asked_under_the_well_known_prefix() {
    let mut settings = Settings::default();
    let private = ProbeTarget { address: Ipv4Addr::new(10, 0, 0, 1), port: Some(443) };
    settings.probe_targets_v4.set(vec![private], Origin::Policy);
    let mut world = armed_with(settings, Network::ipv6_only());
    world.until(900_000);
    assert_eq!(count(&world.took(), "probe"), 0, "RFC 6052 section 3.1: they could not be answered");
    world.pref64(ETH, "2001:db8:64::/96", 1800);
    assert_eq!(count(&world.took(), "probe 10.0.0.1:443"), 1);
}

#[test]
fn servers_that_the_network_names_are_asked_and_accuse_once_they_have_answered() {
    let mut world = World::started(Network::ipv6_only());
    world.option(ETH, &crate::world::rdnss_option("2001:db8:53::53", 65_000));
    world.pref64(ETH, "2001:db8:64::/96", 65_000);
    world.claimed();
    assert_eq!(count(&world.took(), "points 2001:db8:64::/96 on 2"), 1);
    let pref64 = "2001:db8:64::/96".parse().unwrap();
    world.tell(Event::CheckPoints { link: ETH, pref64, servers: vec![CHECK_SERVER] });
    assert_eq!(count(&world.took(), "probe 198.51.100.7"), 1);
    world.report(PlaneEvent::GatewayAnswered);
    world.until(10_000);
    assert_eq!(world.verdict(), "working CL-004", "it may be one that never answers");
    world.report(answered());
    assert_eq!(world.verdict(), "working CL-000");
    while millis(&world) < 320_000 {
        world.until(millis(&world) + 50);
        if world.took().iter().any(|action| action == "ask gateway") {
            world.report(PlaneEvent::GatewayAnswered);
        }
    }
    assert_eq!(world.verdict(), "down CL-501", "RFC 7050 section 3.2");
}

#[test]
fn a_probe_interval_of_zero_asks_only_on_suspicion() {
    let mut settings = with_server();
    settings.probe_interval_seconds.set(0, Origin::Config);
    let mut world = armed_with(settings, Network::ipv6_only());
    world.until(900_000);
    assert_eq!(count(&world.took(), "probe"), 0);
    let log = UNHEARD.talk(&mut world, 903_000);
    assert!(count(&log, "probe") >= 1);
}

//! Whatever happens, in whatever order: what must always hold. `World` itself checks that generations grow, that no
//! default is asked for without a plane, and that time never stands still.

use engine::{Action, Event};
use model::{Code, DnsAnswer, Generation, LinkKind, LinkNews, Origin, PlaneConfig, PlaneEvent, ProbeTarget, Settings};
use proptest::prelude::*;

use crate::network::{ETH, Network, VPN, WLAN};
use crate::world::{Answer, World, in_place, pref64_option, rdnss_option, refused};

#[derive(Clone, Debug)]
enum Happening {
    Look,
    Carrier(u32),
    Address(u32, u8),
    Router(u32),
    Mtu(u32, u16),
    Forwarding(u32),
    Native(Option<u32>),
    Vpn,
    Vpn4,
    Prefix(u32, u8, u16),
    Resolver(u32, u8, u32),
    Garbage(u32, Vec<u8>),
    Plane(u64, Report),
    Spare(u64, Report),
    Twin(u64, Report),
    News(u32, News),
    Traffic(u8, u8),
    Woke,
    /// Another machine behind the routers' address, or the carrier was gone for a moment.
    Stranger(u32, u8),
    Blink(u32, u32),
    /// A router speaks of a /64 at that moment of the host's clock.
    Refresh(u32, u8, u64),
    Person(bool),
    /// `kill -9`; the new process has the old one's memory.
    Restart,
    /// The host's answer to its last question, or to the one that many generations ago.
    Applied(u64, bool),
    Answers(Answer, Answer, Answer),
    Setting(Box<Settings>),
    Wait(u64),
}

#[derive(Clone, Copy, Debug)]
enum Report {
    Started,
    Claimed,
    Duplicate,
    FirstReply,
    Traffic,
    GatewayAnswered,
    ProbeAnswered,
    Unacknowledged(u16),
    Passed(u16),
    Abandoned,
    FlowsEnded,
    Failed,
}

#[derive(Clone, Copy, Debug)]
enum News {
    Portal(bool),
    Ipv6Only,
    Resolvers(u8),
    Captured,
}

fn news() -> impl Strategy<Value = News> {
    prop_oneof![
        any::<bool>().prop_map(News::Portal),
        Just(News::Ipv6Only),
        (0u8..3).prop_map(News::Resolvers),
        Just(News::Captured),
    ]
}

fn answer() -> impl Strategy<Value = Answer> {
    prop_oneof![3 => Just(Answer::Done), 1 => Just(Answer::Fails), 1 => Just(Answer::Later)]
}

fn report() -> impl Strategy<Value = Report> {
    prop_oneof![
        Just(Report::Started),
        Just(Report::Claimed),
        Just(Report::Duplicate),
        Just(Report::FirstReply),
        Just(Report::Traffic),
        Just(Report::GatewayAnswered),
        Just(Report::ProbeAnswered),
        any::<u16>().prop_map(Report::Unacknowledged),
        any::<u16>().prop_map(Report::Passed),
        Just(Report::Abandoned),
        Just(Report::FlowsEnded),
        Just(Report::Failed)
    ]
}

fn settings() -> impl Strategy<Value = Settings> {
    (prop::bool::weighted(0.9), prop::bool::ANY, prop::bool::ANY, 2u8..8, 1252u16..2000).prop_map(
        |(enabled, fixed, strict, host, mtu)| {
            let mut settings = Settings::default();
            settings.enabled.set(enabled, Origin::Config);
            if fixed {
                settings.pref64_static.set(vec![prefix(host).parse().unwrap()], Origin::Config);
            }
            settings
                .probe_targets_v4
                .set(vec![ProbeTarget { address: [198, 51, 100, host].into(), port: None }], Origin::Config);
            if strict {
                settings.dad.set(model::Dad::Strict, Origin::Config);
            }
            settings.clat_ipv4.set([192, 0, 0, host].into(), Origin::Config);
            settings.mtu.set(mtu, Origin::Config);
            settings
        },
    )
}

fn happening() -> impl Strategy<Value = Happening> {
    let link = || prop_oneof![Just(ETH), Just(WLAN)];
    prop_oneof![
        4 => Just(Happening::Look),
        2 => link().prop_map(Happening::Carrier),
        1 => (link(), 1u8..4).prop_map(|(link, net)| Happening::Address(link, net)),
        1 => link().prop_map(Happening::Router),
        1 => (link(), 0u16..9001).prop_map(|(link, mtu)| Happening::Mtu(link, mtu)),
        1 => link().prop_map(Happening::Forwarding),
        1 => prop::option::weighted(0.3, link()).prop_map(Happening::Native),
        1 => Just(Happening::Vpn),
        1 => Just(Happening::Vpn4),
        4 => (link(), 0u8..4, prop_oneof![Just(0u16), 8u16..2000])
            .prop_map(|(link, number, lifetime)| Happening::Prefix(link, number, lifetime)),
        1 => (link(), 0u8..4, 0u32..100).prop_map(|(link, last, life)| Happening::Resolver(link, last, life)),
        2 => (0u32..9, prop::collection::vec(any::<u8>(), 0..40)).prop_map(|(link, b)| Happening::Garbage(link, b)),
        1 => (0u32..9, prop_oneof![Just(25u8), Just(38u8)], 0u8..6, prop::collection::vec(any::<u8>(), 0..40))
            .prop_map(|(link, kind, units, mut rest)| {
                rest.splice(0..0, [kind, units]);
                Happening::Garbage(link, rest)
            }),
        6 => (prop_oneof![4 => Just(0u64), 1 => 0u64..4], report()).prop_map(|(age, r)| Happening::Plane(age, r)),
        3 => (prop_oneof![4 => Just(0u64), 1 => 0u64..4], report()).prop_map(|(age, r)| Happening::Spare(age, r)),
        3 => (prop_oneof![4 => Just(0u64), 1 => 0u64..4], report()).prop_map(|(age, r)| Happening::Twin(age, r)),
        1 => (link(), news()).prop_map(|(link, news)| Happening::News(link, news)),
        3 => (0u8..4, 0u8..4).prop_map(|(mute, answered)| Happening::Traffic(mute, answered)),
        1 => Just(Happening::Woke),
        1 => (link(), 0u8..4).prop_map(|(link, last)| Happening::Stranger(link, last)),
        1 => (link(), 0u32..3).prop_map(|(link, count)| Happening::Blink(link, count)),
        2 => (link(), 1u8..4, 0u64..60).prop_map(|(link, net, at)| Happening::Refresh(link, net, at)),
        1 => any::<bool>().prop_map(Happening::Person),
        1 => Just(Happening::Restart),
        3 => (prop_oneof![4 => Just(0u64), 1 => 0u64..4], prop::bool::weighted(0.7))
            .prop_map(|(age, done)| Happening::Applied(age, done)),
        1 => (answer(), answer(), answer()).prop_map(|(p, h, c)| Happening::Answers(p, h, c)),
        1 => settings().prop_map(|settings| Happening::Setting(Box::new(settings))),
        4 => prop_oneof![0u64..20, 100u64..5_000, 10_000u64..100_000].prop_map(Happening::Wait),
    ]
}

fn prefix(number: u8) -> String {
    if number == 0 { "64:ff9b::/96".into() } else { format!("2001:db8:6{number}::/96") }
}

fn happen(world: &mut World, happening: Happening) {
    match happening {
        Happening::Look => world.look(),
        Happening::Carrier(link) => {
            let link = world.network.link(link);
            link.carrier = !link.carrier;
        }
        Happening::Address(link, net) => {
            world.network.link(link).addresses.clear();
            world.network.add_address(link, &format!("2001:db8:{net}::5/64"));
        }
        Happening::Router(link) => match world.network.seen.neighbour(link, "fe80::1".parse().unwrap()) {
            Some(_) => world.network.forget_neighbours(link),
            None => world.network.resolve(link),
        },
        Happening::Mtu(link, mtu) => world.network.link(link).mtu6 = mtu,
        Happening::Forwarding(link) => {
            let link = world.network.link(link);
            link.forwards_ipv6 = !link.forwards_ipv6;
        }
        Happening::Native(link) => {
            world.network.remove_route("0.0.0.0/0");
            if let Some(link) = link {
                world.network.add_route("0.0.0.0/0", Some("192.168.1.1"), link, 100);
            }
        }
        Happening::Vpn => {
            world.network.captured_by = world.network.captured_by.xor(Some(VPN));
        }
        Happening::Vpn4 => {
            let seen = &mut world.network.seen;
            seen.ipv4_through = seen.ipv4_through.xor(Some(VPN));
            // Nobody would know of it otherwise.
            world.look();
        }
        Happening::Prefix(link, number, life) => world.option(link, &pref64_option(&prefix(number), life)),
        Happening::Resolver(link, last, life) => {
            world.option(link, &rdnss_option(&format!("2001:db8::{last}"), life));
        }
        Happening::Garbage(link, bytes) => world.option(link, &bytes),
        Happening::Plane(age, report) => {
            let Some(config) = world.running.clone() else { return };
            tell(world, &config, age, report);
        }
        Happening::Spare(age, report) => {
            let Some(spare) = world.spare.clone() else { return };
            tell(world, &spare.plane, age, report);
        }
        Happening::Twin(age, report) => {
            let Some(twin) = world.twin.clone() else { return };
            tell(world, &twin.plane, age, report);
        }
        Happening::News(link, News::Captured) => {
            let Some(question) = world.question else { return };
            let answer = DnsAnswer::Addresses {
                addresses: vec!["2001:db8::80".parse().unwrap()],
                ttl: std::time::Duration::from_secs(60),
            };
            world.tell(Event::DnsAnswer { link, question, answer });
        }
        Happening::News(link, news) => {
            let news = match news {
                News::Portal(captive) => LinkNews::Portal(captive),
                News::Resolvers(last) => LinkNews::Resolvers(vec![format!("2001:db8::{last}").parse().unwrap()]),
                News::Ipv6Only | News::Captured => LinkNews::Ipv6OnlyPreferred(std::time::Duration::from_secs(1800)),
            };
            world.tell(Event::News { link, news });
        }
        Happening::Woke => world.tell(Event::Woke),
        Happening::Stranger(link, last) => {
            if world.network.seen.neighbour(link, "fe80::1".parse().unwrap()).is_some() {
                world.network.resolve_as(link, "fe80::1", last);
            }
        }
        Happening::Blink(link, count) => {
            world.network.seen.blinks.insert(link, count);
        }
        Happening::Refresh(link, net, at) => world.network.refresh(link, &format!("2001:db8:{net}::/64"), at),
        Happening::Traffic(mute, answered) => {
            let addresses = |count: u8| (0..count).map(|last| [203, 0, 113, last].into());
            world.traffic.sent += u64::from(mute);
            world.traffic.received += u64::from(answered);
            world.traffic.mute = addresses(mute).collect();
            world.traffic.answered = addresses(answered).collect();
            if world.running.is_some() {
                world.report(PlaneEvent::Traffic);
            }
        }
        Happening::Person(rearm) => {
            let length = Some(std::time::Duration::from_secs(30));
            world.tell(if rearm { Event::Rearm } else { Event::Pause { length, reason: String::new() } });
        }
        Happening::Restart => world.restart(),
        Happening::Applied(age, done) => {
            let mut intent = world.intent.clone();
            intent.generation = Generation(intent.generation.0.saturating_sub(age));
            world.tell(Event::Applied(if done { in_place(&intent) } else { refused(&intent) }));
        }
        Happening::Answers(plane, host, cleanup) => {
            (world.plane, world.host, world.cleanup) = (plane, host, cleanup);
        }
        Happening::Setting(settings) => world.tell(Event::Settings(settings)),
        Happening::Wait(ms) => {
            let now: u64 = world.now.since_start().as_millis().try_into().unwrap();
            world.until(now + ms);
        }
    }
}

fn tell(world: &mut World, config: &PlaneConfig, age: u64, report: Report) {
    let event = match report {
        Report::Started => PlaneEvent::Started { tun: 9, name: "everclat0".into() },
        Report::Claimed => PlaneEvent::Claimed(config.v6),
        Report::Duplicate => PlaneEvent::Duplicate(config.v6),
        Report::FirstReply => PlaneEvent::FirstReply,
        Report::Traffic => PlaneEvent::Traffic,
        Report::GatewayAnswered => PlaneEvent::GatewayAnswered,
        Report::ProbeAnswered => {
            PlaneEvent::ProbeAnswered(ProbeTarget { address: [198, 51, 100, 7].into(), port: None })
        }
        Report::Unacknowledged(size) => PlaneEvent::Unacknowledged { server: [198, 51, 100, 7].into(), size },
        Report::Passed(size) => PlaneEvent::Passed { server: [198, 51, 100, 7].into(), size },
        Report::Abandoned => PlaneEvent::Abandoned,
        Report::FlowsEnded => PlaneEvent::FlowsEnded(3),
        Report::Failed => PlaneEvent::Failed("gone".into()),
    };
    let generation = Generation(config.generation.0.saturating_sub(age));
    world.tell(Event::Plane { generation, event });
}

/// What must hold between any two events.
fn check(world: &World) {
    let status = world.status();
    assert_eq!(status.plane.is_some(), world.running.is_some(), "the status knows whether a plane runs");
    if status.is_ready() && status.owner == model::Owner::Everclat {
        assert!(status.clat.is_some(), "armed");
    }
    if let Some(clat) = &status.clat {
        let running = world.running.as_ref().expect("no default is believed in place without a plane");
        assert_eq!((clat.v6, clat.v4), (running.v6, running.v4));
        assert!(running.v6.segments()[..3] != [0, 0, 0]);
    }
    match status.state {
        model::State::StandbyNative if world.intent.default_v4.as_ref().is_some_and(|route| route.leads) => {
            assert!(world.network.seen.ipv4_through.is_some(), "beneath a VPN");
        }
        model::State::StandbyNative if world.network.seen.ipv4_through.is_some() => {}
        model::State::StandbyNative | model::State::StandbyOs | model::State::Paused | model::State::NoNetwork => {
            assert!(world.running.is_none() && world.intent.default_v4.is_none(), "stood back");
        }
        model::State::Working | model::State::Limited | model::State::Checking | model::State::Down => {}
    }
    if status.state == model::State::Down && [Code::PlatSilent, Code::CaptivePortal].contains(&status.code) {
        assert!(world.intent.default_v4.is_none(), "no default that leads nowhere");
    }
    if let Some(spare) = &world.spare {
        let running = world.running.as_ref().expect("no spare without a plane");
        assert_ne!(spare.plane.uplink.link, running.uplink.link);
        assert!(spare.plane.v6 != running.v6 || !spare.answers, "one X, one answer");
    }
    if let Some(twin) = &world.twin {
        let running = world.running.as_ref().expect("no second X without a plane");
        assert_eq!(twin.plane.uplink.link, running.uplink.link);
        assert_ne!(twin.plane.v6, running.v6);
    }
    if let Some(at) = world.engine.poll_timeout(world.now) {
        assert!(at > world.now, "nothing is left undone");
    }
}

/// Idempotence: the same news again changes nothing.
fn nothing_new(world: &mut World) {
    // A network that is recognised by the first look has prefixes to be looked up in the second one.
    world.look();
    let snapshot = world.network.snapshot(&world.engine.lookup_targets());
    world.tell(Event::Snapshot(snapshot.clone()));
    world.engine.handle(Event::Snapshot(snapshot), world.now);
    world.engine.handle_timeout(world.now);
    assert_eq!(world.engine.poll_action(), None::<Action>);
}

fn host() -> Network {
    let mut network = Network::two_uplinks();
    network.add_link(VPN, "wg0", LinkKind::PointToPoint);
    network
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 512, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn invariants_hold(
        start in settings(),
        happenings in prop::collection::vec(happening(), 1..80),
    ) {
        let mut world = World::started_with(host(), start);
        for happening in happenings {
            happen(&mut world, happening);
            check(&world);
        }
        nothing_new(&mut world);

        // When everything works again, so does IPv4.
        world.network = host();
        (world.plane, world.host, world.cleanup) = (Answer::Done, Answer::Done, Answer::Done);
        world.tell(Event::Settings(Box::default()));
        let intent = world.intent.clone();
        world.tell(Event::Applied(in_place(&intent)));
        if world.running.is_some() {
            world.plane_starts();
        }
        world.network.unplug(ETH);
        world.network.unplug(WLAN);
        world.look();
        check(&world);
        world.network = host();
        world.look();
        for link in [ETH, WLAN] {
            world.tell(Event::News { link, news: LinkNews::Portal(false) });
        }
        world.tell(Event::Resume);
        world.tell(Event::Rearm);
        world.pref64(ETH, "64:ff9b::/96", 1800);
        assert_eq!(world.verdict(), "working CL-004");

        world.tell(Event::Shutdown);
        assert!(world.running.is_none() && world.intent.default_v4.is_none());
    }
}

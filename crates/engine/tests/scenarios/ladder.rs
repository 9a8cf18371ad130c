//! The machine as a drawing: every state, what leads to it, and every way from one to another.
//!
//! There are no forbidden transitions in a level-triggered machine: what holds decides, and of several things that hold
//! the uppermost of [`LADDER`]. So each pair is tried in both directions, and the drawing in the documentation is made
//! from the same table.

use std::net::Ipv4Addr;
use std::time::Duration;

use engine::Event;
use model::{Code, LinkKind, LinkNews, Origin, PlaneEvent, ProbeTarget, Settings, State};

use crate::network::{ETH, Network, VPN};
use crate::world::{Answer, World};

const DRAWING: &str = "../../docs/state-machine.md";
const PREFIX: &str = "64:ff9b::/96";
const CLAT: u32 = 8;

/// One thing that may hold.
struct Rung {
    /// In the drawing.
    when: &'static str,
    state: State,
    code: Code,
    /// What else happens.
    then: &'static str,
    on: fn(&mut World),
    off: fn(&mut World),
}

/// The uppermost that holds decides.
const LADDER: [Rung; 15] = [
    Rung {
        when: "switched off by the setting Enabled",
        state: State::Paused,
        code: Code::Paused,
        then: "nothing of ours is on the host",
        on: |world| change(world, |settings| settings.enabled.value = false),
        off: |world| change(world, |settings| settings.enabled.value = true),
    },
    Rung {
        when: "paused by a person",
        state: State::Paused,
        code: Code::Paused,
        then: "nothing of ours is on the host; ends by itself",
        on: |world| {
            let length = Some(Duration::from_secs(86_400));
            world.tell(Event::Pause { length, reason: String::new() });
        },
        off: |world| world.tell(Event::Resume),
    },
    Rung {
        when: "another CLAT has an IPv4 default route",
        state: State::StandbyOs,
        code: Code::OsTranslates,
        then: "nothing of ours is on the host",
        on: |world| {
            world.network.add_link(CLAT, "clat", LinkKind::PointToPoint);
            world.network.add_address(CLAT, "192.0.0.1/32");
            world.network.add_route("0.0.0.0/0", None, CLAT, 1);
            world.look();
        },
        off: |world| {
            world.network.seen.links.remove(&CLAT);
            world.network.seen.routes.retain(|route| route.link != CLAT);
            world.look();
        },
    },
    Rung {
        when: "an IPv4 default route with a gateway is there, or a better one without",
        state: State::StandbyNative,
        code: Code::NativeIpv4,
        then: "nothing of ours is on the host",
        on: |world| {
            native_gone(world);
            world.network.add_route("0.0.0.0/0", Some("192.168.1.1"), ETH, 100);
            world.look();
        },
        off: |world| {
            native_gone(world);
            world.look();
        },
    },
    Rung {
        when: "no interface has a link",
        state: State::NoNetwork,
        code: Code::NoLink,
        then: "nothing of ours is on the host; what the network said is forgotten",
        on: |world| {
            world.network.link(ETH).carrier = false;
            world.look();
        },
        off: |world| {
            world.network.link(ETH).carrier = true;
            world.look();
            world.pref64(ETH, PREFIX, 1800);
        },
    },
    Rung {
        when: "a VPN has all of IPv4",
        state: State::StandbyNative,
        code: Code::NativeIpv4,
        then: "what can be armed is, beneath the VPN",
        on: |world| {
            vpn(world);
            world.network.seen.ipv4_through = Some(VPN);
            world.look();
        },
        off: |world| {
            world.network.seen.ipv4_through = None;
            world.look();
        },
    },
    Rung {
        when: "no IPv6 default route",
        state: State::Down,
        code: Code::NoAddress,
        then: "nothing of ours is on the host",
        on: |world| {
            world.network.remove_route("::/0");
            world.look();
            wait(world, 5_000);
        },
        off: |world| {
            world.network.remove_route("::/0");
            world.network.add_route("::/0", Some(crate::network::ROUTER), ETH, 100);
            world.look();
        },
    },
    Rung {
        when: "a captive portal holds traffic back",
        state: State::Down,
        code: Code::CaptivePortal,
        then: "armed, without the default route",
        on: |world| world.tell(Event::News { link: ETH, news: LinkNews::Portal(true) }),
        off: |world| world.tell(Event::News { link: ETH, news: LinkNews::Portal(false) }),
    },
    Rung {
        when: "no PREF64 by any method",
        state: State::Down,
        code: Code::NoPref64,
        then: "nothing of ours is on the host",
        on: |world| {
            world.pref64(ETH, PREFIX, 0);
            wait(world, 5_000);
        },
        off: |world| world.pref64(ETH, PREFIX, 65_000),
    },
    Rung {
        when: "a VPN owns the way to the NAT64 and has no IPv4",
        state: State::Down,
        code: Code::VpnTakesTraffic,
        then: "nothing of ours is on the host: our frames would pass the VPN by",
        on: |world| {
            vpn(world);
            world.network.captured_by = Some(VPN);
            world.look();
        },
        off: |world| {
            world.network.captured_by = None;
            world.look();
        },
    },
    Rung {
        when: "nothing comes back from behind the router, which answers",
        state: State::Down,
        code: Code::PlatSilent,
        then: "armed, without the default route; asked on",
        on: |world| {
            let server = ProbeTarget { address: Ipv4Addr::new(198, 51, 100, 7), port: None };
            change(world, |settings| {
                settings.probe_targets_v4.value = vec![server];
                settings.probe_interval_seconds.value = 30;
            });
            // The next routine question finds out.
            for _ in 0..400 {
                if world.running.is_some() {
                    world.claimed();
                }
                if world.running.is_some() && world.took().iter().any(|action| action == "ask gateway") {
                    world.report(PlaneEvent::GatewayAnswered);
                }
                wait(world, 100);
            }
        },
        off: |world| {
            if world.running.is_some() {
                let server = ProbeTarget { address: Ipv4Addr::new(198, 51, 100, 7), port: None };
                world.report(PlaneEvent::ProbeAnswered(server));
            }
        },
    },
    Rung {
        when: "three X in a row belong to somebody else",
        state: State::Down,
        code: Code::AddressConflict,
        then: "nothing of ours is on the host; the next one a minute later",
        on: |world| {
            while world.running.is_some() {
                world.duplicate();
            }
        },
        off: |world| wait(world, 61_000),
    },
    Rung {
        when: "tunnel, port or route are refused",
        state: State::Down,
        code: Code::TunFailed,
        then: "nothing of ours is on the host; tried again, ever less often",
        on: |world| {
            world.plane = Answer::Fails;
            if world.running.is_some() {
                world.report(PlaneEvent::Failed("gone".into()));
            }
            wait(world, 1_000);
        },
        off: |world| {
            world.plane = Answer::Done;
            wait(world, 31_000);
        },
    },
    Rung {
        when: "the router has fallen silent and there is no other",
        state: State::Limited,
        code: Code::Unstable,
        then: "armed; asked on",
        on: |world| {
            if world.running.is_none() {
                return;
            }
            world.claimed();
            world.report(PlaneEvent::Traffic);
            // Who has answered a moment ago is not asked again at once.
            for _ in 0..70 {
                world.app_talks(&[Ipv4Addr::new(203, 0, 113, 1)], false);
                wait(world, 100);
            }
        },
        off: |world| {
            if world.running.is_some() {
                world.report(PlaneEvent::GatewayAnswered);
            }
        },
    },
    Rung {
        when: "packets above a certain size vanish on the path",
        state: State::Limited,
        code: Code::MtuBlackHole,
        then: "armed; larger ones are no longer sent, and their size is tried again every ten minutes",
        on: |world| {
            if world.running.is_none() {
                return;
            }
            world.claimed();
            world.takes = Some(1400);
            world.report(PlaneEvent::Unacknowledged { server: Ipv4Addr::new(198, 51, 100, 7), size: 1492 });
            wait(world, 5_000);
        },
        off: |world| {
            // What was measured was measured on a link of another MTU.
            if let Some(link) = world.network.seen.links.get_mut(&ETH) {
                link.mtu6 -= 8;
            }
            world.look();
            wait(world, 100);
        },
    },
];

/// What is left when nothing speaks against it, and states that last only moments.
const REST: [(&str, State, Code); 6] = [
    ("armed, and replies or probes came back", State::Working, Code::Working),
    ("armed, and not used yet", State::Working, Code::Ready),
    ("being armed", State::Checking, Code::Ready),
    ("the router's link-layer address is being asked for", State::Checking, Code::Unstable),
    ("a network so new that its IPv6 default route may still come", State::Checking, Code::NoAddress),
    ("a network so new that its PREF64 may still come", State::Checking, Code::NoPref64),
];

fn change(world: &mut World, change: impl FnOnce(&mut Settings)) {
    let mut settings = world.engine.settings().clone();
    change(&mut settings);
    settings.enabled.origin = Origin::Config;
    world.tell(Event::Settings(Box::new(settings)));
}

fn wait(world: &mut World, ms: u64) {
    let now: u64 = world.now.since_start().as_millis().try_into().unwrap();
    world.until(now + ms);
}

fn vpn(world: &mut World) {
    world.network.add_link(VPN, "wg0", LinkKind::PointToPoint);
}

fn native_gone(world: &mut World) {
    world.network.seen.routes.retain(|route| !(route.link == ETH && route.is_ipv4_default()));
}

fn verdict(state: State, code: Code) -> String {
    format!("{} {code}", state.name())
}

impl Rung {
    fn verdict(&self) -> String {
        verdict(self.state, self.code)
    }
}

fn healthy() -> World {
    let mut world = World::armed_on(Network::ipv6_only());
    world.pref64(ETH, PREFIX, 65_000);
    world.report(PlaneEvent::FirstReply);
    assert_eq!(world.verdict(), "working CL-000");
    world
}

fn is_well(world: &World) -> bool {
    ["working CL-000", "working CL-004"].contains(&world.verdict().as_str())
}

#[test]
fn each_state_is_reached_and_left() {
    for rung in &LADDER {
        let mut world = healthy();
        (rung.on)(&mut world);
        assert_eq!(world.verdict(), rung.verdict(), "{}", rung.when);
        (rung.off)(&mut world);
        assert!(is_well(&world), "no longer {}: {}", rung.when, world.verdict());
    }
}

/// Both hold: the upper one decides, and when it ends the lower one does. That is each pair in both directions.
#[test]
fn each_state_leads_to_each_other() {
    for (index, upper) in LADDER.iter().enumerate() {
        for lower in &LADDER[index + 1..] {
            let told = format!("`{}` over `{}`", upper.when, lower.when);
            let mut world = healthy();
            let learnt_by_a_plane = [Code::PlatSilent, Code::AddressConflict].contains(&upper.code);
            if learnt_by_a_plane && [Code::AddressConflict, Code::TunFailed].contains(&lower.code) {
                // With the lower one there is no plane to find the upper one out.
                (upper.on)(&mut world);
                (lower.on)(&mut world);
                assert_eq!(world.verdict(), upper.verdict(), "{told}");
                continue;
            }
            (lower.on)(&mut world);
            assert_eq!(world.verdict(), lower.verdict(), "{told}");
            (upper.on)(&mut world);
            assert_eq!(world.verdict(), upper.verdict(), "{told}");
            (upper.off)(&mut world);
            // What is known of a network ends with it, and what is known of a plane with that: found out again.
            (lower.on)(&mut world);
            assert_eq!(world.verdict(), lower.verdict(), "{told}");
            (upper.on)(&mut world);
            (lower.off)(&mut world);
            assert_eq!(world.verdict(), upper.verdict(), "{told}");
        }
    }
}

#[test]
fn the_states_of_moments_are_reached() {
    let mut seen = Vec::new();
    let mut world = World::new(Network::default(), Settings::default());
    seen.push(world.verdict());
    let mut network = Network::ipv6_only();
    network.forget_neighbours(ETH);
    network.remove_route("::/0");
    world.network = network;
    world.look();
    seen.push(world.verdict());
    world.network.add_route("::/0", Some(crate::network::ROUTER), ETH, 100);
    world.look();
    seen.push(world.verdict());
    world.pref64(ETH, PREFIX, 1800);
    seen.push(world.verdict());
    world.plane = Answer::Later;
    world.network.resolve(ETH);
    world.look();
    seen.push(world.verdict());
    world.plane_starts();
    seen.push(world.verdict());
    world.reply();
    seen.push(world.verdict());
    assert_eq!(
        seen,
        [
            "checking CL-101",
            "checking CL-201",
            "checking CL-301",
            "checking CL-202",
            "checking CL-004",
            "working CL-004",
            "working CL-000"
        ]
    );
    for (when, state, code) in REST {
        assert!(seen.contains(&verdict(state, code)), "{when}");
    }
}

/// The prefix ran out instead of being withdrawn: the same rung, another code.
#[test]
fn a_prefix_that_ran_out_has_a_code_of_its_own() {
    let mut world = World::started(Network::ipv6_only());
    world.pref64(ETH, PREFIX, 16);
    wait(&mut world, 20_000);
    assert_eq!(world.verdict(), verdict(State::Down, Code::Pref64Expired));
}

fn drawing() -> String {
    let mut text = String::from(
        "# The machine\n\nMade from the code by `crates/engine/tests/scenarios/ladder.rs`, which also walks every arrow; do not \
         edit by hand\n(`EVERCLAT_BLESS=1 cargo test -p everclat-engine ladder` writes it anew).\n\nThe machine is \
         level-triggered: after each event it asks from the top what holds, and the first yes decides. So\nevery state \
         can follow every other one, and none has to be left in any particular way.\n\n```mermaid\nflowchart TD\n    \
         event([something happened]) --> q0\n",
    );
    for (number, rung) in LADDER.iter().enumerate() {
        let next = if number + 1 < LADDER.len() { format!("q{}", number + 1) } else { "armed".into() };
        text += &format!(
            "    q{number}{{\"{}?\"}} -- yes --> s{number}[\"{} {}\"]\n    q{number} -- no --> {next}\n",
            rung.when,
            rung.state.name(),
            rung.code
        );
    }
    text += "    armed[\"working CL-004, then CL-000\"]\n```\n\n| when | state | code | then |\n|---|---|---|---|\n";
    for rung in &LADDER {
        text += &format!("| {} | {} | {} | {} |\n", rung.when, rung.state.name(), rung.code, rung.then);
    }
    for (when, state, code) in REST {
        text += &format!("| {when} | {} | {code} | |\n", state.name());
    }
    text + "\nBefore the first look at the network the state is checking, CL-101. A prefix that ran out instead of being\nwithdrawn is \
            CL-303 in place of CL-301. Codes and their words: `crates/model/src/code.rs`.\n"
}

#[test]
fn the_drawing_is_of_this_machine() {
    let path = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join(DRAWING);
    if std::env::var_os("EVERCLAT_BLESS").is_some() {
        std::fs::write(&path, drawing()).unwrap();
    }
    let drawn = std::fs::read_to_string(&path).unwrap_or_default();
    assert_eq!(drawn, drawing(), "write it anew with EVERCLAT_BLESS=1");
}

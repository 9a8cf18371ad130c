//! One injected failure per call into the operating system.

use std::time::Duration;

use model::{RouteKind, Status};
use platform_fake::{Call, ETH, Fake, View, ipv6_only};

use crate::support::{Service, udp4};

/// Longer than the first pause before another try.
const RETRY: Duration = Duration::from_millis(501);

/// What a failure of a call means, each time it happens.
enum Meaning {
    /// The service does not start; somebody has to look at it.
    Fatal,
    /// It says that it cannot translate, leaves nothing in place, and tries again.
    CannotTranslate,
    /// It goes on as if nothing had happened; what is lost is asked for again or counted.
    GoesOn,
    /// It goes on, and takes away later what could not be taken away at once.
    CleansLater,
}

fn meaning(call: Call) -> Meaning {
    match call {
        Call::Subscribe | Call::CleanupStale => Meaning::Fatal,
        Call::OpenTun
        | Call::OpenPort
        | Call::MakeWaker
        | Call::AddAddress
        | Call::SetMtu
        | Call::AddRoute
        | Call::Silence
        | Call::TunRecv
        | Call::TunWait
        | Call::PortRecv
        | Call::PortWait => Meaning::CannotTranslate,
        Call::Snapshot
        | Call::SolicitRouters
        | Call::ResolveNeighbour
        | Call::TunSend
        | Call::TunAbort
        | Call::PortSend
        | Call::PortSendFrame => Meaning::GoesOn,
        Call::RemoveRoute | Call::RemoveAddress | Call::Unsilence => Meaning::CleansLater,
    }
}

/// A host that forwards, so that every step of the configuration is taken.
fn host() -> Fake {
    let mut network = ipv6_only();
    network.links.get_mut(&ETH).unwrap().forwards_ipv6 = true;
    Fake::new(network)
}

fn nothing_on_the_host(view: &View) -> bool {
    (view.address, &view.route) == (None, &None) && view.silent.is_empty()
}

#[test]
fn what_it_cannot_start_without_is_said_and_nothing_is_left() {
    for call in Call::ALL.into_iter().filter(|call| matches!(meaning(*call), Meaning::Fatal)) {
        let fake = host();
        fake.fail(call);
        let error = Service::start(&fake).outcome().unwrap_err();
        assert!(format!("{error:#}").contains("fails by order"), "{call:?}: {error:#}");
        assert!(fake.view().is_clean(), "{call:?}");
    }
}

#[test]
fn a_failure_while_arming_is_cl_601_and_nothing_is_left() {
    for call in Call::ALL.into_iter().filter(|call| matches!(meaning(*call), Meaning::CannotTranslate)) {
        let fake = host();
        fake.fail(call);
        let service = Service::start(&fake);
        service.hear_prefix();
        let status = service.wait_code("CL-601");
        assert_eq!(status.state, model::State::Down);
        assert!(status.causes[0].detail.contains("fails by order"), "{call:?}: {:?}", status.causes);
        assert!(status.clat.is_none(), "{call:?}");
        fake.wait_until("the host put back", nothing_on_the_host);

        fake.heal(call);
        fake.advance(RETRY);
        service.wait_code("CL-004");
        fake.wait_until("armed", |view| view.is_armed() && !view.silent.is_empty());
        service.end().unwrap();
        assert!(fake.view().is_clean(), "{call:?}: {:?}", fake.view());
    }
}

#[test]
fn a_device_that_breaks_is_cl_601_and_comes_back() {
    let calls = [Call::TunRecv, Call::TunWait, Call::PortRecv, Call::PortWait];
    for (call, shared) in calls.into_iter().flat_map(|call| [(call, false), (call, true)]) {
        let fake = host();
        let service = Service::armed(&fake);
        if shared {
            fake.rest();
            fake.advance(Duration::from_millis(20));
            fake.rest();
        }
        assert_eq!(fake.is_shared(), shared);
        fake.fail(call);
        fake.app_sends(&[0]);
        fake.link_sends(platform_fake::ROUTER_MAC, &[0]);
        service.wait_code("CL-601");
        fake.wait_until("everything put back", View::is_clean);
        fake.heal(call);
        fake.advance(RETRY);
        let rearms = service.wait_code("CL-004").rearms;
        // Once at once, which may have seemed to work, and once when it did.
        assert!((1..=2).contains(&rearms.count), "{call:?}: {rearms:?}");
        assert_eq!(rearms.last_reason.as_deref(), Some("plane-failed"), "{call:?}");
        service.end().unwrap();
        assert!(fake.view().is_clean(), "{call:?}");
    }
}

#[test]
fn what_cannot_be_taken_away_is_taken_away_later() {
    for call in Call::ALL.into_iter().filter(|call| matches!(meaning(*call), Meaning::CleansLater)) {
        let fake = host();
        let service = Service::armed(&fake);
        fake.fail(call);
        fake.edit(|network| {
            let mut route = network.routes[0].clone();
            route.destination = "0.0.0.0/0".parse().unwrap();
            route.kind = RouteKind::Unicast;
            network.routes.push(route);
        });
        service.wait_code("CL-001");
        fake.wait_until("the tunnel closed", |view| view.tunnels == 0 && view.route.is_none());
        fake.heal(call);
        fake.advance(RETRY);
        fake.wait_until("the rest gone", View::is_clean);
        service.end().unwrap();
    }
}

#[test]
fn a_network_that_cannot_be_looked_at_is_looked_at_again() {
    let fake = host();
    fake.fail(Call::Snapshot);
    let service = Service::start(&fake);
    fake.wait_call(Call::Snapshot, 0);
    assert_eq!(service.status().state, model::State::Checking);
    fake.heal(Call::Snapshot);
    fake.advance(RETRY);
    service.hear_prefix();
    service.wait_code("CL-004");
    fake.fail(Call::Snapshot);
    let before = fake.calls().len();
    fake.edit(|network| platform_fake::unplug(network, ETH));
    fake.wait_call(Call::Snapshot, before);
    assert_eq!(service.status().code.as_str(), "CL-004", "the last good picture stays");
    service.end().unwrap();
    assert!(fake.view().is_clean());
}

#[test]
fn a_solicitation_that_cannot_be_sent_is_no_reason_to_wait() {
    let fake = host();
    fake.fail(Call::SolicitRouters);
    Service::armed(&fake).end().unwrap();
}

#[test]
fn a_router_that_cannot_be_resolved_is_cl_202() {
    let mut network = ipv6_only();
    let router = network.neighbours.pop().unwrap();
    let fake = Fake::new(network);
    fake.fail(Call::ResolveNeighbour);
    let service = Service::start(&fake);
    service.hear_prefix();
    service.wait_code("CL-202");
    fake.edit(|network| network.neighbours.push(router));
    service.wait_code("CL-004");
    service.end().unwrap();
}

#[test]
fn packets_that_are_not_taken_are_counted() {
    let errors = |status: &Status| status.clat.as_ref().and_then(|clat| clat.drops.get("send-error").copied());
    let packet = udp4((model::DEFAULT_CLAT_V4, 4660), ([198, 51, 100, 7].into(), 53), b"hello");
    let reply = |x| crate::support::udp6(("64:ff9b::c633:6407".parse().unwrap(), 53), (x, 4660), b"hello");
    for call in [Call::PortSend, Call::PortSendFrame, Call::TunSend] {
        let fake = host();
        let service = Service::armed(&fake);
        let before = fake.calls().len();
        fake.fail(call);
        fake.app_sends(&packet);
        fake.link_sends(platform_fake::ROUTER_MAC, &reply(service.status().clat.unwrap().v6));
        // The second is over: X is announced.
        fake.advance(Duration::from_millis(1_002));
        fake.wait_call(call, before);
        let status = service.ask_until("a counted error", |status| errors(status).is_some());
        assert!(status.is_ready(), "{call:?}");
        service.end().unwrap();
        assert!(fake.view().is_clean());
    }
}

#[test]
fn a_system_that_no_longer_tells_ends_the_service_cleanly() {
    let fake = host();
    let service = Service::armed(&fake);
    fake.go_deaf();
    let error = service.outcome().unwrap_err();
    assert!(error.to_string().contains("no longer tells"), "{error}");
    assert!(fake.view().is_clean(), "{:?}", fake.view());
}

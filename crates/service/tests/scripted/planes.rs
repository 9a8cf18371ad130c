//! Arming, moving and standing back.

use std::net::Ipv6Addr;
use std::time::Duration;

use model::{Route, RouteKind};
use platform_fake::{Call, ETH, Fake, ROUTER, Sent, add_ethernet, ipv6_only, unplug};

use crate::support::Service;

pub(crate) fn native() -> Route {
    Route {
        destination: "0.0.0.0/0".parse().unwrap(),
        gateway: Some("192.168.1.1".parse().unwrap()),
        link: ETH,
        metric: 100,
        kind: RouteKind::Unicast,
        ours: false,
    }
}

#[test]
fn arming_and_standing_back_leave_no_thread_and_no_handle() {
    let fake = Fake::new(ipv6_only());
    let service = Service::armed(&fake);
    for _ in 0..20 {
        fake.edit(|network| network.routes.push(native()));
        // The handles live in what the threads share: when they are gone, so are the threads.
        fake.wait_until("everything put back", platform_fake::View::is_clean);
        fake.edit(|network| network.routes.retain(|route| !route.is_ipv4_default()));
        fake.wait_until("armed again", platform_fake::View::is_armed);
    }
    assert_eq!(service.wait_code("CL-004").rearms.count, 20);
    service.end().unwrap();
    assert!(fake.view().is_clean(), "{:?}", fake.view());
}

#[test]
fn after_sleep_x_is_claimed_again_and_ipv4_stays() {
    let fake = Fake::new(ipv6_only());
    let service = Service::armed(&fake);
    let x = service.status().clat.unwrap().v6;
    let solicits = |from: [u8; 16], target: [u8; 16]| loop {
        if let Sent::Frame(frame) = fake.link_gets_on(ETH)
            && (frame[22..38] == from, frame[62..78] == target, frame[54] == 135) == (true, true, true)
        {
            return;
        }
    };
    // Duplicate detection asks from the unspecified address.
    let claims = || solicits([0; 16], x.octets());
    claims();
    fake.rest();
    fake.advance(Duration::from_secs(1));
    // The first that is asked from X: it is ours.
    solicits(x.octets(), ROUTER.parse::<Ipv6Addr>().unwrap().octets());
    let calls = fake.calls().len();
    let intents = fake.intents().len();
    fake.sleep(Duration::from_secs(8 * 3600));
    claims();
    fake.wait_call(Call::SolicitRouters, calls);
    assert_eq!(fake.intents().len(), intents, "the host need not notice");
    assert!(fake.view().is_armed());
    service.end().unwrap();
}

#[test]
fn the_route_goes_before_the_tunnel() {
    let fake = Fake::new(ipv6_only());
    let service = Service::armed(&fake);
    fake.edit(|network| network.routes.push(native()));
    service.wait_code("CL-001");
    assert!(fake.calls().contains(&Call::RemoveRoute), "the tunnel would have taken it unasked");
    service.end().unwrap();
}

#[test]
fn a_lost_uplink_is_replaced_and_the_tunnel_stays() {
    let mut network = ipv6_only();
    add_ethernet(&mut network, 3, "wlan0", "2001:db8:2::5/64", 600);
    let fake = Fake::new(network);
    let service = Service::armed(&fake);
    fake.hear(3, &platform_fake::pref64_option(model::Pref64::WELL_KNOWN, 1800));
    fake.edit(|network| unplug(network, ETH));
    fake.wait_until("moved", |view| view.route.as_ref().is_some_and(|route| route.uplink == 3));
    let status = service.wait_code("CL-004");
    assert_eq!(status.uplink.unwrap().name, "wlan0");
    assert_eq!((status.rearms.count, status.rearms.last_reason.as_deref()), (1, Some("uplink-changed")));
    assert_eq!(fake.calls().iter().filter(|call| **call == Call::OpenTun).count(), 1);
    fake.wait_until("the old port closed", |view| view.ports == 1);
    service.end().unwrap();
    assert!(fake.view().is_clean());
}

#[test]
fn stopping_while_the_network_changes_leaves_nothing() {
    for _ in 0..10 {
        let fake = Fake::new(ipv6_only());
        let service = Service::start(&fake);
        service.hear_prefix();
        fake.edit(|network| unplug(network, ETH));
        service.end().unwrap();
        assert!(fake.view().is_clean(), "{:?}", fake.view());
    }
}

#[test]
fn what_a_former_process_left_is_removed_first() {
    let fake = Fake::new(ipv6_only());
    fake.leave_behind(&["everclat0"]);
    let service = Service::start(&fake);
    service.status();
    assert_eq!(fake.calls()[..2], [Call::CleanupStale, Call::Subscribe]);
    service.end().unwrap();
}

#[test]
fn the_configuration_file_counts() {
    let fake = Fake::new(ipv6_only());
    let service = Service::start_with(&fake, "Pref64Static = [\"2001:db8:64::/96\"]\nMtu = 1300\n");
    let status = service.wait_code("CL-004");
    assert_eq!(status.pref64[0].prefix.to_string(), "2001:db8:64::/96");
    assert_eq!(status.clat.unwrap().mtu, 1300);
    assert_eq!(fake.view().device_mtu, Some(1480));
    service.end().unwrap();
    let service = Service::start_with(&fake, "Enabled = false\n");
    service.hear_prefix();
    service.wait_code("CL-003");
    assert!(fake.view().is_clean());
    service.end().unwrap();
}

#[test]
fn a_route_that_somebody_takes_away_is_put_back() {
    let fake = Fake::new(ipv6_only());
    let service = Service::armed(&fake);
    let before = fake.intents().len();
    fake.undo_route();
    fake.wait_until("armed again", platform_fake::View::is_armed);
    assert_eq!(fake.intents().len(), before + 1);
    let rearms = service.status().rearms;
    assert_eq!((rearms.count, rearms.last_reason.as_deref()), (1, Some("undone")));
    service.end().unwrap();
}

//! Against a bus of its own, with stand-ins for the services. It needs the program `dbus-daemon`.

mod bus;

use std::net::Ipv6Addr;
use std::path::Path;
use std::time::Duration;

use model::LinkNews;
use tokio::time::timeout;

use super::*;
use bus::{Daemon, Mood, Stage};

/// No test may hear of a real interface.
const ETH0: u32 = 4_000_002;
const WG0: u32 = 4_000_003;
const SOON: Duration = Duration::from_secs(5);

struct Listener {
    links: watch::Sender<NewsLinks>,
    events: mpsc::Receiver<HostEvent>,
    files: tempfile::TempDir,
}

impl Listener {
    /// With `eth0` as the only uplink.
    async fn start(address: &str) -> Self {
        let files = tempfile::tempdir().unwrap();
        std::fs::create_dir(files.path().join("hints")).unwrap();
        let places = Places {
            bus: Address(Some(address.into())),
            files: Files { resolvers: vec![files.path().join("resolv.conf")], hints: vec![files.path().join("hints")] },
        };
        let (links, (sender, events)) = (watch::Sender::default(), mpsc::channel(16));
        listen(places, links.subscribe(), sender);
        // The listeners wait for the first snapshot.
        tokio::task::yield_now().await;
        let listener = Self { links, events, files };
        listener.set("eth0", ETH0, LinkKind::Ethernet, true);
        listener
    }

    fn set(&self, name: &str, index: u32, kind: LinkKind, uplink: bool) {
        self.links.send_modify(|links| {
            links.insert(index, NewsLink { name: name.into(), uplink, kind });
        });
    }

    fn write(&self, text: &str) {
        let new = self.files.path().join("new");
        std::fs::write(&new, text).unwrap();
        std::fs::rename(new, self.files.path().join("resolv.conf")).unwrap();
    }

    async fn next(&mut self) -> LinkNews {
        let event = timeout(SOON, self.events.recv()).await.expect("some news").expect("a listener");
        let HostEvent::News { link: ETH0, news } = event else { panic!("{event:?}") };
        // Looks that are under way for other reasons end here: what a test does next is seen by its own hint only.
        tokio::time::sleep(Duration::from_millis(300)).await;
        news
    }

    async fn silent(&mut self) {
        let heard = timeout(Duration::from_millis(400), self.events.recv()).await;
        assert!(heard.is_err(), "{heard:?}");
    }
}

fn list(last: &[u16]) -> Vec<Ipv6Addr> {
    last.iter().map(|last| Ipv6Addr::new(0x2001, 0xdb8, 0, 0, 0, 0, 0, *last)).collect()
}

fn resolvers(last: &[u16]) -> LinkNews {
    LinkNews::Resolvers(list(last))
}

#[tokio::test]
async fn leases_of_network_manager_are_followed() {
    let daemon = Daemon::start();
    let stage = Stage::enter(&daemon, network_manager::NAME).await;
    stage.device("/d/2", &[("DeviceType", 1), ("Ip6Connectivity", 4)], "eth0", "/l/2");
    stage.lease("/l/2", "2001:db8::1 2001:db8::2");
    let mut listener = Listener::start(&daemon.address).await;
    assert_eq!(listener.next().await, resolvers(&[1, 2]));

    stage.lease("/l/2", "2001:db8::3");
    stage.changed("/l/2", network_manager::LEASE).await;
    assert_eq!(listener.next().await, resolvers(&[3]));

    stage.device("/d/2", &[("DeviceType", 1)], "eth0", "/");
    stage.changed("/d/2", network_manager::DEVICE).await;
    assert_eq!(listener.next().await, resolvers(&[]));

    stage.device("/d/2", &[("DeviceType", 1)], "eth0", "/l/2");
    stage.changed("/d/2", network_manager::DEVICE).await;
    assert_eq!(listener.next().await, resolvers(&[3]));
    drop(stage);
    assert_eq!(listener.next().await, resolvers(&[]), "NetworkManager has gone");
    listener.silent().await;
}

/// What a service has said holds until it says something else, or goes.
#[tokio::test]
async fn a_question_that_fails_takes_nothing_back_and_is_asked_again() {
    let daemon = Daemon::start();
    let stage = Stage::enter(&daemon, network_manager::NAME).await;
    stage.device("/d/2", &[("DeviceType", 1), ("Ip6Connectivity", 2)], "eth0", "/l/2");
    stage.lease("/l/2", "2001:db8::1");
    let mut listener = Listener::start(&daemon.address).await;
    assert_eq!(listener.next().await, resolvers(&[1]));
    assert_eq!(listener.next().await, LinkNews::Portal(true));

    // All of it, one device, its lease.
    for (about, server) in [(None, 2), (Some("/d/2"), 3), (Some("/l/2"), 4)] {
        stage.mood(Mood::Refusing, about);
        stage.changed("/d/2", network_manager::DEVICE).await;
        listener.silent().await;
        stage.lease("/l/2", &format!("2001:db8::{server}"));
        stage.mood(Mood::Helpful, None);
        assert_eq!(listener.next().await, resolvers(&[server]), "asked again without being told to, about {about:?}");
    }
    stage.mood(Mood::Refusing, None);
    stage.changed("/d/2", network_manager::DEVICE).await;
    listener.silent().await;
    drop(stage);
    assert_eq!(listener.next().await, resolvers(&[]), "now it has gone");
    assert_eq!(listener.next().await, LinkNews::Portal(false));
}

#[tokio::test]
async fn a_service_that_hangs_takes_nothing_back() {
    let daemon = Daemon::start();
    let stage = Stage::enter(&daemon, resolved::NAME).await;
    stage.servers(&[(ETH0, 1)]);
    let mut listener = Listener::start(&daemon.address).await;
    assert_eq!(listener.next().await, resolvers(&[1]));
    stage.mood(Mood::Hanging, None);
    stage.changed("/org/freedesktop/resolve1", resolved::MANAGER).await;
    let heard = timeout(SOON + Duration::from_secs(1), listener.events.recv()).await;
    assert!(heard.is_err(), "a time-out says nothing: {heard:?}");
    stage.servers(&[(ETH0, 2)]);
    stage.mood(Mood::Helpful, None);
    assert_eq!(listener.next().await, resolvers(&[2]));
}

#[tokio::test]
async fn a_device_that_went_between_two_questions_is_no_failure() {
    let daemon = Daemon::start();
    let stage = Stage::enter(&daemon, networkd::NAME).await;
    stage.describe(ETH0, "configured", &[("DHCPv6", 1)]);
    let mut listener = Listener::start(&daemon.address).await;
    assert_eq!(listener.next().await, resolvers(&[1]));
    stage.undescribe();
    stage.changed("/org/freedesktop/network1/link/_32", networkd::LINK).await;
    assert_eq!(listener.next().await, resolvers(&[]));
    // An answer is no reason to ask again.
    let asked = stage.asked();
    listener.silent().await;
    tokio::time::sleep(Duration::from_secs(2)).await;
    assert_eq!(stage.asked(), asked);
}

#[tokio::test]
async fn a_captive_portal_comes_and_goes() {
    let daemon = Daemon::start();
    let stage = Stage::enter(&daemon, network_manager::NAME).await;
    for (key, captive) in [("Ip6Connectivity", true), ("Ip6Connectivity", false), ("Ip4Connectivity", true)] {
        let connectivity = if captive { 2 } else { 4 };
        stage.device("/d/2", &[("DeviceType", 2), (key, connectivity)], "eth0", "/");
        let mut listener = Listener::start(&daemon.address).await;
        if captive {
            assert_eq!(listener.next().await, LinkNews::Portal(true));
            stage.device("/d/2", &[("DeviceType", 2), (key, 4)], "eth0", "/");
            stage.changed("/d/2", network_manager::DEVICE).await;
            assert_eq!(listener.next().await, LinkNews::Portal(false));
        }
        listener.silent().await;
    }
}

#[tokio::test]
async fn a_vpn_has_no_say() {
    let daemon = Daemon::start();
    let stage = Stage::enter(&daemon, network_manager::NAME).await;
    stage.lease("/l/2", "2001:db8::1");
    // WireGuard, tun, PPP: even by the uplink's own name.
    for kind in [29, 16, 23] {
        stage.device("/d/2", &[("DeviceType", kind), ("Ip6Connectivity", 2)], "eth0", "/l/2");
        Listener::start(&daemon.address).await.silent().await;
    }
    stage.device("/d/3", &[("DeviceType", 1)], "wg0", "/l/2");
    let mut listener = Listener::start(&daemon.address).await;
    listener.set("wg0", WG0, LinkKind::PointToPoint, false);
    listener.silent().await;
}

#[tokio::test]
async fn a_link_that_comes_back_is_told_again() {
    let daemon = Daemon::start();
    let stage = Stage::enter(&daemon, network_manager::NAME).await;
    stage.device("/d/2", &[("DeviceType", 1)], "eth0", "/l/2");
    stage.lease("/l/2", "2001:db8::1");
    let mut listener = Listener::start(&daemon.address).await;
    assert_eq!(listener.next().await, resolvers(&[1]));
    listener.set("eth0", ETH0, LinkKind::Ethernet, false);
    listener.silent().await;
    listener.set("eth0", ETH0, LinkKind::Ethernet, true);
    assert_eq!(listener.next().await, resolvers(&[1]));
}

#[tokio::test]
async fn networkd_tells_manual_servers_apart_and_its_folder_says_when() {
    let daemon = Daemon::start();
    let stage = Stage::enter(&daemon, networkd::NAME).await;
    stage.describe(ETH0, "configured", &[("static", 1), ("DHCPv6", 2), ("NDisc", 3), ("runtime", 4)]);
    let mut listener = Listener::start(&daemon.address).await;
    assert_eq!(listener.next().await, resolvers(&[2, 3]));

    stage.describe(ETH0, "configured", &[("DHCPv6", 5)]);
    std::fs::write(listener.files.path().join("hints/2"), "DNS=").unwrap();
    assert_eq!(listener.next().await, resolvers(&[5]));

    stage.describe(ETH0, "configured", &[("static", 5)]);
    stage.changed("/org/freedesktop/network1/link/_32", networkd::LINK).await;
    assert_eq!(listener.next().await, resolvers(&[]));
}

#[tokio::test]
async fn resolved_is_believed_where_nobody_knows_better() {
    let daemon = Daemon::start();
    let stage = Stage::enter(&daemon, resolved::NAME).await;
    stage.servers(&[(0, 9), (ETH0, 1), (WG0, 8)]);
    let mut listener = Listener::start(&daemon.address).await;
    assert_eq!(listener.next().await, resolvers(&[1]));
    stage.servers(&[(ETH0, 1), (ETH0, 2)]);
    stage.changed("/org/freedesktop/resolve1", resolved::MANAGER).await;
    assert_eq!(listener.next().await, resolvers(&[1, 2]));

    // networkd comes, manages the link, and knows that a hand gave the second one.
    let networkd = Stage::enter(&daemon, networkd::NAME).await;
    networkd.describe(ETH0, "configured", &[("DHCPv6", 1), ("static", 2)]);
    networkd.changed("/org/freedesktop/network1/link/_32", networkd::LINK).await;
    // Between its name and its first link nothing is managed yet.
    let mut heard = listener.next().await;
    while heard == resolvers(&[1, 2]) {
        heard = listener.next().await;
    }
    assert_eq!(heard, resolvers(&[1]));
    networkd.describe(ETH0, "unmanaged", &[]);
    networkd.changed("/org/freedesktop/network1/link/_32", networkd::LINK).await;
    assert_eq!(listener.next().await, resolvers(&[1, 2]));
}

#[tokio::test]
async fn a_bus_that_restarts_is_found_again() {
    let mut daemon = Daemon::start();
    let stage = Stage::enter(&daemon, network_manager::NAME).await;
    stage.device("/d/2", &[("DeviceType", 1)], "eth0", "/l/2");
    stage.lease("/l/2", "2001:db8::1");
    let mut listener = Listener::start(&daemon.address).await;
    assert_eq!(listener.next().await, resolvers(&[1]));

    daemon.restart();
    let stage = Stage::enter(&daemon, network_manager::NAME).await;
    stage.device("/d/2", &[("DeviceType", 1)], "eth0", "/l/2");
    stage.lease("/l/2", "2001:db8::7");
    assert_eq!(listener.next().await, resolvers(&[7]), "and what was known outlived the pause");
    stage.lease("/l/2", "2001:db8::8");
    stage.changed("/l/2", network_manager::LEASE).await;
    assert_eq!(listener.next().await, resolvers(&[8]));
}

#[tokio::test]
async fn a_bus_that_comes_back_mute_takes_nothing_back() {
    let daemon = Daemon::start();
    let stage = Stage::enter(&daemon, network_manager::NAME).await;
    stage.device("/d/2", &[("DeviceType", 1)], "eth0", "/l/2");
    stage.lease("/l/2", "2001:db8::1");
    let mut listener = Listener::start(&daemon.address).await;
    assert_eq!(listener.next().await, resolvers(&[1]));
    let path = daemon.path();
    drop(daemon);
    let _ = std::fs::remove_file(&path);
    std::fs::create_dir_all(path.parent().unwrap()).unwrap();
    // It lets everybody connect and says nothing.
    let mute = std::os::unix::net::UnixListener::bind(&path).unwrap();
    let heard = timeout(SOON + Duration::from_secs(2), listener.events.recv()).await;
    assert!(heard.is_err(), "{heard:?}");
    drop(mute);
    std::fs::remove_file(&path).unwrap();
    assert_eq!(listener.next().await, resolvers(&[]), "no bus, no services");
}

#[tokio::test]
async fn without_a_bus_a_file_has_to_do() {
    let mut listener = Listener::start("unix:path=/nonexistent/bus").await;
    listener.silent().await;
    listener.write("nameserver 2001:db8::1\nnameserver 127.0.0.53\n");
    assert_eq!(listener.next().await, resolvers(&[1]));
    listener.set("wg0", WG0, LinkKind::PointToPoint, false);
    assert_eq!(listener.next().await, resolvers(&[]), "it may be the tunnel's");
    listener.links.send_modify(|links| drop(links.remove(&WG0)));
    assert_eq!(listener.next().await, resolvers(&[1]));

    // A link to a file in a folder that was not listened to.
    let elsewhere = tempfile::tempdir().unwrap();
    std::fs::write(elsewhere.path().join("upstream"), "nameserver 2001:db8::2").unwrap();
    std::os::unix::fs::symlink(elsewhere.path().join("upstream"), listener.files.path().join("new")).unwrap();
    std::fs::rename(listener.files.path().join("new"), listener.files.path().join("resolv.conf")).unwrap();
    assert_eq!(listener.next().await, resolvers(&[2]));
    std::fs::write(elsewhere.path().join("upstream"), "nameserver 2001:db8::3").unwrap();
    assert_eq!(listener.next().await, resolvers(&[3]));
    std::fs::remove_file(listener.files.path().join("resolv.conf")).unwrap();
    assert_eq!(listener.next().await, resolvers(&[]));
}

#[tokio::test]
async fn a_file_is_not_believed_where_services_speak() {
    let daemon = Daemon::start();
    let stage = Stage::enter(&daemon, resolved::NAME).await;
    let mut listener = Listener::start(&daemon.address).await;
    listener.write("nameserver 2001:db8::1");
    listener.silent().await;
    drop(stage);
    assert_eq!(listener.next().await, resolvers(&[1]));
}

#[tokio::test]
async fn everything_ends_with_the_host() {
    let daemon = Daemon::start();
    let before = tokio::runtime::Handle::current().metrics().num_alive_tasks();
    let listener = Listener::start(&daemon.address).await;
    tokio::time::sleep(Duration::from_millis(300)).await;
    let Listener { links, mut events, .. } = listener;
    drop(links);
    assert_eq!(timeout(SOON, events.recv()).await, Ok(None));
    tokio::time::sleep(Duration::from_millis(300)).await;
    assert_eq!(tokio::runtime::Handle::current().metrics().num_alive_tasks(), before);
}

#[test]
fn the_usual_places_are_the_system_s() {
    let Places { bus: Address(address), files } = Places::default();
    assert_eq!(address, None);
    assert_eq!(files.resolvers[0], Path::new("/etc/resolv.conf"));
}

#[test]
fn pauses_grow_to_a_minute_and_begin_afresh_after_success() {
    let mut backoff = Backoff::new();
    let pauses: Vec<u64> = (0..8).map(|_| backoff.pause(Duration::ZERO).as_secs()).collect();
    assert_eq!(pauses, [1, 2, 4, 8, 16, 32, 60, 60]);
    assert_eq!(backoff.pause(Duration::from_secs(61)).as_secs(), 1);
    assert_eq!(backoff.pause(Duration::ZERO).as_secs(), 2);
}

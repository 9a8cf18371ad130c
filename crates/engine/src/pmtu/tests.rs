use model::Pref64;

use super::*;

const SERVER: Ipv4Addr = Ipv4Addr::new(198, 51, 100, 7);
const OTHER: Ipv4Addr = Ipv4Addr::new(203, 0, 113, 7);
const PLACE: Place = Place { link: 2, pref64: Pref64::WELL_KNOWN };
const LINK: u16 = 1500;
/// What a full-sized segment has: the IPv4 route's MTU is 28 below the uplink's, and the header grows by 20.
const FULL: u16 = 1492;

/// A path and the servers behind it, in virtual time.
struct Path {
    pmtu: PathMtu,
    now: Timestamp,
    /// Larger packets vanish.
    takes: u16,
    /// Who answers, and up to which size of his own.
    servers: Vec<(Ipv4Addr, u16)>,
    /// So many of a hundred packets are lost.
    loses: u64,
    chance: u64,
    sent: u64,
    largest: u16,
}

impl Path {
    fn taking(takes: u16) -> Self {
        let servers = vec![(SERVER, u16::MAX), (OTHER, u16::MAX)];
        let (pmtu, now) = (PathMtu::default(), Timestamp::ZERO);
        Self { pmtu, now, takes, servers, loses: 0, chance: 1, sent: 0, largest: 0 }
    }

    fn suspect(&mut self, size: u16) {
        self.pmtu.suspect(PLACE, LINK, size, vec![SERVER, OTHER], self.now);
    }

    /// Lets time pass; says how often what is known has changed.
    fn run(&mut self, seconds: u64) -> usize {
        let end = self.now + Duration::from_secs(seconds);
        let mut changes = 0;
        while let Some(at) = self.pmtu.next(PLACE).filter(|at| *at <= end) {
            assert!(at >= self.now, "time does not go back");
            self.now = at;
            let (asked, changed) = self.pmtu.due(PLACE, self.now);
            changes += usize::from(changed);
            for (server, size) in asked.into_iter().flatten() {
                self.sent += 1;
                self.largest = self.largest.max(size);
                // A request and its answer are lost alike.
                let lost = (0..2).any(|_| {
                    self.chance =
                        self.chance.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
                    (self.chance >> 33) % 100 < self.loses
                });
                let known = self.servers.iter().find(|(known, _)| *known == server);
                if !lost && size <= self.takes && known.is_some_and(|(_, up_to)| size <= *up_to) {
                    self.pmtu.answered(PLACE, server, size);
                }
            }
        }
        self.now = end;
        changes
    }
}

#[test]
fn the_largest_size_that_passes_is_found() {
    for takes in [1280, 1281, 1299, 1300, 1399, 1400, 1420, 1452, 1480, 1491] {
        let mut path = Path::taking(takes);
        path.suspect(FULL);
        assert_eq!(path.pmtu.of(PLACE), None, "nothing is said before it is known");
        path.run(3);
        assert!(path.pmtu.of(PLACE).is_some_and(|mtu| mtu <= takes), "{takes}: held to something soon");
        path.run(7);
        assert_eq!(path.pmtu.of(PLACE), Some(takes));
        assert!(path.sent < 200 && path.largest <= FULL, "{takes}: {} packets", path.sent);
    }
}

#[test]
fn never_below_what_every_ipv6_path_takes() {
    let mut path = Path::taking(1000);
    path.suspect(FULL);
    path.run(20);
    assert_eq!(path.pmtu.of(PLACE), Some(1280));
}

#[test]
fn a_path_that_takes_it_is_left_alone_and_not_asked_again_at_once() {
    let mut path = Path::taking(LINK);
    for _ in 0..20 {
        path.suspect(FULL);
        assert_eq!(path.run(1), 0);
    }
    assert_eq!(path.pmtu.of(PLACE), None);
    assert!(path.sent < 100, "{}", path.sent);
    assert_eq!(path.pmtu.next(PLACE), None, "nothing is due");
}

#[test]
fn loss_is_no_narrow_path() {
    for loses in [1, 10, 20] {
        let mut path = Path::taking(LINK);
        path.loses = loses;
        for _ in 0..1_000 {
            path.suspect(FULL);
            path.run(61);
            assert_eq!(path.pmtu.of(PLACE), None, "{loses} of a hundred");
        }
    }
}

#[test]
fn servers_that_answer_nothing_accuse_nobody() {
    let mut path = Path::taking(1400);
    path.servers.clear();
    path.suspect(FULL);
    path.run(20);
    assert_eq!(path.pmtu.of(PLACE), None);
}

#[test]
fn one_server_that_takes_no_large_ones_is_not_the_path() {
    let mut path = Path::taking(LINK);
    path.servers[0].1 = 1300;
    path.suspect(FULL);
    path.run(20);
    assert_eq!(path.pmtu.of(PLACE), None, "the other one does");
}

#[test]
fn it_is_asked_again_after_ten_minutes_and_lifted_when_the_path_is_wide() {
    let mut path = Path::taking(1400);
    path.suspect(FULL);
    path.run(10);
    assert_eq!(path.pmtu.of(PLACE), Some(1400));
    path.takes = 1440;
    path.run(580);
    assert_eq!(path.pmtu.of(PLACE), Some(1400), "not before");
    path.run(40);
    assert_eq!(path.pmtu.of(PLACE), Some(1440), "a little wider");
    path.takes = LINK;
    assert_eq!(path.run(640), 1);
    assert_eq!(path.pmtu.of(PLACE), None);
    path.suspect(FULL);
    path.takes = 1300;
    path.run(10);
    assert_eq!(path.pmtu.of(PLACE), None, "found innocent a moment ago");
}

#[test]
fn servers_that_have_gone_leave_it_as_it_is() {
    let mut path = Path::taking(1400);
    path.suspect(FULL);
    path.run(10);
    path.servers.clear();
    assert_eq!(path.run(2_000), 0);
    assert_eq!(path.pmtu.of(PLACE), Some(1400));
}

#[test]
fn a_path_that_becomes_narrower_still_is_measured_again() {
    let mut path = Path::taking(1400);
    path.suspect(FULL);
    path.run(10);
    let before = path.sent;
    path.suspect(FULL);
    path.run(1);
    assert_eq!(path.sent, before, "what is known to vanish is no news");
    path.takes = 1320;
    path.suspect(1400);
    path.run(10);
    assert_eq!(path.pmtu.of(PLACE), Some(1320));
    path.takes = LINK;
    path.run(700);
    assert_eq!(path.pmtu.of(PLACE), None, "lifted as a whole");
}

#[test]
fn a_false_alarm_below_the_bound_leaves_the_bound() {
    let mut path = Path::taking(1400);
    path.suspect(FULL);
    path.run(10);
    path.suspect(1380);
    path.run(10);
    assert_eq!(path.pmtu.of(PLACE), Some(1400));
}

#[test]
fn what_was_found_ends_with_the_network_and_with_the_uplinks_mtu() {
    let found = || {
        let mut path = Path::taking(1400);
        path.suspect(FULL);
        path.run(10);
        path.pmtu
    };
    let mut pmtu = found();
    pmtu.link_mtu(PLACE, LINK);
    pmtu.links(&[2]);
    pmtu.forget(3);
    assert_eq!(pmtu.of(PLACE), Some(1400));
    pmtu.link_mtu(PLACE, 1492);
    assert_eq!(pmtu.of(PLACE), None);
    let mut pmtu = found();
    pmtu.links(&[3]);
    assert_eq!(pmtu.of(PLACE), None);
    let mut pmtu = found();
    pmtu.forget(2);
    assert_eq!(pmtu.of(PLACE), None);
    let mut pmtu = found();
    pmtu.restart();
    assert_eq!(pmtu.of(PLACE), None);
}

#[test]
fn small_packets_are_never_suspicious() {
    let mut path = Path::taking(1000);
    path.suspect(1280);
    path.run(10);
    assert_eq!((path.sent, path.pmtu.of(PLACE)), (0, None));
}

//! How often IPv4 was lost, why, and how long it took to come back.

use std::collections::VecDeque;
use std::time::Duration;

use model::{Code, Departure, PlaneConfig, REARM_REASONS, RearmStep, State, Timestamp};

/// So many are remembered: a bad day of a laptop, and few enough to be in every status.
const KEPT: usize = 32;

/// One re-arming.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Rearmed {
    /// Which one, counted from 1.
    pub number: u64,
    /// When IPv4 was armed again.
    pub at: Timestamp,
    /// Why: one of [`REARM_REASONS`].
    pub reason: &'static str,
    /// From the loss until then; without the time in which nobody missed us.
    pub gap: Duration,
    /// How long nobody missed us before that.
    pub standby: Option<Duration>,
    /// The uplink before.
    pub from: String,
    /// The uplink after.
    pub to: String,
    /// Why the uplink was left for one that was there.
    pub left: Option<Departure>,
    /// What was done, in order.
    pub done: Vec<RearmStep>,
    /// From then until IPv4 was first seen to work.
    pub first_reply: Option<Duration>,
    /// Flows that could not go on and were ended in the eyes of their apps, so far.
    pub flows_ended: u64,
}

/// IPv4 is away.
#[derive(Clone, Debug)]
struct Outage {
    since: Timestamp,
    reason: &'static str,
    /// When the last time began in which nobody missed us.
    stood: Option<Timestamp>,
    /// It goes on.
    standing: bool,
    left: Option<Departure>,
    done: Vec<RearmStep>,
    /// The plane that is to serve again has been answered already.
    replied: bool,
    flows_ended: u64,
}

/// Accounts of losses and re-armings.
#[derive(Clone, Debug, Default)]
pub(crate) struct Rearming {
    outage: Option<Outage>,
    pub(crate) count: u64,
    /// Newest first.
    history: VecDeque<Rearmed>,
    /// What was armed last.
    armed_with: Option<PlaneConfig>,
    /// The newest one has not been seen to work: packets received until it was looked at, once it was.
    unproven: Option<Option<u64>>,
}

impl Rearming {
    /// The last ones, newest first.
    pub(crate) fn history(&self) -> impl Iterator<Item = &Rearmed> {
        self.history.iter()
    }

    /// IPv4 through us is lost; the first reason counts.
    pub(crate) fn lost(&mut self, reason: &'static str, now: Timestamp) {
        debug_assert!(REARM_REASONS.contains(&reason), "{reason} is no word of the status document");
        self.unproven = None;
        self.outage.get_or_insert(Outage {
            since: now,
            reason,
            stood: None,
            standing: false,
            left: None,
            done: Vec::new(),
            replied: false,
            flows_ended: 0,
        });
    }

    /// Why the uplink is left for another one; the first reason counts.
    pub(crate) fn left(&mut self, why: Departure) {
        if let Some(outage) = &mut self.outage {
            outage.left.get_or_insert(why);
        }
    }

    /// Something is done to have IPv4 back.
    pub(crate) fn note(&mut self, step: RearmStep) {
        if let Some(outage) = self.outage.as_mut().filter(|outage| !outage.done.contains(&step)) {
            outage.done.push(step);
        }
    }

    /// So many flows were ended, because of this loss or the last one.
    pub(crate) fn ended(&mut self, flows: u64) {
        let sum = match &mut self.outage {
            Some(outage) => Some(&mut outage.flows_ended),
            None => self.history.front_mut().map(|newest| &mut newest.flows_ended),
        };
        if let Some(sum) = sum {
            *sum = sum.saturating_add(flows);
        }
    }

    /// Nobody misses us now, because others provide IPv4 or a person has paused us. What is measured begins when
    /// that ends.
    pub(crate) fn not_missed(&mut self, reason: &'static str, now: Timestamp) {
        if let Some(outage) = &mut self.outage {
            (outage.since, outage.reason) = (now, reason);
            if !std::mem::replace(&mut outage.standing, true) {
                outage.stood = Some(now);
                (outage.left, outage.done) = (None, Vec::new());
            }
        }
    }

    /// We would be of use now.
    pub(crate) fn missed(&mut self) {
        if let Some(outage) = &mut self.outage {
            outage.standing = false;
        }
    }

    /// Another plane than before is to serve: nobody has answered it yet.
    pub(crate) fn replaced(&mut self) {
        if let Some(outage) = &mut self.outage {
            outage.replied = false;
        }
    }

    /// IPv4 works. Says whether that is news of the last re-arming.
    pub(crate) fn replied(&mut self, now: Timestamp) -> bool {
        if let Some(outage) = &mut self.outage {
            outage.replied = true;
            return false;
        }
        let is_news = self.unproven.take().is_some();
        if let Some(newest) = self.history.front_mut().filter(|_| is_news) {
            newest.first_reply = Some(now.since(newest.at));
        }
        is_news
    }

    /// So many packets have come back so far; a plane that serves on does not tell of its first one. What came before the
    /// first look may have come before the loss. Says whether that is news of the last re-arming.
    pub(crate) fn sampled(&mut self, received: u64, now: Timestamp) -> bool {
        match &mut self.unproven {
            Some(Some(before)) if *before < received => self.replied(now),
            Some(before) => {
                before.get_or_insert(received);
                false
            }
            None => false,
        }
    }

    /// IPv4 is armed with `config`. Gives what there is to tell if it had been lost.
    pub(crate) fn armed(&mut self, config: &PlaneConfig, now: Timestamp) -> Option<&Rearmed> {
        let before = match &mut self.armed_with {
            // Most of the time nothing has happened.
            Some(known) if self.outage.is_none() && known == config => return None,
            known => known.replace(config.clone()),
        };
        let outage = self.outage.take()?;
        self.count = self.count.saturating_add(1);
        let before = before.as_ref().unwrap_or(config);
        let mut done = outage.done;
        done.extend(changes(before, config));
        self.unproven = (!outage.replied).then_some(None);
        self.history.push_front(Rearmed {
            number: self.count,
            at: now,
            reason: outage.reason,
            gap: now.since(outage.since),
            standby: outage.stood.map(|stood| outage.since.since(stood)),
            from: before.uplink.name.clone(),
            to: config.uplink.name.clone(),
            left: outage.left,
            done,
            first_reply: outage.replied.then_some(Duration::ZERO),
            flows_ended: outage.flows_ended,
        });
        self.history.truncate(KEPT);
        self.history.front()
    }
}

/// In what the plane differs from what it was when IPv4 was last armed.
fn changes(old: &PlaneConfig, new: &PlaneConfig) -> Vec<RearmStep> {
    let mut steps = Vec::new();
    let moved = old.uplink.link != new.uplink.link;
    let router = |config: &PlaneConfig| (config.uplink.gateway, config.uplink.gateway_mac);
    if old.pref64 != new.pref64 {
        steps.push(RearmStep::TookPrefix);
    }
    if !moved && router(old) != router(new) {
        steps.push(RearmStep::TookRouter);
    }
    if old.v6 != new.v6 {
        steps.push(RearmStep::MovedX);
    } else if moved || old.pref64 != new.pref64 {
        steps.push(RearmStep::KeptX);
    }
    if old.v4 != new.v4 {
        steps.push(RearmStep::MovedV4);
    }
    steps
}

/// Why a decision not to translate means that IPv4 is lost.
pub(crate) fn loss_reason(state: State, code: Code) -> &'static str {
    match state {
        State::StandbyNative | State::StandbyOs => "native-ipv4",
        State::Paused => "paused",
        State::NoNetwork => "uplink-lost",
        State::Down | State::Limited | State::Checking | State::Working => {
            if code == Code::NoPref64 {
                "prefix-withdrawn"
            } else if code == Code::Pref64Expired {
                "prefix-expired"
            } else if code == Code::VpnTakesTraffic {
                "vpn"
            } else {
                "uplink-lost"
            }
        }
    }
}

/// Why flows do not survive the change from `old` to `new`; `None` when they do.
pub(crate) fn change_reason(old: &PlaneConfig, new: &PlaneConfig) -> Option<&'static str> {
    if (old.uplink.link, old.uplink.mac) != (new.uplink.link, new.uplink.mac) {
        Some("uplink-changed")
    } else if old.pref64 != new.pref64 {
        Some("prefix-changed")
    } else if old.v6 != new.v6 {
        Some("address-changed")
    } else if (old.uplink.gateway, old.uplink.gateway_mac) != (new.uplink.gateway, new.uplink.gateway_mac) {
        Some("gateway-changed")
    } else if (old.kind, old.v4) != (new.kind, new.v4) {
        Some("settings-changed")
    } else {
        None
    }
}

#[cfg(test)]
mod tests {
    use std::net::Ipv6Addr;

    use model::{DEFAULT_CLAT_V4, Dad, GATEWAY_V4, Generation, MacAddress, PlaneKind, Pref64, UplinkConfig};

    use super::*;

    fn at(ms: u64) -> Timestamp {
        Timestamp::from_millis(ms)
    }

    fn config() -> PlaneConfig {
        let uplink = UplinkConfig {
            link: 2,
            name: "eth0".into(),
            mac: MacAddress([2, 0, 0, 0, 0, 1]),
            gateway: Ipv6Addr::new(0xfe80, 0, 0, 0, 0, 0, 0, 1),
            gateway_mac: MacAddress([2, 0, 0, 0, 0, 2]),
            mtu6: 1500,
        };
        PlaneConfig {
            generation: Generation::default(),
            kind: PlaneKind::Translate,
            uplink,
            pref64: Pref64::WELL_KNOWN,
            path_mtu: 1500,
            lowest_ipv6_mtu: 1280,
            v4: DEFAULT_CLAT_V4,
            gateway_v4: GATEWAY_V4,
            v6: Ipv6Addr::new(0x2001, 0xdb8, 0, 0, 0, 0, 0, 1),
            dad: Dad::Optimistic,
            owned: false,
            round: 0,
            own_macs: Vec::new(),
        }
    }

    fn last(rearming: &Rearming) -> (Duration, &'static str) {
        rearming.history().next().map(|last| (last.gap, last.reason)).unwrap()
    }

    #[test]
    fn counts_from_the_first_loss_and_not_while_nobody_misses_us() {
        let mut rearming = Rearming::default();
        assert_eq!(rearming.armed(&config(), at(0)), None, "the first arming is none");
        rearming.not_missed("paused", at(0));
        assert_eq!(rearming.armed(&config(), at(0)), None);
        rearming.lost("uplink-lost", at(100));
        rearming.lost("prefix-changed", at(120));
        assert!(rearming.armed(&config(), at(141)).is_some());
        assert_eq!(last(&rearming), (Duration::from_millis(41), "uplink-lost"));
        rearming.lost("native-ipv4", at(1_000));
        rearming.not_missed("native-ipv4", at(1_000));
        rearming.not_missed("native-ipv4", at(9_000));
        rearming.missed();
        let told = rearming.armed(&config(), at(9_007)).unwrap();
        assert_eq!(told.standby, Some(Duration::from_secs(8)));
        assert_eq!((rearming.count, last(&rearming)), (2, (Duration::from_millis(7), "native-ipv4")));
    }

    #[test]
    fn a_reply_proves_the_re_arming_before_it_and_none_that_was_lost_again() {
        let mut rearming = Rearming::default();
        rearming.armed(&config(), at(0));
        for (begin, replies) in [(100, true), (200, false)] {
            rearming.lost("plane-failed", at(begin));
            rearming.armed(&config(), at(begin + 10));
            assert_eq!(replies.then(|| rearming.replied(at(begin + 15))), replies.then_some(true));
            assert!(!rearming.sampled(0, at(begin + 20)), "no packet has come back");
        }
        rearming.lost("plane-failed", at(300));
        rearming.replaced();
        rearming.replied(at(305));
        rearming.armed(&config(), at(310));
        let first: Vec<Option<u128>> =
            rearming.history().map(|one| one.first_reply.map(|time| time.as_millis())).collect();
        assert_eq!(first, [Some(0), None, Some(5)], "newest first");
    }

    #[test]
    fn a_plane_that_serves_on_is_proved_by_the_second_look() {
        let mut rearming = Rearming::default();
        rearming.armed(&config(), at(0));
        rearming.lost("undone", at(100));
        rearming.armed(&config(), at(101));
        assert!(!rearming.sampled(50, at(150)), "they may have come before the loss");
        assert!(!rearming.sampled(50, at(300)));
        assert!(rearming.sampled(51, at(450)));
        assert!(!rearming.sampled(52, at(600)), "it is known");
        assert_eq!(rearming.history().next().unwrap().first_reply, Some(Duration::from_millis(349)));
    }

    #[test]
    fn the_history_has_an_end() {
        let mut rearming = Rearming::default();
        rearming.armed(&config(), at(0));
        for number in 1..=40 {
            rearming.lost("undone", at(number * 10));
            rearming.armed(&config(), at(number * 10 + 1));
        }
        let numbers: Vec<u64> = rearming.history().map(|one| one.number).collect();
        assert_eq!(numbers, (9..=40).rev().collect::<Vec<_>>());
        assert_eq!(rearming.count, 40);
    }
}

//! When to ask routers for an advertisement.

use std::collections::BTreeMap;
use std::time::Duration;

use model::Timestamp;

/// Pauses before the first, second, ... solicitation of an interface. The first answer is what start-up waits for;
/// the second covers one lost packet; the rest are RFC 4861's own (section 10: three, 4 s apart).
const PAUSES: [Duration; 4] = [Duration::ZERO, Duration::from_secs(1), Duration::from_secs(4), Duration::from_secs(4)];

/// How long something that a new network has not told us yet may still come: duplicate address detection of the
/// host's own address (1 s), the router's random delay (0.5 s) and one lost solicitation.
pub(crate) const SETTLING: Duration = Duration::from_secs(4);

/// How long a router may take to answer: MAX_RA_DELAY_TIME of RFC 4861 section 10 is half a second, then there is the way
/// there and back.
const ANSWER: Duration = Duration::from_millis(600);

/// Whoever can make us doubt again and again must not make us ask as often.
const AT_LEAST: Duration = Duration::from_secs(1);

#[derive(Clone, Copy, Debug)]
struct PerLink {
    since: Timestamp,
    sent: usize,
    next: Option<Timestamp>,
    /// When it was asked last.
    last: Option<Timestamp>,
}

impl PerLink {
    fn new(now: Timestamp) -> Self {
        Self { since: now, sent: 0, next: Some(now), last: None }
    }
}

/// Solicitations by interface.
#[derive(Clone, Debug, Default)]
pub(crate) struct Solicitor {
    links: BTreeMap<u32, PerLink>,
}

impl Solicitor {
    /// The interfaces that are there now. New ones are asked at once; says which went away.
    pub(crate) fn links(&mut self, present: &[u32], now: Timestamp) -> Vec<u32> {
        let gone: Vec<u32> = self.links.keys().copied().filter(|link| !present.contains(link)).collect();
        for link in &gone {
            self.links.remove(link);
        }
        for &link in present {
            self.links.entry(link).or_insert(PerLink::new(now));
        }
        gone
    }

    /// Asks everywhere again, as if every interface had just appeared.
    pub(crate) fn restart(&mut self, now: Timestamp) {
        for per_link in self.links.values_mut() {
            *per_link = PerLink::new(now);
        }
    }

    /// Asks on this interface again, as if it had just appeared, but not twice within [`AT_LEAST`].
    pub(crate) fn again(&mut self, link: u32, now: Timestamp) {
        if let Some(per_link) = self.links.get_mut(&link) {
            let next = per_link.last.map_or(now, |last| now.max(last + AT_LEAST));
            *per_link = PerLink { next: Some(next), last: per_link.last, ..PerLink::new(now) };
        }
    }

    /// The interfaces to ask now, leaving out those that are `satisfied`.
    pub(crate) fn due(&mut self, now: Timestamp, satisfied: impl Fn(u32) -> bool) -> Vec<u32> {
        let mut due = Vec::new();
        for (&link, per_link) in &mut self.links {
            if per_link.next.is_none_or(|next| next > now) {
                continue;
            }
            if satisfied(link) && per_link.sent > 0 {
                per_link.next = None;
                continue;
            }
            due.push(link);
            per_link.last = Some(now);
            per_link.sent += 1;
            per_link.next = PAUSES.get(per_link.sent).map(|pause| now + *pause);
        }
        due
    }

    /// Whether any interface is so new that it may not have told us everything.
    pub(crate) fn settling(&self, now: Timestamp) -> bool {
        self.links.values().any(|per_link| now.since(per_link.since) < SETTLING)
    }

    /// The interfaces whose routers were asked so recently that the first answer may still be under way.
    pub(crate) fn awaited(&self, now: Timestamp) -> Vec<u32> {
        let fresh = |per_link: &PerLink| now.since(per_link.since) < ANSWER;
        self.links.iter().filter(|(_, per_link)| fresh(per_link)).map(|(link, _)| *link).collect()
    }

    /// When something is due.
    pub(crate) fn next(&self, now: Timestamp) -> Option<Timestamp> {
        let moments = |per_link: &PerLink| [per_link.since + ANSWER, per_link.since + SETTLING];
        let ends = self.links.values().flat_map(moments).filter(|end| *end > now);
        self.links.values().filter_map(|per_link| per_link.next).chain(ends).min()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn asks_at_once_then_ever_less_often_then_stops() {
        let mut solicitor = Solicitor::default();
        solicitor.links(&[2], Timestamp::ZERO);
        let mut asked = Vec::new();
        for ms in (0..60_000).step_by(500) {
            if !solicitor.due(Timestamp::from_millis(ms), |_| false).is_empty() {
                asked.push(ms);
            }
        }
        assert_eq!(asked, [0, 1000, 5000, 9000]);
        assert_eq!(solicitor.next(Timestamp::from_millis(60_000)), None);
    }

    #[test]
    fn asking_again_is_at_once_unless_it_was_a_moment_ago() {
        let mut solicitor = Solicitor::default();
        solicitor.links(&[2], Timestamp::ZERO);
        assert_eq!(solicitor.due(Timestamp::ZERO, |_| false), [2]);
        solicitor.again(2, Timestamp::from_millis(300));
        assert!(solicitor.due(Timestamp::from_millis(999), |_| false).is_empty());
        assert_eq!(solicitor.due(Timestamp::from_millis(1000), |_| true), [2]);
        solicitor.again(2, Timestamp::from_millis(9000));
        assert_eq!(solicitor.due(Timestamp::from_millis(9000), |_| true), [2]);
        solicitor.again(3, Timestamp::from_millis(9000));
        assert!(solicitor.due(Timestamp::from_millis(10_000), |_| true).is_empty(), "no such interface");
    }

    #[test]
    fn an_answer_ends_it_and_a_new_link_starts_it() {
        let mut solicitor = Solicitor::default();
        solicitor.links(&[2], Timestamp::ZERO);
        assert_eq!(solicitor.due(Timestamp::ZERO, |_| true), [2], "asked once even if something is known");
        assert!(solicitor.due(Timestamp::from_millis(1000), |_| true).is_empty());
        assert!(solicitor.links(&[2, 3], Timestamp::from_millis(2000)).is_empty());
        assert_eq!(solicitor.due(Timestamp::from_millis(2000), |link| link == 2), [3]);
        assert_eq!(solicitor.links(&[3], Timestamp::from_millis(2500)), [2]);
        assert!(solicitor.settling(Timestamp::from_millis(2500)));
        assert!(!solicitor.settling(Timestamp::from_millis(7000)));
    }
}

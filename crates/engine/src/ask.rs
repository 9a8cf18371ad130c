//! When to ask the resolvers of an uplink for `ipv4only.arpa` (RFC 7050 section 3).

use std::collections::BTreeMap;
use std::net::Ipv6Addr;
use std::time::Duration;

use model::{DnsAnswer, Timestamp};

use crate::backoff::Backoff;

/// Options of one router advertisement come one by one: the PREF64 that makes asking needless may be right behind the
/// resolvers.
const SAME_ADVERTISEMENT: Duration = Duration::from_millis(20);
/// RFC 7050 section 3: ask again 10 seconds before the answer ends.
const REFRESH_BEFORE: Duration = Duration::from_secs(10);
/// A TTL of a few seconds must not make us ask all the time.
const LEAST_PAUSE: Duration = Duration::from_secs(10);
/// Nor may IPv4 end before the next answer can be there: two questions fit in, and the time an answer may take.
pub(crate) const LEAST_LIFE: Duration = Duration::from_secs(30);

#[derive(Clone, Debug)]
struct PerLink {
    servers: Vec<Ipv6Addr>,
    /// Number of the question under way.
    asking: Option<u64>,
    /// When to ask next.
    next: Timestamp,
    failures: Option<Backoff>,
}

/// Questions by uplink.
#[derive(Clone, Debug, Default)]
pub(crate) struct Asker {
    links: BTreeMap<u32, PerLink>,
    questions: u64,
}

impl Asker {
    /// The resolvers of `link` are `servers` and an answer is wanted: gives the number of a question that is to be
    /// asked now.
    pub(crate) fn due(&mut self, link: u32, servers: &[Ipv6Addr], now: Timestamp) -> Option<u64> {
        let fresh =
            || PerLink { servers: servers.to_vec(), asking: None, next: now + SAME_ADVERTISEMENT, failures: None };
        let per_link = self.links.entry(link).or_insert_with(fresh);
        if per_link.servers != servers {
            *per_link = fresh();
        }
        if servers.is_empty() || per_link.asking.is_some() || per_link.next > now {
            return None;
        }
        self.questions = self.questions.saturating_add(1);
        per_link.asking = Some(self.questions);
        Some(self.questions)
    }

    /// Nobody wants to know any more; when somebody does again, it is asked at once.
    pub(crate) fn forget(&mut self, link: u32) {
        self.links.remove(&link);
    }

    /// Everything is to be asked again.
    pub(crate) fn restart(&mut self) {
        self.links.clear();
    }

    /// The answer to a question. `false`: to one that nobody asks any more.
    pub(crate) fn answered(&mut self, link: u32, question: u64, answer: &DnsAnswer, now: Timestamp) -> bool {
        let Some(per_link) = self.links.get_mut(&link).filter(|per_link| per_link.asking == Some(question)) else {
            return false;
        };
        per_link.asking = None;
        match answer {
            DnsAnswer::Addresses { ttl, .. } => {
                per_link.failures = None;
                per_link.next = now + ttl.saturating_sub(REFRESH_BEFORE).max(LEAST_PAUSE);
            }
            DnsAnswer::Negative { ttl } => {
                per_link.failures = None;
                per_link.next = now + (*ttl).max(LEAST_PAUSE);
            }
            DnsAnswer::Failed { .. } => {
                let backoff = Backoff::after(per_link.failures, now);
                per_link.failures = Some(backoff);
                per_link.next = backoff.due_at(now).unwrap_or(now);
            }
        }
        true
    }

    /// When something is due.
    pub(crate) fn next(&self) -> Option<Timestamp> {
        let waiting = |per_link: &&PerLink| per_link.asking.is_none() && !per_link.servers.is_empty();
        self.links.values().filter(waiting).map(|per_link| per_link.next).min()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ms(ms: u64) -> Timestamp {
        Timestamp::from_millis(ms)
    }

    fn servers() -> Vec<Ipv6Addr> {
        vec!["2001:db8::53".parse().unwrap()]
    }

    #[test]
    fn gives_the_rest_of_an_advertisement_time_to_come() {
        let mut asker = Asker::default();
        assert_eq!(asker.due(2, &servers(), ms(0)), None);
        assert_eq!(asker.next(), Some(ms(20)));
        assert_eq!(asker.due(2, &servers(), ms(20)), Some(1));
        assert_eq!(asker.due(2, &servers(), ms(25)), None, "one question at a time");
        assert_eq!(asker.next(), None);
    }

    #[test]
    fn asks_again_ten_seconds_before_the_end_and_respects_a_no() {
        let mut asker = Asker::default();
        asker.due(2, &servers(), ms(0));
        let question = asker.due(2, &servers(), ms(20)).unwrap();
        let yes = DnsAnswer::Addresses { addresses: vec![], ttl: Duration::from_secs(60) };
        assert!(asker.answered(2, question, &yes, ms(100)));
        assert_eq!(asker.next(), Some(ms(50_100)));
        let question = asker.due(2, &servers(), ms(50_100)).unwrap();
        assert!(asker.answered(2, question, &DnsAnswer::Negative { ttl: Duration::from_secs(300) }, ms(50_100)));
        assert_eq!(asker.next(), Some(ms(350_100)));
    }

    #[test]
    fn failures_are_tried_again_ever_less_often() {
        let mut asker = Asker::default();
        let mut now = ms(0);
        let mut pauses = Vec::new();
        asker.due(2, &servers(), now);
        for _ in 0..4 {
            now = asker.next().unwrap();
            let question = asker.due(2, &servers(), now).unwrap();
            asker.answered(2, question, &DnsAnswer::Failed { reason: "timeout".into() }, now);
            pauses.push(asker.next().unwrap().since(now).as_millis());
        }
        assert_eq!(pauses, [500, 1000, 2000, 4000]);
    }

    #[test]
    fn other_resolvers_are_another_question() {
        let mut asker = Asker::default();
        asker.due(2, &servers(), ms(0));
        let old = asker.due(2, &servers(), ms(20)).unwrap();
        let others = vec!["2001:db8::54".parse().unwrap()];
        assert_eq!(asker.due(2, &others, ms(30)), None);
        assert!(!asker.answered(2, old, &DnsAnswer::Negative { ttl: Duration::ZERO }, ms(40)), "too late");
        assert_eq!(asker.due(2, &others, ms(50)), Some(old + 1));
    }
}

//! What an uplink's network has said, when the network may be another one: kept until it is said again, contradicted, or
//! not confirmed in time. And what ends soon: asked for in time.

use std::collections::BTreeMap;
use std::net::Ipv6Addr;
use std::time::Duration;

use model::{Pref64Source, Timestamp};

use super::{Discovery, KnownPref64, PerLink, Resolver};

/// What a router has to say comes in one advertisement, or in several that follow each other at once (RFC 4861
/// section 6.2.3). What it has not mentioned by then, it no longer says.
pub(super) const WORD: Duration = Duration::from_millis(200);

/// How long what only a former router said outlives it. As long as a new network gets: two solicitations, one of
/// which may be lost, and a router's delays.
const UNCONFIRMED: Duration = Duration::from_secs(4);

/// RTR_SOLICITATION_INTERVAL of RFC 4861 section 10: no solicitation sooner after another one.
const ASK_PAUSE: Duration = Duration::from_secs(4);

/// Since when an uplink's network may be another one.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Doubt {
    since: Timestamp,
    /// Routers that are no longer there, or no longer who they were.
    replaced: Vec<Ipv6Addr>,
    /// When each router has spoken first since then.
    spoken: BTreeMap<Ipv6Addr, Timestamp>,
}

impl Doubt {
    /// When what was last heard at `heard` from `router` ends by this; `None`: not.
    fn ends(&self, source: Pref64Source, router: Option<Ipv6Addr>, heard: Timestamp) -> Option<Timestamp> {
        if heard >= self.since {
            return None;
        }
        let spoken = router.and_then(|router| self.spoken.get(&router)).map(|at| *at + WORD);
        let replaced = match source {
            Pref64Source::Ra => router.is_some_and(|router| self.replaced.contains(&router)),
            Pref64Source::Dns => !self.replaced.is_empty(),
            Pref64Source::Policy | Pref64Source::Config => false,
        };
        let unconfirmed = replaced.then(|| self.since + UNCONFIRMED);
        spoken.into_iter().chain(unconfirmed).min()
    }

    fn ends_prefix(&self, known: &KnownPref64) -> Option<Timestamp> {
        self.ends(known.source, known.router, known.heard)
    }

    /// Nobody keeps apart which router named a resolver.
    fn ends_resolver(&self, resolver: &Resolver) -> Option<Timestamp> {
        let stale = resolver.heard < self.since && !self.replaced.is_empty();
        stale.then(|| self.since + UNCONFIRMED)
    }
}

impl PerLink {
    /// Forgets what the doubt has ended. Such prefixes were not refreshed in vain: they did not run out.
    pub(super) fn expire_doubted(&mut self, now: Timestamp) {
        let Some(doubt) = &self.doubt else { return };
        let stays = |end: Option<Timestamp>| end.is_none_or(|end| end > now);
        self.prefixes.retain(|known| stays(doubt.ends_prefix(known)));
        self.resolvers.retain(|resolver| stays(doubt.ends_resolver(resolver)));
        let prefixes = self.prefixes.iter().map(|known| known.heard);
        let mut heard = prefixes.chain(self.resolvers.iter().map(|resolver| resolver.heard));
        if heard.all(|heard| heard >= doubt.since) {
            self.doubt = None;
        }
    }

    /// When that happens next.
    pub(super) fn next_doubted(&self) -> Option<Timestamp> {
        let doubt = self.doubt.as_ref()?;
        let prefixes = self.prefixes.iter().filter_map(|known| doubt.ends_prefix(known));
        prefixes.chain(self.resolvers.iter().filter_map(|resolver| doubt.ends_resolver(resolver))).min()
    }

    /// When its routers should be asked because an announced prefix ends soon: at two thirds of its lifetime, and then
    /// each time half of what is left has passed.
    fn next_refresh(&self) -> Option<Timestamp> {
        let asked = self.refresh_asked;
        let next = |known: &KnownPref64| {
            let end = known.expires.filter(|_| known.source == Pref64Source::Ra && !known.withdrawn)?;
            let at = match asked.filter(|asked| *asked > known.heard) {
                Some(asked) => asked + (end.since(asked) / 2).max(ASK_PAUSE),
                None => known.heard + end.since(known.heard) * 2 / 3,
            };
            (at < end).then_some(at)
        };
        self.prefixes.iter().filter_map(next).min()
    }
}

impl Discovery {
    /// The network on `link` may be another one; of these routers it is known that they are not who they were.
    pub(crate) fn doubt(&mut self, link: u32, replaced: &[Ipv6Addr], now: Timestamp) {
        let Some(per_link) = self.links.get_mut(&link) else { return };
        let mut replaced = replaced.to_vec();
        if let Some(earlier) = per_link.doubt.take() {
            // Whose word was still waited for.
            let unconfirmed = per_link.prefixes.iter().filter(|known| known.heard < earlier.since);
            let waited_for = unconfirmed.filter_map(|known| known.router);
            replaced.extend(waited_for.filter(|router| earlier.replaced.contains(router)));
        }
        per_link.doubt = Some(Doubt { since: now, replaced, spoken: BTreeMap::new() });
    }

    /// A router has said something, whatever it was.
    pub(crate) fn spoke(&mut self, link: u32, router: Ipv6Addr, now: Timestamp) {
        if let Some(doubt) = self.links.get_mut(&link).and_then(|per_link| per_link.doubt.as_mut())
            && doubt.spoken.len() < super::MAX_PER_LINK
        {
            doubt.spoken.entry(router).or_insert(now);
        }
    }

    /// Whether a router of the uplink announces a prefix, and has done so since there was a doubt about it.
    pub(crate) fn is_confirmed(&self, link: u32) -> bool {
        let Some(per_link) = self.links.get(&link) else { return false };
        let heard = |known: &KnownPref64| per_link.doubt.as_ref().is_none_or(|doubt| known.heard >= doubt.since);
        let said = |known: &KnownPref64| known.source == Pref64Source::Ra && known.remembered.is_none();
        per_link.prefixes.iter().any(|known| said(known) && heard(known))
    }

    /// Uplinks whose routers should be asked now because what they announced ends soon.
    pub(crate) fn refresh(&mut self, now: Timestamp) -> Vec<u32> {
        let due = |per_link: &PerLink| per_link.next_refresh().is_some_and(|at| at <= now);
        let mut links = Vec::new();
        for (link, per_link) in self.links.iter_mut().filter(|(_, per_link)| due(per_link)) {
            per_link.refresh_asked = Some(now);
            links.push(*link);
        }
        links
    }

    /// When [`refresh`](Self::refresh) has something to say.
    pub(crate) fn next_refresh(&self) -> Option<Timestamp> {
        self.links.values().filter_map(PerLink::next_refresh).min()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const P1: &str = "2001:db8:64::/96";
    const P2: &str = "64:ff9b::/96";

    fn seconds(seconds: u64) -> Timestamp {
        Timestamp::from_millis(seconds * 1000)
    }

    fn router(last: u16) -> Ipv6Addr {
        Ipv6Addr::new(0xfe80, 0, 0, 0, 0, 0, 0, last)
    }

    fn hear(discovery: &mut Discovery, from: u16, prefix: &str, lifetime: u64, now: Timestamp) {
        discovery.spoke(2, router(from), now);
        discovery.pref64(2, Some(router(from)), prefix.parse().unwrap(), Duration::from_secs(lifetime), now);
    }

    fn prefixes(discovery: &Discovery) -> Vec<String> {
        discovery.prefixes(2).iter().map(|known| known.prefix.to_string()).collect()
    }

    #[test]
    fn what_its_router_no_longer_mentions_goes_and_what_others_said_stays() {
        let mut discovery = Discovery::default();
        hear(&mut discovery, 1, P1, 1800, seconds(0));
        hear(&mut discovery, 2, P2, 1800, seconds(5));
        discovery.doubt(2, &[], seconds(10));
        assert!(!discovery.is_confirmed(2));
        assert!(!discovery.expire(seconds(100)), "nobody has spoken");
        discovery.spoke(2, router(1), seconds(101));
        assert_eq!(discovery.next_expiry(), Some(seconds(101) + WORD));
        assert!(discovery.expire(seconds(101) + WORD));
        assert_eq!(prefixes(&discovery), [P2]);
        assert!(!discovery.ran_out(2));
        hear(&mut discovery, 2, P2, 1800, seconds(102));
        assert!(discovery.is_confirmed(2));
        assert!(!discovery.expire(seconds(103)));
        assert_eq!(prefixes(&discovery), [P2]);
    }

    #[test]
    fn what_is_said_again_stays() {
        let mut discovery = Discovery::default();
        hear(&mut discovery, 1, P1, 1800, seconds(0));
        discovery.doubt(2, &[router(1)], seconds(10));
        discovery.spoke(2, router(1), seconds(11));
        hear(&mut discovery, 1, P1, 1800, seconds(11));
        assert!(!discovery.expire(seconds(20)));
        assert_eq!(prefixes(&discovery), [P1]);
    }

    #[test]
    fn what_a_router_said_that_is_gone_ends_in_time() {
        let mut discovery = Discovery::default();
        hear(&mut discovery, 1, P1, 1800, seconds(0));
        discovery.dns(2, &[P2.parse().unwrap()], Duration::from_secs(3600), seconds(0));
        discovery.rdnss(2, &["2001:db8::53".parse().unwrap()], Duration::from_secs(1800), seconds(0));
        discovery.doubt(2, &[router(1)], seconds(10));
        assert_eq!(discovery.next_expiry(), Some(seconds(14)));
        assert!(!discovery.expire(seconds(13)));
        assert!(discovery.expire(seconds(14)));
        assert!(prefixes(&discovery).is_empty() && discovery.resolvers(2).is_empty());
        assert!(!discovery.ran_out(2), "its lifetime did not end");
    }

    #[test]
    fn routers_are_asked_before_a_lifetime_ends_and_not_too_often() {
        let mut discovery = Discovery::default();
        hear(&mut discovery, 1, P1, 1800, seconds(0));
        let mut asked = Vec::new();
        while let Some(at) = discovery.next_refresh() {
            assert_eq!(discovery.refresh(at), [2]);
            asked.push(at.since_start().as_secs());
        }
        assert_eq!(asked, [1200, 1500, 1650, 1725, 1762, 1781, 1790, 1795, 1799]);
        hear(&mut discovery, 1, P1, 1800, seconds(1801));
        assert_eq!(discovery.next_refresh(), Some(seconds(3001)), "answered");
        discovery.pref64(2, Some(router(1)), P1.parse().unwrap(), Duration::ZERO, seconds(1802));
        assert_eq!(discovery.next_refresh(), None, "nobody asks for what was withdrawn");
    }
}

//! What is known about NAT64 prefixes and resolvers, per uplink.

mod doubt;
mod recall;

use std::collections::BTreeMap;
use std::net::Ipv6Addr;
use std::time::Duration;

use model::{Pref64Source, RememberedNetwork, Timestamp};
use xlat::Pref64;

use doubt::Doubt;

/// Options of one router advertisement reach us one by one, microseconds apart; two advertisements of one router are
/// at least 3 s apart unless they were asked for (RFC 4861 section 6.2.6).
const SAME_ADVERTISEMENT: Duration = Duration::from_millis(10);

/// More prefixes or resolvers than this on one uplink are noise or an attack.
const MAX_PER_LINK: usize = 16;

/// A prefix that may be used.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct KnownPref64 {
    pub(crate) prefix: Pref64,
    pub(crate) source: Pref64Source,
    /// Who announced it (RFC 8781); `None` for configured ones.
    pub(crate) router: Option<Ipv6Addr>,
    /// When it ends; `None`: never.
    pub(crate) expires: Option<Timestamp>,
    /// When it was said last.
    heard: Timestamp,
    /// It ends because its router said so.
    withdrawn: bool,
    /// A former process has learnt it, with this end, and nobody has confirmed it to this one yet.
    pub(crate) remembered: Option<Timestamp>,
    /// Number of the advertisement it was last seen in and its place there: the newest advertisement wins, within
    /// it the first prefix does (RFC 7050 section 3, "in received order").
    rank: (u64, usize),
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Resolver {
    address: Ipv6Addr,
    expires: Option<Timestamp>,
    heard: Timestamp,
}

#[derive(Clone, Debug, Default)]
struct PerLink {
    prefixes: Vec<KnownPref64>,
    resolvers: Vec<Resolver>,
    /// Resolvers that the system learnt from this link's network by other ways.
    system_resolvers: Vec<Ipv6Addr>,
    /// V6ONLY_WAIT, if a DHCPv4 server offered it (RFC 8925).
    ipv6_only: Option<Duration>,
    advertisement: u64,
    places: usize,
    last_heard: Option<Timestamp>,
    /// The last prefix ended because nobody refreshed it.
    expired: bool,
    /// The network may be another one.
    doubt: Option<Doubt>,
    /// When its routers were last asked because something was about to end.
    refresh_asked: Option<Timestamp>,
    /// Routers of which an option has been heard.
    spoken: Vec<Option<Ipv6Addr>>,
    /// The resolvers have answered.
    answered: bool,
}

/// Prefixes and resolvers by uplink.
#[derive(Clone, Debug, Default)]
pub(crate) struct Discovery {
    links: BTreeMap<u32, PerLink>,
    /// Networks that a former process knew and that have not been seen since.
    pub(crate) remembered: Vec<RememberedNetwork>,
}

impl Discovery {
    /// A PREF64 option was heard. Says whether anything changed that a decision may depend on.
    pub(crate) fn pref64(
        &mut self,
        link: u32,
        router: Option<Ipv6Addr>,
        prefix: Pref64,
        lifetime: Duration,
        now: Timestamp,
    ) -> bool {
        let per_link = self.links.entry(link).or_default();
        let found = per_link
            .prefixes
            .iter()
            .position(|known| known.source == Pref64Source::Ra && known.prefix == prefix && known.router == router);
        if lifetime.is_zero() {
            // Its successor may be the next option of the same advertisement: then nothing is taken down in between.
            if let Some(known) = found.and_then(|index| per_link.prefixes.get_mut(index)) {
                known.withdrawn = true;
                known.expires = known.expires.map(|end| end.min(now + SAME_ADVERTISEMENT));
            }
            return false;
        }
        let heard_in_this_one = found
            .and_then(|index| per_link.prefixes.get(index))
            .is_some_and(|known| known.rank.0 == per_link.advertisement);
        let fresh = per_link.last_heard.is_none_or(|last| now.since(last) > SAME_ADVERTISEMENT) || heard_in_this_one;
        if fresh {
            per_link.advertisement = per_link.advertisement.saturating_add(1);
            per_link.places = 0;
        }
        per_link.last_heard = Some(now);
        per_link.expired = false;
        let before: Vec<Pref64> = per_link.prefixes.iter().map(|known| known.prefix).collect();
        let rank = (per_link.advertisement, per_link.places);
        per_link.places = per_link.places.saturating_add(1);
        let expires = Some(now + lifetime);
        let entry = KnownPref64 {
            prefix,
            source: Pref64Source::Ra,
            router,
            expires,
            heard: now,
            withdrawn: false,
            remembered: None,
            rank,
        };
        let full = per_link.prefixes.len() >= MAX_PER_LINK;
        match found.and_then(|index| per_link.prefixes.get_mut(index)) {
            Some(known) => *known = entry,
            None if full => return false,
            None => per_link.prefixes.push(entry),
        }
        per_link.prefixes.sort_by_key(|known| (std::cmp::Reverse(known.rank.0), known.rank.1));
        before != per_link.prefixes.iter().map(|known| known.prefix).collect::<Vec<_>>()
    }

    /// The resolvers of an uplink have answered for `ipv4only.arpa`: these prefixes, and no others by that way. Says
    /// whether anything changed that a decision may depend on.
    pub(crate) fn dns(&mut self, link: u32, prefixes: &[Pref64], ttl: Duration, now: Timestamp) -> bool {
        let per_link = self.links.entry(link).or_default();
        per_link.answered = true;
        let known = &mut per_link.prefixes;
        let before: Vec<Pref64> = known.iter().map(|known| known.prefix).collect();
        known.retain(|known| known.source != Pref64Source::Dns);
        let entry = |(place, prefix): (usize, &Pref64)| KnownPref64 {
            prefix: *prefix,
            source: Pref64Source::Dns,
            router: None,
            expires: Some(now + ttl),
            heard: now,
            withdrawn: false,
            remembered: None,
            // Behind every advertisement (RFC 8781 section 5.1).
            rank: (0, place),
        };
        known.extend(prefixes.iter().take(MAX_PER_LINK).enumerate().map(entry));
        before != known.iter().map(|known| known.prefix).collect::<Vec<_>>()
    }

    /// An RDNSS option was heard. Says whether the list changed.
    pub(crate) fn rdnss(&mut self, link: u32, servers: &[Ipv6Addr], lifetime: Duration, now: Timestamp) -> bool {
        let list = &mut self.links.entry(link).or_default().resolvers;
        let mut changed = false;
        let expires = (lifetime != Duration::MAX).then(|| now + lifetime);
        for &address in servers {
            let found = list.iter().position(|resolver| resolver.address == address);
            match (found, lifetime.is_zero()) {
                (Some(index), true) => {
                    list.remove(index);
                    changed = true;
                }
                (Some(index), false) => {
                    if let Some(resolver) = list.get_mut(index) {
                        (resolver.expires, resolver.heard) = (expires, now);
                    }
                }
                (None, false) if list.len() < MAX_PER_LINK => {
                    list.push(Resolver { address, expires, heard: now });
                    changed = true;
                }
                (None, true | false) => {}
            }
        }
        changed
    }

    /// The system's whole list of resolvers that this link's network gave it. Says whether the list changed.
    pub(crate) fn system_resolvers(&mut self, link: u32, servers: &[Ipv6Addr]) -> bool {
        let list = &mut self.links.entry(link).or_default().system_resolvers;
        let servers: Vec<Ipv6Addr> = servers.iter().copied().take(MAX_PER_LINK).collect();
        let changed = *list != servers;
        *list = servers;
        changed
    }

    /// A DHCPv4 server offered option 108. Says whether that is news.
    pub(crate) fn ipv6_only(&mut self, link: u32, wait: Duration) -> bool {
        self.links.entry(link).or_default().ipv6_only.replace(wait) != Some(wait)
    }

    /// V6ONLY_WAIT of the uplink's network, if it is IPv6-only by its own word (RFC 8925).
    pub(crate) fn prefers_ipv6_only(&self, link: u32) -> Option<Duration> {
        self.links.get(&link)?.ipv6_only
    }

    /// Forgets what has ended. Says whether anything did.
    pub(crate) fn expire(&mut self, now: Timestamp) -> bool {
        let mut changed = false;
        for per_link in self.links.values_mut() {
            let before = (per_link.prefixes.len(), per_link.resolvers.len());
            let ends = |known: &KnownPref64| known.expires.is_some_and(|end| end <= now);
            let ran_out =
                per_link.prefixes.iter().any(|known| ends(known) && !known.withdrawn && known.remembered.is_none());
            per_link.prefixes.retain(|known| !ends(known));
            per_link.resolvers.retain(|resolver| resolver.expires.is_none_or(|end| end > now));
            per_link.expire_doubted(now);
            if per_link.prefixes.is_empty() && before.0 > 0 {
                per_link.expired = ran_out;
            }
            changed |= before != (per_link.prefixes.len(), per_link.resolvers.len());
        }
        changed
    }

    /// Forgets interfaces that are no longer there at all.
    pub(crate) fn retain(&mut self, exists: impl Fn(u32) -> bool) {
        self.links.retain(|link, _| exists(*link));
    }

    /// Forgets everything about a network that is no longer attached.
    pub(crate) fn forget(&mut self, link: u32) {
        self.links.remove(&link);
    }

    /// The prefixes of an uplink in order of preference.
    pub(crate) fn prefixes(&self, link: u32) -> &[KnownPref64] {
        self.links.get(&link).map_or(&[], |per_link| &per_link.prefixes)
    }

    /// Whether the uplink's last prefix ran out.
    pub(crate) fn ran_out(&self, link: u32) -> bool {
        self.links.get(&link).is_some_and(|per_link| per_link.expired)
    }

    /// The resolvers of an uplink: what its routers announce, then what the system knows beside that.
    pub(crate) fn resolvers(&self, link: u32) -> Vec<Ipv6Addr> {
        let Some(per_link) = self.links.get(&link) else { return Vec::new() };
        let mut all: Vec<Ipv6Addr> = per_link.resolvers.iter().map(|resolver| resolver.address).collect();
        for server in &per_link.system_resolvers {
            if !all.contains(server) {
                all.push(*server);
            }
        }
        all
    }

    /// Every uplink of which something is known.
    pub(crate) fn links(&self) -> impl Iterator<Item = u32> {
        self.links.keys().copied()
    }

    /// When the next thing ends.
    pub(crate) fn next_expiry(&self) -> Option<Timestamp> {
        self.links
            .values()
            .flat_map(|per_link| {
                per_link
                    .prefixes
                    .iter()
                    .filter_map(|known| known.expires)
                    .chain(per_link.resolvers.iter().filter_map(|resolver| resolver.expires))
                    .chain(per_link.next_doubted())
            })
            .min()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const P1: &str = "2001:db8:64::/96";
    const P2: &str = "64:ff9b::/96";
    const ROUTER: &str = "fe80::1";
    const HOUR: Duration = Duration::from_secs(3600);

    fn hear(discovery: &mut Discovery, prefix: &str, lifetime: Duration, at_ms: u64) -> bool {
        discovery.pref64(
            2,
            Some(ROUTER.parse().unwrap()),
            prefix.parse().unwrap(),
            lifetime,
            Timestamp::from_millis(at_ms),
        )
    }

    fn order(discovery: &Discovery) -> Vec<String> {
        discovery.prefixes(2).iter().map(|known| known.prefix.to_string()).collect()
    }

    #[test]
    fn order_within_one_advertisement_is_kept() {
        let mut discovery = Discovery::default();
        assert!(hear(&mut discovery, P1, HOUR, 0));
        assert!(hear(&mut discovery, P2, HOUR, 0));
        assert_eq!(order(&discovery), [P1, P2]);
        assert!(!hear(&mut discovery, P1, HOUR, 60_000), "a refresh changes nothing");
    }

    #[test]
    fn the_newest_advertisement_wins() {
        let mut discovery = Discovery::default();
        hear(&mut discovery, P1, HOUR, 0);
        assert!(hear(&mut discovery, P2, HOUR, 5_000));
        assert_eq!(order(&discovery), [P2, P1]);
    }

    #[test]
    fn an_advertisement_with_both_prefixes_keeps_its_order_each_time() {
        let mut discovery = Discovery::default();
        for at in [0, 10_000, 20_000] {
            hear(&mut discovery, P1, HOUR, at);
            hear(&mut discovery, P2, HOUR, at);
            assert_eq!(order(&discovery), [P1, P2], "at {at}");
        }
    }

    #[test]
    fn two_solicited_advertisements_in_a_row_are_two() {
        let mut discovery = Discovery::default();
        hear(&mut discovery, P1, HOUR, 0);
        hear(&mut discovery, P1, HOUR, 1);
        hear(&mut discovery, P2, HOUR, 1);
        assert_eq!(order(&discovery), [P1, P2]);
    }

    #[test]
    fn withdrawal_is_by_router_and_at_once() {
        let mut discovery = Discovery::default();
        hear(&mut discovery, P1, HOUR, 0);
        let other = Some("fe80::2".parse().unwrap());
        assert!(!discovery.pref64(2, other, P1.parse().unwrap(), Duration::ZERO, Timestamp::from_millis(1)));
        assert_eq!(order(&discovery), [P1]);
        assert!(!hear(&mut discovery, P1, Duration::ZERO, 2), "the next option may be another prefix");
        assert_eq!(order(&discovery), [P1]);
        assert!(discovery.expire(Timestamp::from_millis(12)));
        assert!(order(&discovery).is_empty());
        assert!(!discovery.ran_out(2), "withdrawn is not expired");
    }

    #[test]
    fn lifetimes_end() {
        let mut discovery = Discovery::default();
        hear(&mut discovery, P1, Duration::from_secs(8), 0);
        assert_eq!(discovery.next_expiry(), Some(Timestamp::from_millis(8000)));
        assert!(!discovery.expire(Timestamp::from_millis(7999)));
        assert!(discovery.expire(Timestamp::from_millis(8000)));
        assert!(discovery.ran_out(2));
        hear(&mut discovery, P1, HOUR, 9000);
        assert!(!discovery.ran_out(2));
    }

    #[test]
    fn a_flood_of_prefixes_is_bounded() {
        let mut discovery = Discovery::default();
        for number in 0..100 {
            hear(&mut discovery, &format!("2001:db8:{number:x}::/96"), HOUR, number * 1000);
        }
        assert_eq!(discovery.prefixes(2).len(), MAX_PER_LINK);
    }

    #[test]
    fn dns_comes_behind_every_router_and_is_replaced_whole() {
        let mut discovery = Discovery::default();
        let (p1, p2, p3) = (P1.parse().unwrap(), P2.parse().unwrap(), "2001:db8:65::/96".parse().unwrap());
        assert!(discovery.dns(2, &[p3, p2], HOUR, Timestamp::ZERO));
        assert!(!discovery.is_confirmed(2));
        hear(&mut discovery, P1, HOUR, 1);
        assert_eq!(order(&discovery), [P1, "2001:db8:65::/96", P2]);
        assert!(discovery.is_confirmed(2));
        assert!(!discovery.dns(2, &[p3, p2], HOUR, Timestamp::from_millis(5)), "the same again");
        assert!(discovery.dns(2, &[p1], HOUR, Timestamp::from_millis(6)));
        assert_eq!(order(&discovery), [P1, P1], "each by its own way");
        hear(&mut discovery, P1, Duration::ZERO, 7);
        discovery.expire(Timestamp::from_millis(17));
        assert_eq!(discovery.prefixes(2).len(), 1, "a router withdraws only its own word");
    }

    #[test]
    fn resolvers_come_and_go() {
        let mut discovery = Discovery::default();
        let server: Ipv6Addr = "2001:db8::53".parse().unwrap();
        assert!(discovery.rdnss(2, &[server], Duration::MAX, Timestamp::ZERO));
        assert!(!discovery.rdnss(2, &[server], Duration::from_secs(10), Timestamp::ZERO));
        assert_eq!(discovery.resolvers(2), [server]);
        assert!(discovery.expire(Timestamp::from_millis(10_000)));
        assert!(discovery.resolvers(2).is_empty());
    }
}

//! Prefixes that a former process has learnt: used at once, and only until it is clear whether they still hold.

use std::net::Ipv6Addr;
use std::time::Duration;

use model::{Pref64Source, RememberedPref64, Timestamp};

use super::doubt::WORD;
use super::{Discovery, KnownPref64, MAX_PER_LINK};

/// How long a remembered prefix stands in for a word that does not come. All of the four solicitations (the last one after
/// 9 s) may be answered 3.5 s later (RFC 4861 sections 6.2.6 and 10), and then a resolver has its 5 s, twice. A host that
/// was not restarted would use the prefix for all of its lifetime, so a lossy network is no reason to be quicker; a NAT64
/// that is gone is noticed by its silence, and much sooner.
pub(crate) const UNCONFIRMED: Duration = Duration::from_secs(30);

impl Discovery {
    /// The network on `link` is one that a former process knew. What routers and resolvers of it have said to this one
    /// counts more.
    pub(crate) fn recall(&mut self, link: u32, remembered: &[RememberedPref64], now: Timestamp) {
        let per_link = self.links.entry(link).or_default();
        for known in remembered.iter().filter(|known| known.expires > now) {
            let contradicted = match known.source {
                Pref64Source::Dns => per_link.answered,
                Pref64Source::Ra | Pref64Source::Policy | Pref64Source::Config => {
                    per_link.spoken.contains(&known.router)
                }
            };
            let same = |other: &KnownPref64| {
                (other.prefix, other.source, other.router) == (known.prefix, known.source, known.router)
            };
            if contradicted || per_link.prefixes.iter().any(same) || per_link.prefixes.len() >= MAX_PER_LINK {
                continue;
            }
            per_link.prefixes.push(KnownPref64 {
                prefix: known.prefix,
                source: known.source,
                router: known.router,
                expires: Some(known.expires.min(now + UNCONFIRMED)),
                heard: now,
                withdrawn: false,
                remembered: Some(known.expires),
                // Behind everything that is heard; among themselves as they were.
                rank: (0, per_link.prefixes.len()),
            });
        }
    }

    /// `router` has said something, or the host does not say who it was: what is remembered of it and is not repeated at
    /// once no longer holds.
    pub(crate) fn heard(&mut self, link: u32, router: Option<Ipv6Addr>, now: Timestamp) {
        let per_link = self.links.entry(link).or_default();
        if !per_link.spoken.contains(&router) && per_link.spoken.len() < MAX_PER_LINK {
            per_link.spoken.push(router);
        }
        let its = |known: &&mut KnownPref64| {
            known.remembered.is_some() && known.source == Pref64Source::Ra && known.router == router
        };
        for known in per_link.prefixes.iter_mut().filter(its) {
            known.expires = known.expires.map(|end| end.min(now + WORD));
        }
    }

    /// What is worth remembering of the uplink's prefixes.
    pub(crate) fn worth(&self, link: u32) -> Vec<RememberedPref64> {
        let living = self.prefixes(link).iter().filter(|known| !known.withdrawn);
        let worth = |known: &KnownPref64| {
            let (prefix, source, router) = (known.prefix, known.source, known.router);
            Some(RememberedPref64 { prefix, source, router, expires: known.remembered.or(known.expires)? })
        };
        living.filter_map(worth).collect()
    }
}

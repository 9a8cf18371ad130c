//! What each event adds to what is known.

use std::net::{IpAddr, Ipv6Addr};

use model::{
    Applied, DeltaReason, DnsAnswer, Generation, LinkKind, LinkNews, NetworkDelta, NetworkSnapshot, PlaneEvent,
    Timestamp,
};

use super::{AFTER_CONFLICT, Claim, Engine, MAX_DUPLICATES};
use crate::Action;
use crate::ask::LEAST_LIFE;
use crate::backoff::Backoff;
use crate::option::RouterOption;
use crate::rfc7050;

impl Engine {
    pub(super) fn on_snapshot(&mut self, snapshot: NetworkSnapshot, now: Timestamp) {
        let delta = NetworkDelta::between(self.snapshot.as_ref(), &snapshot);
        if delta.is_empty() {
            return;
        }
        let shown = [DeltaReason::First, DeltaReason::Links, DeltaReason::Addresses, DeltaReason::Routes];
        if delta.reasons().iter().any(|reason| shown.contains(reason)) {
            self.push(Action::StatusChanged);
        }
        let present: Vec<u32> = snapshot
            .links
            .values()
            .filter(|link| link.is_usable() && matches!(link.kind, LinkKind::Ethernet | LinkKind::Bridge))
            .filter(|link| link.mac.is_some())
            .map(|link| link.index)
            .collect();
        let gone = self.solicitor.links(&present, now);
        for link in &gone {
            // Whatever is plugged in next is another network until it says otherwise.
            self.discovery.forget(*link);
            self.asker.forget(*link);
        }
        // On a /64 that two uplinks share, X and what is known about it move with the uplink.
        let remains = |claim: &Claim| {
            let mut nets = present.iter().filter_map(|link| snapshot.links.get(link)).flat_map(model::Link::global_v6);
            nets.any(|(net, _)| net.trunc() == claim.prefix)
        };
        if !gone.is_empty() {
            self.claim = self.claim.filter(remains);
        }
        let heard = |link: &u32| {
            let mut gateways = snapshot.routes.iter().filter(|route| route.link == *link && route.is_ipv6_default());
            gateways.any(|route| match route.gateway {
                Some(IpAddr::V6(gateway)) => snapshot.neighbour(*link, gateway).is_some(),
                Some(IpAddr::V4(_)) | None => false,
            })
        };
        self.silent.retain(|link| present.contains(link) && !heard(link));
        self.snapshot = Some(snapshot);
    }

    pub(super) fn on_option(&mut self, link: u32, router: Option<Ipv6Addr>, bytes: &[u8], now: Timestamp) {
        match RouterOption::parse(bytes) {
            Ok(RouterOption::Pref64 { prefix, lifetime }) => {
                if self.discovery.pref64(link, router, prefix, lifetime, now) {
                    self.push(Action::StatusChanged);
                }
            }
            Ok(RouterOption::Rdnss { servers, lifetime }) => {
                if self.discovery.rdnss(link, &servers, lifetime, now) {
                    self.push(Action::StatusChanged);
                }
            }
            Ok(RouterOption::Other(_)) => {}
            Err(error) => {
                self.malformed_options = self.malformed_options.saturating_add(1);
                self.push(Action::Ignored { link, error });
            }
        }
    }

    pub(super) fn on_news(&mut self, link: u32, news: LinkNews) {
        let changed = match news {
            LinkNews::Resolvers(servers) => self.discovery.system_resolvers(link, &servers),
            LinkNews::Ipv6OnlyPreferred(wait) => self.discovery.ipv6_only(link, wait),
            LinkNews::Portal(_) => false,
        };
        if changed {
            self.push(Action::StatusChanged);
        }
    }

    pub(super) fn on_dns(&mut self, link: u32, question: u64, answer: DnsAnswer, now: Timestamp) {
        if !self.asker.answered(link, question, &answer, now) {
            return;
        }
        let (prefixes, ttl) = match answer {
            DnsAnswer::Addresses { addresses, ttl } => (rfc7050::prefixes(&addresses), ttl.max(LEAST_LIFE)),
            DnsAnswer::Negative { ttl } => (Vec::new(), ttl),
            // What was learnt stays as long as it was said to.
            DnsAnswer::Failed { .. } => return,
        };
        if self.discovery.dns(link, &prefixes, ttl, now) {
            self.push(Action::StatusChanged);
        }
    }

    pub(super) fn on_plane(&mut self, generation: Generation, event: PlaneEvent, now: Timestamp) {
        let Some(plane) = self.plane.as_mut().filter(|plane| plane.config.generation == generation) else { return };
        match event {
            PlaneEvent::Started { tun: _, name } => {
                plane.tun = Some(name);
                plane.started = true;
            }
            PlaneEvent::Claimed(address) if address == plane.config.v6 => {
                plane.claimed = true;
                if let Some(claim) = &mut self.claim {
                    claim.duplicates = 0;
                }
            }
            PlaneEvent::Duplicate(address) if address == plane.config.v6 => {
                if let Some(claim) = &mut self.claim {
                    claim.attempt = claim.attempt.wrapping_add(1);
                    claim.duplicates = claim.duplicates.saturating_add(1);
                    claim.address = None;
                    claim.again = (claim.duplicates >= MAX_DUPLICATES).then(|| now + AFTER_CONFLICT);
                }
                self.lost("address-conflict", now);
                if self.is_out_of_addresses() {
                    self.withdraw(now);
                    self.stop_plane();
                }
            }
            // A word about an address that is no longer X.
            PlaneEvent::Claimed(_) | PlaneEvent::Duplicate(_) => {}
            PlaneEvent::FirstReply => {
                plane.replied = true;
                self.failure = None;
            }
            PlaneEvent::Failed(error) => {
                let link = plane.config.uplink.link;
                self.lost("plane-failed", now);
                self.withdraw(now);
                self.stop_plane();
                self.fail(link, error, now);
            }
        }
    }

    pub(super) fn on_applied(&mut self, applied: Applied, now: Timestamp) {
        if applied.generation != self.requested.generation {
            return;
        }
        let step = applied.failures.first().map(|failure| format!("{}: {}", failure.step, failure.error));
        let failure = if applied.default_v4 == self.requested.default_v4 {
            step
        } else {
            step.or_else(|| Some("the IPv4 default route is not in place".into()))
        };
        if self.requested.default_v4.is_none() {
            self.host_dirty = failure.is_some();
            self.cleanup = failure.map(|_| Backoff::after(self.cleanup, now));
        } else if let Some(error) = failure {
            self.lost("host-configuration", now);
            self.applied = applied;
            let link = self.plane.as_ref().map_or(0, |plane| plane.config.uplink.link);
            self.fail(link, error, now);
            // Half a configuration is none.
            return self.withdraw(now);
        }
        self.applied = applied;
        if self.plane.is_none() {
            // The tunnel has taken the route with it, whatever the host has read back before.
            self.applied.default_v4 = None;
        }
    }
}

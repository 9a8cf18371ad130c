//! What each event adds to what is known.

use std::net::{IpAddr, Ipv6Addr};
use std::time::Duration;

use ipnet::Ipv6Net;

use model::{
    Applied, DeltaReason, DnsAnswer, Generation, LinkKind, LinkNews, NetworkDelta, NetworkSnapshot, PlaneEvent,
    Timestamp,
};

use super::Engine;
use crate::Action;
use crate::ask::LEAST_LIFE;
use crate::backoff::Backoff;
use crate::health::Place;
use crate::option::RouterOption;
use crate::rfc7050;

/// While somebody else answers for every name, the resolvers are asked again so often.
const WHILE_CAPTURED: Duration = Duration::from_secs(30);

/// A plane that fails twice within this has something that does not go away by itself.
const SOON: Duration = Duration::from_secs(10);

impl Engine {
    pub(super) fn on_snapshot(&mut self, snapshot: NetworkSnapshot, now: Timestamp) {
        let mut traces = std::mem::take(&mut self.traces);
        let doubts = traces.compare(self.snapshot.as_ref(), &snapshot, |link| self.prefix_of_x(link));
        self.traces = traces;
        let delta = NetworkDelta::between(self.snapshot.as_ref(), &snapshot);
        if !delta.is_empty() {
            self.look_at(snapshot, &delta, now);
        }
        for (link, why) in doubts {
            self.doubt(link, &why, now);
        }
    }

    fn look_at(&mut self, snapshot: NetworkSnapshot, delta: &NetworkDelta, now: Timestamp) {
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
            self.portals.forget(*link);
            self.resolving.remove(link);
            self.failures.remove(link);
        }
        let routed = snapshot.routes.iter().filter_map(|route| match route.gateway {
            Some(IpAddr::V6(gateway)) => Some((route.link, gateway)),
            Some(IpAddr::V4(_)) | None => None,
        });
        self.health.links(&present, &routed.collect());
        self.path_mtu.links(&present);
        self.discovery.retain(|link| snapshot.links.contains_key(&link));
        self.portals.retain(|link| snapshot.links.contains_key(&link));
        self.check_points.retain(|place, _| present.contains(&place.link));
        self.asked_points.retain(|place| present.contains(&place.link));
        // On a /64 that two uplinks share, X and what is known about it move with the uplink.
        let attached: Vec<Ipv6Net> = present
            .iter()
            .filter_map(|link| snapshot.links.get(link))
            .flat_map(|link| link.global_v6().map(|(net, _)| net.trunc()).collect::<Vec<_>>())
            .collect();
        if !gone.is_empty() {
            self.claims.retain(|prefix, _| attached.contains(prefix));
        }
        self.snapshot = Some(snapshot);
        self.recall(now);
        self.note_resolved();
    }

    pub(super) fn on_option(&mut self, link: u32, router: Option<Ipv6Addr>, bytes: &[u8], now: Timestamp) {
        // A router that speaks is there.
        if let Some(router) = router {
            self.discovery.spoke(link, router, now);
            self.gateway_answered(link, router, now);
        }
        self.discovery.heard(link, router, now);
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
            Ok(RouterOption::CaptivePortal { uri }) => self.portals.api(link, &uri, now),
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
            LinkNews::Portal(captive) => self.portals.system(link, captive),
        };
        if changed {
            self.push(Action::StatusChanged);
        }
    }

    pub(super) fn on_dns(&mut self, link: u32, question: u64, answer: DnsAnswer, now: Timestamp) {
        let captured = matches!(&answer, DnsAnswer::Addresses { addresses, .. } if rfc7050::is_captured(addresses));
        // An answer of somebody who answers for every name says nothing, and does not last.
        let answer = if captured { DnsAnswer::Negative { ttl: WHILE_CAPTURED } } else { answer };
        if !self.asker.answered(link, question, &answer, now) {
            return;
        }
        if !matches!(answer, DnsAnswer::Failed { .. }) && self.portals.names(link, captured) {
            self.push(Action::StatusChanged);
        }
        let (prefixes, ttl) = match answer {
            DnsAnswer::Addresses { addresses, ttl } => {
                let (prefixes, refusal) = (rfc7050::prefixes(&addresses), rfc7050::refusal(&addresses));
                if let Some(error) = refusal {
                    self.push(Action::Refused { link, error });
                    if prefixes.is_empty() {
                        // Nor does it take back what was learnt.
                        return;
                    }
                }
                (prefixes, ttl.max(LEAST_LIFE))
            }
            DnsAnswer::Negative { ttl } => (Vec::new(), ttl),
            // What was learnt stays as long as it was said to.
            DnsAnswer::Failed { .. } => return,
        };
        if self.discovery.dns(link, &prefixes, ttl, now) {
            self.push(Action::StatusChanged);
        }
    }

    pub(super) fn on_plane(&mut self, generation: Generation, event: PlaneEvent, now: Timestamp) {
        // Whichever plane it was: it may have ended with them.
        if let PlaneEvent::FlowsEnded(flows) = event {
            self.rearming.ended(flows);
            return self.push(Action::StatusChanged);
        }
        if matches!(event, PlaneEvent::Claimed(x) if self.is_outdated(generation, x)) {
            return;
        }
        if self.spare.as_ref().is_some_and(|spare| spare.config.plane.generation == generation) {
            return self.on_spare(&event, now);
        }
        if self.twin.as_ref().is_some_and(|twin| twin.config.plane.generation == generation) {
            return self.on_twin(&event, now);
        }
        let Some(plane) = self.plane.as_mut().filter(|plane| plane.config.generation == generation) else { return };
        let config = &plane.config;
        let place = Place { link: config.uplink.link, pref64: config.pref64 };
        let router = config.uplink.gateway;
        match event {
            PlaneEvent::Started { tun: _, name } => {
                plane.tun = Some(name);
                plane.started = true;
            }
            PlaneEvent::Claimed(address) if address == config.v6 => {
                plane.claimed = true;
                self.owned(address);
            }
            PlaneEvent::Duplicate(address) if address == config.v6 => {
                self.lost("address-conflict", now);
                if self.taken(address, now) {
                    self.withdraw(now);
                    self.stop_plane();
                }
            }
            // A word about an address that is no longer X.
            PlaneEvent::Claimed(_) | PlaneEvent::Duplicate(_) | PlaneEvent::Abandoned | PlaneEvent::FlowsEnded(_) => {}
            PlaneEvent::FirstReply => {
                plane.replied = true;
                self.failures.remove(&place.link);
                self.health.replied(now);
                self.note_reply(now);
            }
            PlaneEvent::Traffic => self.health.traffic(now),
            PlaneEvent::GatewayAnswered => self.gateway_answered(place.link, router, now),
            PlaneEvent::ProbeAnswered(_) => {
                self.probed = Some(now);
                self.failures.remove(&place.link);
                self.probe_answered(place, router, now);
                self.note_reply(now);
                self.push(Action::StatusChanged);
            }
            PlaneEvent::Unacknowledged { server, size } => self.suspect_path(server, size, now),
            PlaneEvent::Passed { server, size } => self.path_mtu.answered(place, server, size),
            PlaneEvent::Failed(error) => {
                // What worked until now is worth a new try at once; what fails again is not.
                let worked = plane.started;
                let lately = self.last_failure.replace(now).is_some_and(|last| now.since(last) < SOON);
                self.lost("plane-failed", now);
                self.withdraw(now);
                self.stop_plane();
                if !worked || lately {
                    self.fail(place.link, error, now);
                }
            }
        }
    }

    /// Whether X has come into doubt since this line began to ask for it: it is asked for again, and the former answer is
    /// none.
    fn is_outdated(&self, generation: Generation, x: Ipv6Addr) -> bool {
        let plane = self.plane.as_ref().map(|plane| &plane.config);
        let beside = self.spare.iter().chain(&self.twin).map(|beside| &beside.config.plane);
        let line = plane.into_iter().chain(beside).find(|config| config.generation == generation);
        line.is_some_and(|config| config.v6 == x && config.round != self.round_of(x))
    }

    fn on_spare(&mut self, event: &PlaneEvent, now: Timestamp) {
        let Some(spare) = &mut self.spare else { return };
        let config = &spare.config.plane;
        let place = Place { link: config.uplink.link, pref64: config.pref64 };
        let router = config.uplink.gateway;
        match *event {
            PlaneEvent::Started { .. } => {
                spare.started = true;
                self.spare_failure.take_if(|(link, _)| *link == place.link);
            }
            PlaneEvent::Claimed(address) if address == config.v6 => {
                spare.claimed = true;
                self.owned(address);
                self.push(Action::StatusChanged);
            }
            PlaneEvent::Duplicate(address) if address == config.v6 => {
                self.taken(address, now);
            }
            PlaneEvent::GatewayAnswered => self.gateway_answered(place.link, router, now),
            PlaneEvent::ProbeAnswered(_) => self.probe_answered(place, router, now),
            PlaneEvent::Failed(_) => self.spare_failed(now),
            PlaneEvent::Abandoned => self.lingering = None,
            // What still comes in there belongs to what was used before.
            PlaneEvent::Claimed(_)
            | PlaneEvent::Duplicate(_)
            | PlaneEvent::FirstReply
            | PlaneEvent::Traffic
            | PlaneEvent::Unacknowledged { .. }
            | PlaneEvent::Passed { .. }
            | PlaneEvent::FlowsEnded(_) => {}
        }
    }

    fn gateway_answered(&mut self, link: u32, router: Ipv6Addr, now: Timestamp) {
        if self.health.gateway_answered(link, router, now) {
            self.push(Action::StatusChanged);
        }
    }

    fn probe_answered(&mut self, place: Place, router: Ipv6Addr, now: Timestamp) {
        if self.health.probe_answered(place, router, now) {
            self.push(Action::StatusChanged);
        }
    }

    /// Nobody objected to this X.
    pub(super) fn owned(&mut self, address: Ipv6Addr) {
        for claim in self.claims.values_mut().filter(|claim| claim.address == Some(address)) {
            claim.duplicates = 0;
            claim.owned = true;
            claim.remembered = None;
        }
    }

    /// An X that no line has is defended by nobody: whoever wants it again has to ask again (RFC 4862 section 5.4).
    pub(super) fn disown(&mut self) {
        let plane = self.plane.as_ref().map(|plane| plane.config.v6);
        let beside = [&self.spare, &self.twin].map(|beside| beside.as_ref().map(|beside| beside.config.plane.v6));
        let [spare, twin] = beside;
        for claim in self.claims.values_mut() {
            claim.owned &= claim.address.is_some() && [plane, spare, twin].contains(&claim.address);
        }
    }

    /// Somebody else has this X. Says whether there is no other to try.
    pub(super) fn taken(&mut self, address: Ipv6Addr, now: Timestamp) -> bool {
        let mut exhausted = false;
        for claim in self.claims.values_mut().filter(|claim| claim.address == Some(address)) {
            claim.taken(now);
            exhausted |= claim.is_exhausted();
        }
        exhausted
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
            self.host_dirty = failure.is_some() || !self.requested.is_empty();
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

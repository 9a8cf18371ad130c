//! The network may be another one than it was: after sleep, a blink of the carrier, another router behind the same
//! address. What was learnt stays in use while everything is asked again, until it is contradicted, or not confirmed in
//! time. See docs/decisions/0008-sleep.md.

use std::collections::{BTreeMap, BTreeSet};
use std::net::{IpAddr, Ipv6Addr};
use std::time::Duration;

use ipnet::Ipv6Net;
use model::{Link, MacAddress, NetworkSnapshot, PlaneConfig, Timestamp};

use super::{Engine, SpareState};
use crate::Action;

/// What the routers of one network announce when they are asked comes within this; what none of them has spoken of by then
/// is a former network's. They are asked twice, a second apart, and may wait for half a second (RFC 4861 section 10).
const ANSWERS: Duration = Duration::from_millis(1600);
/// Nor has a router to answer at once that has spoken to all a moment ago (MIN_DELAY_BETWEEN_RAS of 3 s, RFC 4861
/// section 10).
const LATELY: Duration = Duration::from_secs(4);
/// Nobody is so late by himself.
const ASLEEP: Duration = Duration::from_secs(10);
/// The same sleep is noticed by more than one sign.
const SAME_SLEEP: Duration = Duration::from_secs(1);

/// Why the network on a link may be another one.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Doubt {
    /// Time has passed without us, or the carrier was gone for a moment.
    Away,
    /// These routers are gone, or others have their addresses.
    Routers(Vec<Ipv6Addr>),
    /// Our own link-layer address is another one. X was ours a moment ago: it is announced, not claimed again.
    OwnMac,
    /// A /64 has come beside the one in which X is, and may be its successor.
    Prefix,
}

/// When the /64s of a link were refreshed last, at the moment of the doubt.
#[derive(Clone, Debug)]
struct Mark {
    since: Timestamp,
    /// The router is another one: what it announces is all there is.
    replaced: bool,
    then: BTreeMap<Ipv6Net, Duration>,
}

/// What is remembered to tell one network from the next.
#[derive(Clone, Debug, Default)]
pub(crate) struct Traces {
    macs: BTreeMap<(u32, Ipv6Addr), MacAddress>,
    routers: BTreeMap<u32, BTreeSet<Ipv6Addr>>,
    blinks: BTreeMap<u32, u32>,
    refreshed: BTreeMap<(u32, Ipv6Net), Duration>,
    /// The same of the look before.
    before: BTreeMap<(u32, Ipv6Net), Duration>,
    marks: BTreeMap<u32, Mark>,
    woken: Option<Timestamp>,
}

impl Traces {
    /// Compares what is seen with what was; `x` tells the /64 on a link in which X is.
    pub(super) fn compare(
        &mut self,
        before: Option<&NetworkSnapshot>,
        now: &NetworkSnapshot,
        x: impl Fn(u32) -> Option<Ipv6Net>,
    ) -> Vec<(u32, Doubt)> {
        let mut doubts = Vec::new();
        let attached = |link: u32| now.links.get(&link).is_some_and(Link::is_usable);
        self.macs.retain(|(link, _), _| attached(*link));
        self.routers.retain(|link, _| attached(*link));
        self.marks.retain(|link, _| attached(*link));
        for link in now.links.values().filter(|link| link.is_usable()) {
            let index = link.index;
            let routers = default_routers(now, index);
            let gone = self.routers.get(&index).filter(|known| !routers.is_empty() && known.is_disjoint(&routers));
            let mut replaced: Vec<Ipv6Addr> = gone.into_iter().flatten().copied().collect();
            for router in &routers {
                let Some(mac) = now.neighbour(index, *router) else { continue };
                if self.macs.insert((index, *router), mac).is_some_and(|known| known != mac) {
                    replaced.push(*router);
                }
            }
            if !routers.is_empty() {
                self.macs.retain(|(of, router), _| *of != index || routers.contains(router));
                self.routers.insert(index, routers);
            }
            let before = before.and_then(|before| before.links.get(&index)).filter(|link| link.is_usable());
            let Some(before) = before else { continue };
            let blinks = (self.blinks.get(&index), now.blinks.get(&index));
            if let (Some(then), Some(now)) = blinks
                && then != now
            {
                doubts.push((index, Doubt::Away));
            }
            if !replaced.is_empty() {
                doubts.push((index, Doubt::Routers(replaced)));
            }
            if before.mac != link.mac {
                doubts.push((index, Doubt::OwnMac));
            }
            let (old, new) = (nets(before), nets(link));
            if x(index).is_some_and(|x| new.contains(&x)) && !new.is_subset(&old) {
                doubts.push((index, Doubt::Prefix));
            }
        }
        self.blinks.clone_from(&now.blinks);
        // What came with this very change was said after it.
        self.before = std::mem::replace(&mut self.refreshed, now.refreshed.clone());
        doubts
    }

    /// From now on, what routers spoke of before counts only if they speak of it again.
    fn mark(&mut self, link: u32, why: &Doubt, now: Timestamp) {
        let replaced = matches!(why, Doubt::Routers(_));
        // The successor of what is in doubt already is no new doubt.
        if *why == Doubt::Prefix && self.marks.get(&link).is_some_and(|mark| mark.replaced) {
            return;
        }
        let of_link = self.before.iter().filter(|((of, _), _)| *of == link);
        let then = of_link.map(|((_, net), at)| (*net, *at)).collect();
        self.marks.insert(link, Mark { since: now, replaced, then });
    }

    /// Whether a /64 was a former network's: routers have spoken of others since, and not of this one.
    pub(crate) fn is_former(&self, link: u32, net: Ipv6Net, now: Timestamp) -> bool {
        let Some(mark) = self.marks.get(&link) else { return false };
        let (Some(at), Some(newest)) = (self.refreshed.get(&(link, net)), self.newest(link)) else { return false };
        let unspoken = mark.then.get(&net).is_some_and(|then| at <= then);
        let spoken = mark.then.values().max().is_none_or(|then| newest > then);
        let late = now.since(mark.since) >= ANSWERS && newest.saturating_sub(*at) >= LATELY;
        unspoken && spoken && (mark.replaced || late)
    }

    /// Whether routers have spoken again of every /64 since the doubt, as far as the host tells.
    pub(super) fn is_spoken(&self, link: u32) -> bool {
        let Some(mark) = self.marks.get(&link) else { return true };
        mark.then.iter().all(|(net, then)| self.refreshed.get(&(link, *net)).is_none_or(|at| at > then))
    }

    fn newest(&self, link: u32) -> Option<&Duration> {
        self.refreshed.iter().filter(|((of, _), _)| *of == link).map(|(_, at)| at).max()
    }

    /// When a /64 may turn out to be a former network's without anything else happening.
    pub(crate) fn next(&self, now: Timestamp) -> Option<Timestamp> {
        self.marks.values().map(|mark| mark.since + ANSWERS).filter(|at| *at > now).min()
    }
}

fn default_routers(snapshot: &NetworkSnapshot, link: u32) -> BTreeSet<Ipv6Addr> {
    let defaults = snapshot.routes.iter().filter(|route| route.link == link && route.is_ipv6_default());
    defaults
        .filter_map(|route| match route.gateway {
            Some(IpAddr::V6(gateway)) => Some(gateway),
            Some(IpAddr::V4(_)) | None => None,
        })
        .collect()
}

pub(super) fn nets(link: &Link) -> BTreeSet<Ipv6Net> {
    let usable = link.global_v6().filter(|(net, flags)| net.prefix_len() == 64 && !flags.dad_failed);
    usable.map(|(net, _)| net.trunc()).collect()
}

impl Engine {
    /// Sleep is an event: what should have been done long ago was not left undone by others.
    pub(super) fn notice_sleep(&mut self, now: Timestamp) {
        if self.expected.is_some_and(|at| now.since(at) > ASLEEP) {
            self.woke(now);
        }
    }

    /// Time has passed without us: nothing that was known need be so any more.
    pub(super) fn woke(&mut self, now: Timestamp) {
        if self.traces.woken.is_some_and(|last| now.since(last) < SAME_SLEEP) {
            return;
        }
        self.traces.woken = Some(now);
        self.traces.before.clone_from(&self.traces.refreshed);
        self.health.woke();
        let links = self.snapshot.iter().flat_map(|snapshot| snapshot.links.values());
        let links: Vec<u32> = links.filter(|link| link.is_usable()).map(|link| link.index).collect();
        for link in links {
            self.doubt(link, &Doubt::Away, now);
        }
        self.push(Action::Refresh);
    }

    /// Has everything about the network on `link` asked again.
    pub(super) fn doubt(&mut self, link: u32, why: &Doubt, now: Timestamp) {
        let replaced: &[Ipv6Addr] = match why {
            Doubt::Routers(replaced) => replaced,
            Doubt::Away | Doubt::OwnMac | Doubt::Prefix => &[],
        };
        self.traces.mark(link, why, now);
        self.solicitor.again(link, now);
        if *why == Doubt::Prefix {
            return;
        }
        self.discovery.doubt(link, replaced, now);
        self.asker.forget(link);
        self.portals.again(link, now);
        self.failures.remove(&link);
        self.check_points.retain(|place, _| place.link != link);
        self.asked_points.retain(|place| place.link != link);
        self.health.verify(link);
        self.path_mtu.forget(link);
        if let Some(plane) = self.plane.as_mut().filter(|plane| plane.config.uplink.link == link) {
            // What came back then proves nothing now.
            plane.replied = false;
            self.probed = None;
        }
        if *why != Doubt::OwnMac {
            self.claim_again(link);
        }
        self.resolve_again(link);
        self.push(Action::StatusChanged);
    }

    /// While we were away somebody may have taken X, and nobody was there to object (RFC 4862 section 5.4).
    fn claim_again(&mut self, link: u32) {
        let known = self.snapshot.as_ref().and_then(|snapshot| snapshot.links.get(&link));
        let attached = known.map(nets).unwrap_or_default();
        let lines = self.plane.iter_mut().map(|plane| (plane.config.v6, &mut plane.claimed));
        let lines = lines.chain(self.spare.iter_mut().map(|spare| (spare.config.plane.v6, &mut spare.claimed)));
        for (x, claimed) in lines {
            // Nothing more is asked from it until it is ours again.
            *claimed &= !attached.iter().any(|net| net.contains(&x));
        }
        for claim in self.claims.iter_mut().filter(|(net, _)| attached.contains(net)).map(|(_, claim)| claim) {
            claim.owned = false;
            claim.round = claim.round.wrapping_add(1);
            (claim.duplicates, claim.again) = (0, None);
        }
    }

    /// The kernel trusts what it knew of the routers before.
    fn resolve_again(&mut self, link: u32) {
        let routers = self.snapshot.as_ref().map(|snapshot| default_routers(snapshot, link)).unwrap_or_default();
        for address in routers {
            self.push(Action::ResolveNeighbour { link, address });
        }
    }

    /// The running plane, or the spare, on that link.
    pub(super) fn line_on(&self, link: u32) -> Option<&PlaneConfig> {
        let plane = self.plane.as_ref().map(|plane| &plane.config);
        let spare = self.spare.as_ref().map(|spare| &spare.config.plane);
        plane.into_iter().chain(spare).find(|config| config.uplink.link == link)
    }

    /// The /64 on a link in which X is.
    pub(super) fn prefix_of_x(&self, link: u32) -> Option<Ipv6Net> {
        self.line_on(link).and_then(|config| prefix_of(config.v6))
    }

    /// The same, or the /64 in which the X is that has been claimed to follow it.
    pub(super) fn kept_prefix(&self, link: u32) -> Option<Ipv6Net> {
        let ready = |twin: &&SpareState| twin.claimed && !twin.config.lingers && twin.config.plane.uplink.link == link;
        let successor = self.twin.as_ref().filter(ready).and_then(|twin| prefix_of(twin.config.plane.v6));
        successor.or_else(|| self.prefix_of_x(link))
    }
}

fn prefix_of(x: Ipv6Addr) -> Option<Ipv6Net> {
    Ipv6Net::new(x, 64).ok().map(|net| net.trunc())
}

//! Evidence: has the ways asked whether they work, and carries out what follows.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::time::Duration;

use model::{Generation, PlaneConfig, ProbeTarget, Timestamp};

use super::Engine;
use crate::Action;
use crate::decide::uplinks;
use crate::health::{Moment, Place, Targets, Want};

/// Asked only where the administrator allows the Internet to be asked: public resolvers that answer echo.
const PUBLIC: [Ipv4Addr; 3] = [Ipv4Addr::new(1, 1, 1, 1), Ipv4Addr::new(8, 8, 8, 8), Ipv4Addr::new(9, 9, 9, 9)];

/// So many servers are asked at once.
const MAX_SERVERS: usize = 4;

impl Engine {
    /// Whom to ask whether the path works: the administrator's servers, else the network's own, else public ones.
    pub(super) fn targets(&self) -> Targets {
        let settings = &self.settings;
        let echo = |address: &Ipv4Addr| ProbeTarget { address: *address, port: None };
        let pref64 = self.plane.as_ref().map(|plane| plane.config.pref64);
        let mut servers = settings.probe_targets_v4.value.clone();
        let named = !servers.is_empty();
        let place =
            self.plane.as_ref().map(|plane| Place { link: plane.config.uplink.link, pref64: plane.config.pref64 });
        if let Some(points) = place.and_then(|place| self.check_points.get(&place)).filter(|_| servers.is_empty()) {
            servers.extend(points.iter().map(echo));
        }
        if servers.is_empty() && settings.allow_internet_probe.value {
            servers.extend(PUBLIC.iter().map(echo));
        }
        // What the translator itself would refuse says nothing about the path (RFC 6052 section 3.1).
        servers.retain(|target| pref64.is_none_or(|pref64| xlat::is_translatable(target.address, pref64)));
        servers.truncate(MAX_SERVERS);
        Targets {
            named,
            enabled: settings.probe_enabled.value && !self.shutting_down,
            servers,
            interval: Duration::from_secs(u64::from(settings.probe_interval_seconds.value)),
        }
    }

    /// Has what is due asked; verdicts may change by it.
    pub(super) fn look_after(&mut self, now: Timestamp) {
        let targets = self.targets();
        let spare = self.spare.as_ref().filter(|spare| spare.claimed);
        let spare =
            spare.map(|spare| Place { link: spare.config.plane.uplink.link, pref64: spare.config.plane.pref64 });
        let claimed = self.plane.as_ref().is_some_and(|plane| plane.claimed);
        let (wants, changed) = self.health.due(&Moment { targets: &targets, claimed, spare, now });
        if changed {
            self.push(Action::StatusChanged);
        }
        for want in wants {
            match want {
                Want::Sample { last } => self.push(Action::Sample { last }),
                Want::AskGateway { link, router } => match self.generation_of(link, router) {
                    Some(generation) => self.push(Action::AskGateway { generation }),
                    // Without an X of its own there, its word as a router is what can be asked for.
                    None => self.push(Action::SolicitRouters { link }),
                },
                Want::Probe { place, targets } => match self.line_at(place).map(|line| (line.generation, line)) {
                    Some((generation, line)) if self.may_use(line) => self.push(Action::Probe { generation, targets }),
                    // In a second, or when it is next due.
                    Some(_) => {}
                    None => self.health.cannot_ask(place, now),
                },
            }
        }
    }

    /// Follows the way that is in use now.
    pub(super) fn watch(&mut self, now: Timestamp) {
        let used = self.plane.as_ref().filter(|plane| plane.started).map(|plane| {
            let config = &plane.config;
            (Place { link: config.uplink.link, pref64: config.pref64 }, config.v6, config.uplink.gateway)
        });
        self.health.follow(used, now);
        if let Some((place, ..)) = used {
            self.find_check_points(place);
        }
        // What follows from following is due at once.
        self.look_after(now);
    }

    /// Asks the network once for servers by which its NAT64 can be checked.
    fn find_check_points(&mut self, place: Place) {
        let settings = &self.settings;
        let servers = self.discovery.resolvers(place.link);
        let wanted = settings.probe_enabled.value && settings.probe_targets_v4.value.is_empty() && !servers.is_empty();
        if wanted && self.asked_points.insert(place) {
            self.push(Action::FindCheckPoints { link: place.link, servers, pref64: place.pref64 });
        }
    }

    fn generation_of(&self, link: u32, router: Ipv6Addr) -> Option<Generation> {
        let plane = self.plane.as_ref().filter(|plane| plane.started).map(|plane| &plane.config);
        let spare = self.spare.as_ref().filter(|spare| spare.started && spare.config.answers);
        let mut lines = plane.into_iter().chain(spare.map(|spare| &spare.config.plane));
        let uses = |config: &&PlaneConfig| (config.uplink.link, config.uplink.gateway) == (link, router);
        lines.find(uses).map(|config| config.generation)
    }

    fn line_at(&self, place: Place) -> Option<&PlaneConfig> {
        let plane = self.plane.as_ref().filter(|plane| plane.started).map(|plane| &plane.config);
        // Nothing may be sent from an X that the spare does not answer for.
        let ready = self.spare.as_ref().filter(|spare| spare.started && spare.config.answers);
        let mut lines = plane.into_iter().chain(ready.map(|spare| &spare.config.plane));
        lines.find(|config| Place { link: config.uplink.link, pref64: config.pref64 } == place)
    }

    /// Asks the captive portal APIs of attached networks.
    pub(super) fn ask_portals(&mut self, now: Timestamp) {
        if self.shutting_down || !self.settings.enabled.value {
            return;
        }
        let Some(snapshot) = &self.snapshot else { return };
        let uplinks: Vec<u32> = uplinks(snapshot, &self.settings).into_iter().map(|(link, _)| link.index).collect();
        for (link, question, uri) in self.portals.due(&uplinks, now) {
            let servers = self.discovery.resolvers(link);
            self.push(Action::AskPortal { link, servers, question, uri });
        }
    }

    /// Routers of uplinks that the kernel can reach again.
    pub(super) fn note_resolved(&mut self) {
        let Some(snapshot) = &self.snapshot else { return };
        for route in snapshot.routes.iter().filter(|route| route.is_ipv6_default()) {
            let Some(IpAddr::V6(gateway)) = route.gateway else { continue };
            if snapshot.neighbour(route.link, gateway).is_some() {
                self.health.resolved(route.link, gateway);
            }
        }
    }
}

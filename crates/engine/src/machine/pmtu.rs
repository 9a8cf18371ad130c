//! What the path takes: has it measured when it is in doubt, and holds IPv4 to it.

use std::net::Ipv4Addr;

use model::Timestamp;

use super::Engine;
use crate::Action;
use crate::decide::Path;
use crate::health::Place;

impl Engine {
    /// The largest IPv6 packet that the path takes.
    pub(super) fn path_mtu(&self, path: &Path) -> u16 {
        let found = self.path_mtu.of(Place { link: path.link, pref64: path.pref64 });
        found.map_or(path.mtu6, |found| found.min(path.mtu6))
    }

    /// What it was found to be, where that is less than the uplink takes.
    pub(crate) fn narrow_path(&self, path: &Path) -> Option<u16> {
        Some(self.path_mtu(path)).filter(|mtu| *mtu < path.mtu6)
    }

    pub(super) fn place_in_use(&self) -> Option<Place> {
        let config = &self.plane.as_ref()?.config;
        Some(Place { link: config.uplink.link, pref64: config.pref64 })
    }

    /// A large segment to `server` is not acknowledged, however often it is sent.
    pub(super) fn suspect_path(&mut self, server: Ipv4Addr, size: u16, now: Timestamp) {
        let (Some(place), targets) = (self.place_in_use(), self.targets()) else { return };
        if !targets.enabled {
            return;
        }
        // The one in question first; others can show that it is the only one.
        let mut servers = vec![server];
        let named = targets.servers.iter().filter(|target| target.port.is_none()).map(|target| target.address);
        servers.extend(named.chain(self.health.lately()));
        let mut unique = Vec::new();
        for server in servers {
            if !unique.contains(&server) && xlat::is_translatable(server, place.pref64) {
                unique.push(server);
            }
        }
        let link_mtu = self.plane.as_ref().map_or(0, |plane| plane.config.uplink.mtu6);
        self.path_mtu.suspect(place, link_mtu, size, unique, now);
    }

    /// Has sizes tried that are due.
    pub(super) fn measure(&mut self, now: Timestamp) {
        let place = self.place_in_use();
        self.path_mtu.follow(place);
        let Some((place, plane)) = place.zip(self.plane.as_ref()) else { return };
        self.path_mtu.link_mtu(place, plane.config.uplink.mtu6);
        let generation = plane.config.generation;
        if !plane.started || !plane.claimed || !self.settings.probe_enabled.value {
            return;
        }
        let (questions, changed) = self.path_mtu.due(place, now);
        if changed {
            self.push(Action::StatusChanged);
        }
        if let Some(questions) = questions {
            self.push(Action::Measure { generation, questions });
        }
    }
}

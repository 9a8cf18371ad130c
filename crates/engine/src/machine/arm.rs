//! The way to translation: router, address, plane, default route.

use std::net::Ipv6Addr;
use std::time::Duration;

use model::{Dad, Ipv4Default, MacAddress, PlaneConfig, PlaneKind, Timestamp, UplinkConfig};

use super::flows::left;
use super::{Claim, Engine, PlaneState, Resolving, SpareState};
use crate::Action;
use crate::address::clat_address;
use crate::decide::{Path, Trouble};
use crate::rearm::change_reason;

/// The kernel's own retransmission interval for neighbour solicitations (RFC 4861 section 10).
const RESOLVE_AGAIN: Duration = Duration::from_secs(1);
/// What a packet gains on its way to IPv6: 40 - 20 bytes of header, and 8 more for a Fragment header (RFC 7915
/// section 4.1).
const GROWTH_UNFRAGMENTED: u16 = 20;
const GROWTH_FRAGMENTED: u16 = 28;

impl Engine {
    /// Goes one step further on the way to translation by `path`, if one is due.
    pub(super) fn arm(&mut self, path: &Path, now: Timestamp) {
        // Armed for the moment it works again, and led nowhere until then.
        let answered = self.applied.generation == self.requested.generation;
        let stays = self.host_dirty && answered && self.cleanup.is_some_and(|backoff| backoff.is_due(now));
        if path.is_withheld() && (self.requested.default_v4.is_some() || stays) {
            let portal = path.trouble == Trouble::Portal;
            self.lost(if portal { "captive-portal" } else { "path-dead" }, now);
            self.apply(None, self.requested.silent_v6.clone());
        }
        // What failed on one uplink need not fail on another.
        if self.failures.get(&path.link).is_some_and(|failure| !failure.backoff.is_due(now)) {
            return self.withdraw(now);
        }
        let Some(gateway_mac) = path.gateway_mac.or_else(|| self.mac_in_use(path)) else {
            if self.plane.is_some() {
                self.lost_for(path, "uplink-changed", now);
            }
            if path.trouble == Trouble::GatewaySilent {
                // It was waited for; what is still armed leads where nothing is any more.
                self.withdraw(now);
            }
            return self.resolve(path, now);
        };
        self.resolving.remove(&path.link);
        self.health.resolved(path.link, path.gateway);
        if self.is_out_of_addresses(path) {
            self.withdraw(now);
            return self.stop_plane();
        }
        let v6 = self.claim(path);
        let wanted = self.plane_config(path, gateway_mac, v6, self.plane.as_ref().map(|plane| &plane.config));
        let current =
            self.plane.as_ref().map(|plane| PlaneConfig { generation: self.generation, ..plane.config.clone() });
        if current.as_ref() != Some(&wanted) {
            let reason = current.as_ref().and_then(|current| change_reason(current, &wanted));
            // Nobody misses anything when X changes for the one beside it.
            if let Some(reason) = reason.filter(|_| !self.is_twin(&wanted)) {
                self.lost_for(path, reason, now);
            }
            if !self.may_use(&wanted) {
                self.withdraw(now);
            }
            self.set_plane(wanted, now);
        }
        if path.is_withheld() {
            return;
        }
        let ready = self.plane.as_ref().is_some_and(|plane| plane.started && self.may_use(&plane.config));
        if ready {
            self.request_default(path, v6, now);
        }
    }

    /// Whether packets may leave from X: optimistic DAD lets them before anybody could have objected.
    pub(super) fn may_use(&self, config: &PlaneConfig) -> bool {
        config.dad == Dad::Optimistic || self.has_claimed(config)
    }

    /// Whether the running plane or the spare has claimed the X of `config` on that very link.
    pub(super) fn has_claimed(&self, config: &PlaneConfig) -> bool {
        let place = |config: &PlaneConfig| (config.v6, config.uplink.link, config.uplink.mac, config.round);
        let plane = self.plane.as_ref().filter(|plane| plane.claimed).map(|plane| &plane.config);
        let beside = self.spare.iter().chain(&self.twin).filter(|spare| spare.claimed).map(|spare| &spare.config.plane);
        config.owned || plane.into_iter().chain(beside).any(|claimed| place(claimed) == place(config))
    }

    /// Whether the router on the path is being asked for its link-layer address.
    pub(crate) fn is_resolving(&self, path: &Path) -> bool {
        self.resolving.contains_key(&path.link)
    }

    pub(super) fn resolve(&mut self, path: &Path, now: Timestamp) {
        let under_way = self.resolving.get(&path.link).filter(|resolving| resolving.address == path.gateway);
        if under_way.is_some_and(|resolving| resolving.again > now) {
            return;
        }
        let since = under_way.map_or(now, |resolving| resolving.since);
        let resolving = Resolving { address: path.gateway, since, again: now + RESOLVE_AGAIN };
        self.resolving.insert(path.link, resolving);
        self.push(Action::ResolveNeighbour { link: path.link, address: path.gateway });
    }

    /// The gateway's address on the link as the plane or the spare knows it, while the kernel asks again.
    pub(super) fn mac_in_use(&self, path: &Path) -> Option<MacAddress> {
        self.mac_of(path.link, path.gateway)
    }

    /// The same of any gateway.
    pub(super) fn mac_of(&self, link: u32, gateway: Ipv6Addr) -> Option<MacAddress> {
        let plane = self.plane.as_ref().map(|plane| &plane.config.uplink);
        let spare = self.spare.as_ref().map(|spare| &spare.config.plane.uplink);
        let mut uplinks = plane.into_iter().chain(spare);
        uplinks.find(|uplink| uplink.link == link && uplink.gateway == gateway).map(|uplink| uplink.gateway_mac)
    }

    /// X for this path: kept as long as the /64 stays, whatever the NAT64 prefix; chosen afresh after a duplicate.
    pub(super) fn claim(&mut self, path: &Path) -> Ipv6Addr {
        let claim = self.claims.entry(path.prefix).or_default();
        let choose = || clat_address(&self.secret, path.prefix, claim.attempt, path.v4, path.pref64);
        *claim.address.get_or_insert_with(|| claim.remembered.unwrap_or_else(choose))
    }

    pub(super) fn is_out_of_addresses(&self, path: &Path) -> bool {
        self.claims.get(&path.prefix).is_some_and(Claim::is_exhausted)
    }

    /// What a plane on this path needs. `current` is what it has now: whether X had to be claimed there does not change
    /// afterwards.
    pub(super) fn plane_config(
        &self,
        path: &Path,
        gateway_mac: MacAddress,
        v6: Ipv6Addr,
        current: Option<&PlaneConfig>,
    ) -> PlaneConfig {
        let claim = self.claims.get(&path.prefix).copied().unwrap_or_default();
        let here = (v6, path.link, path.mac, claim.round);
        let place = |config: &PlaneConfig| (config.v6, config.uplink.link, config.uplink.mac, config.round);
        let current = current.filter(|current| place(current) == here);
        PlaneConfig {
            generation: self.generation,
            kind: PlaneKind::Translate,
            uplink: UplinkConfig {
                link: path.link,
                name: path.name.clone(),
                mac: path.mac,
                gateway: path.gateway,
                gateway_mac,
                mtu6: path.mtu6,
            },
            pref64: path.pref64,
            path_mtu: self.path_mtu(path),
            lowest_ipv6_mtu: self.settings.lowest_ipv6_mtu.value,
            v4: path.v4,
            gateway_v4: path.gateway_v4,
            v6,
            dad: self.settings.dad.value,
            owned: current.map_or(claim.owned, |current| current.owned),
            round: claim.round,
            own_macs: path.own_macs.clone(),
        }
    }

    fn set_plane(&mut self, wanted: PlaneConfig, now: Timestamp) {
        self.generation = self.generation.next();
        let config = PlaneConfig { generation: self.generation, ..wanted };
        let claimed = self.has_claimed(&config);
        let line = |config: &PlaneConfig| (config.uplink.link, config.uplink.mac, config.v6);
        let in_the_way = |spare: &mut SpareState| {
            let plane = &spare.config.plane;
            let same_link = plane.uplink.link == config.uplink.link;
            // One line on a link, and one answer for an X.
            if same_link { line(plane) != line(&config) } else { spare.config.answers && plane.v6 == config.v6 }
        };
        if self.spare.take_if(in_the_way).is_some() {
            self.push(Action::SetSpare(None));
        }
        self.note_plane(&config);
        let old = self.plane.take();
        // The plane that takes a place beside it gives it its own, until something else is said.
        if let Some(old) = old.as_ref().filter(|old| old.config.uplink.link != config.uplink.link) {
            self.leave(&old.config, now);
            let is_spare = self.spare.as_ref().is_some_and(|spare| line(&spare.config.plane) == line(&config));
            if is_spare || self.spare.is_none() {
                self.spare = Some(left(old, old.config.v6 != config.v6));
            }
        } else if let Some(old) = old.as_ref().filter(|_| self.is_twin(&config)) {
            self.change_places(old);
        }
        let path = |config: &PlaneConfig| (config.pref64, config.v6, config.uplink.link);
        let same_path = old.as_ref().is_some_and(|old| path(&old.config) == path(&config));
        if !same_path {
            self.probed = None;
        }
        self.plane = Some(PlaneState {
            claimed,
            replied: same_path && old.as_ref().is_some_and(|old| old.replied),
            tun: old.and_then(|old| old.tun),
            started: false,
            config: config.clone(),
        });
        self.push(Action::SetPlane(config));
        self.push(Action::StatusChanged);
    }

    fn request_default(&mut self, path: &Path, v6: Ipv6Addr, now: Timestamp) {
        let automatic = self.path_mtu(path).saturating_sub(GROWTH_FRAGMENTED);
        let route_mtu = match self.settings.mtu.value {
            0 => automatic,
            fixed => fixed.min(automatic),
        };
        let default_v4 = Ipv4Default {
            uplink: path.link,
            address: path.v4,
            gateway: path.gateway_v4,
            route_mtu,
            device_mtu: path.mtu6.saturating_sub(GROWTH_UNFRAGMENTED),
            metric: self.settings.ipv4_route_metric.value,
            leads: path.beneath.as_ref().is_none_or(|vpn| !vpn.is_default),
        };
        let silent_v6 = self.silent(path, v6);
        if !default_v4.leads && self.applied.default_v4.as_ref().is_some_and(|route| route.leads) {
            self.lost("native-ipv4", now);
        }
        let same = self.requested.default_v4.as_ref() == Some(&default_v4) && self.requested.silent_v6 == silent_v6;
        if !same || self.is_to_mend(now) {
            self.apply(Some(default_v4), silent_v6);
        }
    }

    /// Addresses that a host which forwards would answer for: X here, and X of the second uplink.
    fn silent(&self, path: &Path, v6: Ipv6Addr) -> Vec<Ipv6Addr> {
        let second = self.second.as_ref().filter(|second| second.forwards);
        let spare =
            self.spare.as_ref().filter(|spare| Some(spare.config.plane.uplink.link) == second.map(|path| path.link));
        let twin = self.twin.as_ref().filter(|_| path.forwards);
        let beside = spare.into_iter().chain(twin).map(|spare| spare.config.plane.v6);
        let mut silent: Vec<Ipv6Addr> = path.forwards.then_some(v6).into_iter().chain(beside).collect();
        silent.sort_unstable();
        silent.dedup();
        silent
    }
}

//! The way to translation: router, address, plane, default route.

use std::net::Ipv6Addr;
use std::time::Duration;

use model::{Dad, GATEWAY_V4, Ipv4Default, MacAddress, PlaneConfig, PlaneKind, Timestamp, UplinkConfig};

use super::{Claim, Engine, MAX_DUPLICATES, PlaneState, Resolving};
use crate::Action;
use crate::address::clat_address;
use crate::decide::Path;
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
        // What failed on one uplink need not fail on another.
        self.failure.take_if(|failure| failure.link != path.link);
        if self.failure.as_ref().is_some_and(|failure| !failure.backoff.is_due(now)) {
            return self.withdraw(now);
        }
        let Some(gateway_mac) = path.gateway_mac.or_else(|| self.mac_in_use(path)) else {
            if self.plane.is_some() {
                self.lost("uplink-changed", now);
            }
            return self.resolve(path, now);
        };
        self.resolving = None;
        let Some(v6) = self.claim(path, now) else { return };
        let uplink = UplinkConfig {
            link: path.link,
            name: path.name.clone(),
            mac: path.mac,
            gateway: path.gateway,
            gateway_mac,
            mtu6: path.mtu6,
        };
        let wanted = PlaneConfig {
            generation: self.generation,
            kind: PlaneKind::Translate,
            uplink,
            pref64: path.pref64,
            v4: path.v4,
            v6,
            dad: self.settings.dad.value,
        };
        let current =
            self.plane.as_ref().map(|plane| PlaneConfig { generation: self.generation, ..plane.config.clone() });
        if current.as_ref() != Some(&wanted) {
            if let Some(reason) = current.as_ref().and_then(|current| change_reason(current, &wanted)) {
                self.lost(reason, now);
            }
            if !self.may_use(&wanted) {
                self.withdraw(now);
            }
            self.set_plane(wanted);
        }
        let ready = self.plane.as_ref().is_some_and(|plane| plane.started && self.may_use(&plane.config));
        if ready {
            self.request_default(path, v6);
        }
    }

    /// Whether packets may leave from X: optimistic DAD lets them before anybody could have objected.
    fn may_use(&self, config: &PlaneConfig) -> bool {
        config.dad == Dad::Optimistic || self.has_claimed(config)
    }

    /// Whether the running plane has claimed the X of `config` on that very link.
    fn has_claimed(&self, config: &PlaneConfig) -> bool {
        let place = |config: &PlaneConfig| (config.v6, config.uplink.link, config.uplink.mac);
        self.plane.as_ref().is_some_and(|plane| plane.claimed && place(&plane.config) == place(config))
    }

    pub(crate) fn is_resolving(&self) -> bool {
        self.resolving.is_some()
    }

    fn resolve(&mut self, path: &Path, now: Timestamp) {
        let under_way = self.resolving.filter(|r| (r.link, r.address) == (path.link, path.gateway));
        if under_way.is_some_and(|resolving| resolving.again > now) {
            return;
        }
        self.resolving = Some(Resolving {
            link: path.link,
            address: path.gateway,
            since: under_way.map_or(now, |resolving| resolving.since),
            again: now + RESOLVE_AGAIN,
        });
        self.push(Action::ResolveNeighbour { link: path.link, address: path.gateway });
    }

    /// The gateway's address on the link as the running plane knows it, while the kernel asks again.
    fn mac_in_use(&self, path: &Path) -> Option<MacAddress> {
        let uplink = &self.plane.as_ref()?.config.uplink;
        (uplink.link == path.link && uplink.gateway == path.gateway).then_some(uplink.gateway_mac)
    }

    /// X for this path: kept as long as the /64 stays, whatever the NAT64 prefix; chosen afresh after a duplicate.
    fn claim(&mut self, path: &Path, now: Timestamp) -> Option<Ipv6Addr> {
        let mut claim = self.claim.filter(|claim| claim.prefix == path.prefix).unwrap_or(Claim {
            prefix: path.prefix,
            attempt: 0,
            duplicates: 0,
            again: None,
            address: None,
        });
        if claim.duplicates >= MAX_DUPLICATES {
            self.withdraw(now);
            self.stop_plane();
            return None;
        }
        let choose = || clat_address(&self.secret, path.prefix, claim.attempt, path.v4, path.pref64);
        let address = claim.address.unwrap_or_else(choose);
        claim.address = Some(address);
        self.claim = Some(claim);
        Some(address)
    }

    /// So many of the prefix's addresses were taken that the next one is not worth a try.
    pub(super) fn is_out_of_addresses(&self) -> bool {
        self.claim.is_some_and(|claim| claim.duplicates >= MAX_DUPLICATES)
    }

    fn set_plane(&mut self, wanted: PlaneConfig) {
        self.generation = self.generation.next();
        let config = PlaneConfig { generation: self.generation, ..wanted };
        let claimed = self.has_claimed(&config);
        let old = self.plane.take();
        let path = |config: &PlaneConfig| (config.pref64, config.v6, config.uplink.link);
        let same_path = old.as_ref().is_some_and(|old| path(&old.config) == path(&config));
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

    fn request_default(&mut self, path: &Path, v6: Ipv6Addr) {
        let automatic = path.mtu6.saturating_sub(GROWTH_FRAGMENTED);
        let route_mtu = match self.settings.mtu.value {
            0 => automatic,
            fixed => fixed.min(automatic),
        };
        let default_v4 = Ipv4Default {
            uplink: path.link,
            address: path.v4,
            gateway: GATEWAY_V4,
            route_mtu,
            device_mtu: path.mtu6.saturating_sub(GROWTH_UNFRAGMENTED),
            metric: self.settings.ipv4_route_metric.value,
        };
        let silent_v6 = path.forwards.then_some(v6);
        if self.requested.default_v4.as_ref() != Some(&default_v4) || self.requested.silent_v6 != silent_v6 {
            self.apply(Some(default_v4), silent_v6);
        }
    }
}

//! What survives the process, and how a new one takes it up.

use std::net::{IpAddr, Ipv6Addr};

use model::{Link, Memory, NetworkId, NetworkSnapshot, Pref64, RememberedNetwork, Timestamp};

use super::{Claim, Engine};
use crate::Action;
use crate::address::{choose_prefix, is_reserved};
use crate::decide::{candidates, uplinks};
use crate::routers::Routers;

impl Engine {
    /// Takes up what a former process has learnt. To be called before anything else.
    ///
    /// Nothing of it is used before a snapshot shows the very network it is about: uplink, /64, default router and the
    /// router's link-layer address. From then on it stands in for the network's own word, for half a minute at the
    /// longest; everybody is asked as on any other start. Generations go on above the remembered one.
    pub fn remember(&mut self, memory: Memory) {
        self.generation = self.generation.max(memory.generation);
        self.discovery.remembered = memory.networks;
    }

    /// What is worth remembering now: the attached networks whose router is known. One that has nothing to tell is among
    /// them, so that what was kept of it can be forgotten.
    #[must_use]
    pub fn memory(&self) -> Memory {
        let networks = self.snapshot.iter().flat_map(|snapshot| {
            let attached = uplinks(snapshot, &self.settings).into_iter();
            attached.filter_map(|(link, routers)| self.worth(snapshot, link, &routers))
        });
        Memory { generation: self.generation, networks: networks.collect() }
    }

    fn worth(&self, snapshot: &NetworkSnapshot, link: &Link, routers: &Routers) -> Option<RememberedNetwork> {
        let used = self.line_on(link.index).map(|config| config.uplink.gateway);
        let router = used.filter(|used| routers.contains(used)).or_else(|| routers.first().copied())?;
        let router_mac = snapshot.neighbour(link.index, router).or_else(|| self.mac_of(link.index, router))?;
        let candidates = candidates(link.index, &self.discovery, &self.settings);
        let pref64 = candidates.first().map_or(Pref64::WELL_KNOWN, |candidate| candidate.prefix);
        let chosen = || choose_prefix(link, pref64, None, |_| false).map(|(prefix, _)| prefix);
        let prefix = self.prefix_of_x(link.index).or_else(chosen)?;
        let claim = self.claims.get(&prefix).copied().unwrap_or_default();
        Some(RememberedNetwork {
            id: NetworkId { uplink: link.name.clone(), prefix, router, router_mac },
            prefixes: self.discovery.worth(link.index),
            attempt: claim.attempt,
            x: claim.address.filter(|_| claim.owned).or(claim.remembered),
        })
    }

    /// Recognises networks.
    pub(super) fn recall(&mut self, now: Timestamp) {
        let Some(snapshot) = &self.snapshot else { return };
        for (link, _) in uplinks(snapshot, &self.settings) {
            let mut unresolved = Vec::new();
            let mut is_here = |network: &mut RememberedNetwork| {
                let router = network.id.router;
                let mac = snapshot.neighbour(link.index, router);
                let seems = seems_to_be(snapshot, link, &network.id);
                unresolved.extend((seems && mac.is_none()).then_some(router));
                seems && mac == Some(network.id.router_mac)
            };
            let found: Vec<_> = self.discovery.remembered.extract_if(.., |network| is_here(network)).collect();
            for network in found {
                self.discovery.recall(link.index, &network.prefixes, now);
                let held = |x: &Ipv6Addr| snapshot.links.values().any(|link| holds(link, *x));
                let remembered = network.x.filter(|x| network.id.prefix.contains(x) && !is_reserved(*x) && !held(x));
                let claim = Claim { attempt: network.attempt, remembered, ..Claim::default() };
                self.claims.entry(network.id.prefix).or_insert(claim);
            }
            for address in unresolved {
                self.actions.push_back(Action::ResolveNeighbour { link: link.index, address });
            }
        }
    }
}

/// Whether the network on `link` could be `id`; who the router is remains to be seen.
fn seems_to_be(snapshot: &NetworkSnapshot, link: &Link, id: &NetworkId) -> bool {
    let default = snapshot.routes.iter().any(|route| {
        route.link == link.index && route.is_ipv6_default() && route.gateway == Some(IpAddr::V6(id.router))
    });
    let ours = link.global_v6().any(|(net, flags)| net.trunc() == id.prefix && !flags.dad_failed);
    link.name == id.uplink && default && ours
}

fn holds(link: &Link, address: Ipv6Addr) -> bool {
    link.addresses.iter().any(|held| held.net.addr() == address)
}

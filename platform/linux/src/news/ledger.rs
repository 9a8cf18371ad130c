//! Who is believed (docs/decisions/0005-resolvers.md), and what has been said already.

use std::collections::{BTreeMap, BTreeSet};
use std::net::Ipv6Addr;

use model::{LinkKind, LinkNews};

use super::NewsLinks;
use super::bus::Knowledge;

/// The sources' last pictures. Plain values: what is new falls out of a comparison.
#[derive(Debug, Default)]
pub(super) struct Ledger {
    pub(super) links: NewsLinks,
    /// `None` until somebody has looked.
    pub(super) bus: Option<Knowledge>,
    pub(super) files: Vec<Ipv6Addr>,
    told: BTreeMap<u32, Told>,
}

#[derive(Clone, Debug, Default, PartialEq, Eq)]
struct Told {
    resolvers: Vec<Ipv6Addr>,
    portal: bool,
}

impl Ledger {
    /// What has not been said yet. A link that was away starts afresh: whoever listens has forgotten it.
    pub(super) fn settle(&mut self) -> Vec<(u32, LinkNews)> {
        let uplinks: BTreeSet<u32> =
            self.links.iter().filter(|(_, link)| link.uplink).map(|(index, _)| *index).collect();
        self.told.retain(|link, _| uplinks.contains(link));
        let mut news = Vec::new();
        for link in uplinks {
            let now = Told { resolvers: self.resolvers(link), portal: self.portal(link) };
            let told = self.told.entry(link).or_default();
            if told.resolvers != now.resolvers {
                news.push((link, LinkNews::Resolvers(now.resolvers.clone())));
            }
            if told.portal != now.portal {
                news.push((link, LinkNews::Portal(now.portal)));
            }
            *told = now;
        }
        news
    }

    /// The first who can say what the link's own network gave: a lease, then networkd, then resolved, then a file.
    fn resolvers(&self, link: u32) -> Vec<Ipv6Addr> {
        let Some(bus) = &self.bus else { return Vec::new() };
        let device = self.device(bus, link);
        if let Some(device) = device.filter(|device| !device.resolvers.is_empty()) {
            return device.resolvers.clone();
        }
        if let Some(servers) = bus.networkd.as_ref().and_then(|links| links.get(&link)) {
            return servers.clone();
        }
        // What resolved has of a link that NetworkManager manages, and that is in no lease, it has from a hand or from
        // an advertisement.
        if device.is_some() {
            return Vec::new();
        }
        if let Some(servers) = bus.resolved.as_ref().and_then(|links| links.get(&link)) {
            return servers.clone();
        }
        let silent = *bus == Knowledge::default();
        if silent && self.is_only_way(link) { self.files.clone() } else { Vec::new() }
    }

    fn portal(&self, link: u32) -> bool {
        self.bus.as_ref().and_then(|bus| self.device(bus, link)).is_some_and(|device| device.portal)
    }

    fn device<'a>(&self, bus: &'a Knowledge, link: u32) -> Option<&'a super::network_manager::Device> {
        let name = &self.links.get(&link)?.name;
        bus.network_manager.as_ref()?.iter().find(|device| device.interface == *name)
    }

    /// No other network can have written a file, and no VPN: nothing else with Ethernet framing has a carrier, and no
    /// tunnel is up. Bridges have no network of their own.
    fn is_only_way(&self, link: u32) -> bool {
        self.links.iter().all(|(index, other)| {
            *index == link
                || match other.kind {
                    LinkKind::Ethernet => !other.uplink,
                    LinkKind::PointToPoint | LinkKind::Other => false,
                    LinkKind::Bridge | LinkKind::Loopback => true,
                }
        })
    }
}

#[cfg(test)]
mod tests {
    use super::super::NewsLink;
    use super::super::network_manager::Device;
    use super::*;

    const ETH0: u32 = 2;

    fn link(name: &str, kind: LinkKind) -> NewsLink {
        let uplink = matches!(kind, LinkKind::Ethernet | LinkKind::Bridge);
        NewsLink { name: name.into(), uplink, kind }
    }

    fn list(last: u16) -> Vec<Ipv6Addr> {
        vec![Ipv6Addr::new(0x2001, 0xdb8, 0, 0, 0, 0, 0, last)]
    }

    fn resolvers(last: u16) -> (u32, LinkNews) {
        (ETH0, LinkNews::Resolvers(list(last)))
    }

    fn none() -> (u32, LinkNews) {
        (ETH0, LinkNews::Resolvers(vec![]))
    }

    fn device(resolvers: Vec<Ipv6Addr>) -> Device {
        Device { path: "/d/2".into(), interface: "eth0".into(), resolvers, portal: false }
    }

    fn ledger(bus: Option<Knowledge>) -> Ledger {
        let links = BTreeMap::from([(1, link("lo", LinkKind::Loopback)), (ETH0, link("eth0", LinkKind::Ethernet))]);
        Ledger { links, bus, ..Ledger::default() }
    }

    fn everybody() -> Knowledge {
        Knowledge {
            network_manager: Some(vec![device(list(1))]),
            networkd: Some(BTreeMap::from([(ETH0, list(2))])),
            resolved: Some(BTreeMap::from([(ETH0, list(3))])),
            elsewhere: false,
        }
    }

    #[test]
    fn each_is_believed_where_nobody_better_speaks() {
        let mut ledger = ledger(Some(everybody()));
        ledger.files = list(4);
        assert_eq!(ledger.settle(), [resolvers(1)]);
        ledger.bus.as_mut().unwrap().network_manager = Some(vec![]);
        assert_eq!(ledger.settle(), [resolvers(2)], "not a device of NetworkManager's");
        ledger.bus.as_mut().unwrap().networkd = Some(BTreeMap::new());
        assert_eq!(ledger.settle(), [resolvers(3)], "nor of networkd's");
        ledger.bus.as_mut().unwrap().resolved = Some(BTreeMap::new());
        assert_eq!(ledger.settle(), [none()], "a file may hold what these took from elsewhere");
        ledger.bus = Some(Knowledge::default());
        assert_eq!(ledger.settle(), [resolvers(4)], "nobody is on the bus");
        assert_eq!(ledger.settle(), [], "said once");
    }

    #[test]
    fn who_knows_the_lease_knows_that_a_server_is_not_from_it() {
        let mut ledger = ledger(Some(everybody()));
        ledger.bus.as_mut().unwrap().network_manager = Some(vec![device(vec![])]);
        ledger.bus.as_mut().unwrap().networkd = None;
        assert_eq!(ledger.settle(), []);
        ledger.bus.as_mut().unwrap().networkd = Some(BTreeMap::from([(ETH0, vec![])]));
        ledger.bus.as_mut().unwrap().network_manager = None;
        assert_eq!(ledger.settle(), [], "networkd manages it and had nothing");
    }

    #[test]
    fn a_link_that_comes_back_is_told_again() {
        let mut ledger = ledger(Some(everybody()));
        ledger.bus.as_mut().unwrap().network_manager.as_mut().unwrap()[0].portal = true;
        let all = [resolvers(1), (ETH0, LinkNews::Portal(true))];
        assert_eq!(ledger.settle(), all);
        ledger.links.get_mut(&ETH0).unwrap().uplink = false;
        assert_eq!(ledger.settle(), []);
        ledger.links.get_mut(&ETH0).unwrap().uplink = true;
        assert_eq!(ledger.settle(), all);
        ledger.bus.as_mut().unwrap().network_manager.as_mut().unwrap()[0].portal = false;
        assert_eq!(ledger.settle(), [(ETH0, LinkNews::Portal(false))]);
    }

    #[test]
    fn a_file_counts_only_when_it_can_be_about_one_network() {
        let mut ledger = ledger(None);
        ledger.files = list(4);
        assert_eq!(ledger.settle(), [], "nobody has looked at the bus yet");
        ledger.bus = Some(Knowledge::default());
        assert_eq!(ledger.settle(), [resolvers(4)]);
        for kind in [LinkKind::PointToPoint, LinkKind::Other, LinkKind::Ethernet] {
            ledger.links.insert(3, link("another", kind));
            assert_eq!(ledger.settle(), [none()], "{kind:?}");
            ledger.links.remove(&3);
            assert_eq!(ledger.settle(), [resolvers(4)]);
        }
        ledger.bus.as_mut().unwrap().elsewhere = true;
        assert_eq!(ledger.settle(), [none()], "it is the file of another network namespace");
        ledger.bus.as_mut().unwrap().elsewhere = false;
        assert_eq!(ledger.settle(), [resolvers(4)]);
        ledger.links.insert(3, link("docker0", LinkKind::Bridge));
        assert_eq!(ledger.settle().iter().filter(|(link, _)| *link == ETH0).count(), 0, "a bridge changes nothing");
    }

    #[test]
    fn nothing_is_said_of_links_that_are_no_uplinks() {
        let mut ledger = ledger(Some(everybody()));
        ledger.links.insert(3, link("wg0", LinkKind::PointToPoint));
        ledger.bus.as_mut().unwrap().networkd.as_mut().unwrap().insert(3, list(9));
        assert_eq!(ledger.settle(), [resolvers(1)]);
    }
}

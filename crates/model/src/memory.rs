use std::net::Ipv6Addr;

use ipnet::Ipv6Net;
use xlat::Pref64;

use crate::{Generation, MacAddress, Pref64Source, Timestamp};

/// What survives the process: what the networks have said, and X. Only a stand-in for their word until it is heard again.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Memory {
    /// No decision of the process had a greater one.
    pub generation: Generation,
    /// What is known of networks, those attached last first; at most [`MAX_NETWORKS`](Self::MAX_NETWORKS) when it is kept.
    pub networks: Vec<RememberedNetwork>,
}

/// By what a network is recognised. An interface index would not do: it is another one after each start of the system.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NetworkId {
    /// Name of the interface.
    pub uplink: String,
    /// Our /64 there, the one that X is from.
    pub prefix: Ipv6Net,
    /// The default router.
    pub router: Ipv6Addr,
    /// Its link-layer address.
    pub router_mac: MacAddress,
}

impl NetworkId {
    /// Whether both are behind the same router, whatever /64 it gives out now.
    #[must_use]
    pub fn is_same_place(&self, other: &Self) -> bool {
        (&self.uplink, self.router, self.router_mac) == (&other.uplink, other.router, other.router_mac)
    }
}

/// What is known of one network.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RememberedNetwork {
    /// Which one.
    pub id: NetworkId,
    /// Its prefixes, in order of preference.
    pub prefixes: Vec<RememberedPref64>,
    /// Which of the /64's addresses X is: so many before it belonged to others.
    pub attempt: u8,
    /// X, if nobody objected to it.
    pub x: Option<Ipv6Addr>,
}

/// A prefix that somebody has told.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RememberedPref64 {
    /// The prefix.
    pub prefix: Pref64,
    /// How it was learnt: [`Ra`](Pref64Source::Ra) or [`Dns`](Pref64Source::Dns). What is configured is read, not
    /// remembered.
    pub source: Pref64Source,
    /// Who announced it; `None` when the host did not say, and for DNS.
    pub router: Option<Ipv6Addr>,
    /// When its lifetime ends.
    pub expires: Timestamp,
}

impl Memory {
    /// More networks than this are not kept.
    pub const MAX_NETWORKS: usize = 8;

    /// What is to be kept at `now`: of attached networks what `self` says, of others what `former` said. What has ended
    /// is left out, and so is a network of which nothing is left.
    #[must_use]
    pub fn on_top_of(self, former: &Self, now: Timestamp) -> Self {
        let seen = self.networks;
        let others =
            former.networks.iter().filter(|old| !seen.iter().any(|new| new.id.is_same_place(&old.id))).cloned();
        let mut networks: Vec<RememberedNetwork> = seen.iter().cloned().chain(others).collect();
        for network in &mut networks {
            network.prefixes.retain(|known| known.expires > now);
        }
        networks.retain(|network| !network.prefixes.is_empty() || network.attempt > 0);
        networks.truncate(Self::MAX_NETWORKS);
        Self { generation: self.generation.max(former.generation), networks }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn network(uplink: &str, prefix: &str, expires_s: u64) -> RememberedNetwork {
        RememberedNetwork {
            id: NetworkId {
                uplink: uplink.into(),
                prefix: prefix.parse().unwrap(),
                router: "fe80::1".parse().unwrap(),
                router_mac: MacAddress([2, 0, 0, 0, 1, 2]),
            },
            prefixes: vec![RememberedPref64 {
                prefix: Pref64::WELL_KNOWN,
                source: Pref64Source::Ra,
                router: None,
                expires: Timestamp::from_millis(expires_s * 1000),
            }],
            attempt: 0,
            x: None,
        }
    }

    fn names(memory: &Memory) -> Vec<String> {
        memory.networks.iter().map(|network| format!("{} {}", network.id.uplink, network.id.prefix)).collect()
    }

    fn of(networks: Vec<RememberedNetwork>, generation: u64) -> Memory {
        Memory { generation: Generation(generation), networks }
    }

    #[test]
    fn attached_networks_replace_and_others_stay() {
        let former = of(vec![network("eth0", "2001:db8:1::/64", 60), network("wlan0", "2001:db8:2::/64", 60)], 9);
        let renumbered = of(vec![network("eth0", "2001:db8:7::/64", 60)], 4);
        let kept = renumbered.on_top_of(&former, Timestamp::ZERO);
        assert_eq!(names(&kept), ["eth0 2001:db8:7::/64", "wlan0 2001:db8:2::/64"]);
        assert_eq!(kept.generation, Generation(9), "it never falls");
    }

    #[test]
    fn another_router_is_another_network() {
        let mut office = network("eth0", "2001:db8:1::/64", 60);
        office.id.router_mac = MacAddress([2, 0, 0, 0, 9, 9]);
        let kept = of(vec![network("eth0", "2001:db8:1::/64", 60)], 1).on_top_of(&of(vec![office], 1), Timestamp::ZERO);
        assert_eq!(kept.networks.len(), 2);
    }

    #[test]
    fn what_has_ended_is_left_out_and_with_it_the_network() {
        let mut taken = network("wlan0", "2001:db8:2::/64", 10);
        taken.attempt = 1;
        let former = of(vec![network("eth0", "2001:db8:1::/64", 10), taken], 1);
        let kept = Memory::default().on_top_of(&former, Timestamp::from_millis(10_000));
        assert_eq!(names(&kept), ["wlan0 2001:db8:2::/64"], "its first address is still somebody else's");
        assert!(kept.networks[0].prefixes.is_empty());
        let mut silent = network("eth0", "2001:db8:1::/64", 60);
        silent.prefixes.clear();
        let former = of(vec![network("eth0", "2001:db8:1::/64", 60)], 1);
        assert!(of(vec![silent], 1).on_top_of(&former, Timestamp::ZERO).networks.is_empty(), "it has been withdrawn");
    }

    #[test]
    fn it_does_not_grow_for_ever() {
        let mut memory = Memory::default();
        for number in 0..100 {
            let latest = of(vec![network(&format!("eth{number}"), "2001:db8:1::/64", 60)], number);
            memory = latest.on_top_of(&memory, Timestamp::ZERO);
        }
        assert_eq!(memory.networks.len(), Memory::MAX_NETWORKS);
        assert_eq!(memory.networks[0].id.uplink, "eth99");
    }
}

//! Names and addresses of a lab, derived from its configuration and nothing else.
//!
//! Router `n` (1 to 8) has the link 2001:db8:n::/64, the transfer networks 2001:db8:ff:n::/64 and
//! 10.255.n.0/30 towards the servers, and its DNS server at 2001:db8:53:n::53.

use std::net::{Ipv4Addr, Ipv6Addr};
use std::path::PathBuf;

use ipnet::{Ipv4Net, Ipv6Net};

use crate::Pref64;
use crate::config::{LabConfig, MAX_UPLINKS, UplinkConfig};
use crate::error::{Error, Result};
use crate::netns::Netns;
use crate::ra::{RaConfig, RaPrefix};

/// Directory of all labs' state.
pub(crate) const RUN_DIR: &str = "/run/everclat-lab";
/// Interface of a router towards the host.
pub(crate) const LAN: &str = "lan";
/// Interface of a router towards the servers.
pub(crate) const CORE: &str = "inet";
/// Gateway of every link: as on many real networks, the same link-local address on all of them.
pub(crate) const GATEWAY: Ipv6Addr = Ipv6Addr::new(0xfe80, 0, 0, 0, 0, 0, 0, 1);

/// A router with its link and all that hangs on it.
#[derive(Debug, Clone)]
pub(crate) struct Site {
    /// 1 for the first router.
    pub(crate) number: u8,
    /// Where it lives.
    pub(crate) netns: Netns,
    /// The uplink that owns it.
    pub(crate) uplink: UplinkConfig,
    /// One port per uplink plugged into its link.
    pub(crate) ports: Vec<Port>,
}

/// One cable between the host and a router.
#[derive(Debug, Clone)]
pub(crate) struct Port {
    /// Interface in the host.
    pub(crate) uplink: String,
    /// Interface in the router: `lan`, or a port of the bridge `lan`.
    pub(crate) router_side: String,
    pub(crate) metric: u32,
    pub(crate) host_mac: [u8; 6],
}

/// All of it.
#[derive(Debug, Clone)]
pub(crate) struct Plan {
    pub(crate) name: String,
    pub(crate) host: Netns,
    pub(crate) inet: Netns,
    pub(crate) sites: Vec<Site>,
}

impl Plan {
    pub(crate) fn new(config: &LabConfig) -> Self {
        let name = config.name.clone();
        let mut sites: Vec<Site> = Vec::new();
        for (index, uplink) in (1_u8..).zip(&config.uplinks) {
            let port = |router_side: String| Port {
                uplink: uplink.name.clone(),
                router_side,
                metric: uplink.metric,
                host_mac: [0x02, 0xec, 0, 0, index, 2],
            };
            let owner = uplink.shares.as_ref();
            let shared = owner.and_then(|owner| sites.iter_mut().find(|site| site.uplink.name == *owner));
            if let Some(site) = shared {
                site.ports.push(port(String::new()));
            } else {
                let number = u8::try_from(sites.len() + 1).unwrap_or(u8::MAX);
                let netns = netns(&name, &format!("r{number}"));
                sites.push(Site { number, netns, uplink: uplink.clone(), ports: vec![port(LAN.to_owned())] });
            }
        }
        for site in sites.iter_mut().filter(|site| site.ports.len() > 1) {
            for (number, port) in (1..).zip(&mut site.ports) {
                port.router_side = format!("port{number}");
            }
        }
        Self { host: netns(&name, "host"), inet: netns(&name, "inet"), name, sites }
    }

    pub(crate) fn namespaces(&self) -> Vec<Netns> {
        let routers = self.sites.iter().map(|site| site.netns.clone());
        [self.host.clone(), self.inet.clone()].into_iter().chain(routers).collect()
    }

    pub(crate) fn run_dir(&self) -> PathBuf {
        run_dir(&self.name)
    }

    /// Refuses a NAT64 prefix that would swallow, or lie within, the lab's own networks.
    pub(crate) fn check_apart(&self, prefix: Pref64) -> Result<()> {
        let own = self.sites.iter().flat_map(|site| [site.prefix(), net6(site.dns(), 64), net6(site.core_v6().0, 64)]);
        let theirs = net6(prefix.prefix(), prefix.prefix_len());
        let hit = own.chain([net6(server_v6(), 64)]).find(|net| {
            let net = net.trunc();
            theirs.contains(&net) || net.contains(&theirs)
        });
        match hit {
            Some(net) => Err(Error::Config(format!("{prefix} overlaps the lab's own {}", net.trunc()))),
            None => Ok(()),
        }
    }

    /// The router behind `uplink`, and the cable to it.
    pub(crate) fn site(&self, uplink: &str) -> Result<(&Site, &Port)> {
        let ports = || self.sites.iter().flat_map(|site| site.ports.iter().map(move |port| (site, port)));
        let found = ports().find(|(_, port)| port.uplink == uplink);
        found.ok_or_else(|| Error::UnknownUplink {
            lab: self.name.clone(),
            uplink: uplink.to_owned(),
            known: ports().map(|(_, port)| port.uplink.as_str()).collect::<Vec<_>>().join(", "),
        })
    }
}

impl Site {
    fn n(&self) -> u16 {
        u16::from(self.number)
    }

    pub(crate) fn is_bridged(&self) -> bool {
        self.ports.len() > 1
    }

    pub(crate) fn mac(&self) -> [u8; 6] {
        [0x02, 0xec, 0, 0, self.number, 1]
    }

    /// The /64 of the link.
    pub(crate) fn prefix(&self) -> Ipv6Net {
        net6(documentation([self.n(), 0, 0, 0, 0, 0]), 64)
    }

    /// The router's own address on the link.
    pub(crate) fn router_v6(&self) -> Ipv6Addr {
        documentation([self.n(), 0, 0, 0, 0, 1])
    }

    /// Another machine on the link (in truth the router, too).
    pub(crate) fn neighbour(&self) -> Ipv6Addr {
        documentation([self.n(), 0, 0, 0, 0, 0xbeef])
    }

    pub(crate) fn dns(&self) -> Ipv6Addr {
        documentation([0x53, self.n(), 0, 0, 0, 0x53])
    }

    /// The server's and the router's end of the IPv6 transfer network.
    pub(crate) fn core_v6(&self) -> (Ipv6Addr, Ipv6Addr) {
        (documentation([0xff, self.n(), 0, 0, 0, 1]), documentation([0xff, self.n(), 0, 0, 0, 2]))
    }

    /// The server's and the router's end of the IPv4 transfer network.
    pub(crate) fn core_v4(&self) -> (Ipv4Addr, Ipv4Addr) {
        (Ipv4Addr::new(10, 255, self.number, 1), Ipv4Addr::new(10, 255, self.number, 2))
    }

    /// IPv4 on the link when `native4` is on: router, host and prefix length.
    pub(crate) fn native4(&self) -> (Ipv4Addr, Ipv4Addr, Ipv4Net) {
        let base = if self.number == 1 { [192, 0, 2] } else { [192, 168, self.number] };
        let address = |last| Ipv4Addr::new(base[0], base[1], base[2], last);
        (address(1), address(2), net4(address(0), 24))
    }

    /// What the `instance`-th TAYGA of this router uses.
    pub(crate) fn tayga(&self, instance: u8) -> TaygaAddresses {
        let address = |last| Ipv4Addr::new(10, 64_u8.saturating_add(instance), self.number, last);
        TaygaAddresses {
            device: format!("nat64-{instance}"),
            v4: address(1),
            pool: net4(address(0), 24),
            v6: documentation([0xff, self.n(), 0, 0, 0x64, u16::from(instance)]),
        }
    }

    pub(crate) fn control_socket(&self, run_dir: &std::path::Path) -> PathBuf {
        run_dir.join(format!("r{}.sock", self.number))
    }

    /// What the router advertises when the lab comes up.
    pub(crate) fn advertisement(&self) -> RaConfig {
        RaConfig {
            source_mac: Some(self.mac()),
            mtu: Some(self.uplink.mtu),
            prefixes: vec![RaPrefix::slaac(self.prefix())],
            rdnss: if self.uplink.rdnss { vec![self.dns()] } else { Vec::new() },
            pref64: self.uplink.pref64.clone(),
            interval_ms: self.uplink.ra_interval_ms,
            delay: self.uplink.ra_delay,
            silent: self.uplink.silent,
            ..RaConfig::default()
        }
    }
}

/// Addresses of one TAYGA.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct TaygaAddresses {
    pub(crate) device: String,
    pub(crate) v4: Ipv4Addr,
    pub(crate) pool: Ipv4Net,
    pub(crate) v6: Ipv6Addr,
}

/// The IPv6 server.
pub(crate) fn server_v6() -> Ipv6Addr {
    documentation([0x100, 0, 0, 0, 0, 0x10])
}

pub(crate) fn run_dir(name: &str) -> PathBuf {
    PathBuf::from(RUN_DIR).join(name)
}

/// Every namespace that a lab of this name could have had, for sweeping without its configuration.
pub(crate) fn possible_namespaces(name: &str) -> Vec<Netns> {
    let routers = (1..=MAX_UPLINKS).map(|number| format!("r{number}"));
    ["host", "inet"].map(str::to_owned).into_iter().chain(routers).map(|role| netns(name, &role)).collect()
}

fn netns(name: &str, role: &str) -> Netns {
    Netns::named(format!("ev{name}-{role}"))
}

/// 2001:db8 and six more groups.
fn documentation(rest: [u16; 6]) -> Ipv6Addr {
    let [a, b, c, d, e, f] = rest;
    Ipv6Addr::new(0x2001, 0xdb8, a, b, c, d, e, f)
}

fn net6(address: Ipv6Addr, length: u8) -> Ipv6Net {
    Ipv6Net::new(address, length).expect("a constant length")
}

fn net4(address: Ipv4Addr, length: u8) -> Ipv4Net {
    Ipv4Net::new(address, length).expect("a constant length")
}

/// `02:ec:00:00:01:02`.
pub(crate) fn mac_text(mac: [u8; 6]) -> String {
    mac.map(|byte| format!("{byte:02x}")).join(":")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn two_uplinks_have_two_routers() {
        let plan = Plan::new(&LabConfig::default());
        let names: Vec<_> = plan.namespaces().iter().map(|n| n.name().to_owned()).collect();
        assert_eq!(names, ["evlab-host", "evlab-inet", "evlab-r1", "evlab-r2"]);
        let (site, port) = plan.site("wlan0").unwrap();
        assert_eq!(site.prefix().to_string(), "2001:db8:2::/64");
        assert_eq!((port.router_side.as_str(), mac_text(port.host_mac).as_str()), (LAN, "02:ec:00:00:02:02"));
        let error = plan.site("eth9").unwrap_err().to_string();
        assert_eq!(error, "lab `lab` has no uplink `eth9`; it has eth0, wlan0");
    }

    #[test]
    fn a_shared_link_has_one_router_and_a_bridge() {
        let mut config = LabConfig::default();
        config.uplinks[1] = UplinkConfig::sharing("wlan0", 600, "eth0");
        config.validate().unwrap();
        let plan = Plan::new(&config);
        assert_eq!(plan.sites.len(), 1);
        let (site, port) = plan.site("wlan0").unwrap();
        assert!(site.is_bridged());
        assert_eq!((site.number, port.router_side.as_str(), port.metric), (1, "port2", 600));
    }

    #[test]
    fn prefixes_of_the_lab_itself_are_no_nat64_prefixes() {
        let plan = Plan::new(&LabConfig::default());
        let check = |text: &str| plan.check_apart(text.parse().unwrap()).map_err(|error| error.to_string());
        assert_eq!(check("2001:db8:64::/96"), Ok(()));
        assert_eq!(check("2001:db8:6400::/40"), Ok(()));
        for overlapping in ["2001:db8::/32", "2001:db8::/40", "2001:db8:1::/96", "2001:db8:53:1::/64"] {
            assert!(check(overlapping).unwrap_err().contains("overlaps"), "{overlapping}");
        }
    }

    #[test]
    fn addresses_of_the_second_router() {
        let plan = Plan::new(&LabConfig::default());
        let site = &plan.sites[1];
        assert_eq!(site.dns().to_string(), "2001:db8:53:2::53");
        assert_eq!(site.native4().2.to_string(), "192.168.2.0/24");
        let tayga = site.tayga(0);
        assert_eq!((tayga.device.as_str(), tayga.pool.to_string().as_str()), ("nat64-0", "10.64.2.0/24"));
        assert_eq!(tayga.v6.to_string(), "2001:db8:ff:2::64:0".parse::<Ipv6Addr>().unwrap().to_string());
    }

    #[test]
    fn a_sweep_without_state_knows_every_name() {
        let names: Vec<_> = possible_namespaces("x").iter().map(|n| n.name().to_owned()).collect();
        assert_eq!((names.len(), names[9].as_str()), (10, "evx-r8"));
    }
}

//! The networks around the host, as they really are; what the host sees of them is made from this.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use ipnet::{IpNet, Ipv6Net};
use model::{
    AddressFlags, Link, LinkAddress, LinkKind, MacAddress, Neighbour, NetworkSnapshot, Pref64, Route, RouteKind,
    Timestamp,
};

/// Prefixes of NAT64s.
pub(crate) const PREFIXES: [&str; 4] = ["64:ff9b::/96", "2001:db8:64::/96", "2001:db8:6500::/40", "2001:db8:66::/64"];

/// A server that only has IPv4, which the administrator has named to check by.
pub(crate) const SERVER: Ipv4Addr = Ipv4Addr::new(198, 51, 100, 7);

const VPN: u32 = 30;
const OTHER_CLAT: u32 = 40;
const MODEM: u32 = 50;

/// A prefix that a router has announced and not taken back.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Heard {
    pub(crate) prefix: usize,
    pub(crate) router: Ipv6Addr,
    pub(crate) until: Timestamp,
    /// Number of the advertisement, and the place there.
    pub(crate) rank: (u64, usize),
}

/// One uplink with the network behind it.
#[derive(Clone, Debug)]
pub(crate) struct Uplink {
    pub(crate) index: u32,
    pub(crate) name: String,
    pub(crate) mac: MacAddress,
    pub(crate) present: bool,
    pub(crate) up: bool,
    pub(crate) carrier: bool,
    pub(crate) mtu: u16,
    pub(crate) metric: u32,
    pub(crate) forwards: bool,
    /// 2001:db8:N::/64, and whether it is deprecated.
    pub(crate) nets: Vec<(u8, bool)>,
    pub(crate) has_default: bool,
    /// fe80::N.
    pub(crate) gateway: u8,
    pub(crate) gateway_mac: MacAddress,
    /// The kernel knows the router's link-layer address.
    pub(crate) resolved: bool,
    /// The router answers.
    pub(crate) alive: bool,
    /// The NAT64 does.
    pub(crate) nat64: bool,
    /// What the router announces, with lifetimes in seconds.
    pub(crate) announces: Vec<(usize, u16)>,
    pub(crate) portal: bool,
    pub(crate) heard: Vec<Heard>,
    pub(crate) advertisements: u64,
    /// Neighbours object to so many more claims.
    pub(crate) objections: u8,
}

impl Uplink {
    fn new(place: u8) -> Self {
        Self {
            index: u32::from(place) + 2,
            name: ["eth0", "wlan0", "usb0"][usize::from(place)].into(),
            mac: MacAddress([2, 0, 0, 0, 0, place + 2]),
            present: true,
            up: true,
            carrier: true,
            mtu: 1500,
            metric: [100, 600, 700][usize::from(place)],
            forwards: false,
            nets: vec![(place + 1, false)],
            has_default: true,
            gateway: 1,
            gateway_mac: MacAddress([2, 0, 0, 0, 1, place + 2]),
            resolved: true,
            alive: true,
            nat64: true,
            announces: vec![(usize::from(place), 1800)],
            portal: false,
            heard: Vec::new(),
            advertisements: 0,
            objections: 0,
        }
    }

    pub(crate) fn is_usable(&self) -> bool {
        self.present && self.up && self.carrier
    }

    pub(crate) fn router(&self) -> Ipv6Addr {
        Ipv6Addr::new(0xfe80, 0, 0, 0, 0, 0, 0, u16::from(self.gateway))
    }

    pub(crate) fn prefixes(&self) -> impl Iterator<Item = Ipv6Net> {
        self.nets.iter().map(|(net, _)| Ipv6Net::new(network(*net, 0), 64).unwrap())
    }

    fn link(&self) -> Link {
        let address = |&(net, deprecated): &(u8, bool)| LinkAddress {
            net: IpNet::V6(Ipv6Net::new(network(net, self.index), 64).unwrap()),
            flags: AddressFlags { deprecated, ..AddressFlags::default() },
        };
        Link {
            index: self.index,
            name: self.name.clone(),
            kind: LinkKind::Ethernet,
            mac: Some(self.mac),
            mtu6: self.mtu,
            up: self.up,
            carrier: self.carrier,
            forwards_ipv6: self.forwards,
            addresses: self.nets.iter().map(address).collect(),
        }
    }
}

fn network(net: u8, host: u32) -> Ipv6Addr {
    Ipv6Addr::new(0x2001, 0xdb8, u16::from(net), 0, 0, 0, 0, u16::try_from(host).unwrap())
}

pub(crate) fn prefix(number: usize) -> Pref64 {
    PREFIXES[number].parse().unwrap()
}

/// How a VPN takes IPv4.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Vpn4 {
    No,
    /// By a default route.
    Default,
    /// By one route for each half.
    Halves,
}

/// Settings that the service runs with.
#[derive(Clone, Debug)]
pub(crate) struct Setting {
    pub(crate) enabled: bool,
    pub(crate) strict: bool,
    pub(crate) fixed: Option<usize>,
    pub(crate) mtu: u16,
    pub(crate) v4: u8,
    /// Uplinks whose name begins with this may not be used.
    pub(crate) excluded: Option<&'static str>,
}

impl Setting {
    pub(crate) fn config(&self) -> String {
        let mut text = format!(
            "Enabled = {}\nDad = \"{}\"\nMtu = {}\nClatIpv4 = \"192.0.0.{}\"\nProbeTargetsV4 = [\"{SERVER}\"]\n",
            self.enabled,
            if self.strict { "strict" } else { "optimistic" },
            self.mtu,
            self.v4,
        );
        if let Some(number) = self.fixed {
            text += &format!("Pref64Static = [\"{}\"]\n", PREFIXES[number]);
        }
        if let Some(start) = self.excluded {
            text += &format!("InterfacesExclude = [\"{start}*\"]\n");
        }
        text
    }
}

/// Everything that decides whether IPv4 can be had, and how.
#[derive(Clone, Debug)]
pub(crate) struct Network {
    pub(crate) uplinks: [Uplink; 3],
    /// A default route with a gateway, on that uplink.
    pub(crate) native: Option<usize>,
    /// A modem that needs no gateway.
    pub(crate) modem: bool,
    pub(crate) other_clat: bool,
    /// Somebody else holds 192.0.0.2 and has no default route.
    pub(crate) taken: bool,
    pub(crate) vpn4: Vpn4,
    /// The VPN has all of IPv6.
    pub(crate) vpn6: bool,
    pub(crate) setting: Setting,
    /// `None` in the second value: until resumed.
    pub(crate) paused: Option<Option<Timestamp>>,
}

impl Default for Network {
    fn default() -> Self {
        let mut uplinks = [0, 1, 2].map(Uplink::new);
        uplinks[2].present = false;
        Self {
            uplinks,
            native: None,
            modem: false,
            other_clat: false,
            taken: false,
            vpn4: Vpn4::No,
            vpn6: false,
            setting: Setting { enabled: true, strict: false, fixed: None, mtu: 0, v4: 2, excluded: None },
            paused: None,
        }
    }
}

impl Network {
    pub(crate) fn at(&mut self, index: u32) -> Option<&mut Uplink> {
        self.uplinks.iter_mut().find(|uplink| uplink.index == index && uplink.present)
    }

    /// What was heard on an uplink is forgotten with its link, and a native route goes with its interface.
    pub(crate) fn tidy(&mut self) {
        for uplink in self.uplinks.iter_mut().filter(|uplink| !uplink.is_usable()) {
            uplink.heard.clear();
            uplink.portal = false;
            uplink.resolved = false;
        }
        self.native = self.native.filter(|place| self.uplinks[*place].present);
    }

    pub(crate) fn has_vpn(&self) -> bool {
        self.vpn6 || self.vpn4 != Vpn4::No
    }

    /// What the host sees, apart from what it has to be asked.
    pub(crate) fn snapshot(&self) -> NetworkSnapshot {
        let mut seen = NetworkSnapshot::default();
        for uplink in self.uplinks.iter().filter(|uplink| uplink.present) {
            seen.links.insert(uplink.index, uplink.link());
            if uplink.has_default {
                seen.routes.push(route("::/0", Some(uplink.router().into()), uplink.index, uplink.metric));
            }
            if uplink.resolved {
                let (address, mac) = (uplink.router(), uplink.gateway_mac);
                seen.neighbours.push(Neighbour { link: uplink.index, address, mac });
            }
        }
        if let Some(place) = self.native {
            let gateway = Ipv4Addr::new(192, 168, 1, 1).into();
            seen.routes.push(route("0.0.0.0/0", Some(gateway), self.uplinks[place].index, 100));
        }
        let mut add = |index: u32, name: &str, kind, address: &str| {
            let net = address.parse().unwrap();
            let addresses = vec![LinkAddress { net, flags: AddressFlags::default() }];
            let name = name.into();
            let link = Link {
                index,
                name,
                kind,
                mac: None,
                mtu6: 1420,
                up: true,
                carrier: true,
                forwards_ipv6: false,
                addresses,
            };
            seen.links.insert(index, link);
        };
        if self.has_vpn() {
            add(VPN, "wg0", LinkKind::PointToPoint, "10.8.0.2/32");
        }
        if self.other_clat {
            add(OTHER_CLAT, "clat", LinkKind::PointToPoint, "192.0.0.4/32");
        }
        if self.modem {
            add(MODEM, "wwan0", LinkKind::Other, "100.64.0.9/30");
        }
        if self.taken {
            add(60, "taken0", LinkKind::Other, "192.0.0.2/32");
        }
        let without = [
            (self.other_clat, "0.0.0.0/0", OTHER_CLAT, 4096),
            (self.modem, "0.0.0.0/0", MODEM, 700),
            (self.vpn4 == Vpn4::Default, "0.0.0.0/0", VPN, 50),
            (self.vpn4 == Vpn4::Halves, "0.0.0.0/1", VPN, 50),
            (self.vpn4 == Vpn4::Halves, "128.0.0.0/1", VPN, 50),
            (self.vpn6, "::/0", VPN, 1),
        ];
        for (_, destination, link, metric) in without.into_iter().filter(|(there, ..)| *there) {
            seen.routes.push(route(destination, None, link, metric));
        }
        seen
    }
}

fn route(destination: &str, gateway: Option<IpAddr>, link: u32, metric: u32) -> Route {
    Route { destination: destination.parse().unwrap(), gateway, link, metric, kind: RouteKind::Unicast, ours: false }
}

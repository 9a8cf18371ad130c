//! An intent to ordered steps: the difference of what should be and what is. Pure.

use std::fmt;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use ipnet::{IpNet, Ipv4Net, Ipv6Net};
use model::{Applied, HostIntent, Ipv4Default, RouteKind};

use crate::codec::OwnRoute;

/// The least MTU of a device with IPv6 (RFC 8200 section 5).
const MIN_MTU6: u32 = 1280;

/// What is of ours on the host.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Own {
    /// The tunnel, when there is one.
    pub tun: Option<OwnTun>,
    /// Our routes.
    pub routes: Vec<OwnRoute>,
}

/// The tunnel as it is.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct OwnTun {
    /// Interface index.
    pub index: u32,
    /// Switched on.
    pub up: bool,
    /// Device MTU in bytes.
    pub mtu: u32,
    /// IPv4 addresses.
    pub addresses: Vec<Ipv4Net>,
}

/// One change of the host.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Step {
    /// Sets MTU, switches on, keeps IPv6 off the tunnel.
    Link {
        /// The tunnel.
        index: u32,
        /// Device MTU in bytes.
        mtu: u32,
    },
    /// Adds an address to the tunnel.
    AddAddress {
        /// The tunnel.
        index: u32,
        /// The address.
        address: Ipv4Addr,
    },
    /// Adds or replaces the IPv4 default route.
    SetDefault {
        /// The tunnel.
        index: u32,
        /// Next hop.
        gateway: Ipv4Addr,
        /// Source address.
        source: Ipv4Addr,
        /// Metric.
        metric: u32,
        /// Route MTU in bytes.
        mtu: u32,
    },
    /// Discards what the host would forward to an address that only the packet socket serves.
    AddBlackhole(Ipv6Addr),
    /// Removes an IPv4 default route of ours.
    DeleteDefault {
        /// Its interface.
        index: u32,
        /// Its metric.
        metric: u32,
    },
    /// Removes an address from the tunnel.
    DeleteAddress {
        /// The tunnel.
        index: u32,
        /// The address with its prefix length.
        address: Ipv4Net,
    },
    /// Removes a blackhole route of ours.
    DeleteBlackhole(Ipv6Net),
}

impl fmt::Display for Step {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Link { index, mtu } => write!(f, "link {index}: up, mtu {mtu}"),
            Self::AddAddress { index, address } => write!(f, "link {index}: add address {address}/32"),
            Self::SetDefault { index, gateway, source, metric, mtu } => {
                write!(f, "route default via {gateway} dev {index} onlink src {source} metric {metric} mtu {mtu}")
            }
            Self::AddBlackhole(address) => write!(f, "route blackhole {address}/128"),
            Self::DeleteDefault { index, metric } => write!(f, "delete route default dev {index} metric {metric}"),
            Self::DeleteAddress { index, address } => write!(f, "link {index}: delete address {address}"),
            Self::DeleteBlackhole(net) => write!(f, "delete route blackhole {net}"),
        }
    }
}

/// The steps from `own` to `intent`: what is added first, what goes last; the default route comes after all it needs.
#[must_use]
pub fn plan(intent: &HostIntent, own: &Own) -> Vec<Step> {
    let mut steps = Vec::new();
    let wanted = intent.default_v4.as_ref().zip(own.tun.as_ref());
    // Before the first packet can come back to X.
    let has = |silent: &Ipv6Addr| own.routes.iter().any(|route| is_blackhole_for(route, *silent));
    steps.extend(intent.silent_v6.iter().filter(|silent| !has(silent)).map(|silent| Step::AddBlackhole(*silent)));
    if let Some((default, tun)) = wanted {
        let mtu = device_mtu(default);
        if !tun.up || tun.mtu != mtu {
            steps.push(Step::Link { index: tun.index, mtu });
        }
        if !tun.addresses.iter().any(|net| is_host(*net, default.address)) {
            steps.push(Step::AddAddress { index: tun.index, address: default.address });
        }
        // A link that was down has lost its routes.
        if default.leads && (!tun.up || !own.routes.iter().any(|route| is_default(route, default, tun.index))) {
            steps.push(Step::SetDefault {
                index: tun.index,
                gateway: default.gateway,
                source: default.address,
                metric: default.metric,
                mtu: u32::from(default.route_mtu),
            });
        }
    }
    for route in &own.routes {
        match route.destination {
            IpNet::V4(net) if net.prefix_len() == 0 => {
                let kept = wanted.is_some_and(|(default, tun)| {
                    default.leads && route.link == tun.index && route.metric == default.metric
                });
                if !kept {
                    steps.push(Step::DeleteDefault { index: route.link, metric: route.metric });
                }
            }
            IpNet::V6(net) if !intent.silent_v6.iter().any(|silent| is_blackhole_for(route, *silent)) => {
                steps.push(Step::DeleteBlackhole(net));
            }
            IpNet::V4(_) | IpNet::V6(_) => {}
        }
    }
    if let Some(tun) = &own.tun {
        let kept = |net: Ipv4Net| wanted.is_some_and(|(default, _)| is_host(net, default.address));
        for address in tun.addresses.iter().copied().filter(|net| !kept(*net)) {
            steps.push(Step::DeleteAddress { index: tun.index, address });
        }
    }
    steps
}

/// What of `intent` is in place.
#[must_use]
pub fn in_place(intent: &HostIntent, own: &Own) -> Applied {
    let has = |silent: &Ipv6Addr| own.routes.iter().any(|route| is_blackhole_for(route, *silent));
    Applied {
        generation: intent.generation,
        default_v4: default_in_place(intent, own),
        silent_v6: intent.silent_v6.iter().copied().filter(has).collect(),
        failures: Vec::new(),
    }
}

/// The IPv4 default that is in place, in the intent's words.
#[must_use]
pub fn default_in_place(intent: &HostIntent, own: &Own) -> Option<Ipv4Default> {
    let wanted = intent.default_v4.as_ref()?;
    let tun = own.tun.as_ref().filter(|tun| tun.up)?;
    let address = tun.addresses.iter().map(Ipv4Net::addr).find(|address| *address == wanted.address)?;
    let route = own
        .routes
        .iter()
        .find(|route| route.link == tun.index && matches!(route.destination, IpNet::V4(net) if net.prefix_len() == 0));
    let Some(route) = route else {
        let device_mtu = found_mtu(wanted, tun)?;
        return (!wanted.leads).then(|| Ipv4Default { address, device_mtu, ..wanted.clone() });
    };
    let Some(IpAddr::V4(gateway)) = route.gateway else { return None };
    Some(Ipv4Default {
        uplink: wanted.uplink,
        address,
        gateway,
        route_mtu: u16::try_from(route.mtu).ok()?,
        device_mtu: found_mtu(wanted, tun)?,
        metric: route.metric,
        leads: true,
    })
}

/// Below 1280 the kernel takes IPv6 off the tunnel as a whole, and there is nothing left by which it could be kept quiet
/// when the MTU rises again. The route's MTU is what counts, and what is still too big is answered by the translator.
fn device_mtu(wanted: &Ipv4Default) -> u32 {
    u32::from(wanted.device_mtu).max(MIN_MTU6)
}

/// The device's MTU in the intent's words.
fn found_mtu(wanted: &Ipv4Default, tun: &OwnTun) -> Option<u16> {
    if tun.mtu == device_mtu(wanted) { Some(wanted.device_mtu) } else { u16::try_from(tun.mtu).ok() }
}

fn is_host(net: Ipv4Net, address: Ipv4Addr) -> bool {
    net.addr() == address && net.prefix_len() == 32
}

fn is_default(route: &OwnRoute, wanted: &Ipv4Default, tun: u32) -> bool {
    matches!(route.destination, IpNet::V4(net) if net.prefix_len() == 0)
        && route.link == tun
        && route.gateway == Some(IpAddr::V4(wanted.gateway))
        && route.metric == wanted.metric
        && route.mtu == u32::from(wanted.route_mtu)
}

fn is_blackhole_for(route: &OwnRoute, address: Ipv6Addr) -> bool {
    route.kind == RouteKind::Other
        && matches!(route.destination, IpNet::V6(net) if net.addr() == address && net.prefix_len() == 128)
}

#[cfg(test)]
mod tests {
    use model::Generation;

    use super::*;

    fn intent(silent: Option<&str>) -> HostIntent {
        HostIntent {
            generation: Generation(1),
            default_v4: Some(Ipv4Default {
                uplink: 2,
                address: model::DEFAULT_CLAT_V4,
                gateway: model::GATEWAY_V4,
                route_mtu: 1472,
                device_mtu: 1480,
                metric: 2048,
                leads: true,
            }),
            silent_v6: silent.map(|text| text.parse().unwrap()).into_iter().collect(),
        }
    }

    fn text(intent: &HostIntent, own: &Own) -> String {
        plan(intent, own).iter().map(|step| format!("{step}\n")).collect()
    }

    fn fresh_tun() -> Own {
        Own { tun: Some(OwnTun { index: 9, up: false, mtu: 1500, addresses: vec![] }), routes: vec![] }
    }

    fn default_route(mtu: u32, metric: u32) -> OwnRoute {
        OwnRoute {
            destination: "0.0.0.0/0".parse().unwrap(),
            gateway: Some(IpAddr::V4(model::GATEWAY_V4)),
            link: 9,
            metric,
            mtu,
            kind: RouteKind::Unicast,
        }
    }

    fn armed() -> Own {
        Own {
            tun: Some(OwnTun { index: 9, up: true, mtu: 1480, addresses: vec!["192.0.0.2/32".parse().unwrap()] }),
            routes: vec![default_route(1472, 2048)],
        }
    }

    #[test]
    fn a_fresh_tunnel() {
        assert_eq!(
            text(&intent(None), &fresh_tun()),
            "link 9: up, mtu 1480\n\
             link 9: add address 192.0.0.2/32\n\
             route default via 192.0.0.1 dev 9 onlink src 192.0.0.2 metric 2048 mtu 1472\n"
        );
    }

    #[test]
    fn the_device_keeps_what_ipv6_needs_on_the_narrowest_uplink() {
        let mut narrow = intent(None);
        let route = narrow.default_v4.as_mut().unwrap();
        (route.route_mtu, route.device_mtu) = (1252, 1260);
        assert_eq!(
            text(&narrow, &fresh_tun()),
            "link 9: up, mtu 1280\n\
             link 9: add address 192.0.0.2/32\n\
             route default via 192.0.0.1 dev 9 onlink src 192.0.0.2 metric 2048 mtu 1252\n"
        );
        let mut own = armed();
        own.tun.as_mut().unwrap().mtu = 1280;
        own.routes = vec![default_route(1252, 2048)];
        assert_eq!(text(&narrow, &own), "");
        assert_eq!(default_in_place(&narrow, &own), narrow.default_v4);
    }

    #[test]
    fn on_a_host_that_forwards_x_is_silenced_first() {
        assert!(text(&intent(Some("2001:db8::a")), &fresh_tun()).starts_with("route blackhole 2001:db8::a/128\n"));
    }

    #[test]
    fn what_is_in_place_is_left_alone_and_reported() {
        assert_eq!(text(&intent(None), &armed()), "");
        assert_eq!(default_in_place(&intent(None), &armed()), intent(None).default_v4);
        assert_eq!(default_in_place(&intent(None), &fresh_tun()), None);
    }

    #[test]
    fn another_mtu_replaces_the_route_and_another_metric_adds_before_it_deletes() {
        let mut own = armed();
        own.routes = vec![default_route(1252, 2048)];
        assert_eq!(
            text(&intent(None), &own),
            "route default via 192.0.0.1 dev 9 onlink src 192.0.0.2 metric 2048 mtu 1472\n"
        );
        own.routes = vec![default_route(1472, 5)];
        assert_eq!(
            text(&intent(None), &own),
            "route default via 192.0.0.1 dev 9 onlink src 192.0.0.2 metric 2048 mtu 1472\n\
             delete route default dev 9 metric 5\n"
        );
    }

    #[test]
    fn x_moves_add_before_delete() {
        let mut own = armed();
        own.routes.push(OwnRoute {
            destination: "2001:db8::a/128".parse().unwrap(),
            gateway: None,
            link: 1,
            metric: 1024,
            mtu: 0,
            kind: RouteKind::Other,
        });
        assert_eq!(
            text(&intent(Some("2001:db8::b")), &own),
            "route blackhole 2001:db8::b/128\ndelete route blackhole 2001:db8::a/128\n"
        );
        assert_eq!(text(&intent(Some("2001:db8::a")), &own), "");
    }

    #[test]
    fn nothing_wanted_takes_all_of_ours_away() {
        let none = HostIntent { generation: Generation(2), ..HostIntent::default() };
        assert_eq!(
            text(&none, &armed()),
            "delete route default dev 9 metric 2048\nlink 9: delete address 192.0.0.2/32\n"
        );
        let left_over = Own { tun: None, routes: vec![default_route(1472, 2048)] };
        assert_eq!(text(&none, &left_over), "delete route default dev 9 metric 2048\n");
    }
}

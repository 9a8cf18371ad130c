//! The decision: what should be, given what is known. Pure.

use std::net::{Ipv4Addr, Ipv6Addr};

use ipnet::Ipv6Net;
use model::{
    Code, Link, LinkKind, MacAddress, NetworkSnapshot, Pref64Source, Route, Settings, State, Timestamp,
    is_continuity_address,
};
use xlat::Pref64;

use crate::address::choose_prefix;
use crate::discovery::{Discovery, KnownPref64};
use crate::health::{Health, Place};
use crate::portal::Portals;
use crate::routers::{self, Routers, is_silent, next_hop};

/// What should be.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Decision {
    /// No translation.
    Stand { state: State, code: Code, detail: String },
    /// Translate.
    Arm(Path),
}

/// What should be, and what else there would be.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Choice {
    pub(crate) decision: Decision,
    /// The other ways, best first.
    pub(crate) others: Vec<Path>,
}

/// The way to the NAT64.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Path {
    pub(crate) link: u32,
    pub(crate) name: String,
    pub(crate) mac: MacAddress,
    pub(crate) gateway: Ipv6Addr,
    /// `None`: the kernel has not resolved it.
    pub(crate) gateway_mac: Option<MacAddress>,
    pub(crate) mtu6: u16,
    /// The host forwards what arrives there, so it would answer for X unless it is told not to.
    pub(crate) forwards: bool,
    pub(crate) pref64: Pref64,
    /// The host's IPv4 address, held by nobody else here.
    pub(crate) v4: Ipv4Addr,
    /// The gateway on the tunnel: 192.0.0.1, unless somebody else here has it.
    pub(crate) gateway_v4: Ipv4Addr,
    /// A VPN that has IPv4, and may itself live on us.
    pub(crate) beneath: Option<Vpn>,
    /// The /64 in which X is chosen.
    pub(crate) prefix: Ipv6Net,
    /// The /64 to which X should move when that harms nobody.
    pub(crate) successor: Option<Ipv6Net>,
    /// Link-layer addresses of our other uplinks on that /64.
    pub(crate) own_macs: Vec<MacAddress>,
    pub(crate) trouble: Trouble,
}

impl Path {
    /// Whether IPv4 must not be led this way, although it is armed: a dead default is worse than none.
    pub(crate) fn is_withheld(&self) -> bool {
        match self.trouble {
            Trouble::None | Trouble::GatewaySilent | Trouble::Refused => false,
            Trouble::PathDead | Trouble::Portal => true,
        }
    }
}

/// A VPN by which IPv4 leaves.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Vpn {
    pub(crate) name: String,
    /// It has the default route of the main table; otherwise rules, or more specific routes, lead to it.
    pub(crate) is_default: bool,
}

/// What speaks against a way, least first.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Trouble {
    None,
    /// The router does not answer.
    GatewaySilent,
    /// The router answers; from behind it nothing comes back.
    PathDead,
    /// Somebody has to sign in first.
    Portal,
    /// The port, the host or everybody who has our addresses refuses us there.
    Refused,
}

/// What the decision rests on.
pub(crate) struct Known<'a> {
    pub(crate) snapshot: Option<&'a NetworkSnapshot>,
    pub(crate) discovery: &'a Discovery,
    pub(crate) settings: &'a Settings,
    pub(crate) health: &'a Health,
    pub(crate) portals: &'a Portals,
    /// Whether an uplink, or its /64, has refused us lately.
    pub(crate) refused: &'a dyn Fn(u32, Ipv6Net) -> bool,
    /// Why a person has paused us, if one has.
    pub(crate) paused: Option<&'a str>,
    /// Whether the network is so new that what is missing may still come.
    pub(crate) settling: bool,
    /// Whether something is armed; then a better uplink is worth no interruption until it is ready.
    pub(crate) armed: bool,
    /// Uplinks whose routers have been asked a moment ago.
    pub(crate) awaited: &'a [u32],
    /// The next hop that is in use or ready on an uplink: another one that works as well is no reason to move.
    pub(crate) router: &'a dyn Fn(u32) -> Option<Ipv6Addr>,
    /// The /64 on an uplink in which X is, if it need not be left.
    pub(crate) kept: &'a dyn Fn(u32) -> Option<Ipv6Net>,
    /// Whether a /64 on an uplink is a former network's.
    pub(crate) former: &'a dyn Fn(u32, Ipv6Net) -> bool,
}

/// One prefix with its place in the order of use.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Candidate {
    pub(crate) prefix: Pref64,
    pub(crate) source: Pref64Source,
    /// Who announced it, if anybody did.
    pub(crate) router: Option<Ipv6Addr>,
    pub(crate) expires: Option<Timestamp>,
    /// Nobody has said so to this process yet.
    pub(crate) remembered: bool,
    /// `None`: on whichever uplink leads there.
    pub(crate) link: Option<u32>,
}

/// The prefixes usable on `link`, in order: configured ones replace learnt ones.
pub(crate) fn candidates(link: u32, discovery: &Discovery, settings: &Settings) -> Vec<Candidate> {
    let fixed = &settings.pref64_static;
    if !fixed.value.is_empty() {
        let source = match fixed.origin {
            model::Origin::Policy => Pref64Source::Policy,
            model::Origin::Config | model::Origin::Default => Pref64Source::Config,
        };
        let candidate =
            |&prefix| Candidate { prefix, source, router: None, expires: None, remembered: false, link: None };
        return fixed.value.iter().map(candidate).collect();
    }
    let learnt = || discovery.prefixes(link).iter().filter(|known| settings.allows_pref64(&known.prefix));
    let candidate = |known: &KnownPref64| Candidate {
        prefix: known.prefix,
        source: known.source,
        router: known.router,
        expires: known.expires,
        remembered: known.remembered.is_some(),
        link: Some(link),
    };
    let by =
        |source: &Pref64Source| learnt().filter(|known| known.source == *source).map(candidate).collect::<Vec<_>>();
    settings.pref64_sources.value.iter().flat_map(by).collect()
}

/// Interfaces that could be an uplink, best first, by metric of their IPv6 default route; with their routers, best first.
pub(crate) fn uplinks<'a>(snapshot: &'a NetworkSnapshot, settings: &Settings) -> Vec<(&'a Link, Routers)> {
    let mut found: Vec<(u32, &Link, Ipv6Addr)> = Vec::new();
    for route in snapshot.routes.iter().filter(|route| route.is_ipv6_default()) {
        let Some(std::net::IpAddr::V6(gateway)) = route.gateway else { continue };
        let Some(link) = snapshot.links.get(&route.link) else { continue };
        let framed = match link.kind {
            LinkKind::Ethernet | LinkKind::Bridge => link.mac.is_some(),
            LinkKind::Loopback | LinkKind::PointToPoint | LinkKind::Other => false,
        };
        if framed && link.is_usable() && settings.allows_interface(&link.name) {
            found.push((route.metric, link, gateway));
        }
    }
    found.sort_by_key(|(metric, link, _)| (*metric, link.index));
    let mut uplinks: Vec<(&Link, Routers)> = Vec::new();
    for (_, link, gateway) in found {
        match uplinks.iter_mut().find(|(known, _)| known.index == link.index) {
            Some((_, routers)) => routers.push(gateway),
            None => uplinks.push((link, vec![gateway])),
        }
    }
    uplinks
}

/// An address behind the prefix, to ask the kernel where packets to the NAT64 go.
pub(crate) fn probe_address(pref64: Pref64) -> Ipv6Addr {
    // Half of ipv4only.arpa (RFC 7050 section 2.2): never a destination of its own.
    pref64.embed(Ipv4Addr::new(192, 0, 0, 170))
}

pub(crate) fn decide(known: &Known<'_>) -> Choice {
    let alone = |decision: Decision| Choice { decision, others: Vec::new() };
    if !known.settings.enabled.value {
        return alone(stand(State::Paused, Code::Paused, "switched off by the setting Enabled"));
    }
    if let Some(reason) = known.paused {
        return alone(stand(State::Paused, Code::Paused, reason));
    }
    let Some(snapshot) = known.snapshot else {
        return alone(stand(State::Checking, Code::NoLink, "the network has not been looked at yet"));
    };
    if let Some(native) = native_ipv4(snapshot, known.settings.ipv4_route_metric.value) {
        return alone(native);
    }
    // The VPN's own packets may need us to reach its server, so what is armed stays armed beneath it.
    let vpn = vpn_with_ipv4(snapshot, known.settings.ipv4_route_metric.value);
    let choice = translate(known, snapshot, vpn.as_ref());
    match (&choice.decision, vpn) {
        // Rules outlive the link that the VPN needs; a modem without a gateway is a link of its own.
        (Decision::Stand { state: State::NoNetwork, .. }, Some(vpn)) if !vpn.is_default => choice,
        (Decision::Stand { .. }, Some(vpn)) => {
            alone(stand(State::StandbyNative, Code::NativeIpv4, &format!("IPv4 leaves through {}", vpn.name)))
        }
        (Decision::Stand { .. } | Decision::Arm(_), _) => choice,
    }
}

/// The best way to the NAT64, or why there is none.
fn translate(known: &Known<'_>, snapshot: &NetworkSnapshot, vpn: Option<&Vpn>) -> Choice {
    let alone = |decision: Decision| Choice { decision, others: Vec::new() };
    let uplinks = uplinks(snapshot, known.settings);
    if uplinks.is_empty() && !snapshot.links.values().any(|link| link.kind == LinkKind::Ethernet && link.is_usable()) {
        return alone(stand(State::NoNetwork, Code::NoLink, "no interface has a link"));
    }
    if uplinks.is_empty() {
        return alone(missing(known, Code::NoAddress, "no IPv6 default route on an interface with a link"));
    }
    let mut refusal = None;
    let mut awaited = None;
    let mut paths: Vec<Path> = Vec::new();
    for (link, routers) in &uplinks {
        let mut candidates = candidates(link.index, known.discovery, known.settings);
        routers::order(&mut candidates, link.index, routers, known);
        if candidates.is_empty() && known.awaited.contains(&link.index) {
            awaited.get_or_insert(*link);
        }
        for candidate in candidates {
            match path(snapshot, known, (link, routers), &candidate, vpn) {
                // A better uplink that may still answer is worth waiting for, unless something works already.
                Ok(path) if known.armed || awaited.is_none() => paths.push(path),
                Ok(_) => {}
                Err(reason) => {
                    refusal.get_or_insert(reason);
                }
            }
        }
    }
    // The first of those with the least trouble: sorting keeps the order of equals.
    paths.sort_by_key(|path| path.trouble);
    let mut paths = paths.into_iter();
    if let Some(first) = paths.next() {
        return Choice { decision: Decision::Arm(first), others: paths.collect() };
    }
    alone(without_path(known, &uplinks, awaited, refusal))
}

/// Why there is no way at all.
fn without_path(
    known: &Known<'_>,
    uplinks: &[(&Link, Routers)],
    awaited: Option<&Link>,
    refusal: Option<(Code, String)>,
) -> Decision {
    if let Some(link) = awaited {
        return stand(State::Checking, Code::NoPref64, &format!("waiting for the routers on {}", link.name));
    }
    if let Some((link, portal)) = uplinks.iter().find_map(|(link, _)| Some((link, known.portals.on(link.index)?))) {
        return stand(State::Down, Code::CaptivePortal, &portal.describe(&link.name));
    }
    match refusal {
        Some((Code::VpnTakesTraffic, detail)) => stand(State::Down, Code::VpnTakesTraffic, &detail),
        Some((code, detail)) => missing(known, code, &detail),
        None if uplinks.iter().any(|(link, _)| known.discovery.ran_out(link.index)) => {
            missing(known, Code::Pref64Expired, "the lifetime of the last PREF64 ended and no router announced another")
        }
        None => missing(known, Code::NoPref64, "no router on this network announces a PREF64 (RFC 8781)"),
    }
}

/// Something is missing that may still come on a network that is new.
fn missing(known: &Known<'_>, code: Code, detail: &str) -> Decision {
    let state = if known.settling { State::Checking } else { State::Down };
    stand(state, code, detail)
}

fn path(
    snapshot: &NetworkSnapshot,
    known: &Known<'_>,
    (link, routers): (&Link, &Routers),
    candidate: &Candidate,
    vpn: Option<&Vpn>,
) -> Result<Path, (Code, String)> {
    let pref64 = candidate.prefix;
    let Some(lookup) = snapshot.lookups.get(&probe_address(pref64)) else {
        return Err((Code::NoAddress, format!("no route towards {pref64}")));
    };
    let owner = snapshot.links.get(&lookup.link);
    if let Some(tunnel) = owner.filter(|owner| owner.index != link.index && owner.kind == LinkKind::PointToPoint) {
        // Our frames would pass by the VPN and its kill switch. Where it has IPv4, too, apps' packets do not come to us.
        if vpn.is_none() {
            return Err((Code::VpnTakesTraffic, format!("packets to {pref64} leave through {}", tunnel.name)));
        }
    }
    let kernel = lookup.gateway.filter(|_| lookup.link == link.index);
    let Some(gateway) = next_hop(snapshot, known.health, link.index, routers, (candidate.router, kernel)) else {
        return Err((Code::NoAddress, format!("{} has no router", link.name)));
    };
    let Some(mac) = link.mac else {
        return Err((Code::NoAddress, format!("{} has no link-layer address", link.name)));
    };
    let kept = (known.kept)(link.index);
    let Some((prefix, successor)) = choose_prefix(link, pref64, kept, |net| (known.former)(link.index, net)) else {
        return Err((Code::NoAddress, format!("{} has no /64 in which an address could be chosen", link.name)));
    };
    let Some(v4) = free_address(snapshot, known.settings.clat_ipv4.value) else {
        return Err((Code::AddressConflict, "every address of 192.0.0.0/29 is in use on this host".into()));
    };
    let gateways = [1, 7, 6, 5, 4, 3, 2].map(|host| Ipv4Addr::new(192, 0, 0, host));
    let Some(gateway_v4) = gateways.into_iter().find(|address| *address != v4 && !is_taken(snapshot, *address)) else {
        return Err((Code::AddressConflict, "no address of 192.0.0.0/29 is left for the gateway".into()));
    };
    let gateway_mac = snapshot.neighbour(link.index, gateway);
    let trouble = if known.portals.on(link.index).is_some() {
        Trouble::Portal
    } else if known.health.is_dead(Place { link: link.index, pref64 }) {
        Trouble::PathDead
    } else if (known.refused)(link.index, prefix) {
        Trouble::Refused
    } else {
        // The kernel goes on sending there for seconds; we need not.
        let silent = is_silent(snapshot, known.health, link.index, gateway);
        if silent { Trouble::GatewaySilent } else { Trouble::None }
    };
    let shares = |other: &&Link| {
        other.index != link.index
            && other.kind == LinkKind::Ethernet
            && other.global_v6().any(|(net, _)| net.trunc() == prefix)
    };
    Ok(Path {
        link: link.index,
        name: link.name.clone(),
        mac,
        gateway,
        gateway_mac,
        own_macs: snapshot.links.values().filter(shares).filter_map(|other| other.mac).collect(),
        trouble,
        mtu6: link.mtu6,
        forwards: link.forwards_ipv6,
        pref64,
        v4,
        gateway_v4,
        beneath: vpn.cloned(),
        prefix,
        successor,
    })
}

/// `wanted`, or the next address of 192.0.0.0/29 that no other interface holds (RFC 7335 section 4: two solutions
/// must not overlap there).
fn free_address(snapshot: &NetworkSnapshot, wanted: Ipv4Addr) -> Option<Ipv4Addr> {
    let others = (2..=7).map(|host| Ipv4Addr::new(192, 0, 0, host));
    std::iter::once(wanted).chain(others).find(|address| !is_taken(snapshot, *address))
}

fn is_taken(snapshot: &NetworkSnapshot, address: Ipv4Addr) -> bool {
    let holds = |link: &Link| link.addresses.iter().any(|held| held.net.addr() == address);
    snapshot.links.values().any(holds)
}

/// A VPN that takes IPv4 by a default route without a gateway, by rules, or by more specific routes.
fn vpn_with_ipv4(snapshot: &NetworkSnapshot, our_metric: u32) -> Option<Vpn> {
    let tunnel = |link: u32| snapshot.links.get(&link).filter(|link| link.kind == LinkKind::PointToPoint);
    let defaults = snapshot.routes.iter().filter(|route| !route.ours && route.is_ipv4_default());
    let best = defaults.filter(|route| route.metric < our_metric).min_by_key(|route| route.metric);
    if let Some(link) = best.and_then(|route| tunnel(route.link)) {
        return Some(Vpn { name: link.name.clone(), is_default: true });
    }
    let link = snapshot.ipv4_through.and_then(tunnel)?;
    Some(Vpn { name: link.name.clone(), is_default: false })
}

/// IPv4 that somebody else provides: a default route with a gateway, reachable or not; another CLAT's; or one without a
/// gateway and with a better metric than ours. VPNs are another matter: see [`vpn_with_ipv4`].
fn native_ipv4(snapshot: &NetworkSnapshot, our_metric: u32) -> Option<Decision> {
    let link = |route: &Route| snapshot.links.get(&route.link);
    let translates = |route: &Route| link(route).is_some_and(holds_continuity_address);
    let route = snapshot
        .routes
        .iter()
        .filter(|route| !route.ours && route.is_ipv4_default())
        // Somebody else's CLAT counts whatever its metric: there must not be two.
        .filter(|route| {
            let tunnel = link(route).is_some_and(|link| link.kind == LinkKind::PointToPoint);
            route.gateway.is_some() || translates(route) || (route.metric < our_metric && !tunnel)
        })
        .min_by_key(|route| route.metric)?;
    let name = link(route).map_or("another interface", |link| link.name.as_str());
    Some(if translates(route) {
        stand(State::StandbyOs, Code::OsTranslates, &format!("{name} holds an address of 192.0.0.0/29"))
    } else {
        stand(State::StandbyNative, Code::NativeIpv4, &format!("IPv4 default route through {name}"))
    })
}

/// Whether another CLAT has its address there: clatd and TAYGA on a tunnel, NetworkManager on the uplink itself, the
/// systems' own ones.
fn holds_continuity_address(link: &Link) -> bool {
    link.addresses.iter().any(|address| match address.net {
        ipnet::IpNet::V4(net) => is_continuity_address(net.addr()),
        ipnet::IpNet::V6(_) => false,
    })
}

fn stand(state: State, code: Code, detail: &str) -> Decision {
    Decision::Stand { state, code, detail: detail.into() }
}

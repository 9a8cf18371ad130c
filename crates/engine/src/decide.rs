//! The decision: what should be, given what is known. Pure.

use std::collections::BTreeSet;
use std::net::{Ipv4Addr, Ipv6Addr};

use ipnet::Ipv6Net;
use model::{
    Code, Link, LinkKind, MacAddress, NetworkSnapshot, Pref64Source, Settings, State, Timestamp, is_continuity_address,
};
use xlat::Pref64;

use crate::address::choose_prefix;
use crate::discovery::Discovery;

/// What should be.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Decision {
    /// No translation.
    Stand { state: State, code: Code, detail: String },
    /// Translate.
    Arm(Path),
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
    /// The /64 in which X is chosen.
    pub(crate) prefix: Ipv6Net,
}

/// What the decision rests on.
pub(crate) struct Known<'a> {
    pub(crate) snapshot: Option<&'a NetworkSnapshot>,
    pub(crate) discovery: &'a Discovery,
    pub(crate) settings: &'a Settings,
    /// Why a person has paused us, if one has.
    pub(crate) paused: Option<&'a str>,
    /// Whether the network is so new that what is missing may still come.
    pub(crate) settling: bool,
    /// Whether something is armed; then a better uplink is worth no interruption until it is ready.
    pub(crate) armed: bool,
    /// Uplinks whose routers have been asked a moment ago.
    pub(crate) awaited: &'a [u32],
    /// Uplinks whose router does not answer when the kernel asks for its link-layer address.
    pub(crate) silent: &'a BTreeSet<u32>,
}

/// One prefix with its place in the order of use.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Candidate {
    pub(crate) prefix: Pref64,
    pub(crate) source: Pref64Source,
    pub(crate) expires: Option<Timestamp>,
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
        return fixed.value.iter().map(|&prefix| Candidate { prefix, source, expires: None, link: None }).collect();
    }
    discovery
        .prefixes(link)
        .iter()
        .map(|known| Candidate { prefix: known.prefix, source: known.source, expires: known.expires, link: Some(link) })
        .collect()
}

/// Interfaces that could be an uplink, best first: by metric of their IPv6 default route.
pub(crate) fn uplinks(snapshot: &NetworkSnapshot) -> Vec<(&Link, Ipv6Addr)> {
    let mut found: Vec<(u32, &Link, Ipv6Addr)> = Vec::new();
    for route in snapshot.routes.iter().filter(|route| route.is_ipv6_default()) {
        let Some(std::net::IpAddr::V6(gateway)) = route.gateway else { continue };
        let Some(link) = snapshot.links.get(&route.link) else { continue };
        let framed = match link.kind {
            LinkKind::Ethernet | LinkKind::Bridge => link.mac.is_some(),
            LinkKind::Loopback | LinkKind::PointToPoint | LinkKind::Other => false,
        };
        if framed && link.is_usable() {
            found.push((route.metric, link, gateway));
        }
    }
    found.sort_by_key(|(metric, link, _)| (*metric, link.index));
    let mut seen = BTreeSet::new();
    found.retain(|(_, link, _)| seen.insert(link.index));
    found.into_iter().map(|(_, link, gateway)| (link, gateway)).collect()
}

/// An address behind the prefix, to ask the kernel where packets to the NAT64 go.
pub(crate) fn probe_address(pref64: Pref64) -> Ipv6Addr {
    // Half of ipv4only.arpa (RFC 7050 section 2.2): never a destination of its own.
    pref64.embed(Ipv4Addr::new(192, 0, 0, 170))
}

pub(crate) fn decide(known: &Known<'_>) -> Decision {
    if !known.settings.enabled.value {
        return stand(State::Paused, Code::Paused, "switched off by the setting Enabled");
    }
    if let Some(reason) = known.paused {
        return stand(State::Paused, Code::Paused, reason);
    }
    let Some(snapshot) = known.snapshot else {
        return stand(State::Checking, Code::NoLink, "the network has not been looked at yet");
    };
    if let Some(native) = native_ipv4(snapshot, known.settings.ipv4_route_metric.value) {
        return native;
    }
    let uplinks = uplinks(snapshot);
    if uplinks.is_empty() && !snapshot.links.values().any(|link| link.kind == LinkKind::Ethernet && link.is_usable()) {
        return stand(State::NoNetwork, Code::NoLink, "no interface has a link");
    }
    let missing = |code: Code, detail: &str| {
        let state = if known.settling { State::Checking } else { State::Down };
        stand(state, code, detail)
    };
    if uplinks.is_empty() {
        return missing(Code::NoAddress, "no IPv6 default route on an interface with a link");
    }
    let mut refusal = None;
    let mut awaited = None;
    let mut last_resort = None;
    for (link, gateway) in &uplinks {
        let candidates = candidates(link.index, known.discovery, known.settings);
        if candidates.is_empty() && known.awaited.contains(&link.index) {
            awaited.get_or_insert(*link);
        }
        for candidate in candidates {
            match path(snapshot, known.settings, link, *gateway, candidate.prefix) {
                // The kernel goes on sending there for seconds; we need not.
                Ok(path) if path.gateway_mac.is_none() && known.silent.contains(&path.link) => {
                    last_resort.get_or_insert(path);
                }
                Ok(path) if known.armed || awaited.is_none() => return Decision::Arm(path),
                Ok(_) => {}
                Err(reason) => {
                    refusal.get_or_insert(reason);
                }
            }
        }
    }
    if let Some(path) = last_resort.filter(|_| known.armed || awaited.is_none()) {
        return Decision::Arm(path);
    }
    if let Some(link) = awaited {
        return stand(State::Checking, Code::NoPref64, &format!("waiting for the routers on {}", link.name));
    }
    match refusal {
        Some((Code::VpnTakesTraffic, detail)) => stand(State::Down, Code::VpnTakesTraffic, &detail),
        Some((code, detail)) => missing(code, &detail),
        None if uplinks.iter().any(|(link, _)| known.discovery.ran_out(link.index)) => {
            missing(Code::Pref64Expired, "the lifetime of the last PREF64 ended and no router announced another")
        }
        None => missing(Code::NoPref64, "no router on this network announces a PREF64 (RFC 8781)"),
    }
}

fn path(
    snapshot: &NetworkSnapshot,
    settings: &Settings,
    link: &Link,
    gateway: Ipv6Addr,
    pref64: Pref64,
) -> Result<Path, (Code, String)> {
    let Some(lookup) = snapshot.lookups.get(&probe_address(pref64)) else {
        return Err((Code::NoAddress, format!("no route towards {pref64}")));
    };
    let owner = snapshot.links.get(&lookup.link);
    if let Some(tunnel) = owner.filter(|owner| owner.index != link.index && owner.kind == LinkKind::PointToPoint) {
        // Our frames would pass by the VPN and its kill switch.
        return Err((Code::VpnTakesTraffic, format!("packets to {pref64} leave through {}", tunnel.name)));
    }
    // The kernel's own next hop if it goes the same way, else the link's default router: a prefix belongs to the
    // uplink that announced it (RFC 8781 section 5.1).
    let gateway = if lookup.link == link.index { lookup.gateway.unwrap_or(gateway) } else { gateway };
    let Some(mac) = link.mac else {
        return Err((Code::NoAddress, format!("{} has no link-layer address", link.name)));
    };
    let Some(prefix) = choose_prefix(link, pref64) else {
        return Err((Code::NoAddress, format!("{} has no /64 in which an address could be chosen", link.name)));
    };
    let Some(v4) = free_address(snapshot, settings.clat_ipv4.value) else {
        return Err((Code::AddressConflict, "every address of 192.0.0.0/29 is in use on this host".into()));
    };
    Ok(Path {
        link: link.index,
        name: link.name.clone(),
        mac,
        gateway,
        gateway_mac: snapshot.neighbour(link.index, gateway),
        mtu6: link.mtu6,
        forwards: link.forwards_ipv6,
        pref64,
        v4,
        prefix,
    })
}

/// `wanted`, or the next address of 192.0.0.0/29 that no other interface holds (RFC 7335 section 4: two solutions
/// must not overlap there).
fn free_address(snapshot: &NetworkSnapshot, wanted: Ipv4Addr) -> Option<Ipv4Addr> {
    let taken = |address: &Ipv4Addr| {
        let holds = |link: &Link| link.addresses.iter().any(|held| held.net.addr() == *address);
        snapshot.links.values().any(holds)
    };
    let others = (2..=7).map(|host| Ipv4Addr::new(192, 0, 0, host));
    std::iter::once(wanted).chain(others).find(|address| !taken(address))
}

/// IPv4 that somebody else provides: a default route with a gateway, reachable or not; or one without a gateway and
/// with a better metric than ours (product.md, "Standing back").
fn native_ipv4(snapshot: &NetworkSnapshot, our_metric: u32) -> Option<Decision> {
    let route = snapshot
        .routes
        .iter()
        .filter(|route| !route.ours && route.is_ipv4_default())
        .filter(|route| route.gateway.is_some() || route.metric < our_metric)
        .min_by_key(|route| route.metric)?;
    let link = snapshot.links.get(&route.link);
    let name = link.map_or("another interface", |link| link.name.as_str());
    let translated = link.is_some_and(|link| {
        link.addresses.iter().any(|address| match address.net {
            ipnet::IpNet::V4(net) => is_continuity_address(net.addr()),
            ipnet::IpNet::V6(_) => false,
        })
    });
    Some(if translated {
        stand(State::StandbyOs, Code::OsTranslates, &format!("{name} holds an address of 192.0.0.0/29"))
    } else {
        stand(State::StandbyNative, Code::NativeIpv4, &format!("IPv4 default route through {name}"))
    })
}

fn stand(state: State, code: Code, detail: &str) -> Decision {
    Decision::Stand { state, code, detail: detail.into() }
}

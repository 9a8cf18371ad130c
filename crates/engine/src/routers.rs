//! The routers of an uplink: whose prefixes come first, and by whom packets leave.
//!
//! A prefix goes with the router that announced it: its NAT64 may be behind no other (RFC 8781 section 5.1,
//! draft-ietf-v6ops-claton section 8). So that two routers which take turns in announcing move nothing, the one in use
//! stays as long as it is there.

use std::net::Ipv6Addr;

use model::NetworkSnapshot;

use crate::decide::{Candidate, Known};
use crate::health::{Health, Silence};

/// Default routers of one uplink, best first; never empty.
pub(crate) type Routers = Vec<Ipv6Addr>;

/// Whether a router answers nobody.
pub(crate) fn is_silent(snapshot: &NetworkSnapshot, health: &Health, link: u32, router: Ipv6Addr) -> bool {
    match health.is_silent(link, router) {
        Some(Silence::Unanswered(_)) => true,
        Some(Silence::Unresolved) => snapshot.neighbour(link, router).is_none(),
        None => false,
    }
}

/// By whom packets to a NAT64 leave: who announced the prefix, else whom the kernel would take (the `kernel`'s next hop),
/// else any other; a silent one only if all are. `None` only for no routers at all.
pub(crate) fn next_hop(
    snapshot: &NetworkSnapshot,
    health: &Health,
    link: u32,
    routers: &Routers,
    (announced, kernel): (Option<Ipv6Addr>, Option<Ipv6Addr>),
) -> Option<Ipv6Addr> {
    // A more specific route is somebody's will.
    if let Some(kernel) = kernel.filter(|kernel| !routers.contains(kernel)) {
        return Some(kernel);
    }
    let announced = announced.filter(|router| routers.contains(router));
    let mut order = announced.into_iter().chain(kernel).chain(routers.iter().copied());
    order.clone().find(|router| !is_silent(snapshot, health, link, *router)).or_else(|| order.next())
}

/// Puts the prefixes that routers announce into the order of use, each source for itself: first those of the router in
/// use, then those of the best one, then those of others, at last those of routers that are silent or gone.
pub(crate) fn order(candidates: &mut [Candidate], link: u32, routers: &Routers, known: &Known<'_>) {
    let Some(snapshot) = known.snapshot else { return };
    let silent = |router: &Ipv6Addr| is_silent(snapshot, known.health, link, *router);
    let used = (known.router)(link).filter(|router| routers.contains(router) && !silent(router));
    let standing = |candidate: &Candidate| {
        let Some(router) = candidate.router else { return 1u8 };
        if used == Some(router) {
            0
        } else if silent(&router) || !routers.contains(&router) {
            3
        } else if routers.first() == Some(&router) {
            1
        } else {
            2
        }
    };
    for group in candidates.chunk_by_mut(|one, next| one.source == next.source) {
        group.sort_by_key(standing);
    }
}

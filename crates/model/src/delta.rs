use std::fmt;

use crate::NetworkSnapshot;

/// Why two snapshots differ.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum DeltaReason {
    /// The first snapshot.
    First,
    /// An interface came, went, or changed its state, MTU or link-layer address.
    Links,
    /// An address came, went or changed its state.
    Addresses,
    /// A route came, went or changed.
    Routes,
    /// The kernel sends packets to a destination of interest elsewhere.
    Lookups,
    /// The link-layer address of a neighbour changed.
    Neighbours,
}

impl DeltaReason {
    /// A short stable name for logs.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::First => "first",
            Self::Links => "links",
            Self::Addresses => "addresses",
            Self::Routes => "routes",
            Self::Lookups => "lookups",
            Self::Neighbours => "neighbours",
        }
    }
}

/// What changed from one snapshot to the next, by reason. Empty means that nothing did.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct NetworkDelta {
    reasons: Vec<DeltaReason>,
}

impl NetworkDelta {
    /// Compares two snapshots. Everclat's own interface is in neither of them.
    #[must_use]
    pub fn between(old: Option<&NetworkSnapshot>, new: &NetworkSnapshot) -> Self {
        let Some(old) = old else { return Self { reasons: vec![DeltaReason::First] } };
        let mut reasons = Vec::new();
        let bare = |snapshot: &NetworkSnapshot| {
            snapshot
                .links
                .values()
                .map(|l| (l.index, l.name.clone(), l.kind, l.mac, l.mtu6, l.up, l.carrier, l.forwards_ipv6))
                .collect::<Vec<_>>()
        };
        let addresses = |snapshot: &NetworkSnapshot| {
            snapshot.links.values().map(|l| (l.index, l.addresses.clone())).collect::<Vec<_>>()
        };
        if bare(old) != bare(new) {
            reasons.push(DeltaReason::Links);
        }
        if addresses(old) != addresses(new) {
            reasons.push(DeltaReason::Addresses);
        }
        if old.routes != new.routes {
            reasons.push(DeltaReason::Routes);
        }
        if (&old.lookups, old.ipv4_through) != (&new.lookups, new.ipv4_through) {
            reasons.push(DeltaReason::Lookups);
        }
        if old.neighbours != new.neighbours {
            reasons.push(DeltaReason::Neighbours);
        }
        Self { reasons }
    }

    /// Whether nothing changed.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.reasons.is_empty()
    }

    /// The reasons, in a fixed order.
    #[must_use]
    pub fn reasons(&self) -> &[DeltaReason] {
        &self.reasons
    }
}

impl fmt::Display for NetworkDelta {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let names: Vec<&str> = self.reasons.iter().map(|reason| reason.name()).collect();
        f.write_str(&names.join(","))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Neighbour, Route, RouteKind, RouteLookup};

    #[test]
    fn names_what_changed() {
        let mut a = NetworkSnapshot::default();
        assert_eq!(NetworkDelta::between(None, &a).reasons(), [DeltaReason::First]);
        assert!(NetworkDelta::between(Some(&a), &a).is_empty());

        let mut b = a.clone();
        b.routes.push(Route {
            destination: "0.0.0.0/0".parse().unwrap(),
            gateway: None,
            link: 2,
            metric: 0,
            kind: RouteKind::Unicast,
            ours: false,
        });
        assert_eq!(NetworkDelta::between(Some(&a), &b).to_string(), "routes");

        a = b.clone();
        b.lookups.insert("64:ff9b::1".parse().unwrap(), RouteLookup { link: 2, gateway: None });
        b.neighbours.push(Neighbour {
            link: 2,
            address: "fe80::1".parse().unwrap(),
            mac: crate::MacAddress([2, 0, 0, 0, 0, 1]),
        });
        assert_eq!(NetworkDelta::between(Some(&a), &b).to_string(), "lookups,neighbours");
    }
}

//! What interfaces are called and what sort they are, for people: netdev knows it alike on every system. Decisions never
//! rest on it; they need address states, route lookups and neighbours, which it does not show.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};

use model::{InterfaceStatus, NetworkSnapshot};
use netdev::interface::types::InterfaceType;
use tokio::sync::watch;

/// Index and name: an index is used again, and so is a name.
type Key = (u32, String);

#[derive(Clone, Debug, PartialEq, Eq)]
struct Named {
    kind: &'static str,
    title: Option<String>,
}

/// What is known so far. Asking takes a while, so it is done beside everything else.
#[derive(Clone, Debug, Default)]
pub(crate) struct Names {
    known: Arc<Mutex<BTreeMap<Key, Named>>>,
}

impl Names {
    /// Asks about interfaces that are new; when that is done, the status has changed.
    pub(crate) fn learn(&self, snapshot: &NetworkSnapshot, changes: &watch::Sender<u64>) {
        let present: Vec<Key> = snapshot.links.values().map(|link| (link.index, link.name.clone())).collect();
        {
            let mut known = self.known.lock().unwrap_or_else(PoisonError::into_inner);
            known.retain(|key, _| present.contains(key));
            if present.iter().all(|key| known.contains_key(key)) {
                return;
            }
        }
        let (known, changes) = (Arc::clone(&self.known), changes.clone());
        let ask = move || {
            let found = netdev::get_interfaces();
            let mut known = known.lock().unwrap_or_else(PoisonError::into_inner);
            for key in present {
                let interface = found.iter().find(|interface| (interface.index, &interface.name) == (key.0, &key.1));
                let named = interface.map_or(Named { kind: "other", title: None }, |interface| Named {
                    kind: kind(interface.if_type),
                    title: interface.friendly_name.clone().filter(|title| *title != key.1),
                });
                known.insert(key, named);
            }
            drop(known);
            changes.send_modify(|version| *version = version.wrapping_add(1));
        };
        // Without a thread the status says less, and nothing else.
        let _ = std::thread::Builder::new().name("everclat-names".into()).spawn(ask);
    }

    /// Fills in what is known.
    pub(crate) fn describe(&self, interfaces: &mut [InterfaceStatus]) {
        let known = self.known.lock().unwrap_or_else(PoisonError::into_inner);
        for interface in interfaces {
            if let Some((_, named)) = known.iter().find(|((_, name), _)| *name == interface.name) {
                interface.kind = Some(named.kind.to_owned());
                interface.title.clone_from(&named.title);
            }
        }
    }
}

/// The words of the status document.
#[expect(clippy::wildcard_enum_match_arm, reason = "netdev tells apart what has not carried a desktop in this century")]
fn kind(sort: InterfaceType) -> &'static str {
    match sort {
        InterfaceType::Ethernet
        | InterfaceType::Ethernet3Megabit
        | InterfaceType::FastEthernetT
        | InterfaceType::FastEthernetFx
        | InterfaceType::GigabitEthernet => "ethernet",
        InterfaceType::Wireless80211 => "wifi",
        InterfaceType::Wman | InterfaceType::Wwan | InterfaceType::Wwanpp | InterfaceType::Wwanpp2 => "mobile",
        InterfaceType::Tunnel | InterfaceType::Ppp | InterfaceType::Slip => "tunnel",
        InterfaceType::Bridge => "bridge",
        InterfaceType::ProprietaryVirtual | InterfaceType::PeerToPeerWireless => "virtual",
        _ => "other",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_words_are_those_of_the_status_document() {
        assert_eq!(kind(InterfaceType::GigabitEthernet), "ethernet");
        assert_eq!(kind(InterfaceType::Wireless80211), "wifi");
        assert_eq!(kind(InterfaceType::TokenRing), "other");
    }

    #[test]
    fn what_is_not_known_stays_open_until_it_is() {
        let names = Names::default();
        let mut found = netdev::get_interfaces();
        let Some(interface) = found.pop() else { return };
        let link = model::Link {
            index: interface.index,
            name: interface.name.clone(),
            kind: model::LinkKind::Ethernet,
            mac: None,
            mtu6: 1500,
            up: true,
            carrier: true,
            forwards_ipv6: false,
            addresses: Vec::new(),
        };
        let mut snapshot = NetworkSnapshot::default();
        snapshot.links.insert(link.index, link);
        let changes = watch::Sender::new(0);
        let mut changed = changes.subscribe();
        names.learn(&snapshot, &changes);
        let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
        runtime.block_on(changed.changed()).unwrap();
        let key = (interface.index, interface.name.clone());
        assert_eq!(names.known.lock().unwrap()[&key].kind, kind(interface.if_type));
        names.learn(&NetworkSnapshot::default(), &changes);
        assert!(names.known.lock().unwrap().is_empty(), "what is gone is forgotten");
    }
}

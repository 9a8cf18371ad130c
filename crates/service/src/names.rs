//! What interfaces are called and what sort they are, for people: netdev knows it alike on every system. Decisions never
//! rest on it; they need address states, route lookups and neighbours, which it does not show.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use model::{InterfaceStatus, NetworkSnapshot};
use netdev::Interface;
use netdev::interface::types::InterfaceType;
use tokio::sync::watch;

/// Index and name: an index is used again, and so is a name.
type Key = (u32, String);

#[derive(Clone, Debug, PartialEq, Eq)]
struct Named {
    kind: &'static str,
    title: Option<String>,
}

#[derive(Debug, Default)]
struct Known {
    named: BTreeMap<Key, Named>,
    /// As the last snapshot has them.
    present: Vec<Key>,
    /// A thread is at it, and will see who has come meanwhile.
    asking: bool,
}

impl Known {
    fn missing(&self) -> Vec<Key> {
        self.present.iter().filter(|key| !self.named.contains_key(*key)).cloned().collect()
    }
}

/// What is known so far. Asking takes a while, so it is done beside everything else, by one thread at a time.
#[derive(Clone, Debug)]
pub(crate) struct Names {
    known: Arc<Mutex<Known>>,
    /// Slow: it goes through every interface of the system.
    ask: fn() -> Vec<Interface>,
}

impl Default for Names {
    fn default() -> Self {
        Self { known: Arc::default(), ask: netdev::get_interfaces }
    }
}

impl Names {
    /// Asks about interfaces that are new; when that is done, the status has changed.
    pub(crate) fn learn(&self, snapshot: &NetworkSnapshot, changes: &watch::Sender<u64>) {
        let present: Vec<Key> = snapshot.links.values().map(|link| (link.index, link.name.clone())).collect();
        {
            let mut known = self.lock();
            known.named.retain(|key, _| present.contains(key));
            known.present = present;
            if known.asking || known.missing().is_empty() {
                return;
            }
            known.asking = true;
        }
        let (names, changes) = (self.clone(), changes.clone());
        let ask = move || {
            while names.ask_once() {
                changes.send_modify(|version| *version = version.wrapping_add(1));
            }
        };
        // Without a thread the status says less, and nothing else.
        if std::thread::Builder::new().name("everclat-names".into()).spawn(ask).is_err() {
            self.lock().asking = false;
        }
    }

    /// Asks about those that are missing. Says whether there were any; if not, nobody is asking any more.
    fn ask_once(&self) -> bool {
        let missing = {
            let mut known = self.lock();
            let missing = known.missing();
            known.asking = !missing.is_empty();
            missing
        };
        if missing.is_empty() {
            return false;
        }
        let found = (self.ask)();
        let mut known = self.lock();
        // What has gone meanwhile would stay for ever.
        let present: Vec<Key> = missing.into_iter().filter(|key| known.present.contains(key)).collect();
        for key in present {
            let interface = found.iter().find(|interface| (interface.index, &interface.name) == (key.0, &key.1));
            let named = interface.map_or(Named { kind: "other", title: None }, |interface| Named {
                kind: kind(interface.if_type),
                title: interface.friendly_name.clone().filter(|title| *title != key.1),
            });
            known.named.insert(key, named);
        }
        true
    }

    fn lock(&self) -> MutexGuard<'_, Known> {
        self.known.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Fills in what is known.
    pub(crate) fn describe(&self, interfaces: &mut [InterfaceStatus]) {
        let known = self.lock();
        for interface in interfaces {
            if let Some((_, named)) = known.named.iter().find(|((_, name), _)| *name == interface.name) {
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
    use std::sync::atomic::{AtomicUsize, Ordering};
    use std::time::{Duration, Instant};

    use super::*;

    #[test]
    fn the_words_are_those_of_the_status_document() {
        assert_eq!(kind(InterfaceType::GigabitEthernet), "ethernet");
        assert_eq!(kind(InterfaceType::Wireless80211), "wifi");
        assert_eq!(kind(InterfaceType::TokenRing), "other");
    }

    fn with(links: &[(u32, &str)]) -> NetworkSnapshot {
        let link = |(index, name): &(u32, &str)| model::Link {
            index: *index,
            name: (*name).to_owned(),
            kind: model::LinkKind::Ethernet,
            mac: None,
            mtu6: 1500,
            up: true,
            carrier: true,
            forwards_ipv6: false,
            addresses: Vec::new(),
        };
        let mut snapshot = NetworkSnapshot::default();
        snapshot.links.extend(links.iter().map(|named| (named.0, link(named))));
        snapshot
    }

    static ASKING: AtomicUsize = AtomicUsize::new(0);
    static MOST: AtomicUsize = AtomicUsize::new(0);
    static ASKED: AtomicUsize = AtomicUsize::new(0);

    fn slowly() -> Vec<Interface> {
        MOST.fetch_max(ASKING.fetch_add(1, Ordering::SeqCst) + 1, Ordering::SeqCst);
        ASKED.fetch_add(1, Ordering::SeqCst);
        std::thread::sleep(Duration::from_millis(50));
        ASKING.fetch_sub(1, Ordering::SeqCst);
        Vec::new()
    }

    #[test]
    fn interfaces_that_come_one_after_the_other_are_asked_about_by_one_thread() {
        let names = Names { ask: slowly, ..Names::default() };
        let changes = watch::Sender::new(0);
        let veths: Vec<String> = (0..20).map(|number| format!("veth{number}")).collect();
        let mut links: Vec<(u32, &str)> = Vec::new();
        for (index, name) in (100..).zip(&veths) {
            links.push((index, name));
            names.learn(&with(&links), &changes);
        }
        // The first one has gone before anybody has found out about it.
        links.remove(0);
        names.learn(&with(&links), &changes);
        let end = Instant::now() + Duration::from_secs(10);
        let known = || names.lock().named.keys().map(|(index, _)| *index).collect::<Vec<_>>();
        while (ASKING.load(Ordering::SeqCst) > 0 || known().len() < 19) && Instant::now() < end {
            std::thread::sleep(Duration::from_millis(5));
        }
        assert_eq!(MOST.load(Ordering::SeqCst), 1, "one at a time");
        assert!(ASKED.load(Ordering::SeqCst) <= 3, "what comes meanwhile is asked about together");
        assert_eq!(known(), (101..120).collect::<Vec<_>>(), "what has gone is not remembered");
    }

    #[test]
    fn what_is_not_known_stays_open_until_it_is() {
        let names = Names::default();
        let mut found = netdev::get_interfaces();
        let Some(interface) = found.pop() else { return };
        let snapshot = with(&[(interface.index, &interface.name)]);
        let changes = watch::Sender::new(0);
        let mut changed = changes.subscribe();
        names.learn(&snapshot, &changes);
        let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
        runtime.block_on(changed.changed()).unwrap();
        let key = (interface.index, interface.name.clone());
        assert_eq!(names.lock().named[&key].kind, kind(interface.if_type));
        names.learn(&NetworkSnapshot::default(), &changes);
        assert!(names.lock().named.is_empty(), "what is gone is forgotten");
    }
}

//! What the system knows about an uplink beside router advertisements: resolvers that its network gave, captive portals
//! that NetworkManager found, option 108 of DHCPv4.
//!
//! Each source has a task that brings whole pictures; [`ledger::Ledger`] weighs them and says what is new. Without a bus
//! or any of its services everything goes on, and nothing is said about it.

mod bus;
mod dhcp4;
mod files;
mod ledger;
mod network_manager;
mod networkd;
mod resolved;
#[cfg(test)]
mod tests;

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use model::{LinkKind, NetworkSnapshot};
use platform_api::HostEvent;
use tokio::sync::{Notify, mpsc, watch};
use tracing::debug;

use bus::Address;
use files::Files;
use ledger::Ledger;

/// A link that matters here.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct NewsLink {
    pub(crate) name: String,
    /// An uplink of the engine's, if a route leads there: with Ethernet framing, up, with carrier.
    pub(crate) uplink: bool,
    pub(crate) kind: LinkKind,
}

/// Every link that is up, as the last snapshot has them.
pub(crate) type NewsLinks = BTreeMap<u32, NewsLink>;

/// The links of a snapshot.
pub(crate) fn links(snapshot: &NetworkSnapshot) -> NewsLinks {
    let usable = snapshot.links.values().filter(|link| link.up);
    usable
        .map(|link| {
            // As the engine has it: it forgets a link's news when this ends.
            let framed = matches!(link.kind, LinkKind::Ethernet | LinkKind::Bridge) && link.mac.is_some();
            let uplink = framed && link.is_usable();
            (link.index, NewsLink { name: link.name.clone(), uplink, kind: link.kind })
        })
        .collect()
}

/// Where to look; tests look elsewhere.
#[derive(Clone, Debug, Default)]
pub(crate) struct Places {
    bus: Address,
    files: Files,
}

/// Starts to listen; must be called inside the runtime. All of it ends when nobody holds the sender of `links` any more.
pub(crate) fn listen(places: Places, links: watch::Receiver<NewsLinks>, sender: mpsc::Sender<HostEvent>) {
    let hints = Hints::default();
    let (bus_knows, bus) = watch::channel(None);
    let (files_know, files) = watch::channel(Vec::new());
    tokio::spawn(bus::run(places.bus, hints.clone(), links.clone(), bus_knows));
    tokio::spawn(files::run(places.files, hints, files_know));
    tokio::spawn(dhcp4::run(links.clone(), sender.clone()));
    tokio::spawn(weigh(links, bus, files, sender));
}

/// Pauses between attempts, each twice the last one. An attempt costs a system call or two, and what is missing may well
/// stay missing.
struct Backoff(Duration);

impl Backoff {
    const FIRST: Duration = Duration::from_secs(1);
    const LONGEST: Duration = Duration::from_secs(60);

    fn new() -> Self {
        Self(Self::FIRST)
    }

    /// After an attempt that ended after `lasted`: what worked for long begins afresh.
    fn pause(&mut self, lasted: Duration) -> Duration {
        let pause = if lasted > Self::LONGEST { Self::FIRST } else { self.0 };
        self.0 = (pause * 2).min(Self::LONGEST);
        pause
    }
}

/// Somebody said that something changed.
#[derive(Clone, Debug, Default)]
struct Hints {
    bus: Arc<Notify>,
    files: Arc<Notify>,
}

/// Ends when the links do.
async fn weigh(
    mut links: watch::Receiver<NewsLinks>,
    mut bus: watch::Receiver<Option<bus::Knowledge>>,
    mut files: watch::Receiver<Vec<std::net::Ipv6Addr>>,
    sender: mpsc::Sender<HostEvent>,
) {
    let mut ledger = Ledger::default();
    loop {
        tokio::select! {
            changed = links.changed() => {
                if changed.is_err() {
                    return;
                }
                ledger.links = links.borrow_and_update().clone();
            }
            Ok(()) = bus.changed() => ledger.bus = bus.borrow_and_update().clone(),
            Ok(()) = files.changed() => ledger.files = files.borrow_and_update().clone(),
        }
        for (link, news) in ledger.settle() {
            debug!(link, ?news, "the system says");
            if sender.send(HostEvent::News { link, news }).await.is_err() {
                return;
            }
        }
    }
}

use std::collections::BTreeMap;
use std::io;
use std::net::Ipv6Addr;

use model::{NetworkSnapshot, RouteLookup};
use platform_api::{EVENT_QUEUE, HostError, HostEvent, Observe, TunId};
use tokio::sync::mpsc;
use tracing::debug;

use crate::codec;
use crate::sys::{self, Registration};

/// The computer, looked at through IP Helper.
#[derive(Debug, Default)]
pub struct WindowsHost {}

impl WindowsHost {
    /// Makes one; nothing is opened yet.
    #[must_use]
    pub fn new() -> Self {
        Self {}
    }
}

impl Observe for WindowsHost {
    /// Must be called inside the runtime. The callbacks end when the receiver is dropped.
    fn subscribe(&mut self) -> Result<mpsc::Receiver<HostEvent>, HostError> {
        let (sender, receiver) = mpsc::channel(EVENT_QUEUE);
        let registration = Registration::new(sender.clone())
            .map_err(|error| HostError::new("listen to changes of the network", error))?;
        tokio::spawn(async move {
            sender.closed().await;
            drop(registration);
        });
        Ok(receiver)
    }

    async fn snapshot(&mut self, lookups: &[Ipv6Addr], own: Option<&TunId>) -> Result<NetworkSnapshot, HostError> {
        let lookups = lookups.to_vec();
        let own = own.map(|tun| tun.index);
        let looking = tokio::task::spawn_blocking(move || look(&lookups, own));
        looking.await.map_err(|error| HostError::new("look at the network", io::Error::other(error)))?
    }
}

fn look(lookups: &[Ipv6Addr], own: Option<u32>) -> Result<NetworkSnapshot, HostError> {
    let tables = sys::tables()?;
    let found = lookups.iter().filter_map(|&destination| Some((destination, lookup(destination)?)));
    let found: BTreeMap<Ipv6Addr, RouteLookup> = found.collect();
    Ok(codec::snapshot(&tables, found, own))
}

fn lookup(destination: Ipv6Addr) -> Option<RouteLookup> {
    match sys::best_route(destination) {
        Ok(row) => row.as_ref().and_then(codec::route_lookup),
        Err(error) => {
            debug!(%error, "no answer to a route lookup");
            None
        }
    }
}

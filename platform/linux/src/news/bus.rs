//! The system bus: one connection for all services, their signals taken as hints to ask again.

use std::collections::BTreeMap;
use std::io;
use std::net::Ipv6Addr;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use futures::{FutureExt, StreamExt};
use serde::Serialize;
use serde::de::DeserializeOwned;
use tokio::sync::{Notify, watch};
use tokio::task::JoinSet;
use tokio::time::{Instant, sleep, timeout};
use tracing::{debug, trace};
use zbus::connection::Builder;
use zbus::message::Type;
use zbus::{Connection, DynamicType, MessageStream, OwnedVariant};

use super::network_manager::{self, Device};
use super::{Backoff, Hints, NewsLinks, networkd, resolved};

/// More interfaces than any desktop has; container hosts have more, none of them uplinks.
pub(super) const MAX_LINKS: usize = 256;

/// A service answers within milliseconds; one that hangs must not keep the others from being heard.
const PATIENCE: Duration = Duration::from_secs(5);

/// Signals come in bursts: a lease is a handful.
const BURST: Duration = Duration::from_millis(100);

const BUS: &str = "org.freedesktop.DBus";
const BUS_PATH: &str = "/org/freedesktop/DBus";

/// Where the bus is; by default the system bus, by `DBUS_SYSTEM_BUS_ADDRESS` or at its usual place.
#[derive(Clone, Debug, Default)]
pub(super) struct Address(pub(super) Option<String>);

/// What the services on the bus say; `None` for those that are not there.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Knowledge {
    pub(super) network_manager: Option<Vec<Device>>,
    pub(super) networkd: Option<BTreeMap<u32, Vec<Ipv6Addr>>>,
    pub(super) resolved: Option<BTreeMap<u32, Vec<Ipv6Addr>>>,
    /// One of them serves another network namespace; its files are then in our sight as its bus is.
    pub(super) elsewhere: bool,
}

/// A question was not answered as it should have been.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Failure {
    /// There is no such name or thing: that is an answer, too.
    Gone,
    /// By an error: the next time it may be answered.
    Refused,
    /// Not at all.
    Silent,
}

/// What somebody says; where he did not answer, what he said before.
#[derive(Debug)]
pub(super) struct Picture<T> {
    pub(super) said: T,
    /// Every question was answered.
    pub(super) whole: bool,
}

/// Ends when nobody wants to know any more.
pub(super) async fn run(
    address: Address,
    hints: Hints,
    mut links: watch::Receiver<NewsLinks>,
    knows: watch::Sender<Option<Knowledge>>,
) {
    let mut backoff = Backoff::new();
    loop {
        let begin = Instant::now();
        tokio::select! {
            result = session(&address, &hints, links.clone(), &knows) => {
                if let Err(error) = result {
                    debug!(%error, "no system bus");
                    // A bus that hangs takes nothing back.
                    let hangs = matches!(&error, zbus::Error::InputOutput(why) if why.kind() == io::ErrorKind::TimedOut);
                    if !hangs || knows.borrow().is_none() {
                        tell(&knows, Knowledge::default());
                    }
                }
            }
            () = gone(&mut links) => return,
        }
        tokio::select! {
            () = sleep(backoff.pause(begin.elapsed())) => {}
            () = gone(&mut links) => return,
        }
    }
}

async fn gone(links: &mut watch::Receiver<NewsLinks>) {
    while links.changed().await.is_ok() {}
}

fn tell(knows: &watch::Sender<Option<Knowledge>>, knowledge: Knowledge) {
    knows.send_if_modified(|known| {
        let changed = known.as_ref() != Some(&knowledge);
        if changed {
            debug!(?knowledge, "on the system bus");
        }
        *known = Some(knowledge);
        changed
    });
}

/// From connecting to the loss of the connection. What is known outlives it: a bus that starts anew is back before long.
async fn session(
    address: &Address,
    hints: &Hints,
    mut links: watch::Receiver<NewsLinks>,
    knows: &watch::Sender<Option<Knowledge>>,
) -> zbus::Result<()> {
    let builder = match &address.0 {
        Some(address) => Builder::address(address.as_str()),
        None => Builder::system(),
    };
    let connecting = timeout(PATIENCE, builder.build()).await;
    let bus = connecting.map_err(|_| io::Error::from(io::ErrorKind::TimedOut))??;
    // Listen first, look afterwards.
    let mut pump = JoinSet::new();
    pump.spawn(count_signals(MessageStream::from(&bus), Arc::clone(&hints.bus)));
    for rule in rules() {
        let added = call::<_, ()>(&bus, BUS, BUS_PATH, BUS, "AddMatch", &rule).await;
        added.map_err(|failure| match failure {
            Failure::Silent => io::Error::from(io::ErrorKind::TimedOut),
            Failure::Gone | Failure::Refused => io::Error::other("the bus does not tell what happens"),
        })?;
    }
    let mut backoff = Backoff::new();
    loop {
        // Folders to watch may have come with a service.
        hints.files.notify_one();
        let former = knows.borrow().clone().unwrap_or_default();
        let Picture { said, whole } = look(&bus, former).await;
        if bus.is_closed() {
            return Ok(());
        }
        tell(knows, said);
        if whole {
            backoff = Backoff::new();
        }
        tokio::select! {
            () = sleep(backoff.pause(Duration::ZERO)), if !whole => {}
            () = bus.closed() => return Ok(()),
            () = hints.bus.notified() => {}
            // networkd says nothing of a new link's resolvers that its folder does not say.
            _ = links.changed() => {}
        }
        sleep(BURST).await;
        // What came meanwhile will be seen.
        links.mark_unchanged();
        let _ = hints.bus.notified().now_or_never();
    }
}

/// Each signal a hint. Always at it, as zbus wants it: a full queue would hold up the answers, too.
async fn count_signals(mut messages: MessageStream, hint: Arc<Notify>) {
    while let Some(message) = messages.next().await {
        if message.is_ok_and(|message| message.message_type() == Type::Signal) {
            hint.notify_one();
        }
    }
    hint.notify_one();
}

/// What to be told of. By the first argument, so that access points and byte counters wake nobody.
fn rules() -> Vec<String> {
    let owners = [network_manager::NAME, networkd::NAME, resolved::NAME];
    let properties = [
        (network_manager::NAME, network_manager::NAME),
        (network_manager::NAME, network_manager::DEVICE),
        (network_manager::NAME, network_manager::LEASE),
        (networkd::NAME, networkd::LINK),
        (resolved::NAME, resolved::MANAGER),
    ];
    let owners = owners.map(|name| format!("type='signal',sender='{BUS}',member='NameOwnerChanged',arg0='{name}'"));
    let properties = properties.map(|(sender, interface)| {
        format!(
            "type='signal',sender='{sender}',interface='org.freedesktop.DBus.Properties',\
             member='PropertiesChanged',arg0='{interface}'"
        )
    });
    owners.into_iter().chain(properties).collect()
}

async fn look(bus: &Connection, former: Knowledge) -> Picture<Knowledge> {
    let network_manager = ask(bus, network_manager::NAME, former.network_manager, async |owner, former| {
        network_manager::devices(bus, &owner, &former).await
    });
    let (network_manager, first) = network_manager.await;
    let networkd =
        ask(bus, networkd::NAME, former.networkd, async |owner, former| networkd::links(bus, &owner, &former).await);
    let (networkd, second) = networkd.await;
    let resolved = ask(bus, resolved::NAME, former.resolved, async |owner, _| {
        Ok(Picture { said: resolved::links(bus, &owner).await?, whole: true })
    });
    let (resolved, third) = resolved.await;
    let all = [first, second, third];
    let whole = !all.contains(&Outcome::Unanswered);
    let elsewhere = all.contains(&Outcome::Elsewhere) || !whole && former.elsewhere;
    Picture { said: Knowledge { network_manager, networkd, resolved, elsewhere }, whole }
}

/// What became of the questions to one service.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Outcome {
    Answered,
    /// Not all of them; what was said before holds.
    Unanswered,
    /// It serves another network namespace.
    Elsewhere,
}

/// Asks who has the name now. One that is there and has never answered says nothing of any link; one that has gone takes back
/// what it said.
async fn ask<T: Clone + Default>(
    bus: &Connection,
    name: &str,
    former: Option<T>,
    question: impl AsyncFnOnce(String, T) -> Result<Picture<T>, Failure>,
) -> (Option<T>, Outcome) {
    match owner(bus, name).await {
        Ok(Some(owner)) => {
            let former = former.unwrap_or_default();
            match question(owner, former.clone()).await {
                Ok(Picture { said, whole: true }) => (Some(said), Outcome::Answered),
                Ok(Picture { said, whole: false }) => (Some(said), Outcome::Unanswered),
                Err(Failure::Gone | Failure::Refused | Failure::Silent) => (Some(former), Outcome::Unanswered),
            }
        }
        Ok(None) => (None, Outcome::Elsewhere),
        Err(Failure::Gone) => (None, Outcome::Answered),
        Err(Failure::Refused | Failure::Silent) => (former, Outcome::Unanswered),
    }
}

/// Who has the name now; `None` if he does not serve our network. Asked by its unique name, a service that is not running is
/// not started.
async fn owner(bus: &Connection, name: &str) -> Result<Option<String>, Failure> {
    let owner: String = call(bus, BUS, BUS_PATH, BUS, "GetNameOwner", &name).await?;
    let process: u32 = call(bus, BUS, BUS_PATH, BUS, "GetConnectionUnixProcessID", &owner.as_str()).await?;
    Ok(is_of_our_network(process).then_some(owner))
}

/// The bus is a file, which other network namespaces may see, too; interface numbers mean nothing there. Where we may
/// not look (resolved has its own user), the host's services are our own.
fn is_of_our_network(process: u32) -> bool {
    let ours = std::fs::read_link("/proc/self/ns/net");
    match (ours, std::fs::read_link(Path::new("/proc").join(process.to_string()).join("ns/net"))) {
        (Ok(ours), Ok(theirs)) => ours == theirs,
        (_, Err(error)) => error.kind() == io::ErrorKind::PermissionDenied,
        (Err(_), Ok(_)) => true,
    }
}

/// Asks `owner`, for [`PATIENCE`] at the longest.
pub(super) async fn call<B: Serialize + DynamicType, A: DeserializeOwned + zbus::Type>(
    bus: &Connection,
    owner: &str,
    path: &str,
    interface: &str,
    method: &str,
    body: &B,
) -> Result<A, Failure> {
    let asking = bus.call_method(Some(owner), path, Some(interface), method, body);
    let failure = match timeout(PATIENCE, asking).await {
        Ok(Ok(answer)) => match answer.body().deserialize() {
            Ok(said) => return Ok(said),
            Err(error) => {
                trace!(method, %error, "an odd answer on the system bus");
                Failure::Refused
            }
        },
        Ok(Err(error)) => {
            trace!(method, %error, "no answer on the system bus");
            why(&error)
        }
        Err(error) => {
            trace!(method, %error, "no answer on the system bus");
            Failure::Silent
        }
    };
    Err(failure)
}

#[expect(clippy::wildcard_enum_match_arm, reason = "zbus has an error for everything; these are the ones that answer")]
fn why(error: &zbus::Error) -> Failure {
    use zbus::fdo::Error;
    match error {
        zbus::Error::FDO(error) => match &**error {
            Error::NameHasNoOwner(_)
            | Error::ServiceUnknown(_)
            | Error::UnknownObject(_)
            | Error::UnknownInterface(_)
            | Error::UnknownMethod(_)
            | Error::UnknownProperty(_) => Failure::Gone,
            Error::NoReply(_) | Error::Timeout(_) | Error::TimedOut(_) | Error::Disconnected(_) => Failure::Silent,
            _ => Failure::Refused,
        },
        // By networkd's own name for it.
        zbus::Error::MethodError(name, ..) if name.ends_with(".NoSuchLink") => Failure::Gone,
        zbus::Error::MethodError(..) => Failure::Refused,
        _ => Failure::Silent,
    }
}

/// One property.
pub(super) async fn property(
    bus: &Connection,
    owner: &str,
    path: &str,
    interface: &str,
    name: &str,
) -> Result<OwnedVariant, Failure> {
    call(bus, owner, path, "org.freedesktop.DBus.Properties", "Get", &(interface, name)).await
}

#[cfg(test)]
mod tests {
    use std::process::{Command, Stdio};

    use super::*;

    #[test]
    fn services_of_other_networks_are_not_ours() {
        assert!(is_of_our_network(std::process::id()));
        let child = Command::new("unshare").args(["--net", "cat"]).stdin(Stdio::piped()).stdout(Stdio::piped()).spawn();
        let mut child = child.unwrap();
        // It echoes once it is there; without root it never is.
        let echoes = {
            use std::io::{Read, Write};
            let written = child.stdin.as_mut().unwrap().write_all(b"x").is_ok();
            written && child.stdout.as_mut().unwrap().read_exact(&mut [0]).is_ok()
        };
        if echoes {
            assert!(!is_of_our_network(child.id()));
        } else {
            eprintln!("SKIPPED: may not make a network namespace; run as root");
        }
        drop(child.stdin.take());
        child.wait().unwrap();
        assert!(!is_of_our_network(child.id()), "a process that is not there");
    }
}

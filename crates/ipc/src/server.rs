use std::future::Future;
use std::io;
use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use interprocess::local_socket::ListenerOptions;
use interprocess::local_socket::tokio::{Listener, Stream, prelude::*};
use model::Status;
use tokio::sync::watch;
use tokio::task::yield_now;
use tokio::time::{sleep, timeout};

use crate::log::{LogBatch, LogLevel};
use crate::message::{Control, Hello, MIN_PROTOCOL, PROTOCOL, Refusal, RefusalKind, Reply, Request, SettingsReport};
use crate::peer::{Peer, Rights, bound_queue};
use crate::places::{Phase, Place, Places};
use crate::transport::{Connection, MAX_REQUEST, name};

/// A client that has connected but says nothing takes a place from others.
const HELLO: Duration = Duration::from_secs(2);
/// How many are let in at a stretch: fewer than one user's places, enough for a flood not to queue up.
const TURN: u64 = 16;
/// A client that does not read makes the service hold what it was to be told.
const READ: Duration = Duration::from_secs(5);
/// Who follows the log may stop reading for a while, as in a pager; a batch is all that is held meanwhile.
const FOLLOWER_READS: Duration = Duration::from_secs(60);
/// After somebody had to go for want of descriptors.
const ROOM_AGAIN: Duration = Duration::from_millis(1);
/// After accepting failed and nobody could go: long enough not to spin.
const ACCEPT_AGAIN: Duration = Duration::from_millis(100);

/// What stands behind the server.
pub trait Backend: Send + Sync + 'static {
    /// The status now; `None` when the service is stopping.
    fn status(&self) -> impl Future<Output = Option<Status>> + Send;

    /// Every setting, and what is wrong with them; `None` when the service is stopping.
    fn settings(&self) -> impl Future<Output = Option<SettingsReport>> + Send;

    /// Carries out what `peer` wants, if it may.
    ///
    /// # Errors
    /// When it may not, or when it cannot be done.
    fn control(&self, peer: Peer, control: Control) -> impl Future<Output = Result<(), Refusal>> + Send;

    /// Entries of the log from the number `from` on (0: the oldest there is), as much of them as goes into one message.
    fn log(&self, from: u64, level: LogLevel, since_unix_ms: u64) -> LogBatch;

    /// Changes its value with every entry of the log.
    fn log_changes(&self) -> watch::Receiver<u64>;

    /// Changes its value whenever the status changed in more than counters and ages.
    fn changes(&self) -> watch::Receiver<u64>;
}

/// The service's end of the local socket.
#[derive(Debug)]
pub struct Server {
    listener: Listener,
    program: String,
}

impl Server {
    /// Listens at `path`. A socket that a dead service left behind is replaced, a living one is not.
    ///
    /// # Errors
    /// [`io::ErrorKind::AddrInUse`] when another service listens there; else what the system says.
    pub async fn bind(path: &Path, program: &str) -> io::Result<Self> {
        let options = || Ok::<_, io::Error>(ListenerOptions::new().name(name(path)?));
        let listener = match options()?.create_tokio() {
            Err(error) if error.kind() == io::ErrorKind::AddrInUse => {
                if Stream::connect(name(path)?).await.is_ok() {
                    return Err(error);
                }
                options()?.try_overwrite(true).max_spin_time(Duration::from_secs(1)).create_tokio()?
            }
            other => other?,
        };
        bound_queue(&listener)?;
        Ok(Self { listener, program: program.to_owned() })
    }

    /// Serves clients for ever.
    pub async fn run(self, source: Arc<impl Backend>) {
        let places = Arc::new(Places::default());
        let program: Arc<str> = self.program.into();
        for turn in 1_u64.. {
            // Whoever was let in gets a turn soon: a flood must not push an honest client out before its hello is read.
            if turn.is_multiple_of(TURN) {
                yield_now().await;
            }
            let stream = match self.listener.accept().await {
                Ok(stream) => stream,
                // It left before its turn came.
                Err(error) if error.kind() == io::ErrorKind::ConnectionAborted => continue,
                // No descriptors left: they are free once the one who had to go has had its last turn.
                Err(_) => {
                    sleep(if places.make_room() { ROOM_AGAIN } else { ACCEPT_AGAIN }).await;
                    continue;
                }
            };
            let Ok(credentials) = stream.peer_creds() else { continue };
            let peer = Peer::of(&credentials);
            let place = places.take(peer);
            let id = place.id();
            let (source, program) = (Arc::clone(&source), Arc::clone(&program));
            let task = tokio::spawn(async move {
                // A client that breaks off, lies or babbles harms only itself.
                let _ = serve(stream, peer, &place, &*source, &program).await;
            });
            places.served_by(id, task.abort_handle());
        }
    }
}

async fn serve(stream: Stream, peer: Peer, place: &Place, source: &impl Backend, program: &str) -> io::Result<()> {
    let mut connection = Connection::new(stream, MAX_REQUEST);
    let hello: Hello = match timeout(HELLO, connection.receive()).await {
        Ok(Ok(Some(hello))) => hello,
        Ok(Ok(None)) | Err(_) => return Ok(()),
        Ok(Err(error)) => return refuse(&mut connection, RefusalKind::Malformed, error.to_string()).await,
    };
    if hello.protocol < MIN_PROTOCOL {
        let message = format!(
            "{program} speaks protocol {MIN_PROTOCOL} to {PROTOCOL}, {} only {}",
            hello.program, hello.protocol
        );
        return refuse(&mut connection, RefusalKind::Version, message).await;
    }
    let administrator = Some(peer.rights() == Rights::Administer);
    let spoken = Hello { protocol: hello.protocol.min(PROTOCOL), program: program.to_owned(), administrator };
    send(&mut connection, &Reply::Hello(spoken)).await?;
    loop {
        place.alive(Phase::Idle);
        match connection.receive().await {
            Ok(Some(Request::Status)) => {
                if !send_status(&mut connection, source).await? {
                    return Ok(());
                }
            }
            Ok(Some(Request::Settings)) => match source.settings().await {
                Some(report) => send(&mut connection, &Reply::Settings(report)).await?,
                None => return refuse(&mut connection, RefusalKind::Stopping, "the service is stopping".into()).await,
            },
            Ok(Some(Request::Control(control))) => {
                let reply = match source.control(peer, control).await {
                    Ok(()) => Reply::Done,
                    Err(refusal) => Reply::Refused(refusal),
                };
                send(&mut connection, &reply).await?;
            }
            Ok(Some(Request::Watch)) => {
                place.alive(Phase::Watching);
                return watch(&mut connection, source).await;
            }
            Ok(Some(Request::Log { follow, level, since_s })) => {
                let Some(level) = may_read(peer, level) else {
                    let message = "entries below INFO hold addresses; only an administrator may read them".into();
                    refuse(&mut connection, RefusalKind::Denied, message).await?;
                    continue;
                };
                let since = since_s.map(Duration::from_secs);
                if follow {
                    place.alive(Phase::Watching);
                }
                if !log(&mut connection, source, level, since, follow).await? {
                    return Ok(());
                }
            }
            Ok(None) => return Ok(()),
            Err(error) if error.kind() == io::ErrorKind::InvalidData => {
                // One bad frame is answered; what follows a frame over the limit cannot be understood.
                refuse(&mut connection, RefusalKind::Malformed, error.to_string()).await?;
                if error.get_ref().is_none_or(|inner| !inner.is::<serde_json::Error>()) {
                    return Ok(());
                }
            }
            Err(error) => return Err(error),
        }
    }
}

async fn watch(connection: &mut Connection, source: &impl Backend) -> io::Result<()> {
    let mut changes = source.changes();
    loop {
        changes.mark_unchanged();
        if !send_status(connection, source).await? {
            return Ok(());
        }
        tokio::select! {
            changed = changes.changed() => if changed.is_err() { return Ok(()) },
            // A watcher has nothing more to say; anything it sends, its end included, ends the watch.
            _ = connection.receive::<Request>() => return Ok(()),
        }
    }
}

/// The level to give `peer`, if it may have what it asks for.
fn may_read(peer: Peer, asked: Option<LogLevel>) -> Option<LogLevel> {
    let most = match peer.rights() {
        Rights::Administer => LogLevel::Trace,
        Rights::Read => LogLevel::PUBLIC,
    };
    let level = asked.unwrap_or(most);
    (level <= most).then_some(level)
}

/// Sends the log. Says whether the client may ask more: after following it has left.
async fn log(
    connection: &mut Connection,
    source: &impl Backend,
    level: LogLevel,
    since: Option<Duration>,
    follow: bool,
) -> io::Result<bool> {
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    let since = since.map_or(Duration::ZERO, |age| now.saturating_sub(age));
    let since = u64::try_from(since.as_millis()).unwrap_or(u64::MAX);
    let mut changes = source.log_changes();
    let mut next = 0;
    loop {
        changes.borrow_and_update();
        let batch = source.log(next, level, since);
        next = batch.next;
        let more = batch.more;
        // The last batch is sent even when it is empty: it says that there is no more.
        if !follow || batch.lost > 0 || !batch.entries.is_empty() {
            timeout(FOLLOWER_READS, connection.send(&Reply::Log(batch)))
                .await
                .map_err(|_| io::ErrorKind::TimedOut)??;
        }
        if more {
            continue;
        }
        if !follow {
            return Ok(true);
        }
        tokio::select! {
            changed = changes.changed() => if changed.is_err() { return Ok(false) },
            _ = connection.receive::<Request>() => return Ok(false),
        }
    }
}

async fn send_status(connection: &mut Connection, source: &impl Backend) -> io::Result<bool> {
    match source.status().await {
        Some(status) => send(connection, &Reply::Status(Box::new(status))).await.map(|()| true),
        None => {
            refuse(connection, RefusalKind::Stopping, "the service is stopping".into()).await?;
            Ok(false)
        }
    }
}

async fn refuse(connection: &mut Connection, kind: RefusalKind, message: String) -> io::Result<()> {
    send(connection, &Reply::Refused(Refusal { kind, message })).await
}

async fn send(connection: &mut Connection, reply: &Reply) -> io::Result<()> {
    timeout(READ, connection.send(reply)).await.map_err(|_| io::ErrorKind::TimedOut)?
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_in_the_log_are_for_administrators() {
        let (root, user) = (Peer { uid: Some(0), pid: None }, Peer { uid: Some(1000), pid: None });
        assert_eq!(may_read(root, None), Some(LogLevel::Trace));
        assert_eq!(may_read(root, Some(LogLevel::Debug)), Some(LogLevel::Debug));
        assert_eq!(may_read(user, None), Some(LogLevel::Info));
        assert_eq!(may_read(user, Some(LogLevel::Error)), Some(LogLevel::Error));
        assert_eq!(may_read(user, Some(LogLevel::Debug)), None);
        assert_eq!(may_read(Peer { uid: None, pid: None }, Some(LogLevel::Trace)), None);
    }
}

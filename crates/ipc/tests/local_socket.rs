//! Service and clients over a real local socket, honest clients and others.

#![cfg(unix)]
#![expect(clippy::unwrap_used, reason = "a test may panic")]

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use everclat_ipc::{Backend, Client, ClientError, Control, PROTOCOL, Peer, Refusal, RefusalKind, Server};
use model::{SettingEntry, Status};
use serde_json::{Value, json};
use tempfile::TempDir;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{UnixListener, UnixStream};
use tokio::sync::watch;
use tokio::time::timeout;

/// A test that waits longer than this has failed.
const PATIENCE: Duration = Duration::from_secs(10);

/// A status whose uptime counts the changes; `None` as soon as it is stopping.
struct Source {
    changes: watch::Receiver<u64>,
    stopping: watch::Receiver<bool>,
}

impl Backend for Source {
    async fn status(&self) -> Option<Status> {
        let uptime = *self.changes.borrow();
        (!*self.stopping.borrow()).then(|| status(uptime))
    }

    async fn settings(&self) -> Option<(Vec<SettingEntry>, Vec<String>)> {
        Some((model::setting_entries(&model::Settings::default()), vec!["a problem".into()]))
    }

    /// Lets everybody resume, and nobody do anything else.
    async fn control(&self, peer: Peer, control: Control) -> Result<(), Refusal> {
        assert_eq!(peer.pid, Some(std::process::id()), "as the system tells it");
        match control {
            Control::Resume => Ok(()),
            Control::Rearm | Control::Pause { .. } | Control::Reload => {
                Err(Refusal { kind: RefusalKind::Denied, message: "not you".into() })
            }
        }
    }

    fn changes(&self) -> watch::Receiver<u64> {
        self.changes.clone()
    }
}

fn status(uptime: u64) -> Status {
    serde_json::from_value(json!({
        "schema": "everclat.status/1", "product": {"version": "0", "protocol": 1},
        "service": {"pid": 1, "uptime_s": uptime}, "state": "working", "code": "CL-000", "title": "",
        "since": "", "time": "", "owner": "self", "plane": null, "uplink": null, "pref64": [], "clat": null,
        "rearms": {"count": 0, "last_ms": null, "last_reason": null},
        "evidence": {"kind": "none", "age_s": null}, "ignored": {"router_options": 0}, "causes": [], "interfaces": [],
    }))
    .unwrap()
}

/// A service at a socket of its own.
struct Service {
    path: PathBuf,
    change: watch::Sender<u64>,
    stop: watch::Sender<bool>,
    _dir: TempDir,
}

impl Service {
    async fn start() -> Self {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("sock");
        let server = Server::bind(&path, "service").await.unwrap();
        let (change, stop) = (watch::Sender::new(0), watch::Sender::new(false));
        let source = Source { changes: change.subscribe(), stopping: stop.subscribe() };
        tokio::spawn(server.run(Arc::new(source)));
        Self { path, change, stop, _dir: dir }
    }

    async fn raw(&self) -> Raw {
        Raw(UnixStream::connect(&self.path).await.unwrap())
    }

    /// An honest client is served.
    async fn serves(&self) {
        let mut client = Client::connect(&self.path, "honest").await.unwrap();
        client.status().await.unwrap();
    }
}

/// A client that writes its own frames.
struct Raw(UnixStream);

impl Raw {
    async fn frame(&mut self, bytes: &[u8]) {
        self.0.write_all(&u32::try_from(bytes.len()).unwrap().to_be_bytes()).await.unwrap();
        self.0.write_all(bytes).await.unwrap();
    }

    async fn say(&mut self, message: Value) {
        self.frame(message.to_string().as_bytes()).await;
    }

    async fn hello(&mut self, protocol: u32) -> Value {
        self.say(json!({"protocol": protocol, "program": "raw"})).await;
        self.hear().await.unwrap()
    }

    /// The next reply; `None` when the service has closed the connection.
    async fn hear(&mut self) -> Option<Value> {
        let mut length = [0; 4];
        timeout(PATIENCE, self.0.read_exact(&mut length)).await.unwrap().ok()?;
        let mut bytes = vec![0; usize::try_from(u32::from_be_bytes(length)).unwrap()];
        timeout(PATIENCE, self.0.read_exact(&mut bytes)).await.unwrap().ok()?;
        Some(serde_json::from_slice(&bytes).unwrap())
    }
}

fn refused(reply: &Value, kind: &str) -> bool {
    reply["reply"] == "refused" && reply["kind"] == kind
}

#[tokio::test]
async fn hello_and_status() {
    let service = Service::start().await;
    let mut client = Client::connect(&service.path, "test").await.unwrap();
    assert_eq!((client.service().protocol, client.service().program.as_str()), (PROTOCOL, "service"));
    for uptime in [0, 7] {
        service.change.send_replace(uptime);
        assert_eq!(client.status().await.unwrap(), status(uptime));
    }
}

#[tokio::test]
async fn a_watcher_gets_the_status_now_and_after_each_change() {
    let service = Service::start().await;
    let mut client = Client::connect(&service.path, "test").await.unwrap();
    client.watch().await.unwrap();
    for uptime in 0..5 {
        service.change.send_replace(uptime);
        // What is true now comes last, however many changes fell together.
        while timeout(PATIENCE, client.next()).await.unwrap().unwrap().service.uptime_s != uptime {}
    }
}

#[tokio::test]
async fn a_stopping_service_says_so() {
    let service = Service::start().await;
    let mut client = Client::connect(&service.path, "test").await.unwrap();
    service.stop.send_replace(true);
    assert!(matches!(client.status().await, Err(ClientError::Refused(_))));
}

#[tokio::test]
async fn a_client_that_is_too_old_is_refused_and_a_newer_one_is_met_halfway() {
    let service = Service::start().await;
    let mut old = service.raw().await;
    assert!(refused(&old.hello(0).await, "version"));
    assert_eq!(old.hear().await, None);
    let mut new = service.raw().await;
    assert_eq!(new.hello(PROTOCOL + 6).await["protocol"], PROTOCOL);
}

#[tokio::test]
async fn a_client_refuses_a_service_of_another_version() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("sock");
    let listener = UnixListener::bind(&path).unwrap();
    for answer in [
        json!({"reply": "hello", "protocol": PROTOCOL + 1, "program": "newer"}),
        json!({"reply": "refused", "kind": "version", "message": "too old"}),
    ] {
        let (client, accepted) = tokio::join!(Client::connect(&path, "test"), async {
            let mut raw = Raw(listener.accept().await.unwrap().0);
            assert_eq!(raw.hear().await.unwrap()["protocol"], PROTOCOL);
            raw.say(answer).await;
            raw
        });
        assert!(matches!(client, Err(ClientError::VersionSkew(_))), "{client:?}");
        drop(accepted);
    }
}

#[tokio::test]
async fn garbage_instead_of_a_hello_is_refused_and_the_next_client_is_served() {
    let service = Service::start().await;
    for garbage in [&b"\xff\xfe\0"[..], b"", b"{}", b"[1,2]", b"{\"protocol\":-1,\"program\":\"x\"}"] {
        let mut raw = service.raw().await;
        raw.frame(garbage).await;
        assert!(refused(&raw.hear().await.unwrap(), "malformed"), "{garbage:?}");
        assert_eq!(raw.hear().await, None);
        service.serves().await;
    }
}

#[tokio::test]
async fn one_bad_request_is_answered_and_the_connection_goes_on() {
    let service = Service::start().await;
    let mut raw = service.raw().await;
    assert_eq!(raw.hello(PROTOCOL).await["reply"], "hello");
    raw.say(json!({"request": "fly"})).await;
    assert!(refused(&raw.hear().await.unwrap(), "malformed"));
    raw.say(json!({"request": "status"})).await;
    assert_eq!(raw.hear().await.unwrap()["reply"], "status");
}

#[tokio::test]
async fn a_giant_frame_is_refused_unread() {
    let service = Service::start().await;
    for greeted in [false, true] {
        for length in [16 * 1024 + 1, u32::MAX] {
            let mut raw = service.raw().await;
            if greeted {
                raw.hello(PROTOCOL).await;
            }
            raw.0.write_all(&length.to_be_bytes()).await.unwrap();
            assert!(refused(&raw.hear().await.unwrap(), "malformed"));
            assert_eq!(raw.hear().await, None, "what follows cannot be understood");
            service.serves().await;
        }
    }
}

#[tokio::test]
async fn a_client_that_leaves_in_the_middle_harms_nobody() {
    let service = Service::start().await;
    let mut raw = service.raw().await;
    raw.0.write_all(&[0, 0, 0, 90, b'{']).await.unwrap();
    drop(raw);
    let mut raw = service.raw().await;
    raw.hello(PROTOCOL).await;
    raw.say(json!({"request": "watch"})).await;
    drop(raw);
    service.serves().await;
}

#[tokio::test]
async fn clients_that_say_nothing_do_not_keep_others_out_for_long() {
    let service = Service::start().await;
    // Below the limit an honest client does not notice them.
    let mut idle = Vec::new();
    for _ in 0..100 {
        idle.push(service.raw().await);
    }
    service.serves().await;
    // All places taken: the honest one is turned away, until the silent ones are.
    for _ in 0..100 {
        idle.push(service.raw().await);
    }
    let honest = async { while Client::connect(&service.path, "honest").await.is_err() {} };
    timeout(PATIENCE, honest).await.unwrap();
    drop(idle);
}

#[tokio::test]
async fn a_dead_services_socket_is_replaced() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("sock");
    drop(std::os::unix::net::UnixListener::bind(&path).unwrap());
    assert!(path.exists());
    let not_running = Client::connect(&path, "test").await;
    assert!(matches!(not_running, Err(ClientError::NotRunning { .. })), "{not_running:?}");
    let server = Server::bind(&path, "second").await.unwrap();
    let source = Source { changes: watch::Sender::new(0).subscribe(), stopping: watch::Sender::new(false).subscribe() };
    tokio::spawn(server.run(Arc::new(source)));
    assert_eq!(Client::connect(&path, "test").await.unwrap().service().program, "second");
}

#[tokio::test]
async fn a_living_services_socket_is_not() {
    let service = Service::start().await;
    let error = Server::bind(&service.path, "second").await.unwrap_err();
    assert_eq!(error.kind(), std::io::ErrorKind::AddrInUse);
    service.serves().await;
}

#[tokio::test]
async fn nobody_there() {
    let nowhere = Client::connect(Path::new("/nonexistent/sock"), "test").await;
    assert!(matches!(nowhere, Err(ClientError::NotRunning { .. })), "{nowhere:?}");
}

#[tokio::test]
async fn what_may_be_changed_is_decided_by_who_asks() {
    let service = Service::start().await;
    let mut client = Client::connect(&service.path, "test 1").await.unwrap();
    client.control(Control::Resume).await.unwrap();
    let refused = client.control(Control::Rearm).await.unwrap_err();
    assert!(matches!(&refused, ClientError::NotAllowed(why) if why == "not you"), "{refused}");
    client.status().await.unwrap();
}

#[tokio::test]
async fn settings_come_with_what_is_wrong() {
    let service = Service::start().await;
    let (settings, problems) = Client::connect(&service.path, "test 1").await.unwrap().settings().await.unwrap();
    assert!(settings.iter().any(|entry| entry.key == "Enabled" && entry.value == "true"), "{settings:?}");
    assert_eq!(problems, ["a problem"]);
}

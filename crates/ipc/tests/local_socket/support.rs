//! A service at a socket of its own, and clients that write their own frames.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use everclat_ipc::{
    Backend, Client, Control, LogBatch, LogEntry, LogLevel, Peer, Refusal, RefusalKind, Server, SettingsReport,
};
use model::Status;
use serde_json::{Value, json};
use tempfile::TempDir;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::UnixStream;
use tokio::sync::watch;
use tokio::time::timeout;

/// A test that waits longer than this has failed.
pub(crate) const PATIENCE: Duration = Duration::from_secs(10);

/// A status whose uptime counts the changes; `None` as soon as it is stopping.
pub(crate) struct Source {
    changes: watch::Receiver<u64>,
    stopping: watch::Receiver<bool>,
}

impl Source {
    pub(crate) fn new(changes: watch::Receiver<u64>, stopping: watch::Receiver<bool>) -> Self {
        Self { changes, stopping }
    }
}

impl Backend for Source {
    async fn status(&self) -> Option<Status> {
        let uptime = *self.changes.borrow();
        (!*self.stopping.borrow()).then(|| status(uptime))
    }

    async fn settings(&self) -> Option<SettingsReport> {
        let settings = model::setting_entries(&model::Settings::default());
        Some(SettingsReport { settings, problems: vec!["a problem".into()], details: Vec::new() })
    }

    /// Lets everybody resume, and nobody do anything else.
    async fn control(&self, peer: Peer, control: Control) -> Result<(), Refusal> {
        assert_eq!(peer.pid, Some(std::process::id()), "as the system tells it");
        match control {
            Control::Resume => Ok(()),
            Control::Rearm | Control::Pause { .. } | Control::Reload | Control::LogLevel { .. } => {
                Err(Refusal { kind: RefusalKind::Denied, message: "not you".into() })
            }
        }
    }

    /// One entry for each change, two to a batch, of which the first two are gone.
    fn log(&self, from: u64, level: LogLevel, _: u64) -> LogBatch {
        let written = *self.changes.borrow();
        let begin = from.max(2.min(written));
        let next = (begin + 2).min(written);
        let entry = |number: u64| LogEntry {
            unix_ms: number,
            level,
            target: "test".into(),
            message: String::new(),
            fields: Vec::new(),
        };
        let lost = if from == 0 { 0 } else { begin - from };
        LogBatch { entries: (begin..next).map(entry).collect(), lost, more: next < written, next }
    }

    fn log_changes(&self) -> watch::Receiver<u64> {
        self.changes.clone()
    }

    fn changes(&self) -> watch::Receiver<u64> {
        self.changes.clone()
    }
}

pub(crate) fn status(uptime: u64) -> Status {
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
pub(crate) struct Service {
    pub(crate) path: PathBuf,
    pub(crate) change: watch::Sender<u64>,
    pub(crate) stop: watch::Sender<bool>,
    _dir: TempDir,
}

impl Service {
    pub(crate) async fn start() -> Self {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("sock");
        let server = Server::bind(&path, "service").await.unwrap();
        let (change, stop) = (watch::Sender::new(0), watch::Sender::new(false));
        let source = Source { changes: change.subscribe(), stopping: stop.subscribe() };
        tokio::spawn(server.run(Arc::new(source)));
        Self { path, change, stop, _dir: dir }
    }

    pub(crate) async fn raw(&self) -> Raw {
        Raw(UnixStream::connect(&self.path).await.unwrap())
    }

    /// An honest client is served.
    pub(crate) async fn serves(&self) {
        let mut client = Client::connect(&self.path, "honest").await.unwrap();
        client.status().await.unwrap();
    }
}

/// A client that writes its own frames.
pub(crate) struct Raw(pub(crate) UnixStream);

impl Raw {
    pub(crate) async fn frame(&mut self, bytes: &[u8]) {
        self.0.write_all(&u32::try_from(bytes.len()).unwrap().to_be_bytes()).await.unwrap();
        self.0.write_all(bytes).await.unwrap();
    }

    pub(crate) async fn say(&mut self, message: Value) {
        self.frame(message.to_string().as_bytes()).await;
    }

    pub(crate) async fn hello(&mut self, protocol: u32) -> Value {
        self.say(json!({"protocol": protocol, "program": "raw"})).await;
        self.hear().await.unwrap()
    }

    /// The next reply; `None` when the service has closed the connection.
    pub(crate) async fn hear(&mut self) -> Option<Value> {
        let mut length = [0; 4];
        timeout(PATIENCE, self.0.read_exact(&mut length)).await.unwrap().ok()?;
        let mut bytes = vec![0; usize::try_from(u32::from_be_bytes(length)).unwrap()];
        timeout(PATIENCE, self.0.read_exact(&mut bytes)).await.unwrap().ok()?;
        Some(serde_json::from_slice(&bytes).unwrap())
    }
}

pub(crate) fn refused(reply: &Value, kind: &str) -> bool {
    reply["reply"] == "refused" && reply["kind"] == kind
}

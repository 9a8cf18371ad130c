//! A service that says what a test wants, over the real codec: for what a network would take long to do.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, AtomicU64, Ordering};

use anyhow::Result;
use ipc::{Backend, Control, LogBatch, LogLevel, Peer, Refusal, Server, SettingsReport};
use model::{Code, State, Status};
use serde_json::json;
use tokio::sync::watch;

/// What it says; everything else in its status is empty.
type Said = (State, Code);

/// A scripted service.
#[derive(Debug)]
pub struct Scripted {
    path: PathBuf,
    said: watch::Sender<Said>,
    changes: watch::Sender<u64>,
    asked: Arc<AtomicU32>,
    counted: Arc<AtomicU64>,
}

struct Source {
    said: watch::Receiver<Said>,
    asked: Arc<AtomicU32>,
    counted: Arc<AtomicU64>,
    changes: watch::Receiver<u64>,
}

impl Scripted {
    /// Listens in `directory`.
    ///
    /// # Errors
    /// When it cannot.
    pub async fn start(directory: &Path, state: State, code: Code) -> Result<Self> {
        let path = directory.join("scripted.sock");
        let server = Server::bind(&path, concat!("everclatd ", env!("CARGO_PKG_VERSION"))).await?;
        let new = Self {
            path,
            said: watch::Sender::new((state, code)),
            changes: watch::Sender::new(0),
            asked: Arc::default(),
            counted: Arc::default(),
        };
        let source = Source {
            said: new.said.subscribe(),
            changes: new.changes.subscribe(),
            asked: Arc::clone(&new.asked),
            counted: Arc::clone(&new.counted),
        };
        tokio::spawn(server.run(Arc::new(source)));
        Ok(new)
    }

    /// Where it listens.
    #[must_use]
    pub fn socket(&self) -> &Path {
        &self.path
    }

    /// Has translated so many bytes more, both ways.
    pub fn count(&self, bytes: u64) {
        self.counted.fetch_add(bytes, Ordering::Relaxed);
    }

    /// How often it was asked to do something.
    #[must_use]
    pub fn asked(&self) -> u32 {
        self.asked.load(Ordering::Relaxed)
    }

    /// Says something else from now on.
    pub fn say(&self, state: State, code: Code) {
        self.said.send_replace((state, code));
        self.changes.send_modify(|changes| *changes += 1);
    }
}

impl Backend for Source {
    async fn status(&self) -> Option<Status> {
        let (state, code) = *self.said.borrow();
        let counted = self.counted.load(Ordering::Relaxed);
        let clat = (counted > 0).then(|| {
            json!({
                "iface": "everclat0", "v4": "192.0.0.2", "v6": "2001:db8::1", "mtu": 1472,
                "packets": {"out": counted / 1000, "in": counted / 1000}, "bytes": {"out": counted, "in": counted},
                "drops": {},
            })
        });
        let document = json!({
            "schema": model::STATUS_SCHEMA,
            "product": {"version": env!("CARGO_PKG_VERSION"), "protocol": ipc::PROTOCOL},
            "service": {"pid": 1, "uptime_s": 1}, "state": state, "code": code, "title": code.title(),
            "since": "2026-01-01T00:00:00Z", "time": "2026-01-01T00:00:00Z", "owner": "self", "plane": null,
            "uplink": null, "pref64": [], "clat": clat, "rearms": {"count": 0, "last_ms": null, "last_reason": null},
            "evidence": {"kind": "traffic", "age_s": 0.1}, "ignored": {"router_options": 0}, "causes": [],
            "interfaces": [],
        });
        serde_json::from_value(document).ok()
    }

    async fn settings(&self) -> Option<SettingsReport> {
        Some(SettingsReport::default())
    }

    async fn control(&self, _: Peer, _: Control) -> Result<(), Refusal> {
        self.asked.fetch_add(1, Ordering::Relaxed);
        Ok(())
    }

    fn log(&self, _: u64, _: LogLevel, _: u64) -> LogBatch {
        LogBatch { entries: Vec::new(), lost: 0, more: false, next: 0 }
    }

    fn log_changes(&self) -> watch::Receiver<u64> {
        self.changes.clone()
    }

    fn changes(&self) -> watch::Receiver<u64> {
        self.changes.clone()
    }
}

//! What a client may write to the service's socket.

use std::cell::RefCell;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use ipc::{Backend, Client, Control, LogBatch, LogLevel, Peer, Refusal, RefusalKind, Reply, Server, SettingsReport};
use model::Status;
use tempfile::TempDir;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::UnixStream;
use tokio::runtime::{Builder, Runtime};
use tokio::sync::watch;
use tokio::time::timeout;

/// A reply that takes longer does not come.
const PATIENCE: Duration = Duration::from_secs(10);
/// After so many hostile clients an honest one has a look.
const HONEST_EVERY: u32 = 256;
/// The largest frame that the service sends (1 MiB).
const MOST: usize = 1 << 20;

/// A service that carries nothing out.
struct Idle {
    never: watch::Sender<u64>,
}

impl Backend for Idle {
    async fn status(&self) -> Option<Status> {
        None
    }

    async fn settings(&self) -> Option<SettingsReport> {
        Some(SettingsReport::default())
    }

    async fn control(&self, _: Peer, control: Control) -> Result<(), Refusal> {
        // What it was asked for goes back, as it goes into a log.
        Err(Refusal { kind: RefusalKind::Unable, message: format!("{control:?}") })
    }

    fn log(&self, from: u64, _: LogLevel, _: u64) -> LogBatch {
        LogBatch { entries: Vec::new(), lost: 0, more: false, next: from }
    }

    fn log_changes(&self) -> watch::Receiver<u64> {
        self.never.subscribe()
    }

    fn changes(&self) -> watch::Receiver<u64> {
        self.never.subscribe()
    }
}

struct Service {
    runtime: Runtime,
    path: PathBuf,
    clients: u32,
    _dir: TempDir,
}

impl Service {
    fn start() -> Self {
        let runtime = Builder::new_current_thread().enable_all().build().expect("a runtime for tests");
        let dir = tempfile::tempdir().expect("a directory for the socket");
        let path = dir.path().join("sock");
        runtime.block_on(async {
            let server = Server::bind(&path, "fuzzed").await.expect("a socket of our own");
            tokio::spawn(server.run(Arc::new(Idle { never: watch::Sender::new(0) })));
        });
        Self { runtime, path, clients: 0, _dir: dir }
    }
}

thread_local! {
    static SERVICE: RefCell<Option<Service>> = const { RefCell::new(None) };
}

/// An input is what a client writes before it says no more: with the lowest bit of the first byte clear, the rest as it
/// is; else a fitting hello and each line of the rest as a frame.
pub fn ipc_frames(input: &[u8]) {
    let Some((mode, rest)) = input.split_first() else { return };
    let written = if mode & 1 == 0 { rest.to_vec() } else { frames(rest) };
    // A client reads replies from a service of another version.
    let _reply = serde_json::from_slice::<Reply>(rest);
    SERVICE.with_borrow_mut(|service| {
        let service = service.get_or_insert_with(Service::start);
        service.clients += 1;
        let path = &service.path;
        service.runtime.block_on(async {
            timeout(PATIENCE, hostile(path, &written)).await.expect("the service says something or hangs up");
        });
        if service.clients % HONEST_EVERY == 1 {
            service.runtime.block_on(async {
                let served = async { Client::connect(path, "honest").await.expect("served").settings().await };
                timeout(PATIENCE, served).await.expect("in time").expect("an answer");
            });
        }
    });
}

fn frames(rest: &[u8]) -> Vec<u8> {
    let hello = br#"{"protocol":2,"program":"fuzz"}"#;
    let mut written = Vec::new();
    for line in std::iter::once(hello.as_slice()).chain(rest.split(|byte| *byte == b'\n')) {
        written.extend(u32::try_from(line.len()).expect("short").to_be_bytes());
        written.extend(line);
    }
    written
}

async fn hostile(path: &PathBuf, written: &[u8]) {
    let mut stream = UnixStream::connect(path).await.expect("the service listens");
    let (mut reading, mut writing) = stream.split();
    let write = async {
        // It may hang up before all is said.
        if writing.write_all(written).await.is_ok() {
            let _gone = writing.shutdown().await;
        }
    };
    let read = async {
        loop {
            let mut length = [0; 4];
            if reading.read_exact(&mut length).await.is_err() {
                return;
            }
            let length = usize::try_from(u32::from_be_bytes(length)).expect("a length");
            assert!(length <= MOST, "a frame of {length} bytes");
            let mut frame = vec![0; length];
            if reading.read_exact(&mut frame).await.is_err() {
                return;
            }
            let reply: Reply = serde_json::from_slice(&frame).expect("every frame is a reply");
            if let Reply::Refused(refusal) = reply {
                assert!(!refusal.message.is_empty());
            }
        }
    };
    tokio::join!(write, read);
}

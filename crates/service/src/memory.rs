//! What survives the process: kept in the state directory, so that the next one need not wait for what this one knows.
//!
//! Only a cache: without it, or with one that makes no sense, everything is learnt as on the first start.

mod file;
#[cfg(test)]
mod tests;

use std::io::{self, ErrorKind, Read};
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};

use engine::Engine;
use futures::FutureExt;
use model::{Generation, Memory, RememberedNetwork, Timestamp};
use platform_api::Clock;
use tokio::task::{JoinHandle, spawn_blocking};
use tracing::{debug, info, warn};

use crate::{os, private};

const FILE: &str = "memory.json";
/// What we write is a third of this at most.
const MAX_SIZE: u64 = 65_536;
/// Between two writes: what changes often is written once.
const PAUSE: Duration = Duration::from_secs(1);
/// After the disk has refused.
const AFTER_FAILURE: Duration = Duration::from_secs(60);
/// The kept generation is ahead of those in use by as many as nobody decides in a second, and is written again when they
/// come near it.
const AHEAD: u64 = 1024;
const NEAR: u64 = 256;

/// Keeps what the engine knows on the disk, beside everything else.
#[derive(Debug)]
pub(crate) struct Keeper {
    path: PathBuf,
    /// What is on the disk, or will be when the write under way has ended.
    kept: Memory,
    /// Not before then is something written again.
    next: Timestamp,
    /// There is something to do then.
    waiting: bool,
    writing: Option<JoinHandle<io::Result<()>>>,
    /// The disk has refused, and that has been said.
    refused: bool,
}

impl Keeper {
    /// Reads what a former process has kept, if it makes sense.
    pub(crate) fn open(state_dir: &Path, clock: &dyn Clock) -> Self {
        let path = state_dir.join(FILE);
        let (now, wall) = (clock.now(), clock.wall());
        let kept = match read(&path, now, wall) {
            Ok(memory) => memory.unwrap_or_default(),
            Err(reason) => {
                warn!(path = %path.display(), reason, "ignoring what a former process has kept");
                Memory::default()
            }
        };
        if !kept.networks.is_empty() {
            info!(networks = kept.networks.len(), "read what a former process has kept");
        }
        Self { path, kept, next: now, waiting: false, writing: None, refused: false }
    }

    /// What is kept.
    pub(crate) fn kept(&self) -> Memory {
        self.kept.clone()
    }

    /// When to [`look`](Self::look) again; `None`: when something else has happened.
    pub(crate) fn next(&self) -> Option<Timestamp> {
        self.waiting.then_some(self.next)
    }

    /// Has what is new written, unless something was within the last second; then when that is over. Never waits for the
    /// disk.
    pub(crate) fn look(&mut self, engine: &Engine, clock: &dyn Clock) {
        let now = clock.now();
        if let Some(ended) = self.writing.take_if(|writing| writing.is_finished()) {
            self.note(ended.now_or_never().unwrap_or(Ok(Ok(()))), now);
        }
        let memory = self.worth(engine.memory(), now);
        let news = is_news(&self.kept, &memory, now);
        if news && self.next <= now {
            self.next = now + PAUSE;
            // A slow disk is not asked for more before it has answered.
            if self.writing.is_none() {
                let text = file::encode(&memory, now, clock.wall());
                let path = self.path.clone();
                self.kept = memory;
                self.writing = Some(spawn_blocking(move || private::replace(&path, &text?)));
            }
        }
        // What is left to do, or what came of it.
        self.waiting = news;
    }

    /// Writes `memory`, the last there is, and returns when it is written.
    pub(crate) async fn close(mut self, memory: Memory, clock: &dyn Clock) {
        let now = clock.now();
        if let Some(writing) = self.writing.take() {
            self.note(writing.await, now);
        }
        let memory = self.worth(memory, now);
        if memory != self.kept {
            let written = file::encode(&memory, now, clock.wall()).map_err(io::Error::from);
            self.note(Ok(written.and_then(|text| private::replace(&self.path, &text))), now);
        }
    }

    /// What should be kept.
    fn worth(&self, memory: Memory, now: Timestamp) -> Memory {
        let used = memory.generation.0;
        let kept = self.kept.generation;
        let generation = if used.saturating_add(NEAR) > kept.0 { Generation(used.saturating_add(AHEAD)) } else { kept };
        Memory { generation, ..memory.on_top_of(&self.kept, now) }
    }

    fn note(&mut self, written: Result<io::Result<()>, tokio::task::JoinError>, now: Timestamp) {
        let Err(error) = written.unwrap_or_else(|error| Err(io::Error::other(error))) else {
            self.refused = false;
            return;
        };
        if std::mem::replace(&mut self.refused, true) {
            debug!(%error, "still cannot keep what is known");
        } else {
            warn!(path = %self.path.display(), %error, "cannot keep what is known; the next start has to learn it anew");
        }
        // Whatever is there, it is to be written again.
        self.kept.generation = Generation::default();
        self.next = now + AFTER_FAILURE;
    }
}

/// What the file says; nothing when there is none. Otherwise why it is not believed.
fn read(path: &Path, now: Timestamp, wall: SystemTime) -> Result<Option<Memory>, String> {
    let file = match os::open_ours(path) {
        Ok(file) => file,
        Err(error) if error.kind() == ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(error.to_string()),
    };
    let mut bytes = Vec::new();
    file.take(MAX_SIZE + 1).read_to_end(&mut bytes).map_err(|error| error.to_string())?;
    if u64::try_from(bytes.len()).is_ok_and(|length| length <= MAX_SIZE) {
        file::decode(&bytes, now, wall).map(Some)
    } else {
        Err(format!("it is larger than {MAX_SIZE} bytes"))
    }
}

/// Whether `new` is worth a write. Lifetimes grow with each advertisement; they are written when a quarter of what is left
/// would be lost.
fn is_news(kept: &Memory, new: &Memory, now: Timestamp) -> bool {
    let bare = |networks: &[RememberedNetwork]| {
        let mut networks = networks.to_vec();
        networks.iter_mut().flat_map(|network| &mut network.prefixes).for_each(|known| known.expires = Timestamp::ZERO);
        networks
    };
    if kept.generation != new.generation || bare(&kept.networks) != bare(&new.networks) {
        return true;
    }
    let ends = |memory: &Memory| -> Vec<Timestamp> {
        memory.networks.iter().flat_map(|network| &network.prefixes).map(|known| known.expires).collect()
    };
    let moved = |(old, new): (Timestamp, Timestamp)| new < old || new.since(old) > new.since(now) / 4;
    ends(kept).into_iter().zip(ends(new)).any(moved)
}

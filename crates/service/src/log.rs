//! The service's own log: to stderr, and the last of it in memory for `everclat log`.
//!
//! The subscriber is one for the whole process, hence the book is, too. Packet threads do not log.

mod book;
mod record;

use std::sync::{LazyLock, Mutex, OnceLock, PoisonError};
use std::time::Duration;

use ipc::LogLevel;
use tracing::info;
use tracing_subscriber::fmt::MakeWriter;
use tracing_subscriber::layer::SubscriberExt;
use tracing_subscriber::util::SubscriberInitExt;
use tracing_subscriber::{EnvFilter, Registry, reload};

pub(crate) use book::Book;
use record::Recorder;

/// hickory logs addresses of resolvers as warnings; what matters of it is in our own words.
const QUIET: &str = "hickory_net=off,hickory_resolver=off";

static BOOK: LazyLock<Book> = LazyLock::new(Book::default);
static DIAL: OnceLock<Dial> = OnceLock::new();

/// What is in memory.
pub(crate) fn book() -> &'static Book {
    &BOOK
}

/// Changes how much is logged.
struct Dial {
    handle: reload::Handle<EnvFilter, Registry>,
    /// What holds unless somebody asks for something else.
    usual: String,
    /// Counts the changes: a later one is not undone when an earlier one's time is over.
    changes: Mutex<u64>,
}

/// Begins to log to stderr: as much as `EVERCLAT_LOG` says (`debug`, or per part `everclat_engine=debug,info`), else INFO.
pub fn start() {
    start_to(std::io::stderr, std::io::IsTerminal::is_terminal(&std::io::stderr()));
}

/// The same to `writer`, with colours or without.
pub fn start_to(writer: impl for<'a> MakeWriter<'a> + Send + Sync + 'static, colours: bool) {
    let usual = std::env::var("EVERCLAT_LOG").ok().filter(|text| EnvFilter::try_new(text).is_ok());
    let usual = usual.unwrap_or_else(|| filter(LogLevel::Info));
    let (level, handle) = reload::Layer::new(EnvFilter::new(&usual));
    let lines = tracing_subscriber::fmt::layer().with_writer(writer).with_ansi(colours);
    let installed = tracing_subscriber::registry().with(level).with(lines).with(Recorder::new(book())).try_init();
    if installed.is_ok() {
        let _ = DIAL.set(Dial { handle, usual, changes: Mutex::new(0) });
    }
}

/// Logs at `level` for `time`, then as before.
///
/// # Errors
/// When this process does not log by [`start`].
pub(crate) fn set_level(level: LogLevel, time: Duration) -> Result<(), String> {
    let dial = DIAL.get().ok_or("this service logs elsewhere")?;
    let own = dial.turn(&filter(level))?;
    info!(level = level.name(), seconds = time.as_secs(), "log level changed");
    tokio::spawn(async move {
        tokio::time::sleep(time).await;
        if *dial.changes.lock().unwrap_or_else(PoisonError::into_inner) == own && dial.turn(&dial.usual).is_ok() {
            info!("log level as usual again");
        }
    });
    Ok(())
}

impl Dial {
    fn turn(&self, filter: &str) -> Result<u64, String> {
        let mut changes = self.changes.lock().unwrap_or_else(PoisonError::into_inner);
        self.handle.reload(EnvFilter::new(filter)).map_err(|error| error.to_string())?;
        *changes += 1;
        Ok(*changes)
    }
}

fn filter(level: LogLevel) -> String {
    format!("{},{QUIET}", level.name())
}

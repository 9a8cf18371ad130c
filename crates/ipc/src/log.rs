//! The service's own log, as clients see it.

use serde::{Deserialize, Serialize};

/// How much something matters; the first matters most.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum LogLevel {
    /// Broken.
    Error,
    /// Strange, but it works.
    Warn,
    /// What a user would notice.
    Info,
    /// A small decision; holds addresses.
    Debug,
    /// Every detail.
    Trace,
}

impl LogLevel {
    /// What every local user may read; what is beyond holds addresses.
    pub const PUBLIC: Self = Self::Info;

    /// The name in configuration and on the wire.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Error => "error",
            Self::Warn => "warn",
            Self::Info => "info",
            Self::Debug => "debug",
            Self::Trace => "trace",
        }
    }
}

/// One entry.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct LogEntry {
    /// When, in milliseconds since 1970 (UTC).
    pub unix_ms: u64,
    /// How much it matters.
    pub level: LogLevel,
    /// The part of the service it comes from.
    pub target: String,
    /// What happened.
    pub message: String,
    /// Values, in the order of the program. No text in an entry has control characters.
    pub fields: Vec<(String, String)>,
}

/// Some entries, and where to go on.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct LogBatch {
    /// Oldest first.
    pub entries: Vec<LogEntry>,
    /// How many came and went between the last batch and this one.
    pub lost: u64,
    /// Whether there is more at once.
    pub more: bool,
    /// Where the next batch begins.
    #[serde(skip)]
    pub next: u64,
}

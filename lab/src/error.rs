//! What can go wrong, as far as a caller may want to branch on it.

use crate::tools::Tool;

/// Result of every fallible call of the lab.
pub type Result<T, E = Error> = std::result::Result<T, E>;

/// Why the lab could not do it.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// This is not Linux.
    #[error("the lab needs Linux network namespaces")]
    Unsupported,
    /// Namespaces, routes and TUN devices need root.
    #[error("the lab needs root (try again with sudo)")]
    NotRoot,
    /// Programs that the configured lab runs are not installed.
    #[error("{}", Tool::advice(.0))]
    MissingTools(Vec<Tool>),
    /// A living lab of this name is there and `replace` was not asked for.
    #[error("lab `{0}` is already up; take it down first (everclat lab down) or choose another name")]
    AlreadyUp(String),
    /// No lab of this name is running.
    #[error("lab `{0}` is not up")]
    NotUp(String),
    /// The lab has no uplink of this name.
    #[error("lab `{lab}` has no uplink `{uplink}`; it has {known}")]
    UnknownUplink {
        /// Name of the lab.
        lab: String,
        /// What was asked for.
        uplink: String,
        /// What there is, for the message.
        known: String,
    },
    /// The configuration contradicts itself.
    #[error("lab configuration: {0}")]
    Config(String),
    /// Something did not get ready in time; the detail names it and its log.
    #[error("not ready after {after_s} s: {what}")]
    Timeout {
        /// What was waited for.
        what: String,
        /// For how long, in seconds.
        after_s: u64,
    },
    /// A command or a system call failed.
    #[error(transparent)]
    Other(#[from] anyhow::Error),
}

impl From<std::io::Error> for Error {
    fn from(error: std::io::Error) -> Self {
        Self::Other(error.into())
    }
}

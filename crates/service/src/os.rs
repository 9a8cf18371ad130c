//! The one place of the service that knows which operating system this is.

#[cfg(target_os = "linux")]
mod linux;
#[cfg(all(test, target_os = "linux"))]
pub(crate) use linux::is_private;
#[cfg(target_os = "linux")]
pub(crate) use linux::{DEFAULT_CONFIG, DEFAULT_POLICY_DIR, DEFAULT_STATE_DIR, create_private};
#[cfg(target_os = "linux")]
pub use linux::{Signals, run};
#[cfg(target_os = "linux")]
pub(crate) use platform_linux::{DirectoryWatch, watch_directories};

#[cfg(not(target_os = "linux"))]
mod other;
#[cfg(not(target_os = "linux"))]
pub(crate) use other::{DEFAULT_CONFIG, DEFAULT_POLICY_DIR, DEFAULT_STATE_DIR, create_private};
#[cfg(not(target_os = "linux"))]
pub(crate) use other::{DirectoryWatch, watch_directories};
#[cfg(not(target_os = "linux"))]
pub use other::{Signals, run};

#[cfg(unix)]
mod unix;
#[cfg(not(unix))]
pub(crate) use other::{Fingerprint, fingerprint, open_ours, sync_directory, trusted};
#[cfg(unix)]
pub(crate) use unix::{Fingerprint, fingerprint, open_ours, sync_directory, trusted};

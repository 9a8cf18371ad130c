//! The one place of the service that knows which operating system this is.

#[cfg(target_os = "linux")]
mod linux;
#[cfg(target_os = "linux")]
pub(crate) use linux::*;

#[cfg(not(target_os = "linux"))]
compile_error!("the service runs on Linux so far; see docs/platforms.md");

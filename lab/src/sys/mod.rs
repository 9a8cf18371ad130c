//! Everything that only Linux has. The rest of the crate is plain Rust and compiles everywhere.

#[cfg(target_os = "linux")]
#[path = "linux.rs"]
mod imp;
#[cfg(not(target_os = "linux"))]
#[path = "elsewhere.rs"]
mod imp;

pub(crate) use imp::*;

/// How a process is asked to end.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum End {
    /// SIGTERM.
    Politely,
    /// SIGKILL.
    AtOnce,
    /// SIGALRM: dhcpcd then gives its lease back.
    Releasing,
    /// SIGKILL for it and its process group, which it must lead.
    WithItsGroup,
}

//! Everclat on macOS, as far as it looks: what the network is and that it changed.
//!
//! - `codec`: the kernel's bytes to our types; compiles and is tested on every host.
//! - `sys`: the system calls; the only `unsafe`.
//! - `host`, `listen`: the trait `Observe` of `platform-api`, made of the two.
//!
//! Nothing here changes the Mac. All calls work without root; a sandboxed process sees no link-layer addresses.

pub mod codec;

#[cfg(target_os = "macos")]
mod host;
#[cfg(target_os = "macos")]
mod listen;
#[cfg(target_os = "macos")]
mod sys;

#[cfg(target_os = "macos")]
pub use host::MacosHost;

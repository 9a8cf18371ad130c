//! Everclat on Windows, as far as it looks: what the network is and that it changed.
//!
//! - `codec`: the rows of IP Helper's tables to our types; compiles and is tested on every host.
//! - `sys`: the system calls; the only `unsafe`.
//! - `host`: the trait `Observe` of `platform-api`, made of the two.
//!
//! Nothing here changes the computer, and nothing here needs to be elevated.

pub mod codec;

#[cfg(windows)]
mod host;
#[cfg(windows)]
mod sys;

#[cfg(windows)]
pub use host::WindowsHost;

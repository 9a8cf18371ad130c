//! Everclat on Linux.
//!
//! - `codec`: the kernel's bytes and messages to our types; compiles and is tested on every host.
//! - `plan`: an intent to ordered steps; compiles and is tested on every host.
//! - `sys`: the system calls; the only `unsafe`.
//! - `host`, `io`: the traits of `platform-api`, made of the three.
//!
//! What ends up on the host: the tunnel `everclat0` with one address and one default route, all of which end with the
//! tunnel's descriptor; a packet socket and a multicast membership on the uplink, which end with theirs; and, only
//! on hosts that forward IPv6, a blackhole route for X, which the next start removes if this process could not.

pub mod codec;
pub mod plan;

#[cfg(target_os = "linux")]
mod clock;
#[cfg(target_os = "linux")]
mod directories;
#[cfg(target_os = "linux")]
mod host;
#[cfg(target_os = "linux")]
mod io;
#[cfg(target_os = "linux")]
mod listen;
#[cfg(target_os = "linux")]
mod news;
#[cfg(target_os = "linux")]
mod routers;
#[cfg(target_os = "linux")]
mod sleep;
#[cfg(target_os = "linux")]
mod sys;

#[cfg(target_os = "linux")]
pub use clock::LinuxClock;
#[cfg(target_os = "linux")]
pub use directories::{DirectoryWatch, watch_directories};
#[cfg(target_os = "linux")]
pub use host::LinuxHost;
#[cfg(target_os = "linux")]
pub use io::{EventWaker, LinuxFast, LinuxIo, LinuxSockets, LinuxTun, PacketPort};

/// Name of the tunnel interface (product.md).
pub const TUN_NAME: &str = "everclat0";

/// The routing protocol number by which our routes are known (`ip route show proto 236`). Not assigned to anyone in
/// `rt_protos`; 236 is 0xEC.
pub const ROUTE_PROTOCOL: u8 = 0xEC;

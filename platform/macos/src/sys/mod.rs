//! System calls that socket2 and tokio do not offer as safe ones. The only `unsafe` of this crate.

mod ioctl;
mod sysctl;
mod watch;

pub(crate) use ioctl::{address_flags, link_mtu, media_active, set_event_filter};
pub(crate) use sysctl::{Table, forwards_ipv6, table};
pub(crate) use watch::watch;

//! An IPv6-only network with NAT64 in Linux network namespaces: for people who want to see what Everclat does
//! there, for `cargo xtask demo`, and for the end-to-end tests.
//!
//! ```text
//!                         r1: RA + PREF64, DNS64, NAT64
//!            eth0 ─────── 2001:db8:1::/64 ──┐
//!   host                                    ├── inet: 2001:db8:100::10 (IPv6)
//!            wlan0 ────── 2001:db8:2::/64 ──┘         198.51.100.10, 203.0.113.10 (IPv4 only)
//!                         r2: RA + PREF64, DNS64, NAT64
//! ```
//!
//! Each box is a namespace (`evlab-host` and so on; the part after `ev` is the lab's name). The servers speak HTTP
//! (80), echo over TCP and UDP (7) and iperf3 (5201). `host` is left as a desktop kernel configures itself.
//!
//! IPv4 without translation can be switched on per uplink: by hand ([`Lab::native4`]), or as a network does it, by a DHCPv4
//! server on the router ([`Lab::start_dhcp4_server`]) and a client in the host ([`Lab::start_dhcp4_client`]).
//!
//! ```no_run
//! use lab::{Lab, LabConfig, RaPatch};
//! # use everclat_lab as lab;
//! let mut lab = Lab::up(LabConfig::named("demo"))?;
//! lab.host().run(&["ping", "-6", "-c1", "2001:db8:100::10"])?;
//! lab.cut("eth0")?;
//! lab.set_ra("wlan0", RaPatch::withdrawn())?;
//! lab.down()?;
//! # Ok::<(), lab::Error>(())
//! ```

pub mod cli;
mod config;
mod control;
mod error;
mod lab;
mod netns;
pub mod node;
mod plan;
pub mod probe;
mod process;
pub mod ra;
mod reservation;
pub mod residue;
mod resolver;
mod services;
mod setup;
mod state;
mod sys;
mod tools;

pub use config::{Dns64, DnsServer, LabConfig, MAX_UPLINKS, Nat64, UplinkConfig};
pub use error::{Error, Result};
pub use lab::Lab;
pub use netns::Netns;
pub use ra::{AnnouncedPref64, RaConfig, RaDelay, RaPatch, RaPrefix, RouterStatus};
pub use services::dhcp4::{ClientEnd, Dhcp4Client, Dhcp4Server};
pub use setup::Fault;
pub use tools::Tool;
pub use xlat::Pref64;

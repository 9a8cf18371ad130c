//! One function for each fuzz target, which takes the bytes that the fuzzer made up.

mod config;
mod dns;
mod frames;
mod packets;
mod router;

pub use config::config;
pub use dns::dns_answers;
pub use frames::ipc_frames;
pub use packets::{seed_of, super_packets, v4_to_v6, v6_to_v4};
pub use router::ra_options;

/// A target's name, as its directory of inputs has it, and its body.
pub type Target = (&'static str, fn(&[u8]));

/// Every target.
pub const TARGETS: [Target; 7] = [
    ("v4_to_v6", v4_to_v6),
    ("v6_to_v4", v6_to_v4),
    ("super_packets", super_packets),
    ("ra_options", ra_options),
    ("dns_answers", dns_answers),
    ("ipc_frames", ipc_frames),
    ("config", config),
];

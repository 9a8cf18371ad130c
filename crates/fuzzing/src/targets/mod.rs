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

/// Whether packets to addresses under the prefix can come to a translator (RFC 4291 section 2.4, RFC 6052 section 2.1, RFC
/// 8215).
fn can_be_a_nat64s(prefix: &model::Pref64) -> bool {
    match prefix.prefix().segments() {
        [0x64, 0xff9b, 1, ..] => prefix.prefix_len() >= 48,
        [0x64, 0xff9b, 0, 0, 0, 0, ..] => prefix.prefix_len() == 96,
        [0xfe80..=0xfebf, ..] => false,
        [first, ..] => (0x100..0xff00).contains(&first),
    }
}

//! The translator against RFC 7915, RFC 6052 and RFC 4884, clause by clause.
//!
//! Expected packets are written out or built by `support`, which knows nothing of the crate and sums checksums the
//! slow way.

#![expect(clippy::unwrap_used, reason = "a test helper that fails should say where")]

mod buffer;
mod drops;
mod fragments;
mod identification;
mod jool;
mod martians;
mod neutral;
mod node_id;
mod offload;
mod properties;
mod reassembly;
mod reply;
mod rfc6052;
mod s4_1_header;
mod s4_2_icmp;
mod s4_5_transport;
mod s5_1_header;
mod s5_2_icmp;
mod support;
mod verbatim;

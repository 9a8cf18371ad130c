#![doc = include_str!("../README.md")]
//!
//! # How a packet passes
//! Each direction (`outbound`, `inbound`) takes the same six steps: check the header; check the addresses; check what
//! may be answered with an ICMP error (options, hop limit, size) while the packet is still as it came; translate the
//! transport; replace the IP header; say whether the result must be cut. TCP and UDP without options or fragments
//! pass in a straight line; everything else is in functions of its own.

#![no_std]
#![forbid(unsafe_code)]

extern crate alloc;
#[cfg(test)]
extern crate std;

mod address;
mod buffer;
mod checksum;
mod config;
mod extension;
mod fragments;
mod icmp;
mod inbound;
mod offload;
mod outbound;
mod reassembly;
mod reply;
mod rfc6052;
mod straight;
mod translator;
mod transport;
mod verdict;
mod vnet;
mod wire;

pub use address::is_translatable;
pub use buffer::{HEADROOM, MAX_PACKET, PacketBuf};
pub use checksum::{icmpv6_checksum, is_neutral, neutral_address, transport_checksum};
pub use config::{Config, UdpZeroChecksum};
pub use fragments::Fragments;
pub use inbound::DUMMY_SOURCE;
pub use reassembly::Reassembler;
pub use rfc6052::{Pref64, Pref64Error};
pub use translator::Translator;
pub use verdict::{DropReason, Verdict};
pub use vnet::VnetHeader;

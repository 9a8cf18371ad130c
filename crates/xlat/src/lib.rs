//! The stateless IP/ICMP translator of Everclat: RFC 7915 on addresses mapped by RFC 6052.
//!
//! A packet comes in inside a [`PacketBuf`], a [`Verdict`] comes out, and the translated packet lies in the same
//! buffer: the headers grow or shrink at the front and the payload stays where it was received. The crate does no
//! I/O, allocates nothing after [`PacketBuf::new`], reads no clock and panics on no input.
//!
//! ```
//! use everclat_xlat::{Config, PacketBuf, Pref64, Translator, Verdict};
//! # fn send(_: &[u8]) {}
//! let config = Config::new(Pref64::WELL_KNOWN, [192, 0, 0, 2].into(), "2001:db8::2".parse().unwrap(), 1500);
//! let mut translator = Translator::new(config);
//! let mut buf = PacketBuf::new();
//! // ... receive into `buf.recv_area(prefix)`, then `buf.received(prefix, total)` ...
//! match translator.v4_to_v6(&mut buf) {
//!     Verdict::Forward => send(buf.packet()),
//!     Verdict::Fragments(mut pieces) => {
//!         while pieces.next(&mut buf) {
//!             send(buf.packet());
//!         }
//!     }
//!     Verdict::Reply(_reason) => { /* back to where the packet came from */ }
//!     Verdict::Drop(_reason) => { /* count it */ }
//! }
//! ```
//!
//! # How a packet passes
//! Each direction (`outbound`, `inbound`) takes the same six steps: check the header; check the addresses; check what
//! may be answered with an ICMP error (options, hop limit, size) while the packet is still as it came; translate the
//! transport; replace the IP header; say whether the result must be cut. TCP and UDP without options or fragments
//! pass in a straight line; everything else is in functions of its own.

#![forbid(unsafe_code)]

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

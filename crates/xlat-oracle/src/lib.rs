//! A second IP/ICMP translator, slow and obvious, to judge `everclat-xlat` by.
//!
//! It was written from the text of RFC 7915, RFC 6052 and RFC 4884 and from the departures in
//! `docs/rfc-compliance.md`, and shares no code with the first one. It copies every packet into plain structures and
//! builds the result anew; every checksum is computed over all bytes. Where a packet has several faults, the order in
//! which they are looked at is the one that `everclat-xlat` documents: header, addresses, what may be answered (options,
//! hop limit, size), transport.
//!
//! For tests only. It may be slow, and it trusts its [`Setup`].

#![forbid(unsafe_code)]

mod address;
pub mod generator;
mod numbers;
pub mod segment;
mod translate;

pub use address::{Prefix, V4, V6};
pub use translate::{Answer, Offload, Oracle};

/// What both translators are told.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Setup {
    /// The NAT64 prefix.
    pub prefix: Prefix,
    /// The host's IPv4 address.
    pub v4: V4,
    /// The IPv6 address X.
    pub v6: V6,
    /// Source of ICMPv4 errors made here.
    pub gateway: V4,
    /// MTU of the uplink in bytes, as it was told; below 1280 it counts as 1280.
    pub mtu6: u16,
    /// MTU of the IPv4 side in bytes, as it was told; below 68 it counts as 68.
    pub mtu4: u16,
    /// `lowest-ipv6-mtu` of RFC 7915 section 4.1.
    pub lowest_ipv6_mtu: u16,
    /// Copy TOS and traffic class.
    pub copy_traffic_class: bool,
    /// Drop UDP without a checksum instead of computing it.
    pub drop_udp_without_checksum: bool,
}

impl Setup {
    /// RFC 8200 section 5.
    fn mtu6(&self) -> usize {
        usize::from(self.mtu6).max(1280)
    }

    /// RFC 791 section 3.2.
    fn mtu4(&self) -> usize {
        usize::from(self.mtu4).max(68)
    }

    /// The size above which what may be cut is cut: told upward, never above what the uplink carries.
    fn threshold(&self) -> usize {
        usize::from(self.lowest_ipv6_mtu).min(self.mtu6()).max(1280)
    }

    fn class(&self, received: u8) -> u8 {
        if self.copy_traffic_class { received } else { 0 }
    }
}

//! What a translator is told.

use core::net::{Ipv4Addr, Ipv6Addr};

use crate::Pref64;

/// Everything a [`Translator`](crate::Translator) needs to know; replaced whole when the network changes.
///
/// ```
/// use everclat_xlat::{Config, Pref64};
/// let mut config = Config::new(Pref64::WELL_KNOWN, [192, 0, 0, 2].into(), "2001:db8::2".parse().unwrap(), 1500);
/// // The whole network up to the NAT64 is known to carry 1500 bytes.
/// config.lowest_ipv6_mtu = 1500;
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Config {
    /// The NAT64 prefix peers are under.
    pub pref64: Pref64,
    /// The host's IPv4 address, the only source accepted from it.
    pub v4: Ipv4Addr,
    /// The IPv6 address X that stands for it on the uplink.
    pub v6: Ipv6Addr,
    /// Source of the ICMPv4 errors made here.
    pub gateway_v4: Ipv4Addr,
    /// IPv6 MTU of the uplink, in bytes.
    pub mtu6: u16,
    /// MTU of the IPv4 side, in bytes: bounds MTUs that are reported (RFC 7915 sections 4.2 and 5.2), and packets
    /// towards the host.
    pub mtu4: u16,
    /// Size above which a packet that may be fragmented is, in bytes (RFC 7915 section 4.1). RFC 8200 guarantees
    /// 1280 on every path; raise it only where the path is known.
    pub lowest_ipv6_mtu: u16,
    /// Copy TOS and traffic class (RFC 7915 sections 4.1 and 5.1), or write zero.
    pub copy_traffic_class: bool,
    /// What to do with a UDP datagram from the host that has no checksum.
    pub udp_zero_checksum: UdpZeroChecksum,
}

/// RFC 7915 section 4.5: IPv6 has no UDP without a checksum.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum UdpZeroChecksum {
    /// Compute it.
    Compute,
    /// Drop the datagram.
    Drop,
}

impl Config {
    /// The least MTU of an IPv6 link (RFC 8200 section 5).
    pub(crate) const MIN_MTU6: u16 = 1280;

    /// The defaults: gateway 192.0.0.1, IPv4 MTU 20 below the uplink's, fragments of 1280 bytes, traffic class
    /// copied, missing UDP checksums computed.
    #[must_use]
    pub fn new(pref64: Pref64, v4: Ipv4Addr, v6: Ipv6Addr, mtu6: u16) -> Self {
        Self {
            pref64,
            v4,
            v6,
            gateway_v4: Ipv4Addr::new(192, 0, 0, 1),
            mtu6,
            mtu4: mtu6.saturating_sub(20),
            lowest_ipv6_mtu: Self::MIN_MTU6.min(mtu6),
            copy_traffic_class: true,
            udp_zero_checksum: UdpZeroChecksum::Compute,
        }
    }
}

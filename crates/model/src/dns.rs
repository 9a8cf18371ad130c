use std::net::Ipv6Addr;
use std::time::Duration;

/// What the resolvers of an uplink say about the AAAA records of `ipv4only.arpa` (RFC 7050 section 3).
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum DnsAnswer {
    /// There are some.
    Addresses {
        /// Every one of them, in the order received.
        addresses: Vec<Ipv6Addr>,
        /// The smallest TTL of the answer's records.
        ttl: Duration,
    },
    /// There are none: no DNS64 here (NXDOMAIN or NODATA).
    Negative {
        /// How long that is to be believed (RFC 2308 section 5).
        ttl: Duration,
    },
    /// No usable answer.
    Failed {
        /// Why, for logs.
        reason: String,
    },
}

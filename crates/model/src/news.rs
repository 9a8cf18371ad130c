use std::net::Ipv6Addr;
use std::time::Duration;

/// What the system, or somebody on the link, says about an uplink beside router advertisements.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum LinkNews {
    /// Resolvers that the system was given by this link's own network, by DHCPv6 for one. The whole list, in order;
    /// empty: none. Never those of a VPN or set by hand (RFC 8880 section 7.1).
    Resolvers(Vec<Ipv6Addr>),
    /// A DHCPv4 server on the link offered option 108, IPv6-only preferred, for so long (V6ONLY_WAIT, RFC 8925
    /// section 3.2).
    Ipv6OnlyPreferred(Duration),
    /// The system's own connectivity check has (`true`) or no longer has (`false`) found a captive portal.
    Portal(bool),
}

/// What the network's captive portal API says (RFC 8908 section 5).
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum PortalAnswer {
    /// Traffic is held back until somebody has signed in.
    Captive {
        /// The page to sign in at, when the API names one.
        page: Option<String>,
    },
    /// Traffic passes.
    Open,
    /// The API gave no valid answer.
    Failed {
        /// Why, in words, without addresses.
        reason: String,
    },
}

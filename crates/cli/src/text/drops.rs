//! Dropped packets in words.

use model::{ClatStatus, DropReason, SEND_ERROR};

/// From so many packets on it is worth a line to those who did not ask: fewer are a program's look round.
const OFTEN: u64 = 10;

/// What is said of [`SEND_ERROR`].
pub(super) const NOT_TAKEN: &str =
    "not taken by the network card or the system, or held back while the address is in doubt";

/// A line each.
pub(super) fn each(clat: &ClatStatus) -> impl Iterator<Item = String> {
    clat.drops.iter().map(|(name, count)| {
        let packets = if *count == 1 { "packet" } else { "packets" };
        match DropReason::ALL.iter().find(|reason| reason.name() == name) {
            Some(reason) => format!("{count} {packets}: {} ({name})", why(*reason)),
            None if name == SEND_ERROR => format!("{count} {packets}: {NOT_TAKEN} ({name})"),
            // Words that only a newer service has stay as they are.
            None => format!("{count} {packets}: {name}"),
        }
    })
}

/// What explains failures of apps here, and is not told by the state.
pub(super) fn note(clat: &ClatStatus) -> Option<String> {
    let count = clat.drops.get(DropReason::PrivateDestination.name()).filter(|count| **count >= OFTEN)?;
    Some(format!(
        "{count} packets to private IPv4 addresses (such as 10.0.0.1) were refused: this network's gateway is for public \
         addresses only. Use IPv6 or a VPN for internal servers"
    ))
}

/// For a helpdesk; begins where a sentence would go on after "dropped because".
pub(super) fn why(reason: DropReason) -> &'static str {
    match reason {
        DropReason::Truncated => "cut short on the way",
        DropReason::NotIpv4 => "from an app, but not IPv4",
        DropReason::NotIpv6 => "from the network, but not IPv6",
        DropReason::BadHeaderLength => "broken: IPv4 header of an impossible length",
        DropReason::BadIpv4Checksum => "broken: wrong IPv4 checksum",
        DropReason::BadTotalLength => "broken: shorter than its own header",
        DropReason::ForeignSource => "sent from another IPv4 address than the tunnel's",
        DropReason::IllegalSource => "from an address that nobody may send from",
        DropReason::PrivateSource => "from a private IPv4 address behind a gateway for public ones",
        DropReason::IllegalDestination => "to an address that stays on this device or link, such as multicast",
        DropReason::PrivateDestination => "to a private IPv4 address, which this network's gateway does not carry",
        DropReason::NotForUs => "for another address than the translator's",
        DropReason::NotFromPref64 => "to the translator's address, but not from the IPv4 gateway",
        DropReason::TtlExpired => "too many hops on the way (traceroute makes them on purpose)",
        DropReason::TooBig => "bigger than the network carries; the sender was told the size that fits",
        DropReason::TooLong => "longer than IP allows after translation",
        DropReason::SourceRoute => "with a source route, which IPv6 does not have",
        DropReason::RoutingHeader => "with a routing header that is not used up",
        DropReason::ExtensionHeader => "with broken or too many IPv6 extension headers",
        DropReason::FragmentedExtension => "a fragment with further extension headers",
        DropReason::BadFragment => "a fragment that ends beyond the longest packet",
        DropReason::FragmentWithoutChecksum => "a first fragment too short to be translated",
        DropReason::FragmentedIcmp => "ICMP in fragments that did not all come, or did not fit together",
        DropReason::BadTransport => "with a broken TCP, UDP or ICMP header",
        DropReason::UdpZeroChecksum => "UDP without a checksum",
        DropReason::UdpZeroChecksumFragment => "a first fragment of UDP without a checksum",
        DropReason::Igmp => "about IPv4 multicast groups (IGMP), which end at this device",
        DropReason::WrongIcmpFamily => "ICMP of the other IP version",
        DropReason::IcmpType => "an ICMP message that the other IP version does not have",
        DropReason::IcmpCode => "an ICMP error that the other IP version does not have",
        DropReason::IcmpPointer => "an ICMP error about a field that the other IP version does not have",
        DropReason::BadIcmpChecksum => "an ICMP error with a wrong checksum",
        DropReason::BadInnerPacket => "an ICMP error that quotes no packet",
        DropReason::ForeignInnerPacket => "an ICMP error about a packet that was never sent here",
        DropReason::NestedIcmpError => "an ICMP error about an ICMP error",
        DropReason::BadOffload => "with offload instructions that contradict the packet",
    }
}

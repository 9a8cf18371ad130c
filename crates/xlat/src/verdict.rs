//! What becomes of a packet.

use crate::Fragments;

/// What to do with the buffer after translation.
///
/// ```
/// use everclat_xlat::{DropReason, PacketBuf, Translator, Verdict};
///
/// fn pass(translator: &mut Translator, buf: &mut PacketBuf, drops: &mut [u64; DropReason::COUNT]) {
///     match translator.v4_to_v6(buf) {
///         Verdict::Forward => send(buf.packet()),
///         Verdict::Fragments(mut pieces) => {
///             while pieces.next(buf) {
///                 send(buf.packet());
///             }
///         }
///         Verdict::Reply(reason) => {
///             drops[reason.index()] += 1;
///             send_back(buf.packet());
///         }
///         Verdict::Drop(reason) => drops[reason.index()] += 1,
///     }
/// }
/// # fn send(_: &[u8]) {}
/// # fn send_back(_: &[u8]) {}
/// ```
#[must_use]
#[derive(Debug)]
pub enum Verdict {
    /// The buffer holds the translated packet: send it on.
    Forward,
    /// The result must be cut: `while pieces.next(&mut buf) { send(&buf) }`.
    Fragments(Fragments),
    /// The packet is refused, and the buffer holds an ICMP error of the *same* family as the input, complete, to be
    /// sent back where the packet came from. Count the reason.
    Reply(DropReason),
    /// The packet is refused in silence; the buffer's contents mean nothing any more, except that of
    /// [`FragmentedIcmp`](DropReason::FragmentedIcmp): that is as it came, for a [`Reassembler`](crate::Reassembler).
    /// Count the reason.
    Drop(DropReason),
}

macro_rules! drop_reasons {
    ($($(#[$doc:meta])+ $variant:ident => $name:literal,)+) => {
        /// Why a packet was not translated. Every value has a counter, a stable name and a test.
        ///
        /// ```
        /// use everclat_xlat::DropReason;
        /// assert_eq!(DropReason::ALL[DropReason::TooBig.index()], DropReason::TooBig);
        /// assert_eq!(DropReason::TooBig.name(), "too-big");
        /// ```
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
        pub enum DropReason { $($(#[$doc])+ $variant,)+ }

        impl DropReason {
            /// Every reason, in the order of [`index`](Self::index).
            pub const ALL: &'static [Self] = &[$(Self::$variant,)+];
            /// How many there are: the length of a table of counters.
            pub const COUNT: usize = Self::ALL.len();

            /// Position in [`ALL`](Self::ALL), below [`COUNT`](Self::COUNT).
            #[must_use]
            pub fn index(self) -> usize {
                Self::ALL.iter().position(|reason| *reason == self).unwrap_or_default()
            }

            /// The name in status output: kebab-case, stable once shipped.
            #[must_use]
            pub fn name(self) -> &'static str {
                match self { $(Self::$variant => $name,)+ }
            }
        }
    };
}

drop_reasons! {
    /// The packet ends before its headers or its stated length do.
    Truncated => "truncated",
    /// From the host, but not IPv4.
    NotIpv4 => "not-ipv4",
    /// From the uplink, but not IPv6.
    NotIpv6 => "not-ipv6",
    /// IPv4 header length below 20 or beyond the packet.
    BadHeaderLength => "bad-header-length",
    /// IPv4 header checksum wrong.
    BadIpv4Checksum => "bad-ipv4-checksum",
    /// IPv4 total length below the header length.
    BadTotalLength => "bad-total-length",
    /// From the host with an address that is not the one it was given.
    ForeignSource => "foreign-source",
    /// A source nobody may send from (RFC 7915 section 4.1): unspecified, loopback, multicast and the like, or ourselves.
    IllegalSource => "illegal-source",
    /// An embedded source that is private under the well-known prefix (RFC 6052 section 3.1).
    PrivateSource => "private-source",
    /// A destination that must not appear on the wire: unspecified, loopback, link-local, multicast, 192.0.0.0/29,
    /// or that means ourselves.
    IllegalDestination => "illegal-destination",
    /// A private destination under the well-known prefix (RFC 6052 section 3.1). Answered with ICMPv4 3/13, so that
    /// programs fail at once.
    PrivateDestination => "private-destination",
    /// From the uplink, to an address that is not ours.
    NotForUs => "not-for-us",
    /// From the uplink, but neither from an IPv4 address under PREF64 nor an ICMPv6 error from outside of it.
    NotFromPref64 => "not-from-pref64",
    /// TTL or hop limit used up here. Answered with Time Exceeded.
    TtlExpired => "ttl-expired",
    /// Too big for the next link and not to be fragmented. Answered with the MTU that fits.
    TooBig => "too-big",
    /// The result would exceed 65535 bytes.
    TooLong => "too-long",
    /// A source route with hops left (RFC 7915 section 4.1). Answered with ICMPv4 3/5.
    SourceRoute => "source-route",
    /// An IPv6 Routing header with segments left (RFC 7915 section 5.1). Answered with ICMPv6 4/0.
    RoutingHeader => "routing-header",
    /// IPv6 extension headers malformed, or more than anyone sends.
    ExtensionHeader => "extension-header",
    /// A fragment whose header is followed by a further extension header (RFC 7915 section 5.1.1).
    FragmentedExtension => "fragmented-extension",
    /// A fragment that reaches beyond 65535 bytes.
    BadFragment => "bad-fragment",
    /// A first fragment too short to hold the checksum that must be changed.
    FragmentWithoutChecksum => "fragment-without-checksum",
    /// Fragmented ICMP: its checksum covers what is not here (RFC 7915 section 1.2).
    FragmentedIcmp => "fragmented-icmp",
    /// A transport header that is cut short or contradicts itself.
    BadTransport => "bad-transport",
    /// UDP without a checksum, where the configuration says drop.
    UdpZeroChecksum => "udp-zero-checksum",
    /// The first fragment of UDP without a checksum (RFC 7915 section 4.5).
    UdpZeroChecksumFragment => "udp-zero-checksum-fragment",
    /// IGMP, either way (RFC 7915 section 4.2).
    Igmp => "igmp",
    /// ICMPv6 inside IPv4 or ICMPv4 inside IPv6; the other side would take it for a message of its own.
    WrongIcmpFamily => "wrong-icmp-family",
    /// An ICMP type without a counterpart (RFC 7915 sections 4.2 and 5.2).
    IcmpType => "icmp-type",
    /// An ICMP code without a counterpart.
    IcmpCode => "icmp-code",
    /// A Parameter Problem that points at a field without a counterpart.
    IcmpPointer => "icmp-pointer",
    /// An ICMP error with a wrong checksum.
    BadIcmpChecksum => "bad-icmp-checksum",
    /// An ICMP error whose quotation is no packet of the right family, or too short for its IP header.
    BadInnerPacket => "bad-inner-packet",
    /// An ICMP error about a packet that did not pass here.
    ForeignInnerPacket => "foreign-inner-packet",
    /// An ICMP error that quotes an ICMP error (RFC 7915 sections 4.3 and 5.3).
    NestedIcmpError => "nested-icmp-error",
    /// An offload header that contradicts the packet, or asks for what cannot be translated.
    BadOffload => "bad-offload",
}

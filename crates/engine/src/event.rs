use std::net::{Ipv4Addr, Ipv6Addr};
use std::time::Duration;

use crate::flow::Ending;
use crate::{OptionError, Rearmed};
use model::{
    Applied, DnsAnswer, Generation, HostIntent, LinkNews, NetworkSnapshot, PlaneConfig, PlaneEvent, PortalAnswer,
    Pref64, Pref64Error, ProbeTarget, Settings, SpareConfig, TrafficSample,
};

/// What the machine hears.
#[derive(Clone, Debug)]
pub enum Event {
    /// The network as it is now.
    Snapshot(NetworkSnapshot),
    /// One option of a router advertisement, as it came from the wire (type, length, body).
    RouterOption {
        /// Interface it was heard on.
        link: u32,
        /// The router that sent it, if the host says so.
        router: Option<Ipv6Addr>,
        /// The option's bytes.
        bytes: Vec<u8>,
    },
    /// What else became known about an uplink.
    News {
        /// The uplink.
        link: u32,
        /// What.
        news: LinkNews,
    },
    /// The answer to an [`Action::AskDns`].
    DnsAnswer {
        /// The uplink whose resolvers were asked.
        link: u32,
        /// The number of the question.
        question: u64,
        /// What they said.
        answer: DnsAnswer,
    },
    /// The answer to an [`Action::AskPortal`].
    PortalAnswer {
        /// The uplink on which it was asked.
        link: u32,
        /// The number of the question.
        question: u64,
        /// What it said.
        answer: PortalAnswer,
    },
    /// The answer to an [`Action::FindCheckPoints`].
    CheckPoints {
        /// The uplink on which it was asked.
        link: u32,
        /// The prefix it was about.
        pref64: Pref64,
        /// Servers of the network that stand for the rest of IPv4; empty: none.
        servers: Vec<Ipv4Addr>,
    },
    /// The answer to an [`Action::Sample`].
    Sample(TrafficSample),
    /// The plane, or the spare uplink beside it, reports.
    Plane {
        /// The generation the report belongs to.
        generation: Generation,
        /// The report.
        event: PlaneEvent,
    },
    /// The host's state after an [`Action::Apply`].
    Applied(Applied),
    /// What of the last intent is still in place, as a snapshot saw it.
    InPlace(Applied),
    /// Other settings.
    Settings(Box<Settings>),
    /// A person wants IPv4 left alone.
    Pause {
        /// How long; `None`: until resumed.
        length: Option<Duration>,
        /// Why, in the person's words; may be empty. Control characters, and what is longer than a line, are left out.
        reason: String,
    },
    /// A person wants IPv4 again.
    Resume,
    /// A person wants everything taken down, looked at and put up again.
    Rearm,
    /// Time has passed without us: the host slept, or was stopped as a whole. [`Timestamp`](model::Timestamp)s have gone on.
    Woke,
    /// Put everything back; nothing will be armed again.
    Shutdown,
}

/// What the machine wants done.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Action {
    /// Take a fresh snapshot with [`Engine::lookup_targets`](crate::Engine::lookup_targets).
    Refresh,
    /// Send a router solicitation (RFC 4861 section 6.3.7).
    SolicitRouters {
        /// On this interface.
        link: u32,
    },
    /// Ask resolvers for the AAAA records of `ipv4only.arpa` (RFC 7050 section 3), through this uplink and no other way
    /// (RFC 8880 section 7.1).
    AskDns {
        /// The uplink.
        link: u32,
        /// Its resolvers, in order.
        servers: Vec<Ipv6Addr>,
        /// The number of the question.
        question: u64,
    },
    /// Have the kernel resolve a neighbour.
    ResolveNeighbour {
        /// On this interface.
        link: u32,
        /// This address.
        address: Ipv6Addr,
    },
    /// Ask the network's captive portal API (RFC 8908), through this uplink.
    AskPortal {
        /// The uplink.
        link: u32,
        /// Its resolvers, in order.
        servers: Vec<Ipv6Addr>,
        /// The number of the question.
        question: u64,
        /// Where; from a router advertisement.
        uri: String,
    },
    /// Ask the resolvers of an uplink for the servers by which its NAT64 can be checked (RFC 7050 section 3.2).
    FindCheckPoints {
        /// The uplink.
        link: u32,
        /// Its resolvers, in order.
        servers: Vec<Ipv6Addr>,
        /// The prefix.
        pref64: Pref64,
    },
    /// Read what went through the plane since the last time.
    Sample {
        /// Have the plane say when packets flow again.
        last: bool,
    },
    /// Solicit the gateway from X, on the uplink of this generation.
    AskGateway {
        /// Of the plane or of the spare.
        generation: Generation,
    },
    /// Ask servers from X, through the uplink of this generation.
    Probe {
        /// Of the plane or of the spare.
        generation: Generation,
        /// Whom.
        targets: Vec<ProbeTarget<Ipv4Addr>>,
    },
    /// Ask servers by echo requests of given sizes from X, through the uplink of this generation.
    Measure {
        /// Of the plane.
        generation: Generation,
        /// Whom, and as an IPv6 packet of how many bytes; 0: as small as it gets.
        questions: Vec<(Ipv4Addr, u16)>,
    },
    /// Keep a second uplink ready beside the running plane, or none.
    SetSpare(Option<SpareConfig>),
    /// Keep a second X on the running plane's uplink, or none.
    SetTwin(Option<SpareConfig>),
    /// Start the plane, or change it to this configuration without closing the tunnel.
    SetPlane(PlaneConfig),
    /// Tell apps that flows of theirs are over.
    EndFlows(Ending),
    /// End the plane and close the tunnel.
    StopPlane,
    /// Bring the host into this state and report what is in place.
    Apply(HostIntent),
    /// Note in the log that an option of a router advertisement had to be ignored.
    Ignored {
        /// Interface it was heard on.
        link: u32,
        /// Why.
        error: OptionError,
    },
    /// Note in the log that resolvers named a prefix that can be no NAT64's.
    Refused {
        /// Interface whose resolvers they are.
        link: u32,
        /// Why.
        error: Pref64Error,
    },
    /// Note in the log that IPv4 is armed again.
    Rearmed(Rearmed),
    /// The status document changed in more than counters and ages.
    StatusChanged,
}

use serde::{Deserialize, Serialize};

/// Why IPv4 had to be armed again. The words stay; new ones may come.
pub const REARM_REASONS: [&str; 18] = [
    "address-changed",
    "address-conflict",
    "asked-for",
    "captive-portal",
    "gateway-changed",
    "host-configuration",
    "native-ipv4",
    "path-dead",
    "paused",
    "plane-failed",
    "prefix-changed",
    "prefix-expired",
    "prefix-withdrawn",
    "settings-changed",
    "undone",
    "uplink-changed",
    "uplink-lost",
    "vpn",
];

/// What was done to arm IPv4 again.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RearmStep {
    /// The tunnel was opened again.
    OpenedTunnel,
    /// The second uplink, kept ready, was taken.
    TookReserve,
    /// Another uplink was opened; it had not been ready.
    OpenedUplink,
    /// Address and default route were put in place again.
    PutRouteBack,
    /// The kernel, which forwards, was kept again from answering for X.
    SilencedKernel,
    /// Another NAT64 prefix is used.
    TookPrefix,
    /// Another router on the same uplink is used, or the same one with another link-layer address.
    TookRouter,
    /// The uplink or the prefix is another one, and X is the same.
    KeptX,
    /// X is another one.
    MovedX,
    /// The host's own IPv4 address is another one.
    MovedV4,
}

impl RearmStep {
    /// All of them.
    pub const ALL: [Self; 10] = [
        Self::OpenedTunnel,
        Self::TookReserve,
        Self::OpenedUplink,
        Self::PutRouteBack,
        Self::SilencedKernel,
        Self::TookPrefix,
        Self::TookRouter,
        Self::KeptX,
        Self::MovedX,
        Self::MovedV4,
    ];

    /// The word in the status document; it stays.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::OpenedTunnel => "opened-tunnel",
            Self::TookReserve => "took-reserve",
            Self::OpenedUplink => "opened-uplink",
            Self::PutRouteBack => "put-route-back",
            Self::SilencedKernel => "silenced-kernel",
            Self::TookPrefix => "took-prefix",
            Self::TookRouter => "took-router",
            Self::KeptX => "kept-x",
            Self::MovedX => "moved-x",
            Self::MovedV4 => "moved-v4",
        }
    }
}

/// Why an uplink was left for another one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Departure {
    /// It has no link any more.
    LinkLost,
    /// Its IPv6 default route has gone.
    RouteLost,
    /// Its NAT64 prefix has gone.
    PrefixLost,
    /// Its router does not answer.
    GatewaySilent,
    /// Its router answers; from behind it nothing comes back.
    PathDead,
    /// Somebody has to sign in there first.
    CaptivePortal,
    /// The host or the network refuses us there.
    Refused,
    /// Nothing is wrong with it; the other one is better.
    BetterUplink,
}

impl Departure {
    /// All of them.
    pub const ALL: [Self; 8] = [
        Self::LinkLost,
        Self::RouteLost,
        Self::PrefixLost,
        Self::GatewaySilent,
        Self::PathDead,
        Self::CaptivePortal,
        Self::Refused,
        Self::BetterUplink,
    ];

    /// The word in the status document; it stays.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::LinkLost => "link-lost",
            Self::RouteLost => "route-lost",
            Self::PrefixLost => "prefix-lost",
            Self::GatewaySilent => "gateway-silent",
            Self::PathDead => "path-dead",
            Self::CaptivePortal => "captive-portal",
            Self::Refused => "refused",
            Self::BetterUplink => "better-uplink",
        }
    }
}

/// One re-arming, in the status document. Words are text, so that those of a newer service can be read.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "ts", derive(ts_rs::TS))]
#[serde(default)]
pub struct Rearm {
    /// Which one it was, counted from 1 when the service started.
    pub number: u64,
    /// When IPv4 was armed again (RFC 3339, UTC).
    pub time: String,
    /// Why: one of [`REARM_REASONS`].
    pub reason: String,
    /// From the loss, as the service noticed it, until IPv4 was armed again; in milliseconds, without `standby_ms`.
    pub gap_ms: u64,
    /// How long nobody missed us before that, because others provided IPv4 or a person had paused us, in milliseconds; null
    /// when that was not so.
    pub standby_ms: Option<u64>,
    /// The uplink before.
    pub from: Option<String>,
    /// The uplink after.
    pub to: Option<String>,
    /// Why the uplink was left although there was another one at once: a word of [`Departure`]; else null.
    pub left: Option<String>,
    /// What was done, in order: words of [`RearmStep`].
    pub done: Vec<String>,
    /// From then until IPv4 was first seen to work, in milliseconds: a reply to an app or a probe. Null: not seen before the
    /// next loss, or not yet.
    pub first_reply_ms: Option<u64>,
    /// Flows that could not go on and were ended in the eyes of their apps, so that these begin anew.
    pub flows_ended: u64,
}

//! The fast path: flows that the kernel translates by itself. docs/decisions/0011-fast-path.md.

use std::net::Ipv4Addr;

use serde::{Deserialize, Serialize};

/// Whether flows may go by the kernel's fast path.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum FastPath {
    /// Where the system has one that passes its test.
    Auto,
    /// Never.
    Off,
}

/// What tells one flow of an app from another; of echo requests, a run of them by one program.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct FlowKey {
    /// To whom.
    pub peer: Ipv4Addr,
    /// The app's port; of echo requests, their identifier.
    pub port: u16,
    /// The peer's port; of echo requests, their identifier, too.
    pub peer_port: u16,
    /// TCP (6), UDP (17) or ICMP (1).
    pub protocol: u8,
}

/// Why the fast path is off.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FastReason {
    /// It is being prepared.
    Starting,
    /// The setting `FastPath` says so.
    Setting,
    /// There is none for this system, or its kernel is too old.
    Unsupported,
    /// The system does not let us.
    Permission,
    /// The system refused it for another reason.
    Refused,
    /// It did not do in a test what it should.
    SelfTest,
    /// Checksums would have to change: X is not neutral for this prefix.
    NotNeutral,
    /// The uplink delivers frames above 64 KiB.
    BigTcp,
}

impl FastReason {
    /// All of them.
    pub const ALL: [Self; 8] = [
        Self::Starting,
        Self::Setting,
        Self::Unsupported,
        Self::Permission,
        Self::Refused,
        Self::SelfTest,
        Self::NotNeutral,
        Self::BigTcp,
    ];

    /// The name as it stands in the status document. Never changes.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Starting => "starting",
            Self::Setting => "setting",
            Self::Unsupported => "unsupported",
            Self::Permission => "permission",
            Self::Refused => "refused",
            Self::SelfTest => "self-test",
            Self::NotNeutral => "not-neutral",
            Self::BigTcp => "big-tcp",
        }
    }
}

/// On or off.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "ts", derive(ts_rs::TS))]
#[serde(rename_all = "lowercase")]
pub enum FastState {
    /// Flows that are known go by it.
    On,
    /// All packets go through the service.
    Off,
}

/// The fast path in the status document.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "ts", derive(ts_rs::TS))]
pub struct FastStatus {
    /// Whether it is on.
    pub state: FastState,
    /// Why it is off, by [name](FastReason::name); null while it is on.
    pub reason: Option<String>,
    /// The same in words; may be empty.
    pub detail: String,
    /// Packets that went by it, counted in `packets` of the translator, too.
    pub packets: crate::Bytes,
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn each_reason_has_a_name_of_its_own() {
        let names: BTreeSet<&str> = FastReason::ALL.iter().map(|reason| reason.name()).collect();
        assert_eq!(names.len(), FastReason::ALL.len());
        assert!(names.iter().all(|name| name.bytes().all(|byte| byte.is_ascii_lowercase() || byte == b'-')));
    }
}

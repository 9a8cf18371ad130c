//! What the machine remembers of X, of the plane and of what went wrong.

use std::net::Ipv6Addr;
use std::time::Duration;

use model::{PlaneConfig, SpareConfig, Timestamp};

use crate::backoff::Backoff;

/// RFC 7217 section 6: so many duplicates in a row are no bad luck any more.
pub(crate) const MAX_DUPLICATES: u8 = 3;

/// Three objections in a row are a network that refuses us, or somebody who forges them; neither lasts for ever.
const AFTER_CONFLICT: Duration = Duration::from_secs(60);

/// X on one /64 and how it was found.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Claim {
    /// Which of the prefix's addresses.
    pub(super) attempt: u8,
    /// What X was in a former process, where nobody objected: the first choice of this one.
    pub(super) remembered: Option<Ipv6Addr>,
    /// Duplicates since the last address that was free.
    pub(crate) duplicates: u8,
    /// After too many of them: when to try the next address all the same.
    pub(super) again: Option<Timestamp>,
    /// `None`: to be chosen, because nothing is armed or the last one was taken.
    pub(super) address: Option<Ipv6Addr>,
    /// Nobody objected to it.
    pub(super) owned: bool,
    /// How often it came into doubt.
    pub(super) round: u32,
}

impl Claim {
    /// So many of the prefix's addresses were taken that the next one is not worth a try.
    pub(crate) fn is_exhausted(&self) -> bool {
        self.duplicates >= MAX_DUPLICATES
    }

    /// Somebody else has the address.
    pub(super) fn taken(&mut self, now: Timestamp) {
        self.attempt = self.attempt.wrapping_add(1);
        self.duplicates = self.duplicates.saturating_add(1);
        (self.address, self.remembered) = (None, None);
        self.owned = false;
        self.again = self.is_exhausted().then(|| now + AFTER_CONFLICT);
    }
}

/// The plane as it was asked for and as it reported.
#[derive(Clone, Debug)]
pub(crate) struct PlaneState {
    pub(crate) config: PlaneConfig,
    /// The tunnel; it outlives changes of the configuration.
    pub(crate) tun: Option<String>,
    /// This very configuration is at work.
    pub(super) started: bool,
    pub(super) claimed: bool,
    pub(crate) replied: bool,
}

/// The second uplink as it was asked for and as it reported.
#[derive(Clone, Debug)]
pub(crate) struct SpareState {
    pub(crate) config: SpareConfig,
    pub(crate) started: bool,
    pub(crate) claimed: bool,
}

/// A person has paused us.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Pause {
    /// `None`: until resumed.
    pub(crate) until: Option<Timestamp>,
    pub(crate) reason: String,
}

/// The plane or the host's configuration failed.
#[derive(Clone, Debug)]
pub(crate) struct Failure {
    pub(super) backoff: Backoff,
    pub(crate) error: String,
}

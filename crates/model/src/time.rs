use std::time::Duration;

/// A moment, as the time since the service started on a clock that counts sleep.
///
/// Core crates get it passed in and never read a clock, so that tests run in virtual time.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Timestamp(Duration);

impl Timestamp {
    /// The moment the service started.
    pub const ZERO: Self = Self(Duration::ZERO);

    /// The moment `since_start` after the start of the service.
    #[must_use]
    pub const fn from_duration(since_start: Duration) -> Self {
        Self(since_start)
    }

    /// Milliseconds since the start of the service; convenient in tests.
    #[must_use]
    pub const fn from_millis(ms: u64) -> Self {
        Self(Duration::from_millis(ms))
    }

    /// Time since the start of the service.
    #[must_use]
    pub const fn since_start(self) -> Duration {
        self.0
    }

    /// Time from `earlier` to `self`, zero if `earlier` is later.
    #[must_use]
    pub fn since(self, earlier: Self) -> Duration {
        self.0.saturating_sub(earlier.0)
    }
}

impl std::ops::Add<Duration> for Timestamp {
    type Output = Self;

    fn add(self, rhs: Duration) -> Self {
        Self(self.0.saturating_add(rhs))
    }
}

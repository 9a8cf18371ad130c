use std::time::Duration;

use model::Timestamp;

/// After a failure of the plane or of the host's configuration: doubled each time up to the maximum.
const FIRST: Duration = Duration::from_millis(500);
const MAX: Duration = Duration::from_secs(30);

/// When to try again.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Backoff {
    at: Timestamp,
    pause: Duration,
}

impl Backoff {
    /// After a failure at `now` that came after `previous`.
    pub(crate) fn after(previous: Option<Self>, now: Timestamp) -> Self {
        let pause = previous.map_or(FIRST, |previous| (previous.pause * 2).min(MAX));
        Self { at: now + pause, pause }
    }

    /// After so many failures that came one after the other.
    pub(crate) fn after_failures(failures: u32, now: Timestamp) -> Self {
        let pause = FIRST.saturating_mul(2u32.saturating_pow(failures.min(10))).min(MAX);
        Self { at: now + pause, pause }
    }

    pub(crate) fn is_due(self, now: Timestamp) -> bool {
        self.at <= now
    }

    /// When it is due.
    pub(crate) fn at(self) -> Timestamp {
        self.at
    }

    /// When it will be due; `None` when it is.
    pub(crate) fn due_at(self, now: Timestamp) -> Option<Timestamp> {
        (!self.is_due(now)).then_some(self.at)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn doubles_up_to_the_maximum() {
        let mut backoff = None;
        let pauses: Vec<u128> = (0..9)
            .map(|_| {
                let next = Backoff::after(backoff, Timestamp::ZERO);
                backoff = Some(next);
                next.pause.as_millis()
            })
            .collect();
        assert_eq!(pauses, [500, 1000, 2000, 4000, 8000, 16_000, 30_000, 30_000, 30_000]);
    }
}

use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use model::{CounterSnapshot, DropReason, Timestamp};

/// Counters of the plane. They live as long as the service, so that a re-arming does not reset them.
#[derive(Debug)]
pub(crate) struct Counters {
    pub(crate) packets_out: AtomicU64,
    pub(crate) bytes_out: AtomicU64,
    pub(crate) packets_in: AtomicU64,
    pub(crate) bytes_in: AtomicU64,
    pub(crate) send_errors: AtomicU64,
    /// Those of `packets_out` and of `packets_in` that went by a line that is only kept for them.
    pub(crate) kept_out: AtomicU64,
    pub(crate) kept_in: AtomicU64,
    drops: [AtomicU64; DropReason::COUNT],
    /// Microseconds since the service started, plus one; zero: never.
    last_reply: AtomicU64,
}

impl Default for Counters {
    fn default() -> Self {
        Self {
            packets_out: AtomicU64::default(),
            bytes_out: AtomicU64::default(),
            packets_in: AtomicU64::default(),
            bytes_in: AtomicU64::default(),
            send_errors: AtomicU64::default(),
            kept_out: AtomicU64::default(),
            kept_in: AtomicU64::default(),
            drops: [const { AtomicU64::new(0) }; DropReason::COUNT],
            last_reply: AtomicU64::default(),
        }
    }
}

/// Adds without ordering: each value stands for itself.
pub(crate) fn add(counter: &AtomicU64, amount: usize) {
    counter.fetch_add(u64::try_from(amount).unwrap_or(u64::MAX), Ordering::Relaxed);
}

impl Counters {
    pub(crate) fn drop(&self, reason: DropReason) {
        if let Some(counter) = self.drops.get(reason.index()) {
            add(counter, 1);
        }
    }

    pub(crate) fn reply_at(&self, now: Timestamp) {
        let micros = u64::try_from(now.since_start().as_micros()).unwrap_or(u64::MAX - 1);
        self.last_reply.store(micros + 1, Ordering::Relaxed);
    }

    /// Packets out and in by the way in use: they are evidence.
    pub(crate) fn by_the_way_in_use(&self) -> (u64, u64) {
        let read = |counter: &AtomicU64| counter.load(Ordering::Relaxed);
        // The part before the whole: what comes between is counted as too much, never as less than nothing.
        let (kept_out, kept_in) = (read(&self.kept_out), read(&self.kept_in));
        (read(&self.packets_out).saturating_sub(kept_out), read(&self.packets_in).saturating_sub(kept_in))
    }

    pub(crate) fn snapshot(&self) -> CounterSnapshot {
        let read = |counter: &AtomicU64| counter.load(Ordering::Relaxed);
        let drops = DropReason::ALL
            .iter()
            .filter_map(|reason| self.drops.get(reason.index()).map(|counter| (*reason, read(counter))))
            .filter(|(_, count)| *count > 0)
            .collect();
        CounterSnapshot {
            packets_out: read(&self.packets_out),
            packets_in: read(&self.packets_in),
            bytes_out: read(&self.bytes_out),
            bytes_in: read(&self.bytes_in),
            drops,
            send_errors: read(&self.send_errors),
            last_reply: read(&self.last_reply)
                .checked_sub(1)
                .map(|micros| Timestamp::from_duration(Duration::from_micros(micros))),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_happened_is_listed() {
        let counters = Counters::default();
        assert_eq!(counters.snapshot(), CounterSnapshot::default());
        counters.drop(DropReason::Truncated);
        counters.drop(DropReason::Truncated);
        counters.reply_at(Timestamp::ZERO);
        let snapshot = counters.snapshot();
        assert_eq!(snapshot.drops, [(DropReason::Truncated, 2)]);
        assert_eq!(snapshot.last_reply, Some(Timestamp::ZERO));
    }
}

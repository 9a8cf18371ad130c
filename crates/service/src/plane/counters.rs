use std::sync::atomic::{AtomicU64, Ordering, fence};
use std::time::Duration;

use model::{CounterSnapshot, DropReason, Timestamp};

/// Counters of the plane. They live as long as the service, so that a re-arming does not reset them. Each direction has cache
/// lines of its own: its thread writes there for every packet, and would wait for what another one has written beside it.
#[derive(Debug, Default)]
pub(crate) struct Counters {
    pub(crate) outgoing: Outgoing,
    pub(crate) incoming: Incoming,
    seldom: Seldom,
}

/// From apps. Aligned to two lines, because some processors fetch lines in pairs and others have them twice as long.
#[derive(Debug, Default)]
#[repr(align(128))]
pub(crate) struct Outgoing {
    pub(crate) packets: AtomicU64,
    pub(crate) bytes: AtomicU64,
    /// Those of `packets` that went by a line that is only kept for them.
    pub(crate) kept: AtomicU64,
}

/// To apps.
#[derive(Debug, Default)]
#[repr(align(128))]
pub(crate) struct Incoming {
    pub(crate) packets: AtomicU64,
    pub(crate) bytes: AtomicU64,
    /// Those of `packets` that prove nothing about the way in use: they came by a line that is only kept for them, or are
    /// complaints of routers in front of the NAT64.
    pub(crate) idle: AtomicU64,
    /// Microseconds since the service started, plus one; zero: never.
    last_reply: AtomicU64,
}

/// What goes wrong in either direction.
#[derive(Debug)]
#[repr(align(128))]
struct Seldom {
    send_errors: AtomicU64,
    drops: [AtomicU64; DropReason::COUNT],
}

impl Default for Seldom {
    fn default() -> Self {
        Self { send_errors: AtomicU64::default(), drops: [const { AtomicU64::new(0) }; DropReason::COUNT] }
    }
}

/// Adds without ordering: each value stands for itself.
pub(crate) fn add(counter: &AtomicU64, amount: usize) {
    counter.fetch_add(u64::try_from(amount).unwrap_or(u64::MAX), Ordering::Relaxed);
}

impl Counters {
    pub(crate) fn drop(&self, reason: DropReason) {
        if let Some(counter) = self.seldom.drops.get(reason.index()) {
            add(counter, 1);
        }
    }

    /// A packet was not taken from us.
    pub(crate) fn send_error(&self) {
        add(&self.seldom.send_errors, 1);
    }

    pub(crate) fn reply_at(&self, now: Timestamp) {
        let micros = u64::try_from(now.since_start().as_micros()).unwrap_or(u64::MAX - 1);
        self.incoming.last_reply.store(micros + 1, Ordering::Relaxed);
    }

    /// The packet that is counted next proves nothing about the way in use.
    pub(crate) fn idle_before_it_counts(&self) {
        add(&self.incoming.idle, 1);
        fence(Ordering::Release);
    }

    /// How much was done so far, by whichever thread of user space: a packet counts one, and one more for every 8 KiB of it.
    pub(crate) fn work(&self) -> u64 {
        let read = |counter: &AtomicU64| counter.load(Ordering::Relaxed);
        let packets = read(&self.outgoing.packets).wrapping_add(read(&self.incoming.packets));
        let bytes = read(&self.outgoing.bytes).wrapping_add(read(&self.incoming.bytes));
        packets.wrapping_add(bytes >> 13)
    }

    /// Packets out and in by the way in use: they are evidence.
    pub(crate) fn by_the_way_in_use(&self) -> (u64, u64) {
        let read = |counter: &AtomicU64| counter.load(Ordering::Relaxed);
        // The part before the whole: what comes between is counted as too much, never as less than nothing.
        let kept_out = read(&self.outgoing.kept);
        let out = read(&self.outgoing.packets).saturating_sub(kept_out);
        // The other way round, as it was counted: nothing is taken for a proof that is none.
        let all_in = read(&self.incoming.packets);
        fence(Ordering::Acquire);
        (out, all_in.saturating_sub(read(&self.incoming.idle)))
    }

    pub(crate) fn snapshot(&self) -> CounterSnapshot {
        let read = |counter: &AtomicU64| counter.load(Ordering::Relaxed);
        let drops = DropReason::ALL
            .iter()
            .filter_map(|reason| self.seldom.drops.get(reason.index()).map(|counter| (*reason, read(counter))))
            .filter(|(_, count)| *count > 0)
            .collect();
        CounterSnapshot {
            packets_out: read(&self.outgoing.packets),
            packets_in: read(&self.incoming.packets),
            bytes_out: read(&self.outgoing.bytes),
            bytes_in: read(&self.incoming.bytes),
            drops,
            send_errors: read(&self.seldom.send_errors),
            last_reply: read(&self.incoming.last_reply)
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

    /// Each thread writes for every packet; what the other direction writes must not take its cache line away.
    #[test]
    fn directions_share_no_cache_line() {
        let counters = Counters::default();
        let line = |counter: &AtomicU64| std::ptr::from_ref(counter).addr() / 128;
        let out = [&counters.outgoing.packets, &counters.outgoing.bytes, &counters.outgoing.kept].map(line);
        let back = [
            &counters.incoming.packets,
            &counters.incoming.bytes,
            &counters.incoming.idle,
            &counters.incoming.last_reply,
        ]
        .map(line);
        let seldom =
            [&counters.seldom.send_errors, &counters.seldom.drops[0], &counters.seldom.drops[DropReason::COUNT - 1]]
                .map(line);
        assert!(out.iter().all(|one| !back.contains(one) && !seldom.contains(one)), "{out:?} {back:?} {seldom:?}");
        assert!(back.iter().all(|one| !seldom.contains(one)), "{back:?} {seldom:?}");
    }
}

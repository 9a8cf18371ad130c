//! Who takes what comes in on the line in use: its own thread while there is much to do, so that the two directions do not
//! wait for each other; the tunnel's thread while there is little. Then an app's packet and the answer to it wake the
//! same thread, and no second one on another processor (docs/decisions/0012-user-space-plane.md).
//!
//! The line's own thread lends; whoever sees a reason has it take back. It stays in charge of time and orders meanwhile.

use std::sync::atomic::Ordering;
use std::time::Duration;

use model::Timestamp;
use platform_api::{PlaneIo, Waker};

use super::Shared;
use super::line::{Line, Role};

/// So much in [`BURST`] is much, as [`Counters::work`](super::Counters::work) counts. What goes back and forth one by one
/// stays below.
const MUCH: u64 = 128;
const BURST: Duration = Duration::from_millis(1);

/// Less than so much in each millisecond is little again.
const LITTLE: u64 = 100;
/// How long it has to be. Twice as long whenever it was not, so that what lasts is not disturbed.
const CALM: Duration = Duration::from_millis(10);
const LONGEST: Duration = Duration::from_millis(320);

/// What was done by some moment.
#[derive(Clone, Copy, Debug, Default)]
struct Mark {
    at: Timestamp,
    work: u64,
}

impl Mark {
    fn now<I: PlaneIo>(shared: &Shared<I>) -> Self {
        Self { at: shared.clock.now(), work: shared.counters.work() }
    }

    fn since(self, before: Self) -> (Duration, u64) {
        (self.at.since(before.at), self.work.saturating_sub(before.work))
    }
}

/// For the line's thread.
#[derive(Debug)]
pub(super) struct Lending {
    mark: Mark,
    calm: Duration,
    /// The line's own thread takes what comes in, and may lend that.
    watches: bool,
}

impl Default for Lending {
    fn default() -> Self {
        Self { mark: Mark::default(), calm: CALM, watches: false }
    }
}

impl Lending {
    /// Whether the tunnel's thread takes what comes in from now on.
    pub(super) fn decide<I: PlaneIo>(&mut self, shared: &Shared<I>, line: &Line<I>, role: &Role) -> bool {
        // Only the line in use is of use to it.
        let may = role.active && !shared.dead.load(Ordering::SeqCst);
        let (was, watched) = (line.is_lent(), self.watches);
        self.watches = may && !was;
        if !may {
            line.take_back();
            return false;
        }
        if was {
            return true;
        }
        let now = Mark::now(shared);
        if !watched {
            self.mark = now;
        }
        let lends = self.is_calm(now);
        if lends {
            self.watches = false;
            line.lend();
            shared.wake_up.wake();
            if shared.dead.load(Ordering::SeqCst) {
                line.take_back();
            }
        }
        lends
    }

    fn is_calm(&mut self, now: Mark) -> bool {
        let (time, done) = now.since(self.mark);
        if time < self.calm {
            return false;
        }
        let limit = u64::try_from(self.calm.as_millis()).unwrap_or(u64::MAX).saturating_mul(LITTLE);
        let calm = done < limit;
        self.mark = now;
        self.calm = if calm { CALM } else { (self.calm * 2).min(LONGEST) };
        calm
    }

    /// When to look again.
    pub(super) fn sooner(&self, timeout: Option<Duration>) -> Option<Duration> {
        let look = self.watches.then_some(self.calm);
        look.into_iter().chain(timeout).min()
    }
}

/// For the tunnel's thread.
#[derive(Debug, Default)]
pub(super) struct Borrowed {
    mark: Mark,
}

impl Borrowed {
    /// Whether there is more to do than one thread should.
    pub(super) fn is_much<I: PlaneIo>(&mut self, shared: &Shared<I>) -> bool {
        let now = Mark::now(shared);
        let (time, done) = now.since(self.mark);
        let over = time >= BURST;
        let much = !over && done >= MUCH;
        if over || much {
            self.mark = now;
        }
        much
    }
}

//! Notices that time has passed without us: the host slept, or a virtual machine was stopped as a whole.
//!
//! No bus, no polling: a timer on the time of day that is never due is cancelled whenever that time jumps against the
//! monotonic one, which resuming does (`timerfd_create(2)`, `TFD_TIMER_CANCEL_ON_SET`). Which of the reasons it was,
//! the clocks tell.

use std::io;
use std::os::fd::OwnedFd;
use std::time::Duration;

use platform_api::HostEvent;
use rustix::io::Errno;
use rustix::time::{
    ClockId, Itimerspec, TimerfdClockId, TimerfdFlags, TimerfdTimerFlags, Timespec, clock_gettime, timerfd_create,
    timerfd_settime,
};
use tokio::io::unix::AsyncFd;
use tokio::sync::mpsc;
use tracing::{info, warn};

use crate::sys;

/// Less sleep than this nobody need make up for.
const LEAST_SLEEP: Duration = Duration::from_secs(1);
/// A time of day that is set forward by less than this is a correction. A machine that was stopped from outside has clocks
/// that did not count that; somebody sets this one right afterwards.
const LEAST_JUMP: Duration = Duration::from_secs(10);

/// Starts to listen; must be called inside the runtime. It ends when nobody receives any more.
pub(crate) fn listen(sender: mpsc::Sender<HostEvent>) -> io::Result<()> {
    let before = Clocks::now();
    let timer = sys::watch(timer()?)?;
    arm(timer.get_ref())?;
    tokio::spawn(run(timer, before, sender));
    Ok(())
}

fn timer() -> io::Result<OwnedFd> {
    Ok(timerfd_create(TimerfdClockId::Realtime, TimerfdFlags::NONBLOCK | TimerfdFlags::CLOEXEC)?)
}

/// It has to be armed again after each jump.
fn arm(timer: &OwnedFd) -> io::Result<()> {
    let never = Itimerspec {
        it_interval: Timespec { tv_sec: 0, tv_nsec: 0 },
        it_value: Timespec { tv_sec: i64::MAX, tv_nsec: 0 },
    };
    timerfd_settime(timer, TimerfdTimerFlags::ABSTIME | TimerfdTimerFlags::CANCEL_ON_SET, &never)?;
    Ok(())
}

async fn run(timer: AsyncFd<OwnedFd>, mut before: Clocks, sender: mpsc::Sender<HostEvent>) {
    loop {
        let heard = tokio::select! {
            ready = timer.readable() => ready.and_then(|mut ready| {
                ready.clear_ready();
                take(timer.get_ref())
            }),
            () = sender.closed() => return,
        };
        if let Err(error) = heard {
            warn!(%error, "no longer told of sleep; late timers will tell");
            return;
        }
        let after = Clocks::now();
        let away = before.away(&after);
        before = after;
        let Some(away) = away else { continue };
        info!(seconds = away.as_secs(), "awake after a time without us");
        if sender.send(HostEvent::Woke).await.is_err() {
            return;
        }
    }
}

/// Takes the word that the time of day has jumped, and listens on.
fn take(timer: &OwnedFd) -> io::Result<()> {
    match rustix::io::read(timer, &mut [0; 8]) {
        // Cancelled; or nothing after all; or due, which is never.
        Err(Errno::CANCELED | Errno::AGAIN) | Ok(_) => arm(timer),
        Err(error) => Err(error.into()),
    }
}

/// The same moment by several clocks, in nanoseconds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Clocks {
    /// Counts sleep.
    boot: i128,
    /// Does not.
    monotonic: i128,
    /// The time of day.
    wall: i128,
}

impl Clocks {
    fn now() -> Self {
        let nanoseconds = |clock: ClockId| {
            let Timespec { tv_sec, tv_nsec } = clock_gettime(clock);
            i128::from(tv_sec) * 1_000_000_000 + i128::from(tv_nsec)
        };
        Self {
            boot: nanoseconds(ClockId::Boottime),
            monotonic: nanoseconds(ClockId::Monotonic),
            wall: nanoseconds(ClockId::Realtime),
        }
    }

    /// How long we were away between the two, if we were.
    fn away(&self, after: &Self) -> Option<Duration> {
        let slept = (after.boot - after.monotonic) - (self.boot - self.monotonic);
        let jumped = (after.wall - after.boot) - (self.wall - self.boot);
        let length = |nanoseconds: i128| Duration::from_nanos(u64::try_from(nanoseconds.max(0)).unwrap_or(u64::MAX));
        let slept = Some(length(slept)).filter(|slept| *slept >= LEAST_SLEEP);
        slept.or(Some(length(jumped)).filter(|jumped| *jumped >= LEAST_JUMP))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECOND: i128 = 1_000_000_000;

    fn away(boot: i128, monotonic: i128, wall: i128) -> Option<Duration> {
        let before = Clocks { boot: 100 * SECOND, monotonic: 90 * SECOND, wall: 1_700_000_000 * SECOND };
        let after =
            Clocks { boot: before.boot + boot, monotonic: before.monotonic + monotonic, wall: before.wall + wall };
        before.away(&after)
    }

    #[test]
    fn sleep_is_what_only_one_clock_has_counted() {
        assert_eq!(away(8 * 3600 * SECOND, SECOND, 8 * 3600 * SECOND), Some(Duration::from_secs(8 * 3600 - 1)));
        assert_eq!(away(SECOND, SECOND / 2, SECOND), None, "half a second");
    }

    #[test]
    fn a_machine_that_was_stopped_is_set_right_afterwards() {
        assert_eq!(away(SECOND, SECOND, 3601 * SECOND), Some(Duration::from_secs(3600)));
    }

    #[test]
    fn a_clock_that_is_corrected_is_no_sleep() {
        assert_eq!(away(SECOND, SECOND, SECOND), None);
        assert_eq!(away(SECOND, SECOND, 6 * SECOND), None);
        assert_eq!(away(SECOND, SECOND, -3600 * SECOND), None, "set back");
    }

    #[tokio::test]
    async fn the_system_lets_us_listen_and_nothing_is_heard_while_we_are_awake() {
        let (sender, mut receiver) = mpsc::channel(4);
        listen(sender).unwrap();
        let heard = tokio::time::timeout(Duration::from_millis(50), receiver.recv()).await;
        assert!(heard.is_err(), "{heard:?}");
    }
}

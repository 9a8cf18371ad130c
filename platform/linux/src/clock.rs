use std::time::{Duration, SystemTime};

use model::Timestamp;
use platform_api::Clock;
use rustix::time::{ClockId, Timespec, clock_gettime};

/// Time since it was made on `CLOCK_BOOTTIME`, which counts sleep.
#[derive(Debug)]
pub struct LinuxClock {
    start: Duration,
}

impl LinuxClock {
    /// A clock that starts now.
    #[must_use]
    pub fn start() -> Self {
        Self { start: boot_time() }
    }
}

impl Clock for LinuxClock {
    fn now(&self) -> Timestamp {
        Timestamp::from_duration(boot_time().saturating_sub(self.start))
    }

    fn wall(&self) -> SystemTime {
        SystemTime::now()
    }
}

fn boot_time() -> Duration {
    let Timespec { tv_sec, tv_nsec } = clock_gettime(ClockId::Boottime);
    Duration::new(u64::try_from(tv_sec).unwrap_or_default(), u32::try_from(tv_nsec).unwrap_or_default())
}

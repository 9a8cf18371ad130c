use std::io;
use std::os::fd::{AsFd, OwnedFd};
use std::time::Duration;

use platform_api::{Ready, Waker};
use rustix::event::{EventfdFlags, PollFd, PollFlags, Timespec, eventfd, poll};

/// An eventfd: waking is remembered until the next wait.
#[derive(Debug)]
pub struct EventWaker(OwnedFd);

impl EventWaker {
    pub(super) fn new() -> io::Result<Self> {
        Ok(Self(eventfd(0, EventfdFlags::CLOEXEC | EventfdFlags::NONBLOCK)?))
    }

    /// Waits until `fd` has something to read, this waker is woken, or the time is over.
    pub(super) fn wait(&self, fd: impl AsFd, timeout: Option<Duration>) -> io::Result<Ready> {
        let timeout = timeout.map(|timeout| Timespec {
            tv_sec: i64::try_from(timeout.as_secs()).unwrap_or(i64::MAX),
            tv_nsec: i64::from(timeout.subsec_nanos()),
        });
        let mut fds = [PollFd::new(&fd, PollFlags::IN), PollFd::new(&self.0, PollFlags::IN)];
        match poll(&mut fds, timeout.as_ref()) {
            Ok(0) => return Ok(Ready::Timeout),
            Ok(_) => {}
            Err(rustix::io::Errno::INTR) => return Ok(Ready::Packet),
            Err(error) => return Err(error.into()),
        }
        let [packets, woken] = &fds;
        if packets.revents().contains(PollFlags::NVAL) {
            return Err(io::Error::from(io::ErrorKind::NotConnected));
        }
        if woken.revents().is_empty() {
            return Ok(Ready::Packet);
        }
        // Takes the count back to zero; that somebody else was quicker is fine.
        let _ = rustix::io::read(&self.0, &mut [0u8; 8]);
        Ok(Ready::Woken)
    }
}

impl Waker for EventWaker {
    fn wake(&self) {
        // Fails only when 2^64 - 2 wake-ups wait already.
        let _ = rustix::io::write(&self.0, &1u64.to_ne_bytes());
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_wake_before_the_wait_is_not_lost_and_counts_once() {
        let waker = EventWaker::new().unwrap();
        let (silent, _other_end) = std::os::unix::net::UnixStream::pair().unwrap();
        waker.wake();
        waker.wake();
        assert_eq!(waker.wait(&silent, None).unwrap(), Ready::Woken);
        assert_eq!(waker.wait(&silent, Some(Duration::from_millis(1))).unwrap(), Ready::Timeout);
    }
}

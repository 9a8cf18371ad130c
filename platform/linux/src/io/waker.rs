use std::io;
use std::os::fd::{AsFd, OwnedFd};
use std::time::Duration;

use platform_api::{Gone, Ready, Sides, Waker};
use rustix::event::{EventfdFlags, PollFd, PollFlags, Timespec, eventfd, poll};

/// An eventfd: waking is remembered until the next wait.
#[derive(Debug)]
pub struct EventWaker(OwnedFd);

impl EventWaker {
    pub(super) fn new() -> io::Result<Self> {
        Ok(Self(eventfd(0, EventfdFlags::CLOEXEC | EventfdFlags::NONBLOCK)?))
    }

    /// Waits until `fd` has something to read, this waker is woken, or the time is over.
    pub(super) fn wait_for(&self, fd: impl AsFd, timeout: Option<Duration>) -> io::Result<Ready> {
        let mut fds = [PollFd::new(&self.0, PollFlags::IN), PollFd::new(&fd, PollFlags::IN)];
        Ok(match self.poll(&mut fds, timeout)? {
            Polled::Woken => Ready::Woken,
            Polled::Timeout => Ready::Timeout,
            Polled::Other => Ready::Packet,
        })
    }

    /// Waits until one of them has something to read or this waker is woken.
    pub(super) fn wait_for_both(&self, tun: impl AsFd, port: impl AsFd) -> Result<Sides, Gone> {
        let new = |fd| PollFd::from_borrowed_fd(fd, PollFlags::IN);
        let mut fds = [self.0.as_fd(), tun.as_fd(), port.as_fd()].map(new);
        let polled = self.poll(&mut fds, None);
        let [_, tun, port] = fds.map(|fd| fd.revents());
        match polled {
            Ok(Polled::Other) => Ok(Sides { tun: !tun.is_empty(), port: !port.is_empty() }),
            Ok(Polled::Woken | Polled::Timeout) => Ok(Sides::BOTH),
            Err(error) if port.contains(PollFlags::NVAL) => Err(Gone::Port(error)),
            Err(error) => Err(Gone::Tun(error)),
        }
    }

    /// The first one is this waker.
    fn poll(&self, fds: &mut [PollFd<'_>], timeout: Option<Duration>) -> io::Result<Polled> {
        let timeout = timeout.map(|timeout| Timespec {
            tv_sec: i64::try_from(timeout.as_secs()).unwrap_or(i64::MAX),
            tv_nsec: i64::from(timeout.subsec_nanos()),
        });
        match poll(fds, timeout.as_ref()) {
            Ok(0) => return Ok(Polled::Timeout),
            Ok(_) => {}
            Err(rustix::io::Errno::INTR) => return Ok(Polled::Woken),
            Err(error) => return Err(error.into()),
        }
        if fds.iter().any(|fd| fd.revents().contains(PollFlags::NVAL)) {
            return Err(io::Error::from(io::ErrorKind::NotConnected));
        }
        if fds.first().is_none_or(|woken| woken.revents().is_empty()) {
            return Ok(Polled::Other);
        }
        // Takes the count back to zero; that somebody else was quicker is fine.
        let _ = rustix::io::read(&self.0, &mut [0u8; 8]);
        Ok(Polled::Woken)
    }
}

/// Why a poll ended.
enum Polled {
    Woken,
    /// One of the others has something.
    Other,
    Timeout,
}

impl Waker for EventWaker {
    fn wake(&self) {
        // Fails only when 2^64 - 2 wake-ups wait already.
        let _ = rustix::io::write(&self.0, &1u64.to_ne_bytes());
    }

    fn wait(&self, timeout: Option<Duration>) -> io::Result<Ready> {
        let mut fds = [PollFd::new(&self.0, PollFlags::IN)];
        Ok(match self.poll(&mut fds, timeout)? {
            Polled::Timeout => Ready::Timeout,
            Polled::Woken | Polled::Other => Ready::Woken,
        })
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
        assert_eq!(waker.wait_for(&silent, None).unwrap(), Ready::Woken);
        assert_eq!(waker.wait_for(&silent, Some(Duration::from_millis(1))).unwrap(), Ready::Timeout);
    }
}

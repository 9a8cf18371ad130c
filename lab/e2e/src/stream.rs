//! A UDP echo every ten milliseconds, with the fate of each: how an outage looks from an app.

use std::io;
use std::net::{Ipv4Addr, Ipv6Addr, SocketAddr, UdpSocket};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use anyhow::{Context, Result};
use lab::Netns;

use crate::{PATIENCE, until};

/// Time between two probes.
pub const INTERVAL: Duration = Duration::from_millis(10);
/// How late an answer may be and still count: two round trips of a lab are less than a millisecond.
const LINGER: Duration = Duration::from_millis(200);
/// So many answers in a row show that the stream runs.
const RUNNING: usize = 5;

/// One probe.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Probe {
    /// The moment before it was handed to the kernel, which may have refused it.
    pub sent: Instant,
    /// When the answer came.
    pub answered: Option<Instant>,
}

/// A running series from one socket. The socket is not connected: each datagram takes the route of its moment.
#[derive(Debug)]
pub struct Stream {
    probes: Arc<Mutex<Vec<Probe>>>,
    stop: Arc<AtomicBool>,
    sender: Option<JoinHandle<()>>,
    receiver: Option<JoinHandle<()>>,
}

impl Stream {
    /// Starts it and returns once several probes in a row have been answered.
    ///
    /// # Errors
    /// When no socket can be had, or nothing is answered in [`PATIENCE`].
    pub fn start(netns: &Netns, target: SocketAddr) -> Result<Self> {
        let socket = netns.enter(|| open(target))?.context("a UDP socket")?;
        let (probes, stop) = (Arc::new(Mutex::new(Vec::new())), Arc::new(AtomicBool::new(false)));
        let sender = std::thread::spawn({
            let (socket, probes, stop) = (socket.try_clone()?, Arc::clone(&probes), Arc::clone(&stop));
            move || send(&socket, target, &probes, &stop)
        });
        let receiver = std::thread::spawn({
            let (probes, stop) = (Arc::clone(&probes), Arc::clone(&stop));
            move || receive(&socket, &probes, &stop)
        });
        let stream = Self { probes, stop, sender: Some(sender), receiver: Some(receiver) };
        until(PATIENCE, || Ok(stream.is_running())).context("the probes are not answered to begin with")?;
        Ok(stream)
    }

    /// Whether a probe sent at `event` or later has been answered.
    #[must_use]
    pub fn is_back_since(&self, event: Instant) -> bool {
        outage(&lock(&self.probes), event).is_some()
    }

    /// Ends it, and waits for the last answers.
    #[must_use]
    pub fn finish(mut self) -> Trace {
        self.end();
        Trace(lock(&self.probes).clone())
    }

    fn is_running(&self) -> bool {
        let probes = lock(&self.probes);
        // The last one may still be on its way.
        let settled = probes.len().saturating_sub(1);
        settled >= RUNNING && probes[settled - RUNNING..settled].iter().all(|probe| probe.answered.is_some())
    }

    fn end(&mut self) {
        self.stop.store(true, Ordering::Relaxed);
        for thread in [self.sender.take(), self.receiver.take()].into_iter().flatten() {
            let _ = thread.join();
        }
    }
}

impl Drop for Stream {
    fn drop(&mut self) {
        self.end();
    }
}

/// What came of it.
#[derive(Debug, Clone)]
pub struct Trace(Vec<Probe>);

impl Trace {
    /// From `event` to the first answer of a probe that was sent after it; `None` when there was none.
    #[must_use]
    pub fn outage(&self, event: Instant) -> Option<Duration> {
        outage(&self.0, event)
    }

    /// Probes sent at `event` or later that were never answered.
    #[must_use]
    pub fn lost_since(&self, event: Instant) -> usize {
        self.0.iter().filter(|probe| probe.sent >= event && probe.answered.is_none()).count()
    }

    /// Probes that were never answered.
    #[must_use]
    pub fn lost(&self) -> usize {
        self.0.iter().filter(|probe| probe.answered.is_none()).count()
    }

    /// Longest time between two probes that were answered, less the interval.
    #[must_use]
    pub fn longest_gap(&self) -> Duration {
        let answered: Vec<_> = self.0.iter().filter(|probe| probe.answered.is_some()).map(|p| p.sent).collect();
        let gaps = answered.windows(2).map(|pair| pair[1].saturating_duration_since(pair[0]));
        gaps.max().unwrap_or_default().saturating_sub(INTERVAL)
    }
}

fn outage(probes: &[Probe], event: Instant) -> Option<Duration> {
    let later = probes.iter().filter(|probe| probe.sent >= event);
    later.filter_map(|probe| probe.answered).min().map(|first| first.saturating_duration_since(event))
}

fn lock(probes: &Mutex<Vec<Probe>>) -> MutexGuard<'_, Vec<Probe>> {
    probes.lock().unwrap_or_else(PoisonError::into_inner)
}

fn open(target: SocketAddr) -> io::Result<UdpSocket> {
    let socket = match target {
        SocketAddr::V4(_) => UdpSocket::bind((Ipv4Addr::UNSPECIFIED, 0))?,
        SocketAddr::V6(_) => UdpSocket::bind((Ipv6Addr::UNSPECIFIED, 0))?,
    };
    socket.set_read_timeout(Some(Duration::from_millis(50)))?;
    Ok(socket)
}

fn send(socket: &UdpSocket, target: SocketAddr, probes: &Mutex<Vec<Probe>>, stop: &AtomicBool) {
    let mut due = Instant::now();
    while !stop.load(Ordering::Relaxed) {
        let number = {
            let mut probes = lock(probes);
            probes.push(Probe { sent: Instant::now(), answered: None });
            probes.len() - 1
        };
        // Refused without a route: an unanswered probe like any other.
        let _ = socket.send_to(&u64::try_from(number).unwrap_or(u64::MAX).to_be_bytes(), target);
        // After a stall of this thread it goes on at its pace and makes up for nothing.
        due = (due + INTERVAL).max(Instant::now());
        std::thread::sleep(due.saturating_duration_since(Instant::now()));
    }
}

fn receive(socket: &UdpSocket, probes: &Mutex<Vec<Probe>>, stop: &AtomicBool) {
    let mut buffer = [0; 64];
    let mut end = None;
    while end.is_none_or(|end| Instant::now() < end) {
        if stop.load(Ordering::Relaxed) {
            end.get_or_insert_with(|| Instant::now() + LINGER);
        }
        // Errors are timeouts.
        let Ok((8, _)) = socket.recv_from(&mut buffer) else { continue };
        let now = Instant::now();
        let number = buffer.first_chunk().map_or(u64::MAX, |bytes| u64::from_be_bytes(*bytes));
        let mut probes = lock(probes);
        if let Some(probe) = usize::try_from(number).ok().and_then(|number| probes.get_mut(number)) {
            probe.answered.get_or_insert(now);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_outage_ends_with_the_first_answer_to_what_was_sent_after_the_event() {
        let start = Instant::now();
        let at = |ms: u64| start + Duration::from_millis(ms);
        let probe = |sent, answered: Option<u64>| Probe { sent: at(sent), answered: answered.map(at) };
        let mut trace = Trace(vec![probe(0, Some(1)), probe(10, Some(17)), probe(20, None), probe(30, Some(48))]);
        // The answer at 17 belongs to a probe from before.
        assert_eq!(trace.outage(at(15)), Some(Duration::from_millis(33)));
        assert_eq!((trace.lost(), trace.longest_gap()), (1, Duration::from_millis(10)));
        assert_eq!((trace.lost_since(at(20)), trace.lost_since(at(21))), (1, 0));
        // A later probe may be answered first.
        trace.0.push(probe(40, Some(41)));
        assert_eq!(trace.outage(at(15)), Some(Duration::from_millis(26)));
        assert_eq!(trace.outage(at(45)), None);
    }
}

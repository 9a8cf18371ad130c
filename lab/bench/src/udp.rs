//! Datagrams at full speed, at a fixed speed, and back and forth.

use std::net::{IpAddr, Ipv6Addr, SocketAddr, UdpSocket};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::{Duration, Instant};

use anyhow::Result;
use everclat_e2e::{ECHO, World};
use nix::sys::socket::{setsockopt, sockopt};

/// Nobody else listens there.
const PORT: u16 = 9001;
/// The largest batch that Linux cuts: 64 segments.
const SEGMENTS: usize = 50;

/// What went and what came.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Flood {
    pub(crate) sent: u64,
    pub(crate) received: u64,
    pub(crate) time: Duration,
}

impl Flood {
    /// Datagrams that arrived in a second.
    pub(crate) fn rate(&self) -> f64 {
        number(self.received) / self.time.as_secs_f64()
    }

    /// The part that did not.
    pub(crate) fn lost(&self) -> f64 {
        1.0 - number(self.received) / number(self.sent).max(1.0)
    }
}

#[expect(clippy::as_conversions, clippy::cast_precision_loss, reason = "figures for people")]
pub(crate) fn number(value: u64) -> f64 {
    value as f64
}

/// How datagrams leave.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Pace {
    /// One by one, as fast as they go.
    Flood,
    /// The kernel cuts them from batches (USO).
    Batches,
    /// So many in a millisecond.
    PerMillisecond(u64),
}

/// Sends datagrams of `size` bytes to the server for `time`.
pub(crate) fn flood(world: &World, target: IpAddr, size: usize, pace: Pace, time: Duration) -> Result<Flood> {
    let (done, received) = (AtomicBool::new(false), AtomicU64::new(0));
    let router = world.lab.router("eth0")?;
    let sink = router.enter(|| UdpSocket::bind((Ipv6Addr::UNSPECIFIED, PORT)))??;
    sink.set_read_timeout(Some(Duration::from_millis(50)))?;
    // Segments arrive together where they left together.
    let _ = setsockopt(&sink, sockopt::UdpGroSegment, &true);
    let source = world.lab.host().enter(|| UdpSocket::bind(any(target)))??;
    source.connect(SocketAddr::new(target, PORT))?;
    if pace == Pace::Batches {
        setsockopt(&source, sockopt::UdpGsoSegment, &i32::try_from(size)?)?;
    }
    std::thread::scope(|scope| -> Result<Flood> {
        let count = || {
            let mut buffer = vec![0; 65_536];
            while !done.load(Ordering::Relaxed) {
                if let Ok(length) = sink.recv(&mut buffer) {
                    received.fetch_add(u64::try_from(length.div_ceil(size)).unwrap_or_default(), Ordering::Relaxed);
                }
            }
        };
        let sink = scope.spawn(count);
        let sent = send(&source, size, pace, time);
        std::thread::sleep(Duration::from_millis(200));
        done.store(true, Ordering::Relaxed);
        if let Err(panic) = sink.join() {
            std::panic::resume_unwind(panic);
        }
        Ok(Flood { sent: sent?, received: received.load(Ordering::Relaxed), time })
    })
}

fn send(source: &UdpSocket, size: usize, pace: Pace, time: Duration) -> Result<u64> {
    let batch = if pace == Pace::Batches { SEGMENTS } else { 1 };
    let payload = vec![0x5a; size * batch];
    let each = u64::try_from(batch)?;
    let start = Instant::now();
    let mut sent = 0;
    while start.elapsed() < time {
        let due = match pace {
            Pace::Flood | Pace::Batches => 32,
            Pace::PerMillisecond(rate) => {
                let elapsed = u64::try_from(start.elapsed().as_micros())?;
                (elapsed * rate / 1000).saturating_sub(sent)
            }
        };
        for _ in 0..due {
            // Refused for want of room: not sent.
            sent += if source.send(&payload).is_ok() { each } else { 0 };
        }
        if due == 0 {
            std::thread::sleep(Duration::from_micros(200));
        }
    }
    Ok(sent)
}

/// Round trips to the echo server, one after the other, sorted.
pub(crate) fn round_trips(world: &World, target: IpAddr, count: usize, pause: Duration) -> Result<Vec<Duration>> {
    let socket = world.lab.host().enter(|| UdpSocket::bind(any(target)))??;
    socket.connect(SocketAddr::new(target, ECHO))?;
    socket.set_read_timeout(Some(Duration::from_millis(200)))?;
    let mut times = Vec::with_capacity(count);
    let mut buffer = [0; 64];
    for round in 0..count {
        if !pause.is_zero() {
            std::thread::sleep(pause);
        }
        let tag = u64::try_from(round)?.to_be_bytes();
        let begin = Instant::now();
        socket.send(&tag)?;
        // A late answer to an earlier one is not this one's.
        while let Ok(length) = socket.recv(&mut buffer) {
            if buffer.get(..length) == Some(tag.as_slice()) {
                times.push(begin.elapsed());
                break;
            }
        }
    }
    times.sort();
    Ok(times)
}

fn any(target: IpAddr) -> SocketAddr {
    match target {
        IpAddr::V4(_) => SocketAddr::from(([0; 4], 0)),
        IpAddr::V6(_) => SocketAddr::from(([0; 16], 0)),
    }
}

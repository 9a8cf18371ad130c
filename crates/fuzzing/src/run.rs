//! Generated packets in masses.

use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::sync::atomic::{AtomicU64, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use xlat_oracle::generator::{Generator, Way};

use crate::Bench;

/// Packets that are made from one seed in a long run; after each of these it begins anew with the next one, so that a failure
/// is found again in a second.
const PER_SEED: u64 = 250_000;

/// What came of a run.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Figures {
    /// Packets given to both translators.
    pub packets: u64,
    /// Of these, how many led to something that is sent.
    pub sent: u64,
    /// How long it took.
    pub elapsed: Duration,
}

/// Gives `packets` packets of the row `seed` to both translators. `sound`: only well-formed ones, whose results must have
/// right checksums, too.
///
/// # Panics
/// When they disagree, or a rule is broken; which seed and which packet it was is printed.
pub fn generated(seed: u64, packets: u64, sound: bool) -> Figures {
    let begin = Instant::now();
    let mut generator = if sound { Generator::sound(seed) } else { Generator::new(seed) };
    let mut bench = Bench::new(generator.setup());
    if sound {
        bench = bench.for_sound_packets();
    }
    let mut packet = Vec::new();
    let mut sent = 0;
    for number in 0..packets {
        if generator.renew() {
            bench.replace(generator.setup());
        }
        let (way, offload) = generator.next(&mut packet);
        match catch_unwind(AssertUnwindSafe(|| bench.check(way, &packet, offload))) {
            Ok(came_out) => sent += u64::from(came_out),
            Err(panic) => {
                eprintln!("seed {seed}, packet {number}, sound: {sound}");
                resume_unwind(panic);
            }
        }
    }
    Figures { packets, sent, elapsed: begin.elapsed() }
}

/// What the first translator sends for `count` well-formed packets of the row `seed`, for others to read. Without
/// super-packets and whatever else a kernel has yet to finish.
#[must_use]
pub fn sent(seed: u64, count: usize) -> Vec<Vec<u8>> {
    let mut generator = Generator::sound(seed);
    let mut bench = Bench::new(generator.setup());
    let (mut packet, mut all) = (Vec::new(), Vec::new());
    while all.len() < count {
        if generator.renew() {
            bench.replace(generator.setup());
        }
        let way = if all.len() % 2 == 0 { Way::Out } else { Way::In };
        let offload = generator.packet(&mut packet, way, false);
        all.extend(bench.sent(way, &packet, offload));
    }
    all
}

/// The same with many seeds, from `first` on, by as many threads as there are cores. Every fourth seed is a sound row.
///
/// # Panics
/// As [`generated`]; the other threads end with the seed they are at.
pub fn generated_by_all(first: u64, packets: u64) -> Figures {
    let begin = Instant::now();
    let (next, sent, end) = (AtomicU64::new(0), AtomicU64::new(0), packets.div_ceil(PER_SEED));
    thread::scope(|scope| {
        let worker = || {
            loop {
                let block = next.fetch_add(1, Ordering::Relaxed);
                if block >= end {
                    return;
                }
                let count = PER_SEED.min(packets - block * PER_SEED);
                let figures = catch_unwind(|| generated(first.wrapping_add(block), count, block % 4 == 3));
                match figures {
                    Ok(figures) => _ = sent.fetch_add(figures.sent, Ordering::Relaxed),
                    Err(panic) => {
                        next.store(end, Ordering::Relaxed);
                        resume_unwind(panic);
                    }
                }
                if (block + 1) % 200 == 0 {
                    eprintln!(
                        "{} million packets, {:.0} s",
                        (block + 1) * PER_SEED / 1_000_000,
                        begin.elapsed().as_secs_f64()
                    );
                }
            }
        };
        for _ in 0..thread::available_parallelism().map_or(1, usize::from) {
            scope.spawn(worker);
        }
    });
    Figures { packets, sent: sent.into_inner(), elapsed: begin.elapsed() }
}

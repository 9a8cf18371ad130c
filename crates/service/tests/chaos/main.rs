//! The real service - driver, engine, packet threads - on the scripted host, in virtual time: whatever happens to networks,
//! host and clients, in any order, and whichever call into the system fails.
//!
//! After each event the invariants of `checks` hold; when nothing has happened for long, what is in place is what the
//! reference says, which knows nothing but the networks.
//!
//! `EVERCLAT_CHAOS_SEED=7 EVERCLAT_CHAOS_EVENTS=4000` repeats a run, or the beginning of one.

#![expect(clippy::unwrap_used, clippy::expect_used, reason = "a test may panic")]

mod chaos;
mod checks;
mod dice;
mod events;
mod found;
mod happen;
mod network;
mod observer;
mod packets;
mod reference;
mod service;
mod sweep;

use std::time::Instant;

use chaos::Chaos;
use dice::Dice;

/// So many events lie between two times of quiet, on average.
const ROUND: u64 = 100;

fn number(variable: &str) -> Option<u64> {
    std::env::var(variable).ok()?.parse().ok()
}

fn runtime() -> tokio::runtime::Runtime {
    tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap()
}

/// A service that lives through `count` events.
async fn live(seed: u64, count: u64) {
    println!("EVERCLAT_CHAOS_SEED={seed} EVERCLAT_CHAOS_EVENTS={count}");
    let begin = Instant::now();
    let mut chaos = Chaos::start(seed).await;
    while chaos.count < count {
        let event = chaos.dice.event();
        // Many things at once, now and then.
        let together = chaos.dice.once_in(5);
        chaos.happen(event).await;
        if !together {
            chaos.glance().await;
        }
        if chaos.dice.once_in(ROUND) {
            chaos.converge().await;
        }
    }
    chaos.converge().await;
    let days = chaos.fake.now().since_start().as_secs() / 86_400;
    let (converged, armed, slow) = (chaos.converged, chaos.armed, chaos.slow);
    chaos.end().await;
    println!("seed {seed}: {count} events in {:.1?}, {days} days of virtual time", begin.elapsed());
    println!("seed {seed}: quiet {converged} times, in {armed} of them armed; {slow} times only after minutes");
}

/// Two services at a time, since there are two cores at least.
#[test]
fn whatever_happens_ipv4_is_where_it_should_be() {
    let full = std::env::var_os("EVERCLAT_FULL").is_some();
    let chosen = number("EVERCLAT_CHAOS_SEED");
    let first = if full { Dice::seed() } else { 1 };
    let seeds = chosen.map_or_else(|| vec![first, first + 1], |seed| vec![seed]);
    let most = if full { 500_000 } else { 100_000 };
    let count = number("EVERCLAT_CHAOS_EVENTS").unwrap_or(most / u64::try_from(seeds.len()).unwrap());
    std::thread::scope(|scope| {
        for seed in seeds {
            scope.spawn(move || runtime().block_on(live(seed, count)));
        }
    });
}

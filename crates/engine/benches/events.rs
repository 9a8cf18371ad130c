//! `cargo bench -p everclat-engine`: 10,000 events of a day with two uplinks, and the answers of plane and host to what they
//! lead to. The world of the scenarios plays network, plane and host; what it takes itself is in the figure.

#![allow(dead_code, unused_imports, reason = "the scenarios use more of their world than this")]
#![allow(clippy::unwrap_used, clippy::indexing_slicing, clippy::expect_used, reason = "as in the scenarios")]

extern crate everclat_engine as engine;

#[path = "../tests/scenarios/network.rs"]
mod network;
#[path = "../tests/scenarios/world.rs"]
mod world;

use std::hint::black_box;

use criterion::{Criterion, Throughput, criterion_group, criterion_main};
use model::PlaneEvent;
use network::{ETH, Network, WLAN};
use world::World;

const EVENTS: u64 = 10_000;
/// The cable is pulled or put back each time after so many events.
const QUIET: u64 = 500;

fn day() -> World {
    let mut world = World::armed_on(Network::two_uplinks());
    world.pref64(WLAN, "2001:db8:64::/96", 65_528);
    for number in 0..EVENTS {
        match number % 10 {
            // Hints of the kernel about nothing: neighbours, lifetimes.
            0..=3 => world.look(),
            4 => world.pref64(ETH, "64:ff9b::/96", 1800),
            5 | 6 => world.app_talks(&[[198, 51, 100, 7].into()], true),
            7 => world.report(PlaneEvent::GatewayAnswered),
            8 => world.report(PlaneEvent::FirstReply),
            _ => {
                let now: u64 = world.now.since_start().as_millis().try_into().unwrap();
                world.until(now + 100);
            }
        }
        if number % QUIET == QUIET - 1 {
            let link = world.network.link(ETH);
            link.carrier = !link.carrier;
            world.look();
            black_box(world.took());
        }
    }
    world
}

fn events(criterion: &mut Criterion) {
    let world = day();
    assert!(world.status().rearms.count > 10, "uplinks were lost on the way: {}", world.status().rearms.count);
    let mut group = criterion.benchmark_group("engine");
    group.sample_size(20).throughput(Throughput::Elements(EVENTS));
    group.bench_function("events/10000", |bencher| bencher.iter(|| black_box(day())));
    group.throughput(Throughput::Elements(1));
    group.bench_function("status", |bencher| bencher.iter(|| black_box(world.status())));
    group.finish();
}

criterion_group!(benches, events);
criterion_main!(benches);

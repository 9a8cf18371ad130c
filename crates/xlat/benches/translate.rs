//! Time per packet, by kind: `cargo bench -p everclat-xlat`.
//!
//! Packets pass in batches, as they do in the service. They are written anew before each batch, outside of the measured
//! time: a header translated right after it was written would wait for the processor's store buffer, and be measured
//! waiting. Of large packets only the headers are, as payloads are not copied between a TUN and the uplink either.

mod common;

use std::hint::black_box;
use std::time::{Duration, Instant};

use criterion::{Criterion, criterion_group, criterion_main};
use everclat_xlat::{Config, PacketBuf, Translator, Verdict};

use common::{Kind, configs, kinds};

const BATCH: u64 = 32;
/// Written anew of each packet.
const HEADERS: usize = 128;

fn all(criterion: &mut Criterion) {
    for (name, config) in configs() {
        let mut group = criterion.benchmark_group(format!("v4_to_v6 {name}"));
        for kind in kinds(&config, true) {
            group.bench_function(kind.name, |bencher| {
                bencher.iter_custom(|times| measure(&config, &kind, times, Translator::v4_to_v6));
            });
        }
        group.finish();
        let mut group = criterion.benchmark_group(format!("v6_to_v4 {name}"));
        for kind in kinds(&config, false) {
            group.bench_function(kind.name, |bencher| {
                bencher.iter_custom(|times| measure(&config, &kind, times, Translator::v6_to_v4));
            });
        }
        group.finish();
    }
}

fn measure(
    config: &Config,
    kind: &Kind,
    times: u64,
    translate: fn(&mut Translator, &mut PacketBuf) -> Verdict,
) -> Duration {
    let mut translator = Translator::new(config.clone());
    let len = kind.packet.len();
    let anew = if kind.whole { len } else { len.min(HEADERS) };
    let mut bufs: Vec<PacketBuf> = (0..BATCH).map(|_| PacketBuf::new()).collect();
    for buf in &mut bufs {
        buf.recv_area(0)[..len].copy_from_slice(&kind.packet);
    }
    let mut spent = Duration::ZERO;
    let batches = times.div_ceil(BATCH);
    for _ in 0..batches {
        for buf in &mut bufs {
            buf.recv_area(0)[..anew].copy_from_slice(black_box(&kind.packet[..anew]));
            buf.received(0, len);
            buf.vnet = kind.vnet;
        }
        let start = Instant::now();
        for buf in &mut bufs {
            assert!(!matches!(translate(&mut translator, black_box(buf)), Verdict::Drop(_)), "{}", kind.name);
        }
        spent += start.elapsed();
    }
    // Asked for is the time of `times` packets.
    spent.mul_f64(
        f64::from(u32::try_from(times).unwrap_or(u32::MAX))
            / f64::from(u32::try_from(batches * BATCH).unwrap_or(u32::MAX)),
    )
}

fn settings() -> Criterion {
    Criterion::default().warm_up_time(Duration::from_millis(200)).measurement_time(Duration::from_millis(800))
}

criterion_group! { name = benches; config = settings(); targets = all }
criterion_main!(benches);

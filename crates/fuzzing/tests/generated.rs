//! Both translators on generated packets: the same verdict, the same bytes, and the rules of `rules.rs`.
//!
//! A failure prints seed, number, packet and what came out, in the form that the literal tests of `everclat-xlat` read.

use everclat_fuzzing::{Figures, generated_by_all, super_packets_are_their_segments};

/// In every test run.
const FEW: u64 = 1_000_000;
/// In `cargo xtask test --full`.
const MANY: u64 = 50_000_000;

fn number(name: &str) -> Option<u64> {
    let value = std::env::var(name).ok()?;
    Some(value.replace('_', "").parse().unwrap_or_else(|_| panic!("{name} is to be a number")))
}

/// `EVERCLAT_PACKETS` and `EVERCLAT_SEED` choose how many and which (docs/fuzzing.md).
#[test]
fn both_translators_agree_on_generated_packets() {
    let full = std::env::var_os("EVERCLAT_FULL").is_some();
    let packets = number("EVERCLAT_PACKETS").unwrap_or(if full { MANY } else { FEW });
    let seed = number("EVERCLAT_SEED").unwrap_or(1);
    let Figures { sent, elapsed, .. } = generated_by_all(seed, packets);
    let seconds = elapsed.as_secs_f64();
    println!("FIGURE generated packets: {packets} from seed {seed}, {sent} sent, {seconds:.0} s, no disagreement");
    // The generator must not decay into noise that is dropped at the door.
    assert!(sent > packets / 2 && sent < packets);
}

#[test]
fn super_packets_are_translated_as_their_segments_are() {
    let full = std::env::var_os("EVERCLAT_FULL").is_some();
    let supers = if full { 1_000_000 } else { 20_000 };
    let segments = super_packets_are_their_segments(number("EVERCLAT_SEED").unwrap_or(1), supers);
    println!("FIGURE super-packets: {supers} held against their {segments} segments");
    assert!(segments > supers);
}

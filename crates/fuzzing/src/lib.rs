//! What fuzzing runs: the body of every target as a function, so that the committed corpora are replayed by ordinary tests
//! (`tests/corpora.rs`), and the differential run of generated packets (`tests/generated.rs`). See docs/fuzzing.md.
//!
//! Every body panics when something is wrong, and does nothing else.

#![forbid(unsafe_code)]

mod differential;
mod rules;
mod run;
mod supers;
pub mod targets;

pub use differential::{Bench, hex};
pub use run::{Figures, generated, generated_by_all, sent};
pub use supers::super_packets_are_their_segments;

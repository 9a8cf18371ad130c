//! The lab's roles as an executable of their own, for tests that have no `everclat` at hand.

use std::process::ExitCode;

fn main() -> ExitCode {
    everclat_lab::node::main(std::env::args_os().skip(1))
}

//! Every developer command: `cargo xtask demo`, `cargo xtask test`, `cargo xtask reliability`, `cargo xtask bench`,
//! `cargo xtask screenshots`, `cargo xtask setup`.

#![forbid(unsafe_code)]

mod bench;
mod demo;
mod figures;
mod install;
mod instructions;
mod run;
mod screenshots;
mod test;
mod tray;
mod ui;
mod window;

use std::process::ExitCode;

use clap::{Parser, Subcommand};

/// Developer commands of Everclat
#[derive(Debug, Parser)]
#[command(name = "cargo xtask")]
struct Arguments {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Show the main job: IPv4 on an IPv6-only network, in namespaces of this machine
    Demo {
        /// Leave network and service running to play with
        #[arg(long)]
        keep: bool,
    },
    /// Run every check and test; ends with `N passed, M failed`
    Test(test::Options),
    /// Measure outages (a quarter of an hour) and put them into docs/reliability.md
    Reliability,
    /// Measure throughput, delay and cost beside native IPv6 and TAYGA (several minutes) and put them into docs/performance.md
    Bench(bench::Options),
    /// Count the instructions of a translation by kind, against the committed baseline
    Instructions {
        /// Write the baseline anew
        #[arg(long)]
        renew: bool,
    },
    /// Renew the pictures in docs/images from the real app
    Screenshots,
    /// Install what demo and test need
    Setup,
}

fn main() -> ExitCode {
    let result = match Arguments::parse().command {
        Command::Demo { keep } => demo::run(keep),
        Command::Test(options) => test::run(&options),
        Command::Reliability => figures::measure(),
        Command::Bench(options) => bench::run(&options),
        Command::Instructions { renew } => instructions::run(renew),
        Command::Screenshots => screenshots::run(),
        Command::Setup => install::everything().map(|()| ExitCode::SUCCESS),
    };
    result.unwrap_or_else(|error| {
        eprintln!("xtask: {error:#}");
        ExitCode::FAILURE
    })
}

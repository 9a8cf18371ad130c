//! `everclat lab` without Everclat: `cargo run -p everclat-lab --example lab -- up`.

use std::process::ExitCode;

use clap::Parser;
use everclat_lab as lab;

#[derive(Parser)]
#[command(name = "lab", about = "An IPv6-only network with NAT64 in namespaces")]
struct Cli {
    #[command(flatten)]
    args: lab::cli::LabArgs,
}

fn main() -> ExitCode {
    let mut args = std::env::args_os().skip(1).peekable();
    if args.peek().is_some_and(|first| first == lab::node::VERB) {
        return lab::node::main(args);
    }
    match lab::cli::run(Cli::parse().args) {
        Ok(code) => code,
        Err(error) => {
            // The alternate form carries the causes.
            eprintln!("{error:#}");
            ExitCode::FAILURE
        }
    }
}

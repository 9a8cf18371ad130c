//! `everclatd`: the Everclat service.

use std::process::ExitCode;

use clap::{Parser, Subcommand};
use everclat_service::Options;

/// Keeps IPv4 working on IPv6-only networks
#[derive(Parser)]
#[command(name = "everclatd", version, about)]
struct Arguments {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// Run in the foreground, log to stderr, stop at SIGTERM
    Run(Options),
}

fn main() -> ExitCode {
    // First of all: whoever starts the service may stop it at once, and it is to end by itself, with exit code 0.
    let signals = everclat_service::Signals::catch();
    let arguments = Arguments::parse();
    everclat_service::log::start();
    abort_on_panic();
    let Command::Run(options) = arguments.command;
    match signals.and_then(|signals| everclat_service::run(&options, signals)) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            tracing::error!("{error:#}");
            ExitCode::FAILURE
        }
    }
}

/// A dead packet thread beside a living route would be a black hole; a dead process is not: the kernel takes the tunnel
/// and its route away, and the service manager starts a new one.
fn abort_on_panic() {
    let report = std::panic::take_hook();
    std::panic::set_hook(Box::new(move |info| {
        report(info);
        std::process::abort();
    }));
}

//! `everclat`: asks the service, and says what it hears in words, JSON and exit codes.

mod advice;
mod arguments;
mod check;
mod config;
mod control;
mod exit;
mod history;
mod log;
mod newer;
mod policy;
mod progress;
mod status;
mod text;
mod version;
mod wait;
mod watch;

use std::io::Write;

use clap::{CommandFactory, Parser};

use arguments::{Arguments, Command, LogOptions};
use exit::Exit;
use ipc::ClientError;

fn main() -> std::process::ExitCode {
    let mut arguments = Arguments::parse();
    arguments.json |= arguments.compact;
    if arguments.no_color {
        anstream::ColorChoice::Never.write_global();
    }
    match arguments.command {
        Command::Lab(arguments) => lab::cli::run(arguments).unwrap_or_else(|error| {
            anstream::eprintln!("everclat lab: {error:#}");
            Exit::Internal.into()
        }),
        Command::LabNode { arguments } => lab::node::main(arguments),
        Command::Completions { shell } => {
            let mut script = Vec::new();
            clap_complete::generate(shell, &mut Arguments::command(), "everclat", &mut script);
            // Whoever reads may have seen enough.
            let _ = std::io::stdout().write_all(&script);
            Exit::Good.into()
        }
        Command::Status(_)
        | Command::Check(_)
        | Command::Watch(_)
        | Command::Wait(_)
        | Command::Rearm
        | Command::History
        | Command::Pause(_)
        | Command::Resume
        | Command::Config(_)
        | Command::Policy { .. }
        | Command::Log(_)
        | Command::Version => ask(&arguments).into(),
    }
}

/// Runs the verbs that talk to the service.
fn ask(arguments: &Arguments) -> Exit {
    let runtime = match tokio::runtime::Builder::new_current_thread().enable_all().build() {
        Ok(runtime) => runtime,
        Err(error) => {
            anstream::eprintln!("everclat: cannot start: {error}");
            return Exit::Internal;
        }
    };
    let result = runtime.block_on(async {
        let tell = |what| progress::tell(arguments, what, verb(arguments));
        match &arguments.command {
            Command::Watch(_) | Command::Wait(_) | Command::Log(LogOptions { verb: None, .. }) => verb(arguments).await,
            Command::Rearm => tell("taking everything down and putting it up again").await,
            Command::Config(_) | Command::Policy { .. } => tell("waiting for the service to take it").await,
            Command::Log(_)
            | Command::Status(_)
            | Command::Check(_)
            | Command::History
            | Command::Pause(_)
            | Command::Resume
            | Command::Version
            | Command::Lab(_)
            | Command::LabNode { .. }
            | Command::Completions { .. } => tell("waiting for the service").await,
        }
    });
    result.unwrap_or_else(|error| {
        anstream::eprintln!("everclat: {error}");
        if let Some(hint) = exit::hint(&error) {
            anstream::eprintln!("{hint}");
        }
        Exit::from(&error)
    })
}

async fn verb(arguments: &Arguments) -> Result<Exit, ClientError> {
    match &arguments.command {
        Command::Status(options) => status::run(arguments, options).await,
        Command::Check(options) => check::run(arguments, options).await,
        Command::Watch(options) => watch::run(arguments, options).await,
        Command::Wait(options) => wait::run(arguments, options).await,
        Command::Rearm => control::rearm(arguments).await,
        Command::History => history::run(arguments).await,
        Command::Pause(options) => control::pause(arguments, options).await,
        Command::Resume => control::resume(arguments).await,
        Command::Config(options) => config::run(arguments, options).await,
        Command::Policy { verb } => policy::run(arguments, verb).await,
        Command::Log(options) => log::run(arguments, options).await,
        Command::Version => version::run(arguments).await,
        Command::Lab(_) | Command::LabNode { .. } | Command::Completions { .. } => Ok(Exit::Good),
    }
}

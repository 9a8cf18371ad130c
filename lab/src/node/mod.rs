//! The lab's own processes: routers and servers run the same executable as their user, through a hidden verb
//! (`everclat lab-node ...`, `evlab-node ...`).

mod probe;
mod router;
mod serve;

use std::ffi::OsString;
use std::net::IpAddr;
use std::path::PathBuf;
use std::process::ExitCode;

use clap::Parser;

pub(crate) use serve::{ECHO_PORT, HTTP_PORT};

/// The verb before the roles; optional for `evlab-node`.
pub const VERB: &str = "lab-node";

#[derive(Debug, Parser)]
#[command(name = VERB, about = "Roles inside a lab's namespaces")]
enum Role {
    /// Advertise as a router.
    Router {
        /// Interface towards the hosts.
        #[arg(long)]
        interface: String,
        /// JSON file with the first advertisement.
        #[arg(long)]
        config: PathBuf,
        /// Unix socket to listen on for changes.
        #[arg(long)]
        control: PathBuf,
    },
    /// Serve HTTP and echo.
    Serve {
        /// How the server calls itself.
        #[arg(long)]
        name: String,
        /// Serve HTTP (80) and TCP echo (7) on all addresses.
        #[arg(long)]
        tcp: bool,
        /// Serve UDP echo (7) on this address.
        #[arg(long)]
        udp: Vec<IpAddr>,
    },
    /// Ask a server something, from here.
    #[command(subcommand)]
    Probe(probe::Probe),
}

/// Runs a role. `args` are those behind the program name; a leading [`VERB`] is skipped.
pub fn main(args: impl IntoIterator<Item = OsString>) -> ExitCode {
    let mut args = args.into_iter().peekable();
    args.next_if(|first| first == VERB);
    let role = match Role::try_parse_from([OsString::from(VERB)].into_iter().chain(args)) {
        Ok(role) => role,
        Err(error) => error.exit(),
    };
    let result = match role {
        Role::Router { interface, config, control } => router::run(&interface, &config, &control),
        Role::Serve { name, tcp, udp } => serve::run(name, tcp, &udp),
        Role::Probe(probe) => probe.run(),
    };
    match result {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("{error:#}");
            ExitCode::FAILURE
        }
    }
}

/// The executable that plays the roles: this one, or what lies beside the directory of a test executable.
pub(crate) fn default_exe() -> PathBuf {
    let Ok(own) = std::env::current_exe() else { return PathBuf::from("everclat") };
    let Some(directory) = own.parent().filter(|d| d.ends_with("deps")).and_then(|d| d.parent()) else { return own };
    // A test executable does not know the verb.
    let candidates = ["evlab-node", "everclat"].map(|name| directory.join(name));
    candidates.into_iter().find(|file| file.is_file()).unwrap_or(own)
}

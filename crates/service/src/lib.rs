//! The Everclat service: wires the platform, the engine and the plane. It executes and decides nothing.
//!
//! Everything but `os` is the same on every system: [`serve`] runs on any [`Host`] and [`PlaneIo`], the fake ones of
//! the tests included.

#![forbid(unsafe_code)]

pub mod config;
pub mod dns;
mod driver;
mod options;
mod os;
mod plane;
mod rights;
mod secret;

use std::future::Future;
use std::sync::Arc;

use anyhow::Result;
use ipc::Server;
use platform_api::{Clock, Host, PlaneIo};
use tokio::sync::mpsc;
use tracing::info;

pub use options::Options;
pub use os::run;

/// Serves until `stop` is ready, then puts everything back. Each message of `reload` has the configuration read again.
///
/// # Errors
/// When it cannot start, or when the system no longer tells what happens.
pub async fn serve(
    options: &Options,
    server: Server,
    host: impl Host,
    io: impl PlaneIo,
    clock: Arc<dyn Clock>,
    stop: impl Future<Output = ()>,
    reload: mpsc::Receiver<()>,
) -> Result<()> {
    let secret = secret::load_or_create(&options.state_dir)?;
    info!(version = env!("CARGO_PKG_VERSION"), socket = %options.socket.display(), "started");
    let sources = config::Sources::new(&options.config, &options.policy_dir);
    driver::Driver::new(host, io, clock, sources, secret).run(server, stop, reload).await
}

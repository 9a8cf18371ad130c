//! The Everclat service: wires the platform, the engine and the plane. It executes and decides nothing.
//!
//! Everything but `os` is the same on every system: [`serve`] runs on any [`Host`] and [`PlaneIo`], the fake ones of
//! the tests included.

#![forbid(unsafe_code)]

pub mod config;
pub mod dns;
mod driver;
pub mod log;
mod memory;
mod names;
mod options;
mod os;
mod plane;
pub mod portal;
mod private;
mod rights;
mod secret;
mod watch;

use std::future::Future;
use std::sync::Arc;

use anyhow::Result;
use ipc::Server;
use platform_api::{Clock, Host, PlaneIo};
use tokio::sync::mpsc;
use tracing::info;

pub use options::Options;
pub use os::{Signals, run};

/// Serves until `stop` is ready, then puts everything back. Configuration and policies are read again whenever their files
/// change, and at each message of `reload`.
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
    mut reload: mpsc::Receiver<()>,
) -> Result<()> {
    let secret = secret::load_or_create(&options.state_dir)?;
    info!(version = env!("CARGO_PKG_VERSION"), socket = %options.socket.display(), "started");
    // Before anything is read: what changes afterwards is noticed.
    let (changed, read_again) = mpsc::channel(1);
    watch::start(&options.config, &options.policy_dir, changed.clone());
    tokio::spawn(async move { while reload.recv().await.is_some() && changed.send(()).await.is_ok() {} });
    let sources = config::Sources::new(&options.config, &options.policy_dir);
    let keeper = memory::Keeper::open(&options.state_dir, &*clock);
    driver::Driver::new(host, io, clock, sources, secret, keeper).run(server, stop, read_again).await
}

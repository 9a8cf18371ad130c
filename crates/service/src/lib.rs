//! The Everclat service: wires the platform, the engine and the plane. It executes and decides nothing.

#![forbid(unsafe_code)]

mod config;
mod driver;
mod options;
mod os;
mod plane;
mod secret;

use std::sync::Arc;

use anyhow::{Context, Result};
use platform_api::Clock;
use tracing::{info, warn};

pub use options::Options;

/// Runs the service until it is told to stop (SIGTERM, Ctrl-C).
///
/// # Errors
/// When it cannot start, or when the system no longer tells it what happens.
pub fn run(options: &Options) -> Result<()> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().context("start the runtime")?;
    runtime.block_on(serve(options))
}

async fn serve(options: &Options) -> Result<()> {
    let secret = secret::load_or_create(&options.state_dir)?;
    let (settings, problems) = config::load(&options.config);
    for problem in problems {
        warn!("{problem}");
    }
    let server = os::bind(&options.socket).await?;
    let clock: Arc<dyn Clock> = Arc::new(os::clock());
    let host = os::host()?;
    info!(version = env!("CARGO_PKG_VERSION"), socket = %options.socket.display(), "started");
    let result = driver::Driver::new(host, os::io(), clock, settings, secret).run(server, os::stop_signal()?).await;
    // The listener removed its socket when it ended; a directory that is empty again is ours to remove, too.
    os::unbind(&options.socket);
    result
}

use std::fs::{File, OpenOptions, Permissions};
use std::io;
use std::os::unix::fs::{OpenOptionsExt, PermissionsExt};
use std::path::Path;
use std::sync::Arc;

use anyhow::{Context, Result};
use ipc::Server;
use platform_linux::{LinuxClock, LinuxHost, LinuxIo};
use tokio::runtime::{Builder, Runtime};
use tokio::signal::unix::{Signal, SignalKind, signal};
use tokio::sync::mpsc;

use crate::{Options, serve};

pub(crate) const DEFAULT_CONFIG: &str = "/etc/everclat/config.toml";
pub(crate) const DEFAULT_POLICY_DIR: &str = "/etc/everclat/policy.d";
pub(crate) const DEFAULT_STATE_DIR: &str = "/var/lib/everclat";

/// Signals that have been caught, and the runtime that hears of them.
pub struct Signals {
    runtime: Runtime,
    terminate: Signal,
    interrupt: Signal,
    hangup: Signal,
}

impl Signals {
    /// To be called before anything else: until then a signal ends the process on the spot.
    ///
    /// # Errors
    /// When the system refuses.
    pub fn catch() -> Result<Self> {
        let runtime = Builder::new_current_thread().enable_all().build().context("start the runtime")?;
        let inside = runtime.enter();
        let terminate = signal(SignalKind::terminate()).context("listen for SIGTERM")?;
        let interrupt = signal(SignalKind::interrupt()).context("listen for SIGINT")?;
        let hangup = signal(SignalKind::hangup()).context("listen for SIGHUP")?;
        drop(inside);
        Ok(Self { runtime, terminate, interrupt, hangup })
    }
}

/// Runs the service until it is told to stop (SIGTERM, Ctrl-C), or was already.
///
/// # Errors
/// When it cannot start, or when the kernel no longer tells what happens.
pub fn run(options: &Options, signals: Signals) -> Result<()> {
    let Signals { runtime, terminate, interrupt, hangup } = signals;
    runtime.block_on(async {
        let stop = first_of(terminate, interrupt);
        let server = bind(&options.socket).await?;
        let clock = Arc::new(LinuxClock::start());
        let result = serve(options, server, LinuxHost::connect()?, LinuxIo, clock, stop, messages(hangup)).await;
        unbind(&options.socket);
        result
    })
}

/// Listens at `path`, open to every local user; what each may do is decided by who connects.
async fn bind(path: &Path) -> Result<Server> {
    if let Some(parent) = path.parent() {
        std::fs::create_dir_all(parent).with_context(|| format!("create {}", parent.display()))?;
    }
    let server = match Server::bind(path, concat!("everclatd ", env!("CARGO_PKG_VERSION"))).await {
        Ok(server) => server,
        Err(error) if error.kind() == io::ErrorKind::AddrInUse => {
            anyhow::bail!("another everclatd listens at {}; stop it, or choose another --socket", path.display())
        }
        Err(error) => return Err(error).with_context(|| format!("listen at {}", path.display())),
    };
    std::fs::set_permissions(path, Permissions::from_mode(0o666))
        .with_context(|| format!("open {} to local users", path.display()))?;
    Ok(server)
}

/// Leaves no empty directory of ours in /run.
fn unbind(path: &Path) {
    // A directory with something else in it is not ours and stays: that is not an error.
    if let Some(parent) = path.parent().filter(|parent| parent.ends_with("run/everclat")) {
        let _ = std::fs::remove_dir(parent);
    }
}

/// Ends with the first of either.
async fn first_of(mut terminate: Signal, mut interrupt: Signal) {
    tokio::select! {
        _ = terminate.recv() => {}
        _ = interrupt.recv() => {}
    }
}

/// A message for each signal.
fn messages(mut signal: Signal) -> mpsc::Receiver<()> {
    let (sender, receiver) = mpsc::channel(1);
    tokio::spawn(async move {
        while signal.recv().await.is_some() {
            // One that waits stands for those that come meanwhile.
            if let Err(mpsc::error::TrySendError::Closed(())) = sender.try_send(()) {
                return;
            }
        }
    });
    receiver
}

/// A new file that only root may read.
pub(crate) fn create_private(path: &Path) -> io::Result<File> {
    OpenOptions::new().write(true).create(true).truncate(true).mode(0o600).open(path)
}

#[cfg(test)]
pub(crate) fn is_private(path: &Path) -> io::Result<bool> {
    Ok(std::fs::metadata(path)?.permissions().mode() & 0o077 == 0)
}

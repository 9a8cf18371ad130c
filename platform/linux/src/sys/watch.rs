#![allow(unsafe_code, reason = "tokio cannot see that a descriptor stays open")]

use std::io;
use std::os::fd::OwnedFd;

use tokio::io::unix::AsyncFd;

/// Has tokio say when there is something to read; must be called inside the runtime.
pub(crate) fn watch(fd: OwnedFd) -> io::Result<AsyncFd<OwnedFd>> {
    // SAFETY: an OwnedFd is open until it is dropped and always names the same descriptor.
    Ok(unsafe { AsyncFd::register(fd) }?)
}

//! Protocol and transport between the service and its clients.
//!
//! One local socket (a Unix socket, on Windows a named pipe), many clients. Each message is a frame: its length as four
//! bytes, then JSON. Both sides say [`Hello`] first; the service then answers requests until the client leaves.
//! Rights come from the peer's identity as the operating system tells it, never from what a client says.

#![forbid(unsafe_code)]

mod client;
mod log;
mod message;
mod peer;
mod places;
mod server;
mod transport;

pub use client::{Client, ClientError, Heard, Skew};
pub use log::{LogBatch, LogEntry, LogLevel};
pub use message::{Control, Hello, MIN_PROTOCOL, PROTOCOL, Refusal, RefusalKind, Reply, Request, SettingsReport};
pub use peer::{Peer, Rights};
pub use server::{Backend, Server};

/// Where the service listens unless it is told otherwise (product.md). On Windows the name of a pipe.
#[must_use]
pub fn default_endpoint() -> &'static str {
    peer::DEFAULT_ENDPOINT
}

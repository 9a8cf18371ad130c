//! The whole service on the scripted host: real threads, real sockets for clients, manual time.

#![expect(clippy::unwrap_used, reason = "a test may panic")]

mod batches;
mod clients;
mod failures;
mod fast;
mod flows;
mod lending;
mod packets;
mod planes;
mod settings;
mod support;

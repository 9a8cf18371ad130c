//! Neighbour discovery for X, the address the kernel must not know about (RFC 4861, RFC 4862, RFC 4429).
//!
//! [`Agent`] is sans-IO: frames in, frames out, time passed in. The plane runs it beside the translator.

mod agent;
mod message;

pub use agent::{Agent, AgentConfig, AgentEvent};
pub use message::{MAX_FRAME, Message, NdError};

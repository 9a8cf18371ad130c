//! The control socket of a router: one line of JSON each way.

use std::io::{BufRead, BufReader, Write};
use std::path::Path;

use anyhow::Context;
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};

use crate::error::Result;
use crate::ra::{RaPatch, RouterStatus};
use crate::sys::ControlStream;

/// What a router can be asked.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Request {
    /// What do you advertise?
    Status,
    /// Advertise something else.
    Patch(RaPatch),
    /// Your link has come up: advertise, unless you are silent.
    LinkUp,
}

/// Asks the router behind `socket`; the answer is its status after the request.
pub(crate) fn ask(socket: &Path, request: &Request) -> Result<RouterStatus> {
    let exchange = || {
        let stream = ControlStream::connect(socket)?;
        write_line(&stream, request)?;
        read_line(&stream)
    };
    Ok(exchange().with_context(|| format!("asking the router at {}", socket.display()))?)
}

pub(crate) fn write_line(mut stream: &ControlStream, value: &impl Serialize) -> anyhow::Result<()> {
    let line = serde_json::to_string(value)? + "\n";
    Ok(stream.write_all(line.as_bytes())?)
}

pub(crate) fn read_line<T: DeserializeOwned>(stream: &ControlStream) -> anyhow::Result<T> {
    let mut line = String::new();
    BufReader::new(stream).read_line(&mut line)?;
    Ok(serde_json::from_str(&line)?)
}

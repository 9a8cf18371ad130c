//! Frames over a local socket.

use std::io;
use std::path::Path;

use futures::{SinkExt, StreamExt};
use interprocess::local_socket::tokio::Stream;
use interprocess::local_socket::{GenericFilePath, Name, ToFsName};
use serde::Serialize;
use serde::de::DeserializeOwned;
use tokio::io::{ReadHalf, WriteHalf};
use tokio_util::bytes::Bytes;
use tokio_util::codec::{FramedRead, FramedWrite, LengthDelimitedCodec};

/// Requests are a few dozen bytes; nobody may make the service hold more.
pub(crate) const MAX_REQUEST: usize = 16 << 10;
/// A status with every interface and counter is a few kilobytes.
pub(crate) const MAX_REPLY: usize = 1 << 20;

/// A connection that sends and receives whole messages.
#[derive(Debug)]
pub(crate) struct Connection {
    incoming: FramedRead<ReadHalf<Stream>, LengthDelimitedCodec>,
    outgoing: FramedWrite<WriteHalf<Stream>, LengthDelimitedCodec>,
}

impl Connection {
    /// `max_frame` limits what the other side may send, in bytes.
    pub(crate) fn new(stream: Stream, max_frame: usize) -> Self {
        let codec = |limit| LengthDelimitedCodec::builder().max_frame_length(limit).new_codec();
        let (receive, send) = tokio::io::split(stream);
        Self {
            incoming: FramedRead::new(receive, codec(max_frame)),
            outgoing: FramedWrite::new(send, codec(MAX_REPLY)),
        }
    }

    pub(crate) async fn send(&mut self, message: &impl Serialize) -> io::Result<()> {
        let bytes = serde_json::to_vec(message).map_err(io::Error::other)?;
        self.outgoing.send(Bytes::from(bytes)).await
    }

    /// The next message; `None` when the other side has left. A frame that is no `T` is an error of kind
    /// [`io::ErrorKind::InvalidData`].
    pub(crate) async fn receive<T: DeserializeOwned>(&mut self) -> io::Result<Option<T>> {
        let Some(frame) = self.incoming.next().await.transpose()? else { return Ok(None) };
        serde_json::from_slice(&frame).map(Some).map_err(|error| io::Error::new(io::ErrorKind::InvalidData, error))
    }
}

pub(crate) fn name(path: &Path) -> io::Result<Name<'_>> {
    path.to_fs_name::<GenericFilePath>()
}

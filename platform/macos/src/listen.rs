//! Listens to the kernel on two sockets: routing messages (addresses, routes, interfaces) and kernel events (carrier,
//! neighbours, DAD). Neither needs root, and both end with their descriptor.

use std::io::{self, Read};
use std::os::fd::AsFd;

use platform_api::{EVENT_QUEUE, HostError, HostEvent};
use socket2::{Domain, Protocol, Socket, Type};
use tokio::io::unix::AsyncFd;
use tokio::sync::mpsc;
use tracing::error;

use crate::{codec, sys};

/// Room for a burst. What does not fit is lost in silence, but never the last word: a hint follows whatever was read.
const RECEIVE_BUFFER: usize = 1 << 18;

/// More than the longest message of either socket.
const MESSAGE_LENGTH: usize = 4096;

/// Starts to listen; must be called inside the runtime. Ends when the receiver is dropped.
pub(crate) fn listen() -> Result<mpsc::Receiver<HostEvent>, HostError> {
    let routing = routing().map_err(|error| HostError::new("listen to routing messages", error))?;
    let events = events().map_err(|error| HostError::new("listen to kernel events", error))?;
    let (sender, receiver) = mpsc::channel(EVENT_QUEUE);
    tokio::spawn(run(routing, events, sender));
    Ok(receiver)
}

fn routing() -> io::Result<AsyncFd<Socket>> {
    ready(Socket::new(Domain::from(libc::PF_ROUTE), Type::RAW, None)?)
}

fn events() -> io::Result<AsyncFd<Socket>> {
    let socket = Socket::new(Domain::from(libc::PF_SYSTEM), Type::RAW, Some(Protocol::from(libc::SYSPROTO_EVENT)))?;
    sys::set_event_filter(socket.as_fd())?;
    ready(socket)
}

fn ready(socket: Socket) -> io::Result<AsyncFd<Socket>> {
    socket.set_recv_buffer_size(RECEIVE_BUFFER)?;
    socket.set_nonblocking(true)?;
    sys::watch(socket)
}

async fn run(routing: AsyncFd<Socket>, events: AsyncFd<Socket>, sender: mpsc::Sender<HostEvent>) {
    loop {
        let changed = tokio::select! {
            () = sender.closed() => return,
            changed = drained(&routing, codec::is_routing_change) => changed,
            changed = drained(&events, codec::is_kernel_change) => changed,
        };
        match changed {
            // A hint that does not fit is one of many that wait already; a closed channel ends the next round.
            Ok(true) => drop(sender.try_send(HostEvent::Changed)),
            Ok(false) => {}
            Err(error) => {
                // Dropping the sender tells the service, which ends: a deaf translator would serve a network that is
                // gone.
                error!(%error, "no longer hearing the kernel");
                return;
            }
        }
    }
}

/// Waits for messages, reads until there are none and says whether one of them tells of a change.
async fn drained(socket: &AsyncFd<Socket>, is_change: fn(&[u8]) -> bool) -> io::Result<bool> {
    let mut guard = socket.readable().await?;
    let mut bytes = [0; MESSAGE_LENGTH];
    let mut changed = false;
    while let Ok(read) = guard.try_io(|socket| socket.get_ref().read(&mut bytes)) {
        match read {
            Ok(0) => return Err(io::ErrorKind::UnexpectedEof.into()),
            Ok(length) => changed |= bytes.get(..length).is_some_and(is_change),
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            // Messages were lost.
            Err(error) if error.raw_os_error() == Some(libc::ENOBUFS) => changed = true,
            Err(error) => return Err(error),
        }
    }
    Ok(changed)
}

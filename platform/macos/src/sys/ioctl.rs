#![allow(unsafe_code, reason = "ioctl: see the SAFETY sentence")]

use std::io;
use std::net::Ipv6Addr;
use std::os::fd::{AsRawFd, BorrowedFd};

use libc::c_void;

use crate::codec::{self, Ioctl};

/// Whether the medium of the interface `name` is connected; `None` when it has none, as tunnels do.
pub(crate) fn media_active(socket: BorrowedFd<'_>, name: &str) -> Option<bool> {
    let (command, mut argument) = codec::media_request(name)?;
    ioctl(socket, command, &mut argument).ok()?;
    codec::media_active(&argument)
}

/// The MTU that IPv6 uses on the interface `name`; `None` when IPv6 is off there.
pub(crate) fn link_mtu(socket: BorrowedFd<'_>, name: &str) -> Option<u32> {
    let (command, mut argument) = codec::nd_request(name)?;
    ioctl(socket, command, &mut argument).ok()?;
    codec::nd_link_mtu(&argument)
}

/// The state (`IN6_IFF_*`) of an address; `None` when it has gone since it was listed.
pub(crate) fn address_flags(socket: BorrowedFd<'_>, name: &str, address: Ipv6Addr) -> Option<u32> {
    let (command, mut argument) = codec::address_flags_request(name, address)?;
    ioctl(socket, command, &mut argument).ok()?;
    Some(codec::address_flags_reply(&argument))
}

/// Has a kernel event socket hear about the network.
pub(crate) fn set_event_filter(socket: BorrowedFd<'_>) -> io::Result<()> {
    ioctl(socket, codec::SET_EVENT_FILTER, &mut codec::event_filter())
}

/// Only for the commands of `codec`: their arguments hold no pointer but one null pointer to nothing.
fn ioctl<const N: usize>(socket: BorrowedFd<'_>, command: Ioctl, argument: &mut [u8; N]) -> io::Result<()> {
    let code = command.code(N).ok_or(io::ErrorKind::InvalidInput)?;
    // SAFETY: the descriptor is open for as long as it is borrowed; the code tells the kernel to copy N bytes, which is
    // the size of `argument`, and `argument` is borrowed mutably through the call.
    let result = unsafe { libc::ioctl(socket.as_raw_fd(), code, argument.as_mut_ptr().cast::<c_void>()) };
    if result == 0 { Ok(()) } else { Err(io::Error::last_os_error()) }
}

#![allow(unsafe_code, reason = "packet sockets: see each SAFETY sentence")]

use std::io;
use std::mem::size_of;
use std::os::fd::{AsRawFd, BorrowedFd};

use libc::{c_int, c_void, sockaddr, sockaddr_ll, socklen_t};

/// Has every frame preceded by a `virtio_net_hdr`, both ways (`packet(7)`, `PACKET_VNET_HDR`).
pub(crate) fn enable_vnet_header(socket: BorrowedFd<'_>) -> io::Result<()> {
    let on: c_int = 1;
    let length = socklen_t::try_from(size_of::<c_int>()).map_err(io::Error::other)?;
    // SAFETY: the descriptor is open for as long as it is borrowed; `on` lives through the call and `length` is its
    // size.
    let result = unsafe {
        libc::setsockopt(
            socket.as_raw_fd(),
            libc::SOL_PACKET,
            libc::PACKET_VNET_HDR,
            (&raw const on).cast::<c_void>(),
            length,
        )
    };
    checked(result)
}

/// Binds a packet socket to an interface and an EtherType in network byte order; 0 receives nothing.
pub(crate) fn bind_to_link(socket: BorrowedFd<'_>, link: u32, ethertype: u16) -> io::Result<()> {
    let address = sockaddr_ll {
        sll_family: u16::try_from(libc::AF_PACKET).map_err(io::Error::other)?,
        sll_protocol: ethertype.to_be(),
        sll_ifindex: i32::try_from(link).map_err(io::Error::other)?,
        sll_hatype: 0,
        sll_pkttype: 0,
        sll_halen: 0,
        sll_addr: [0; 8],
    };
    let length = socklen_t::try_from(size_of::<sockaddr_ll>()).map_err(io::Error::other)?;
    // SAFETY: the descriptor is open for as long as it is borrowed; `address` is a whole sockaddr_ll that lives through
    // the call and `length` is its size.
    let result = unsafe { libc::bind(socket.as_raw_fd(), (&raw const address).cast::<sockaddr>(), length) };
    checked(result)
}

fn checked(result: c_int) -> io::Result<()> {
    if result == 0 { Ok(()) } else { Err(io::Error::last_os_error()) }
}

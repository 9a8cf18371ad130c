#![allow(unsafe_code, reason = "packet sockets: see each SAFETY sentence")]

use std::io;
use std::mem::{MaybeUninit, size_of};
use std::os::fd::{AsRawFd, BorrowedFd};

use libc::{c_int, c_uint, c_void, iovec, mmsghdr, sockaddr, sockaddr_ll, socklen_t};
use platform_api::AT_ONCE;

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

/// Receives one message into each of `areas`, as many as there are, without waiting for any. Their lengths are put into
/// `lengths`, as they really were: one that did not fit is longer than its area. Looks at no more than [`AT_ONCE`] areas.
///
/// # Errors
/// When there is no message, or the socket says what is wrong with it.
pub(crate) fn recv_many<'a>(
    socket: BorrowedFd<'_>,
    areas: impl Iterator<Item = &'a mut [u8]>,
    lengths: &mut [usize; AT_ONCE],
) -> io::Result<usize> {
    // SAFETY: iovec and mmsghdr are C structures for which all zeroes mean "nothing": null pointers with lengths of zero.
    let mut slices: [iovec; AT_ONCE] = unsafe { MaybeUninit::zeroed().assume_init() };
    // SAFETY: see above.
    let mut messages: [mmsghdr; AT_ONCE] = unsafe { MaybeUninit::zeroed().assume_init() };
    let mut count: c_uint = 0;
    for ((area, slice), message) in areas.zip(&mut slices).zip(&mut messages) {
        *slice = iovec { iov_base: area.as_mut_ptr().cast(), iov_len: area.len() };
        message.msg_hdr.msg_iov = slice;
        message.msg_hdr.msg_iovlen = 1;
        count += 1;
    }
    // TRUNC: the length is to be that of the message, not of what of it was taken.
    let flags = libc::MSG_DONTWAIT | libc::MSG_TRUNC;
    // SAFETY: the descriptor is open for as long as it is borrowed. The first `count` of `messages` name one slice each, and
    // that the memory of an area, which nobody else uses as long as 'a lasts; all of it outlives the call.
    let result =
        unsafe { libc::recvmmsg(socket.as_raw_fd(), messages.as_mut_ptr(), count, flags, std::ptr::null_mut()) };
    let received = usize::try_from(result).map_err(|_| io::Error::last_os_error())?;
    for (length, message) in lengths.iter_mut().zip(&messages).take(received) {
        *length = usize::try_from(message.msg_len).unwrap_or(usize::MAX);
    }
    Ok(received)
}

fn checked(result: c_int) -> io::Result<()> {
    if result == 0 { Ok(()) } else { Err(io::Error::last_os_error()) }
}

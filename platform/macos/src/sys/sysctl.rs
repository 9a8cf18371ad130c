#![allow(unsafe_code, reason = "sysctl: see each SAFETY sentence")]

use std::io;
use std::mem::size_of;
use std::ptr;

use libc::{c_int, c_uint, c_void};

/// A table of the routing subsystem.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Table {
    /// Interfaces and addresses of all families.
    Interfaces,
    /// Routes of all families.
    Routes,
    /// IPv6 neighbours.
    Neighbours,
}

/// How often a table that grows between asking for its size and its content is asked for again.
const ATTEMPTS: usize = 5;

/// The content of `table` as routing messages.
pub(crate) fn table(table: Table) -> io::Result<Vec<u8>> {
    let (family, what, argument) = match table {
        Table::Interfaces => (0, libc::NET_RT_IFLIST2, 0),
        Table::Routes => (0, libc::NET_RT_DUMP, 0),
        Table::Neighbours => (libc::AF_INET6, libc::NET_RT_FLAGS, libc::RTF_LLINFO),
    };
    let mut name = [libc::CTL_NET, libc::PF_ROUTE, 0, family, what, argument];
    let mut result = Err(io::ErrorKind::Interrupted.into());
    for _ in 0..ATTEMPTS {
        result = read(&mut name);
        match &result {
            Err(error) if error.raw_os_error() == Some(libc::ENOMEM) => {}
            Ok(_) | Err(_) => break,
        }
    }
    result
}

fn read(name: &mut [c_int; 6]) -> io::Result<Vec<u8>> {
    let parts = c_uint::try_from(name.len()).map_err(io::Error::other)?;
    let mut length = 0;
    // SAFETY: `name` has `parts` elements; without a buffer the kernel only writes the size to `length`; nothing is
    // set.
    let result =
        unsafe { libc::sysctl(name.as_mut_ptr(), parts, ptr::null_mut(), &raw mut length, ptr::null_mut(), 0) };
    checked(result)?;
    // Room for what comes in between.
    length += length / 4;
    let mut bytes = vec![0; length];
    // SAFETY: as above, and `bytes` has room for `length` bytes, of which the kernel writes no more.
    let result = unsafe {
        libc::sysctl(name.as_mut_ptr(), parts, bytes.as_mut_ptr().cast::<c_void>(), &raw mut length, ptr::null_mut(), 0)
    };
    checked(result)?;
    bytes.truncate(length);
    Ok(bytes)
}

/// Whether the kernel forwards IPv6 packets, on any interface.
pub(crate) fn forwards_ipv6() -> io::Result<bool> {
    let mut value: c_int = 0;
    let mut length = size_of::<c_int>();
    // SAFETY: the name ends with a zero; `value` has room for `length` bytes and is a plain number; nothing is set.
    let result = unsafe {
        libc::sysctlbyname(
            c"net.inet6.ip6.forwarding".as_ptr(),
            (&raw mut value).cast::<c_void>(),
            &raw mut length,
            ptr::null_mut(),
            0,
        )
    };
    checked(result)?;
    Ok(value != 0)
}

fn checked(result: c_int) -> io::Result<()> {
    if result == 0 { Ok(()) } else { Err(io::Error::last_os_error()) }
}

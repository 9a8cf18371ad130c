#![allow(unsafe_code, reason = "a system call: see its SAFETY sentence")]

use std::io;
use std::mem::size_of;
use std::os::fd::{AsRawFd, BorrowedFd};

const LOOKUP_BATCH: libc::c_long = 24;
const LOOKUP_AND_DELETE_BATCH: libc::c_long = 25;

/// What `bpf(2)` wants to know for these two.
#[repr(C)]
#[derive(Default)]
struct Batch {
    in_batch: u64,
    out_batch: u64,
    keys: u64,
    values: u64,
    count: u32,
    map: u32,
    element_flags: u64,
    flags: u64,
}

/// Reads all of a hash map by one call, and empties it if it is to be taken. `keys` and `values` have as many places as the
/// map has, and are of its own sizes; says how many are filled.
pub(crate) fn read_hash<K: Copy, V: Copy>(
    map: BorrowedFd<'_>,
    keys: &mut [K],
    values: &mut [V],
    take: bool,
) -> io::Result<usize> {
    // Where it would go on if there were more.
    let mut next = 0_u64;
    let address = |at: *mut u8| u64::try_from(at.expose_provenance()).map_err(io::Error::other);
    let mut batch = Batch {
        out_batch: address((&raw mut next).cast())?,
        keys: address(keys.as_mut_ptr().cast())?,
        values: address(values.as_mut_ptr().cast())?,
        count: u32::try_from(keys.len().min(values.len())).map_err(io::Error::other)?,
        map: u32::try_from(map.as_raw_fd()).map_err(io::Error::other)?,
        ..Batch::default()
    };
    let command = if take { LOOKUP_AND_DELETE_BATCH } else { LOOKUP_BATCH };
    // SAFETY: `batch` is a whole attribute of `size_of` bytes for these commands. The kernel writes at most `count` keys and
    // values, plain numbers of the map's own sizes (the caller's duty), to where there are as many, and four bytes to `next`;
    // all of it lives through the call.
    let result = unsafe { libc::syscall(libc::SYS_bpf, command, &raw mut batch, size_of::<Batch>()) };
    let count = usize::try_from(batch.count).map_err(io::Error::other)?;
    if result == 0 {
        return Ok(count);
    }
    let error = io::Error::last_os_error();
    // How it says that this was all.
    if error.raw_os_error() == Some(libc::ENOENT) { Ok(count) } else { Err(error) }
}

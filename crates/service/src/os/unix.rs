use std::fs::{File, Metadata};
use std::io;
use std::os::unix::fs::MetadataExt;
use std::path::Path;

use rustix::fs::{Mode, OFlags};

/// Whether what stands in a file, or which files stand in a directory, is the administrator's word: nobody else can have
/// written it.
pub(crate) fn trusted(metadata: &Metadata) -> Result<(), String> {
    let owner = metadata.uid();
    // Who runs a service of their own is its administrator.
    if owner != 0 && owner != rustix::process::geteuid().as_raw() {
        return Err(format!("belongs to user {owner}, not to root; it is not taken: chown root"));
    }
    if metadata.mode() & 0o022 != 0 {
        return Err("may be written by others than its owner; it is not taken: chmod go-w".to_owned());
    }
    Ok(())
}

/// What changes with a file: device and number, size, both times, owner and rights.
pub(crate) type Fingerprint = (u64, u64, u64, (i64, i64), (i64, i64), (u32, u32));

/// What changes with the file of `metadata`.
pub(crate) fn fingerprint(metadata: &Metadata) -> Fingerprint {
    (
        metadata.dev(),
        metadata.ino(),
        metadata.len(),
        (metadata.mtime(), metadata.mtime_nsec()),
        (metadata.ctime(), metadata.ctime_nsec()),
        (metadata.uid(), metadata.mode()),
    )
}

/// Opens a file of ours to be read: no link to elsewhere, nothing that could block, nobody else's.
pub(crate) fn open_ours(path: &Path) -> io::Result<File> {
    let flags = OFlags::RDONLY | OFlags::NOFOLLOW | OFlags::NONBLOCK | OFlags::CLOEXEC;
    let file = File::from(rustix::fs::open(path, flags, Mode::empty())?);
    let metadata = file.metadata()?;
    if !metadata.is_file() {
        return Err(io::Error::other("it is not a plain file"));
    }
    trusted(&metadata).map_err(io::Error::other)?;
    Ok(file)
}

/// Has what was renamed in a directory be on the disk.
pub(crate) fn sync_directory(path: &Path) -> io::Result<()> {
    File::open(path)?.sync_all()
}

//! Files of the state directory: nobody else's to read, and whole or not there at all.

use std::fs;
use std::io::{self, ErrorKind, Write};
use std::path::Path;

use crate::os;

/// Replaces `path` by a file with `bytes`: written beside, then renamed over. It is on the disk when this returns.
///
/// # Errors
/// When the system refuses; the file is what it was then.
pub(crate) fn replace(path: &Path, bytes: &[u8]) -> io::Result<()> {
    let beside = path.with_extension("new");
    match fs::remove_file(&beside) {
        Err(error) if error.kind() != ErrorKind::NotFound => return Err(error),
        // What a process that died has left there may have been anybody's to read.
        Ok(()) | Err(_) => {}
    }
    let result = write(&beside, bytes).and_then(|()| fs::rename(&beside, path));
    if result.is_err() {
        // On a full disk its place is worth more.
        let _ = fs::remove_file(&beside);
    }
    result?;
    path.parent().map_or(Ok(()), os::sync_directory)
}

fn write(path: &Path, bytes: &[u8]) -> io::Result<()> {
    let mut file = os::create_private(path)?;
    file.write_all(bytes)?;
    file.sync_all()
}

//! Whose lab it is: two programs on one machine that want labs of the same name take turns.
//!
//! [`crate::state::Lock`] is held while a lab is built or removed; this one as long as a program works with it.

use std::fs::{self, File, TryLockError};
use std::io::{ErrorKind, Write};
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use anyhow::Context;

use crate::error::{Error, Result};
use crate::sys;

/// Looking again costs nothing; the wait is for a whole test.
const AGAIN: Duration = Duration::from_millis(100);

/// The right to a lab's name. Ends with the value, and with the process however that ends.
#[derive(Debug)]
pub(crate) struct Reservation {
    directory: PathBuf,
    path: PathBuf,
    /// The lock lives as long as this open file.
    _file: File,
}

impl Reservation {
    /// Waits until nobody else has `name`, at most for `patience`, and says on stderr that it waits.
    pub(crate) fn take(directory: &Path, name: &str, patience: Duration) -> Result<Self> {
        let path = directory.join(format!(".{name}.user"));
        let begin = Instant::now();
        let mut told = false;
        loop {
            if let Some(file) = try_take(directory, &path)? {
                return Ok(Self { directory: directory.to_owned(), path, _file: file });
            }
            let holder = fs::read_to_string(&path).unwrap_or_default();
            let what = match holder.trim() {
                // It has just let go.
                "" => format!("lab `{name}`, which another process works with"),
                pid => format!("lab `{name}`, which process {pid} works with"),
            };
            if begin.elapsed() >= patience {
                return Err(Error::Timeout { what, after_s: patience.as_secs() });
            }
            if !told {
                told = true;
                // Past the capture of a test runner: whoever looks at it must know why nothing happens.
                drop(writeln!(std::io::stderr(), "waiting for {what}"));
            }
            std::thread::sleep(AGAIN);
        }
    }
}

impl Drop for Reservation {
    fn drop(&mut self) {
        // Before the lock ends: who gets it on a removed file notices and takes the next one.
        drop(fs::remove_file(&self.path));
        // Refused as long as there is a lab.
        drop(fs::remove_dir(&self.directory));
    }
}

/// `None` when somebody else has it.
fn try_take(directory: &Path, path: &Path) -> Result<Option<File>> {
    fs::create_dir_all(directory).with_context(|| format!("creating {}", directory.display()))?;
    let file = match File::options().create(true).truncate(false).write(true).open(path) {
        // Somebody has just removed the directory with the last lab.
        Err(error) if error.kind() == ErrorKind::NotFound => return Ok(None),
        result => result.with_context(|| format!("creating {}", path.display()))?,
    };
    match file.try_lock() {
        Ok(()) => {}
        Err(TryLockError::WouldBlock) => return Ok(None),
        Err(TryLockError::Error(error)) => {
            return Err(anyhow::Error::from(error).context(format!("locking {}", path.display())).into());
        }
    }
    if !sys::is_same_file(&file, path) {
        return Ok(None);
    }
    let write = || file.set_len(0).and_then(|()| writeln!(&file, "{}", std::process::id()));
    write().with_context(|| format!("writing {}", path.display()))?;
    Ok(Some(file))
}

#[cfg(all(test, target_os = "linux"))]
mod tests {
    use super::*;

    fn directory(name: &str) -> PathBuf {
        std::env::temp_dir().join(format!("everclat-{name}-{}", std::process::id()))
    }

    #[test]
    fn the_second_waits_for_the_first() {
        let directory = directory("turns");
        let first = Reservation::take(&directory, "x", Duration::ZERO).unwrap();
        let refused = Reservation::take(&directory, "x", Duration::from_millis(150)).unwrap_err().to_string();
        assert!(refused.contains(&format!("process {} works with", std::process::id())), "{refused}");
        let other = Reservation::take(&directory, "y", Duration::ZERO).unwrap();
        let second = std::thread::spawn({
            let directory = directory.clone();
            move || Reservation::take(&directory, "x", Duration::from_secs(10)).map(|_| Instant::now())
        });
        std::thread::sleep(Duration::from_millis(150));
        let released = Instant::now();
        drop(first);
        assert!(second.join().unwrap().unwrap() >= released);
        drop(other);
        assert!(!directory.exists(), "nothing is left");
    }

    #[test]
    fn many_never_have_it_at_once() {
        let directory = directory("crowd");
        let inside = std::sync::atomic::AtomicU32::new(0);
        std::thread::scope(|scope| {
            for _ in 0..8 {
                scope.spawn(|| {
                    let held = Reservation::take(&directory, "x", Duration::from_secs(30)).unwrap();
                    assert_eq!(inside.fetch_add(1, std::sync::atomic::Ordering::SeqCst), 0);
                    std::thread::sleep(Duration::from_millis(5));
                    inside.fetch_sub(1, std::sync::atomic::Ordering::SeqCst);
                    drop(held);
                });
            }
        });
        assert!(!directory.exists());
    }
}

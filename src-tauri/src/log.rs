//! The app's own log: a file of the user's, and the one before it. Never more than twice [`LIMIT`].

use std::fs::{File, OpenOptions};
use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};

use tracing_subscriber::EnvFilter;
use tracing_subscriber::fmt::MakeWriter;

/// Bytes in one file.
const LIMIT: u64 = 1 << 20;

/// Logs into `directory` from now on; where that cannot be had, to stderr. `EVERCLAT_LOG` says how much, as for the service.
pub(crate) fn start(directory: Option<&Path>) {
    let filter = || EnvFilter::try_from_env("EVERCLAT_LOG").unwrap_or_else(|_| EnvFilter::new("info"));
    let file = directory.ok_or(io::ErrorKind::NotFound.into()).and_then(Book::open);
    let builder = tracing_subscriber::fmt().with_env_filter(filter()).with_ansi(false);
    // A second start in one process would be a mistake that nobody notices.
    let _ = match file {
        Ok(book) => builder.with_writer(book).try_init(),
        Err(_) => builder.with_writer(io::stderr).try_init(),
    };
}

/// A log file that is put aside when it is full.
#[derive(Debug)]
struct Book {
    path: PathBuf,
    open: Mutex<Page>,
}

#[derive(Debug)]
struct Page {
    file: File,
    written: u64,
}

impl Book {
    fn open(directory: &Path) -> io::Result<Self> {
        std::fs::create_dir_all(directory)?;
        let path = directory.join("everclat-tray.log");
        let page = Page::open(&path)?;
        Ok(Self { path, open: Mutex::new(page) })
    }

    fn write(&self, line: &[u8]) -> io::Result<usize> {
        let mut page = self.open.lock().unwrap_or_else(PoisonError::into_inner);
        let length = u64::try_from(line.len()).unwrap_or(u64::MAX);
        if page.written.saturating_add(length) > LIMIT {
            std::fs::rename(&self.path, self.path.with_extension("log.1"))?;
            *page = Page::open(&self.path)?;
        }
        page.file.write_all(line)?;
        page.written += length;
        Ok(line.len())
    }
}

impl Page {
    fn open(path: &Path) -> io::Result<Self> {
        let file = OpenOptions::new().create(true).append(true).open(path)?;
        let written = file.metadata()?.len();
        Ok(Self { file, written })
    }
}

impl Write for &Book {
    fn write(&mut self, line: &[u8]) -> io::Result<usize> {
        Book::write(self, line)
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl<'a> MakeWriter<'a> for Book {
    type Writer = &'a Self;

    fn make_writer(&'a self) -> Self::Writer {
        self
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_log_is_bounded_and_goes_on_where_it_was() {
        let directory = tempfile::tempdir().unwrap();
        let line = [b'x'; 1000];
        for _ in 0..3 {
            let book = Book::open(directory.path()).unwrap();
            for _ in 0..1500 {
                book.write(&line).unwrap();
            }
        }
        let files = std::fs::read_dir(directory.path()).unwrap();
        let mut sizes: Vec<u64> = files.map(|entry| entry.unwrap().metadata().unwrap().len()).collect();
        sizes.sort_unstable();
        // 4,500 lines, 1,048 to a file: what does not go into the fifth, and the fourth.
        assert_eq!(sizes, [308_000, 1_048_000]);
    }
}

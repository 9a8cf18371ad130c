//! Changes in directories, by inotify: what is written, comes, goes or is replaced, and nothing else. Directories such as
//! `/etc` are opened and read many times a second, and nobody wants to be woken by that.

use std::collections::{BTreeMap, BTreeSet};
use std::ffi::OsStr;
use std::io;
use std::mem::MaybeUninit;
use std::os::fd::OwnedFd;
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};

use rustix::fs::inotify::{self, CreateFlags, ReadFlags, Reader, WatchFlags};
use rustix::io::Errno;
use tokio::io::unix::AsyncFd;
use tokio::task::AbortHandle;

use crate::sys;

const EVENTS: WatchFlags = WatchFlags::CLOSE_WRITE
    .union(WatchFlags::ATTRIB)
    .union(WatchFlags::CREATE)
    .union(WatchFlags::DELETE)
    .union(WatchFlags::DELETE_SELF)
    .union(WatchFlags::MOVE)
    .union(WatchFlags::MOVE_SELF);

/// Listens until it is dropped.
#[derive(Debug)]
pub struct DirectoryWatch {
    task: AbortHandle,
}

impl Drop for DirectoryWatch {
    fn drop(&mut self) {
        self.task.abort();
    }
}

/// Calls `changed` with the path of each thing that changes in one of `directories`, or with nothing when changes may have
/// been missed or no more will be told. Must be called inside the runtime.
///
/// # Errors
/// When the system refuses, a directory that is not there included.
pub fn watch_directories(
    directories: &BTreeSet<PathBuf>,
    changed: impl Fn(Option<&Path>) + Send + Sync + 'static,
) -> io::Result<DirectoryWatch> {
    let inotify = sys::watch(inotify::init(CreateFlags::CLOEXEC | CreateFlags::NONBLOCK)?)?;
    let mut numbers = BTreeMap::new();
    for directory in directories {
        let number = inotify::add_watch(inotify.get_ref(), directory, EVENTS | WatchFlags::ONLYDIR)?;
        numbers.insert(number, directory.clone());
    }
    let listening = async move {
        // An end without words would be one that nobody mends.
        while listen(&inotify, &numbers, &changed).await.is_ok() {}
        changed(None);
    };
    Ok(DirectoryWatch { task: tokio::spawn(listening).abort_handle() })
}

async fn listen(
    inotify: &AsyncFd<OwnedFd>,
    numbers: &BTreeMap<i32, PathBuf>,
    changed: &(impl Fn(Option<&Path>) + Send + Sync),
) -> io::Result<()> {
    let mut ready = inotify.readable().await?;
    let mut buffer = [MaybeUninit::uninit(); 4096];
    let mut reader = Reader::new(inotify.get_ref(), &mut buffer);
    loop {
        match reader.next() {
            Ok(event) => match numbers.get(&event.wd()) {
                Some(directory) if !event.events().contains(ReadFlags::IGNORED) => {
                    let path = event.file_name().map(|name| directory.join(OsStr::from_bytes(name.to_bytes())));
                    changed(Some(path.as_deref().unwrap_or(directory)));
                }
                Some(_) => {}
                // The queue was full.
                None => changed(None),
            },
            Err(Errno::WOULDBLOCK) => {
                ready.clear_ready();
                return Ok(());
            }
            Err(Errno::INTR) => {}
            Err(error) => return Err(error.into()),
        }
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use tokio::sync::mpsc;

    use super::*;

    #[tokio::test]
    async fn changes_are_told_and_reading_is_not() {
        let root = std::env::temp_dir().join(format!("everclat-directories-{}", std::process::id()));
        std::fs::create_dir_all(&root).unwrap();
        let file = root.join("config.toml");
        std::fs::write(&file, "a").unwrap();
        let (sender, mut told) = mpsc::unbounded_channel();
        let watch = watch_directories(&BTreeSet::from([root.clone()]), move |path| {
            let _ = sender.send(path.map(Path::to_owned));
        });
        let watch = watch.unwrap();
        for _ in 0..10 {
            std::fs::read(&file).unwrap();
        }
        assert!(tokio::time::timeout(Duration::from_millis(200), told.recv()).await.is_err());
        std::fs::write(&file, "b").unwrap();
        assert_eq!(told.recv().await, Some(Some(file.clone())));
        std::fs::remove_dir_all(&root).unwrap();
        let mut seen = Vec::new();
        while let Ok(Some(path)) = tokio::time::timeout(Duration::from_millis(200), told.recv()).await {
            seen.push(path);
        }
        assert!(seen.contains(&Some(file)) && seen.contains(&Some(root.clone())), "{seen:?}");
        drop(watch);
        assert!(watch_directories(&BTreeSet::from([root]), |_| ()).is_err());
    }
}

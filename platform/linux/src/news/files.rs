//! Resolvers in files, for hosts without any service that could be asked; and the folders in which such services show that
//! they know more than they say on the bus.

use std::collections::{BTreeMap, BTreeSet};
use std::fs::File;
use std::io::{self, Read};
use std::mem::MaybeUninit;
use std::net::Ipv6Addr;
use std::os::fd::OwnedFd;
use std::path::{Path, PathBuf};
use std::time::Duration;

use rustix::fs::inotify::{self, CreateFlags, Reader, WatchFlags};
use tokio::io::unix::AsyncFd;
use tokio::sync::watch;
use tokio::time::{Instant, sleep, timeout};
use tracing::debug;

use super::{Backoff, Hints};
use crate::codec::resolvers::resolv_conf;
use crate::sys;

/// A file is written in steps, and several files in a row.
const BURST: Duration = Duration::from_millis(100);

/// `resolv.conf(5)` has three name servers; this is room for everything else.
const MAX_FILE: u64 = 64 << 10;

/// Whole files, new names and lost ones.
const EVENTS: WatchFlags =
    WatchFlags::CLOSE_WRITE.union(WatchFlags::CREATE).union(WatchFlags::DELETE).union(WatchFlags::MOVED_TO);

/// Where to look.
#[derive(Clone, Debug)]
pub(super) struct Files {
    /// Resolvers; the first file that names one counts.
    pub(super) resolvers: Vec<PathBuf>,
    /// Folders whose changes are worth a question on the bus.
    pub(super) hints: Vec<PathBuf>,
}

impl Default for Files {
    fn default() -> Self {
        Self {
            resolvers: vec![
                "/etc/resolv.conf".into(),
                // Where the first one leads to the host itself.
                "/run/systemd/resolve/resolv.conf".into(),
                "/run/NetworkManager/no-stub-resolv.conf".into(),
            ],
            // Where networkd tells resolved of new resolvers; and what resolved makes of it.
            hints: vec!["/run/systemd/netif/links".into(), "/run/systemd/resolve".into()],
        }
    }
}

/// Ends when nobody wants to know any more.
pub(super) async fn run(files: Files, hints: Hints, knows: watch::Sender<Vec<Ipv6Addr>>) {
    let mut backoff = Backoff::new();
    loop {
        let begin = Instant::now();
        let error = tokio::select! {
            Err(error) = listen(&files, &hints, &knows) => error,
            () = knows.closed() => return,
        };
        debug!(%error, "cannot listen to changes of files");
        read(&files, &knows);
        // Whoever lost interest is noticed above.
        let _ = timeout(backoff.pause(begin.elapsed()), knows.closed()).await;
    }
}

async fn listen(
    files: &Files,
    hints: &Hints,
    knows: &watch::Sender<Vec<Ipv6Addr>>,
) -> io::Result<std::convert::Infallible> {
    let inotify = sys::watch(inotify::init(CreateFlags::CLOEXEC | CreateFlags::NONBLOCK)?)?;
    loop {
        // Listen first, look afterwards. Folders come and go; one that is listened to already stays as it is.
        let watched = watch_all(&inotify, files);
        read(files, knows);
        tokio::select! {
            ready = inotify.readable() => {
                let mut ready = ready?;
                sleep(BURST).await;
                let changed = drain(&inotify)?;
                ready.clear_ready();
                if changed.iter().any(|number| watched.get(number).is_some_and(|folder| files.hints.contains(folder))) {
                    hints.bus.notify_one();
                }
            }
            () = hints.files.notified() => {}
        }
    }
}

/// Listens to the folders of all files, behind links too, and those of the hints.
fn watch_all(inotify: &AsyncFd<OwnedFd>, files: &Files) -> BTreeMap<i32, PathBuf> {
    let mut folders: BTreeSet<PathBuf> = files.hints.iter().cloned().collect();
    for file in &files.resolvers {
        let real = file.canonicalize().ok();
        folders
            .extend([Some(file), real.as_ref()].into_iter().flatten().filter_map(|file| Some(file.parent()?.into())));
    }
    // That a folder is not there is normal.
    let number = |folder: &PathBuf| inotify::add_watch(inotify.get_ref(), folder, EVENTS | WatchFlags::ONLYDIR).ok();
    folders.into_iter().filter_map(|folder| Some((number(&folder)?, folder))).collect()
}

/// Takes what has queued up; says in which folders it happened.
fn drain(inotify: &AsyncFd<OwnedFd>) -> io::Result<BTreeSet<i32>> {
    let mut buffer = [MaybeUninit::uninit(); 4096];
    let mut reader = Reader::new(inotify.get_ref(), &mut buffer);
    let mut changed = BTreeSet::new();
    loop {
        match reader.next() {
            Ok(event) => changed.insert(event.wd()),
            Err(rustix::io::Errno::WOULDBLOCK) => return Ok(changed),
            Err(rustix::io::Errno::INTR) => continue,
            Err(error) => return Err(error.into()),
        };
    }
}

fn read(files: &Files, knows: &watch::Sender<Vec<Ipv6Addr>>) {
    let found = files.resolvers.iter().map(|file| resolvers(file)).find(|list| !list.is_empty()).unwrap_or_default();
    knows.send_if_modified(|known| {
        let changed = *known != found;
        *known = found;
        changed
    });
}

fn resolvers(file: &Path) -> Vec<Ipv6Addr> {
    let mut text = Vec::new();
    // Absent is normal.
    let read = File::open(file).and_then(|file| file.take(MAX_FILE).read_to_end(&mut text));
    read.map(|_| resolv_conf(&String::from_utf8_lossy(&text))).unwrap_or_default()
}

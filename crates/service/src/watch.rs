//! Notices when configuration or policies change.
//!
//! The system's notifications are hints: after one, and when things have settled, everything is read again. Directories are
//! watched, not files, since editors and management tools replace files; of a directory that does not exist yet, the
//! nearest one that does. A slow look finds what nobody tells: what a link leads to, a file system without notifications,
//! a watch that the system refuses.

use std::collections::BTreeSet;
use std::fs::Metadata;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use tokio::sync::{Notify, mpsc};
use tokio::time::{Instant, MissedTickBehavior, interval, sleep, timeout_at};
use tracing::warn;

use crate::os;

/// How long what, in one place for tests.
#[derive(Clone, Copy, Debug)]
struct Pace {
    /// A tool that writes several files, or one in several steps, is done when it has been quiet for so long.
    quiet: Duration,
    /// One that never is must not keep the others' changes waiting.
    most: Duration,
    /// Between two looks at what nobody tells.
    look: Duration,
    /// After a watch broke, so that one that always does costs nothing.
    broken: Duration,
}

const PACE: Pace = Pace {
    quiet: Duration::from_millis(200),
    most: Duration::from_secs(1),
    look: Duration::from_secs(60),
    broken: Duration::from_secs(5),
};

/// Sends a message whenever the files may have changed; one that waits stands for those that come meanwhile. Ends when
/// nobody listens. What happens after the call is noticed.
pub(crate) fn start(config: &Path, policy_dir: &Path, changed: mpsc::Sender<()>) {
    start_at(PACE, config, policy_dir, changed);
}

fn start_at(pace: Pace, config: &Path, policy_dir: &Path, changed: mpsc::Sender<()>) {
    let mut watch = Watch {
        config: absolute(config),
        policy_dir: absolute(policy_dir),
        hint: Arc::new(Notify::new()),
        broken: Arc::new(AtomicBool::new(false)),
        watcher: None,
        deaf: false,
    };
    watch.listen();
    let seen = watch.look();
    tokio::spawn(watch.run(pace, seen, changed));
}

/// Notifications name absolute paths.
fn absolute(path: &Path) -> PathBuf {
    std::path::absolute(path).unwrap_or_else(|_| path.to_owned())
}

struct Watch {
    config: PathBuf,
    policy_dir: PathBuf,
    hint: Arc<Notify>,
    broken: Arc<AtomicBool>,
    watcher: Option<os::DirectoryWatch>,
    /// Whether it was said that nothing is heard.
    deaf: bool,
}

/// What a look sees of each file.
type Seen = Vec<(PathBuf, os::Fingerprint)>;

impl Watch {
    async fn run(mut self, pace: Pace, mut seen: Seen, changed: mpsc::Sender<()>) {
        let mut look = interval(pace.look);
        look.set_missed_tick_behavior(MissedTickBehavior::Delay);
        look.tick().await;
        loop {
            tokio::select! {
                () = self.hint.notified() => self.settle(pace).await,
                _ = look.tick() => {
                    if self.watcher.is_some() && self.look() == seen {
                        continue;
                    }
                }
                () = changed.closed() => return,
            }
            if self.broken.swap(false, Ordering::Relaxed) {
                sleep(pace.broken).await;
            }
            // Afresh: directories may have come, gone, or been replaced. Before what follows is read, so that nothing falls
            // between.
            self.listen();
            seen = self.look();
            if let Err(mpsc::error::TrySendError::Closed(())) = changed.try_send(()) {
                return;
            }
        }
    }

    async fn settle(&self, pace: Pace) {
        let end = Instant::now() + pace.most;
        while timeout_at(end.min(Instant::now() + pace.quiet), self.hint.notified()).await.is_ok() {
            if Instant::now() >= end {
                return;
            }
        }
    }

    /// Watches what exists now. The former watch ends only afterwards.
    fn listen(&mut self) {
        match self.watch() {
            Ok(watcher) => {
                self.watcher = Some(watcher);
                self.deaf = false;
            }
            Err(error) => {
                self.watcher = None;
                if !std::mem::replace(&mut self.deaf, true) {
                    warn!(%error, "changes of configuration and policies are noticed within a minute only");
                }
            }
        }
    }

    fn watch(&self) -> io::Result<os::DirectoryWatch> {
        let (hint, broken) = (Arc::clone(&self.hint), Arc::clone(&self.broken));
        let (config, policy_dir) = (self.config.clone(), self.policy_dir.clone());
        os::watch_directories(&self.directories(), move |changed| match changed {
            Some(path) if concerns(path, &config, &policy_dir) => hint.notify_one(),
            Some(_) => {}
            None => {
                broken.store(true, Ordering::Relaxed);
                hint.notify_one();
            }
        })
    }

    /// The directories of the files, or the nearest that exist, and the ones above, where they may be replaced.
    fn directories(&self) -> BTreeSet<PathBuf> {
        let mut directories = BTreeSet::new();
        for wanted in [self.config.parent(), Some(self.policy_dir.as_path())].into_iter().flatten() {
            if let Some(nearest) = wanted.ancestors().find(|directory| directory.is_dir()) {
                directories.extend([nearest, nearest.parent().unwrap_or(nearest)].map(Path::to_owned));
            }
        }
        directories
    }

    fn look(&self) -> Seen {
        let mut paths = vec![self.config.clone(), self.policy_dir.clone()];
        if let Ok(entries) = std::fs::read_dir(&self.policy_dir) {
            paths.extend(entries.filter_map(|entry| Some(entry.ok()?.path())));
        }
        paths.sort();
        let fingerprint = |path: PathBuf| {
            let metadata: Metadata = std::fs::metadata(&path).ok()?;
            Some((path, os::fingerprint(&metadata)))
        };
        paths.into_iter().filter_map(fingerprint).collect()
    }
}

/// Whether it is about our files or about a directory on the way to them.
fn concerns(path: &Path, config: &Path, policy_dir: &Path) -> bool {
    path.starts_with(policy_dir) || config.starts_with(path) || policy_dir.starts_with(path)
}

#[cfg(test)]
mod tests {
    use std::fs;

    use tempfile::TempDir;

    use super::*;

    /// Long enough for a busy machine; a test that fails waits so long.
    const PATIENCE: Duration = Duration::from_secs(5);
    const TEST: Pace = Pace { quiet: Duration::from_millis(50), look: Duration::from_secs(3600), ..PACE };

    struct Files {
        root: TempDir,
        changed: mpsc::Receiver<()>,
    }

    impl Files {
        /// In `etc/everclat`, which is there or not.
        fn new(pace: Pace, exists: bool) -> Self {
            let root = tempfile::tempdir().unwrap();
            let (sender, changed) = mpsc::channel(1);
            let files = Self { root, changed };
            if exists {
                fs::create_dir_all(files.at("policy.d")).unwrap();
            }
            start_at(pace, &files.at("config.toml"), &files.at("policy.d"), sender);
            files
        }

        fn at(&self, name: &str) -> PathBuf {
            self.root.path().join("etc/everclat").join(name)
        }

        async fn noticed(&mut self, what: &str) {
            let noticed = tokio::time::timeout(PATIENCE, self.changed.recv()).await;
            assert_eq!(noticed.ok().flatten(), Some(()), "{what}");
            self.quiet("once").await;
        }

        async fn quiet(&mut self, what: &str) {
            let noticed = tokio::time::timeout(Duration::from_millis(400), self.changed.recv()).await;
            assert!(noticed.is_err(), "{what}");
        }
    }

    #[tokio::test]
    async fn files_that_come_change_are_replaced_and_go() {
        let mut files = Files::new(TEST, true);
        files.quiet("nothing happened").await;
        fs::write(files.at("config.toml"), "Mtu = 1400").unwrap();
        files.noticed("a new file").await;
        fs::write(files.at("config.toml"), "Mtu = 1401").unwrap();
        files.noticed("written in place").await;
        fs::write(files.at(".config.toml.swp"), "Mtu = 1402").unwrap();
        files.quiet("not ours").await;
        fs::rename(files.at(".config.toml.swp"), files.at("config.toml")).unwrap();
        files.noticed("replaced by renaming").await;
        fs::write(files.at("policy.d/10.json"), "{}").unwrap();
        files.noticed("a policy").await;
        fs::remove_file(files.at("policy.d/10.json")).unwrap();
        files.noticed("a policy that goes").await;
        fs::read(files.at("config.toml")).unwrap();
        fs::read_dir(files.at("policy.d")).unwrap().count();
        files.quiet("reading is no change").await;
    }

    #[tokio::test]
    async fn directories_that_come_and_are_replaced() {
        let mut files = Files::new(TEST, false);
        fs::create_dir_all(files.at("")).unwrap();
        files.noticed("a directory that was not there").await;
        fs::write(files.at("config.toml"), "Mtu = 1400").unwrap();
        files.noticed("a file in it").await;
        fs::create_dir(files.at("policy.d")).unwrap();
        files.noticed("the other one").await;
        fs::write(files.at("policy.d/10.json"), "{}").unwrap();
        files.noticed("a file in that").await;
        let new = files.root.path().join("new");
        fs::create_dir_all(new.join("policy.d")).unwrap();
        fs::rename(files.at(""), files.root.path().join("etc/old")).unwrap();
        fs::rename(new, files.at("")).unwrap();
        files.noticed("another in its place").await;
        fs::write(files.at("policy.d/20.json"), "{}").unwrap();
        files.noticed("a file in the new one").await;
        fs::remove_dir_all(files.at("")).unwrap();
        files.noticed("all gone").await;
        fs::create_dir_all(files.at("")).unwrap();
        fs::write(files.at("config.toml"), "Mtu = 1400").unwrap();
        files.noticed("and back").await;
    }

    #[tokio::test]
    async fn many_changes_at_once_are_one_and_no_end_of_them_does_not_wait_for_it() {
        let mut files = Files::new(Pace { most: Duration::from_millis(300), ..TEST }, true);
        for number in 0..100 {
            fs::write(files.at(&format!("policy.d/{number}.json")), "{}").unwrap();
        }
        files.noticed("all of them").await;
        let begin = Instant::now();
        let endless = async {
            loop {
                fs::write(files.root.path().join("etc/everclat/config.toml"), "").unwrap();
                sleep(Duration::from_millis(10)).await;
            }
        };
        tokio::select! {
            () = endless => {}
            said = files.changed.recv() => assert_eq!(said, Some(())),
        }
        assert!(begin.elapsed() < Duration::from_secs(2), "{:?}", begin.elapsed());
    }

    #[cfg(unix)]
    #[tokio::test]
    async fn a_look_finds_what_nobody_tells() {
        let pace = Pace { look: Duration::from_millis(100), ..TEST };
        let mut files = Files::new(pace, true);
        let elsewhere = files.root.path().join("elsewhere.toml");
        fs::write(&elsewhere, "Mtu = 1400").unwrap();
        std::os::unix::fs::symlink(&elsewhere, files.at("config.toml")).unwrap();
        files.noticed("the link").await;
        fs::write(&elsewhere, "Mtu = 1401").unwrap();
        files.noticed("what it leads to").await;
    }
}

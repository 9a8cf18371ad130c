//! Looks at the host's IPv4 routes all the time: there is at most one default of ours.

use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::JoinHandle;
use std::time::Duration;

use anyhow::{Result, bail, ensure};
use lab::Netns;

const PAUSE: Duration = Duration::from_millis(1);

#[derive(Debug)]
pub(crate) struct Watcher {
    seen: Arc<Mutex<Option<String>>>,
    looks: Arc<AtomicU64>,
    stop: Arc<AtomicBool>,
    thread: Option<JoinHandle<()>>,
}

impl Watcher {
    pub(crate) fn start(host: Netns) -> Self {
        let (seen, looks, stop) = (Arc::default(), Arc::<AtomicU64>::default(), Arc::<AtomicBool>::default());
        let thread = std::thread::spawn({
            let (seen, looks, stop) = (Arc::clone(&seen), Arc::clone(&looks), Arc::clone(&stop));
            // Without the namespace there are no looks, which `finish` notices.
            move || drop(host.enter(|| watch(&seen, &looks, &stop)))
        });
        Self { seen, looks, stop, thread: Some(thread) }
    }

    /// Fails when there have been two.
    pub(crate) fn check(&self) -> Result<()> {
        match self.seen.lock().unwrap_or_else(PoisonError::into_inner).as_ref() {
            Some(routes) => bail!("two defaults of ours at once:\n{routes}"),
            None => Ok(()),
        }
    }

    /// The same, and that it has looked at all.
    pub(crate) fn finish(mut self) -> Result<()> {
        self.end();
        self.check()?;
        ensure!(self.looks.load(Ordering::Relaxed) > 100, "nobody has looked");
        Ok(())
    }

    fn end(&mut self) {
        self.stop.store(true, Ordering::Relaxed);
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}

impl Drop for Watcher {
    fn drop(&mut self) {
        self.end();
    }
}

fn watch(seen: &Mutex<Option<String>>, looks: &AtomicU64, stop: &AtomicBool) {
    while !stop.load(Ordering::Relaxed) {
        let Ok(routes) = std::fs::read_to_string("/proc/thread-self/net/route") else { return };
        looks.fetch_add(1, Ordering::Relaxed);
        if our_defaults(&routes) > 1 {
            seen.lock().unwrap_or_else(PoisonError::into_inner).get_or_insert(routes);
        }
        std::thread::sleep(PAUSE);
    }
}

/// `/proc/net/route`: interface, destination, gateway, flags, three counters, metric, mask.
fn our_defaults(routes: &str) -> usize {
    let ours = |line: &&str| {
        let fields: Vec<_> = line.split_whitespace().collect();
        fields.first().is_some_and(|interface| interface.starts_with("everclat"))
            && fields.get(1) == Some(&"00000000")
            && fields.get(7) == Some(&"00000000")
    };
    routes.lines().filter(ours).count()
}

#[test]
fn two_defaults_are_told_from_one() {
    let header = "Iface\tDestination\tGateway \tFlags\tRefCnt\tUse\tMetric\tMask\t\tMTU\tWindow\tIRTT\n";
    let default = "everclat0\t00000000\t010000C0\t0003\t0\t0\t2048\t00000000\t1472\t0\t0\n";
    let other = "eth0\t00000000\t010000C0\t0003\t0\t0\t100\t00000000\t0\t0\t0\n";
    assert_eq!(our_defaults(&[header, default, other].concat()), 1);
    assert_eq!(our_defaults(&[header, default, default].concat()), 2);
    assert_eq!(our_defaults(&[header, default, "everclat0\t000000C0\t0\t1\t0\t0\t0\tF8FFFFFF\n"].concat()), 1);
}

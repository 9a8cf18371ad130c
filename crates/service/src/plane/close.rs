//! Ports close beside everything else. The kernel takes up to 20 ms for each packet socket, because it waits until no
//! processor looks at it any more; IPv4 need not.

use std::sync::Arc;
use std::thread::JoinHandle;
use std::time::Duration;

use platform_api::PlaneIo;

use super::line::Line;
use super::spawn;

/// A packet thread that has not looked up yet may still hold a line; it looks up after each packet.
const GLANCE: Duration = Duration::from_millis(2);
const GLANCES: u32 = 500;

/// Lines that are being closed. Waits for them at its end.
#[derive(Default)]
pub(super) struct Closing(Vec<JoinHandle<()>>);

impl Closing {
    /// Closes lines whose threads have ended.
    pub(super) fn add<I: PlaneIo>(&mut self, lines: Vec<Arc<Line<I>>>) {
        self.0.retain(|thread| !thread.is_finished());
        if lines.is_empty() {
            return;
        }
        // Without a thread it is closed here and now.
        if let Ok(thread) = spawn("everclat-close", move || lines.into_iter().for_each(close)) {
            self.0.push(thread);
        }
    }
}

/// Whoever lets go last closes; that is not to be a packet thread.
fn close<I: PlaneIo>(line: Arc<Line<I>>) {
    for _ in 0..GLANCES {
        if Arc::strong_count(&line) == 1 {
            break;
        }
        std::thread::sleep(GLANCE);
    }
    drop(line);
}

impl Drop for Closing {
    fn drop(&mut self) {
        for thread in self.0.drain(..) {
            // A panic has ended the process before.
            let _ = thread.join();
        }
    }
}

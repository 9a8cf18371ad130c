//! The last entries of the log, in bounded memory.

use std::collections::VecDeque;
use std::sync::{Mutex, MutexGuard, PoisonError};

use ipc::{LogBatch, LogEntry, LogLevel};
use tokio::sync::watch;

/// Days of an ordinary log, an hour of a detailed one.
const ENTRIES: usize = 4096;
/// Whatever is in the entries.
const BYTES: usize = 1 << 20;
/// A message to a client; far below the largest frame.
const BATCH: usize = 32 << 10;

/// The last entries.
#[derive(Debug)]
pub(crate) struct Book {
    inner: Mutex<Inner>,
    /// How many entries there ever were.
    written: watch::Sender<u64>,
}

#[derive(Debug, Default)]
struct Inner {
    entries: VecDeque<LogEntry>,
    bytes: usize,
    /// The number of the oldest entry that is still there.
    first: u64,
}

impl Default for Book {
    fn default() -> Self {
        Self { inner: Mutex::default(), written: watch::Sender::new(0) }
    }
}

impl Book {
    /// Writes an entry; the oldest go when there is no room.
    pub(crate) fn write(&self, entry: LogEntry) {
        let mut inner = self.lock();
        inner.bytes += size(&entry);
        inner.entries.push_back(entry);
        while inner.entries.len() > ENTRIES || inner.bytes > BYTES {
            let Some(oldest) = inner.entries.pop_front() else { break };
            inner.bytes -= size(&oldest);
            inner.first += 1;
        }
        drop(inner);
        self.written.send_modify(|written| *written += 1);
    }

    /// Changes its value with every entry.
    pub(crate) fn changes(&self) -> watch::Receiver<u64> {
        self.written.subscribe()
    }

    /// Entries from number `from` on, as many as go into one message; 0 stands for the oldest there is. What is less
    /// important than `level` or older than `since_unix_ms` is left out.
    pub(crate) fn read(&self, from: u64, level: LogLevel, since_unix_ms: u64) -> LogBatch {
        let inner = self.lock();
        let lost = if from == 0 { 0 } else { inner.first.saturating_sub(from) };
        let begin = from.max(inner.first);
        let mut batch = LogBatch { entries: Vec::new(), lost, more: false, next: begin };
        let skip = usize::try_from(begin - inner.first).unwrap_or(usize::MAX);
        let mut bytes = 0;
        for entry in inner.entries.iter().skip(skip) {
            if bytes >= BATCH {
                batch.more = true;
                break;
            }
            batch.next += 1;
            if entry.level <= level && entry.unix_ms >= since_unix_ms {
                bytes += size(entry);
                batch.entries.push(entry.clone());
            }
        }
        batch
    }

    fn lock(&self) -> MutexGuard<'_, Inner> {
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn size(entry: &LogEntry) -> usize {
    let fields: usize =
        entry.fields.iter().map(|(name, value)| name.len() + value.len() + 2 * size_of::<String>()).sum();
    size_of::<LogEntry>() + entry.target.len() + entry.message.len() + fields
}

#[cfg(test)]
mod tests {
    use super::*;

    fn entry(number: u64, level: LogLevel) -> LogEntry {
        LogEntry { unix_ms: number, level, target: "t".into(), message: number.to_string(), fields: Vec::new() }
    }

    fn numbers(batch: &LogBatch) -> Vec<u64> {
        batch.entries.iter().map(|entry| entry.unix_ms).collect()
    }

    #[test]
    fn by_level_age_and_place() {
        let book = Book::default();
        for (number, level) in [(1, LogLevel::Info), (2, LogLevel::Debug), (3, LogLevel::Warn), (4, LogLevel::Info)] {
            book.write(entry(number, level));
        }
        assert_eq!(numbers(&book.read(0, LogLevel::Trace, 0)), [1, 2, 3, 4]);
        assert_eq!(numbers(&book.read(0, LogLevel::Info, 2)), [3, 4]);
        assert_eq!(numbers(&book.read(0, LogLevel::Warn, 0)), [3]);
        let batch = book.read(0, LogLevel::Info, 0);
        assert_eq!((batch.lost, batch.more), (0, false));
        book.write(entry(5, LogLevel::Error));
        assert_eq!(numbers(&book.read(batch.next, LogLevel::Info, 0)), [5]);
    }

    #[test]
    fn old_ones_go_and_a_slow_reader_is_told() {
        let book = Book::default();
        book.write(entry(0, LogLevel::Info));
        let begun = book.read(0, LogLevel::Info, 0).next;
        for number in 1..10_000 {
            book.write(entry(number, LogLevel::Info));
        }
        let batch = book.read(begun, LogLevel::Info, 0);
        assert_eq!(batch.lost, 10_000 - 1 - u64::try_from(ENTRIES).unwrap());
        assert_eq!(numbers(&batch)[0], 1 + batch.lost);
        assert_eq!(book.read(0, LogLevel::Info, 0).lost, 0, "who has just come has lost nothing");
        let mut long = entry(0, LogLevel::Info);
        long.message = "x".repeat(2000);
        for _ in 0..ENTRIES {
            book.write(long.clone());
        }
        let inner = book.lock();
        assert!(inner.bytes <= BYTES && inner.entries.len() < ENTRIES, "{} bytes", inner.bytes);
    }

    #[test]
    fn much_comes_in_parts() {
        let book = Book::default();
        for number in 0..4000 {
            book.write(entry(number, LogLevel::Info));
        }
        let (mut from, mut all) = (0, Vec::new());
        loop {
            let batch = book.read(from, LogLevel::Info, 0);
            assert!(serde_json::to_vec(&batch.entries).unwrap().len() < 512 << 10);
            all.extend(numbers(&batch));
            from = batch.next;
            if !batch.more {
                break;
            }
        }
        assert_eq!(all, (0..4000).collect::<Vec<u64>>());
    }
}

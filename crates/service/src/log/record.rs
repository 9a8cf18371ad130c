//! From what the program logs to entries.

use std::fmt::{self, Write};
use std::time::{SystemTime, UNIX_EPOCH};

use ipc::{LogEntry, LogLevel};
use tracing::field::{Field, Visit};
use tracing::{Event, Level, Subscriber};
use tracing_subscriber::Layer;
use tracing_subscriber::layer::Context;

use super::Book;

/// Nothing we say is longer; what others made us say may be.
const MAX_TEXT: usize = 2048;

/// Writes our own events into the book. Those of libraries may hold addresses at any level.
pub(super) struct Recorder {
    book: &'static Book,
}

impl Recorder {
    pub(super) const fn new(book: &'static Book) -> Self {
        Self { book }
    }
}

impl<S: Subscriber> Layer<S> for Recorder {
    fn on_event(&self, event: &Event<'_>, _: Context<'_, S>) {
        let metadata = event.metadata();
        if !metadata.target().starts_with("everclat") {
            return;
        }
        let mut texts = Texts::default();
        event.record(&mut texts);
        let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        self.book.write(LogEntry {
            unix_ms: u64::try_from(now.as_millis()).unwrap_or(u64::MAX),
            level: level(*metadata.level()),
            target: metadata.target().to_owned(),
            message: texts.message,
            fields: texts.fields,
        });
    }
}

fn level(level: Level) -> LogLevel {
    match level {
        Level::ERROR => LogLevel::Error,
        Level::WARN => LogLevel::Warn,
        Level::INFO => LogLevel::Info,
        Level::DEBUG => LogLevel::Debug,
        Level::TRACE => LogLevel::Trace,
    }
}

#[derive(Default)]
struct Texts {
    message: String,
    fields: Vec<(String, String)>,
}

impl Visit for Texts {
    fn record_str(&mut self, field: &Field, value: &str) {
        self.record_debug(field, &format_args!("{value}"));
    }

    fn record_debug(&mut self, field: &Field, value: &dyn fmt::Debug) {
        let mut text = Plain::default();
        // It fails only to say that there is enough.
        let _ = write!(text, "{value:?}");
        if field.name() == "message" {
            self.message = text.0;
        } else {
            self.fields.push((field.name().to_owned(), text.0));
        }
    }
}

/// Text that does nothing to a terminal, and not too much of it.
#[derive(Default)]
struct Plain(String);

impl Write for Plain {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        for character in text.chars() {
            if self.0.len() >= MAX_TEXT {
                self.0.push('…');
                return Err(fmt::Error);
            }
            if character.is_control() {
                self.0.extend(character.escape_default());
            } else {
                self.0.push(character);
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use tracing_subscriber::layer::SubscriberExt;

    use super::*;

    fn recorded(program: impl FnOnce()) -> Vec<LogEntry> {
        let book: &'static Book = Box::leak(Box::default());
        let subscriber = tracing_subscriber::registry().with(Recorder::new(book));
        tracing::subscriber::with_default(subscriber, program);
        book.read(0, LogLevel::Trace, 0).entries
    }

    #[test]
    fn what_was_said_with_its_values() {
        let entries = recorded(|| {
            tracing::warn!(key = "Mtu", line = 3, missing = None::<u32>, error = %"no", "not {}", "taken");
            tracing::info!(target: "hickory_net", "2001:db8::1 did not answer");
        });
        let [entry] = &entries[..] else { panic!("{entries:?}") };
        assert_eq!((entry.level, entry.message.as_str()), (LogLevel::Warn, "not taken"));
        let fields: Vec<(&str, &str)> = entry.fields.iter().map(|(name, value)| (&name[..], &value[..])).collect();
        assert_eq!(fields, [("key", "Mtu"), ("line", "3"), ("error", "no")]);
        assert!(entry.target.starts_with("everclat_service::log"), "{}", entry.target);
        assert!(entry.unix_ms > 1_700_000_000_000);
    }

    #[test]
    fn a_text_does_nothing_to_a_terminal_and_ends() {
        let entries =
            recorded(|| tracing::info!(reason = "\u{1b}[2Jgone\n\u{9b}", long = "x".repeat(9000), "bell\u{7}"));
        assert_eq!(entries[0].message, "bell\\u{7}");
        assert_eq!(entries[0].fields[0].1, "\\u{1b}[2Jgone\\n\\u{9b}");
        assert!(entries[0].fields[1].1.len() < MAX_TEXT + 4);
    }
}

//! `everclat log`: the service's own log, and how much of it there is.

use std::fmt::Write as _;
use std::io::Write;

use anstyle::{AnsiColor, Style};
use ipc::{Client, ClientError, LogEntry, LogLevel};
use jiff::Timestamp;
use jiff::tz::TimeZone;
use serde::Serialize;

use crate::arguments::{Arguments, LogOptions, LogVerb};
use crate::exit::Exit;
use crate::status::json;
use crate::version::PROGRAM;

/// A line of `--json`; fields are only ever added.
#[derive(Serialize)]
struct Line<'a> {
    /// RFC 3339, UTC.
    time: String,
    level: LogLevel,
    target: &'a str,
    message: &'a str,
    fields: serde_json::Map<String, serde_json::Value>,
}

#[derive(Serialize)]
struct Lost {
    lost: u64,
}

pub(crate) async fn run(arguments: &Arguments, options: &LogOptions) -> Result<Exit, ClientError> {
    let mut client = Client::connect(&arguments.socket, PROGRAM).await?;
    if let Some(LogVerb::Level { level, time }) = &options.verb {
        client.log_level((*level).into(), *time).await?;
        if !arguments.json && !arguments.quiet {
            let time = humantime::format_duration(*time);
            anstream::eprintln!("the service logs {} for {time}, then as before", LogLevel::from(*level).name());
        }
        return Ok(Exit::Good);
    }
    client.log(options.follow, options.level.map(Into::into), options.since).await?;
    let mut out = anstream::stdout();
    let zone = TimeZone::system();
    loop {
        let batch = client.next_log().await?;
        let mut text = String::new();
        if batch.lost > 0 {
            // In the stream for programs; beside it for people.
            if arguments.json {
                text.push_str(&json(&Lost { lost: batch.lost }, true));
                text.push('\n');
            } else {
                anstream::eprintln!("everclat: {} entries were lost", batch.lost);
            }
        }
        for entry in &batch.entries {
            text.push_str(&if arguments.json { json(&line(entry), true) } else { human(entry, &zone) });
            text.push('\n');
        }
        // `everclat log | head` is a fine way to look at a few lines.
        if out.write_all(text.as_bytes()).and_then(|()| out.flush()).is_err() {
            return Ok(Exit::Good);
        }
        if !options.follow && !batch.more {
            return Ok(Exit::Good);
        }
    }
}

fn time_of(entry: &LogEntry) -> Timestamp {
    i64::try_from(entry.unix_ms).ok().and_then(|ms| Timestamp::from_millisecond(ms).ok()).unwrap_or_default()
}

fn line(entry: &LogEntry) -> Line<'_> {
    let fields = entry.fields.iter().map(|(name, value)| (name.clone(), value.clone().into())).collect();
    Line {
        time: format!("{:.3}", time_of(entry)),
        level: entry.level,
        target: &entry.target,
        message: &entry.message,
        fields,
    }
}

fn human(entry: &LogEntry, zone: &TimeZone) -> String {
    let time = time_of(entry).to_zoned(zone.clone());
    let level = style(entry.level);
    let dim = Style::new().dimmed();
    let mut out = format!(
        "{dim}{}{dim:#}  {level}{:<5}{level:#}  {dim}{:<18}{dim:#}  {}",
        time.strftime("%F %T%.3f"),
        entry.level.name().to_uppercase(),
        part(&entry.target),
        entry.message
    );
    for (name, value) in &entry.fields {
        let _ = write!(out, "  {dim}{name}={dim:#}{value}");
    }
    out
}

/// The part of the service, without what all parts have in common.
fn part(target: &str) -> &str {
    ["everclat_platform_", "everclat_"].iter().find_map(|prefix| target.strip_prefix(prefix)).unwrap_or(target)
}

fn style(level: LogLevel) -> Style {
    let colour = match level {
        LogLevel::Error => AnsiColor::Red,
        LogLevel::Warn => AnsiColor::Yellow,
        LogLevel::Info => AnsiColor::Green,
        LogLevel::Debug => AnsiColor::Blue,
        LogLevel::Trace => AnsiColor::Magenta,
    };
    Style::new().fg_color(Some(colour.into()))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn entry() -> LogEntry {
        LogEntry {
            unix_ms: 1_795_240_643_007,
            level: LogLevel::Warn,
            target: "everclat_service::config".into(),
            message: "not taken".into(),
            fields: vec![("key".into(), "Mtu".into()), ("line".into(), "3".into())],
        }
    }

    #[test]
    fn for_people_in_columns_and_local_time() {
        let east = TimeZone::fixed(jiff::tz::offset(5));
        let said = anstream::adapter::strip_str(&human(&entry(), &east)).to_string();
        assert_eq!(said, "2026-11-21 10:57:23.007  WARN   service::config     not taken  key=Mtu  line=3");
    }

    #[test]
    fn for_programs_in_universal_time() {
        assert_eq!(
            json(&line(&entry()), true),
            r#"{"time":"2026-11-21T05:57:23.007Z","level":"warn","target":"everclat_service::config","message":"not taken","fields":{"key":"Mtu","line":"3"}}"#
        );
    }
}

//! `everclat history`: the last re-armings, newest first.

use std::time::Duration;

use ipc::{Client, ClientError, Skew};
use jiff::tz::TimeZone;
use model::Rearms;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::arguments::Arguments;
use crate::exit::Exit;
use crate::status::json;
use crate::text::rearms::{done, proof, why};
use crate::text::{clock, short};
use crate::version::PROGRAM;

/// What `--json` prints; fields are only ever added.
#[derive(Serialize)]
struct History<'a> {
    schema: &'static str,
    /// When this was made.
    time: &'a Value,
    /// All since the service started; the oldest of them may be forgotten.
    count: &'a Value,
    /// Newest first, as the service has them.
    history: &'a Value,
}

/// Asks once. Answered is good, whatever the answer.
pub(crate) async fn run(arguments: &Arguments) -> Result<Exit, ClientError> {
    let mut client = Client::connect(&arguments.socket, PROGRAM).await?;
    let document = match client.hear().await {
        Ok(heard) => heard.document,
        // What is not understood is not about re-armings; and if it is, it stays as it is.
        Err(ClientError::Newer { said, .. }) => *said,
        Err(error) => return Err(error),
    };
    let Some(history) = document["rearms"].get("history") else {
        let service = client.service().program.clone();
        let message = format!("{service} is older and keeps no history");
        return Err(ClientError::VersionSkew(Skew { service_is_newer: false, service, message }));
    };
    if arguments.json {
        let (time, count) = (&document["time"], &document["rearms"]["count"]);
        let history = History { schema: "everclat.history/1", time, count, history };
        anstream::println!("{}", json(&history, arguments.compact));
    } else {
        let rearms = Rearms::deserialize(&document["rearms"]).unwrap_or_default();
        let uptime = Duration::from_secs(document["service"]["uptime_s"].as_u64().unwrap_or_default());
        anstream::print!("{}", text(&rearms, uptime, &TimeZone::system()));
    }
    Ok(Exit::Good)
}

fn text(rearms: &Rearms, uptime: Duration, zone: &TimeZone) -> String {
    let kept = rearms.history.len();
    let all = match rearms.count {
        0 => "no re-arming".to_owned(),
        1 => "1 re-arming".to_owned(),
        count if u64::try_from(kept) == Ok(count) => format!("{count} re-armings"),
        count => format!("the last {kept} of {count} re-armings"),
    };
    let mut lines = vec![format!("{all} since the service started {} ago", short(uptime))];
    for one in &rearms.history {
        let done = done(one);
        let done = if done.is_empty() { done } else { format!("{done}; ") };
        lines.push(format!("{}  {}", clock(&one.time, zone), why(one)));
        lines.push(format!("{:21}{done}{}", "", proof(one)));
    }
    lines.push(String::new());
    lines.join("\n")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::text::tests::moved;

    #[test]
    fn the_manual_shows_what_is_said() {
        let status = moved();
        let said = text(&status.rearms, Duration::from_secs(status.service.uptime_s), &TimeZone::UTC);
        let shown = format!("```text\n{said}```");
        assert!(include_str!("../../../docs/cli.md").contains(&shown), "not in docs/cli.md:\n\n{shown}");
    }

    #[test]
    fn what_is_forgotten_is_counted() {
        let mut rearms = moved().rearms;
        let uptime = Duration::from_secs(7_500);
        let first = |rearms: &Rearms| text(rearms, uptime, &TimeZone::UTC).lines().next().map(str::to_owned).unwrap();
        rearms.history.truncate(1);
        assert!(rearms.count > 1);
        let some = format!("the last 1 of {} re-armings since the service started 2h 5m ago", rearms.count);
        assert_eq!(first(&rearms), some);
        rearms.count = 1;
        assert_eq!(first(&rearms), "1 re-arming since the service started 2h 5m ago");
        assert_eq!(
            text(&Rearms::default(), uptime, &TimeZone::UTC),
            "no re-arming since the service started 2h 5m ago\n"
        );
    }
}

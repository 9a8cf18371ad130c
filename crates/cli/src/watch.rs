use std::io::Write;

use ipc::{Client, ClientError};
use jiff::tz::TimeZone;
use model::Rearm;
use serde::Deserialize;
use serde_json::{Map, Value};

use crate::arguments::{Arguments, WatchOptions};
use crate::exit::Exit;
use crate::newer;
use crate::status::json;
use crate::text::rearms::{done, why};
use crate::text::{brief, clock, headline};
use crate::version::PROGRAM;

/// Shows the status and each change of it, or events alone. Ends with the service, or when interrupted.
pub(crate) async fn run(arguments: &Arguments, options: &WatchOptions) -> Result<Exit, ClientError> {
    let mut client = Client::connect(&arguments.socket, PROGRAM).await?;
    client.watch().await?;
    let mut out = anstream::stdout();
    let zone = TimeZone::system();
    let mut last = None;
    let mut complained = false;
    let mut events = Events::default();
    loop {
        let (document, line) = match client.hear_next().await {
            Ok(heard) => {
                let line = if options.events { headline(&heard.status) } else { brief(&heard.status) };
                (heard.document, line)
            }
            Err(ClientError::Newer { said, why }) => {
                if !std::mem::replace(&mut complained, true) {
                    newer::complain(&why);
                }
                let line = newer::headline(&said);
                (*said, line)
            }
            Err(error) => return Err(error),
        };
        let rearmings = events.rearmings(&document);
        let is_new = events.is_new_state(&document);
        let mut text = String::new();
        if !arguments.json {
            for one in rearmings {
                let one = Rearm::deserialize(one).unwrap_or_default();
                text.push_str(&format!("{}  {}\n", clock(&one.time, &zone), event(&one)));
            }
            // What changed may not be on the line.
            if last.as_ref() != Some(&line) {
                let time = document["time"].as_str().unwrap_or_default();
                text.push_str(&format!("{}  {line}\n", clock(time, &zone)));
                last = Some(line);
            }
        } else if options.events {
            let told = rearmings.into_iter().map(|one| tell("rearmed", one.as_object()));
            let state = is_new.then(|| {
                let field = |name: &str| (name.to_owned(), document[name].clone());
                tell("state", Some(&["time", "state", "code", "title"].map(field).into_iter().collect()))
            });
            text.extend(told.chain(state).map(|event| json(&event, true) + "\n"));
        } else {
            text = json(&document, true) + "\n";
        }
        // `everclat watch | head` is a fine way to look at a few lines.
        if out.write_all(text.as_bytes()).and_then(|()| out.flush()).is_err() {
            return Ok(Exit::Good);
        }
    }
}

/// An event as a document of its own; `fields` are the service's.
fn tell(event: &str, fields: Option<&Map<String, Value>>) -> Map<String, Value> {
    let own = [("schema", "everclat.event/1"), ("event", event)].map(|(name, value)| (name.into(), value.into()));
    let fields = fields.into_iter().flatten().map(|(name, value)| (name.clone(), value.clone()));
    own.into_iter().chain(fields).collect()
}

fn event(one: &Rearm) -> String {
    let done = done(one);
    let done = if done.is_empty() { done } else { format!("; {done}") };
    format!("↻ Re-armed {}{done}", why(one))
}

/// What has been told so far. Statuses may be skipped, re-armings are not: they have numbers.
#[derive(Default)]
struct Events {
    /// The number of the last re-arming, once a status was seen.
    seen: Option<u64>,
    state: Option<(Value, Value)>,
}

impl Events {
    /// The re-armings since the last status, oldest first. What was before the first one is history.
    fn rearmings<'a>(&mut self, document: &'a Value) -> Vec<&'a Value> {
        let number = |one: &Value| one["number"].as_u64().unwrap_or_default();
        let history = document["rearms"]["history"].as_array().map(Vec::as_slice).unwrap_or_default();
        let newest = history.iter().map(number).max().unwrap_or_default();
        let Some(seen) = self.seen.replace(newest) else { return Vec::new() };
        history.iter().filter(|one| number(one) > seen).rev().collect()
    }

    fn is_new_state(&mut self, document: &Value) -> bool {
        let state = Some((document["state"].clone(), document["code"].clone()));
        std::mem::replace(&mut self.state, state.clone()) != state
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::text::tests::moved;

    fn document(numbers: &[u64], state: &str) -> Value {
        let history: Vec<Value> = numbers.iter().map(|number| json!({"number": number})).collect();
        json!({"state": state, "code": "CL-000", "rearms": {"history": history}})
    }

    #[test]
    fn each_re_arming_is_told_once_and_in_order_even_where_statuses_were_skipped() {
        let mut events = Events::default();
        let mut told = |numbers: &[u64]| -> Vec<u64> {
            let document = document(numbers, "working");
            events.rearmings(&document).iter().map(|one| one["number"].as_u64().unwrap()).collect()
        };
        assert_eq!(told(&[2, 1]), [0; 0], "that is history");
        assert_eq!(told(&[2, 1]), [0; 0]);
        assert_eq!(told(&[5, 4, 3, 2, 1]), [3, 4, 5]);
        assert_eq!(told(&[5, 4, 3, 2, 1]), [0; 0]);
    }

    #[test]
    fn the_first_one_of_a_service_that_had_none_is_told() {
        let mut events = Events::default();
        assert_eq!(events.rearmings(&document(&[], "working")).len(), 0);
        assert_eq!(events.rearmings(&document(&[1], "working")).len(), 1);
        assert_eq!(events.rearmings(&json!({"rearms": {"count": 1}})).len(), 0, "an older service");
    }

    #[test]
    fn a_state_is_told_when_it_is_new() {
        let mut events = Events::default();
        let new = ["down", "down", "working", "working", "down"].map(|s| events.is_new_state(&document(&[], s)));
        assert_eq!(new, [true, false, true, false, true]);
    }

    #[test]
    fn events_for_programs_have_all_that_the_service_says() {
        let event = tell("rearmed", json!({"number": 3, "flew": true}).as_object());
        assert_eq!(json(&event, true), r#"{"schema":"everclat.event/1","event":"rearmed","number":3,"flew":true}"#);
    }

    #[test]
    fn the_manual_shows_what_is_said() {
        let one = &moved().rearms.history[0];
        let said = format!("{}  {}", clock(&one.time, &TimeZone::UTC), event(one));
        assert!(include_str!("../../../docs/cli.md").contains(&said), "not in docs/cli.md:\n\n{said}");
    }
}

use std::io::Write;

use ipc::{Client, ClientError};
use model::Status;

use crate::arguments::Arguments;
use crate::exit::Exit;
use crate::newer;
use crate::status::{headline, json};
use crate::version::PROGRAM;

/// Shows the status and each change of it. Ends with the service, or when interrupted.
pub(crate) async fn run(arguments: &Arguments) -> Result<Exit, ClientError> {
    let mut client = Client::connect(&arguments.socket, PROGRAM).await?;
    client.watch().await?;
    let mut out = anstream::stdout();
    let mut last = None;
    let mut complained = false;
    loop {
        let (document, line) = match client.hear_next().await {
            Ok(heard) => (heard.document, line(&heard.status)),
            Err(ClientError::Newer { said, why }) => {
                if !std::mem::replace(&mut complained, true) {
                    newer::complain(&why);
                }
                let line = newer::headline(&said);
                (*said, line)
            }
            Err(error) => return Err(error),
        };
        let said = if arguments.json {
            writeln!(out, "{}", json(&document, true))
        } else {
            // What changed may not be on the line.
            if last.as_ref() == Some(&line) {
                continue;
            }
            let said = writeln!(out, "{}  {line}", document["time"].as_str().unwrap_or_default());
            last = Some(line);
            said
        };
        // `everclat watch | head` is a fine way to look at a few lines.
        if said.and_then(|()| out.flush()).is_err() {
            return Ok(Exit::Good);
        }
    }
}

fn line(status: &Status) -> String {
    let mut line = headline(status);
    if let (Some(uplink), Some(prefix)) = (&status.uplink, status.pref64.first()) {
        line.push_str(&format!(", {} through {}", prefix.prefix, uplink.name));
    }
    if let Some(cause) = status.causes.first().filter(|cause| !cause.detail.is_empty()) {
        line.push_str(&format!(", {}", cause.detail));
    }
    if let (count @ 1.., Some(ms)) = (status.rearms.count, status.rearms.last_ms) {
        line.push_str(&format!(", re-armed {count}x, last in {ms} ms"));
    }
    line
}

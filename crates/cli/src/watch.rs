use std::io::Write;

use ipc::{Client, ClientError};
use jiff::tz::TimeZone;

use crate::arguments::Arguments;
use crate::exit::Exit;
use crate::newer;
use crate::status::json;
use crate::text::{brief, clock};
use crate::version::PROGRAM;

/// Shows the status and each change of it. Ends with the service, or when interrupted.
pub(crate) async fn run(arguments: &Arguments) -> Result<Exit, ClientError> {
    let mut client = Client::connect(&arguments.socket, PROGRAM).await?;
    client.watch().await?;
    let mut out = anstream::stdout();
    let zone = TimeZone::system();
    let mut last = None;
    let mut complained = false;
    loop {
        let (document, line) = match client.hear_next().await {
            Ok(heard) => (heard.document, brief(&heard.status)),
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
            let said = writeln!(out, "{}  {line}", clock(document["time"].as_str().unwrap_or_default(), &zone));
            last = Some(line);
            said
        };
        // `everclat watch | head` is a fine way to look at a few lines.
        if said.and_then(|()| out.flush()).is_err() {
            return Ok(Exit::Good);
        }
    }
}

use ipc::{Client, ClientError, Control};
use jiff::tz::TimeZone;

use crate::arguments::{Arguments, PauseOptions};
use crate::exit::Exit;
use crate::status::json;
use crate::text::text;
use crate::version::PROGRAM;

/// Takes everything down and puts it up again.
pub(crate) async fn rearm(arguments: &Arguments) -> Result<Exit, ClientError> {
    carry_out(arguments, Control::Rearm).await
}

/// Leaves IPv4 alone for a while.
pub(crate) async fn pause(arguments: &Arguments, options: &PauseOptions) -> Result<Exit, ClientError> {
    let seconds = (!options.indefinitely).then_some(options.length.as_secs());
    carry_out(arguments, Control::Pause { seconds, reason: options.reason.clone() }).await
}

/// Ends a pause.
pub(crate) async fn resume(arguments: &Arguments) -> Result<Exit, ClientError> {
    carry_out(arguments, Control::Resume).await
}

/// Has it done and shows what became of it.
async fn carry_out(arguments: &Arguments, control: Control) -> Result<Exit, ClientError> {
    let mut client = Client::connect(&arguments.socket, PROGRAM).await?;
    client.control(control).await?;
    if arguments.quiet && !arguments.json {
        return Ok(Exit::Good);
    }
    let status = client.status().await?;
    if arguments.json {
        anstream::println!("{}", json(&status, arguments.compact));
    } else {
        anstream::print!("{}", text(&status, false, &TimeZone::system()));
    }
    Ok(Exit::Good)
}

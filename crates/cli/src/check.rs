use ipc::{Client, ClientError};
use serde::Serialize;

use crate::arguments::{Arguments, CheckOptions};
use crate::exit::{self, Exit};
use crate::status::json;
use crate::version::PROGRAM;

#[derive(Serialize)]
struct Verdict {
    schema: &'static str,
    healthy: bool,
    state: String,
    code: String,
    title: String,
    exit: u8,
}

/// Says whether IPv4 works. A service that cannot be asked is a verdict, too: CL-901.
pub(crate) async fn run(arguments: &Arguments, options: &CheckOptions) -> Result<Exit, ClientError> {
    let asked = async { Client::connect(&arguments.socket, PROGRAM).await?.status().await };
    let (verdict, exit) = match asked.await {
        Ok(status) => (verdict(status.state.name(), status.code, Exit::of(&status)), Exit::of(&status)),
        Err(error @ (ClientError::NotRunning { .. } | ClientError::Silent)) => {
            if let (false, Some(hint)) = (arguments.json, exit::hint(&error)) {
                anstream::eprintln!("{hint}");
            }
            (verdict("unknown", model::Code::ServiceDown, Exit::Unreachable), Exit::Unreachable)
        }
        Err(error) => return Err(error),
    };
    let line = if arguments.json {
        json(&verdict, arguments.compact || options.jamf_ea)
    } else {
        format!("{} {}", verdict.code, verdict.title)
    };
    if options.jamf_ea {
        anstream::println!("<result>{line}</result>");
    } else {
        anstream::println!("{line}");
    }
    Ok(if options.binary && exit != Exit::Good { Exit::Internal } else { exit })
}

fn verdict(state: &str, code: model::Code, exit: Exit) -> Verdict {
    Verdict {
        schema: "everclat.check/1",
        healthy: exit == Exit::Good,
        state: state.into(),
        code: code.to_string(),
        title: code.title().into(),
        exit: exit.number(),
    }
}

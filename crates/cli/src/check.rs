use ipc::{Client, ClientError};
use serde::Serialize;

use crate::arguments::{Arguments, CheckOptions};
use crate::exit::{self, Exit};
use crate::newer;
use crate::status::json;
use crate::text::title;
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
    let mut words = None;
    let (verdict, exit) = match asked.await {
        Ok(status) => {
            let (state, code) = (status.state.name(), status.code);
            words = Some(title(&status).to_owned());
            (verdict(state, code.as_str(), code.title(), Exit::of(&status)), Exit::of(&status))
        }
        Err(ClientError::Newer { said, why }) => {
            newer::complain(&why);
            let field = |name: &str| said[name].as_str().unwrap_or("unknown");
            let exit = newer::health(&said);
            (verdict(field("state"), field("code"), field("title"), exit), exit)
        }
        Err(error @ (ClientError::NotRunning { .. } | ClientError::Silent)) => {
            if let (false, Some(hint)) = (arguments.json || arguments.quiet, exit::hint(&error)) {
                anstream::eprintln!("{hint}");
            }
            let code = model::Code::ServiceDown;
            (verdict("unknown", code.as_str(), code.title(), Exit::Unreachable), Exit::Unreachable)
        }
        Err(error) => return Err(error),
    };
    let line = if arguments.json {
        json(&verdict, arguments.compact || options.jamf_ea)
    } else {
        format!("{} {}", verdict.code, words.unwrap_or(verdict.title))
    };
    if options.jamf_ea {
        anstream::println!("<result>{line}</result>");
    } else if arguments.json || !arguments.quiet {
        anstream::println!("{line}");
    }
    Ok(if options.binary && exit != Exit::Good { Exit::Internal } else { exit })
}

fn verdict(state: &str, code: &str, title: &str, exit: Exit) -> Verdict {
    Verdict {
        schema: "everclat.check/1",
        healthy: exit == Exit::Good,
        state: state.into(),
        code: code.into(),
        title: title.into(),
        exit: exit.number(),
    }
}

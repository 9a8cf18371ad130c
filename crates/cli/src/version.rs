use ipc::{Client, ClientError};
use serde::Serialize;

use crate::arguments::Arguments;
use crate::exit::Exit;
use crate::status::json;

/// This program, as it names itself to the service.
pub(crate) const PROGRAM: &str = concat!("everclat ", env!("CARGO_PKG_VERSION"));

#[derive(Serialize)]
struct Versions {
    schema: &'static str,
    client: &'static str,
    protocol: u32,
    /// `null`: the service could not be asked.
    service: Option<String>,
}

/// Says the versions. A service that is not there is worth a word, not a failure: this program's own version is an
/// answer, too.
pub(crate) async fn run(arguments: &Arguments) -> Result<Exit, ClientError> {
    let connected = Client::connect(&arguments.socket, PROGRAM).await;
    let (service, note) = match &connected {
        Ok(client) => (Some(client.service().program.clone()), None),
        Err(error) => (None, Some(error.to_string())),
    };
    if arguments.json {
        let versions = Versions {
            schema: "everclat.version/1",
            client: env!("CARGO_PKG_VERSION"),
            protocol: ipc::PROTOCOL,
            service: service.map(|program| program.rsplit(' ').next().unwrap_or_default().to_owned()),
        };
        anstream::println!("{}", json(&versions, arguments.compact));
        return Ok(Exit::Good);
    }
    anstream::println!("{PROGRAM} (protocol {})", ipc::PROTOCOL);
    match (service, note) {
        (Some(service), _) => anstream::println!("{service}"),
        (None, note) => anstream::eprintln!("everclatd: {}", note.unwrap_or_default()),
    }
    Ok(Exit::Good)
}

//! `everclat policy`: what the administrator's policies do.

use std::path::Path;

use ipc::{Client, ClientError, Control, SettingsReport};
use model::{ConfigProblem, Layer, Origin, SettingEntry, parse_policy};
use serde::Serialize;

use crate::arguments::{Arguments, PolicyVerb};
use crate::config::{check_file, table};
use crate::exit::Exit;
use crate::status::json;
use crate::version::PROGRAM;

#[derive(Serialize)]
struct Listing {
    schema: &'static str,
    /// Whether any policy sets anything.
    managed: bool,
    settings: Vec<SettingEntry>,
    problems: Vec<ConfigProblem>,
}

pub(crate) async fn run(arguments: &Arguments, verb: &PolicyVerb) -> Result<Exit, ClientError> {
    match verb {
        PolicyVerb::List => {
            let report = Client::connect(&arguments.socket, PROGRAM).await?.settings().await?;
            show(arguments, report);
            Ok(Exit::Good)
        }
        PolicyVerb::Validate { path } => Ok(validate(path)),
        PolicyVerb::Reload => reload(arguments).await,
    }
}

fn show(arguments: &Arguments, report: SettingsReport) {
    let SettingsReport { settings, details, .. } = report;
    let managed = settings.iter().any(|entry| entry.origin == Origin::Policy);
    if arguments.json {
        let listing = Listing { schema: "everclat.policy/1", managed, settings, problems: details };
        anstream::println!("{}", json(&listing, arguments.compact));
        return;
    }
    anstream::print!("{}", table(&settings));
    if !managed {
        anstream::println!("\nNo policy sets anything.");
    }
    complain(&details);
}

fn complain(problems: &[ConfigProblem]) {
    for problem in problems {
        match problem.code {
            Some(code) => anstream::eprintln!("{code} {problem}"),
            None => anstream::eprintln!("{problem}"),
        }
    }
}

fn validate(path: &Path) -> Exit {
    check_file(path, |text| parse_policy(path, text, &Layer::empty(path, Origin::Policy)).1)
}

/// Has the service read its policies now. Exit 20 when something in them is wrong.
async fn reload(arguments: &Arguments) -> Result<Exit, ClientError> {
    let mut client = Client::connect(&arguments.socket, PROGRAM).await?;
    client.control(Control::Reload).await?;
    let report = client.settings().await?;
    complain(&report.details);
    let set = report.settings.iter().filter(|entry| entry.origin == Origin::Policy).count();
    let wrong = report.details.iter().filter(|problem| problem.code.is_some()).count();
    if !arguments.json && !arguments.quiet {
        anstream::println!("Policies set {set} of {} settings; problems: {wrong}", report.settings.len());
    }
    Ok(if wrong == 0 { Exit::Good } else { Exit::Invalid })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_is_checked_without_a_service() {
        let directory = tempfile::tempdir().unwrap();
        let file = directory.path().join("10.json");
        for (text, exit) in [
            ("{\"Mtu\": 1400, \"Enabled\": 1}", Exit::Good),
            ("{\"Mtu\": 7}", Exit::Invalid),
            ("{\"Mtuu\": 1400}", Exit::Invalid),
            ("Mtu = 1400", Exit::Invalid),
        ] {
            std::fs::write(&file, text).unwrap();
            assert_eq!(validate(&file), exit, "{text}");
        }
        assert_eq!(validate(&directory.path().join("none.json")), Exit::Internal);
    }
}

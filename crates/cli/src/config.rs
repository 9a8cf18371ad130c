//! `everclat config`: reads through the service, writes the file, and has the service read it again.

use std::io::{ErrorKind, Write};
use std::path::Path;

use ipc::{Client, ClientError, Control};
use model::{SettingEntry, Settings, parse_config, setting_entries, unknown_key};
use serde::Serialize;
use toml_edit::{Array, DocumentMut, Item, Value};

use crate::arguments::{Arguments, ConfigOptions, ConfigVerb};
use crate::exit::Exit;
use crate::status::json;
use crate::version::PROGRAM;

#[derive(Serialize)]
struct Listing {
    schema: &'static str,
    settings: Vec<SettingEntry>,
    problems: Vec<String>,
}

/// Why a change was not made, and the exit code for it.
type Refused = (Exit, String);

pub(crate) async fn run(arguments: &Arguments, options: &ConfigOptions) -> Result<Exit, ClientError> {
    let changed = match &options.verb {
        ConfigVerb::List => return list(arguments).await,
        ConfigVerb::Get { key } => return get(arguments, key).await,
        ConfigVerb::Validate { path } => return Ok(validate(path)),
        ConfigVerb::Set { key, value } => change(&options.file, key, Some(value)),
        ConfigVerb::Unset { key } => change(&options.file, key, None),
    };
    if let Err((exit, why)) = changed {
        anstream::eprintln!("everclat: {why}");
        return Ok(exit);
    }
    reload(arguments).await
}

async fn list(arguments: &Arguments) -> Result<Exit, ClientError> {
    let (settings, problems) = Client::connect(&arguments.socket, PROGRAM).await?.settings().await?;
    if arguments.json {
        let listing = Listing { schema: "everclat.config/1", settings, problems };
        anstream::println!("{}", json(&listing, arguments.compact));
        return Ok(Exit::Good);
    }
    for entry in &settings {
        let lock = if entry.locked { ", locked" } else { "" };
        anstream::println!("{:<21} {:<24} {}{lock}", entry.key, entry.value, origin(entry));
    }
    for problem in &problems {
        anstream::eprintln!("{problem}");
    }
    Ok(Exit::Good)
}

async fn get(arguments: &Arguments, key: &str) -> Result<Exit, ClientError> {
    let (settings, _) = Client::connect(&arguments.socket, PROGRAM).await?.settings().await?;
    let Some(entry) = settings.into_iter().find(|entry| entry.key == key) else {
        anstream::eprintln!("everclat: {}", unknown_key(key));
        return Ok(Exit::Usage);
    };
    if arguments.json {
        anstream::println!("{}", json(&entry, arguments.compact));
    } else {
        anstream::println!("{}", entry.value);
    }
    Ok(Exit::Good)
}

fn validate(path: &Path) -> Exit {
    let text = match std::fs::read_to_string(path) {
        Ok(text) => text,
        Err(error) => {
            anstream::eprintln!("everclat: {}: cannot be read ({error})", path.display());
            return Exit::Internal;
        }
    };
    let (_, problems) = parse_config(path, &text, &Settings::default());
    for problem in &problems {
        anstream::println!("{problem}");
    }
    if problems.is_empty() {
        anstream::println!("{}: good", path.display());
        return Exit::Good;
    }
    Exit::Invalid
}

/// Changes one key of the file, or takes it out. Nothing is written unless the result is good for that key.
fn change(file: &Path, key: &str, value: Option<&str>) -> Result<(), Refused> {
    let Some(known) = setting_entries(&Settings::default()).into_iter().find(|entry| entry.key == key) else {
        return Err((Exit::Usage, unknown_key(key)));
    };
    let text = match std::fs::read_to_string(file) {
        Ok(text) => text,
        Err(error) if error.kind() == ErrorKind::NotFound => String::new(),
        Err(error) => return Err(refused(file, "cannot be read", &error)),
    };
    let mut document: DocumentMut =
        text.parse().map_err(|error| (Exit::Invalid, format!("{}: not valid TOML: {error}", file.display())))?;
    match value {
        Some(value) => document[key] = Item::Value(typed(&known, value)),
        None => drop(document.remove(key)),
    }
    let text = document.to_string();
    let (_, problems) = parse_config(file, &text, &Settings::default());
    let spoilt = problems.iter().map(ToString::to_string).find(|problem| problem.contains(&format!(": {key}: ")));
    if let Some(problem) = spoilt {
        return Err((Exit::Usage, format!("nothing was changed: {problem}")));
    }
    write(file, &text).map_err(|error| refused(file, "cannot be written", &error))
}

/// The value as the key wants it: people do not write quotes and brackets on a command line.
fn typed(known: &SettingEntry, value: &str) -> Value {
    if known.value.starts_with('[') {
        let items = value.trim_matches(['[', ']']).split(',').map(|item| item.trim().trim_matches('"'));
        return Value::Array(items.filter(|item| !item.is_empty()).collect::<Array>());
    }
    if known.value.starts_with('"') {
        return Value::from(value.trim_matches('"'));
    }
    // What is neither a number nor a truth is for the check to refuse, in its own words.
    value.parse().unwrap_or_else(|_| Value::from(value))
}

/// Whole or not at all, with the rights of the file that was there.
fn write(file: &Path, text: &str) -> std::io::Result<()> {
    let directory = file.parent().filter(|parent| !parent.as_os_str().is_empty()).unwrap_or(Path::new("."));
    std::fs::create_dir_all(directory)?;
    let Ok(rights) = std::fs::metadata(file).map(|metadata| metadata.permissions()) else {
        // With the rights that new files of this user have.
        return std::fs::write(file, text);
    };
    let mut beside = tempfile::Builder::new().prefix(".config").tempfile_in(directory)?;
    beside.write_all(text.as_bytes())?;
    beside.as_file().sync_all()?;
    let path = beside.into_temp_path();
    std::fs::set_permissions(&path, rights)?;
    path.persist(file).map_err(|error| error.error)
}

/// A service that does not run takes the file when it starts.
async fn reload(arguments: &Arguments) -> Result<Exit, ClientError> {
    let mut client = match Client::connect(&arguments.socket, PROGRAM).await {
        Ok(client) => client,
        Err(ClientError::NotRunning { .. }) => {
            anstream::eprintln!("written; the service is not running and will read it when it starts");
            return Ok(Exit::Good);
        }
        Err(error) => return Err(error),
    };
    client.control(Control::Reload).await?;
    let (_, problems) = client.settings().await?;
    for problem in &problems {
        anstream::eprintln!("{problem}");
    }
    Ok(Exit::Good)
}

fn refused(file: &Path, what: &str, error: &std::io::Error) -> Refused {
    let exit = if error.kind() == ErrorKind::PermissionDenied { Exit::Denied } else { Exit::Internal };
    (exit, format!("{} {what} ({error})", file.display()))
}

fn origin(entry: &SettingEntry) -> &'static str {
    match entry.origin {
        model::Origin::Default => "default",
        model::Origin::Config => "configuration",
        model::Origin::Policy => "policy",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn changed(before: &str, key: &str, value: Option<&str>) -> Result<String, Refused> {
        let directory = tempfile::tempdir().unwrap();
        let file = directory.path().join("deep/config.toml");
        write(&file, before).unwrap();
        change(&file, key, value)?;
        Ok(std::fs::read_to_string(&file).unwrap())
    }

    #[test]
    fn one_key_changes_and_comments_stay() {
        let before = "# ours\nMtu = 1300 # small\nDad = \"strict\"\n";
        let after = changed(before, "Mtu", Some("1400")).unwrap();
        assert!(after.starts_with("# ours\nMtu = 1400") && after.contains("Dad = \"strict\""), "{after}");
        assert_eq!(changed(before, "Dad", None).unwrap(), "# ours\nMtu = 1300 # small\n");
    }

    #[test]
    fn values_as_people_type_them() {
        assert_eq!(changed("", "Enabled", Some("false")).unwrap(), "Enabled = false\n");
        assert_eq!(changed("", "Dad", Some("strict")).unwrap(), "Dad = \"strict\"\n");
        assert_eq!(changed("", "ClatIpv4", Some("192.0.0.5")).unwrap(), "ClatIpv4 = \"192.0.0.5\"\n");
        assert_eq!(
            changed("", "Pref64Static", Some("64:ff9b::/96, 2001:db8:64::/48")).unwrap(),
            "Pref64Static = [\"64:ff9b::/96\", \"2001:db8:64::/48\"]\n"
        );
    }

    #[test]
    fn a_bad_value_or_key_changes_nothing() {
        for (key, value) in [("Mtu", "12"), ("Mtu", "big"), ("Enabled", "maybe"), ("Pref64Static", "64:ff9b::/95")] {
            let (exit, why) = changed("Mtu = 1400\n", key, Some(value)).unwrap_err();
            assert_eq!(exit, Exit::Usage, "{why}");
            assert!(why.contains(key), "{why}");
        }
        let (exit, why) = changed("", "mtuu", Some("1")).unwrap_err();
        assert_eq!((exit, why.as_str()), (Exit::Usage, "unknown key `mtuu`; did you mean `Mtu`?"));
        assert_eq!(changed("Mtu = = 1", "Dad", Some("strict")).unwrap_err().0, Exit::Invalid);
    }
}

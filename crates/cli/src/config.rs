//! `everclat config`: reads through the service, writes the file, and has the service read it again.

use std::io::{ErrorKind, Write};
use std::path::Path;

use ipc::{Client, ClientError, Control, SettingsReport};
use model::{
    ConfigProblem, KeyReference, Layer, Origin, SettingEntry, Settings, key_references, parse_config, setting_entries,
    unknown_key,
};
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
    details: Vec<ConfigProblem>,
}

/// Why a change was not made, and the exit code for it.
type Refused = (Exit, String);

pub(crate) async fn run(arguments: &Arguments, options: &ConfigOptions) -> Result<Exit, ClientError> {
    let changed = match &options.verb {
        ConfigVerb::List => return list(arguments).await,
        ConfigVerb::Get { key } => return get(arguments, key).await,
        ConfigVerb::Validate { path } => return Ok(validate(path)),
        ConfigVerb::Explain { key } => return Ok(explain(arguments, key)),
        ConfigVerb::Set { key, value } => {
            if let Some(why) = locked(arguments, key).await? {
                anstream::eprintln!("everclat: {why}");
                return Ok(Exit::Denied);
            }
            change(&options.file, key, Some(value))
        }
        ConfigVerb::Unset { key } => change(&options.file, key, None),
    };
    if let Err((exit, why)) = changed {
        anstream::eprintln!("everclat: {why}");
        return Ok(exit);
    }
    reload(arguments).await
}

async fn list(arguments: &Arguments) -> Result<Exit, ClientError> {
    let SettingsReport { settings, problems, details } =
        Client::connect(&arguments.socket, PROGRAM).await?.settings().await?;
    if arguments.json {
        let listing = Listing { schema: "everclat.config/1", settings, problems, details };
        anstream::println!("{}", json(&listing, arguments.compact));
        return Ok(Exit::Good);
    }
    anstream::print!("{}", table(&settings));
    for problem in &problems {
        anstream::eprintln!("{problem}");
    }
    Ok(Exit::Good)
}

/// One line for each setting: key, value, origin, lock.
pub(crate) fn table(settings: &[SettingEntry]) -> String {
    let width = |of: fn(&SettingEntry) -> &str| settings.iter().map(|entry| of(entry).chars().count()).max();
    let keys = width(|entry| &entry.key).unwrap_or_default();
    // A long list is not worth moving every other line's origin out of sight.
    let values = width(|entry| &entry.value).unwrap_or_default().min(24);
    let mut out = String::new();
    for entry in settings {
        let SettingEntry { key, value, .. } = entry;
        out.push_str(&format!("{key:<keys$}  {value:<values$}  {}\n", origin(entry)));
    }
    out
}

/// Says who sets `key`, if nobody else may. A service that does not run locks nothing; it will say so when it does.
async fn locked(arguments: &Arguments, key: &str) -> Result<Option<String>, ClientError> {
    let report = match Client::connect(&arguments.socket, PROGRAM).await {
        Ok(mut client) => client.settings().await?,
        Err(ClientError::NotRunning { .. }) => return Ok(None),
        Err(error) => return Err(error),
    };
    let entry = report.settings.into_iter().find(|entry| entry.key == key && entry.locked);
    Ok(entry.map(|entry| {
        let source = entry.source.as_deref().unwrap_or("a policy");
        format!("nothing was changed: {key} is locked to {} by {source}; ask your administrator", entry.value)
    }))
}

async fn get(arguments: &Arguments, key: &str) -> Result<Exit, ClientError> {
    let report = Client::connect(&arguments.socket, PROGRAM).await?.settings().await?;
    let Some(entry) = report.settings.into_iter().find(|entry| entry.key == key) else {
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

fn explain(arguments: &Arguments, key: &str) -> Exit {
    let Some(reference) = key_references().into_iter().find(|reference| reference.key == key) else {
        anstream::eprintln!("everclat: {}", unknown_key(key));
        return Exit::Usage;
    };
    if arguments.json {
        anstream::println!("{}", json(&reference, arguments.compact));
        return Exit::Good;
    }
    let KeyReference { key, kind, default, allowed, about } = reference;
    anstream::println!("{key}: {about}");
    anstream::println!("  Type     {kind}\n  Allowed  {allowed}\n  Default  {default}");
    Exit::Good
}

fn validate(path: &Path) -> Exit {
    check_file(path, |text| parse_config(path, text, &Layer::empty(path, Origin::Config)).1)
}

/// Prints what `check` finds in a file.
pub(crate) fn check_file(path: &Path, check: impl Fn(&str) -> Vec<ConfigProblem>) -> Exit {
    let text = match std::fs::read_to_string(path) {
        Ok(text) => text,
        Err(error) => {
            anstream::eprintln!("everclat: {}: cannot be read ({error})", path.display());
            return Exit::Internal;
        }
    };
    let problems = check(&text);
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
    let (_, problems) = parse_config(file, &text, &Layer::empty(file, Origin::Config));
    if let Some(problem) = problems.iter().find(|problem| problem.key.as_deref() == Some(key)) {
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
            if !arguments.quiet {
                anstream::eprintln!("written; the service is not running and will read it when it starts");
            }
            return Ok(Exit::Good);
        }
        Err(error) => return Err(error),
    };
    client.control(Control::Reload).await?;
    for problem in &client.settings().await?.problems {
        anstream::eprintln!("{problem}");
    }
    Ok(Exit::Good)
}

fn refused(file: &Path, what: &str, error: &std::io::Error) -> Refused {
    let exit = if error.kind() == ErrorKind::PermissionDenied { Exit::Denied } else { Exit::Internal };
    (exit, format!("{} {what} ({error})", file.display()))
}

fn origin(entry: &SettingEntry) -> String {
    let origin = match entry.origin {
        Origin::Default => return "default".to_owned(),
        Origin::Config => "configuration",
        Origin::Policy => "policy",
    };
    let lock = if entry.locked { ", locked" } else { "" };
    let source = entry.source.as_ref().map(|source| format!(" ({source})")).unwrap_or_default();
    format!("{origin}{lock}{source}")
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

    #[test]
    fn the_table_says_who_set_it() {
        let entry = |key: &str, value: &str, origin, locked, source: Option<&str>| SettingEntry {
            key: key.into(),
            value: value.into(),
            origin,
            locked,
            source: source.map(str::to_owned),
        };
        let settings = [
            entry("Mtu", "1400", Origin::Policy, true, Some("/p/10.json")),
            entry("Enabled", "true", Origin::Default, false, None),
            entry("Dad", "\"strict\"", Origin::Config, false, Some("/c")),
        ];
        assert_eq!(
            table(&settings),
            "Mtu      1400      policy, locked (/p/10.json)\n\
             Enabled  true      default\n\
             Dad      \"strict\"  configuration (/c)\n"
        );
    }
}

use ipc::{Client, ClientError};
use jiff::tz::TimeZone;
use model::Status;
use serde::Serialize;
use serde_json::Value;

use crate::arguments::{Arguments, StatusOptions};
use crate::exit::Exit;
use crate::newer;
use crate::text::{list, text};
use crate::version::PROGRAM;

/// Asks once. Answered is good, whatever the answer: health in exit codes is for `wait` and `check`.
pub(crate) async fn run(arguments: &Arguments, options: &StatusOptions) -> Result<Exit, ClientError> {
    match Client::connect(&arguments.socket, PROGRAM).await?.hear().await {
        Ok(mut heard) => {
            if let Some(name) = &options.iface {
                if !heard.status.interfaces.iter().any(|interface| interface.name == *name) {
                    let names: Vec<_> = heard.status.interfaces.into_iter().map(|interface| interface.name).collect();
                    anstream::eprintln!("everclat: no interface {name}; there is {}", list(&names, "none"));
                    return Ok(Exit::Usage);
                }
                narrow(&mut heard.status, name);
                narrow_document(&mut heard.document, name);
            }
            if arguments.json {
                // Scripts get what the service says, known here or not.
                anstream::println!("{}", json(&heard.document, arguments.compact));
            } else {
                anstream::print!(
                    "{}",
                    text(&heard.status, options.verbose || options.iface.is_some(), &TimeZone::system())
                );
            }
        }
        Err(ClientError::Newer { mut said, .. }) if arguments.json => {
            if let Some(name) = &options.iface {
                narrow_document(&mut said, name);
            }
            anstream::println!("{}", json(&*said, arguments.compact));
        }
        Err(ClientError::Newer { said, why }) => {
            anstream::println!("{}", newer::headline(&said));
            newer::complain(&why);
        }
        Err(error) => return Err(error),
    }
    Ok(Exit::Good)
}

/// Leaves out what concerns other interfaces only.
fn narrow(status: &mut Status, name: &str) {
    status.interfaces.retain(|interface| interface.name == name);
    status.pref64.retain(|prefix| prefix.uplink.as_deref().is_none_or(|uplink| uplink == name));
    status.spare.take_if(|spare| spare.name != name);
    if status.uplink.as_ref().is_some_and(|uplink| uplink.name != name) {
        (status.uplink, status.clat, status.plane) = (None, None, None);
    }
}

/// The same in the document, whatever else is in it.
fn narrow_document(document: &mut Value, name: &str) {
    let of = |item: &Value, field: &str| item[field].as_str().is_none_or(|is| is == name);
    for (list, field) in [("interfaces", "name"), ("pref64", "uplink")] {
        if let Some(items) = document.get_mut(list).and_then(Value::as_array_mut) {
            items.retain(|item| of(item, field));
        }
    }
    if !of(&document["spare"], "name") {
        document["spare"] = Value::Null;
    }
    if !of(&document["uplink"], "name") {
        for field in ["uplink", "clat", "plane"] {
            document[field] = Value::Null;
        }
    }
}

pub(crate) fn json(value: &impl Serialize, compact: bool) -> String {
    let written = if compact { serde_json::to_string(value) } else { serde_json::to_string_pretty(value) };
    // Our own types have string keys and finite numbers; there is nothing in them that could fail.
    written.unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::text::tests::working;

    #[test]
    fn one_interface_alone() {
        let status = working();
        for (name, translates) in [("eth0", true), ("wlan0", false)] {
            let mut document = serde_json::to_value(&status).unwrap();
            let mut narrowed = status.clone();
            narrow(&mut narrowed, name);
            narrow_document(&mut document, name);
            assert_eq!(document, serde_json::to_value(&narrowed).unwrap());
            assert_eq!((narrowed.clat.is_some(), narrowed.uplink.is_some()), (translates, translates), "{name}");
            assert_eq!(narrowed.spare.is_some(), !translates, "{name}");
            assert_eq!((narrowed.interfaces.len(), narrowed.pref64.len()), (1, 1));
            assert!(text(&narrowed, true, &TimeZone::UTC).contains(name));
        }
    }
}

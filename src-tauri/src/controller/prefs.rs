//! What the user prefers, and what policies say instead.

use std::collections::BTreeMap;

use ipc::SettingsReport;
use model::{Origin, SettingEntry};
use serde_json::Value;

use crate::view::{Notifications, Prefs, Theme};

/// Names of preferences and of the policies for them (the table of keys in docs/configuration.md grows as the service learns them).
const POLICIES: [(&str, &str); 5] = [
    ("language", "Language"),
    ("theme", "Theme"),
    ("autostart", "StartGuiAtLogin"),
    ("notifications", "NotificationLevel"),
    ("show_tray", "ShowTrayIcon"),
];
/// Longer than any name of a language.
const LONGEST_LANGUAGE: usize = 35;

/// Changes one preference.
///
/// # Errors
/// When there is no such preference, or it cannot have this value; in words.
pub(super) fn set(prefs: &Prefs, key: &str, value: &Value) -> Result<Prefs, String> {
    let mut new = prefs.clone();
    let wrong = || format!("{key} cannot be {value}");
    match key {
        "language" => new.language = language(value).ok_or_else(wrong)?,
        "theme" => new.theme = theme(value).ok_or_else(wrong)?,
        "autostart" => new.autostart = value.as_bool().ok_or_else(wrong)?,
        "notifications" => new.notifications = notifications(value).ok_or_else(wrong)?,
        "show_tray" => new.show_tray = value.as_bool().ok_or_else(wrong)?,
        _ => return Err(format!("there is no preference {key}")),
    }
    Ok(new)
}

/// The preferences with what policies say: a locked value counts always, another one as long as the user's own is the built-in one.
pub(super) fn with_policy(own: &Prefs, report: Option<&SettingsReport>) -> Prefs {
    let built_in = Prefs::default();
    POLICIES.iter().fold(own.clone(), |prefs, (key, policy)| {
        let Some(entry) = entry(report, policy) else { return prefs };
        let counts = entry.locked || field(own, key) == field(&built_in, key);
        // Values are shown as they would stand in a file of TOML; words and truth values look the same in JSON.
        let Some(value) = serde_json::from_str(&entry.value).ok().filter(|_| counts) else { return prefs };
        set(&prefs, key, &value).unwrap_or(prefs)
    })
}

/// Which preferences the user cannot change, and who says so.
pub(super) fn locks(report: Option<&SettingsReport>) -> BTreeMap<String, String> {
    let locked = POLICIES.iter().filter_map(|(key, policy)| Some((key, entry(report, policy)?)));
    let locked = locked.filter(|(_, entry)| entry.locked);
    locked.map(|(key, entry)| ((*key).to_owned(), who(entry))).collect()
}

/// Who set this; empty where nobody is named.
pub(super) fn who(entry: &SettingEntry) -> String {
    entry.source.clone().unwrap_or_default()
}

/// A setting of the service that is not at its default.
fn entry<'a>(report: Option<&'a SettingsReport>, key: &str) -> Option<&'a SettingEntry> {
    report?.settings.iter().find(|entry| entry.key == key && entry.origin != Origin::Default)
}

fn field(prefs: &Prefs, key: &str) -> Option<Value> {
    serde_json::to_value(prefs).ok()?.get(key).cloned()
}

fn language(value: &Value) -> Option<String> {
    let name = value.as_str()?;
    let plain = name.chars().all(|letter| letter.is_ascii_alphanumeric() || letter == '-');
    (plain && (1..=LONGEST_LANGUAGE).contains(&name.len())).then(|| name.to_owned())
}

fn theme(value: &Value) -> Option<Theme> {
    serde_json::from_value(value.clone()).ok()
}

fn notifications(value: &Value) -> Option<Notifications> {
    serde_json::from_value(value.clone()).ok()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn report(key: &str, value: &str, locked: bool) -> SettingsReport {
        let source = locked.then(|| "/etc/everclat/policy.d/10.json".to_owned());
        let entry =
            SettingEntry { key: key.to_owned(), value: value.to_owned(), origin: Origin::Policy, locked, source };
        SettingsReport { settings: vec![entry], ..SettingsReport::default() }
    }

    #[test]
    fn only_what_is_a_preference_is_taken() {
        let old = Prefs::default();
        assert_eq!(set(&old, "theme", &json!("dark")).map(|new| new.theme), Ok(Theme::Dark));
        assert_eq!(set(&old, "language", &json!("pt-BR")).map(|new| new.language), Ok("pt-BR".to_owned()));
        assert_eq!(set(&old, "show_tray", &json!(false)).map(|new| new.show_tray), Ok(false));
        for (key, value) in [
            ("theme", json!("pink")),
            ("language", json!("../../etc/passwd")),
            ("language", json!("")),
            ("notifications", json!(1)),
            ("autostart", json!("yes")),
            ("socket", json!("/tmp/x")),
        ] {
            assert!(set(&old, key, &value).is_err(), "{key} {value}");
        }
    }

    #[test]
    fn a_locked_policy_wins_and_says_who_it_is() {
        let own = Prefs { theme: Theme::Dark, ..Prefs::default() };
        let report = report("Theme", "\"light\"", true);
        assert_eq!(with_policy(&own, Some(&report)).theme, Theme::Light);
        assert_eq!(locks(Some(&report)).get("theme").map(String::as_str), Some("/etc/everclat/policy.d/10.json"));
    }

    #[test]
    fn a_recommendation_gives_way_to_a_choice() {
        let report = report("NotificationLevel", "\"none\"", false);
        assert_eq!(with_policy(&Prefs::default(), Some(&report)).notifications, Notifications::None);
        let own = Prefs { notifications: Notifications::All, ..Prefs::default() };
        assert_eq!(with_policy(&own, Some(&report)).notifications, Notifications::All);
        assert!(locks(Some(&report)).is_empty());
    }
}

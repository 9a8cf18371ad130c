//! One row per key: how a value gets in, how the last one stays, how it is shown.

use toml::de::DeValue;

use super::SettingEntry;
use crate::{Dad, InvalidSetting, Origin, Pref64, Setting, Settings};

/// A key of the configuration file.
pub(super) struct Key {
    pub(super) name: &'static str,
    /// Takes a value from the file, or says what is wrong with it.
    pub(super) take: fn(&mut Settings, &DeValue<'_>) -> Result<(), String>,
    /// Takes over what other settings have.
    pub(super) keep: fn(&mut Settings, &Settings),
    /// The value as it would stand in the file.
    pub(super) show: fn(&Settings) -> SettingEntry,
}

macro_rules! key {
    ($name:literal, $field:ident, $read:expr, $write:expr) => {
        Key {
            name: $name,
            take: |settings, value| {
                settings.$field.set($read(value)?, Origin::Config);
                Ok(())
            },
            keep: |settings, last| settings.$field = last.$field.clone(),
            show: |settings| entry($name, &settings.$field, $write),
        }
    };
}

pub(super) const KEYS: [Key; 8] = [
    key!("Enabled", enabled, boolean, ToString::to_string),
    key!("Pref64Static", pref64_static, prefixes, |prefixes| show_prefixes(prefixes)),
    key!("ClatIpv4", clat_ipv4, address, quoted),
    key!("Dad", dad, dad, show_dad),
    key!(
        "Ipv4RouteMetric",
        ipv4_route_metric,
        |value| checked(integer(value)?, Settings::check_metric),
        ToString::to_string
    ),
    key!("Mtu", mtu, |value| checked(integer(value)?, Settings::check_mtu), ToString::to_string),
    key!("AllowUserPause", allow_user_pause, boolean, ToString::to_string),
    key!(
        "PauseMaxMinutes",
        pause_max_minutes,
        |value| checked(integer(value)?, Settings::check_pause_max_minutes),
        ToString::to_string
    ),
];

fn entry<T>(key: &str, setting: &Setting<T>, write: fn(&T) -> String) -> SettingEntry {
    SettingEntry {
        key: key.to_owned(),
        value: write(&setting.value),
        origin: setting.origin.clone(),
        locked: setting.locked,
    }
}

fn boolean(value: &DeValue<'_>) -> Result<bool, String> {
    value.as_bool().ok_or_else(|| expected("true or false", value))
}

fn prefixes(value: &DeValue<'_>) -> Result<Vec<Pref64>, String> {
    let list = value.as_array().ok_or_else(|| expected("a list of prefixes, such as [\"64:ff9b::/96\"]", value))?;
    let prefix = |value: &DeValue<'_>| {
        let text = value.as_str().ok_or_else(|| expected("a prefix in quotes, such as \"64:ff9b::/96\"", value))?;
        text.parse().map_err(|error| format!("`{text}`: {error}"))
    };
    list.iter().map(|item| prefix(item.get_ref())).collect()
}

fn address(value: &DeValue<'_>) -> Result<std::net::Ipv4Addr, String> {
    let text = value.as_str().ok_or_else(|| expected("an IPv4 address in quotes", value))?;
    checked(text.parse().map_err(|_| format!("`{text}` is no IPv4 address"))?, Settings::check_clat_ipv4)
}

fn dad(value: &DeValue<'_>) -> Result<Dad, String> {
    match value.as_str() {
        Some("optimistic") => Ok(Dad::Optimistic),
        Some("strict") => Ok(Dad::Strict),
        Some(other) => Err(format!("`{other}` is not allowed; use \"optimistic\" or \"strict\"")),
        None => Err(expected("\"optimistic\" or \"strict\"", value)),
    }
}

fn integer(value: &DeValue<'_>) -> Result<i64, String> {
    let integer = value.as_integer().ok_or_else(|| expected("a whole number", value))?;
    i64::from_str_radix(integer.as_str(), integer.radix()).map_err(|_| "the number is too large".to_owned())
}

fn checked<A, B>(value: A, check: fn(A) -> Result<B, InvalidSetting>) -> Result<B, String> {
    check(value).map_err(|error| error.reason)
}

fn expected(what: &str, value: &DeValue<'_>) -> String {
    format!("expected {what}, found {}", value.type_str())
}

fn quoted(value: &impl ToString) -> String {
    format!("\"{}\"", value.to_string())
}

fn show_prefixes(prefixes: &[Pref64]) -> String {
    format!("[{}]", prefixes.iter().map(quoted).collect::<Vec<_>>().join(", "))
}

fn show_dad(dad: &Dad) -> String {
    match dad {
        Dad::Optimistic => "\"optimistic\"".to_owned(),
        Dad::Strict => "\"strict\"".to_owned(),
    }
}

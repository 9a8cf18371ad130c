//! One row per key: how a value gets in, how the last one stays, how it is shown.

use std::str::FromStr;

use ipnet::Ipv6Net;
use toml::de::DeValue;

use super::SettingEntry;
use crate::{Dad, InvalidSetting, Origin, Pref64Source, Setting, Settings};

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

pub(super) const KEYS: [Key; 19] = [
    key!("Enabled", enabled, boolean, ToString::to_string),
    key!("Pref64Static", pref64_static, |value| list(value, "a prefix, such as \"64:ff9b::/96\"", parsed), |v| shown(
        v
    )),
    key!("Pref64Sources", pref64_sources, sources, |sources| shown_as(sources, source_name)),
    key!("Pref64Allow", pref64_allow, networks, |networks| shown(networks)),
    key!("Pref64Deny", pref64_deny, networks, |networks| shown(networks)),
    key!("InterfacesInclude", interfaces_include, globs, |globs| shown(globs)),
    key!("InterfacesExclude", interfaces_exclude, globs, |globs| shown(globs)),
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
    key!("AllowUserConfig", allow_user_config, boolean, ToString::to_string),
    key!("ProbeEnabled", probe_enabled, boolean, ToString::to_string),
    key!(
        "ProbeTargetsV4",
        probe_targets_v4,
        |value| list(value, "an address, such as \"198.51.100.1:443\"", str::parse),
        |targets| shown(targets)
    ),
    key!(
        "ProbeTargetsV6",
        probe_targets_v6,
        |value| list(value, "an address, such as \"[2001:db8::1]:443\"", str::parse),
        |targets| shown(targets)
    ),
    key!(
        "ProbeIntervalSeconds",
        probe_interval_seconds,
        |value| checked(integer(value)?, Settings::check_probe_interval),
        ToString::to_string
    ),
    key!("AllowInternetProbe", allow_internet_probe, boolean, ToString::to_string),
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

/// A list of strings; `item` says what each of them has to be.
fn list<T>(value: &DeValue<'_>, item: &str, read: impl Fn(&str) -> Result<T, String>) -> Result<Vec<T>, String> {
    let list = value.as_array().ok_or_else(|| expected(&format!("a list, each item {item}"), value))?;
    let one = |value: &DeValue<'_>| read(value.as_str().ok_or_else(|| expected(item, value))?);
    list.iter().map(|item| one(item.get_ref())).collect()
}

fn parsed<T: FromStr<Err: std::fmt::Display>>(text: &str) -> Result<T, String> {
    text.parse().map_err(|error| format!("`{text}`: {error}"))
}

fn networks(value: &DeValue<'_>) -> Result<Vec<Ipv6Net>, String> {
    list(value, "an IPv6 prefix, such as \"2001:db8::/32\"", |text| {
        let net: Ipv6Net = text.parse().map_err(|_| format!("`{text}` is no IPv6 prefix, such as 2001:db8::/32"))?;
        if net.trunc() != net {
            return Err(format!("`{text}` has bits set behind the prefix length; did you mean {}?", net.trunc()));
        }
        Ok(net)
    })
}

fn globs(value: &DeValue<'_>) -> Result<Vec<crate::InterfaceGlob>, String> {
    list(value, "an interface name or pattern, such as \"eth*\"", str::parse)
}

const SOURCES: [Pref64Source; 3] = [Pref64Source::Ra, Pref64Source::Dns, Pref64Source::Policy];

fn source_name(source: &Pref64Source) -> &'static str {
    match source {
        Pref64Source::Ra => "ra",
        Pref64Source::Dns => "dns",
        Pref64Source::Policy => "policy",
        Pref64Source::Config => "config",
    }
}

fn sources(value: &DeValue<'_>) -> Result<Vec<Pref64Source>, String> {
    let allowed = "\"ra\", \"dns\" or \"policy\"";
    let sources = list(value, allowed, |text| {
        let known = SOURCES.into_iter().find(|source| source_name(source) == text);
        known.ok_or_else(|| format!("`{text}` is not allowed; use {allowed}"))
    })?;
    checked(sources, Settings::check_pref64_sources)
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

fn shown<T: ToString>(items: &[T]) -> String {
    shown_as(items, ToString::to_string)
}

fn shown_as<T, S: ToString>(items: &[T], name: impl Fn(&T) -> S) -> String {
    format!("[{}]", items.iter().map(|item| quoted(&name(item))).collect::<Vec<_>>().join(", "))
}

fn show_dad(dad: &Dad) -> String {
    match dad {
        Dad::Optimistic => "\"optimistic\"".to_owned(),
        Dad::Strict => "\"strict\"".to_owned(),
    }
}

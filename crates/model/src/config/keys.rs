//! One row per key: how a value gets in, how the last one stays, how it is shown.

use ipnet::Ipv6Net;

use super::SettingEntry;
use super::given::{Given, parsed};
use crate::{Dad, FastPath, InterfaceGlob, InvalidSetting, Origin, Pref64Source, Setting, Settings};

/// A key of configuration and policy.
pub(super) struct Key {
    pub(super) name: &'static str,
    /// For the documentation: the sort of value, what it may be, what it does.
    pub(super) kind: &'static str,
    pub(super) allowed: &'static str,
    pub(super) about: &'static str,
    /// Takes a value from a file, or says what is wrong with it.
    pub(super) take: fn(&mut Settings, &Given, Origin) -> Result<(), String>,
    /// Takes over what other settings have.
    pub(super) keep: fn(&mut Settings, &Settings),
    /// Keeps lower layers from it.
    pub(super) lock: fn(&mut Settings),
    /// The value as it would stand in the file.
    pub(super) show: fn(&Settings) -> SettingEntry,
}

macro_rules! key {
    ($name:literal, $field:ident, $read:expr, $write:expr, $kind:expr, $allowed:literal, $about:literal) => {
        Key {
            name: $name,
            kind: $kind,
            allowed: $allowed,
            about: $about,
            take: |settings, value, origin| {
                settings.$field.set($read(value, origin)?, origin);
                Ok(())
            },
            keep: |settings, last| settings.$field = last.$field.clone(),
            lock: |settings| settings.$field.locked = true,
            show: |settings| entry($name, &settings.$field, $write),
        }
    };
}

pub(super) const KEYS: [Key; 20] = [
    key!("Enabled", enabled, boolean, ToString::to_string, BOOLEAN, "`true`, `false`", "Off: the host is left alone."),
    key!(
        "Pref64Static",
        pref64_static,
        |value: &Given, _| value.list(PREFIX, parsed),
        |items| shown(items),
        LIST,
        "NAT64 prefixes of length 32, 40, 48, 56, 64 or 96",
        "Given by hand instead of learnt ones, unless `Pref64Sources` gives `policy` another place."
    ),
    key!(
        "Pref64Sources",
        pref64_sources,
        sources,
        |sources| shown_as(sources, source_name),
        LIST,
        "`ra`, `dns`, `policy`, each once",
        "Where prefixes are learnt, best first; `policy` stands for `Pref64Static`."
    ),
    key!(
        "Pref64Allow",
        pref64_allow,
        networks,
        |items| shown(items),
        LIST,
        "IPv6 prefixes",
        "A learnt prefix has to lie in one of them; empty: anywhere."
    ),
    key!(
        "Pref64Deny",
        pref64_deny,
        networks,
        |items| shown(items),
        LIST,
        "IPv6 prefixes",
        "A learnt prefix may lie in none of them."
    ),
    key!(
        "InterfacesInclude",
        interfaces_include,
        globs,
        |items| shown(items),
        LIST,
        "names; `*`, `?` and `[ab]` stand for others",
        "May be the uplink; empty: all."
    ),
    key!(
        "InterfacesExclude",
        interfaces_exclude,
        globs,
        |items| shown(items),
        LIST,
        "names; `*`, `?` and `[ab]` stand for others",
        "May not be the uplink."
    ),
    key!(
        "ClatIpv4",
        clat_ipv4,
        address,
        quoted,
        ADDRESS,
        "192.0.0.2 to 192.0.0.7",
        "The host's IPv4 address while Everclat translates (RFC 7335); another one when it is taken."
    ),
    key!(
        "Dad",
        dad,
        dad,
        show_dad,
        CHOICE,
        "`optimistic`, `strict`",
        "How the IPv6 address for translated packets is claimed: used at once (RFC 4429), or after a second without objection."
    ),
    key!(
        "FastPath",
        fast_path,
        fast_path,
        show_fast_path,
        CHOICE,
        "`auto`, `off`",
        "Whether the kernel translates flows by itself where it can (Linux 6.6 and later); `off`: every packet goes through the service."
    ),
    key!(
        "Ipv4RouteMetric",
        ipv4_route_metric,
        number(Settings::check_metric),
        ToString::to_string,
        NUMBER,
        "1 to 4294967295",
        "Of our IPv4 default route; the default loses to native IPv4."
    ),
    key!(
        "Mtu",
        mtu,
        number(Settings::check_mtu),
        ToString::to_string,
        NUMBER,
        "0, or 1252 to 65507",
        "Of our IPv4 default route, in bytes; 0: the uplink's IPv6 MTU - 28."
    ),
    key!(
        "LowestIpv6Mtu",
        lowest_ipv6_mtu,
        number(Settings::check_lowest_ipv6_mtu),
        ToString::to_string,
        NUMBER,
        "1280 to 65535",
        "Longer IPv6 packets, in bytes, are cut if the app allows it (RFC 7915); more than 1280 where each path is known to take it."
    ),
    key!(
        "AllowUserPause",
        allow_user_pause,
        boolean,
        ToString::to_string,
        BOOLEAN,
        "`true`, `false`",
        "Whether users who are no administrators may pause."
    ),
    key!(
        "PauseMaxMinutes",
        pause_max_minutes,
        number(Settings::check_pause_max_minutes),
        ToString::to_string,
        NUMBER,
        "0 to 1440",
        "The longest pause of such a user; 0: any."
    ),
    key!(
        "AllowUserConfig",
        allow_user_config,
        boolean,
        ToString::to_string,
        BOOLEAN,
        "`true`, `false`",
        "Whether such users may have configuration and policies read again."
    ),
    key!(
        "ProbeEnabled",
        probe_enabled,
        boolean,
        ToString::to_string,
        BOOLEAN,
        "`true`, `false`",
        "Whether the service may send packets of its own to find out whether IPv4 works."
    ),
    key!(
        "ProbeTargetsV4",
        probe_targets_v4,
        |value: &Given, _| value.list(TARGET_V4, str::parse),
        |items| shown(items),
        LIST,
        "IPv4 addresses, with or without port",
        "What is probed through the NAT64: with a port by TCP, without by echo."
    ),
    key!(
        "ProbeIntervalSeconds",
        probe_interval_seconds,
        number(Settings::check_probe_interval),
        ToString::to_string,
        NUMBER,
        "0, or 30 to 3600",
        "Between two probes while nothing happens; 0: only when in doubt."
    ),
    key!(
        "AllowInternetProbe",
        allow_internet_probe,
        boolean,
        ToString::to_string,
        BOOLEAN,
        "`true`, `false`",
        "Whether public hosts may be probed where no target is given."
    ),
];

const BOOLEAN: &str = "boolean";
const NUMBER: &str = "integer";
const ADDRESS: &str = "address";
const CHOICE: &str = "choice";
const LIST: &str = "list of strings";

const PREFIX: &str = "a prefix, such as \"64:ff9b::/96\"";
const TARGET_V4: &str = "an address, such as \"198.51.100.1:443\"";

fn entry<T>(key: &str, setting: &Setting<T>, write: fn(&T) -> String) -> SettingEntry {
    SettingEntry {
        key: key.to_owned(),
        value: write(&setting.value),
        origin: setting.origin,
        locked: setting.locked,
        source: None,
    }
}

fn boolean(value: &Given, origin: Origin) -> Result<bool, String> {
    match origin {
        Origin::Policy => value.leniently().boolean().map_err(|_| value.expected("true or false")),
        Origin::Default | Origin::Config => value.boolean(),
    }
}

fn number<T>(check: fn(i64) -> Result<T, InvalidSetting>) -> impl Fn(&Given, Origin) -> Result<T, String> {
    move |value, _| checked(value.integer()?, check)
}

fn networks(value: &Given, _: Origin) -> Result<Vec<Ipv6Net>, String> {
    value.list("an IPv6 prefix, such as \"2001:db8::/32\"", |text| {
        let net: Ipv6Net = text.parse().map_err(|_| format!("`{text}` is no IPv6 prefix, such as 2001:db8::/32"))?;
        if net.trunc() != net {
            return Err(format!("`{text}` has bits set behind the prefix length; did you mean {}?", net.trunc()));
        }
        Ok(net)
    })
}

fn globs(value: &Given, _: Origin) -> Result<Vec<InterfaceGlob>, String> {
    value.list("an interface name or pattern, such as \"eth*\"", str::parse)
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

fn sources(value: &Given, _: Origin) -> Result<Vec<Pref64Source>, String> {
    let allowed = "\"ra\", \"dns\" or \"policy\"";
    let sources = value.list(allowed, |text| {
        let known = SOURCES.into_iter().find(|source| source_name(source) == text);
        known.ok_or_else(|| format!("`{text}` is not allowed; use {allowed}"))
    })?;
    checked(sources, Settings::check_pref64_sources)
}

fn address(value: &Given, _: Origin) -> Result<std::net::Ipv4Addr, String> {
    let text = value.text("an IPv4 address in quotes")?;
    checked(text.parse().map_err(|_| format!("`{text}` is no IPv4 address"))?, Settings::check_clat_ipv4)
}

fn dad(value: &Given, _: Origin) -> Result<Dad, String> {
    match value.text("\"optimistic\" or \"strict\"")? {
        "optimistic" => Ok(Dad::Optimistic),
        "strict" => Ok(Dad::Strict),
        other => Err(format!("`{other}` is not allowed; use \"optimistic\" or \"strict\"")),
    }
}

fn fast_path(value: &Given, _: Origin) -> Result<FastPath, String> {
    match value.text("\"auto\" or \"off\"")? {
        "auto" => Ok(FastPath::Auto),
        "off" => Ok(FastPath::Off),
        other => Err(format!("`{other}` is not allowed; use \"auto\" or \"off\"")),
    }
}

fn checked<A, B>(value: A, check: fn(A) -> Result<B, InvalidSetting>) -> Result<B, String> {
    check(value).map_err(|error| error.reason)
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

fn show_fast_path(fast_path: &FastPath) -> String {
    match fast_path {
        FastPath::Auto => "\"auto\"".to_owned(),
        FastPath::Off => "\"off\"".to_owned(),
    }
}

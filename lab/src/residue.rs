//! What a program must leave as it found it: the network state of a namespace, without what changes by itself.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;
use std::{fmt, fs};

use anyhow::Context;
use serde_json::Value;

use crate::error::Result;
use crate::netns::{Netns, output};
use crate::tools::path_of;

/// Fields that the kernel changes without being asked: timers, counters, handles.
const VOLATILE: [&str; 14] = [
    "expires",
    "valid_life_time",
    "preferred_life_time",
    "age",
    "used",
    "users",
    "refcnt",
    "probes",
    "updated",
    "confirmed",
    "handle",
    "packets",
    "bytes",
    "metainfo",
];
/// Also the NUD state of a neighbour.
const NEIGHBOUR_STATE: &str = "state";
/// Sysctls that count or are moved by the kernel.
const VOLATILE_SYSCTLS: [&str; 2] = ["ipv4/tcp_fastopen_key", "ipv4/inet_peer"];

/// State of a namespace: sections of lines, comparable as a whole.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct HostState {
    sections: BTreeMap<&'static str, BTreeSet<String>>,
}

impl HostState {
    /// What differs, as `- before` and `+ after` lines under their section; empty when equal.
    #[must_use]
    pub fn diff(&self, after: &Self) -> String {
        let none = BTreeSet::new();
        let names: BTreeSet<_> = self.sections.keys().chain(after.sections.keys()).collect();
        let mut lines = Vec::new();
        for name in names {
            let old = self.sections.get(name).unwrap_or(&none);
            let new = after.sections.get(name).unwrap_or(&none);
            lines.extend(old.difference(new).map(|line| format!("{name}: - {line}")));
            lines.extend(new.difference(old).map(|line| format!("{name}: + {line}")));
        }
        lines.join("\n")
    }

    /// The lines of a section: `links`, `addresses`, `routes`, `rules`, `neighbours`, `multicast`, `nft`, `sysctls`.
    pub fn section(&self, name: &str) -> impl Iterator<Item = &str> {
        self.sections.get(name).into_iter().flatten().map(String::as_str)
    }
}

impl fmt::Display for HostState {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut lines = self.sections.iter().flat_map(|(name, lines)| lines.iter().map(move |line| (name, line)));
        lines.try_for_each(|(name, line)| writeln!(f, "{name}: {line}"))
    }
}

/// Takes the state of `netns`.
///
/// # Errors
/// When `ip` or `nft` fail or say something that is not JSON.
pub fn capture(netns: &Netns) -> Result<HostState> {
    let mut sections = BTreeMap::new();
    sections.insert("links", ip(netns, &["-details", "link", "show"])?);
    sections.insert("addresses", ip(netns, &["address", "show"])?);
    for (name, object) in [("routes", &["route", "show", "table", "all"][..]), ("rules", &["rule", "show"])] {
        let mut lines = ip(netns, &[&["-4"], object].concat())?;
        lines.extend(ip(netns, &[&["-6"], object].concat())?);
        sections.insert(name, lines);
    }
    sections.insert("neighbours", neighbours(netns)?);
    sections.insert("multicast", ip(netns, &["maddress", "show"])?);
    let rules = output(netns.command(path_of("nft")).args(["-j", "list", "ruleset"]))?;
    let rules: Value = serde_json::from_str(&rules).context("the output of nft")?;
    sections.insert("nft", lines_of(&rules["nftables"]));
    let files = netns.enter(|| {
        let mut lines = BTreeSet::new();
        walk_sysctls("ipv4", &mut lines);
        walk_sysctls("ipv6", &mut lines);
        lines
    })?;
    sections.insert("sysctls", files);
    Ok(HostState { sections })
}

fn ip_json(netns: &Netns, args: &[&str]) -> Result<Value> {
    let text = netns.ip(&[&["-json"], args].concat())?;
    if text.trim().is_empty() {
        return Ok(Value::Array(Vec::new()));
    }
    Ok(serde_json::from_str(&text).with_context(|| format!("the output of ip {}", args.join(" ")))?)
}

fn ip(netns: &Netns, args: &[&str]) -> Result<BTreeSet<String>> {
    Ok(lines_of(&ip_json(netns, args)?))
}

/// Neighbours that were resolved; those being asked for come and go.
fn neighbours(netns: &Netns) -> Result<BTreeSet<String>> {
    let mut list = ip_json(netns, &["neighbour", "show"])?;
    if let Value::Array(entries) = &mut list {
        entries.retain(|entry| entry.get("lladdr").is_some());
        for entry in entries.iter_mut().filter_map(Value::as_object_mut) {
            entry.remove(NEIGHBOUR_STATE);
        }
    }
    Ok(lines_of(&list))
}

/// Bridges tell the time left on each of their timers.
fn is_volatile(field: &str) -> bool {
    VOLATILE.contains(&field) || field.ends_with("_timer")
}

/// One line per element, sorted and without volatile fields.
fn lines_of(list: &Value) -> BTreeSet<String> {
    let elements = list.as_array().into_iter().flatten();
    let stable = elements.map(|element| without_volatile(element.clone()));
    stable
        .filter(|element| *element != Value::Object(serde_json::Map::new()))
        .map(|element| element.to_string())
        .collect()
}

fn without_volatile(value: Value) -> Value {
    match value {
        Value::Object(fields) => {
            let kept = fields.into_iter().filter(|(name, _)| !is_volatile(name));
            Value::Object(kept.map(|(name, value)| (name, without_volatile(value))).collect())
        }
        Value::Array(elements) => Value::Array(elements.into_iter().map(without_volatile).collect()),
        plain @ (Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_)) => plain,
    }
}

/// Keys below `relative` with their values. Some keys are write-only or unset; they are left out.
fn walk_sysctls(relative: &str, lines: &mut BTreeSet<String>) {
    let root = Path::new("/proc/sys/net");
    let entries = fs::read_dir(root.join(relative)).into_iter().flatten().flatten();
    for entry in entries {
        let name = format!("{relative}/{}", entry.file_name().to_string_lossy());
        if entry.file_type().is_ok_and(|kind| kind.is_dir()) {
            walk_sysctls(&name, lines);
        } else if VOLATILE_SYSCTLS.iter().any(|volatile| name.starts_with(volatile)) {
        } else if let Ok(value) = fs::read_to_string(root.join(&name)) {
            lines.insert(format!("{name} = {}", value.trim_end()));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn state(lines: &[&str]) -> HostState {
        HostState { sections: BTreeMap::from([("routes", lines.iter().map(|line| (*line).to_owned()).collect())]) }
    }

    #[test]
    fn the_diff_names_section_and_side() {
        assert_eq!(state(&["a", "b"]).diff(&state(&["b", "c"])), "routes: - a\nroutes: + c");
        assert_eq!(state(&["a"]).diff(&state(&["a"])), "");
    }

    #[test]
    fn timers_do_not_count_as_a_change() {
        let route = |expires| serde_json::json!([{"dst": "default", "expires": expires, "flags": []}]);
        assert_eq!(lines_of(&route(1790)), lines_of(&route(3)));
        let bridge = |left| serde_json::json!([{"ifname": "docker0", "gc_timer": left}]);
        assert_eq!(lines_of(&bridge(231.5)), lines_of(&bridge(1.25)));
        assert_eq!(lines_of(&route(1)).first().unwrap(), r#"{"dst":"default","flags":[]}"#);
    }
}

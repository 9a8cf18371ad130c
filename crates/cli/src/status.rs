use std::fmt::Write;

use anstyle::{AnsiColor, Style};
use ipc::{Client, ClientError};
use model::{EvidenceKind, PlaneKind, Pref64Source, Pref64Status, State, Status};
use serde::Serialize;
use serde_json::Value;

use crate::arguments::{Arguments, StatusOptions};
use crate::exit::Exit;
use crate::newer;
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
                anstream::print!("{}", text(&heard.status, options.verbose || options.iface.is_some()));
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

/// The status for people.
pub(crate) fn text(status: &Status, verbose: bool) -> String {
    let mut out = String::new();
    let _ = writeln!(out, "{}", headline(status));
    let mut line = |label: &str, value: String| {
        let _ = writeln!(out, "  {label:<12}{value}");
    };
    let causes = status.causes.iter().filter(|cause| !cause.detail.is_empty() && status.pause.is_none());
    for cause in causes {
        line("Why", cause.detail.clone());
    }
    if let Some(pause) = &status.pause {
        let until = pause.until.as_deref().unwrap_or("resumed");
        let reason = if pause.reason.is_empty() { String::new() } else { format!(": {}", pause.reason) };
        line("Paused", format!("until {until}{reason}"));
    }
    if let Some(uplink) = &status.uplink {
        line("Uplink", format!("{}, router {}, MTU {}", uplink.name, uplink.gateway, uplink.mtu));
    }
    let prefixes = if verbose { status.pref64.len() } else { 1 };
    for (index, prefix) in status.pref64.iter().take(prefixes).enumerate() {
        line(if index == 0 { "NAT64" } else { "" }, describe(prefix));
    }
    if let Some(clat) = &status.clat {
        let plane = match status.plane {
            Some(PlaneKind::Relay) => "relay",
            Some(PlaneKind::Translate) | None => "translator",
        };
        line("Translation", format!("{} {} as {}, MTU {} ({plane})", clat.iface, clat.v4, clat.v6, clat.mtu));
        let replies = match (status.evidence.kind, status.evidence.age_s) {
            (EvidenceKind::None, _) | (_, None) => "no reply yet".to_owned(),
            (EvidenceKind::Traffic | EvidenceKind::Probe, Some(age)) => format!("last reply {} ago", seconds(age)),
        };
        let (out_packets, in_packets) = (clat.packets.out, clat.packets.inward);
        line("Traffic", format!("{out_packets} packets out, {in_packets} in; {replies}"));
        if verbose {
            line("", format!("{} bytes out, {} in", clat.bytes.out, clat.bytes.inward));
            for (reason, count) in &clat.drops {
                line("Dropped", format!("{count} {reason}"));
            }
        }
    }
    if let (count @ 1.., Some(ms)) = (status.rearms.count, status.rearms.last_ms) {
        let reason = status.rearms.last_reason.as_deref().unwrap_or("unknown");
        let times = if count == 1 { "once".to_owned() } else { format!("{count} times, last") };
        line("Re-armed", format!("{times} in {ms} ms ({reason})"));
    }
    line("Since", status.since.clone());
    if verbose {
        for interface in &status.interfaces {
            let up = if interface.up { "up" } else { "no link" };
            let v6: Vec<String> = interface.v6.iter().map(ToString::to_string).collect();
            line(
                "Interface",
                format!("{}: {up}, MTU {}, {}", interface.name, interface.mtu, list(&v6, "no global IPv6")),
            );
            if !interface.resolvers.is_empty() {
                let resolvers: Vec<String> = interface.resolvers.iter().map(ToString::to_string).collect();
                line("", format!("resolvers {}", list(&resolvers, "none")));
            }
        }
        line("Service", format!("{}, process {}", status.product.version, status.service.pid));
    }
    out
}

/// State and code, told by shape first.
pub(crate) fn headline(status: &Status) -> String {
    let style = style(status.state);
    let (on, off) = (style.render(), style.render_reset());
    format!("{on}{} {}{off}  ({})", mark(status.state), status.title, status.code)
}

fn describe(prefix: &Pref64Status) -> String {
    let source = match prefix.source {
        Pref64Source::Ra => "router advertisement",
        Pref64Source::Dns => "DNS",
        Pref64Source::Policy => "policy",
        Pref64Source::Config => "configuration",
    };
    let mut words = format!("{} from {source}", prefix.prefix);
    if let Some(uplink) = &prefix.uplink {
        let _ = write!(words, " on {uplink}");
    }
    if let Some(left) = prefix.expires_s {
        let left = humantime::format_duration(std::time::Duration::from_secs(left));
        let _ = write!(words, ", {left} left");
    }
    words
}

fn seconds(age: f64) -> String {
    if age < 10.0 { format!("{age:.1} s") } else { format!("{age:.0} s") }
}

fn list(items: &[String], none: &str) -> String {
    if items.is_empty() { none.to_owned() } else { items.join(", ") }
}

/// Told by shape first; colour only reinforces.
const fn mark(state: State) -> &'static str {
    match state {
        State::Working => "✔",
        State::StandbyNative | State::StandbyOs => "○",
        State::Checking => "…",
        State::Limited => "▲",
        State::Down => "✘",
        State::Paused => "‖",
        State::NoNetwork => "∅",
    }
}

fn style(state: State) -> Style {
    let colour = match state {
        State::Working => AnsiColor::Green,
        State::StandbyNative | State::StandbyOs => AnsiColor::Cyan,
        State::Checking | State::Limited | State::Paused => AnsiColor::Yellow,
        State::Down | State::NoNetwork => AnsiColor::Red,
    };
    Style::new().bold().fg_color(Some(colour.into()))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn working() -> Status {
        serde_json::from_str(
            r#"{"schema":"everclat.status/1","product":{"version":"0.1.0","protocol":1},
            "service":{"pid":7,"uptime_s":9},"state":"working","code":"CL-000","title":"IPv4 apps work",
            "since":"2026-11-21T04:00:00Z","time":"2026-11-21T04:00:09Z","owner":"self","plane":"translate",
            "uplink":{"name":"eth0","mtu":1500,"gateway":"fe80::1"},
            "pref64":[{"prefix":"64:ff9b::/96","source":"ra","expires_s":1790,"uplink":"eth0"}],
            "clat":{"iface":"everclat0","v4":"192.0.0.2","v6":"2001:db8:1::a","mtu":1472,
              "packets":{"out":5,"in":4},"bytes":{"out":500,"in":400},"drops":{"ttl-expired":1}},
            "rearms":{"count":1,"last_ms":41,"last_reason":"uplink-lost"},
            "evidence":{"kind":"traffic","age_s":0.42},"pause":null,"ignored":{"router_options":0},"causes":[],
            "interfaces":[{"name":"eth0","up":true,"v6":["2001:db8:1::5/64"],"v4_native":false,"mtu":1500,
              "resolvers":["2001:db8:1::53"]}]}"#,
        )
        .unwrap()
    }

    #[test]
    fn says_it_in_plain_words() {
        let said = anstream::adapter::strip_str(&text(&working(), false)).to_string();
        assert_eq!(
            said,
            "✔ IPv4 apps work  (CL-000)\n\
             \x20 Uplink      eth0, router fe80::1, MTU 1500\n\
             \x20 NAT64       64:ff9b::/96 from router advertisement on eth0, 29m 50s left\n\
             \x20 Translation everclat0 192.0.0.2 as 2001:db8:1::a, MTU 1472 (translator)\n\
             \x20 Traffic     5 packets out, 4 in; last reply 0.4 s ago\n\
             \x20 Re-armed    once in 41 ms (uplink-lost)\n\
             \x20 Since       2026-11-21T04:00:00Z\n"
        );
    }

    #[test]
    fn health_as_exit_code() {
        let mut status = working();
        assert_eq!(Exit::of(&status), Exit::Good);
        for (state, number) in [
            (State::StandbyNative, 0),
            (State::StandbyOs, 0),
            (State::Limited, 10),
            (State::Down, 11),
            (State::NoNetwork, 12),
            (State::Paused, 14),
            (State::Checking, 15),
        ] {
            status.state = state;
            assert_eq!(Exit::of(&status).number(), number, "{state:?}");
        }
        status.code = model::Code::AddressConflict;
        assert_eq!(Exit::of(&status).number(), 13);
    }

    #[test]
    fn a_pause_says_how_long_and_why() {
        let mut status = working();
        status.state = State::Paused;
        status.pause =
            Some(model::PauseStatus { until: Some("2026-11-21T05:00:00Z".into()), reason: "a test call".into() });
        assert!(text(&status, false).contains("until 2026-11-21T05:00:00Z: a test call"));
    }

    #[test]
    fn tells_more_when_asked() {
        let said = anstream::adapter::strip_str(&text(&working(), true)).to_string();
        for part in ["1 ttl-expired", "resolvers 2001:db8:1::53", "500 bytes out, 400 in", "0.1.0, process 7"] {
            assert!(said.contains(part), "{part} in {said}");
        }
    }

    #[test]
    fn one_interface_alone() {
        let mut status = working();
        let mut other = status.interfaces[0].clone();
        other.name = "wlan0".into();
        status.interfaces.push(other);
        let mut prefix = status.pref64[0].clone();
        prefix.uplink = Some("wlan0".into());
        status.pref64.push(prefix);
        for (name, translates) in [("eth0", true), ("wlan0", false)] {
            let mut document = serde_json::to_value(&status).unwrap();
            let mut narrowed = status.clone();
            narrow(&mut narrowed, name);
            narrow_document(&mut document, name);
            assert_eq!(document, serde_json::to_value(&narrowed).unwrap());
            assert_eq!((narrowed.clat.is_some(), narrowed.uplink.is_some()), (translates, translates), "{name}");
            assert_eq!((narrowed.interfaces.len(), narrowed.pref64.len()), (1, 1));
            assert!(text(&narrowed, true).contains(name));
        }
    }
}

//! The status for people.

mod drops;
pub(crate) mod rearms;
#[cfg(test)]
pub(crate) mod tests;

use std::fmt::Write;
use std::time::Duration;

use anstyle::{AnsiColor, Style};
use jiff::Timestamp;
use jiff::tz::TimeZone;
use model::{
    ClatStatus, EvidenceKind, FastState, FastStatus, InterfaceStatus, PlaneKind, Pref64Source, Pref64Status,
    SpareStatus, State, Status,
};

use crate::advice::advice;
use rearms::{few, rearmed};

/// The whole status; `verbose` with what helpdesks ask for.
pub(crate) fn text(status: &Status, verbose: bool, zone: &TimeZone) -> String {
    let mut page = Page(format!("{}\n", headline(status)));
    if let Some(whom) = stands_by(status) {
        page.line("Why", &whom);
    }
    for cause in status.causes.iter().filter(|cause| !cause.detail.is_empty() && status.pause.is_none()) {
        page.line("Why", &cause.detail);
    }
    if let Some(pause) = &status.pause {
        let until = match &pause.until {
            Some(until) => format!("until {}", moment(until, &status.time, zone)),
            None => "until somebody resumes".to_owned(),
        };
        let reason = if pause.reason.is_empty() { String::new() } else { format!(" ({})", pause.reason) };
        page.line("Paused", &format!("{until}{reason}"));
    }
    if let Some(advice) = advice(status).filter(|_| status.state != State::Checking) {
        page.line("What to do", advice);
    }
    if let Some(uplink) = &status.uplink {
        page.line("Uplink", &format!("{}, router {}, MTU {}", uplink.name, uplink.gateway, uplink.mtu));
    }
    let prefixes = if verbose { status.pref64.len() } else { 1 };
    for (index, prefix) in status.pref64.iter().take(prefixes).enumerate() {
        page.line(if index == 0 { "NAT64" } else { "" }, &gateway(prefix));
    }
    if let Some(clat) = &status.clat {
        translation(&mut page, status, clat, verbose);
    }
    if let Some(spare) = status.spare.as_ref().filter(|_| verbose) {
        page.line("In reserve", &reserve(spare));
    }
    if let Some(words) = rearmed(&status.rearms) {
        page.line("Re-armed", &words);
    }
    if verbose {
        few(&status.rearms, &status.time, zone).iter().for_each(|words| page.line("", words));
    }
    let since = elapsed(&status.since, &status.time);
    let ago = match since {
        Some(Duration::ZERO) => " (just now)".to_owned(),
        Some(since) => format!(" ({} ago)", short(since)),
        None => String::new(),
    };
    page.line("Since", &format!("{}{ago}", moment(&status.since, &status.time, zone)));
    if verbose {
        for there in &status.interfaces {
            interface(&mut page, there);
        }
        if status.ignored.router_options > 0 {
            page.line("Ignored", &format!("{} faulty options of router advertisements", status.ignored.router_options));
        }
        let (version, pid) = (&status.product.version, status.service.pid);
        let uptime = short(Duration::from_secs(status.service.uptime_s));
        page.line("Service", &format!("{version}, process {pid}, running for {uptime}"));
    }
    page.0
}

/// State and code, told by shape first; colour only reinforces.
pub(crate) fn headline(status: &Status) -> String {
    let style = style(status.state);
    format!("{style}{} {}{style:#}  ({})", mark(status.state), title(status), status.code)
}

/// So many packets may go out before the first one can have come back.
const MANY: u64 = 10;

/// What is going on. While that is being found out, the code says what is looked for, and its title would be a verdict.
pub(crate) fn title(status: &Status) -> &str {
    match status.state {
        State::Checking => "Checking this network",
        // Armed; but somebody has used it, and nobody has answered.
        State::Working
            if status.evidence.kind == EvidenceKind::None
                && status.clat.as_ref().is_some_and(|clat| clat.packets.out >= MANY && clat.packets.inward == 0) =>
        {
            "Ready, nobody has answered yet"
        }
        State::Working
        | State::StandbyNative
        | State::StandbyOs
        | State::Limited
        | State::Down
        | State::Paused
        | State::NoNetwork => &status.title,
    }
}

/// Thanks to whom there is nothing to do.
fn stands_by(status: &Status) -> Option<String> {
    match status.state {
        State::StandbyNative => {
            let native = status.interfaces.iter().filter(|there| there.v4_native);
            let names: Vec<String> = native.map(|there| there.name.clone()).collect();
            Some(match names.len() {
                0 => "IPv4 leaves by another way, such as a VPN".to_owned(),
                1 => format!("{} has IPv4 of its own, so nothing need be translated", names.join("")),
                _ => format!("{} have IPv4 of their own, so nothing need be translated", names.join(", ")),
            })
        }
        State::StandbyOs => Some("another program on this computer translates".to_owned()),
        State::Working | State::Checking | State::Limited | State::Down | State::Paused | State::NoNetwork => None,
    }
}

/// One line of `watch`, without its time. Re-armings have lines of their own where the service tells of each.
pub(crate) fn brief(status: &Status) -> String {
    let mut more = Vec::new();
    if let (Some(uplink), Some(prefix)) = (&status.uplink, status.pref64.first()) {
        more.push(format!("{} through {}", prefix.prefix, uplink.name));
    }
    more.extend(status.causes.first().map(|cause| cause.detail.clone()).filter(|detail| !detail.is_empty()));
    let untold = rearmed(&status.rearms).filter(|_| status.rearms.history.is_empty());
    more.extend(untold.map(|words| format!("re-armed {words}")));
    let more = more.join("; ");
    if more.is_empty() { headline(status) } else { format!("{}  {more}", headline(status)) }
}

/// A moment of the service's calendar as a person here reads it: the date only if it is another day than `now`.
pub(crate) fn moment(text: &str, now: &str, zone: &TimeZone) -> String {
    let local = |text: &str| text.parse::<Timestamp>().map(|moment| moment.to_zoned(zone.clone()));
    match (local(text), local(now)) {
        (Ok(moment), Ok(now)) if moment.date() == now.date() => moment.strftime("%H:%M:%S").to_string(),
        (Ok(moment), _) => moment.strftime("%F %H:%M").to_string(),
        // The last day of the calendar is another one in some zones.
        (Err(_), _) => text.to_owned(),
    }
}

/// Date and time of day here.
pub(crate) fn clock(text: &str, zone: &TimeZone) -> String {
    let local = text.parse::<Timestamp>().map(|moment| moment.to_zoned(zone.clone()));
    local.map_or_else(|_| text.to_owned(), |moment| moment.strftime("%F %T").to_string())
}

/// Lines with a label in front.
struct Page(String);

impl Page {
    fn line(&mut self, label: &str, words: &str) {
        // Nothing can fail in a String.
        let _ = writeln!(self.0, "  {label:<13}{words}");
    }
}

fn translation(page: &mut Page, status: &Status, clat: &ClatStatus, verbose: bool) {
    let plane = match status.plane {
        Some(PlaneKind::Relay) => "relay",
        Some(PlaneKind::Translate) | None => "translator",
    };
    page.line("Translation", &format!("{} {} as {}, MTU {} ({plane})", clat.iface, clat.v4, clat.v6, clat.mtu));
    let seen = match (status.evidence.kind, status.evidence.age_s) {
        (EvidenceKind::None, _) | (_, None) => "no reply yet".to_owned(),
        (EvidenceKind::Traffic, Some(age)) => format!("last reply {} ago", seconds(age)),
        (EvidenceKind::Probe, Some(age)) => format!("last probe answered {} ago", seconds(age)),
    };
    page.line("Traffic", &format!("{} packets out, {} in; {seen}", clat.packets.out, clat.packets.inward));
    if verbose {
        page.line("", &format!("{} bytes out, {} in", clat.bytes.out, clat.bytes.inward));
        for (index, words) in drops::each(clat).enumerate() {
            page.line(if index == 0 { "Dropped" } else { "" }, &words);
        }
        if let Some(fast) = &clat.fast_path {
            page.line("Fast path", &fast_path(fast));
        }
    }
    if let Some(words) = drops::note(clat) {
        page.line("Note", &words);
    }
}

/// Whether the kernel translates flows by itself, or why not.
fn fast_path(fast: &FastStatus) -> String {
    match fast.state {
        FastState::On => {
            format!("on, {} packets out and {} in went by it", fast.packets.out, fast.packets.inward)
        }
        FastState::Off => {
            let why = fast.reason.as_deref().unwrap_or("unknown");
            if fast.detail.is_empty() { format!("off ({why})") } else { format!("off: {} ({why})", fast.detail) }
        }
    }
}

fn gateway(prefix: &Pref64Status) -> String {
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
        let _ = write!(words, ", {} left", short(Duration::from_secs(left)));
    }
    words
}

fn reserve(spare: &SpareStatus) -> String {
    let ready = if spare.ready { "ready to take over" } else { "getting ready" };
    format!("{}, {} as {}, {ready}", spare.name, spare.pref64, spare.v6)
}

fn interface(page: &mut Page, there: &InterfaceStatus) {
    let mut name = there.name.clone();
    if let Some(title) = &there.title {
        let _ = write!(name, " \"{title}\"");
    }
    if let Some(kind) = &there.kind {
        let _ = write!(name, " ({kind})");
    }
    let link = if there.up { "up" } else { "no link" };
    let v6: Vec<String> = there.v6.iter().map(ToString::to_string).collect();
    page.line("Interface", &format!("{name}: {link}, MTU {}, {}", there.mtu, list(&v6, "no global IPv6")));
    if there.v4_native {
        page.line("", "has IPv4 of its own");
    }
    if !there.resolvers.is_empty() {
        let resolvers: Vec<String> = there.resolvers.iter().map(ToString::to_string).collect();
        page.line("", &format!("resolvers {}", resolvers.join(", ")));
    }
    if let Some(wait) = there.opt108 {
        page.line("", &format!("its network prefers devices without IPv4 (option 108, {wait} s)"));
    }
}

pub(crate) fn list(items: &[String], none: &str) -> String {
    if items.is_empty() { none.to_owned() } else { items.join(", ") }
}

fn elapsed(since: &str, now: &str) -> Option<Duration> {
    let (since, now) = (since.parse::<Timestamp>().ok()?, now.parse::<Timestamp>().ok()?);
    u64::try_from(now.as_second() - since.as_second()).ok().map(Duration::from_secs)
}

/// The two largest units.
pub(crate) fn short(time: Duration) -> String {
    let words = humantime::format_duration(time).to_string();
    let mut parts = words.split(' ');
    [parts.next(), parts.next()].into_iter().flatten().collect::<Vec<_>>().join(" ")
}

fn seconds(age: f64) -> String {
    if age < 10.0 { format!("{age:.1} s") } else { format!("{age:.0} s") }
}

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

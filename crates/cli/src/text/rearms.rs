//! Re-armings in words.

use std::time::Duration;

use jiff::tz::TimeZone;
use model::{Departure, Rearm, RearmStep, Rearms};

use super::{moment, short};

/// So many are in `status -v`; `history` has the rest.
const FEW: usize = 3;

/// All of them in one line, if there were any.
pub(crate) fn rearmed(rearms: &Rearms) -> Option<String> {
    let (count @ 1.., Some(ms)) = (rearms.count, rearms.last_ms) else { return None };
    let times = if count == 1 { "once,".to_owned() } else { format!("{count} times, last") };
    let reason = rearms.last_reason.as_deref().map(|reason| format!(" ({})", because(reason))).unwrap_or_default();
    Some(format!("{times} within {}{reason}", time(ms.max(1))))
}

/// The last few, a line each.
pub(crate) fn few(rearms: &Rearms, now: &str, zone: &TimeZone) -> Vec<String> {
    rearms.history.iter().take(FEW).map(|one| format!("{}  {}", moment(&one.time, now, zone), why(one))).collect()
}

/// How long it took and why, and by which uplinks.
pub(crate) fn why(one: &Rearm) -> String {
    let standby = one.standby_ms.map(|ms| format!(" after {} of standby", time(ms))).unwrap_or_default();
    let way = match (&one.from, &one.to) {
        (Some(from), Some(to)) if from != to => format!("; {from} to {to}"),
        (_, Some(on)) => format!("; on {on}"),
        (_, None) => String::new(),
    };
    format!("within {}{standby}: {}{way}", time(one.gap_ms.max(1)), cause(one))
}

/// What was done; words that only a newer service has stay as they are.
pub(crate) fn done(one: &Rearm) -> String {
    let step = |name: &String| {
        let known = RearmStep::ALL.into_iter().find(|step| step.name() == name);
        known.map_or_else(|| name.clone(), |step| did(step).to_owned())
    };
    let ended = match one.flows_ended {
        0 => None,
        1 => Some("ended one flow".to_owned()),
        flows => Some(format!("ended {flows} flows")),
    };
    one.done.iter().map(step).chain(ended).collect::<Vec<_>>().join(", ")
}

/// Whether it was seen to work afterwards.
pub(crate) fn proof(one: &Rearm) -> String {
    match one.first_reply_ms {
        None => "no reply seen".to_owned(),
        Some(0) => "replies at once".to_owned(),
        Some(ms) => format!("first reply {} later", time(ms)),
    }
}

fn time(ms: u64) -> String {
    if ms < 10_000 { format!("{ms} ms") } else { short(Duration::from_secs(ms / 1000)) }
}

fn cause(one: &Rearm) -> String {
    let departure = Departure::ALL.into_iter().find(|why| one.left.as_deref() == Some(why.name()));
    let (Some(why), Some(from), Some(to)) = (departure, &one.from, &one.to) else {
        return because(&one.reason).to_owned();
    };
    match why {
        Departure::LinkLost => format!("{from} had lost its link"),
        Departure::RouteLost => format!("{from} had lost its IPv6 default route"),
        Departure::PrefixLost => format!("{from} had lost its NAT64 prefix"),
        Departure::GatewaySilent => format!("the router on {from} was silent"),
        Departure::PathDead => format!("the NAT64 behind {from} was silent"),
        Departure::CaptivePortal => format!("somebody had to sign in on {from}"),
        Departure::Refused => format!("{from} refused us"),
        Departure::BetterUplink => format!("{to} was the better uplink"),
    }
}

const fn did(step: RearmStep) -> &'static str {
    match step {
        RearmStep::OpenedTunnel => "opened the tunnel again",
        RearmStep::TookReserve => "took the uplink in reserve",
        RearmStep::OpenedUplink => "opened another uplink",
        RearmStep::PutRouteBack => "put the default route back",
        RearmStep::SilencedKernel => "silenced the kernel about our address",
        RearmStep::TookPrefix => "took another NAT64 prefix",
        RearmStep::TookRouter => "took another router",
        RearmStep::KeptX => "kept the IPv6 address",
        RearmStep::MovedX => "moved to another IPv6 address",
        RearmStep::MovedV4 => "moved to another IPv4 address",
    }
}

/// Reasons as the status has them, in words; one that only a newer service has stays as it is.
fn because(reason: &str) -> &str {
    match reason {
        "address-changed" => "another address was due",
        "address-conflict" => "the address belonged to somebody else",
        "asked-for" => "somebody asked for it",
        "captive-portal" => "somebody had to sign in first",
        "gateway-changed" => "the router had changed",
        "host-configuration" => "others had changed the host",
        "native-ipv4" => "native IPv4 had gone",
        "path-dead" => "the NAT64 had been silent",
        "paused" => "a pause had ended",
        "plane-failed" => "the translator had failed",
        "prefix-changed" => "the NAT64 prefix had changed",
        "prefix-expired" => "the NAT64 prefix had run out",
        "prefix-withdrawn" => "the NAT64 prefix had been withdrawn",
        "settings-changed" => "a setting had changed",
        "undone" => "others had taken it away",
        "uplink-changed" => "the uplink had changed",
        "uplink-lost" => "the uplink had been lost",
        "vpn" => "a VPN had been in the way",
        other => other,
    }
}

use model::{Code, DropReason, FastReason, Owner, PauseStatus, Rearms, SEND_ERROR};

use super::*;

const WORKING: &str = include_str!("../../recorded/working.json");

/// Recorded in the lab: two uplinks, one in use, the other one in reserve.
pub(crate) fn working() -> Status {
    recorded(WORKING)
}

/// Recorded in the lab: eth0 was cut and came back, and somebody deleted our default route.
pub(crate) fn moved() -> Status {
    recorded(include_str!("../../recorded/moved.json"))
}

fn recorded(text: &str) -> Status {
    serde_json::from_str(text).unwrap()
}

fn said(status: &Status, verbose: bool) -> String {
    anstream::adapter::strip_str(&text(status, verbose, &TimeZone::UTC)).to_string()
}

/// What the manual shows is what the program says.
#[test]
fn the_manual_shows_what_is_said() {
    let manual = include_str!("../../../../docs/cli.md");
    let mut missing = String::new();
    for (document, verbose) in [
        (WORKING, false),
        (WORKING, true),
        (include_str!("../../recorded/portal.json"), false),
        (include_str!("../../recorded/no-prefix.json"), false),
        (include_str!("../../recorded/gateway-silent.json"), false),
    ] {
        let said = said(&recorded(document), verbose);
        if !manual.contains(&format!("```text\n{said}```")) {
            missing.push_str(&format!("```text\n{said}```\n\n"));
        }
    }
    assert!(missing.is_empty(), "not in docs/cli.md:\n\n{missing}");
}

#[test]
fn healthy_without_us_says_thanks_to_whom() {
    let mut status = recorded(include_str!("../../recorded/standby.json"));
    assert!(said(&status, false).starts_with(
        "○ Nothing to do here  (CL-001)\n  Why          eth0 has IPv4 of its own, so nothing need be translated\n"
    ));
    status.interfaces.clear();
    assert!(said(&status, false).contains("Why          IPv4 leaves by another way, such as a VPN\n"));
    (status.state, status.code, status.owner) = (State::StandbyOs, Code::OsTranslates, Owner::Other);
    assert!(said(&status, false).contains("Why          another program on this computer translates\n"));
}

#[test]
fn a_pause_says_how_long_and_why() {
    let mut status = recorded(include_str!("../../recorded/paused.json"));
    let words = said(&status, false);
    assert!(words.starts_with("‖ Paused  (CL-003)\n  Paused       until 08:44:28 (a video call)\n"), "{words}");
    assert!(words.contains("everclat resume"), "{words}");
    status.pause = Some(PauseStatus { until: None, reason: String::new() });
    assert!(said(&status, false).contains("  Paused       until somebody resumes\n"));
    status.pause = None;
    assert!(said(&status, false).contains("setting Enabled"), "nobody has paused");
}

#[test]
fn whatever_is_wrong_comes_with_a_next_step() {
    let mut status = working();
    for code in Code::ALL {
        status.code = *code;
        let well = matches!(code, Code::Working | Code::Ready | Code::NativeIpv4 | Code::OsTranslates);
        assert_eq!(said(&status, false).contains("  What to do   "), !well, "{code}");
    }
}

#[test]
fn checking_is_no_verdict() {
    let mut status = recorded(include_str!("../../recorded/no-prefix.json"));
    status.state = State::Checking;
    let words = said(&status, false);
    assert!(words.starts_with("… Checking this network  (CL-301)\n") && !words.contains("What to do"), "{words}");
}

#[test]
fn replies_and_probes_are_told_apart() {
    let mut status = working();
    for (kind, age, words) in [
        (EvidenceKind::Traffic, Some(0.311), "; last reply 0.3 s ago\n"),
        (EvidenceKind::Traffic, Some(75.4), "; last reply 75 s ago\n"),
        (EvidenceKind::Probe, Some(12.0), "; last probe answered 12 s ago\n"),
        (EvidenceKind::None, None, "; no reply yet\n"),
    ] {
        (status.evidence.kind, status.evidence.age_s) = (kind, age);
        assert!(said(&status, false).contains(words), "{words}");
    }
}

/// RFC 6052 section 3.1: at sites with servers at private addresses the reason why they cannot be reached.
#[test]
fn private_destinations_are_explained() {
    let mut status = working();
    let count = |status: &mut Status, count| {
        let drops = [("private-destination".to_owned(), count)];
        status.clat.iter_mut().for_each(|clat| clat.drops = drops.clone().into());
    };
    count(&mut status, 9);
    assert!(!said(&status, false).contains("private"), "a program's look round");
    assert!(said(&status, true).contains("Dropped      9 packets: to a private IPv4 address, which"));
    count(&mut status, 10);
    let words = said(&status, false);
    assert!(
        words.contains("  Note         10 packets to private IPv4 addresses (such as 10.0.0.1) were refused: "),
        "{words}"
    );
}

#[test]
fn every_reason_for_a_drop_is_told_in_manual_and_window_alike() {
    let manual = include_str!("../../../../docs/cli.md");
    let window: serde_json::Value = serde_json::from_str(include_str!("../../../../ui/src/i18n/en.json")).unwrap();
    let reasons = DropReason::ALL.iter().map(|reason| (reason.name(), drops::why(*reason)));
    for (name, words) in reasons.chain([(SEND_ERROR, drops::NOT_TAKEN)]) {
        let row = format!("| `{name}` | {words} |\n");
        assert!(manual.contains(&row), "not in the manual: {row}");
        assert_eq!(window["helpdesk"]["drop"][name], words, "{name}");
    }
}

#[test]
fn helpdesks_get_the_rest() {
    let mut status = working();
    status.ignored.router_options = 2;
    if let Some(clat) = &mut status.clat {
        clat.drops = [("ttl-expired".to_owned(), 1), ("no-checksum".to_owned(), 12)].into();
    }
    let there = &mut status.interfaces[1];
    (there.kind, there.title) = (Some("wifi".into()), Some("Wi-Fi 7 Adapter".into()));
    (there.up, there.v4_native, there.opt108) = (false, true, Some(1800));
    there.v6.clear();
    let brief = said(&status, false);
    let words = said(&status, true);
    for part in [
        "  In reserve   wlan0, 2001:db8:65::/96 as 2001:db8:2:0:913e:6f9e:1011:533b, ready to take over\n",
        "  Dropped      12 packets: no-checksum\n\
         \x20              1 packet: too many hops on the way (traceroute makes them on purpose) (ttl-expired)\n",
        "  Interface    wlan0 \"Wi-Fi 7 Adapter\" (wifi): no link, MTU 1500, no global IPv6\n\
         \x20              has IPv4 of its own\n\
         \x20              resolvers 2001:db8:53:2::53\n\
         \x20              its network prefers devices without IPv4 (option 108, 1800 s)\n",
        "  Ignored      2 faulty options of router advertisements\n",
        "  Service      0.1.0, process 9933, running for 3s\n",
    ] {
        assert!(words.contains(part) && !brief.contains(part), "{part}in\n{words}");
    }
    if let Some(spare) = &mut status.spare {
        spare.ready = false;
    }
    assert!(said(&status, true).contains(", getting ready\n"));
}

#[test]
fn rearming_is_told_in_words() {
    let rearms = |count, ms, reason: &str| {
        rearmed(&Rearms { count, last_ms: ms, last_reason: Some(reason.into()), ..Rearms::default() })
    };
    assert_eq!(rearms(0, None, "paused"), None);
    assert_eq!(rearms(1, Some(41), "uplink-lost").unwrap(), "once, within 41 ms (the uplink had been lost)");
    assert_eq!(rearms(3, Some(0), "paused").unwrap(), "3 times, last within 1 ms (a pause had ended)");
    assert_eq!(rearms(2, Some(75_000), "solar-flare").unwrap(), "2 times, last within 1m 15s (solar-flare)");
}

#[test]
fn helpdesks_see_the_last_few_rearmings() {
    let mut status = moved();
    let few = "  Re-armed     3 times, last within 1 ms (others had taken it away)\n\
               \x20              10:13:54  within 1 ms: others had taken it away; on eth0\n\
               \x20              10:13:53  within 1 ms: eth0 was the better uplink; wlan0 to eth0\n\
               \x20              10:13:53  within 7 ms: eth0 had lost its link; eth0 to wlan0\n\
               \x20 Since ";
    assert!(said(&status, true).contains(few), "{}", said(&status, true));
    assert!(!said(&status, false).contains("wlan0 to eth0"));
    let oldest = status.rearms.history[2].clone();
    status.rearms.history.push(oldest);
    assert!(said(&status, true).contains(few), "no more than three");
}

#[test]
fn every_word_about_a_rearming_is_told_and_in_the_manual() {
    let manual = include_str!("../../../../docs/cli.md");
    let mut one = moved().rearms.history[0].clone();
    for reason in model::REARM_REASONS {
        one.reason = reason.into();
        assert!(!rearms::why(&one).contains(reason), "{reason} has no words");
        assert!(manual.contains(&format!("| `{reason}` |")), "{reason} is not in the manual");
    }
    for step in model::RearmStep::ALL {
        one.done = vec![step.name().into(), "flew".into()];
        let told = rearms::done(&one);
        assert!(!told.contains(step.name()) && told.ends_with(", flew"), "{told}");
        assert!(manual.contains(&format!("| `{}` | {} |", step.name(), told.trim_end_matches(", flew"))), "{told}");
    }
    for why in model::Departure::ALL {
        one.left = Some(why.name().into());
        assert!(!rearms::why(&one).contains("others had"), "{}", why.name());
        assert!(manual.contains(&format!("| `{}` |", why.name())), "{} is not in the manual", why.name());
    }
    one.left = Some("eclipsed".into());
    assert_eq!(rearms::why(&one), "within 1 ms: a VPN had been in the way; on eth0");
    one.standby_ms = Some(7_500_000);
    assert_eq!(rearms::why(&one), "within 1 ms after 2h 5m of standby: a VPN had been in the way; on eth0");
    for (ms, words) in [(None, "no reply seen"), (Some(0), "replies at once"), (Some(41), "first reply 41 ms later")] {
        one.first_reply_ms = ms;
        assert_eq!(rearms::proof(&one), words);
    }
}

#[test]
fn times_are_those_of_the_reader() {
    let east = TimeZone::fixed(jiff::tz::offset(5));
    let now = "2026-11-21T08:14:27Z";
    assert_eq!(moment("2026-11-21T08:14:23Z", now, &east), "13:14:23");
    assert_eq!(moment("2026-11-20T18:30:00Z", now, &TimeZone::UTC), "2026-11-20 18:30");
    for odd in ["9999-12-31T23:59:59Z", "soon"] {
        assert_eq!(moment(odd, now, &east), odd, "what is on no calendar stays");
    }
    assert_eq!(clock(now, &east), "2026-11-21 13:14:27");
    let mut status = working();
    status.since = "2026-11-18T07:00:00Z".into();
    assert!(said(&status, false).contains("  Since        2026-11-18 07:00 (3days 1h ago)\n"));
}

#[test]
fn a_line_of_watch_has_it_all() {
    let plain = |status: &Status| anstream::adapter::strip_str(&brief(status)).to_string();
    let mut status = working();
    assert_eq!(plain(&status), "✔ IPv4 apps work  (CL-000)  2001:db8:64::/96 through eth0");
    // Of a service that does not tell of each.
    let reason = Some("uplink-lost".into());
    status.rearms = Rearms { count: 1, last_ms: Some(41), last_reason: reason, history: Vec::new() };
    assert!(plain(&status).ends_with(" through eth0; re-armed once, within 41 ms (the uplink had been lost)"));
    assert_eq!(plain(&moved()), "✔ IPv4 apps work  (CL-000)  2001:db8:64::/96 through eth0");
    let status = recorded(include_str!("../../recorded/no-network.json"));
    assert!(plain(&status).starts_with("∅ No network  (CL-101)  no interface has a link"), "{}", plain(&status));
}

#[test]
fn colour_is_in_the_headline_only() {
    for document in [WORKING, include_str!("../../recorded/portal.json")] {
        let words = text(&recorded(document), true, &TimeZone::UTC);
        let (first, rest) = words.split_once('\n').unwrap();
        assert!(first.contains('\u{1b}') && !rest.contains('\u{1b}'), "{words}");
    }
}

#[test]
fn the_fast_path_is_told_to_helpdesks() {
    let mut status = working();
    assert!(!said(&status, true).contains("Fast path"), "recorded before there was one");
    let mut fast =
        FastStatus { state: FastState::On, reason: None, detail: String::new(), packets: Default::default() };
    (fast.packets.out, fast.packets.inward) = (16_403, 9_021);
    let set = |status: &mut Status, fast: &FastStatus| {
        status.clat.iter_mut().for_each(|clat| clat.fast_path = Some(fast.clone()));
    };
    set(&mut status, &fast);
    let line = "  Fast path    on, 16403 packets out and 9021 in went by it\n";
    assert!(said(&status, true).contains(line) && !said(&status, false).contains("Fast path"));
    assert!(include_str!("../../../../docs/cli.md").contains(line), "the manual shows it");
    (fast.state, fast.reason) = (FastState::Off, Some("self-test".into()));
    fast.detail = "it was cut".into();
    set(&mut status, &fast);
    assert!(said(&status, true).contains("  Fast path    off: it was cut (self-test)\n"));
}

#[test]
fn every_reason_against_the_fast_path_is_in_the_manual() {
    let manual = include_str!("../../../../docs/cli.md");
    for reason in FastReason::ALL {
        assert!(manual.contains(&format!("| `{}` | ", reason.name())), "not in the manual: {}", reason.name());
    }
}

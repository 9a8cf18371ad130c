use std::path::Path;

use super::*;
use crate::{Code, Dad, FastPath, Origin, Settings};

fn read_over(last: &Settings, text: &str) -> (Settings, Vec<String>) {
    let path = Path::new("/etc/everclat/config.toml");
    let last = Layer { settings: last.clone(), ..Layer::empty(path, Origin::Config) };
    let (layer, problems) = parse_config(path, text, &last);
    (layer.settings, problems.iter().map(ToString::to_string).collect())
}

fn read(text: &str) -> (Settings, Vec<String>) {
    read_over(&Settings::default(), text)
}

const EVERY_KEY: &str = "Enabled = false\nPref64Static = [\"64:ff9b::/96\", \"2001:db8:64::/48\"]\n\
    ClatIpv4 = \"192.0.0.5\"\nDad = \"strict\"\nFastPath = \"off\"\nIpv4RouteMetric = 4096\nMtu = 1400\nLowestIpv6Mtu = 1500\nAllowUserPause = false\n\
    PauseMaxMinutes = 5\nAllowUserConfig = true\nPref64Sources = [\"dns\", \"policy\", \"ra\"]\n\
    Pref64Allow = [\"2001:db8::/32\"]\nPref64Deny = [\"2001:db8:bad::/48\", \"64:ff9b::/96\"]\n\
    InterfacesInclude = [\"eth*\", \"wlan0\"]\nInterfacesExclude = [\"docker?\"]\nProbeEnabled = false\n\
    ProbeTargetsV4 = [\"198.51.100.1:443\", \"198.51.100.2\"]\n\
    ProbeIntervalSeconds = 0\nAllowInternetProbe = true\n";

#[test]
fn every_key_with_its_origin_and_back() {
    let (settings, problems) = read(EVERY_KEY);
    assert_eq!(problems, Vec::<String>::new());
    assert!(!settings.enabled.value && !settings.allow_user_pause.value);
    assert_eq!(settings.dad.value, Dad::Strict);
    assert_eq!(settings.fast_path.value, FastPath::Off);
    assert_eq!(
        (settings.ipv4_route_metric.value, settings.mtu.value, settings.pause_max_minutes.value),
        (4096, 1400, 5)
    );
    assert_eq!(settings.lowest_ipv6_mtu.value, 1500);
    let entries = setting_entries(&settings);
    assert!(entries.iter().all(|entry| entry.origin == Origin::Config && !entry.locked), "{entries:?}");
    let mut written: Vec<String> = entries.iter().map(|entry| format!("{} = {}", entry.key, entry.value)).collect();
    let mut original: Vec<String> = EVERY_KEY.lines().map(str::to_owned).collect();
    written.sort();
    original.sort();
    assert_eq!(written, original, "what is shown could stand in the file");
}

#[test]
fn a_bad_key_does_not_spoil_the_others() {
    let (settings, problems) = read("Mtu = 12\nDad = \"strict\"\nClatIpv4 = \"10.0.0.1\"\nenabld = 1\n");
    assert_eq!(settings.dad.value, Dad::Strict);
    assert_eq!(settings.mtu, Settings::default().mtu);
    assert_eq!(
        problems,
        [
            "/etc/everclat/config.toml:1: Mtu: 12 is not allowed; use 0 (automatic) or 1252 to 65507 bytes; it stays 0",
            "/etc/everclat/config.toml:3: ClatIpv4: 10.0.0.1 is not allowed; use one of 192.0.0.2 to 192.0.0.7 \
             (RFC 7335); it stays \"192.0.0.2\"",
            "/etc/everclat/config.toml:4: unknown key `enabld`; did you mean `Enabled`?",
        ]
    );
}

#[test]
fn the_last_good_value_stays() {
    let (good, _) = read("Mtu = 1400\nDad = \"strict\"\n");
    let (settings, problems) = read_over(&good, "Mtu = \"big\"\n");
    assert_eq!(settings.mtu, good.mtu);
    assert_eq!(settings.dad.value, Dad::Optimistic, "a key that is gone is a default again");
    assert!(problems[0].ends_with("Mtu: expected a whole number, found string; it stays 1400"), "{problems:?}");
    let (settings, problems) = read_over(&good, "Mtu = = 1\n");
    assert_eq!(settings, good);
    assert!(problems[0].contains(":1: not valid TOML: "), "{problems:?}");
}

#[test]
fn wrong_types_name_line_and_remedy() {
    let (_, problems) = read("Enabled = \"yes\"\nPref64Static = [\"64:ff9b::/95\"]\nMtu = 99999999999999999999\n");
    assert!(problems[0].ends_with(":1: Enabled: expected true or false, found string; it stays true"), "{problems:?}");
    assert!(problems[1].contains(":2: Pref64Static: `64:ff9b::/95`: "), "{problems:?}");
    assert!(problems[2].contains(":3: Mtu: the number is too large"), "{problems:?}");
    let (settings, problems) = read("Pref64Static = [\"64:ff9b::/96\", \"fe80::/96\"]\n");
    assert!(problems[0].contains(":1: Pref64Static: `fe80::/96`: fe80:: is link-local"), "{problems:?}");
    assert!(settings.pref64_static.value.is_empty(), "it stays as it was");
}

#[test]
fn lists_name_the_item_that_is_wrong() {
    let (settings, problems) = read(
        "Pref64Allow = [\"2001:db8::1/32\"]\nPref64Sources = [\"ra\", \"ra\"]\nInterfacesExclude = \"docker0\"\n\
         ProbeIntervalSeconds = 29\nProbeTargetsV4 = [\"example.com\"]\nPref64Deny = [7]\nPref64Sources2 = []\n",
    );
    assert_eq!(settings, Settings::default());
    for (line, part) in [
        "Pref64Allow: `2001:db8::1/32` has bits set behind the prefix length; did you mean 2001:db8::/32?; it stays []",
        "Pref64Sources: name one or more of \"ra\", \"dns\" and \"policy\", each once, best first; it stays [\"ra\", \"dns\"]",
        "InterfacesExclude: expected a list, each item an interface name or pattern, such as \"eth*\", found string; ",
        "ProbeIntervalSeconds: 29 is not allowed; use 0 (only when in doubt) or 30 to 3600 seconds; it stays 300",
        "ProbeTargetsV4: `example.com` is not of the form 198.51.100.1 or 198.51.100.1:443; it stays []",
        "Pref64Deny: expected an IPv6 prefix, such as \"2001:db8::/32\", found integer; it stays []",
        "unknown key `Pref64Sources2`; did you mean `Pref64Sources`?",
    ]
    .iter()
    .enumerate()
    {
        let start = format!("/etc/everclat/config.toml:{}: {part}", line + 1);
        assert!(problems[line].starts_with(&start), "{}\nwanted {start}", problems[line]);
    }
}

const FIRST: &str = "/etc/everclat/policy.d/10-first.json";
const SECOND: &str = "/etc/everclat/policy.d/20-second.json";

fn policy(path: &str, text: &str, last: Option<&Layer>) -> (Layer, Vec<ConfigProblem>) {
    let path = Path::new(path);
    let none = Layer::empty(path, Origin::Policy);
    parse_policy(path, text, last.unwrap_or(&none))
}

fn config(text: &str) -> Layer {
    let path = Path::new("/etc/everclat/config.toml");
    parse_config(path, text, &Layer::empty(path, Origin::Config)).0
}

fn entry(layered: &Layered, key: &str) -> SettingEntry {
    layered.entries.iter().find(|entry| entry.key == key).unwrap().clone()
}

#[test]
fn policy_locks_and_the_file_says_what_it_does_in_vain() {
    let (first, problems) = policy(FIRST, "{\"Mtu\": 1400, \"Dad\": \"strict\"}", None);
    assert_eq!(problems, []);
    let (second, _) = policy(SECOND, "\u{feff}{\n\"$schema\": \"x\", \"Mtu\": 1300}", None);
    let layered = lay(&config("Enabled = false\n\nMtu = 1450\n"), &[first, second.clone()]);
    let settings = &layered.settings;
    assert_eq!((settings.mtu.value, settings.mtu.origin, settings.mtu.locked), (1300, Origin::Policy, true));
    assert_eq!(
        (settings.enabled.value, settings.enabled.origin, settings.enabled.locked),
        (false, Origin::Config, false)
    );
    assert_eq!(entry(&layered, "Mtu").source.as_deref(), Some(SECOND), "the later file wins");
    assert_eq!(entry(&layered, "Dad").source.as_deref(), Some(FIRST));
    assert_eq!(entry(&layered, "ClatIpv4").source, None);
    let notes: Vec<String> = layered.notes.iter().map(ToString::to_string).collect();
    assert_eq!(notes, [format!("/etc/everclat/config.toml:3: Mtu: {SECOND} sets it to 1300; 1450 here has no effect")]);
    assert_eq!(layered.notes[0].code, None, "nothing is wrong with it");
    let without = lay(&config("Mtu = 1450\n"), &[]);
    assert_eq!(
        (without.settings.mtu.value, without.settings.mtu.locked),
        (1450, false),
        "a policy that is gone is gone"
    );
}

#[test]
fn each_key_of_a_policy_stands_for_itself() {
    let text = "{\n  \"Mtu\": \"big\",\n  \"Enabled\": 0,\n  \"AllowUserPause\": \"false\",\n  \"Dadd\": 1,\n  \
                \"Pref64Static\": [\"64:ff9b::/95\"],\n  \"ProbeIntervalSeconds\": 1.5,\n  \"ProbeEnabled\": 2,\n\n\
                \"Dad\": \"strict\", \"Dad\": \"lenient\"\n}";
    let (layer, problems) = policy(FIRST, text, None);
    assert_eq!(
        (layer.settings.enabled.value, layer.settings.allow_user_pause.value),
        (false, false),
        "device management writes truths in several ways"
    );
    for ((line, code, part), problem) in [
        (2, Code::PolicyInvalid, "Mtu: expected a whole number, found string; it is left to the configuration"),
        (5, Code::PolicyUnknown, "unknown key `Dadd`; did you mean `Dad`?"),
        (6, Code::PolicyInvalid, "Pref64Static: `64:ff9b::/95`: "),
        (7, Code::PolicyInvalid, "ProbeIntervalSeconds: expected a whole number, found float; "),
        (8, Code::PolicyInvalid, "ProbeEnabled: expected true or false, found integer; "),
        (10, Code::PolicyInvalid, "Dad: it is there twice; the first one counts"),
    ]
    .iter()
    .zip(&problems)
    {
        assert!(problem.to_string().starts_with(&format!("{FIRST}:{line}: {part}")), "{problem}");
        assert_eq!(problem.code, Some(*code), "{problem}");
    }
    assert_eq!((problems.len(), layer.settings.dad.value), (6, Dad::Strict));
}

#[test]
fn the_last_good_policy_stays_key_by_key() {
    let (good, _) = policy(FIRST, "{\"Mtu\": 1400, \"Dad\": \"strict\"}", None);
    let (layer, problems) = policy(FIRST, "{\"Mtu\": 7}", Some(&good));
    assert_eq!((layer.settings.mtu.value, layer.settings.mtu.origin), (1400, Origin::Policy));
    assert_eq!(layer.settings.dad.origin, Origin::Default, "a key that is gone is no policy any more");
    assert!(problems[0].to_string().ends_with("; it stays 1400"), "{problems:?}");
    for broken in ["{\"Mtu\": 1300,\n}", "[1]", "", "{\"Mtu\": 1300} x"] {
        let (layer, problems) = policy(FIRST, broken, Some(&good));
        assert_eq!(layer, good, "{broken}");
        assert_eq!((problems.len(), problems[0].code), (1, Some(Code::PolicyUnreadable)), "{problems:?}");
    }
    let (_, problems) = policy(FIRST, "{\"Mtu\": 1300,\n}", None);
    assert!(problems[0].to_string().starts_with(&format!("{FIRST}:2: not valid JSON: ")), "{problems:?}");
}

/// The table of docs/configuration.md as it has to be.
fn table() -> String {
    let mut table = "| Key | Type | Default | Allowed | What it does |\n|---|---|---|---|---|\n".to_owned();
    for KeyReference { key, kind, default, allowed, about } in key_references() {
        table.push_str(&format!("| `{key}` | {kind} | `{default}` | {allowed} | {about} |\n"));
    }
    table
}

#[test]
fn the_documentation_has_every_key_as_it_is() {
    let text = include_str!("../../../../docs/configuration.md").replace("\r\n", "\n");
    let written = text.split_once("<!-- keys -->\n").and_then(|(_, rest)| rest.split_once("<!-- end of keys -->"));
    let (written, _) = written.expect("docs/configuration.md has both marks");
    assert!(written == table(), "docs/configuration.md has to say between its marks:\n{}", table());
}

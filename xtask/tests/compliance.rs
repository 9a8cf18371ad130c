//! docs/rfc-compliance.md: every duty is answered, and every test that is named there exists.

#![expect(clippy::unwrap_used, reason = "a test helper that fails should say where")]

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

/// The duties: those of the CLAT draft, and those of the RFCs.
const DUTIES: [(char, u32); 2] = [('C', 15), ('R', 84)];

/// Where tests live.
const ROOMS: [&str; 5] = ["crates", "platform", "lab", "src-tauri", "xtask"];

struct Row {
    duties: Vec<String>,
    state: String,
    words: String,
}

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap().to_owned()
}

fn rows() -> Vec<Row> {
    let text = fs::read_to_string(root().join("docs/rfc-compliance.md")).unwrap();
    let cells = |line: &str| -> Option<Vec<String>> {
        let inner = line.strip_prefix('|')?.strip_suffix('|')?;
        Some(inner.splitn(3, '|').map(|cell| cell.trim().to_owned()).collect())
    };
    let row = |cells: Vec<String>| match <[String; 3]>::try_from(cells) {
        Ok([duties, state, words])
            if duties.starts_with(['C', 'R']) && duties.ends_with(|c: char| c.is_ascii_digit()) =>
        {
            Some(Row { duties: numbers(&duties), state, words })
        }
        _ => None,
    };
    text.lines().filter_map(cells).filter_map(row).collect()
}

/// "R4", "R4, R5", "R34 to R38".
fn numbers(text: &str) -> Vec<String> {
    let parse = |one: &str| (one.chars().next().unwrap(), one[1..].parse::<u32>().expect(one));
    let range = |part: &str| {
        let (first, last) = part.split_once(" to ").unwrap_or((part, part));
        let ((kind, first), (_, last)) = (parse(first), parse(last));
        (first..=last).map(move |number| format!("{kind}{number}")).collect::<Vec<_>>()
    };
    text.split(", ").flat_map(range).collect()
}

/// All sources, by path.
fn sources() -> BTreeMap<String, String> {
    fn walk(dir: &Path, found: &mut BTreeMap<String, String>) {
        for entry in fs::read_dir(dir).unwrap().flatten() {
            let path = entry.path();
            if path.is_dir() && !path.ends_with("target") && !path.ends_with("node_modules") {
                walk(&path, found);
            } else if path.extension().is_some_and(|end| end == "rs") {
                let key = path.strip_prefix(root()).unwrap().to_string_lossy().replace('\\', "/");
                found.insert(key, fs::read_to_string(&path).unwrap());
            }
        }
    }
    let mut found = BTreeMap::new();
    for room in ROOMS {
        walk(&root().join(room), &mut found);
    }
    found
}

/// Whether a file is the module `module`, or has it inside.
fn is_in(path: &str, text: &str, module: &str) -> bool {
    let parts = path.trim_end_matches(".rs").split('/');
    parts.into_iter().any(|part| part == module) || text.contains(&format!("mod {module} {{"))
}

/// Names of the tests in a source.
fn tests(text: &str) -> impl Iterator<Item = &str> {
    let is_test = |line: &&str| line.starts_with("#[test]") || line.starts_with("#[tokio::test");
    let mut lines = text.lines().map(str::trim);
    std::iter::from_fn(move || {
        lines.by_ref().find(is_test)?;
        let line = lines.by_ref().find(|line| line.contains("fn "))?;
        let (_, rest) = line.split_once("fn ")?;
        Some(rest.split(['(', '<']).next().unwrap_or_default())
    })
}

/// Whether `name`, such as `module::test`, `module::tests` or `module::r61_*`, names tests that exist.
fn exists(name: &str, sources: &BTreeMap<String, String>) -> bool {
    let parts: Vec<&str> = name.split("::").collect();
    let (last, modules) = parts.split_last().unwrap();
    let in_modules =
        |path: &str, text: &str| modules.iter().all(|module| *module == "service" || is_in(path, text, module));
    let matches = |test: &str| match last.strip_suffix('*') {
        Some(beginning) => test.starts_with(beginning),
        None => test == *last,
    };
    sources.iter().any(|(path, text)| {
        let whole_module = is_in(path, text, last) && tests(text).next().is_some();
        in_modules(path, text) && (whole_module || tests(text).any(matches))
    })
}

/// What stands in backticks and looks like the name of a test.
fn named(words: &str) -> Vec<String> {
    let looks = |name: &&str| {
        name.contains("::") && name.chars().all(|c| c.is_ascii_lowercase() || c.is_ascii_digit() || "_:*".contains(c))
    };
    let room = |name: &&str| {
        let (room, name) = name.split_once(": ").filter(|(room, _)| ["e2e", "scripted"].contains(room))?;
        Some(format!("{room}::{name}"))
    };
    let quoted: Vec<&str> = words.split('`').skip(1).step_by(2).collect();
    quoted.iter().filter_map(room).chain(quoted.iter().copied().filter(looks).map(str::to_owned)).collect()
}

#[test]
fn every_duty_is_answered_once() {
    let mut answers: BTreeMap<String, usize> = BTreeMap::new();
    for duty in rows().into_iter().flat_map(|row| row.duties) {
        *answers.entry(duty).or_default() += 1;
    }
    let all = DUTIES.into_iter().flat_map(|(kind, last)| (1..=last).map(move |number| format!("{kind}{number}")));
    let unanswered: Vec<String> = all.filter(|duty| answers.remove(duty) != Some(1)).collect();
    assert!(unanswered.is_empty(), "not answered, or more than once: {unanswered:?}");
    assert!(answers.is_empty(), "no such duties: {answers:?}");
}

#[test]
fn every_answer_has_its_test_or_its_reason() {
    let mut faults = Vec::new();
    for Row { duties, state, words } in rows() {
        let first = state.split([' ', ';']).next().unwrap_or_default();
        let met = first == "met";
        if !["met", "departed", "n.a."].contains(&first) {
            faults.push(format!("{duties:?}: \"{state}\" is neither met, departed nor n.a."));
        }
        if met && named(&words).is_empty() {
            faults.push(format!("{duties:?}: met, but no test is named"));
        }
        if !met && words.split_whitespace().count() < 3 {
            faults.push(format!("{duties:?}: {state} without a reason"));
        }
    }
    assert!(faults.is_empty(), "{faults:#?}");
}

#[test]
fn every_test_that_is_named_exists() {
    let sources = sources();
    let missing = |row: Row| {
        let duties = row.duties.join(", ");
        let names = named(&row.words).into_iter().filter(|name| !exists(name, &sources));
        names.map(|name| format!("{duties}: {name}")).collect::<Vec<_>>()
    };
    let missing: Vec<String> = rows().into_iter().flat_map(missing).collect();
    assert!(missing.is_empty(), "{missing:#?}");
}

/// The checks above find what they look for.
#[test]
fn a_name_that_does_not_exist_is_noticed() {
    let sources = sources();
    assert!(exists("compliance::a_name_that_does_not_exist_is_noticed", &sources));
    assert!(exists("s4_2_icmp::r61_*", &sources));
    for wrong in ["compliance::no_such_test", "no_such_module::every_duty_is_answered_once", "s4_2_icmp::r99_*"] {
        assert!(!exists(wrong, &sources), "{wrong}");
    }
    assert_eq!(numbers("R34 to R36, C2"), ["R34", "R35", "R36", "C2"]);
    assert_eq!(named("`e2e: one`, `a::b`, `CL-701`, `a::B`"), ["e2e::one", "a::b"]);
}

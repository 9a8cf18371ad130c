//! Texts of configuration and policy.

use std::path::Path;

use model::{Layer, Origin, lay, parse_config, parse_policy, setting_entries};

/// The input as either kind of file: nothing in it may do more than be reported, and what was taken is shown as it can be
/// written again.
pub fn config(input: &[u8]) {
    let Ok(text) = str::from_utf8(input) else { return };
    let path = Path::new("/etc/everclat/fuzz");
    let parse_as = |origin: Origin, text: &str, last: &Layer| match origin {
        Origin::Policy => parse_policy(path, text, last),
        Origin::Default | Origin::Config => parse_config(path, text, last),
    };
    for origin in [Origin::Config, Origin::Policy] {
        let empty = Layer::empty(path, origin);
        let (layer, problems) = parse_as(origin, text, &empty);
        let lines = text.lines().count().max(1) + 1;
        for problem in &problems {
            assert!(problem.line.is_none_or(|line| (1..=lines).contains(&line)), "{problem}");
        }
        // The last good state stays: reading the same again changes nothing.
        let (again, once_more) = parse_as(origin, text, &layer);
        assert_eq!(shown(&again), shown(&layer));
        assert_eq!(once_more.len(), problems.len());
        if origin != Origin::Config {
            continue;
        }
        let written: String = own(&layer).iter().map(|entry| format!("{} = {}\n", entry.key, entry.value)).collect();
        let (read, problems) = parse_config(path, &written, &empty);
        assert_eq!(problems, [], "{written}");
        assert_eq!(shown(&read), shown(&layer), "{written}");
    }
}

/// What a file alone makes of the settings.
fn shown(layer: &Layer) -> Vec<(String, String, Origin)> {
    entries(layer).into_iter().map(|entry| (entry.key, entry.value, entry.origin)).collect()
}

fn entries(layer: &Layer) -> Vec<model::SettingEntry> {
    setting_entries(&lay(layer, &[]).settings)
}

fn own(layer: &Layer) -> Vec<model::SettingEntry> {
    entries(layer).into_iter().filter(|entry| entry.origin == Origin::Config).collect()
}

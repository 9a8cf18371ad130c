//! From text to keys.

use std::fmt;
use std::path::Path;

use serde::de::{Deserialize, Deserializer, MapAccess, Visitor};
use serde_json::value::RawValue;
use toml::de::DeTable;

use super::given::Given;
use super::keys::{KEYS, Key};
use super::{ConfigProblem, Layer, unknown_key};
use crate::{Code, Origin};

/// For editors; it is no setting.
const SCHEMA: &str = "$schema";

/// Reads the text of the configuration file `path`. A key with a bad value keeps what `last` has for it, and so do all keys
/// when the text is no TOML: the last good state stays.
#[must_use]
pub fn parse_config(path: &Path, text: &str, last: &Layer) -> (Layer, Vec<ConfigProblem>) {
    let mut reading = Reading::start(path, Origin::Config, last);
    // Editors on Windows put a byte order mark in front.
    let text = text.trim_start_matches('\u{feff}');
    match DeTable::parse(text) {
        Ok(table) => {
            for (name, value) in table.get_ref() {
                let line = line_of(text, name.span().start);
                reading.take(name.get_ref(), line, &Given::from_toml(value.get_ref()));
            }
        }
        Err(error) => {
            let line = error.span().map(|span| line_of(text, span.start));
            return reading.unreadable(line, format!("not valid TOML: {}; the file is ignored", error.message()), last);
        }
    }
    reading.end()
}

/// Reads the text of the policy file `path`, one flat JSON object, with the same keys and the same care.
#[must_use]
pub fn parse_policy(path: &Path, text: &str, last: &Layer) -> (Layer, Vec<ConfigProblem>) {
    let mut reading = Reading::start(path, Origin::Policy, last);
    let text = text.trim_start_matches('\u{feff}');
    match serde_json::from_str::<Pairs<'_>>(text) {
        Ok(Pairs(pairs)) => {
            for (name, value) in pairs {
                // The value is a part of the text; where it begins says on which line it is.
                let offset = value.get().as_ptr().addr() - text.as_ptr().addr();
                reading.take(&name, line_of(text, offset), &Given::from_json(value));
            }
        }
        Err(error) => {
            let said = format!("not valid JSON: {error}; the file is ignored");
            return reading.unreadable(Some(error.line().max(1)), said, last);
        }
    }
    reading.end()
}

fn line_of(text: &str, offset: usize) -> usize {
    1 + text.bytes().take(offset).filter(|byte| *byte == b'\n').count()
}

/// A file that is being read.
struct Reading<'a> {
    layer: Layer,
    last: &'a Layer,
    problems: Vec<ConfigProblem>,
}

impl<'a> Reading<'a> {
    fn start(path: &Path, origin: Origin, last: &'a Layer) -> Self {
        Self { layer: Layer::empty(path, origin), last, problems: Vec::new() }
    }

    fn take(&mut self, name: &str, line: usize, value: &Given) {
        if self.layer.origin == Origin::Policy && name == SCHEMA {
            return;
        }
        let Some(key) = KEYS.iter().find(|key| key.name == name) else {
            self.problem(Code::PolicyUnknown, line, None, unknown_key(name));
            return;
        };
        if self.layer.lines.contains_key(key.name) {
            let said = "it is there twice; the first one counts".to_owned();
            return self.problem(Code::PolicyInvalid, line, Some(key), said);
        }
        self.layer.lines.insert(key.name, line);
        let origin = self.layer.origin;
        if let Err(why) = (key.take)(&mut self.layer.settings, value, origin) {
            let said = format!("{why}; {}", self.keep(key));
            self.problem(Code::PolicyInvalid, line, Some(key), said);
        }
    }

    /// Leaves the key as it was, and says how that is.
    fn keep(&mut self, key: &Key) -> String {
        let origin = self.layer.origin;
        if (key.show)(&self.last.settings).origin == origin {
            (key.keep)(&mut self.layer.settings, &self.last.settings);
        } else if origin == Origin::Policy {
            return "it is left to the configuration".to_owned();
        }
        format!("it stays {}", (key.show)(&self.layer.settings).value)
    }

    fn problem(&mut self, code: Code, line: usize, key: Option<&Key>, text: String) {
        let key = key.map(|key| key.name.to_owned());
        let file = self.layer.path.display().to_string();
        self.problems.push(ConfigProblem { code: Some(code), file, line: Some(line), key, text });
    }

    fn unreadable(self, line: Option<usize>, text: String, last: &Layer) -> (Layer, Vec<ConfigProblem>) {
        let problem = ConfigProblem { line, ..ConfigProblem::unreadable(&self.layer.path, text) };
        (last.clone(), vec![problem])
    }

    fn end(mut self) -> (Layer, Vec<ConfigProblem>) {
        self.problems.sort_by_key(|problem| problem.line);
        (self.layer, self.problems)
    }
}

/// A JSON object with its values as they stand in the text, repeated keys included.
struct Pairs<'a>(Vec<(String, &'a RawValue)>);

impl<'de> Deserialize<'de> for Pairs<'de> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_map(PairsVisitor)
    }
}

struct PairsVisitor;

impl<'de> Visitor<'de> for PairsVisitor {
    type Value = Pairs<'de>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an object, such as {\"Mtu\": 1400}")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Self::Value, A::Error> {
        let mut pairs = Vec::new();
        while let Some(pair) = map.next_entry()? {
            pairs.push(pair);
        }
        Ok(Pairs(pairs))
    }
}

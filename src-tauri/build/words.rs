//! From the languages of the window to the words of tray and notifications: what a language lacks fails the build.

use std::error::Error;
use std::fmt::Write;
use std::fs;
use std::path::{Path, PathBuf};

use serde_json::Value;

/// The fields of `Words` in `src/words.rs`, and where their texts stand. What window and tray both say stands there once.
const FIELDS: [(&str, &str); 25] = [
    ("works", "/tray/works"),
    ("ready", "/tray/ready"),
    ("standby", "/tray/standby"),
    ("os", "/tray/os"),
    ("checking", "/headline/checking/title"),
    ("limited", "/headline/limited/title"),
    ("down", "/headline/down/title"),
    ("paused", "/headline/paused/title"),
    ("paused_until", "/headline/pausedUntil/title"),
    ("no_service", "/headline/unreachable/title"),
    ("denied", "/headline/denied/title"),
    ("skew", "/code/CL-902/title"),
    ("no_network", "/headline/noNetwork/title"),
    ("rearm", "/action/rearm"),
    ("rearm_forbidden", "/action/rearmForbidden"),
    ("pause", "/pause/start"),
    ("pause_forbidden", "/pause/forbidden"),
    ("minutes", "/tray/minutes"),
    ("hour", "/tray/hour"),
    ("resume", "/action/resume"),
    ("open", "/tray/open"),
    ("versions", "/tray/versions"),
    ("close", "/tray/close"),
    ("somebody", "/settings/bySomebody"),
    ("read_on", "/tray/readOn"),
];
/// The same for the end of a loss: title and text.
const RECOVERED: (&str, &str) = ("/tray/recovered", "/tray/recoveredMore");

/// Writes `words.rs` with a value of `Words` for every file of `from`; the file's name is the language's tag.
pub(crate) fn write(from: &Path, to: &Path) -> Result<(), Box<dyn Error>> {
    let mut files: Vec<PathBuf> =
        fs::read_dir(from)?.map(|entry| entry.map(|entry| entry.path())).collect::<Result<_, _>>()?;
    files.sort();
    let mut code = String::from("&[\n");
    for file in files {
        let tag = file.file_stem().and_then(|name| name.to_str()).ok_or("a name that is no tag")?;
        let words: Value = serde_json::from_str(&fs::read_to_string(&file)?)?;
        let text = |path: &str| {
            let found = words.pointer(path).and_then(Value::as_str).filter(|text| !text.is_empty());
            found.ok_or_else(|| format!("{} has no text at {path}", file.display()))
        };
        writeln!(code, "    Words {{ tag: {tag:?},")?;
        for (field, path) in FIELDS {
            writeln!(code, "        {field}: {:?},", text(path)?)?;
        }
        writeln!(code, "        recovered: ({:?}, {:?}),", text(RECOVERED.0)?, text(RECOVERED.1)?)?;
        code.push_str("        titles: &[\n");
        let codes = words.get("code").and_then(Value::as_object).ok_or("no codes")?;
        for name in codes.keys() {
            writeln!(code, "            ({name:?}, {:?}),", text(&format!("/code/{name}/title"))?)?;
        }
        code.push_str("        ],\n    },\n");
    }
    code.push_str("]\n");
    fs::write(to.join("words.rs"), code)?;
    Ok(())
}

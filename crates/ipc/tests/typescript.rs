//! The window's types are made from ours: `ui/src/generated/ipc.ts` says what the settings look like now.
//! `EVERCLAT_BLESS=1 cargo test -p everclat-ipc --features ts --test typescript` writes it anew.

use std::path::Path;

use everclat_ipc::SettingsReport;
use ts_rs::{Config, TS};

#[test]
fn types_are_up_to_date() {
    let config = Config::new().with_large_int("number");
    let text = format!(
        "// Made from crates/ipc by its test `typescript`; do not edit by hand.\n\
         import type {{ ConfigProblem, SettingEntry }} from './model';\n\n{}export {}\n",
        SettingsReport::docs().unwrap_or_default(),
        SettingsReport::decl(&config)
    );
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../ui/src/generated/ipc.ts");
    if std::env::var_os("EVERCLAT_BLESS").is_some() {
        std::fs::write(&path, &text).unwrap();
    }
    let committed = std::fs::read_to_string(&path).unwrap();
    assert_eq!(committed, text, "{} is out of date; EVERCLAT_BLESS=1 writes it anew", path.display());
}

//! The window's types are made from ours: `ui/src/generated/view.ts` says what a view looks like now.
//! `EVERCLAT_BLESS=1 cargo test -p everclat-tray --features ts --test typescript` writes it anew.

use std::path::Path;

use everclat_tray::view::{
    ActionName, App, Busy, Failed, FailedKind, Icon, Notifications, Os, Prefs, Service, Shown, Theme, View,
};
use ts_rs::{Config, TS};

/// Appends types with their documentation.
macro_rules! declare {
    ($text:ident, $config:ident, $($kind:ty),+ $(,)?) => {
        $($text.push_str(&format!("\n{}export {}\n", <$kind>::docs().unwrap_or_default(), <$kind>::decl(&$config)));)+
    };
}

#[test]
fn types_are_up_to_date() {
    let config = Config::new().with_large_int("number");
    let mut text = String::from(
        "// Made from src-tauri by its test `typescript`; do not edit by hand.\n\
         import type { SettingsReport } from './ipc';\nimport type { Status } from './model';\n",
    );
    declare!(
        text,
        config,
        View,
        App,
        Os,
        Service,
        Prefs,
        Theme,
        Notifications,
        Shown,
        Icon,
        ActionName,
        Busy,
        FailedKind,
        Failed,
    );
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../ui/src/generated/view.ts");
    if std::env::var_os("EVERCLAT_BLESS").is_some() {
        std::fs::write(&path, &text).unwrap();
    }
    let committed = std::fs::read_to_string(&path).unwrap();
    assert_eq!(committed, text, "{} is out of date; EVERCLAT_BLESS=1 writes it anew", path.display());
}

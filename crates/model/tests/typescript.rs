//! The window's types are made from ours: `ui/src/generated/model.ts` says what the status looks like now.
//! `EVERCLAT_BLESS=1 cargo test -p everclat-model --features ts --test typescript` writes it anew.

use std::path::Path;

use everclat_model::{
    Bytes, Cause, ClatStatus, Code, ConfigProblem, Departure, DropReason, Evidence, EvidenceKind, FastReason,
    FastState, FastStatus, Ignored, InterfaceStatus, Origin, Owner, PauseStatus, PlaneKind, Pref64Source, Pref64Status,
    Product, REARM_REASONS, Rearm, RearmStep, Rearms, SEND_ERROR, ServiceInfo, SettingEntry, SpareStatus, State,
    Status, UplinkStatus, key_references,
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
    let mut text = String::from("// Made from crates/model by its test `typescript`; do not edit by hand.\n");
    list(&mut text, "Every code, in order of number.", "CODES", Code::ALL.iter().map(|code| code.as_str()));
    let keys = key_references();
    let drops = DropReason::ALL.iter().map(|reason| reason.name()).chain([SEND_ERROR]);
    list(&mut text, "Why packets were dropped.", "DROP_REASONS", drops);
    let reasons = FastReason::ALL.iter().map(|reason| reason.name());
    list(&mut text, "Why the fast path is off.", "FAST_REASONS", reasons);
    list(&mut text, "Why IPv4 had to be armed again.", "REARM_REASONS", REARM_REASONS.into_iter());
    list(&mut text, "What was done to arm it again.", "REARM_STEPS", RearmStep::ALL.iter().map(|step| step.name()));
    list(&mut text, "Why an uplink was left.", "DEPARTURES", Departure::ALL.iter().map(|left| left.name()));
    list(&mut text, "Every key of configuration and policy.", "SETTING_KEYS", keys.iter().map(|key| key.key));
    declare!(
        text,
        config,
        Code,
        State,
        Owner,
        PlaneKind,
        Pref64Source,
        EvidenceKind,
        Origin,
        Status,
        Product,
        ServiceInfo,
        UplinkStatus,
        SpareStatus,
        Pref64Status,
        Bytes,
        ClatStatus,
        FastState,
        FastStatus,
        Rearm,
        Rearms,
        Evidence,
        PauseStatus,
        Ignored,
        Cause,
        InterfaceStatus,
        SettingEntry,
        ConfigProblem,
    );
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../ui/src/generated/model.ts");
    if std::env::var_os("EVERCLAT_BLESS").is_some() {
        std::fs::write(&path, &text).unwrap();
    }
    let committed = std::fs::read_to_string(&path).unwrap();
    assert_eq!(committed, text, "{} is out of date; EVERCLAT_BLESS=1 writes it anew", path.display());
}

fn list<'a>(text: &mut String, about: &str, name: &str, items: impl Iterator<Item = &'a str>) {
    text.push_str(&format!("\n/** {about} */\nexport const {name} = [\n"));
    items.for_each(|item| text.push_str(&format!("  '{item}',\n")));
    text.push_str("] as const;\n");
}

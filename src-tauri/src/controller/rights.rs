//! What this user may ask the service for. The service decides (its `rights.rs`); here the same is said before anybody clicks.

use std::collections::BTreeMap;

use ipc::SettingsReport;

use super::prefs::who;
use crate::view::ActionName;

/// The longest pause where the service has not said any other.
const LONGEST_PAUSE: u32 = 60;

/// What the user may not ask for, and who says so; empty where nobody is named. Arming anew and ending a pause are everybody's.
pub(super) fn denied(administrator: bool, report: Option<&SettingsReport>) -> BTreeMap<ActionName, String> {
    let entry = report.and_then(|report| report.settings.iter().find(|entry| entry.key == "AllowUserPause"));
    let entry = entry.filter(|entry| !administrator && entry.value == "false");
    entry.into_iter().map(|entry| (ActionName::Pause, who(entry))).collect()
}

/// The longest pause the user may ask for, in minutes; `None`: of any length.
pub(super) fn longest_pause(administrator: bool, report: Option<&SettingsReport>) -> Option<u32> {
    let entry = report.and_then(|report| report.settings.iter().find(|entry| entry.key == "PauseMaxMinutes"));
    let minutes = entry.and_then(|entry| entry.value.parse().ok()).unwrap_or(LONGEST_PAUSE);
    (!administrator && minutes > 0).then_some(minutes)
}

//! What the page may ask for. `capabilities/main.json` lets our window, and nobody else, ask exactly this.

use serde_json::Value;
use tauri::State;

use crate::conductor::Remote;
use crate::controller::{Ask, Event};
use crate::view::{ActionName, Failed, FailedKind, View};

/// Longer reasons for a pause are cut: they are shown in one line.
const LONGEST_REASON: usize = 200;

/// All there is to show.
#[tauri::command]
pub(crate) async fn view(remote: State<'_, Remote>) -> Result<View, Failed> {
    remote.view().await.ok_or_else(|| ending(ActionName::Settings))
}

/// Arms anew.
#[tauri::command]
pub(crate) async fn rearm(remote: State<'_, Remote>) -> Result<(), Failed> {
    ask(&remote, Ask::Rearm, ActionName::Rearm).await
}

/// Pauses, for some minutes or until resumed.
#[tauri::command]
pub(crate) async fn pause(minutes: Option<u32>, reason: String, remote: State<'_, Remote>) -> Result<(), Failed> {
    let reason = reason.chars().filter(|letter| !letter.is_control()).take(LONGEST_REASON).collect();
    ask(&remote, Ask::Pause { minutes, reason }, ActionName::Pause).await
}

/// Ends a pause.
#[tauri::command]
pub(crate) async fn resume(remote: State<'_, Remote>) -> Result<(), Failed> {
    ask(&remote, Ask::Resume, ActionName::Resume).await
}

/// Changes a preference.
#[tauri::command]
pub(crate) async fn set_pref(key: String, value: Value, remote: State<'_, Remote>) -> Result<(), Failed> {
    ask(&remote, Ask::SetPref { key, value }, ActionName::Settings).await
}

/// Whether somebody looks at the page.
#[tauri::command]
pub(crate) async fn watching(visible: bool, remote: State<'_, Remote>) -> Result<(), Failed> {
    remote.tell(Event::Watching(visible)).await;
    Ok(())
}

async fn ask(remote: &Remote, ask: Ask, action: ActionName) -> Result<(), Failed> {
    remote.ask(ask).await.unwrap_or_else(|| Err(ending(action)))
}

fn ending(action: ActionName) -> Failed {
    Failed { action, kind: FailedKind::Unreachable, message: "the app is ending".to_owned() }
}

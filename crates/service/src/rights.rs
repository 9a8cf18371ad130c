//! Who may change what: everyone may re-arm, and pause as far as the administrator lets them; the rest is for
//! administrators (product.md).

use ipc::{Control, Peer, Refusal, RefusalKind, Rights};
use model::Settings;

/// Whether `peer` may do `control` under `settings`.
pub(crate) fn check(peer: Peer, control: &Control, settings: &Settings) -> Result<(), Refusal> {
    match peer.rights() {
        Rights::Administer => return Ok(()),
        Rights::Read => {}
    }
    let seconds = match control {
        Control::Pause { seconds, .. } => seconds,
        Control::Rearm | Control::Resume => return Ok(()),
        Control::Reload if settings.allow_user_config.value => return Ok(()),
        Control::Reload => return Err(denied("only an administrator may have the configuration read again".into())),
        Control::LogLevel { .. } => return Err(denied("only an administrator may change the log level".into())),
    };
    if !settings.allow_user_pause.value {
        return Err(denied("your administrator does not allow pausing (AllowUserPause)".into()));
    }
    let most = u64::from(settings.pause_max_minutes.value) * 60;
    if most > 0 && seconds.is_none_or(|seconds| seconds > most) {
        let minutes = settings.pause_max_minutes.value;
        return Err(denied(format!("you may pause for at most {minutes} minutes (PauseMaxMinutes)")));
    }
    Ok(())
}

fn denied(message: String) -> Refusal {
    Refusal { kind: RefusalKind::Denied, message }
}

#[cfg(test)]
mod tests {
    use super::*;

    const ROOT: Peer = Peer { uid: Some(0), pid: None };
    const USER: Peer = Peer { uid: Some(1000), pid: None };

    fn pause(seconds: Option<u64>) -> Control {
        Control::Pause { seconds, reason: String::new() }
    }

    #[test]
    fn users_pause_within_limits_and_administrators_without() {
        let mut settings = Settings::default();
        for control in [Control::Rearm, Control::Resume, pause(Some(3600))] {
            assert!(check(USER, &control, &settings).is_ok(), "{control:?}");
        }
        for control in [pause(Some(3601)), pause(None)] {
            let refusal = check(USER, &control, &settings).unwrap_err();
            assert!(refusal.message.contains("60 minutes"), "{refusal:?}");
            assert!(check(ROOT, &control, &settings).is_ok());
        }
        assert!(check(USER, &Control::Reload, &settings).is_err());
        let log_level = Control::LogLevel { level: ipc::LogLevel::Debug, seconds: 60 };
        assert!(check(USER, &log_level, &settings).is_err() && check(ROOT, &log_level, &settings).is_ok());
        assert!(check(ROOT, &Control::Reload, &settings).is_ok());
        settings.allow_user_config.value = true;
        assert!(check(USER, &Control::Reload, &settings).is_ok());
        settings.pause_max_minutes.value = 0;
        assert!(check(USER, &pause(None), &settings).is_ok());
        settings.allow_user_pause.value = false;
        assert!(check(USER, &pause(Some(1)), &settings).is_err());
        assert!(check(USER, &Control::Resume, &settings).is_ok());
        assert!(check(ROOT, &pause(None), &settings).is_ok());
    }

    #[test]
    fn somebody_unknown_is_a_user() {
        assert!(check(Peer { uid: None, pid: None }, &pause(None), &Settings::default()).is_err());
    }
}

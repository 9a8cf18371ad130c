//! What differs from system to system. Nowhere else in this crate does the code ask which one it is.

#[cfg(target_os = "linux")]
mod linux;
#[cfg(not(target_os = "linux"))]
mod native;

#[cfg(target_os = "linux")]
pub(crate) use linux::{Login, Tray, check_display};
#[cfg(not(target_os = "linux"))]
pub(crate) use native::{Login, Tray, check_display};

use std::path::PathBuf;

use anyhow::Result;

use crate::view::Os;

#[cfg(target_os = "linux")]
mod here {
    use super::{Os, PathBuf};

    pub(super) const OS: Os = Os::Linux;
    pub(super) const START_HINT: &str = "sudo systemctl start everclatd";

    pub(super) fn log_directory() -> Option<PathBuf> {
        Some(dirs::state_dir()?.join("everclat"))
    }
}

#[cfg(target_os = "macos")]
mod here {
    use super::{Os, PathBuf};

    pub(super) const OS: Os = Os::Macos;
    pub(super) const START_HINT: &str = "sudo launchctl kickstart system/net.everclat.everclatd";

    pub(super) fn log_directory() -> Option<PathBuf> {
        Some(dirs::home_dir()?.join("Library/Logs/Everclat"))
    }
}

#[cfg(target_os = "windows")]
mod here {
    use super::{Os, PathBuf};

    pub(super) const OS: Os = Os::Windows;
    pub(super) const START_HINT: &str = "sc start Everclat";

    pub(super) fn log_directory() -> Option<PathBuf> {
        Some(dirs::data_local_dir()?.join("Everclat").join("Logs"))
    }
}

/// Shows a notification; may wait for whoever shows it.
#[cfg(not(target_os = "macos"))]
pub(crate) fn notify(title: &str, body: &str) -> Result<()> {
    notify_rust::Notification::new().appname("Everclat").summary(title).body(body).show()?;
    Ok(())
}

/// Shows a notification; may wait for the user, who is asked the first time.
#[cfg(target_os = "macos")]
pub(crate) fn notify(title: &str, body: &str) -> Result<()> {
    if mac_usernotifications::blocking::request_auth()? {
        mac_usernotifications::Notification::new().title(title).message(body).send_blocking()?;
    }
    Ok(())
}

/// The system.
pub(crate) const OS: Os = here::OS;

/// The command that starts the service.
pub(crate) const START_HINT: &str = here::START_HINT;

/// Where this user's logs of ours are.
pub(crate) fn log_directory() -> Option<PathBuf> {
    here::log_directory()
}

/// Where this user's preferences are.
pub(crate) fn config_directory() -> Option<PathBuf> {
    Some(dirs::config_dir()?.join("everclat"))
}

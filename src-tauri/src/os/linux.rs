//! Linux: StatusNotifierItem and XDG's autostart.

mod login;
mod panel;
mod tray;

use anyhow::{Result, ensure};

pub(crate) use login::Login;
pub(crate) use tray::Tray;

/// GTK ends the process when there is no display, so somebody else has to say why.
pub(crate) fn check_display() -> Result<()> {
    let set = |name| std::env::var_os(name).is_some_and(|value| !value.is_empty());
    ensure!(set("DISPLAY") || set("WAYLAND_DISPLAY"), "there is no display; without one, use: everclat status");
    Ok(())
}

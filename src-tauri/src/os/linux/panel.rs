//! Whether a person wants it light or dark, as far as the desktop says (the Settings portal's color-scheme), and so whether panels are.

use futures::StreamExt;
use zbus::zvariant::{OwnedValue, Value};
use zbus::{Connection, Proxy};

use crate::raster::Panel;
use crate::view::Theme;

const NAMESPACE: &str = "org.freedesktop.appearance";
const KEY: &str = "color-scheme";

/// The panel where a person wants this.
pub(super) fn ground(scheme: Theme) -> Panel {
    // GNOME's panel is dark whatever the scheme of its apps.
    if std::env::var("XDG_CURRENT_DESKTOP").is_ok_and(|names| names.split(':').any(|name| name == "GNOME")) {
        return Panel::Dark;
    }
    match scheme {
        Theme::Dark => Panel::Dark,
        Theme::Light => Panel::Light,
        Theme::System => Panel::Unknown,
    }
}

/// Calls `changed` with what the desktop says, now and after every change, until it is asked no more; [`Theme::System`]: nothing.
pub(super) async fn follow(connection: &Connection, changed: impl Fn(Theme) + Send) -> zbus::Result<()> {
    let portal = Proxy::new(
        connection,
        "org.freedesktop.portal.Desktop",
        "/org/freedesktop/portal/desktop",
        "org.freedesktop.portal.Settings",
    )
    .await?;
    let mut changes = portal.receive_signal("SettingChanged").await?;
    let now: OwnedValue = portal.call("Read", &(NAMESPACE, KEY)).await?;
    changed(scheme(&now));
    while let Some(change) = changes.next().await {
        let body = change.body();
        let Ok((namespace, key, value)) = body.deserialize::<(&str, &str, Value<'_>)>() else { continue };
        if (namespace, key) == (NAMESPACE, KEY) {
            changed(scheme(&value));
        }
    }
    Ok(())
}

/// 1 asks for dark, 2 for light, 0 for nothing. `Read` wraps the value in one variant more than it should.
fn scheme(value: &Value<'_>) -> Theme {
    if let Value::Value(inner) = value {
        return scheme(inner);
    }
    match u32::try_from(value) {
        Ok(1) => Theme::Dark,
        Ok(2) => Theme::Light,
        Ok(_) | Err(_) => Theme::System,
    }
}

//! Whether panels are light or dark here, as far as the desktop says (the Settings portal's color-scheme).

use futures::StreamExt;
use zbus::zvariant::{OwnedValue, Value};
use zbus::{Connection, Proxy};

use crate::raster::Panel;

const NAMESPACE: &str = "org.freedesktop.appearance";
const KEY: &str = "color-scheme";

/// Calls `changed` with what the desktop says, now and after every change, until it is asked no more.
pub(super) async fn follow(connection: &Connection, changed: impl Fn(Panel) + Send) -> zbus::Result<()> {
    // GNOME's panel is dark whatever the scheme of its apps.
    if std::env::var("XDG_CURRENT_DESKTOP").is_ok_and(|names| names.split(':').any(|name| name == "GNOME")) {
        changed(Panel::Dark);
        return Ok(());
    }
    let portal = Proxy::new(
        connection,
        "org.freedesktop.portal.Desktop",
        "/org/freedesktop/portal/desktop",
        "org.freedesktop.portal.Settings",
    )
    .await?;
    let mut changes = portal.receive_signal("SettingChanged").await?;
    let now: OwnedValue = portal.call("Read", &(NAMESPACE, KEY)).await?;
    changed(panel(&now));
    while let Some(change) = changes.next().await {
        let body = change.body();
        let Ok((namespace, key, value)) = body.deserialize::<(&str, &str, Value<'_>)>() else { continue };
        if (namespace, key) == (NAMESPACE, KEY) {
            changed(panel(&value));
        }
    }
    Ok(())
}

/// 1 asks for dark, 2 for light, 0 for nothing. `Read` wraps the value in one variant more than it should.
fn panel(value: &Value<'_>) -> Panel {
    if let Value::Value(inner) = value {
        return panel(inner);
    }
    match u32::try_from(value) {
        Ok(1) => Panel::Dark,
        Ok(2) => Panel::Light,
        Ok(_) | Err(_) => Panel::Unknown,
    }
}

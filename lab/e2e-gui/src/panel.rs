//! What a desktop's panel does with icons, without the pixels: StatusNotifierWatcher, and the menus behind the items (com.canonical.dbusmenu).

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};

use anyhow::{Context, Result, ensure};
use zbus::zvariant::{OwnedValue, Value};
use zbus::{Connection, Proxy, interface};

use crate::Desktop;

const ITEM: (&str, &str) = ("/StatusNotifierItem", "org.kde.StatusNotifierItem");
const MENU: (&str, &str) = ("/MenuBar", "com.canonical.dbusmenu");

/// A panel that draws nothing.
#[derive(Debug)]
pub struct Panel {
    connection: Connection,
    items: Arc<Mutex<Vec<String>>>,
    notices: Arc<Mutex<Vec<String>>>,
}

/// Where notifications are shown: it keeps their titles.
struct Notifications(Arc<Mutex<Vec<String>>>);

#[interface(name = "org.freedesktop.Notifications")]
impl Notifications {
    #[expect(clippy::too_many_arguments, reason = "the specification has so many")]
    fn notify(
        &self,
        _app: String,
        _replaces: u32,
        _icon: String,
        summary: String,
        _body: String,
        _actions: Vec<String>,
        _hints: HashMap<String, OwnedValue>,
        _timeout: i32,
    ) -> u32 {
        let mut notices = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        notices.push(summary);
        u32::try_from(notices.len()).unwrap_or(u32::MAX)
    }

    fn get_capabilities(&self) -> Vec<String> {
        vec!["body".to_owned()]
    }

    fn get_server_information(&self) -> (&'static str, &'static str, &'static str, &'static str) {
        ("panel", "everclat", "1", "1.2")
    }
}

struct Watcher(Arc<Mutex<Vec<String>>>);

#[interface(name = "org.kde.StatusNotifierWatcher")]
impl Watcher {
    #[expect(clippy::needless_pass_by_value, reason = "the macro hands it over so")]
    fn register_status_notifier_item(&self, service: String, #[zbus(header)] header: zbus::message::Header<'_>) {
        // Some give the object's path; the name is then who asks.
        let name = if service.starts_with('/') {
            header.sender().map(ToString::to_string).unwrap_or_default()
        } else {
            service
        };
        self.0.lock().unwrap_or_else(PoisonError::into_inner).push(name);
    }

    fn register_status_notifier_host(&self, _service: String) {}

    #[zbus(property)]
    fn is_status_notifier_host_registered(&self) -> bool {
        true
    }

    #[zbus(property)]
    fn protocol_version(&self) -> i32 {
        0
    }

    #[zbus(property)]
    fn registered_status_notifier_items(&self) -> Vec<String> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }
}

/// One line of a menu.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct MenuItem {
    /// Its number.
    pub id: i32,
    /// What it says; empty for a line.
    pub label: String,
    /// Whether it can be chosen.
    pub enabled: bool,
    /// What is behind it.
    pub children: Vec<Self>,
}

/// The icon of the app.
#[derive(Debug)]
pub struct TrayItem {
    connection: Connection,
    name: String,
}

impl Panel {
    /// Puts a panel on the desktop.
    ///
    /// # Errors
    /// When the bus does not take it.
    pub async fn start(desktop: &Desktop) -> Result<Self> {
        let items = Arc::new(Mutex::new(Vec::new()));
        let notices = Arc::new(Mutex::new(Vec::new()));
        let connection = zbus::connection::Builder::address(desktop.bus())?
            .serve_at("/StatusNotifierWatcher", Watcher(Arc::clone(&items)))?
            .name("org.kde.StatusNotifierWatcher")?
            .serve_at("/org/freedesktop/Notifications", Notifications(Arc::clone(&notices)))?
            .name("org.freedesktop.Notifications")?
            .build()
            .await?;
        Ok(Self { connection, items, notices })
    }

    /// The titles of all notifications so far.
    #[must_use]
    pub fn notices(&self) -> Vec<String> {
        self.notices.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// The icon that registered last, once there is one.
    ///
    /// # Errors
    /// When there is none within ten seconds.
    pub async fn item(&self) -> Result<TrayItem> {
        for _ in 0..1_000 {
            let name = self.items.lock().unwrap_or_else(PoisonError::into_inner).last().cloned();
            if let Some(name) = name {
                return Ok(TrayItem { connection: self.connection.clone(), name });
            }
            tokio::time::sleep(std::time::Duration::from_millis(10)).await;
        }
        anyhow::bail!("no icon registered")
    }
}

impl TrayItem {
    async fn proxy(&self, (path, interface): (&'static str, &'static str)) -> Result<Proxy<'_>> {
        let builder = zbus::proxy::Builder::new(&self.connection).destination(self.name.as_str())?;
        // Signals tell of changes that a test does not wait for.
        let builder = builder.path(path)?.interface(interface)?.cache_properties(zbus::proxy::CacheProperties::No);
        Ok(builder.build().await?)
    }

    /// The state in words, as panels and screen readers get it.
    ///
    /// # Errors
    /// When the item does not answer.
    pub async fn title(&self) -> Result<String> {
        Ok(self.proxy(ITEM).await?.get_property("Title").await?)
    }

    /// The text of the tooltip.
    ///
    /// # Errors
    /// When the item does not answer.
    pub async fn tooltip(&self) -> Result<String> {
        type Tip = (String, Vec<(i32, i32, Vec<u8>)>, String, String);
        let (_, _, title, text): Tip = self.proxy(ITEM).await?.get_property("ToolTip").await?;
        Ok(format!("{title}: {text}"))
    }

    /// Width, height and pixels (ARGB) of the icon, at every size.
    ///
    /// # Errors
    /// When the item does not answer.
    pub async fn pixmaps(&self) -> Result<Vec<(i32, i32, Vec<u8>)>> {
        Ok(self.proxy(ITEM).await?.get_property("IconPixmap").await?)
    }

    /// A click on the icon.
    ///
    /// # Errors
    /// When the item does not answer.
    pub async fn activate(&self) -> Result<()> {
        Ok(self.proxy(ITEM).await?.call("Activate", &(0_i32, 0_i32)).await?)
    }

    /// The menu.
    ///
    /// # Errors
    /// When the item does not answer, or with another thing than a menu.
    pub async fn menu(&self) -> Result<Vec<MenuItem>> {
        type Node = (i32, HashMap<String, OwnedValue>, Vec<OwnedValue>);
        let all: Vec<&str> = Vec::new();
        let (_, (_, _, children)): (u32, Node) =
            self.proxy(MENU).await?.call("GetLayout", &(0_i32, -1_i32, all)).await?;
        children.into_iter().map(|child| read(&child)).collect()
    }

    /// Chooses what says `label`, also within a part of the menu.
    ///
    /// # Errors
    /// When there is no such thing, or it cannot be chosen.
    pub async fn choose(&self, label: &str) -> Result<()> {
        let menu = self.menu().await?;
        let item = find(&menu, label).with_context(|| format!("no {label} in {menu:#?}"))?;
        ensure!(item.enabled, "{label} cannot be chosen");
        Ok(self.proxy(MENU).await?.call("Event", &(item.id, "clicked", Value::from(0_i32), 0_u32)).await?)
    }

    /// Waits until the menu satisfies `condition`.
    ///
    /// # Errors
    /// When it does not within ten seconds.
    pub async fn menu_becomes(&self, what: &str, condition: impl Fn(&[MenuItem]) -> bool) -> Result<Vec<MenuItem>> {
        let mut menu = Vec::new();
        for _ in 0..500 {
            menu = self.menu().await?;
            if condition(&menu) {
                return Ok(menu);
            }
            tokio::time::sleep(std::time::Duration::from_millis(20)).await;
        }
        anyhow::bail!("never {what}: {menu:#?}")
    }
}

/// What says `label`, at any depth.
#[must_use]
pub fn find<'a>(menu: &'a [MenuItem], label: &str) -> Option<&'a MenuItem> {
    menu.iter().find_map(|item| if item.label == label { Some(item) } else { find(&item.children, label) })
}

fn read(value: &Value<'_>) -> Result<MenuItem> {
    let Value::Structure(node) = value else { anyhow::bail!("no node: {value:?}") };
    let [Value::I32(id), Value::Dict(properties), Value::Array(children)] = node.fields() else {
        anyhow::bail!("another node: {value:?}")
    };
    let label: Option<String> = properties.get(&"label")?;
    let enabled: Option<bool> = properties.get(&"enabled")?;
    let inner = |child: &Value<'_>| if let Value::Value(child) = child { read(child) } else { read(child) };
    Ok(MenuItem {
        id: *id,
        label: label.unwrap_or_default().replace("__", "_"),
        enabled: enabled.unwrap_or(true),
        children: children.iter().map(inner).collect::<Result<_>>()?,
    })
}

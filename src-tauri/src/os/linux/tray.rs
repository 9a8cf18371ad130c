//! The icon in the panel: a StatusNotifierItem with its menu, over the session's bus.

use ksni::menu::{StandardItem, SubMenu};
use ksni::{Category, Handle, Icon, MenuItem, OfflineReason, ToolTip, TrayMethods};
use tauri::AppHandle;
use tokio::sync::mpsc;

use super::panel;
use crate::controller::{Choice, Entry, Event, Look};
use crate::raster::{Panel, SIZES, paint};
use crate::view::Theme;

/// What the panel may come to know.
#[derive(Debug)]
enum News {
    Look(Option<Look>),
    Scheme(Theme),
}

/// The icon; there may be no panel for it.
#[derive(Debug)]
pub(crate) struct Tray {
    news: mpsc::UnboundedSender<News>,
}

impl Tray {
    /// Has to be called in a runtime.
    pub(crate) fn new(_: &AppHandle, events: mpsc::Sender<Event>) -> Self {
        // Neither end grows: looks come once a second at most, and the others when somebody clicks or a panel starts.
        let (news, received) = mpsc::unbounded_channel();
        let (said, mut hear) = mpsc::unbounded_channel();
        tokio::spawn(follow_scheme(news.clone(), said.clone()));
        tokio::spawn(run(received, said));
        // The item may not wait while it calls back.
        tokio::spawn(async move {
            while let Some(event) = hear.recv().await {
                let _ = events.send(event).await;
            }
        });
        Self { news }
    }

    /// Shows this; `None`: nothing.
    pub(crate) fn show(&self, look: Option<Look>) {
        let _ = self.news.send(News::Look(look));
    }
}

async fn follow_scheme(news: mpsc::UnboundedSender<News>, said: mpsc::UnboundedSender<Event>) {
    let tell = |scheme| {
        let _ = news.send(News::Scheme(scheme));
        let _ = said.send(Event::Scheme(scheme));
    };
    let result = match zbus::Connection::session().await {
        Ok(connection) => panel::follow(&connection, tell).await,
        Err(error) => Err(error),
    };
    if let Err(error) = result {
        tracing::info!(%error, "nobody says whether it should be light or dark");
    }
}

async fn run(mut news: mpsc::UnboundedReceiver<News>, said: mpsc::UnboundedSender<Event>) {
    let mut item: Option<Handle<Item>> = None;
    let mut ground = panel::ground(Theme::System);
    while let Some(new) = news.recv().await {
        let look = match new {
            News::Scheme(scheme) => {
                ground = panel::ground(scheme);
                if let Some(item) = &item {
                    item.update(|item| item.panel = ground).await;
                }
                continue;
            }
            News::Look(look) => look,
        };
        match (look, &item) {
            (Some(look), Some(shown)) => drop(shown.update(|item| item.look = look).await),
            (Some(look), None) => item = show(Item { look, panel: ground, said: said.clone() }).await,
            (None, Some(shown)) => {
                shown.shutdown().await;
                item = None;
            }
            (None, None) => {}
        }
    }
}

/// Puts the item into the panel; where there is none yet, it waits for one.
async fn show(item: Item) -> Option<Handle<Item>> {
    let said = item.said.clone();
    // Told before anything else is: the item itself says when there is no panel after all.
    let _ = said.send(Event::TrayHost(true));
    // The name of its connection is enough; some sandboxes allow no other.
    match item.disable_dbus_name(true).assume_sni_available(true).spawn().await {
        Ok(handle) => Some(handle),
        Err(error) => {
            tracing::info!(%error, "no icon in the panel");
            let _ = said.send(Event::TrayHost(false));
            None
        }
    }
}

/// The item as the panel sees it.
struct Item {
    look: Look,
    panel: Panel,
    said: mpsc::UnboundedSender<Event>,
}

impl ksni::Tray for Item {
    fn id(&self) -> String {
        "net.everclat.Everclat".to_owned()
    }

    fn category(&self) -> Category {
        Category::SystemServices
    }

    /// Also what screen readers read.
    fn title(&self) -> String {
        format!("Everclat: {}", self.look.title)
    }

    fn icon_pixmap(&self) -> Vec<Icon> {
        SIZES.iter().map(|size| pixmap(&paint(self.look.icon, *size, self.panel), *size)).collect()
    }

    fn tool_tip(&self) -> ToolTip {
        ToolTip { title: "Everclat".to_owned(), description: self.look.title.clone(), ..ToolTip::default() }
    }

    fn menu(&self) -> Vec<MenuItem<Self>> {
        self.look.menu.iter().map(entry).collect()
    }

    fn activate(&mut self, _: i32, _: i32) {
        let _ = self.said.send(Event::Chosen(Choice::Open));
    }

    fn watcher_online(&self) {
        let _ = self.said.send(Event::TrayHost(true));
    }

    fn watcher_offline(&self, reason: OfflineReason) -> bool {
        tracing::info!(?reason, "no panel for the icon");
        let _ = self.said.send(Event::TrayHost(false));
        true
    }
}

/// RGBA as ARGB, which is what goes over the bus.
fn pixmap(pixels: &[u8], size: u32) -> Icon {
    let argb = |pixel: &[u8]| match pixel {
        [red, green, blue, alpha] => [*alpha, *red, *green, *blue],
        _ => [0; 4],
    };
    let side = i32::try_from(size).unwrap_or(0);
    Icon { width: side, height: side, data: pixels.chunks_exact(4).flat_map(argb).collect() }
}

fn entry(entry: &Entry) -> MenuItem<Item> {
    match entry {
        Entry::Separator => MenuItem::Separator,
        Entry::Item(text, choice) => {
            let choice = *choice;
            StandardItem {
                label: label(text),
                enabled: choice.is_some(),
                activate: Box::new(move |item: &mut Item| {
                    if let Some(choice) = choice {
                        let _ = item.said.send(Event::Chosen(choice));
                    }
                }),
                ..StandardItem::default()
            }
            .into()
        }
        Entry::More(text, entries) => {
            SubMenu { label: label(text), submenu: entries.iter().map(self::entry).collect(), ..SubMenu::default() }
                .into()
        }
    }
}

/// A single underscore would mark a key.
fn label(text: &str) -> String {
    text.replace('_', "__")
}

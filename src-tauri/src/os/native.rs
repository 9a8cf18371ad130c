//! macOS and Windows: the tray of Tauri, and starting at login as the system has it.

use std::path::Path;
use std::sync::{Arc, Mutex, PoisonError};

use anyhow::{Context, Result};
use auto_launch::{AutoLaunch, AutoLaunchBuilder};
use tauri::image::Image;
use tauri::menu::{Menu, MenuEvent, MenuItem, PredefinedMenuItem, Submenu};
use tauri::tray::{MouseButton, MouseButtonState, TrayIcon, TrayIconBuilder, TrayIconEvent};
use tauri::{AppHandle, Wry};
use tokio::sync::mpsc;

use super::OS;
use crate::controller::{Choice, Entry, Event, Look};
use crate::raster::{Panel, paint};
use crate::view::Os;

const TRAY: &str = "everclat";
/// Windows scales it down to what it needs; macOS shows 22 points of it.
const SIZE: u32 = 44;

/// There always is a display where somebody is logged in.
pub(crate) const fn check_display() -> Result<()> {
    Ok(())
}

/// Starting at login.
#[derive(Debug)]
pub(crate) struct Login(AutoLaunch);

impl Login {
    pub(crate) fn new() -> Result<Self> {
        let app = std::env::current_exe()?;
        let app = app.to_str().context("the program's path is no text")?;
        Ok(Self(AutoLaunchBuilder::new().set_app_name("Everclat").set_app_path(app).set_args(&["--hidden"]).build()?))
    }

    pub(crate) fn is_on(&self) -> bool {
        self.0.is_enabled().unwrap_or(false)
    }

    pub(crate) fn set(&self, on: bool, _: &Path) -> Result<()> {
        if on {
            self.0.enable()?;
        } else {
            self.0.disable()?;
        }
        Ok(())
    }
}

/// The icon in the notification area or the menu bar.
#[derive(Debug)]
pub(crate) struct Tray {
    app: AppHandle,
    events: mpsc::Sender<Event>,
    /// What each entry of the menu that is shown stands for.
    choices: Arc<Mutex<Vec<Choice>>>,
}

impl Tray {
    pub(crate) fn new(app: &AppHandle, events: mpsc::Sender<Event>) -> Self {
        let choices: Arc<Mutex<Vec<Choice>>> = Arc::default();
        let (chosen, tell) = (Arc::clone(&choices), events.clone());
        app.on_menu_event(move |_, event: MenuEvent| {
            let choices = chosen.lock().unwrap_or_else(PoisonError::into_inner);
            let choice = event.id().as_ref().parse().ok().and_then(|index: usize| choices.get(index).copied());
            if let Some(choice) = choice {
                // More clicks than fit are more than a hand can make.
                let _ = tell.try_send(Event::Chosen(choice));
            }
        });
        Self { app: app.clone(), events, choices }
    }

    /// Shows this; `None`: nothing.
    pub(crate) fn show(&self, look: Option<Look>) {
        let (app, events, choices) = (self.app.clone(), self.events.clone(), Arc::clone(&self.choices));
        let shown = self.app.run_on_main_thread(move || {
            let result = match look {
                Some(look) => show(&app, &events, &choices, &look).map(|()| true),
                None => Ok(app.remove_tray_by_id(TRAY).is_none()),
            };
            match result {
                Ok(there) => drop(events.try_send(Event::TrayHost(there))),
                Err(error) => {
                    tracing::warn!(%error, "no icon");
                    let _ = events.try_send(Event::TrayHost(false));
                }
            }
        });
        if let Err(error) = shown {
            tracing::debug!(%error, "the app is ending");
        }
    }
}

fn show(app: &AppHandle, events: &mpsc::Sender<Event>, choices: &Mutex<Vec<Choice>>, look: &Look) -> tauri::Result<()> {
    let mut now = Vec::new();
    let menu = Menu::new(app)?;
    for entry in &look.menu {
        match built(app, entry, &mut now)? {
            Built::Item(item) => menu.append(&item)?,
            Built::More(more) => menu.append(&more)?,
            Built::Separator(line) => menu.append(&line)?,
        }
    }
    *choices.lock().unwrap_or_else(PoisonError::into_inner) = now;
    let template = OS == Os::Macos;
    let panel = if template { Panel::Template } else { Panel::Unknown };
    let icon = Image::new_owned(paint(look.icon, SIZE, panel), SIZE, SIZE);
    let tip = format!("Everclat: {}", look.title);
    if let Some(tray) = app.tray_by_id(TRAY) {
        tray.set_menu(Some(menu))?;
        tray.set_icon_with_as_template(Some(icon), template)?;
        return tray.set_tooltip(Some(tip));
    }
    let events = events.clone();
    let builder = TrayIconBuilder::with_id(TRAY).icon(icon).icon_as_template(template).tooltip(tip).menu(&menu);
    // On Windows, the left button opens the window and the right one the menu, as everywhere there.
    let builder = builder.show_menu_on_left_click(template).on_tray_icon_event(move |_: &TrayIcon<Wry>, event| {
        let left =
            matches!(event, TrayIconEvent::Click { button: MouseButton::Left, button_state: MouseButtonState::Up, .. });
        if left && !template {
            let _ = events.try_send(Event::Chosen(Choice::Open));
        }
    });
    builder.build(app).map(drop)
}

enum Built {
    Item(MenuItem<Wry>),
    More(Submenu<Wry>),
    Separator(PredefinedMenuItem<Wry>),
}

/// An entry with the number of its choice as its name.
fn built(app: &AppHandle, entry: &Entry, choices: &mut Vec<Choice>) -> tauri::Result<Built> {
    match entry {
        Entry::Separator => PredefinedMenuItem::separator(app).map(Built::Separator),
        Entry::Item(text, choice) => {
            let name = choices.len().to_string();
            choices.extend(*choice);
            let name = if choice.is_some() { name } else { format!("text-{name}") };
            MenuItem::with_id(app, name, text.replace('&', "&&"), choice.is_some(), None::<&str>).map(Built::Item)
        }
        Entry::More(text, entries) => {
            let more = Submenu::new(app, text.replace('&', "&&"), true)?;
            for entry in entries {
                match built(app, entry, choices)? {
                    Built::Item(item) => more.append(&item)?,
                    Built::More(inner) => more.append(&inner)?,
                    Built::Separator(line) => more.append(&line)?,
                }
            }
            Ok(Built::More(more))
        }
    }
}

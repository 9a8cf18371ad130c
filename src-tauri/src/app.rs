//! The app around the conductor: window, icon, notifications, and one instance of it all.

use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use anyhow::{Context, Result};
use clap::Parser;
use jiff::tz::TimeZone;
use tauri::{AppHandle, Emitter, Manager, RunEvent, WebviewUrl, WebviewWindowBuilder, WindowEvent};
use tokio::sync::mpsc;

use crate::conductor::{Conductor, Hands, Remote, remote};
use crate::controller::{Event, Facts, Look, Notice};
use crate::link::Link;
use crate::os::{self, Login, Tray};
use crate::store::Store;
use crate::view::{ActionName, Failed, FailedKind, Prefs, Theme, View};
use crate::{log, page};

/// The only window, and the name that `capabilities/main.json` knows it by.
const WINDOW: &str = "main";
/// What the page listens to.
const VIEW: &str = "view";
const SIZE: (f64, f64) = (480.0, 640.0);
const LEAST: (f64, f64) = (320.0, 320.0);

/// Shows in tray and window whether IPv4 works on this computer
#[derive(Debug, Parser)]
#[command(name = "everclat-tray", version)]
pub struct Arguments {
    /// Start with the icon only, as at login
    #[arg(long)]
    hidden: bool,

    /// Where the service listens
    #[arg(long, value_name = "PATH", env = "EVERCLAT_SOCKET", default_value = ipc::default_endpoint())]
    socket: PathBuf,
}

/// Runs the app to its end.
///
/// # Errors
/// When there is no display, or the system's parts of a window are missing.
pub fn run(arguments: Arguments) -> Result<()> {
    os::check_display()?;
    log::start(os::log_directory().as_deref());
    tracing::info!(version = env!("CARGO_PKG_VERSION"), "started");
    let (remote, ends) = remote();
    let has_icon = Arc::new(AtomicBool::new(false));
    let kept = Arc::clone(&has_icon);
    let store = Store::new(&os::config_directory().context("no directory for preferences")?);
    let prefs = store.load();
    let app = tauri::Builder::default()
        // A second start raises the window of the first and ends.
        .plugin(tauri_plugin_single_instance::init(|app, _, _| raise(app)))
        .invoke_handler(tauri::generate_handler![
            page::view,
            page::rearm,
            page::pause,
            page::resume,
            page::set_pref,
            page::watching
        ])
        .manage(remote.clone())
        .setup(move |app| {
            let handle = app.handle().clone();
            if prefs.theme != Theme::System {
                // For the app: what a window is built with does not count on Linux.
                app.set_theme(worn(prefs.theme));
            }
            tauri::async_runtime::spawn(async move {
                let tray = Tray::new(&handle, remote.events());
                let desktop = Desktop { app: handle, tray, store, events: remote.events(), has_icon };
                desktop.tell_autostart();
                let link = Link::new(arguments.socket, remote.events());
                Conductor::new(facts(), prefs, link, desktop, ends).run().await;
            });
            if !arguments.hidden {
                open_window(app.handle());
            }
            Ok(())
        })
        .build(tauri::generate_context!())
        .context("the window system")?;
    app.run(move |app, event| react(app, &event, &kept));
    Ok(())
}

fn facts() -> Facts {
    Facts {
        version: env!("CARGO_PKG_VERSION").to_owned(),
        os: os::OS,
        language_os: sys_locale::get_locale().unwrap_or_else(|| "en".to_owned()),
        start_hint: os::START_HINT.to_owned(),
        zone: TimeZone::system(),
    }
}

fn react(app: &AppHandle, event: &RunEvent, has_icon: &AtomicBool) {
    // The last window is closed: the icon stays. Without one, the app would be there and nobody could see it.
    if let RunEvent::ExitRequested { code: None, api, .. } = event
        && has_icon.load(Ordering::Relaxed)
    {
        api.prevent_exit();
    }
    if let RunEvent::WindowEvent { event: WindowEvent::Destroyed, .. } = event {
        tell(app, Event::Window(false));
    }
}

/// From the thread that owns the windows, which may not wait.
fn tell(app: &AppHandle, event: Event) {
    let remote = app.state::<Remote>().inner().clone();
    tauri::async_runtime::spawn(async move { remote.tell(event).await });
}

/// Opens the window, or raises it, from any thread.
fn raise(app: &AppHandle) {
    let there = app.clone();
    if let Err(error) = app.run_on_main_thread(move || open_window(&there)) {
        tracing::debug!(%error, "the app is ending");
    }
}

/// Opens the window, or raises it. What goes wrong is logged: an icon, and notifications, are of use without a window.
fn open_window(app: &AppHandle) {
    let opened = match app.get_webview_window(WINDOW) {
        Some(window) => window.unminimize().and_then(|()| window.show()).and_then(|()| window.set_focus()),
        None => build_window(app).map(|()| tell(app, Event::Window(true))),
    };
    if let Err(error) = opened {
        tracing::error!(%error, "the window cannot be opened");
    }
}

fn build_window(app: &AppHandle) -> tauri::Result<()> {
    WebviewWindowBuilder::new(app, WINDOW, WebviewUrl::default())
        .title("Everclat")
        .inner_size(SIZE.0, SIZE.1)
        .min_inner_size(LEAST.0, LEAST.1)
        // Our own page, and nothing else, ever.
        .on_navigation(|url| url.scheme() == "tauri" || url.host_str() == Some("tauri.localhost"))
        .build()
        .map(drop)
}

const fn worn(theme: Theme) -> Option<tauri::Theme> {
    match theme {
        Theme::System => None,
        Theme::Light => Some(tauri::Theme::Light),
        Theme::Dark => Some(tauri::Theme::Dark),
    }
}

/// The desktop, as the conductor's hands.
struct Desktop {
    app: AppHandle,
    tray: Tray,
    store: Store,
    events: mpsc::Sender<Event>,
    has_icon: Arc<AtomicBool>,
}

impl Desktop {
    fn tell_autostart(&self) {
        let events = self.events.clone();
        tauri::async_runtime::spawn_blocking(move || {
            let on = Login::new().is_ok_and(|login| login.is_on());
            let _ = events.blocking_send(Event::Autostart(on));
        });
    }
}

impl Hands for Desktop {
    fn page(&mut self, view: View) {
        if let Err(error) = self.app.emit_to(WINDOW, VIEW, view) {
            tracing::debug!(%error, "the page was not told");
        }
    }

    fn tray(&mut self, look: Option<Look>) {
        self.tray.show(look);
    }

    fn notify(&mut self, notice: Notice) {
        // Whoever shows notifications may hang; that is nobody's business here.
        tauri::async_runtime::spawn_blocking(move || {
            if let Err(error) = os::notify(&notice.title, &notice.body) {
                tracing::info!(%error, "no notification");
            }
        });
    }

    fn open_window(&mut self) {
        raise(&self.app);
    }

    fn save(&mut self, prefs: &Prefs) {
        if let Err(error) = self.store.save(prefs) {
            tracing::warn!(%error, "preferences cannot be kept");
        }
    }

    fn dress(&mut self, theme: Theme) {
        self.app.set_theme(worn(theme));
    }

    fn set_autostart(&mut self, on: bool) {
        let events = self.events.clone();
        tauri::async_runtime::spawn_blocking(move || {
            let set = || -> Result<()> { Login::new()?.set(on, &std::env::current_exe()?) };
            let result = set();
            let _ = events.blocking_send(Event::Autostart(Login::new().is_ok_and(|login| login.is_on())));
            let failed = |error: anyhow::Error| Failed {
                action: ActionName::Settings,
                kind: FailedKind::Refused,
                message: format!("{error:#}"),
            };
            let _ = events.blocking_send(Event::Ended(result.map_err(failed)));
        });
    }

    fn has_icon(&mut self, there: bool) {
        self.has_icon.store(there, Ordering::Relaxed);
    }

    fn quit(&mut self) {
        self.app.exit(0);
    }
}

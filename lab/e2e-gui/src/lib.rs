//! A desktop of the tests' own: a display without a screen, a session bus with a panel on it, and a home directory. Nothing of the person who
//! runs the tests is touched.

#![forbid(unsafe_code)]

mod app;
mod desktop;
mod panel;
mod portal;
mod screen;
mod scripted;
mod usage;
mod web;

pub use app::App;
pub use desktop::{Desktop, TOOLS};
pub use panel::{MenuItem, Panel, TrayItem, find};
pub use portal::{Portal, Scheme};
pub use screen::Screen;
pub use scripted::Scripted;
pub use usage::{Usage, usage_of};
pub use web::Page;

/// Says loudly that a test needs what is not here, and whether that is so.
#[must_use]
pub fn skipped() -> bool {
    let missing = desktop::missing();
    if missing.is_empty() {
        return false;
    }
    println!("SKIPPED: a desktop needs {}; cargo xtask setup installs them", missing.join(", "));
    true
}

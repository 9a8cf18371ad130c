//! Closing the window: with an icon in the panel the app stays behind it, without one it ends.

use std::path::PathBuf;
use std::time::Duration;

use anyhow::{Context, Result, ensure};
use e2e::{PATIENCE, figure, until};
use everclat_e2e_gui::{App, Desktop, Panel, Screen, Scripted, skipped, usage_of};
use model::{Code, State};

const TITLE: &str = "Everclat";
/// Windows that were opened and closed may leave so many bytes behind.
const GROWTH: u64 = 16 << 20;

/// How often a page has asked what to show.
fn pages(desktop: &Desktop) -> usize {
    desktop.log().matches("the page is up").count()
}

fn is_open(screen: &Screen) -> Result<bool> {
    Ok(!screen.windows(TITLE)?.is_empty())
}

/// Closes the window as a person does, and waits until it is gone.
fn close(screen: &Screen) -> Result<()> {
    until(PATIENCE, || is_open(screen)).context("a window to close")?;
    let window = screen.windows(TITLE)?.pop().context("a window")?;
    screen.close(window)?;
    until(PATIENCE, || Ok(!is_open(screen)?)).context("the window goes")?;
    Ok(())
}

fn nowhere(desktop: &Desktop) -> PathBuf {
    desktop.home().join("no-service")
}

#[tokio::test(flavor = "multi_thread")]
async fn with_an_icon_the_app_stays_and_opens_its_window_again() -> Result<()> {
    if skipped() {
        return Ok(());
    }
    let desktop = Desktop::start()?;
    let screen = Screen::of(&desktop)?;
    let service = Scripted::start(desktop.home(), State::Working, Code::Working).await?;
    let panel = Panel::start(&desktop).await?;
    let mut app = App::start(&desktop, service.socket(), &[])?;
    let item = panel.item().await?;
    item.menu_becomes("well", |menu| menu[0].label == "IPv4 apps work (translated)").await?;
    let mut closed = Vec::new();
    for turn in 1..=3 {
        until(PATIENCE, || Ok(pages(&desktop) == turn)).with_context(|| format!("page {turn}"))?;
        until(PATIENCE, || Ok(usage_of(app.pid())?.processes > 2)).context("WebKit's processes")?;
        close(&screen)?;
        // WebKit's own processes end with the window; what is left is the app behind its icon.
        // The page's process ends with the window. WebKit keeps the one for networks, for the next window.
        until(PATIENCE, || Ok(usage_of(app.pid())?.processes <= 2)).context("the page's process ends")?;
        let usage = usage_of(app.pid())?;
        figure("window closed", &format!("{} MB in {} processes", usage.memory >> 20, usage.processes));
        closed.push(usage.memory);
        ensure!(app.is_running()?);
        // The icon tells on.
        service.say(State::StandbyNative, Code::NativeIpv4);
        item.menu_becomes("standing by", |menu| menu[0].label == "Standing by: this network has IPv4").await?;
        service.say(State::Working, Code::Working);
        item.menu_becomes("well", |menu| menu[0].label == "IPv4 apps work (translated)").await?;
        if turn == 2 {
            item.activate().await?;
        } else {
            item.choose("Open Everclat").await?;
        }
        until(PATIENCE, || is_open(&screen)).with_context(|| format!("window {turn} again"))?;
    }
    until(PATIENCE, || Ok(pages(&desktop) == 4)).context("the last page")?;
    let usage = usage_of(app.pid())?;
    figure("window opened for the fourth time", &format!("{} MB in {} processes", usage.memory >> 20, usage.processes));
    let (first, last) = (closed[0], closed[closed.len() - 1]);
    ensure!(last < first + GROWTH, "{closed:?}");
    // Raised, not opened twice.
    item.choose("Open Everclat").await?;
    tokio::time::sleep(Duration::from_millis(500)).await;
    ensure!(screen.windows(TITLE)?.len() == 1 && pages(&desktop) == 4);
    item.choose("Close this icon (translation continues)").await?;
    ensure!(app.ended(PATIENCE)?.success());
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn without_an_icon_the_app_ends_with_its_window() -> Result<()> {
    if skipped() {
        return Ok(());
    }
    let desktop = Desktop::start()?;
    let screen = Screen::of(&desktop)?;
    let mut app = App::start(&desktop, &nowhere(&desktop), &[])?;
    until(PATIENCE, || Ok(pages(&desktop) == 1))?;
    close(&screen)?;
    ensure!(app.ended(PATIENCE)?.success());
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn when_the_panel_has_gone_the_app_ends_with_its_window() -> Result<()> {
    if skipped() {
        return Ok(());
    }
    let desktop = Desktop::start()?;
    let screen = Screen::of(&desktop)?;
    let panel = Panel::start(&desktop).await?;
    let mut app = App::start(&desktop, &nowhere(&desktop), &[])?;
    panel.item().await?;
    until(PATIENCE, || Ok(pages(&desktop) == 1))?;
    drop(panel);
    until(PATIENCE, || Ok(desktop.log().contains("no panel for the icon")))?;
    close(&screen)?;
    ensure!(app.ended(PATIENCE)?.success());
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn an_icon_that_is_not_wanted_keeps_no_app_alive() -> Result<()> {
    if skipped() {
        return Ok(());
    }
    let desktop = Desktop::start()?;
    let preferences = desktop.preferences();
    std::fs::create_dir_all(preferences.parent().context("a directory")?)?;
    std::fs::write(&preferences, r#"{"show_tray": false}"#)?;
    let screen = Screen::of(&desktop)?;
    let _panel = Panel::start(&desktop).await?;
    let mut app = App::start(&desktop, &nowhere(&desktop), &[])?;
    until(PATIENCE, || Ok(pages(&desktop) == 1))?;
    close(&screen)?;
    ensure!(app.ended(PATIENCE)?.success());
    Ok(())
}

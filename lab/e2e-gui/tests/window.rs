//! The real window over the real service: what it shows follows the network, and its buttons do what they say.

#![expect(clippy::unwrap_used, reason = "a test may panic")]

use std::sync::{Arc, Mutex};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use anyhow::{Context, Result, ensure};
use e2e::{World, figure, until};
use everclat_e2e_gui::{Desktop, Page, skipped};
use ipc::Client;
use model::State;

/// The page may lag so much behind the service.
const LAG: Duration = Duration::from_millis(200);

/// Notes in the page when its text changed, by the clock that the test has, too.
const OBSERVE: &str = "window.seen = [[Date.now(), document.body.innerText]]; \
    new MutationObserver(() => window.seen.push([Date.now(), document.body.innerText])) \
        .observe(document.body, {subtree: true, childList: true, characterData: true, attributes: true});";

fn unix_ms() -> u128 {
    SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_millis()
}

#[tokio::test(flavor = "multi_thread")]
async fn the_headline_follows_the_network_and_the_button_arms_anew() -> Result<()> {
    if skipped() {
        return Ok(());
    }
    let world = World::new("gui-window", |config| config.uplinks.truncate(1))?;
    let daemon = world.start()?;
    daemon.ready()?;
    ensure!(world.udp()?.received == 10, "evidence");
    let mut desktop = Desktop::start()?;
    let page = Page::start(&mut desktop, daemon.socket()).await?;
    let works = page.says("works", |text| text.contains("IPv4 apps work")).await?;
    ensure!(!works.contains("cannot"), "{works}");

    // Beside it, another client of the service that notes when it was told.
    let told: Arc<Mutex<Vec<(u128, State)>>> = Arc::default();
    let (note, socket) = (Arc::clone(&told), daemon.socket().to_owned());
    let listener = tokio::spawn(async move {
        let mut client = Client::connect(&socket, "test").await?;
        client.watch().await?;
        while let Ok(status) = client.next().await {
            note.lock().unwrap().push((unix_ms(), status.state));
        }
        Ok::<(), ipc::ClientError>(())
    });
    until(e2e::PATIENCE, || Ok(!told.lock().unwrap().is_empty()))?;
    page.script(OBSERVE).await?;
    world.lab.cut("eth0")?;
    page.says("no network", |text| text.contains("No network")).await?;
    let seen = page.script("return window.seen.find(([, text]) => text.includes('No network'))[0]").await?;
    let seen = u128::from(seen.as_u64().context("a time")?);
    let cut = told.lock().unwrap().iter().find(|(_, state)| *state == State::NoNetwork).context("told")?.0;
    let lag = seen.saturating_sub(cut);
    figure("status change in the window", &format!("{lag} ms"));
    ensure!(lag <= LAG.as_millis(), "{lag} ms after the service said so");
    world.lab.restore("eth0")?;
    page.says("again", |text| text.contains("IPv4 apps work") || text.contains("Ready")).await?;
    listener.abort();

    let before = daemon.status()?.rearms.count;
    page.press("Re-arm").await?;
    daemon.reaches("armed anew", |status| status.rearms.count > before && status.is_ready())?;
    page.close().await?;
    ensure!(daemon.status()?.is_ready(), "without the app, translation goes on");
    daemon.stop()
}

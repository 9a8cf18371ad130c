//! The real window over the real service: what it shows follows the network, and its buttons do what they say.

#![expect(clippy::unwrap_used, reason = "a test may panic")]

use std::collections::BTreeSet;
use std::io::ErrorKind;
use std::net::{Ipv4Addr, TcpListener};
use std::sync::{Arc, Mutex};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use anyhow::{Context, Result, ensure};
use e2e::{World, figure, until};
use everclat_e2e_gui::{Desktop, Page, skipped};
use ipc::Client;
use model::State;
use serde_json::Value;

/// The page may lag so much behind the service.
const LAG: Duration = Duration::from_millis(200);

/// Notes in the page when its text changed, by the clock that the test has, too.
const OBSERVE: &str = "window.watch?.disconnect(); window.seen = [[Date.now(), document.body.innerText]]; \
    window.watch = new MutationObserver(() => window.seen.push([Date.now(), document.body.innerText])); \
    window.watch.observe(document.body, {subtree: true, childList: true, characterData: true, attributes: true});";

fn unix_ms() -> u128 {
    SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_millis()
}

/// Tries to reach `address` in every way a page has; says which rules forbade it.
const REACH: &str = "const [address, done] = arguments; const forbidden = []; \
    document.addEventListener('securitypolicyviolation', (event) => forbidden.push(event.effectiveDirective)); \
    fetch(address).catch(() => 0); \
    try { new WebSocket(address.replace('http', 'ws')); } catch { } \
    new Image().src = address; \
    for (const [name, key] of [['script', 'src'], ['iframe', 'src'], ['link', 'href']]) { \
        const element = document.createElement(name); element[key] = address; element.rel = 'stylesheet'; \
        document.head.append(element); } \
    const form = document.createElement('form'); form.action = address; document.body.append(form); form.submit(); \
    setTimeout(() => done(forbidden), 500);";

#[tokio::test(flavor = "multi_thread")]
async fn the_real_page_reaches_no_network() -> Result<()> {
    if skipped() {
        return Ok(());
    }
    let mut desktop = Desktop::start()?;
    let nowhere = desktop.home().join("no-service");
    let page = Page::start(&mut desktop, &nowhere).await?;
    page.says("alone", |text| text.contains("Background service is not running")).await?;
    let server = TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?;
    server.set_nonblocking(true)?;
    let address = format!("http://{}/", server.local_addr()?);
    let forbidden = page.script_async(REACH, vec![address.clone().into()]).await?;
    let forbidden: BTreeSet<&str> = forbidden.as_array().context("a list")?.iter().filter_map(Value::as_str).collect();
    let rules = ["connect-src", "form-action", "frame-src", "img-src", "script-src-elem", "style-src-elem"];
    ensure!(rules.iter().all(|rule| forbidden.contains(rule)), "{forbidden:?}");
    // Nor does it go there itself.
    page.script(&format!("location.href = '{address}'")).await?;
    tokio::time::sleep(Duration::from_millis(500)).await;
    page.says("still itself", |text| text.contains("Background service is not running")).await?;
    let reached = server.accept().map(|(_, from)| from);
    ensure!(reached.as_ref().is_err_and(|error| error.kind() == ErrorKind::WouldBlock), "{reached:?}");
    page.close().await
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
    let mut lags = Vec::new();
    for _ in 0..3 {
        told.lock().unwrap().clear();
        page.script(OBSERVE).await?;
        world.lab.cut("eth0")?;
        page.says("no network", |text| text.contains("No network")).await?;
        let seen = page.script("return window.seen.find(([, text]) => text.includes('No network'))[0]").await?;
        let seen = u128::from(seen.as_u64().context("a time")?);
        let cut = told.lock().unwrap().iter().find(|(_, state)| *state == State::NoNetwork).context("told")?.0;
        lags.push(seen.saturating_sub(cut));
        world.lab.restore("eth0")?;
        page.says("again", |text| text.contains("IPv4 apps work") || text.contains("Ready")).await?;
    }
    figure("status change in the window", &format!("{lags:?} ms"));
    // What else the machine does makes it longer, never shorter.
    let lag = lags.into_iter().min().context("a cut")?;
    ensure!(lag <= LAG.as_millis(), "{lag} ms after the service said so");
    listener.abort();

    let before = daemon.status()?.rearms.count;
    page.press("Re-arm").await?;
    daemon.reaches("armed anew", |status| status.rearms.count > before && status.is_ready())?;
    page.close().await?;
    ensure!(daemon.status()?.is_ready(), "without the app, translation goes on");
    daemon.stop()
}

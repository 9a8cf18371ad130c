//! Numbers that change leave nothing of the old ones behind.

use std::time::Duration;

use anyhow::{Context, Result, ensure};
use everclat_e2e_gui::{Desktop, Page, Screen, Scripted, skipped};
use model::{Code, State};

/// Where the received rate begins, and how high it is.
const PLACE: &str = "document.querySelector('.figure.in').scrollIntoView({block: 'center'}); \
    const {left, top, height} = document.querySelector('.figure.in .rate').getBoundingClientRect(); \
    return [Math.floor(left), Math.floor(top), Math.ceil(height)]";
const RATE: &str = "return document.querySelector('.figure.in .rate').textContent";
/// Has everything painted again.
const REPAINT: &str = "const [done] = arguments; const {style} = document.body; \
    const next = (then) => requestAnimationFrame(() => setTimeout(then, 150)); \
    style.visibility = 'hidden'; next(() => { style.visibility = ''; next(done); });";
/// The point of a 4 is left of where it begins, that of a 1 is not.
const RATES: [u64; 2] = [444_000, 111_000];

/// A number of pixels of the window.
fn length<Number: TryFrom<i64>>(place: &serde_json::Value, index: usize) -> Result<Number> {
    let length = place[index].as_i64().and_then(|length| Number::try_from(length).ok());
    length.with_context(|| format!("a place: {place}"))
}

#[tokio::test(flavor = "multi_thread")]
async fn nothing_is_left_beside_a_number() -> Result<()> {
    if skipped() {
        return Ok(());
    }
    let mut desktop = Desktop::start()?;
    let service = Scripted::start(desktop.home(), State::Working, Code::Working).await?;
    service.count(1);
    let page = Page::start(&mut desktop, service.socket()).await?;
    page.says("traffic", |text| text.contains("IPv4 traffic")).await?;
    let screen = Screen::of(&desktop)?;
    let window = screen.windows("Everclat")?.pop().context("a window")?;
    let place = page.script(PLACE).await?;
    let (left, top, high): (i16, i16, u16) = (length(&place, 0)?, length(&place, 1)?, length(&place, 2)?);
    let part = (left - 4, top - 2, 40, high + 4);
    let mut compared = 0;
    for turn in 0..16 {
        service.count(RATES[(turn / 2) % RATES.len()]);
        tokio::time::sleep(Duration::from_secs(1)).await;
        let rate = page.script(RATE).await?;
        let shown = screen.pixels(window, part)?;
        page.script_async(REPAINT, Vec::new()).await?;
        let anew = screen.pixels(window, part)?;
        if page.script(RATE).await? != rate {
            // It changed meanwhile; the next one will do.
            continue;
        }
        compared += 1;
        let left_behind = shown.iter().zip(&anew).filter(|(shown, anew)| shown != anew).count();
        println!("{rate}: {left_behind} pixels of others");
        ensure!(left_behind == 0, "{left_behind} pixels of older numbers beside {rate}");
    }
    ensure!(compared > 5, "only {compared} numbers stood still");
    page.close().await
}

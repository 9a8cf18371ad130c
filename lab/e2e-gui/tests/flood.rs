//! Ten thousand changes of the status, through the real service's codec, the real app and the real web view.

use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};
use e2e::{PATIENCE, figure, until};
use everclat_e2e_gui::{App, Desktop, Page, Scripted, skipped, usage_of};
use model::{Code, State};

/// What has to be borne in a minute, in much less.
const CHANGES: u32 = 10_000;
/// The last change is in the window after so long.
const LATE: Duration = Duration::from_millis(500);
/// The page answers a person within so long, also meanwhile.
const PAUSE: u64 = 400;
/// A flood may leave so many bytes behind, once another has been before.
const GROWTH: u64 = 24 << 20;

/// Notes the longest time in which the page could do nothing else.
const OBSERVE: &str = "window.longest = 0; let last = performance.now(); clearInterval(window.ticking); \
    window.ticking = setInterval(() => { \
        const now = performance.now(); window.longest = Math.max(window.longest, now - last); last = now; }, 10);";

/// Sends all changes in about `time`, and then one that none of them was. Says how late the window was with it.
async fn pour(service: &Scripted, page: &Page, time: Duration, end: (State, Code, &str)) -> Result<Duration> {
    page.script(OBSERVE).await?;
    let begin = Instant::now();
    for turn in 0..CHANGES {
        let (state, code) = match turn % 4 {
            0 => (State::Down, Code::PlatSilent),
            1 => (State::Working, Code::Working),
            2 => (State::Checking, Code::NoPref64),
            _ => (State::NoNetwork, Code::NoLink),
        };
        service.say(state, code);
        let due = time * turn / CHANGES;
        if let Some(wait) = due.checked_sub(begin.elapsed()) {
            tokio::time::sleep(wait).await;
        }
    }
    let (state, code, headline) = end;
    let last = Instant::now();
    service.say(state, code);
    page.says(headline, |text| text.contains(headline)).await?;
    Ok(last.elapsed())
}

/// The longest time in which the page did nothing else, in milliseconds.
async fn longest(page: &Page) -> Result<u64> {
    let longest = page.script("return Math.ceil(window.longest)").await?;
    longest.as_u64().context("a time")
}

/// The app, which WebKit's driver has started.
fn app_of(desktop: &Desktop) -> Result<u32> {
    let home = desktop.home().to_string_lossy().into_owned();
    let program = App::program();
    for entry in std::fs::read_dir("/proc")? {
        let Ok(pid) = entry?.file_name().to_string_lossy().parse::<u32>() else { continue };
        let line = std::fs::read(format!("/proc/{pid}/cmdline")).unwrap_or_default();
        let line = String::from_utf8_lossy(&line).into_owned();
        // Its socket is in a directory that no other test has.
        if line.starts_with(&*program.to_string_lossy()) && line.contains(&home) {
            return Ok(pid);
        }
    }
    anyhow::bail!("the app does not run")
}

#[tokio::test(flavor = "multi_thread")]
async fn ten_thousand_changes_neither_queue_up_nor_freeze_the_window_nor_stay_in_memory() -> Result<()> {
    if skipped() {
        return Ok(());
    }
    let mut desktop = Desktop::start()?;
    let service = Scripted::start(desktop.home(), State::Working, Code::Working).await?;
    let page = Page::start(&mut desktop, service.socket()).await?;
    page.says("works", |text| text.contains("IPv4 apps work")).await?;
    let pid = app_of(&desktop)?;

    let ends = [
        (State::StandbyNative, Code::NativeIpv4, "Nothing to do here"),
        (State::Limited, Code::MtuBlackHole, "IPv4 apps may be slow or fail"),
        (State::StandbyOs, Code::OsTranslates, "Your system does this itself"),
    ];
    // In a rush; then over ten seconds, in which the page is given ever new views; then the same again.
    let mut memory = Vec::new();
    for (seconds, end) in [1, 10, 10].into_iter().zip(ends) {
        let late = pour(&service, &page, Duration::from_secs(seconds), end).await?;
        let pause = longest(&page).await?;
        // What is no longer needed goes a little later.
        tokio::time::sleep(Duration::from_secs(3)).await;
        let usage = usage_of(pid)?;
        memory.push(usage.memory);
        figure(
            &format!("{CHANGES} changes in {seconds} s, real window"),
            &format!(
                "the last after {} ms, longest pause {pause} ms, then {} MB in {} processes",
                late.as_millis(),
                usage.memory >> 20,
                usage.processes
            ),
        );
        ensure!(late <= LATE, "the last change after {late:?}");
        ensure!(pause <= PAUSE, "the page stood still for {pause} ms");
    }
    let [.., before, after] = memory[..] else { anyhow::bail!("{memory:?}") };
    ensure!(after < before + GROWTH, "memory grows: {memory:?}");

    // And it does what it is asked, as ever.
    page.press("Re-arm").await?;
    until(PATIENCE, || Ok(service.asked() == 1)).context("the service is asked to arm anew")?;
    page.close().await
}

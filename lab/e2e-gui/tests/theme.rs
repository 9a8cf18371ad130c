//! Light and dark: what a person chooses for the desktop is what icon and page wear.

use anyhow::{Context, Result, ensure};
use everclat_e2e_gui::{Desktop, Page, Panel, Portal, Scheme, Scripted, TrayItem, skipped};
use model::{Code, State};

/// What an icon is painted in: the brightest and the darkest of its opaque pixels.
fn tones(pixels: &[u8]) -> (u8, u8) {
    let opaque = pixels.chunks_exact(4).filter(|pixel| pixel[0] > 200);
    let greens: Vec<u8> = opaque.map(|pixel| pixel[2]).collect();
    (greens.iter().copied().max().unwrap_or(0), greens.iter().copied().min().unwrap_or(255))
}

/// Waits until the icon, at every size, is painted as `fits` says of its tones.
async fn becomes(item: &TrayItem, what: &str, fits: impl Fn(u8, u8) -> bool) -> Result<()> {
    let mut seen = Vec::new();
    for _ in 0..500 {
        let pixmaps = item.pixmaps().await?;
        ensure!(pixmaps.len() > 2, "sizes");
        seen = pixmaps.iter().map(|(_, _, pixels)| tones(pixels)).collect();
        if seen.iter().all(|(bright, dark)| fits(*bright, *dark)) {
            return Ok(());
        }
        tokio::time::sleep(std::time::Duration::from_millis(20)).await;
    }
    anyhow::bail!("never {what}: {seen:?}")
}

/// Waits until the page wears `theme`.
async fn wears(page: &Page, theme: &str) -> Result<()> {
    let mut seen = serde_json::Value::Null;
    for _ in 0..500 {
        seen = page
            .script(
                "return [document.documentElement.dataset.theme, matchMedia('(prefers-color-scheme: dark)').matches]",
            )
            .await?;
        if seen[0] == theme && seen[1] == (theme == "dark") {
            return Ok(());
        }
        tokio::time::sleep(std::time::Duration::from_millis(20)).await;
    }
    anyhow::bail!("never {theme}: {seen}")
}

#[tokio::test(flavor = "multi_thread")]
async fn icon_and_page_follow_the_desktop() -> Result<()> {
    if skipped() {
        return Ok(());
    }
    let mut desktop = Desktop::start()?;
    let service = Scripted::start(desktop.home(), State::Working, Code::Working).await?;
    let portal = Portal::start(&desktop, Scheme::Dark).await?;
    let panel = Panel::start(&desktop).await?;
    let page = Page::start(&mut desktop, service.socket()).await?;
    let item = panel.item().await?;
    item.menu_becomes("well", |menu| menu[0].label == "IPv4 apps work (translated)").await?;
    // White on a dark panel, black on a light one; both on a tile of its own where nobody says.
    becomes(&item, "light on dark", |_, dark| dark > 200).await?;
    wears(&page, "dark").await.context("as it opens")?;
    portal.choose(Scheme::Light).await?;
    becomes(&item, "dark on light", |bright, _| bright < 60).await?;
    wears(&page, "light").await.context("after a change")?;
    portal.choose(Scheme::Dark).await?;
    becomes(&item, "light on dark again", |_, dark| dark > 200).await?;
    wears(&page, "dark").await.context("after another")?;
    portal.choose(Scheme::None).await?;
    becomes(&item, "on a tile", |bright, dark| bright > 200 && dark < 60).await?;
    wears(&page, "light").await.context("where nobody says")?;
    page.close().await
}

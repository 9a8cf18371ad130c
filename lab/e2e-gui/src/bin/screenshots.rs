//! The pictures in the README: the real app over a real service in the lab, on a display without a screen.

#![forbid(unsafe_code)]

use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use anyhow::{Context, Result, ensure};
use e2e::{Daemon, PATIENCE, World, until};
use everclat_e2e_gui::{App, Desktop};

/// So long, the chart gathers traffic.
const GATHER: Duration = Duration::from_secs(45);

fn main() -> Result<()> {
    let to = PathBuf::from(std::env::args_os().nth(1).context("name a directory for the pictures")?);
    let world = World::new("pictures", |config| config.uplinks.truncate(1))?;
    let daemon = world.start()?;
    daemon.ready()?;
    for theme in ["light", "dark"] {
        window(&world, &daemon, theme, &to.join(format!("window-{theme}.png")))?;
    }
    tray(&daemon, &to.join("tray.png"))?;
    daemon.stop()
}

fn desktop(theme: &str) -> Result<Desktop> {
    let mut desktop = Desktop::start()?;
    let preferences = desktop.preferences();
    std::fs::create_dir_all(preferences.parent().context("a directory")?)?;
    std::fs::write(&preferences, format!("{{\"theme\": \"{theme}\", \"language\": \"en\"}}"))?;
    let mut manager = desktop.command("openbox");
    desktop.keep(&mut manager)?;
    Ok(desktop)
}

fn window(world: &World, daemon: &Daemon, theme: &str, to: &Path) -> Result<()> {
    let desktop = desktop(theme)?;
    let _app = App::start(&desktop, daemon.socket(), &[])?;
    until(PATIENCE, || Ok(desktop.log().contains("the page is up")))?;
    let begin = std::time::Instant::now();
    let mut turn = 0_u32;
    while begin.elapsed() < GATHER {
        // A little more, a little less, as people's traffic is.
        turn += 1;
        world.tcp(20_000 + 60_000 * usize::try_from(turn * 7 % 5)?)?;
        std::thread::sleep(Duration::from_millis(u64::from(150 + turn * 130 % 700)));
    }
    let found = desktop.command("xdotool").args(["search", "--onlyvisible", "--name", "^Everclat$"]).output()?;
    let found = String::from_utf8(found.stdout)?;
    let id = found.lines().next().context("a window")?;
    run(desktop.command("import").args(["-window", id]).arg(to))
}

/// A panel with our icon, and the menu it opens.
fn tray(daemon: &Daemon, to: &Path) -> Result<()> {
    let mut desktop = desktop("light")?;
    let configuration = desktop.home().join(".config/xfce4/xfconf/xfce-perchannel-xml");
    std::fs::create_dir_all(&configuration)?;
    std::fs::write(configuration.join("xfce4-panel.xml"), PANEL)?;
    let mut panel = desktop.command("xfce4-panel");
    panel.arg("--disable-wm-check");
    desktop.keep(&mut panel)?;
    std::thread::sleep(Duration::from_secs(4));
    let _app = App::start(&desktop, daemon.socket(), &["--hidden"])?;
    std::thread::sleep(Duration::from_secs(4));
    // The only thing on the panel.
    run(desktop.command("xdotool").args(["mousemove", "18", "14", "click", "3"]))?;
    std::thread::sleep(Duration::from_secs(2));
    run(desktop.command("import").args(["-window", "root", "-crop", "420x300+0+0", "+repage"]).arg(to))
}

fn run(command: &mut Command) -> Result<()> {
    let program = command.get_program().to_owned();
    let status = command.status().with_context(|| format!("run {}", program.display()))?;
    ensure!(status.success(), "{} ended with {status}", program.display());
    Ok(())
}

/// One panel at the top with the notification area alone.
const PANEL: &str = r#"<?xml version="1.0" encoding="UTF-8"?>
<channel name="xfce4-panel" version="1.0">
  <property name="configver" type="int" value="2"/>
  <property name="panels" type="array">
    <value type="int" value="1"/>
    <property name="panel-1" type="empty">
      <property name="position" type="string" value="p=6;x=0;y=0"/>
      <property name="length" type="uint" value="100"/>
      <property name="position-locked" type="bool" value="true"/>
      <property name="icon-size" type="uint" value="22"/>
      <property name="size" type="uint" value="28"/>
      <property name="plugin-ids" type="array">
        <value type="int" value="1"/>
      </property>
    </property>
  </property>
  <property name="plugins" type="empty">
    <property name="plugin-1" type="string" value="systray"/>
  </property>
</channel>
"#;

//! Draws the icons, takes the words from the window's, and has Tauri read its configuration.

mod icons;
mod words;

use std::error::Error;
use std::path::{Path, PathBuf};

use serde_json::{Value, json};

/// What the page may ask for; `capabilities/main.json` allows each of them by name.
const COMMANDS: [&str; 6] = ["view", "rearm", "pause", "resume", "set_pref", "watching"];

/// A file for each language of window and tray.
const LANGUAGES: &str = "../ui/src/i18n";

fn main() -> Result<(), Box<dyn Error>> {
    let out = PathBuf::from(std::env::var_os("OUT_DIR").ok_or("no OUT_DIR")?);
    println!("cargo:rerun-if-changed=build");
    println!("cargo:rerun-if-changed=icons");
    println!("cargo:rerun-if-changed={LANGUAGES}");
    println!("cargo:rerun-if-env-changed=TAURI_CONFIG");
    icons::draw("icons".as_ref(), &out)?;
    words::write(LANGUAGES.as_ref(), &out)?;
    configure(&out)?;
    let windows = tauri_build::WindowsAttributes::new().window_icon_path(out.join("app.ico"));
    let commands = tauri_build::AppManifest::new().commands(&COMMANDS);
    tauri_build::try_build(tauri_build::Attributes::new().windows_attributes(windows).app_manifest(commands))?;
    Ok(())
}

/// Has Tauri find the icon where it was drawn. Tests may bring their own page by the same variable.
fn configure(out: &Path) -> Result<(), Box<dyn Error>> {
    let mut config: Value = std::env::var("TAURI_CONFIG").map_or(Ok(json!({})), |text| serde_json::from_str(&text))?;
    if config.pointer("/build/frontendDist").is_none() {
        let page = Path::new("../ui/dist/index.html");
        println!("cargo:rerun-if-changed={}", page.display());
        if !page.exists() {
            return Err("the page is not built; in ui/, type: npm ci && npm run build".into());
        }
    }
    config["bundle"]["icon"] = json!([out.join("app.png"), out.join("app.ico")]);
    println!("cargo:rustc-env=TAURI_CONFIG={config}");
    Ok(())
}

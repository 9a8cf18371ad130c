//! Starting at login (the Desktop Application Autostart Specification). A user's file of the same name stands before the one that a package
//! has put into a directory of the system.

use std::path::{Path, PathBuf};

use anyhow::{Context, Result};

const FILE: &str = "net.everclat.Everclat.desktop";

/// The user's and the system's autostart files.
#[derive(Debug)]
pub(crate) struct Login {
    own: PathBuf,
    system: Vec<PathBuf>,
}

impl Login {
    pub(crate) fn new() -> Result<Self> {
        let own = dirs::config_dir().context("no directory for configuration")?;
        let system = std::env::var("XDG_CONFIG_DIRS").unwrap_or_default();
        let system = if system.is_empty() { "/etc/xdg" } else { &system };
        let file = |directory: &Path| directory.join("autostart").join(FILE);
        Ok(Self { own: file(&own), system: std::env::split_paths(system).map(|path| file(&path)).collect() })
    }

    /// Whether the app starts at login.
    pub(crate) fn is_on(&self) -> bool {
        let first = std::iter::once(&self.own).chain(&self.system).find_map(|file| std::fs::read_to_string(file).ok());
        first.is_some_and(|text| !text.lines().any(|line| line.trim() == "Hidden=true"))
    }

    /// Has the program `app` start at login, or not.
    pub(crate) fn set(&self, on: bool, app: &Path) -> Result<()> {
        let directory = self.own.parent().context("a directory")?;
        std::fs::create_dir_all(directory)?;
        let hidden = if on { "" } else { "Hidden=true\n" };
        let text = format!(
            "[Desktop Entry]\nType=Application\nName=Everclat\nExec=\"{}\" --hidden\nIcon=net.everclat.Everclat\n{hidden}",
            quoted(&app.to_string_lossy())
        );
        std::fs::write(&self.own, text).with_context(|| format!("write {}", self.own.display()))
    }
}

/// For a quoted argument of `Exec`: the specification asks for a backslash before these, and `%%` for `%`.
fn quoted(path: &str) -> String {
    let mut text = String::new();
    for letter in path.chars().filter(|letter| !letter.is_control()) {
        match letter {
            // Twice: once for the argument, once for the value of the key.
            '"' | '`' | '$' => text.push_str("\\\\"),
            '\\' => text.push_str("\\\\\\"),
            '%' => text.push('%'),
            _ => {}
        }
        text.push(letter);
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_users_file_stands_before_the_packages() {
        let directory = tempfile::tempdir().unwrap();
        let login = Login {
            own: directory.path().join("own/x.desktop"),
            system: vec![directory.path().join("system.desktop")],
        };
        assert!(!login.is_on());
        std::fs::write(&login.system[0], "[Desktop Entry]\nName=Everclat\n").unwrap();
        assert!(login.is_on(), "the package says so");
        login.set(false, Path::new("/usr/bin/everclat-tray")).unwrap();
        assert!(!login.is_on(), "the user says otherwise");
        login.set(true, Path::new("/usr/bin/everclat-tray")).unwrap();
        assert!(login.is_on());
        let text = std::fs::read_to_string(&login.own).unwrap();
        assert!(text.contains("\nExec=\"/usr/bin/everclat-tray\" --hidden\n"), "{text}");
    }

    #[test]
    fn odd_paths_are_quoted() {
        assert_eq!(quoted("/home/a b/$x%\n"), "/home/a b/\\\\$x%%");
    }
}

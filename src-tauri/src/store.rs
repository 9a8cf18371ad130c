//! Where a user's preferences are kept.

use std::io;
use std::path::{Path, PathBuf};

use crate::view::Prefs;

/// A file of preferences.
#[derive(Clone, Debug)]
pub(crate) struct Store {
    path: PathBuf,
}

impl Store {
    /// The file in `directory`, which need not exist yet.
    #[must_use]
    pub(crate) fn new(directory: &Path) -> Self {
        Self { path: directory.join("preferences.json") }
    }

    /// What is kept; the built-in preferences for all that is missing or cannot be read.
    #[must_use]
    pub(crate) fn load(&self) -> Prefs {
        let text = match std::fs::read_to_string(&self.path) {
            Ok(text) => text,
            Err(error) => {
                if error.kind() != io::ErrorKind::NotFound {
                    tracing::warn!(%error, "preferences cannot be read");
                }
                return Prefs::default();
            }
        };
        serde_json::from_str(&text).unwrap_or_else(|error| {
            tracing::warn!(%error, "preferences are not understood");
            Prefs::default()
        })
    }

    /// Keeps `prefs`. The old file stays whole until the new one is.
    ///
    /// # Errors
    /// What the system says.
    pub(crate) fn save(&self, prefs: &Prefs) -> io::Result<()> {
        if let Some(directory) = self.path.parent() {
            std::fs::create_dir_all(directory)?;
        }
        let new = self.path.with_extension("new");
        std::fs::write(&new, serde_json::to_string_pretty(prefs)?)?;
        std::fs::rename(&new, &self.path)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::view::Theme;

    #[test]
    fn what_is_saved_is_loaded_and_nonsense_is_not() {
        let directory = tempfile::tempdir().unwrap();
        let store = Store::new(&directory.path().join("not/yet"));
        assert_eq!(store.load(), Prefs::default());
        let prefs = Prefs { theme: Theme::Dark, show_tray: false, ..Prefs::default() };
        store.save(&prefs).unwrap();
        assert_eq!(store.load(), prefs);
        std::fs::write(&store.path, "{\"theme\": \"pink\"}").unwrap();
        assert_eq!(store.load(), Prefs::default());
        std::fs::write(&store.path, "{\"language\": \"de\", \"of_a_newer_version\": 1}").unwrap();
        assert_eq!(store.load().language, "de");
    }
}

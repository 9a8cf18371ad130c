//! The host's secret for address generation (RFC 7217 section 5): made once, kept in the state directory.

use std::fs;
use std::io::ErrorKind;
use std::path::Path;

use anyhow::{Context, Result};
use tracing::warn;

use crate::private;

const FILE: &str = "secret";

/// Reads the secret, or makes one. A damaged file is replaced: the addresses change once, nothing else.
pub(crate) fn load_or_create(state_dir: &Path) -> Result<[u8; 32]> {
    fs::create_dir_all(state_dir).with_context(|| format!("create the state directory {}", state_dir.display()))?;
    let path = state_dir.join(FILE);
    match fs::read(&path) {
        Ok(bytes) => match <[u8; 32]>::try_from(bytes) {
            Ok(secret) => return Ok(secret),
            Err(bytes) => warn!(path = %path.display(), length = bytes.len(), "replacing a damaged secret"),
        },
        Err(error) if error.kind() == ErrorKind::NotFound => {}
        Err(error) => return Err(error).with_context(|| format!("read {}", path.display())),
    }
    let mut secret = [0; 32];
    getrandom::fill(&mut secret).context("get random bytes from the system")?;
    private::replace(&path, &secret).with_context(|| format!("write {}", path.display()))?;
    Ok(secret)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::os;

    #[test]
    fn is_made_once_and_replaced_when_damaged() {
        let dir = tempfile::tempdir().unwrap();
        let state = dir.path().join("deep/state");
        let first = load_or_create(&state).unwrap();
        assert_eq!(load_or_create(&state).unwrap(), first);
        fs::write(state.join(FILE), b"short").unwrap();
        let second = load_or_create(&state).unwrap();
        assert_ne!(second, first);
        assert_eq!(load_or_create(&state).unwrap(), second);
    }

    #[cfg(target_os = "linux")]
    #[test]
    fn is_nobody_elses_to_read() {
        let dir = tempfile::tempdir().unwrap();
        load_or_create(dir.path()).unwrap();
        assert!(os::is_private(&dir.path().join(FILE)).unwrap());
    }
}

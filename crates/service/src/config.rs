//! The configuration file on disk.

use std::path::Path;

use model::{ConfigProblem, Settings, parse_config};

/// Reads the file over what is in force. A file that is absent is no problem: everything has a default. One that cannot
/// be read leaves everything as it is.
pub fn load(path: &Path, last: &Settings) -> (Settings, Vec<ConfigProblem>) {
    match std::fs::read_to_string(path) {
        Ok(text) => parse_config(path, &text, last),
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => (Settings::default(), Vec::new()),
        Err(error) => (last.clone(), vec![ConfigProblem::of_file(path, format!("cannot be read ({error})"))]),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_absent_file_is_no_problem_and_a_directory_is_one() {
        let dir = tempfile::tempdir().unwrap();
        let mut last = Settings::default();
        last.mtu.value = 1400;
        let (settings, problems) = load(&dir.path().join("none.toml"), &last);
        assert_eq!((settings, problems), (Settings::default(), Vec::new()));
        let (settings, problems) = load(dir.path(), &last);
        assert_eq!(settings, last);
        assert!(problems[0].to_string().contains("cannot be read"), "{problems:?}");
    }
}

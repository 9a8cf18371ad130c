//! The configuration file and the policy files on disk.

use std::fs::File;
use std::io::{self, ErrorKind, Read};
use std::path::{Path, PathBuf};

use ipc::SettingsReport;
use model::{Code, ConfigProblem, Layer, Layered, Origin, Settings, lay, parse_config, parse_policy};

use tracing::{debug, info, warn};

use crate::os;

/// Far more than every key needs.
const MAX_FILE: u64 = 1 << 20;

/// All files, and what each said when it was last good.
#[derive(Debug)]
pub struct Sources {
    policy_dir: PathBuf,
    config: Layer,
    policies: Vec<Layer>,
}

/// What is in force, and what is wrong.
#[derive(Debug, PartialEq, Eq)]
pub struct InForce {
    /// The settings, and the notes about what has no effect.
    pub layered: Layered,
    /// What could not be taken.
    pub problems: Vec<ConfigProblem>,
}

impl InForce {
    /// The defaults.
    #[must_use]
    pub fn nothing_read() -> Self {
        let layered = lay(&Layer::empty(Path::new(""), Origin::Config), &[]);
        Self { layered, problems: Vec::new() }
    }

    /// What clients are told.
    #[must_use]
    pub fn report(&self) -> SettingsReport {
        let details: Vec<ConfigProblem> = self.problems.iter().chain(&self.layered.notes).cloned().collect();
        SettingsReport {
            settings: self.layered.entries.clone(),
            problems: details.iter().map(ToString::to_string).collect(),
            details,
        }
    }

    /// Logs what is different from `before`. Texts and values may be addresses, which are for DEBUG; clients are told.
    pub(crate) fn tell(&self, before: &Self) {
        for problem in self.problems.iter().filter(|problem| !before.problems.contains(problem)) {
            let ConfigProblem { code, file, line, key, text } = problem;
            warn!(
                code = code.map(Code::as_str),
                file, line, key, "not taken as written; everclat config list says why"
            );
            debug!(text, "not taken");
        }
        let pairs = self.layered.entries.iter().zip(&before.layered.entries);
        for (entry, _) in pairs.filter(|(entry, before)| entry != before) {
            info!(key = entry.key, origin = ?entry.origin, source = entry.source, "a setting changed");
            debug!(key = entry.key, value = entry.value, "changed to");
        }
        info!(problems = self.problems.len(), without_effect = self.layered.notes.len(), "configuration read");
    }

    /// The settings.
    #[must_use]
    pub fn settings(&self) -> &Settings {
        &self.layered.settings
    }
}

impl Sources {
    /// Nothing is read yet.
    #[must_use]
    pub fn new(config: &Path, policy_dir: &Path) -> Self {
        Self { policy_dir: policy_dir.to_owned(), config: Layer::empty(config, Origin::Config), policies: Vec::new() }
    }

    /// Reads everything again. A file that is absent is no problem, everything has a default; what cannot be read stays as
    /// it was.
    pub fn read(&mut self) -> InForce {
        let mut problems = Vec::new();
        self.read_config(&mut problems);
        self.read_policies(&mut problems);
        InForce { layered: lay(&self.config, &self.policies), problems }
    }

    fn read_config(&mut self, problems: &mut Vec<ConfigProblem>) {
        let path = self.config.path().to_owned();
        match read_text(&path, |_| Ok(())) {
            Ok(text) => {
                let (layer, found) = parse_config(&path, &text, &self.config);
                self.config = layer;
                problems.extend(found);
            }
            Err(Unread::Absent) => self.config = Layer::empty(&path, Origin::Config),
            Err(Unread::Refused(why)) => problems.push(ConfigProblem::unreadable(&path, why)),
        }
    }

    fn read_policies(&mut self, problems: &mut Vec<ConfigProblem>) {
        let files = match policy_files(&self.policy_dir) {
            Ok(files) => files,
            Err(Unread::Absent) => Vec::new(),
            Err(Unread::Refused(why)) => {
                problems.push(ConfigProblem::unreadable(&self.policy_dir, why));
                return;
            }
        };
        let before = std::mem::take(&mut self.policies);
        for path in files {
            let last = before.iter().find(|layer| layer.path() == path).cloned();
            let last = last.unwrap_or_else(|| Layer::empty(&path, Origin::Policy));
            let (layer, found) = match read_policy(&path, &self.policy_dir) {
                Ok(text) => parse_policy(&path, &text, &last),
                Err(Unread::Absent) => continue,
                Err(Unread::Refused(why)) => (last, vec![ConfigProblem::unreadable(&path, why)]),
            };
            problems.extend(found);
            self.policies.push(layer);
        }
    }
}

/// Why there is no text.
enum Unread {
    Absent,
    Refused(String),
}

impl From<io::Error> for Unread {
    fn from(error: io::Error) -> Self {
        if error.kind() == ErrorKind::NotFound {
            return Self::Absent;
        }
        Self::Refused(format!("cannot be read ({error}); what it said before holds"))
    }
}

/// `*.json` of the directory in the order of their names.
fn policy_files(directory: &Path) -> Result<Vec<PathBuf>, Unread> {
    let metadata = std::fs::metadata(directory)?;
    if !metadata.is_dir() {
        return Err(Unread::Refused("is no directory".into()));
    }
    os::trusted(&metadata).map_err(Unread::Refused)?;
    let mut files = Vec::new();
    for entry in std::fs::read_dir(directory)? {
        let path = entry?.path();
        let hidden = path.file_name().is_some_and(|name| name.as_encoded_bytes().starts_with(b"."));
        if !hidden && path.extension().is_some_and(|extension| extension == "json") {
            files.push(path);
        }
    }
    files.sort();
    Ok(files)
}

fn read_policy(path: &Path, directory: &Path) -> Result<String, Unread> {
    // A link may lead to another name in the directory, as some tools that replace files at once do it.
    if !path.canonicalize()?.starts_with(directory.canonicalize()?) {
        return Err(Unread::Refused(format!("leads out of {}; it is not followed", directory.display())));
    }
    read_text(path, os::trusted)
}

fn read_text(path: &Path, check: impl Fn(&std::fs::Metadata) -> Result<(), String>) -> Result<String, Unread> {
    let mut file = File::open(path)?;
    // Of the file that is open, not of whatever the name stands for by now.
    let metadata = file.metadata()?;
    if !metadata.is_file() {
        return Err(Unread::Refused("cannot be read (it is no file); what it said before holds".into()));
    }
    check(&metadata).map_err(Unread::Refused)?;
    if metadata.len() > MAX_FILE {
        return Err(Unread::Refused(format!("is longer than {MAX_FILE} bytes; what it said before holds")));
    }
    let mut text = String::new();
    file.by_ref().take(MAX_FILE).read_to_string(&mut text)?;
    Ok(text)
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;

    struct Host {
        directory: tempfile::TempDir,
        sources: Sources,
    }

    impl Host {
        fn new() -> Self {
            let directory = tempfile::tempdir().unwrap();
            let sources = Sources::new(&directory.path().join("config.toml"), &directory.path().join("policy.d"));
            Self { directory, sources }
        }

        fn write(&self, name: &str, text: &str) -> PathBuf {
            let path = self.directory.path().join(name);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(&path, text).unwrap();
            path
        }

        fn read(&mut self) -> (u16, Vec<(Option<Code>, String)>) {
            let InForce { layered, problems } = self.sources.read();
            let said = problems.iter().map(|problem| (problem.code, problem.to_string())).collect();
            (layered.settings.mtu.value, said)
        }
    }

    #[test]
    fn an_absent_file_is_no_problem_and_a_directory_is_one() {
        let mut host = Host::new();
        assert_eq!(host.read(), (0, vec![]));
        let path = host.write("config.toml", "Mtu = 1400");
        assert_eq!(host.read(), (1400, vec![]));
        fs::remove_file(&path).unwrap();
        fs::create_dir(&path).unwrap();
        let (mtu, problems) = host.read();
        assert_eq!(mtu, 1400, "what was good stays");
        assert!(problems[0].1.contains("cannot be read"), "{problems:?}");
        fs::remove_dir(&path).unwrap();
        assert_eq!(host.read(), (0, vec![]));
    }

    #[test]
    fn policies_come_in_the_order_of_their_names_and_go_with_their_file() {
        let mut host = Host::new();
        host.write("config.toml", "Mtu = 1260");
        let second = host.write("policy.d/20.json", "{\"Mtu\": 1320}");
        let first = host.write("policy.d/10.json", "{\"Mtu\": 1310, \"Dad\": \"strict\"}");
        host.write("policy.d/30.json.bak", "{\"Mtu\": 1330}");
        host.write("policy.d/.40.json", "{\"Mtu\": 1340}");
        assert_eq!(host.read(), (1320, vec![]));
        let notes = host.sources.read().layered.notes;
        assert!(notes[0].text.contains("policy.d/20.json sets it to 1320; 1260 here has no effect"), "{notes:?}");
        fs::remove_file(second).unwrap();
        assert_eq!(host.read(), (1310, vec![]));
        fs::write(&first, "{").unwrap();
        let (mtu, problems) = host.read();
        assert_eq!((mtu, problems[0].0), (1310, Some(Code::PolicyUnreadable)), "{problems:?}");
        fs::remove_file(first).unwrap();
        assert_eq!(host.read(), (1260, vec![]), "the configuration holds again");
    }

    #[cfg(unix)]
    #[test]
    fn what_others_could_have_written_is_no_policy() {
        use std::os::unix::fs::{PermissionsExt, symlink};

        let mut host = Host::new();
        let path = host.write("policy.d/10.json", "{\"Mtu\": 1310}");
        let outside = host.write("outside.json", "{\"Mtu\": 1320}");
        let mode = |path: &Path, mode| fs::set_permissions(path, fs::Permissions::from_mode(mode)).unwrap();
        for bad in [0o666, 0o664, 0o646] {
            mode(&path, bad);
            let (mtu, problems) = host.read();
            assert_eq!((mtu, problems[0].0), (0, Some(Code::PolicyUnreadable)), "{bad:o}");
            assert!(problems[0].1.contains("may be written by others than its owner"), "{problems:?}");
        }
        mode(&path, 0o644);
        assert_eq!(host.read(), (1310, vec![]));
        mode(&path, 0o666);
        assert_eq!(host.read().0, 1310, "what was trusted once stays");
        fs::remove_file(&path).unwrap();
        symlink(&outside, &path).unwrap();
        let (_, problems) = host.read();
        assert!(problems[0].1.contains("leads out of"), "{problems:?}");
        fs::remove_file(&path).unwrap();
        assert_eq!(host.read(), (0, vec![]));
        host.write("policy.d/.real", "{\"Mtu\": 1330}");
        symlink(".real", &path).unwrap();
        assert_eq!(host.read(), (1330, vec![]));
        mode(&host.directory.path().join("policy.d"), 0o777);
        let (mtu, problems) = host.read();
        assert_eq!(mtu, 1330);
        assert!(problems[0].1.contains("policy.d: may be written by others"), "{problems:?}");
    }

    #[cfg(unix)]
    #[test]
    fn a_policy_of_another_user_is_none() {
        let mut host = Host::new();
        let path = host.write("policy.d/10.json", "{\"Mtu\": 1310}");
        if std::os::unix::fs::chown(&path, Some(4711), None).is_err() {
            println!("SKIPPED: only root gives files away");
            return;
        }
        let (mtu, problems) = host.read();
        assert_eq!(mtu, 0);
        assert!(problems[0].1.contains("belongs to user 4711"), "{problems:?}");
    }
}

//! Every committed input, through the body of its target.

use std::fs;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::Path;
use std::sync::atomic::{AtomicUsize, Ordering};

use everclat_fuzzing::targets::TARGETS;

/// A task that panics takes nobody along, so panics are counted where they happen.
static PANICS: AtomicUsize = AtomicUsize::new(0);

#[test]
fn every_committed_input_is_harmless() {
    let usual = std::panic::take_hook();
    std::panic::set_hook(Box::new(move |info| {
        PANICS.fetch_add(1, Ordering::Relaxed);
        usual(info);
    }));
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../fuzz/seeds");
    let mut inputs = 0;
    for (target, body) in TARGETS {
        let mut files: Vec<_> = fs::read_dir(root.join(target)).unwrap().map(|entry| entry.unwrap().path()).collect();
        files.sort();
        assert!(files.len() >= 10, "{target} has hardly any inputs");
        for file in files {
            let input = fs::read(&file).unwrap();
            let ended = catch_unwind(AssertUnwindSafe(|| body(&input)));
            assert!(ended.is_ok() && PANICS.load(Ordering::Relaxed) == 0, "{}", file.display());
            inputs += 1;
        }
    }
    println!("FIGURE fuzz inputs replayed: {inputs}");
}

/// The list of targets is the list of programs in `fuzz/`.
#[test]
fn every_target_has_a_program() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../fuzz");
    let manifest = fs::read_to_string(root.join("Cargo.toml")).unwrap();
    for (target, _) in TARGETS {
        assert!(manifest.contains(&format!("name = \"{target}\"")), "{target}");
        assert!(root.join(format!("fuzz_targets/{target}.rs")).is_file(), "{target}");
    }
    assert_eq!(fs::read_dir(root.join("fuzz_targets")).unwrap().count(), TARGETS.len());
}

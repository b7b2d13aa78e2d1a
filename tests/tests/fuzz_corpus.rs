//! P11: what the fuzzer has been given and what it has found, once more on the stable toolchain.
//! `cargo xtask fuzz` looks for more.

use std::collections::BTreeSet;
use std::fs;
use std::panic::catch_unwind;
use std::path::{Path, PathBuf};

#[path = "../fuzz/src/lib.rs"]
#[allow(clippy::missing_panics_doc, reason = "a target fails by panicking")]
pub mod targets;

/// Too few would say nothing, and too many belong into the fuzzer's own folder.
const FEW: usize = 8;
const MANY: usize = 150;

fn corpus() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("fuzz/corpus")
}

fn entries(folder: &Path) -> Vec<PathBuf> {
    let listed = fs::read_dir(folder).expect("a folder of the corpus");
    let mut paths: Vec<PathBuf> = listed
        .map(|entry| entry.expect("an entry of a folder").path())
        .collect();
    paths.sort();
    paths
}

#[test]
fn p11_every_input_of_every_corpus_keeps_what_its_target_promises() {
    let mut broken = Vec::new();
    for (name, target) in targets::TARGETS {
        let inputs = entries(&corpus().join(name));
        eprintln!("{name}: {} inputs", inputs.len());
        assert!((FEW..=MANY).contains(&inputs.len()), "{name}");
        for path in inputs {
            let bytes = fs::read(&path).expect("an input");
            if catch_unwind(|| target(&bytes)).is_err() {
                broken.push(path);
            }
        }
    }
    assert!(broken.is_empty(), "{broken:#?}");
}

#[test]
fn every_corpus_has_its_target_and_every_target_its_corpus_and_its_program() {
    let of_targets: BTreeSet<String> = targets::TARGETS.map(|(name, _)| name.into()).into();
    let of_folder = |folder: &str| -> BTreeSet<String> {
        let stem = |path: PathBuf| path.file_stem()?.to_str().map(str::to_owned);
        let paths = entries(&corpus().with_file_name(folder));
        paths.into_iter().filter_map(stem).collect()
    };
    assert_eq!(of_folder("corpus"), of_targets);
    assert_eq!(of_folder("bins"), of_targets);
}

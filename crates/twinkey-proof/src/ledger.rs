//! The figures that are committed: what the last complete run has shown, and of which engine.

use std::collections::BTreeMap;
use std::fmt::Write;
use std::path::{Path, PathBuf};
use std::{fs, io, thread};

use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};
use twinkey_testkit::FakeKind;

use crate::figures::{Bounded, DEEP, EVERYDAY, Figures, bounded, figures};

/// Tells how far a run has got, from any thread.
pub type Progress = dyn Fn(&str) + Sync;

/// What the last complete run has shown.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Ledger {
    /// Which sources were run.
    pub sources: String,
    /// What every test run shows again, by kind of key.
    pub everyday: BTreeMap<String, Figures>,
    /// What `cargo xtask prove` shows, by kind of key.
    pub deep: BTreeMap<String, Bounded>,
}

impl Ledger {
    /// Runs everything.
    #[must_use]
    pub fn run(progress: &Progress) -> Self {
        let sources = sources();
        let everyday = of_each_kind(|kind| figures(kind, &EVERYDAY, progress));
        progress("and now further:");
        let deep = of_each_kind(|kind| bounded(kind, &DEEP, progress));
        Self {
            sources,
            everyday,
            deep,
        }
    }

    /// The committed one.
    #[must_use]
    pub fn committed() -> Self {
        serde_json::from_str(include_str!("../figures.json")).expect("our own figures")
    }

    /// Writes it where the next build finds it.
    pub fn write(&self) -> io::Result<()> {
        let text = serde_json::to_string_pretty(self)?;
        fs::write(home().join("figures.json"), text + "\n")
    }
}

/// The kinds of key have nothing to do with each other: each has a thread.
fn of_each_kind<T: Send>(run: impl Fn(FakeKind) -> T + Sync) -> BTreeMap<String, T> {
    let run = &run;
    thread::scope(|scope| {
        let threads = FakeKind::ALL.map(|kind| (kind, scope.spawn(move || run(kind))));
        let done = threads.map(|(kind, thread)| (kind.to_string(), thread.join()));
        let results = done.map(|(kind, result)| (kind, result.expect("every promise holds")));
        results.into()
    })
}

pub(crate) fn home() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).into()
}

/// Where the page is.
#[must_use]
pub fn page_path() -> PathBuf {
    home().join("../../docs/PROOF.md")
}

/// What shows the figures, and does not make them.
const SHOWING: [&str; 6] = [
    "ledger.rs",
    "main.rs",
    "page.md",
    "page.rs",
    "sabotage.rs",
    "tables.rs",
];

/// A fingerprint of everything that the figures depend on: the engine, the fakes and the proof.
#[must_use]
pub fn sources() -> String {
    fingerprint(&["twinkey-core", "twinkey-testkit", "twinkey-proof"])
}

/// A fingerprint of the engine alone: what is changed by `cargo xtask mutants`.
#[must_use]
pub fn engine_sources() -> String {
    fingerprint(&["twinkey-core"])
}

fn fingerprint(crates: &[&str]) -> String {
    let mut files = Vec::new();
    for name in crates {
        collect(&home().join("..").join(name).join("src"), &mut files);
    }
    files.sort();
    let mut hash = Sha256::new();
    for file in &files {
        let name = file.strip_prefix(home().join("..")).expect("one of ours");
        let text = fs::read_to_string(file).expect("a source file");
        let (code, tests) = text.split_once("\n#[cfg(test)]\n").unwrap_or((&text, ""));
        // Unit tests change no figure. Nothing but them comes after that line.
        let is_last = tests.is_empty() || tests.starts_with("mod tests {") && ends_with_it(tests);
        assert!(is_last, "{}: unit tests come last", name.display());
        hash.update(name.to_string_lossy().as_bytes());
        // Nor do comments.
        for line in code.lines().map(str::trim_start) {
            if !line.starts_with("//") {
                hash.update(line);
            }
        }
    }
    hash.finalize()
        .iter()
        .take(16)
        .fold(String::new(), |mut hex, byte| {
            let _ = write!(hex, "{byte:02x}");
            hex
        })
}

/// Whether the module that a text begins with is all of it.
fn ends_with_it(text: &str) -> bool {
    text.find("\n}\n").is_some_and(|end| end + 3 == text.len())
}

fn collect(folder: &Path, files: &mut Vec<PathBuf>) {
    for entry in fs::read_dir(folder).expect("a source folder") {
        let path = entry.expect("an entry").path();
        let name = path.file_name().unwrap_or_default();
        if path.is_dir() {
            collect(&path, files);
        } else if !SHOWING.iter().any(|showing| name == *showing) {
            files.push(path);
        }
    }
}

//! Libraries in C that are loaded into an unmodified program: `LD_PRELOAD`.

use std::fs::File;
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use tempfile::TempDir;

/// Builds a library from a source in `support`, and gives the path to it.
#[must_use]
pub fn build_library(name: &str, directory: &Path) -> PathBuf {
    let library = directory.join(name).with_extension("so");
    let source = Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("support")
        .join(name)
        .with_extension("c");
    let built = Command::new("cc")
        .args(["-O1", "-shared", "-fPIC", "-o"])
        .arg(&library)
        .arg(&source)
        .status();
    assert!(built.expect("a C compiler").success());
    library
}

/// A wall clock for programs: ours, and ahead of it. Clones are the same.
#[derive(Clone)]
pub struct ClockAhead(Arc<Shared>);

struct Shared {
    folder: TempDir,
    file: File,
    library: PathBuf,
    seconds: AtomicU64,
}

impl Default for ClockAhead {
    /// It shows our time until it is moved.
    fn default() -> Self {
        let folder = TempDir::new().expect("a directory");
        let file = File::create(folder.path().join("ahead")).expect("a file");
        file.write_all_at(&0_u64.to_ne_bytes(), 0).expect("written");
        Self(Arc::new(Shared {
            library: build_library("clock_ahead", folder.path()),
            folder,
            file,
            seconds: AtomicU64::new(0),
        }))
    }
}

impl ClockAhead {
    /// Moves it, in programs that run, too.
    pub fn advance(&self, by: Duration) {
        let before = self.0.seconds.fetch_add(by.as_secs(), Ordering::Relaxed);
        let seconds = before + by.as_secs();
        let written = self.0.file.write_all_at(&seconds.to_ne_bytes(), 0);
        written.expect("written");
    }

    /// How far ahead of ours it is.
    #[must_use]
    pub fn ahead(&self) -> Duration {
        Duration::from_secs(self.0.seconds.load(Ordering::Relaxed))
    }

    /// What a program that goes by it loads.
    #[must_use]
    pub fn library(&self) -> &Path {
        &self.0.library
    }

    /// What the library looks for in the program's environment.
    #[must_use]
    pub fn variable(&self) -> (&'static str, String) {
        let path = self.0.folder.path().join("ahead");
        ("CLOCK_AHEAD_IN", path.to_string_lossy().into_owned())
    }
}

//! Where cargo puts what it builds, and `cargo xtask` what it unpacks.

use std::path::{Path, PathBuf};

/// Cargo marks the directory. None: this program was not built there.
pub(crate) fn target() -> Option<PathBuf> {
    let program = std::env::current_exe().ok()?;
    let marked = |directory: &&Path| directory.join("CACHEDIR.TAG").is_file();
    program.ancestors().find(marked).map(Path::to_owned)
}

//! A copy of the code elsewhere.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

/// What git knows, and what it has not been told of yet. A file that is the same keeps its time, so
/// that it need not be built again; what has been built in the copy stays.
pub(crate) fn copy_the_code(tree: &Path) -> Result<(), String> {
    let list = "ls-files -z --cached --others --exclude-standard";
    let listed = Command::new("git").args(list.split(' ')).output();
    let listed = listed.map_err(|error| format!("git: {error}"))?;
    let listed = String::from_utf8_lossy(&listed.stdout);
    let listed = listed.split_terminator('\0').map(PathBuf::from);
    let code: BTreeSet<PathBuf> = listed.filter(|path| path.is_file()).collect();
    for path in &code {
        copy(path, &tree.join(path))?;
    }
    for copied in files(tree)? {
        let is_gone = copied
            .strip_prefix(tree)
            .is_ok_and(|path| !path.starts_with("target") && !code.contains(path));
        if is_gone {
            fs::remove_file(&copied).map_err(|error| format!("{}: {error}", copied.display()))?;
        }
    }
    Ok(())
}

fn copy(from: &Path, to: &Path) -> Result<(), String> {
    let bytes = fs::read(from).map_err(|error| format!("{}: {error}", from.display()))?;
    if fs::read(to).is_ok_and(|there| there == bytes) {
        return Ok(());
    }
    let folder = to.parent().unwrap_or(to);
    let copied = fs::create_dir_all(folder).and_then(|()| fs::copy(from, to));
    copied.map_err(|error| format!("{}: {error}", to.display()))?;
    Ok(())
}

/// Every file in a folder, however deep.
pub(crate) fn files(folder: &Path) -> Result<Vec<PathBuf>, String> {
    let told = |error| format!("{}: {error}", folder.display());
    let mut found = Vec::new();
    for entry in fs::read_dir(folder).map_err(told)? {
        let path = entry.map_err(told)?.path();
        if path.is_dir() {
            found.extend(files(&path)?);
        } else {
            found.push(path);
        }
    }
    Ok(found)
}

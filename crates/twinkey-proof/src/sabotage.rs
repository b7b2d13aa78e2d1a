//! The list of sabotages, read from the patches that `cargo xtask sabotage` applies.

use std::fs;
use std::path::Path;

/// One way of breaking the code on purpose, from the head of its patch.
pub(crate) struct Sabotage {
    pub(crate) name: String,
    pub(crate) breaks: String,
    pub(crate) what: String,
    pub(crate) caught_by: String,
}

/// Every sabotage, by the first promise that it breaks.
pub(crate) fn all(folder: &Path) -> Vec<Sabotage> {
    let files = fs::read_dir(folder).expect("the sabotages");
    let mut all: Vec<Sabotage> = files
        .map(|file| read(&file.expect("a file").path()))
        .collect();
    all.sort_by_key(|sabotage| (first_promise(&sabotage.breaks), sabotage.name.clone()));
    all
}

fn read(path: &Path) -> Sabotage {
    let text = fs::read_to_string(path).expect("a patch");
    let field = |name: &str| {
        let line = text.lines().find_map(|line| line.strip_prefix(name));
        line.unwrap_or_else(|| panic!("{} has no {name}", path.display()))
            .trim()
            .to_owned()
    };
    Sabotage {
        name: path
            .file_stem()
            .unwrap_or_default()
            .to_string_lossy()
            .into(),
        breaks: field("Breaks:"),
        what: field("Sabotage:"),
        caught_by: field("Caught by:"),
    }
}

fn first_promise(breaks: &str) -> u32 {
    let first = breaks.trim_start_matches('P').split(',').next();
    first
        .and_then(|number| number.trim().parse().ok())
        .unwrap_or_default()
}

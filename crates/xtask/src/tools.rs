//! Programs of others that play AWS in the tests, each pinned, in a Python virtual environment of its own.

use std::path::Path;
use std::process::Command;

use crate::run;

/// A tool, where the tests look for it under the target directory, and what it is installed from. A new
/// version has a new folder.
pub(crate) struct Tool {
    folder: &'static str,
    requirements: &'static str,
}

/// Plays AWS's services. `twinkey-test-aws` starts it.
pub(crate) const MOTO: Tool = Tool {
    folder: "target/tools/moto-5.2.5",
    requirements: "crates/xtask/moto-requirements.txt",
};

/// Plays Lambda's Runtime API. The end-to-end tests start it; what it would cross-compile with is left out.
pub(crate) const CARGO_LAMBDA: Tool = Tool {
    folder: "target/tools/cargo-lambda-1.9.2",
    requirements: "crates/xtask/cargo-lambda-requirements.txt",
};

/// Makes sure that a tool is there.
pub(crate) fn find_or_install(tool: &Tool) -> Result<(), String> {
    let folder = tool.folder;
    let complete = Path::new(folder).join("complete");
    if complete.exists() {
        return Ok(());
    }
    eprintln!("xtask: installing {folder}, once");
    run(Command::new("python3").args(["-m", "venv", "--clear", folder]))
        .map_err(|error| format!("{error}; on Debian and Ubuntu: apt-get install python3-venv"))?;
    let install =
        "install --quiet --disable-pip-version-check --no-deps --only-binary :all: --requirement";
    let pip = Path::new(folder).join("bin/pip");
    run(Command::new(pip)
        .args(install.split_whitespace())
        .arg(tool.requirements))?;
    std::fs::write(&complete, "").map_err(|error| format!("{}: {error}", complete.display()))
}

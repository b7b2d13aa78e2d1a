//! moto plays AWS in the tests; it is a Python program.

use std::path::Path;
use std::process::Command;

use crate::run;

/// `twinkey-test-aws` looks for it here, under the target directory. A new version has a new folder.
const FOLDER: &str = "target/tools/moto-5.2.5";
const REQUIREMENTS: &str = "crates/xtask/moto-requirements.txt";

/// Makes sure that the pinned moto is in its own virtual environment.
pub(crate) fn find_or_install() -> Result<(), String> {
    let complete = Path::new(FOLDER).join("complete");
    if complete.exists() {
        return Ok(());
    }
    eprintln!("xtask: installing moto in {FOLDER}, once");
    run(Command::new("python3").args(["-m", "venv", "--clear", FOLDER]))
        .map_err(|error| format!("{error}; on Debian and Ubuntu: apt-get install python3-venv"))?;
    let install =
        "install --quiet --disable-pip-version-check --no-deps --only-binary :all: --requirement";
    let pip = Path::new(FOLDER).join("bin/pip");
    run(Command::new(pip)
        .args(install.split_whitespace())
        .arg(REQUIREMENTS))?;
    std::fs::write(&complete, "").map_err(|error| format!("{}: {error}", complete.display()))
}

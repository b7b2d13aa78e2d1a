//! Clients that others wrote, each in its own process.

use std::path::Path;
use std::process::Stdio;

use tokio::process::Command;

use crate::target;

/// Where `cargo xtask test` installs them, under the target directory.
const PROGRAMS: &str = "tools/readers-1/bin";
/// Where `cargo xtask bench` installs what its baseline is built on.
const BASELINE: &str = "tools/baseline-1/bin/python";
/// Those for Node, and Node itself.
const FOR_NODE: &str = "tools/github-judges-1";
const KILLED_WITH_US: &str = "/usr/bin/setpriv";

/// One of them, with nothing of our environment but credentials for tests: `python`, with `PyGithub` and AWS's caching
/// client, or `aws`.
#[must_use]
pub fn reader(name: &str) -> Command {
    with_credentials(&target().join(PROGRAMS).join(name))
}

/// Python with boto3 and a driver for Postgres, for `cargo xtask bench`.
#[must_use]
pub fn baseline() -> Command {
    with_credentials(&target().join(BASELINE))
}

fn with_credentials(program: &Path) -> Command {
    assert_installed(program);
    let mut command = Command::new(program);
    command
        .env_clear()
        .env("AWS_ACCESS_KEY_ID", "TEST-key")
        .env("AWS_SECRET_ACCESS_KEY", "TEST-secret")
        .env("AWS_DEFAULT_REGION", "eu-central-1")
        .env("AWS_EC2_METADATA_DISABLED", "true")
        .env("PATH", "/usr/bin:/bin")
        .stdin(Stdio::null())
        .kill_on_drop(true);
    command
}

/// Node, where its packages are: a script can import them, `node_modules/.bin` holds their programs. It has nothing of our
/// environment, and does not outlive the test.
#[must_use]
pub fn node() -> Command {
    let folder = target().join(FOR_NODE);
    let program = folder.join("node_modules/.bin/node");
    assert_installed(&program);
    let mut command = if Path::new(KILLED_WITH_US).exists() {
        let mut command = Command::new(KILLED_WITH_US);
        command.args(["--pdeathsig", "KILL"]).arg(program);
        command
    } else {
        Command::new(program)
    };
    command
        .current_dir(folder)
        .env_clear()
        .env("PATH", "/usr/bin:/bin")
        .stdin(Stdio::null())
        .kill_on_drop(true);
    command
}

fn assert_installed(program: &Path) {
    assert!(
        program.is_file(),
        "{} is missing: cargo xtask test or bench installs it",
        program.display()
    );
}

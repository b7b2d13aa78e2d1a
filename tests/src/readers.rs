//! Clients that others wrote, each in its own process.

use std::process::Stdio;

use tokio::process::Command;

use crate::target;

/// Where `cargo xtask test` installs them, under the target directory.
const PROGRAMS: &str = "tools/readers-1/bin";

/// One of them, with nothing of our environment but credentials for tests: `python`, with `PyGithub` and AWS's caching
/// client, or `aws`.
#[must_use]
pub fn reader(name: &str) -> Command {
    let program = target().join(PROGRAMS).join(name);
    assert!(
        program.is_file(),
        "{} is missing: cargo xtask test installs it",
        program.display()
    );
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

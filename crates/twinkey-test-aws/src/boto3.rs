//! AWS's own Python client, an independent reader and writer.

use std::process::{Command, Stdio};

use crate::moto::program;

/// Runs a Python script with boto3 against an endpoint, `ENDPOINT` in its environment, and gives what it prints.
///
/// It blocks: in a test with a server of its own, call it off the runtime.
#[must_use]
pub fn boto3(endpoint: &str, script: &str) -> String {
    let output = Command::new(program("python"))
        .args(["-I", "-c", script])
        .env_clear()
        .env("ENDPOINT", endpoint)
        .env("AWS_ACCESS_KEY_ID", "TEST-key")
        .env("AWS_SECRET_ACCESS_KEY", "TEST-secret")
        .env("AWS_DEFAULT_REGION", "eu-central-1")
        .env("AWS_EC2_METADATA_DISABLED", "true")
        .stdin(Stdio::null())
        .output()
        .expect("python starts");
    let errors = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{errors}");
    String::from_utf8_lossy(&output.stdout).into_owned()
}

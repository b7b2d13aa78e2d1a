//! A person at a command line, with rights on an AWS account.

use std::path::Path;
use std::process::{Output, Stdio};

use serde_json::Value;
use tokio::process::Command;

use crate::{Account, program, text};

impl Account {
    /// The program, set up for this account and with nothing else of our environment.
    #[must_use]
    pub fn command(&self, arguments: &[&str]) -> Command {
        let mut command = Command::new(program("twinkey"));
        command
            .args(arguments)
            .env_clear()
            .envs(self.environment())
            .env("TWINKEY_STORE", "aws")
            // Nothing but loopback is asked where a credential or the region is missing.
            .env("AWS_EC2_METADATA_DISABLED", "true")
            .stdin(Stdio::null())
            .kill_on_drop(true);
        command
    }

    /// Runs the program to its end.
    pub async fn run(&self, arguments: &[&str]) -> Output {
        let output = self.command(arguments).output().await;
        output.expect("the program starts")
    }

    /// Runs the program, which must succeed, and returns what it wrote to stdout.
    pub async fn succeed(&self, arguments: &[&str]) -> String {
        let output = self.run(arguments).await;
        let said = text(&output.stderr);
        assert!(output.status.success(), "twinkey {arguments:?}: {said}");
        text(&output.stdout)
    }

    /// Runs the program, which must fail, and returns what it wrote to stderr.
    pub async fn fail(&self, arguments: &[&str]) -> String {
        let output = self.run(arguments).await;
        let said = text(&output.stdout);
        let code = output.status.code();
        assert_eq!(code, Some(1), "twinkey {arguments:?} did not fail: {said}");
        text(&output.stderr)
    }

    /// Runs the program with `--json`, which must succeed.
    pub async fn json(&self, arguments: &[&str]) -> Value {
        let arguments = [arguments, &["--json"]].concat();
        serde_json::from_str(&self.succeed(&arguments).await).expect("JSON")
    }

    /// Puts the document in a file.
    pub async fn put_file(&self, name: &str, file: &Path) -> Output {
        let file = file.to_string_lossy();
        self.run(&["put", name, "--from-file", &file]).await
    }
}

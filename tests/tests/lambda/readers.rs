//! Independent readers of what a rotation wrote: AWS's own caching client as a stale consumer, and AWS's command line.

use std::process::Stdio;

use serde_json::Value;
use tokio::io::{AsyncBufReadExt, AsyncWriteExt, BufReader, Lines};
use tokio::process::{Child, ChildStdin, ChildStdout};
use twinkey_core::SecretId;
use twinkey_tests::{Account, reader};

/// Reads through the cache whenever it is told to; it would look at Secrets Manager again after an hour.
const CONSUMER: &str = r#"
import os, sys, boto3
from aws_secretsmanager_caching import SecretCache
cache = SecretCache(client=boto3.client("secretsmanager", endpoint_url=os.environ["ENDPOINT"]))
for name in sys.stdin:
    print(cache.get_secret_string(name.strip()), flush=True)
"#;

struct Consumer {
    _child: Child,
    asks: ChildStdin,
    reads: Lines<BufReader<ChildStdout>>,
}

impl Consumer {
    fn start(account: &Account) -> Self {
        let mut child = reader("python")
            .args(["-I", "-c", CONSUMER])
            .env("ENDPOINT", account.aws.endpoint())
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .expect("python starts");
        Self {
            asks: child.stdin.take().expect("a pipe"),
            reads: BufReader::new(child.stdout.take().expect("a pipe")).lines(),
            _child: child,
        }
    }

    async fn read(&mut self, name: &str) -> Value {
        let ask = format!("{name}\n");
        self.asks.write_all(ask.as_bytes()).await.expect("asked");
        let read = self.reads.next_line().await.expect("a line");
        serde_json::from_str(&read.expect("an answer")).expect("a document")
    }
}

/// What `aws secretsmanager get-secret-value` prints under a label.
async fn by_command_line(account: &Account, arn: &SecretId, stage: &str) -> Value {
    let get = [
        "secretsmanager",
        "get-secret-value",
        "--query",
        "SecretString",
        "--output",
        "text",
    ];
    let output = reader("aws")
        .args(get)
        .args(["--secret-id", arn.as_str(), "--version-stage", stage])
        .args(["--endpoint-url", &account.aws.endpoint()])
        .output()
        .await
        .expect("aws starts");
    let errors = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{errors}");
    serde_json::from_slice(&output.stdout).expect("a document")
}

#[tokio::test]
async fn p1_what_awss_caching_client_holds_works_until_the_second_rotation_after_it_read() {
    let account = Account::open().await;
    let arn = account.secret("app").await;
    let mut function = account.function();
    let mut rotate = async || {
        let token = account.begin("app");
        let rotated = function.rotate(&arn, &token).await;
        rotated.unwrap_or_else(|answer| panic!("{answer:?}"));
    };
    rotate().await;
    let mut stale = Consumer::start(&account);
    let held = stale.read(arn.as_str()).await;
    assert!(account.site.accepts(&held).await);
    rotate().await;
    assert_eq!(stale.read(arn.as_str()).await, held, "it caches");
    assert!(
        account.site.accepts(&held).await,
        "P1: still one of the two"
    );
    let current = by_command_line(&account, &arn, "AWSCURRENT").await;
    assert_ne!(current, held);
    assert!(account.site.accepts(&current).await);
    assert_eq!(by_command_line(&account, &arn, "AWSPREVIOUS").await, held);
    rotate().await;
    assert!(
        !account.site.accepts(&held).await,
        "who never reads again is locked out"
    );
    let fresh = Consumer::start(&account).read(arn.as_str()).await;
    assert!(account.site.accepts(&fresh).await);
}

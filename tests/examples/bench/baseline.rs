//! What the same work takes a Python function, in the same run: only then are ratios of times worth anything.

use std::process::Stdio;
use std::time::Instant;

use tokio::io::{AsyncBufReadExt, AsyncWriteExt, BufReader, Lines};
use tokio::process::{Child, ChildStdin, ChildStdout};
use twinkey_core::SecretId;
use twinkey_tests::{Account, Counts};

use crate::measure::{Rotations, cpu_time, peak_memory};
use crate::series::Series;

const SCRIPT: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/examples/bench/baseline.py");
const ROTATIONS: usize = 30;

/// What it asked for in one rotation, and what one took.
pub(crate) struct Baseline {
    pub(crate) calls: Counts,
    pub(crate) rotations: Rotations,
}

struct Python {
    process: Child,
    stdin: ChildStdin,
    told: Lines<BufReader<ChildStdout>>,
}

impl Python {
    async fn start(account: &Account) -> Self {
        let mut command = twinkey_tests::baseline();
        command
            .args(["-I", SCRIPT, &account.aws.endpoint()])
            .arg(account.site.cluster.ca_path())
            .stdin(Stdio::piped())
            .stdout(Stdio::piped());
        let mut process = command.spawn().expect("python starts");
        let stdout = process.stdout.take().expect("piped");
        let mut python = Self {
            stdin: process.stdin.take().expect("piped"),
            told: BufReader::new(stdout).lines(),
            process,
        };
        assert_eq!(python.hear().await, "ready");
        python
    }

    async fn hear(&mut self) -> String {
        let line = self.told.next_line().await.expect("a line");
        line.expect("python goes on; what went wrong is above")
    }

    async fn rotate(&mut self, account: &Account, arn: &SecretId, name: &str) {
        let token = account.begin(name);
        let line = format!("{arn} {token}\n");
        let sent = self.stdin.write_all(line.as_bytes()).await;
        sent.expect("python reads");
        assert_eq!(self.hear().await, "rotated");
    }
}

/// Rotates a secret of its own.
pub(crate) async fn measure(account: &Account, name: &str) -> Baseline {
    let arn = account.secret(name).await;
    let mut python = Python::start(account).await;
    for _ in 0..2 {
        python.rotate(account, &arn, name).await;
    }
    drop(account.aws.take_calls());
    python.rotate(account, &arn, name).await;
    let calls = twinkey_tests::count(account.aws.take_calls());
    let process = python.process.id().expect("it runs");
    let (mut wall, mut cpu) = (Vec::new(), Vec::new());
    for _ in 0..ROTATIONS {
        let (begun, used) = (Instant::now(), cpu_time(process));
        python.rotate(account, &arn, name).await;
        wall.push(begun.elapsed());
        cpu.push(cpu_time(process).saturating_sub(used));
    }
    let peak = peak_memory(process);
    Baseline {
        calls,
        rotations: Rotations {
            wall: Series::new(&wall),
            cpu: Series::new(&cpu),
            peak,
        },
    }
}

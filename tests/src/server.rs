//! Servers that others wrote, each in a process of its own.

use std::process::Stdio;
use std::time::Duration;

use tokio::io::{AsyncBufReadExt, AsyncRead, BufReader};
use tokio::process::{Child, Command};
use tokio::sync::mpsc::{UnboundedReceiver, UnboundedSender, unbounded_channel};

/// On a machine that does much else.
const PATIENCE: Duration = Duration::from_mins(1);

/// A running server, and what it tells of itself. It ends when it is dropped.
pub struct Server {
    log: UnboundedReceiver<String>,
    _child: Child,
}

impl Server {
    /// Starts it.
    #[must_use]
    pub fn start(mut command: Command) -> Self {
        command.stdout(Stdio::piped()).stderr(Stdio::piped());
        let mut child = command.spawn().expect("a server starts");
        let (tell, log) = unbounded_channel();
        // Read to the end, or the server would stop at a full pipe.
        tokio::spawn(pass_on(child.stdout.take().expect("piped"), tell.clone()));
        tokio::spawn(pass_on(child.stderr.take().expect("piped"), tell));
        Self { log, _child: child }
    }

    /// What it tells from the last look on, up to the first line with this in it.
    pub async fn until(&mut self, mark: &str) -> Vec<String> {
        let mut told = Vec::new();
        loop {
            match tokio::time::timeout(PATIENCE, self.log.recv()).await {
                Ok(Some(line)) => {
                    let is_marked = line.contains(mark);
                    told.push(line);
                    if is_marked {
                        return told;
                    }
                }
                _ => panic!("it never told {mark:?}:\n{}", told.join("\n")),
            }
        }
    }
}

async fn pass_on(output: impl AsyncRead + Unpin, tell: UnboundedSender<String>) {
    let mut lines = BufReader::new(output).lines();
    while let Ok(Some(line)) = lines.next_line().await {
        let _ = tell.send(line);
    }
}

//! moto: somebody else's idea of AWS, in a process of its own.

use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::mpsc::{Receiver, channel};
use std::thread::JoinHandle;
use std::time::Duration;

/// Where `cargo xtask test` installs it, under the target directory.
const PROGRAMS: &str = "tools/moto-5.2.5/bin";
const PATIENCE: Duration = Duration::from_mins(1);
const READY: &str = "Running on ";
const WITH_FUNCTION: &str = include_str!("../support/moto_with_function.py");

/// A running moto server. It ends when it is dropped, and when the thread that watches it ends.
pub struct Moto {
    child: Child,
    endpoint: String,
    log: Option<JoinHandle<()>>,
}

impl Moto {
    /// Starts a server on a free port of loopback and waits until it answers there.
    #[must_use]
    pub fn start() -> Self {
        Self::run(Command::new(program("moto_server")))
    }

    /// The same, but whatever its Lambda is to invoke, it posts to a URL: so its own `RotateSecret` drives a
    /// rotation function that runs elsewhere.
    #[must_use]
    pub fn with_function(invoke: &str) -> Self {
        let mut python = Command::new(program("python"));
        python
            .args(["-I", "-c", WITH_FUNCTION])
            .env("INVOKE", invoke);
        Self::run(python)
    }

    fn run(server: Command) -> Self {
        let mut child = spawn(server);
        let output = child.stderr.take().expect("piped");
        let (told, ready) = channel();
        let log = std::thread::spawn(move || {
            // Read to the end, or the server would stop at a full pipe.
            for line in BufReader::new(output).lines().map_while(Result::ok) {
                let _ = told.send(line);
            }
        });
        Self {
            endpoint: endpoint(&ready),
            child,
            log: Some(log),
        }
    }

    /// What an SDK takes as its endpoint.
    #[must_use]
    pub fn endpoint(&self) -> &str {
        &self.endpoint
    }
}

impl Drop for Moto {
    fn drop(&mut self) {
        // It may have ended by itself.
        let _ = self.child.kill();
        let _ = self.child.wait();
        if let Some(log) = self.log.take() {
            let _ = log.join();
        }
    }
}

fn spawn(server: Command) -> Child {
    let mut command = if Path::new("/usr/bin/setpriv").exists() {
        // A test that was killed leaves no server behind.
        let mut command = Command::new("/usr/bin/setpriv");
        command.args(["--pdeathsig", "KILL"]);
        command.arg(server.get_program()).args(server.get_args());
        let set = server
            .get_envs()
            .filter_map(|(name, value)| Some((name, value?)));
        command.envs(set);
        command
    } else {
        server
    };
    command
        .args(["-H", "127.0.0.1", "-p", "0"])
        // Each test has a region of its own, so that one server is enough for many.
        .env("MOTO_ALLOW_NONEXISTENT_REGION", "true")
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::piped());
    let started = command.spawn();
    started.expect("moto starts")
}

/// ` * Running on http://127.0.0.1:41023`
fn endpoint(log: &Receiver<String>) -> String {
    let mut told = Vec::new();
    while let Ok(line) = log.recv_timeout(PATIENCE) {
        if let Some((_, endpoint)) = line.split_once(READY) {
            return endpoint.trim().to_owned();
        }
        told.push(line);
    }
    panic!("moto did not start:\n{}", told.join("\n"));
}

/// A program of moto's environment: `python`, which has boto3, or `moto_server`.
pub(crate) fn program(name: &str) -> PathBuf {
    // Beside the program that runs: Cargo marks its target directory.
    let test = std::env::current_exe().expect("a test is a program");
    let marked = |directory: &&Path| directory.join("CACHEDIR.TAG").is_file();
    let target = test.ancestors().find(marked).expect("a target directory");
    let program = target.join(PROGRAMS).join(name);
    assert!(
        program.is_file(),
        "{} is missing: cargo xtask test installs it",
        program.display()
    );
    program
}

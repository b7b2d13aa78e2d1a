//! The server process: it lives exactly as long as the thread that watches it.

use std::fs::File;
use std::os::unix::process::CommandExt;
use std::path::Path;
use std::process::{Command, ExitStatus, Stdio};
use std::sync::mpsc;
use std::thread::{JoinHandle, sleep};
use std::time::{Duration, Instant};

use crate::ClusterError;
use crate::binaries::Binaries;
use crate::error::machine;
use crate::full_disk;
use crate::unprivileged::{Account, run};

const PATIENCE: Duration = Duration::from_mins(1);
const POLL: Duration = Duration::from_millis(10);

/// A running server.
pub(crate) struct Server {
    pid: u32,
    watcher: JoinHandle<Option<ExitStatus>>,
}

impl Server {
    /// Starts the server and waits until its state is `expected`.
    pub(crate) fn start(
        home: &Path,
        binaries: &Binaries,
        account: Account,
        expected: &str,
    ) -> Result<Self, ClusterError> {
        let log = home.join("server.log");
        let open = || File::options().create(true).append(true).open(&log);
        let output = open().map_err(machine("opening", &log))?;
        let mut command = command(home, binaries);
        account
            .apply(&mut command)
            .current_dir(home)
            // Ctrl-C in a terminal is for us; we stop the server when we are done with it.
            .process_group(0)
            // A standby is a client too, and would look for certificates in ours.
            .env("HOME", home)
            .envs(full_disk::variables(home))
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(output);
        let server = Self::spawn(command)?;
        match server.wait_until(expected, home) {
            Ok(()) => Ok(server),
            // The reason it is not ready matters more than how it ends.
            Err(error) => server.stop().and(Err(error)),
        }
    }

    /// The parent of `PR_SET_PDEATHSIG` is the *thread*: a runtime's worker may end long before the
    /// process, so the server gets a thread of its own.
    fn spawn(mut command: Command) -> Result<Self, ClusterError> {
        let (started, pid) = mpsc::channel();
        let watcher = std::thread::spawn(move || {
            let child = command.spawn();
            let report = child.as_ref().map(std::process::Child::id);
            // The receiver waits for exactly this message.
            let _ = started.send(report.map_err(|error| std::io::Error::from(error.kind())));
            child.ok()?.wait().ok()
        });
        let pid = pid
            .recv()
            .unwrap_or_else(|_| Err(std::io::ErrorKind::Other.into()));
        Ok(Self {
            pid: pid.map_err(machine("starting", "postgres"))?,
            watcher,
        })
    }

    fn wait_until(&self, expected: &str, home: &Path) -> Result<(), ClusterError> {
        let state = home.join("data/postmaster.pid");
        let ready = || {
            let text = std::fs::read_to_string(&state).unwrap_or_default();
            let mut lines = text.lines();
            lines.next() == Some(self.pid.to_string().as_str())
                && lines.any(|line| line.trim() == expected)
        };
        wait_for("start", || ready() || self.watcher.is_finished())?;
        if ready() && !self.watcher.is_finished() {
            return Ok(());
        }
        Err(ClusterError::NotStarted {
            log: tail(&home.join("server.log")),
        })
    }

    /// Sends a signal, if the server still runs.
    pub(crate) fn signal(&self, name: &str) -> Result<(), ClusterError> {
        if self.watcher.is_finished() {
            return Ok(());
        }
        // The shell's own kill: the program of that name is not installed everywhere.
        let script = format!("kill -{name} {}", self.pid);
        run(Command::new("sh").args(["-c", &script])).map(drop)
    }

    /// Ends the server at once, without a checkpoint, and waits for it.
    pub(crate) fn stop(self) -> Result<(), ClusterError> {
        self.signal("CONT")?;
        self.signal("QUIT")?;
        wait_for("stop", || self.watcher.is_finished())
    }
}

/// Waits for something that is seen by looking.
pub(crate) fn wait_for(
    what: &'static str,
    mut done: impl FnMut() -> bool,
) -> Result<(), ClusterError> {
    let deadline = Instant::now() + PATIENCE;
    while !done() {
        if Instant::now() > deadline {
            return Err(ClusterError::Late { what });
        }
        sleep(POLL);
    }
    Ok(())
}

fn command(home: &Path, binaries: &Binaries) -> Command {
    let postgres = binaries.program("postgres");
    let mut command = if Path::new("/usr/bin/setpriv").exists() {
        let mut command = Command::new("/usr/bin/setpriv");
        // QUIT, not KILL: the postmaster must take its shared memory with it.
        command.args(["--pdeathsig", "QUIT"]).arg(postgres);
        command
    } else {
        Command::new(postgres)
    };
    command.arg("-D").arg(home.join("data"));
    command
}

fn tail(log: &Path) -> String {
    let text = std::fs::read_to_string(log).unwrap_or_default();
    let lines: Vec<&str> = text.lines().collect();
    lines[lines.len().saturating_sub(15)..].join("\n")
}

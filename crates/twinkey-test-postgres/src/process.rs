//! A process that lives exactly as long as the thread that watches it.

use std::fs::File;
use std::os::unix::process::CommandExt;
use std::path::Path;
use std::process::{Command, ExitStatus, Stdio};
use std::sync::mpsc;
use std::thread::{JoinHandle, sleep};
use std::time::{Duration, Instant};

use crate::ClusterError;
use crate::error::machine;
use crate::unprivileged::{Account, run};

const PATIENCE: Duration = Duration::from_mins(1);
const POLL: Duration = Duration::from_millis(10);

/// A running program.
pub(crate) struct Process {
    pid: u32,
    watcher: JoinHandle<Option<ExitStatus>>,
}

impl Process {
    /// Starts a program at home as this account. What it writes goes to the end of the log.
    pub(crate) fn start(
        mut command: Command,
        home: &Path,
        log: &Path,
        account: Account,
    ) -> Result<Self, ClusterError> {
        let open = || File::options().create(true).append(true).open(log);
        let output = open().map_err(machine("opening", log))?;
        account
            .apply(&mut command)
            .current_dir(home)
            // Ctrl-C in a terminal is for us; we stop the server when we are done with it.
            .process_group(0)
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(output);
        Self::spawn(command)
    }

    /// The parent of `PR_SET_PDEATHSIG` is the *thread*: a runtime's worker may end long before the
    /// process, so the server gets a thread of its own.
    fn spawn(mut command: Command) -> Result<Self, ClusterError> {
        let program = command.get_program().to_os_string();
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
            pid: pid.map_err(machine("starting", program))?,
            watcher,
        })
    }

    pub(crate) fn pid(&self) -> u32 {
        self.pid
    }

    pub(crate) fn is_over(&self) -> bool {
        self.watcher.is_finished()
    }

    /// Sends a signal, if the program still runs.
    pub(crate) fn signal(&self, name: &str) -> Result<(), ClusterError> {
        if self.is_over() {
            return Ok(());
        }
        // The shell's own kill: the program of that name is not installed everywhere.
        let script = format!("kill -{name} {}", self.pid);
        run(Command::new("sh").args(["-c", &script])).map(drop)
    }

    /// Ends the program by a signal, and waits for it.
    pub(crate) fn stop(self, signal: &str) -> Result<(), ClusterError> {
        self.signal(signal)?;
        wait_for("stop", || self.is_over())
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

/// The command that starts a program, which gets a signal when we are gone.
pub(crate) fn dying_with_us(program: &Path, signal: &str) -> Command {
    if !Path::new("/usr/bin/setpriv").exists() {
        return Command::new(program);
    }
    let mut command = Command::new("/usr/bin/setpriv");
    command.args(["--pdeathsig", signal]).arg(program);
    command
}

/// The end of a log.
pub(crate) fn tail(log: &Path) -> String {
    let text = std::fs::read_to_string(log).unwrap_or_default();
    let lines: Vec<&str> = text.lines().collect();
    lines[lines.len().saturating_sub(15)..].join("\n")
}

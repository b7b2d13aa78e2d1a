//! The server's process.

use std::path::Path;

use crate::ClusterError;
use crate::binaries::Binaries;
use crate::full_disk;
use crate::process::{Process, dying_with_us, tail, wait_for};
use crate::unprivileged::Account;

/// A running server.
pub(crate) struct Server(Process);

impl Server {
    /// Starts the server and waits until its state is `expected`.
    pub(crate) fn start(
        home: &Path,
        binaries: &Binaries,
        account: Account,
        expected: &str,
    ) -> Result<Self, ClusterError> {
        // QUIT, not KILL: the postmaster must take its shared memory with it.
        let mut command = dying_with_us(&binaries.program("postgres"), "QUIT");
        command
            .arg("-D")
            .arg(home.join("data"))
            // A standby is a client too, and would look for certificates in ours.
            .env("HOME", home)
            .envs(full_disk::variables(home));
        let log = home.join("server.log");
        let server = Self(Process::start(command, home, &log, account)?);
        match server.wait_until(expected, home) {
            Ok(()) => Ok(server),
            // The reason it is not ready matters more than how it ends.
            Err(error) => server.stop().and(Err(error)),
        }
    }

    fn wait_until(&self, expected: &str, home: &Path) -> Result<(), ClusterError> {
        let state = home.join("data/postmaster.pid");
        let ready = || {
            let text = std::fs::read_to_string(&state).unwrap_or_default();
            let mut lines = text.lines();
            lines.next() == Some(self.0.pid().to_string().as_str())
                && lines.any(|line| line.trim() == expected)
        };
        wait_for("start", || ready() || self.0.is_over())?;
        if ready() && !self.0.is_over() {
            return Ok(());
        }
        Err(ClusterError::NotStarted {
            log: tail(&home.join("server.log")),
        })
    }

    /// Sends a signal, if the server still runs.
    pub(crate) fn signal(&self, name: &str) -> Result<(), ClusterError> {
        self.0.signal(name)
    }

    /// Ends the server at once, without a checkpoint, and waits for it.
    pub(crate) fn stop(self) -> Result<(), ClusterError> {
        self.0.signal("CONT")?;
        self.0.stop("QUIT")
    }
}

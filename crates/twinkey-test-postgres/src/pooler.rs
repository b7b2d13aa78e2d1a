//! A pgbouncer in front of a cluster.

use std::collections::BTreeMap;
use std::ffi::OsString;
use std::fmt::Write as _;
use std::path::{Path, PathBuf};

use rand::distr::{Alphanumeric, SampleString};
use tempfile::TempDir;
use tokio_postgres::{Client, SimpleQueryMessage};

use crate::cluster::{free_port, private_directory, write};
use crate::error::machine;
use crate::login::{connect, tls};
use crate::process::{Process, dying_with_us, tail, wait_for};
use crate::target::target;
use crate::unprivileged::Account;
use crate::{Cluster, ClusterError};

/// The role as which a pooler asks for verifiers, and to which its console belongs.
pub const POOLER_ROLE: &str = "pgbouncer";

/// Where `cargo xtask test` unpacks Debian's package, under the target directory.
const PACKAGE: &str = "tools/pgbouncer/usr";
const INSTALLED: &str = "/usr/sbin/pgbouncer";

/// When a server connection goes from one client to the next.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PoolMode {
    /// When the client leaves.
    Session,
    /// After each transaction.
    Transaction,
}

/// A running pooler: TLS on both sides, verified in full towards the server; on loopback only. Stopped and
/// removed when dropped.
pub struct Pooler {
    port: u16,
    password: String,
    process: Option<Process>,
    home: TempDir,
}

impl Pooler {
    /// Starts a pooler before a cluster, and waits until it listens. Further settings are lines of its section
    /// `[pgbouncer]`, the last of a name counts; `auth_query` must be among them for roles to get in. Its role has
    /// to be made by whoever starts it: see [`Pooler::password`].
    pub fn start(
        cluster: &Cluster,
        mode: PoolMode,
        settings: &[&str],
    ) -> Result<Self, ClusterError> {
        let account = Account::find()?;
        let mut pooler = Self {
            port: 0,
            password: Alphanumeric.sample_string(&mut rand::rng(), 24),
            process: None,
            home: private_directory("twinkey-pooler-")?,
        };
        pooler.write_files(cluster)?;
        pooler.start_on_a_free_port(cluster, mode, settings, account)?;
        Ok(pooler)
    }

    /// Another process may take the port between our look and the pooler's start.
    fn start_on_a_free_port(
        &mut self,
        cluster: &Cluster,
        mode: PoolMode,
        settings: &[&str],
        account: Account,
    ) -> Result<(), ClusterError> {
        const ATTEMPTS: usize = 5;
        let mut log = String::new();
        for _ in 0..ATTEMPTS {
            self.port = free_port()?;
            let configuration = self.configuration(cluster, mode, settings);
            write(self.home.path(), "pgbouncer.ini", &configuration)?;
            account.own(self.home.path())?;
            let process = self.run(account)?;
            wait_for("start", || self.is_up() || process.is_over())?;
            if !process.is_over() {
                self.process = Some(process);
                return Ok(());
            }
            log = tail(&self.log_path());
            if !log.contains("Address already in use") {
                break;
            }
        }
        Err(ClusterError::NotStarted { log })
    }

    fn run(&self, account: Account) -> Result<Process, ClusterError> {
        let (program, libraries) = find_program()?;
        let mut command = dying_with_us(&program, "KILL");
        command.arg(self.home.path().join("pgbouncer.ini"));
        if let Some(libraries) = libraries {
            command.env("LD_LIBRARY_PATH", libraries);
        }
        Process::start(command, self.home.path(), &self.log_path(), account)
    }

    fn is_up(&self) -> bool {
        self.log().contains("process up")
    }

    fn write_files(&self, cluster: &Cluster) -> Result<(), ClusterError> {
        let home = self.home.path();
        // Made for the same host as the server's.
        for (name, path) in [
            ("pooler.crt", cluster.certificate_path()),
            ("pooler.key", cluster.key_path()),
            ("ca.pem", cluster.ca_path()),
        ] {
            let text = std::fs::read_to_string(&path).map_err(machine("reading", &path))?;
            write(home, name, &text)?;
        }
        let roles = format!("\"{POOLER_ROLE}\" \"{}\"\n", self.password);
        write(home, "userlist.txt", &roles)
    }

    fn configuration(&self, cluster: &Cluster, mode: PoolMode, settings: &[&str]) -> String {
        let mode = match mode {
            PoolMode::Session => "session",
            PoolMode::Transaction => "transaction",
        };
        let (host, server, port) = (cluster.host(), cluster.port(), self.port);
        let mut text = format!(
            "[databases]
* = host={host} port={server}
[pgbouncer]
listen_addr = {host}
listen_port = {port}
unix_socket_dir =
pool_mode = {mode}
auth_type = scram-sha-256
auth_file = userlist.txt
auth_user = {POOLER_ROLE}
admin_users = {POOLER_ROLE}
client_tls_sslmode = require
client_tls_cert_file = pooler.crt
client_tls_key_file = pooler.key
server_tls_sslmode = verify-full
server_tls_ca_file = ca.pem
"
        );
        for line in settings {
            let _ = writeln!(text, "{line}");
        }
        text
    }

    /// The address it listens on.
    #[must_use]
    pub fn host(&self) -> &'static str {
        "127.0.0.1"
    }

    /// The port it listens on.
    #[must_use]
    pub fn port(&self) -> u16 {
        self.port
    }

    /// The password that [`POOLER_ROLE`] must have at the server.
    #[must_use]
    pub fn password(&self) -> &str {
        &self.password
    }

    /// Everything it has logged.
    #[must_use]
    pub fn log(&self) -> String {
        let bytes = std::fs::read(self.log_path()).unwrap_or_default();
        String::from_utf8_lossy(&bytes).into_owned()
    }

    fn log_path(&self) -> PathBuf {
        self.home.path().join("pgbouncer.log")
    }

    /// A connection through it, over verified TLS.
    pub async fn connect(
        &self,
        user: &str,
        password: &str,
        database: &str,
    ) -> Result<Client, ClusterError> {
        let tls = tls(&self.home.path().join("ca.pem"))?;
        connect(tls, self.port, user, password, database).await
    }

    /// Whether this password opens it now. Another refusal than that of the password is an error, never an answer.
    pub async fn can_log_in(
        &self,
        user: &str,
        password: &str,
        database: &str,
    ) -> Result<bool, ClusterError> {
        match self.connect(user, password, database).await {
            Ok(_) => Ok(true),
            // It has no code of its own for a wrong password.
            Err(ClusterError::Server(error))
                if error
                    .as_db_error()
                    .is_some_and(|error| error.message() == "SASL authentication failed") =>
            {
                Ok(false)
            }
            Err(error) => Err(error),
        }
    }

    /// Gives its console a command, such as `SHOW POOLS`, and returns the rows by the names of their columns.
    pub async fn console(
        &self,
        command: &str,
    ) -> Result<Vec<BTreeMap<String, String>>, ClusterError> {
        let console = self
            .connect(POOLER_ROLE, &self.password, "pgbouncer")
            .await?;
        let messages = console.simple_query(command).await?;
        let rows = messages.iter().filter_map(|message| match message {
            SimpleQueryMessage::Row(row) => Some(row),
            _ => None,
        });
        let named = rows.map(|row| {
            let cell = |(index, column): (usize, &tokio_postgres::SimpleColumn)| {
                let value = row.get(index).unwrap_or_default();
                (column.name().to_owned(), value.to_owned())
            };
            row.columns().iter().enumerate().map(cell).collect()
        });
        Ok(named.collect())
    }
}

impl Drop for Pooler {
    fn drop(&mut self) {
        if let Some(process) = self.process.take() {
            // Nobody is left to hear of a failure; the directory goes in any case.
            let _ = process.stop("KILL");
        }
    }
}

/// The program, and where its libraries are unless they are installed.
fn find_program() -> Result<(PathBuf, Option<OsString>), ClusterError> {
    let package = target().map(|target| target.join(PACKAGE));
    if let Some(package) = package.filter(|package| package.join("sbin/pgbouncer").is_file()) {
        let libraries = folders(&package.join("lib"))?;
        return Ok((package.join("sbin/pgbouncer"), Some(libraries)));
    }
    let installed = Path::new(INSTALLED);
    if installed.is_file() {
        return Ok((installed.to_owned(), None));
    }
    Err(ClusterError::NoPooler)
}

/// Debian has a folder of libraries for each architecture.
fn folders(libraries: &Path) -> Result<OsString, ClusterError> {
    let entries = std::fs::read_dir(libraries).map_err(machine("reading", libraries))?;
    let folders = entries.flatten().map(|entry| entry.path());
    std::env::join_paths(folders).map_err(|_| ClusterError::NoPooler)
}

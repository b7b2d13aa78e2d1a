//! One throwaway cluster.

use std::fmt::Write as _;
use std::net::TcpListener;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, MutexGuard, PoisonError};

use tempfile::TempDir;

use crate::certificate::{CertificateAuthority, Signatures};
use crate::error::machine;
use crate::process::wait_for;
use crate::server::Server;
use crate::unprivileged::Account;
use crate::{Binaries, ClusterError, find_binaries, full_disk, template};

/// The name of the superuser of every cluster.
pub const SUPERUSER: &str = "postgres";

/// As `postmaster.pid` has it when connections are accepted.
const READY: &str = "ready";

/// How a cluster differs from the ordinary one.
#[derive(Clone, Debug)]
pub struct Options {
    /// Host names and addresses in the server's certificate.
    pub certificate_names: Vec<String>,
    /// How the authority signs that the server's certificate comes from.
    pub signatures: Signatures,
    /// The authorities whose client certificates the server takes, as PEM.
    pub client_authorities: Option<String>,
    /// Whether the server speaks TLS at all.
    pub tls: bool,
    /// The lines of `pg_hba.conf`.
    pub hba: Vec<String>,
    /// Further lines of `postgresql.conf`.
    pub settings: Vec<(String, String)>,
    /// Whether its disk can be filled; takes a C compiler.
    pub fillable_disk: bool,
    /// Which server; the newest installed one by default.
    pub binaries: Option<Binaries>,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            certificate_names: vec!["localhost".into(), "127.0.0.1".into()],
            signatures: Signatures::default(),
            client_authorities: None,
            tls: true,
            hba: vec!["hostssl all all 127.0.0.1/32 scram-sha-256".into()],
            settings: Vec::new(),
            fillable_disk: false,
            binaries: None,
        }
    }
}

/// A running cluster. Stopped and removed when dropped.
pub struct Cluster {
    pub(crate) port: u16,
    pub(crate) password: String,
    pub(crate) binaries: Binaries,
    pub(crate) account: Account,
    pub(crate) server: Mutex<Option<Server>>,
    // Last, so that the directory goes after everything that looks into it.
    pub(crate) home: TempDir,
}

impl Cluster {
    /// Makes a cluster and starts its server on a free port of 127.0.0.1. Blocks until it
    /// accepts connections.
    pub fn start(options: &Options) -> Result<Self, ClusterError> {
        let binaries = match options.binaries.clone() {
            Some(binaries) => binaries,
            None => find_binaries()?,
        };
        let account = Account::find()?;
        let home = private_directory("twinkey-postgres-")?;
        let password = template::initialise(home.path(), &binaries, account)?;
        write_certificates(home.path(), options)?;
        write_hba(home.path(), options.hba.iter().map(String::as_str))?;
        if options.fillable_disk {
            full_disk::build_library(home.path())?;
        }
        account.own(home.path())?;
        let cluster = Self {
            port: 0,
            password,
            binaries,
            account,
            server: Mutex::new(None),
            home,
        };
        cluster.start_on_a_free_port(options)
    }

    /// Another process may take the port between our look and the server's start.
    fn start_on_a_free_port(mut self, options: &Options) -> Result<Self, ClusterError> {
        const ATTEMPTS: usize = 5;
        let mut result = Ok(());
        for _ in 0..ATTEMPTS {
            self.port = free_port()?;
            write_settings(self.home.path(), self.port, options)?;
            result = self.resume();
            if !matches!(&result, Err(ClusterError::NotStarted { log }) if log.contains("could not bind"))
            {
                break;
            }
        }
        result.map(|()| self)
    }

    /// The address it listens on.
    #[must_use]
    pub fn host(&self) -> &'static str {
        "127.0.0.1"
    }

    /// The port it listens on, the same after a stop.
    #[must_use]
    pub fn port(&self) -> u16 {
        self.port
    }

    /// The superuser's password.
    #[must_use]
    pub fn password(&self) -> &str {
        &self.password
    }

    /// The certificate of the authority that signed the server's certificate.
    #[must_use]
    pub fn ca_path(&self) -> PathBuf {
        self.home.path().join("ca.pem")
    }

    pub(crate) fn certificate_path(&self) -> PathBuf {
        self.home.path().join("data/server.crt")
    }

    pub(crate) fn key_path(&self) -> PathBuf {
        self.home.path().join("data/server.key")
    }

    /// The certificate of an authority that did not.
    #[must_use]
    pub fn foreign_ca_path(&self) -> PathBuf {
        self.home.path().join("foreign-ca.pem")
    }

    /// The server's major and minor version.
    #[must_use]
    pub fn version(&self) -> (u32, u32) {
        self.binaries.version()
    }

    /// Everything the server has logged: each statement, connection and error.
    #[must_use]
    pub fn log(&self) -> String {
        let bytes = std::fs::read(self.home.path().join("server.log")).unwrap_or_default();
        String::from_utf8_lossy(&bytes).into_owned()
    }

    /// Replaces the lines of `pg_hba.conf` and waits until they are in force.
    pub fn set_hba(&self, lines: &[&str]) -> Result<(), ClusterError> {
        write_hba(self.home.path(), lines.iter().copied())?;
        self.reload()
    }

    /// Makes the server read its configuration again and waits until it has.
    pub fn reload(&self) -> Result<(), ClusterError> {
        // The postmaster says so before it does so, and accepts nobody in between.
        let reloads = |log: &str| log.matches("reloading configuration files").count();
        let before = reloads(&self.log());
        self.signal("HUP")?;
        wait_for("reload", || reloads(&self.log()) > before)
    }

    /// Stops the server: connections are refused from now on. Its data stays.
    pub fn stop(&self) -> Result<(), ClusterError> {
        let server = self.server().take();
        server.map_or(Ok(()), Server::stop)
    }

    /// Starts the server again on the same port.
    pub fn resume(&self) -> Result<(), ClusterError> {
        self.resume_until(READY)
    }

    pub(crate) fn resume_until(&self, expected: &str) -> Result<(), ClusterError> {
        let mut server = self.server();
        if server.is_none() {
            *server = Some(Server::start(
                self.home.path(),
                &self.binaries,
                self.account,
                expected,
            )?);
        }
        Ok(())
    }

    /// Stops the postmaster in its tracks: new connections are taken and never answered.
    pub fn freeze(&self) -> Result<(), ClusterError> {
        self.signal("STOP")
    }

    /// Ends the freeze.
    pub fn thaw(&self) -> Result<(), ClusterError> {
        self.signal("CONT")
    }

    /// Where everything of it is.
    pub(crate) fn home(&self) -> &Path {
        self.home.path()
    }

    fn signal(&self, name: &str) -> Result<(), ClusterError> {
        match self.server().as_ref() {
            Some(server) => server.signal(name),
            None => Ok(()),
        }
    }

    fn server(&self) -> MutexGuard<'_, Option<Server>> {
        self.server.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for Cluster {
    fn drop(&mut self) {
        // Nobody is left to hear of a failure; the directory goes in any case.
        let _ = self.stop();
    }
}

/// A temporary directory that nobody else looks into.
pub(crate) fn private_directory(prefix: &str) -> Result<TempDir, ClusterError> {
    tempfile::Builder::new()
        .prefix(prefix)
        .permissions(PermissionsExt::from_mode(0o700))
        .tempdir()
        .map_err(machine("creating", "a temporary directory"))
}

pub(crate) fn free_port() -> Result<u16, ClusterError> {
    TcpListener::bind("127.0.0.1:0")
        .and_then(|listener| listener.local_addr())
        .map(|address| address.port())
        .map_err(machine("looking for a free port on", "127.0.0.1"))
}

fn write_certificates(home: &Path, options: &Options) -> Result<(), ClusterError> {
    let authority = CertificateAuthority::signing("throwaway authority", options.signatures)?;
    let foreign = CertificateAuthority::new("foreign authority")?;
    let server = authority.issue(&options.certificate_names)?;
    let clients = options.client_authorities.as_deref().unwrap_or_default();
    write(home, "data/clients.crt", clients)?;
    write(home, "ca.pem", authority.pem())?;
    write(home, "foreign-ca.pem", foreign.pem())?;
    write(home, "data/server.crt", &server.pem)?;
    write(home, "data/server.key", &server.key)
}

fn write_hba<'a>(home: &Path, lines: impl Iterator<Item = &'a str>) -> Result<(), ClusterError> {
    let text: String = lines.flat_map(|line| [line, "\n"]).collect();
    write(home, "data/pg_hba.conf", &text)
}

fn write_settings(home: &Path, port: u16, options: &Options) -> Result<(), ClusterError> {
    let port = port.to_string();
    let tls = if options.tls { "on" } else { "off" };
    let mut settings = vec![
        ("listen_addresses", "127.0.0.1"),
        ("port", &port),
        ("unix_socket_directories", ""),
        ("ssl", tls),
        ("password_encryption", "scram-sha-256"),
        ("log_statement", "all"),
        ("log_connections", "on"),
        ("log_line_prefix", "%m [%p] user=%u "),
        ("lc_messages", "C"),
        ("fsync", "off"),
        ("full_page_writes", "off"),
        ("shared_buffers", "16MB"),
        // Containers often have no /dev/shm to speak of.
        ("dynamic_shared_memory_type", "mmap"),
        ("max_connections", "100"),
    ];
    if options.client_authorities.is_some() {
        settings.push(("ssl_ca_file", "clients.crt"));
    }
    settings.extend(
        options
            .settings
            .iter()
            .map(|(name, value)| (name.as_str(), value.as_str())),
    );
    let mut text = String::new();
    for (name, value) in settings {
        let _ = writeln!(text, "{name} = '{}'", value.replace('\'', "''"));
    }
    write(home, "data/postgresql.conf", &text)
}

/// Readable by its owner alone, as the server demands of its key.
pub(crate) fn write(home: &Path, name: &str, text: &str) -> Result<(), ClusterError> {
    let path = home.join(name);
    std::fs::write(&path, text).map_err(machine("writing", &path))?;
    std::fs::set_permissions(&path, PermissionsExt::from_mode(0o600))
        .map_err(machine("protecting", &path))
}

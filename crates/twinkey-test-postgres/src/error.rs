//! What can go wrong around a throwaway cluster.

use std::path::Path;

/// Why a cluster could not be made or used.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ClusterError {
    /// No Postgres server is installed.
    #[error(
        "no PostgreSQL server was found (looked for initdb and postgres by pg_config, in PATH and \
         under /usr/lib/postgresql); on Debian and Ubuntu: apt-get install postgresql"
    )]
    NoServer,
    /// There is no server where one was said to be.
    #[error("TWINKEY_TEST_POSTGRES: no PostgreSQL server in {}", directory.display())]
    NotThere {
        /// Where.
        directory: std::path::PathBuf,
    },
    /// No pgbouncer is unpacked or installed.
    #[error(
        "no pgbouncer was found: cargo xtask test unpacks Debian's; or apt-get install pgbouncer"
    )]
    NoPooler,
    /// The machine did not let us.
    #[error("{doing}: {source}")]
    Machine {
        /// What we were doing.
        doing: String,
        /// What came of it.
        source: std::io::Error,
    },
    /// A program failed.
    #[error("{program} failed: {output}")]
    Program {
        /// Which.
        program: String,
        /// What it wrote.
        output: String,
    },
    /// The server did not come up.
    #[error("the server did not start; the end of its log:\n{log}")]
    NotStarted {
        /// The end of its log.
        log: String,
    },
    /// The server did not do in time what it was told.
    #[error("the server did not {what} in time")]
    Late {
        /// What it was told.
        what: &'static str,
    },
    /// A certificate could not be made.
    #[error("making a certificate: {0}")]
    Certificate(#[from] rcgen::Error),
    /// The TLS client could not be set up.
    #[error("setting up TLS: {0}")]
    Tls(#[from] rustls::Error),
    /// The server answered with an error.
    #[error("the server answered: {}", answer(.0))]
    Server(#[from] tokio_postgres::Error),
}

fn answer(error: &tokio_postgres::Error) -> String {
    match error.as_db_error() {
        Some(error) => format!("{} ({})", error.message(), error.code().code()),
        None => error.to_string(),
    }
}

/// Says what we were doing when the machine refused.
pub(crate) fn machine(
    doing: &str,
    path: impl AsRef<Path>,
) -> impl FnOnce(std::io::Error) -> ClusterError {
    let doing = format!("{doing} {}", path.as_ref().display());
    move |source| ClusterError::Machine { doing, source }
}

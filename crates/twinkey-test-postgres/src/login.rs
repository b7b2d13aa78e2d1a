//! Logging in, for set-up and for counting live keys. Independent of the provider under test.

use std::path::Path;
use std::sync::Arc;

use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::PemObject;
use rustls::{ClientConfig, RootCertStore};
use tokio_postgres::config::SslMode;
use tokio_postgres::error::SqlState;
use tokio_postgres::{Client, Config};
use tokio_postgres_rustls::MakeRustlsConnect;

use crate::ClusterError;
use crate::cluster::{Cluster, SUPERUSER};
use crate::error::machine;

impl Cluster {
    /// A connection as superuser. Ends when the client is dropped.
    pub async fn superuser(&self, database: &str) -> Result<Client, ClusterError> {
        self.connect(SUPERUSER, self.password(), database).await
    }

    /// A connection as anybody, over verified TLS.
    pub async fn connect(
        &self,
        user: &str,
        password: &str,
        database: &str,
    ) -> Result<Client, ClusterError> {
        let tls = tls(&self.ca_path())?;
        connect(tls, self.port(), user, password, database).await
    }

    /// Whether this password is live: the server accepts it now. A server that refuses for any
    /// other reason than the password is an error, never an answer.
    pub async fn can_log_in(
        &self,
        user: &str,
        password: &str,
        database: &str,
    ) -> Result<bool, ClusterError> {
        match self.connect(user, password, database).await {
            Ok(_) => Ok(true),
            Err(ClusterError::Server(error))
                if error.code() == Some(&SqlState::INVALID_PASSWORD) =>
            {
                Ok(false)
            }
            Err(error) => Err(error),
        }
    }
}

/// A connection to something that listens on loopback. Ends when the client is dropped.
pub(crate) async fn connect(
    tls: MakeRustlsConnect,
    port: u16,
    user: &str,
    password: &str,
    database: &str,
) -> Result<Client, ClusterError> {
    let mut config = Config::new();
    config
        .host("127.0.0.1")
        .port(port)
        .user(user)
        .password(password)
        .dbname(database)
        .ssl_mode(SslMode::Require);
    let (client, connection) = config.connect(tls).await?;
    tokio::spawn(connection);
    Ok(client)
}

/// Trusts the authorities in a file, and no others.
pub(crate) fn tls(authorities: &Path) -> Result<MakeRustlsConnect, ClusterError> {
    let text = std::fs::read(authorities).map_err(machine("reading", authorities))?;
    let mut roots = RootCertStore::empty();
    roots.add_parsable_certificates(CertificateDer::pem_slice_iter(&text).flatten());
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let config = ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()?
        .with_root_certificates(roots)
        .with_no_client_auth();
    Ok(MakeRustlsConnect::new(config))
}

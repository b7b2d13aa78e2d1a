//! One connection: every wait has an end, and TLS is as the document says, with no way between.

use std::fmt;
use std::net::SocketAddr;
use std::sync::atomic::Ordering;
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use rustls::ClientConfig;
use secrecy::{ExposeSecret, SecretString};
use tokio::net::{TcpStream, lookup_host};
use tokio::time::timeout;
use tokio_postgres::config::{ChannelBinding, SslMode};
use tokio_postgres::{Config, NoTls};
use twinkey_core::{IamLogin, IamTokens, SecretValue};

use crate::authentication_guard::{Guard, Terms};
use crate::client_certificate::ClientCertificate;
use crate::connect_error::ConnectError;
use crate::error::PostgresError;
use crate::session::Session;
use crate::settings::Settings;
use crate::tls::GuardedTls;

/// Where a server listens.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Address {
    pub(crate) host: String,
    pub(crate) port: u16,
}

impl Address {
    /// Host names do not depend on case.
    pub(crate) fn new(host: &str, port: u16) -> Self {
        Self {
            host: host.to_ascii_lowercase(),
            port,
        }
    }

    /// Parses `host:port`; an IPv6 address stands in brackets.
    pub(crate) fn parse(text: &str) -> Option<Self> {
        let (host, port) = text.rsplit_once(':')?;
        let bracketed = host
            .strip_prefix('[')
            .and_then(|host| host.strip_suffix(']'));
        let host = bracketed.unwrap_or(host);
        let ambiguous = bracketed.is_none() && host.contains(':');
        let port = port_number(port)?;
        (is_host(host) && !ambiguous && port != 0).then(|| Self::new(host, port))
    }
}

/// A host name or address, as a certificate could name it: no socket, no list, no options.
pub(crate) fn is_host(text: &str) -> bool {
    rustls::pki_types::ServerName::try_from(text).is_ok()
}

/// Digits and nothing else: the standard parser takes a plus sign, which other clients do not.
pub(crate) fn port_number(text: &str) -> Option<u16> {
    let digits = text.bytes().all(|byte| byte.is_ascii_digit());
    digits.then(|| text.parse().ok()).flatten()
}

impl fmt::Display for Address {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.host.contains(':') {
            write!(f, "[{}]:{}", self.host, self.port)
        } else {
            write!(f, "{}:{}", self.host, self.port)
        }
    }
}

/// Whether a connection is encrypted. There is no third way.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum TlsMode {
    /// The chain and the host name are verified.
    Verified,
    /// No TLS at all, because the document says so.
    Plaintext,
}

/// As whom to log in, and where.
pub(crate) struct Login<'a> {
    pub(crate) address: &'a Address,
    pub(crate) tls: TlsMode,
    pub(crate) channel_binding: ChannelBinding,
    pub(crate) user: &'a str,
    pub(crate) proof: Proof<'a>,
    pub(crate) database: &'a str,
    /// Settings for the session, as the server's command line would take them.
    pub(crate) options: Option<&'a str>,
}

/// What is shown to prove it.
pub(crate) enum Proof<'a> {
    /// Never sent as it is.
    Password(&'a SecretString),
    /// With a password for servers that want both.
    Certificate(&'a ClientCertificate, Option<&'a SecretString>),
    /// By IAM: good for minutes, and sent as it is, which is how servers take it.
    Token(SecretValue),
}

impl Login<'_> {
    fn password(&self) -> Option<&str> {
        match &self.proof {
            Proof::Password(password) => Some(password.expose_secret()),
            Proof::Certificate(_, password) => password.map(ExposeSecret::expose_secret),
            Proof::Token(token) => Some(token.expose()),
        }
    }

    /// What the server may ask for over verified TLS.
    pub(crate) fn terms(&self) -> Terms {
        match self.proof {
            _ if self.channel_binding == ChannelBinding::Require => Terms::Bound,
            Proof::Password(_) => Terms::Tls,
            Proof::Certificate(_, password) => Terms::Certificate {
                presented: false,
                password: password.is_some(),
            },
            Proof::Token(_) => Terms::Token,
        }
    }
}

/// Makes connections by the operator's settings.
pub(crate) struct Connector {
    settings: Settings,
    // Reading the system's authorities takes longer than a login: once, and only if needed.
    tls: OnceLock<Result<ClientConfig, rustls::Error>>,
    iam: Option<Arc<dyn IamTokens>>,
}

impl Connector {
    pub(crate) fn new(settings: Settings) -> Self {
        Self {
            settings,
            tls: OnceLock::new(),
            iam: None,
        }
    }

    /// The same settings, with a source of tokens.
    pub(crate) fn with_iam(&self, iam: Arc<dyn IamTokens>) -> Self {
        Self {
            iam: Some(iam),
            ..Self::new(self.settings.clone())
        }
    }

    pub(crate) async fn iam_token(
        &self,
        login: IamLogin<'_>,
    ) -> Result<SecretValue, PostgresError> {
        let iam = self.iam.as_ref().ok_or(PostgresError::IamUnavailable)?;
        iam.token(login).await.map_err(PostgresError::IamToken)
    }

    pub(crate) fn settings(&self) -> &Settings {
        &self.settings
    }

    /// Logs in, or says why not, in time.
    pub(crate) async fn open(&self, login: &Login<'_>) -> Result<Session, ConnectError> {
        let timeouts = &self.settings.timeouts;
        let stream = within(timeouts.connect, "a connection", self.reach(login)).await??;
        let handshake = self.shake_hands(stream, login);
        within(timeouts.handshake, "the login", handshake).await?
    }

    async fn reach(&self, login: &Login<'_>) -> Result<TcpStream, ConnectError> {
        let Address { host, port } = login.address;
        let addresses: Vec<SocketAddr> = match lookup_host((host.as_str(), *port)).await {
            Ok(addresses) => addresses.collect(),
            Err(_) => return Err(ConnectError::HostNotFound),
        };
        self.allow(login.tls, &addresses)?;
        let mut outcome = Err(ConnectError::HostNotFound);
        for address in addresses {
            outcome = TcpStream::connect(address)
                .await
                .map_err(|error| ConnectError::Unreachable(error.kind()));
            if outcome.is_ok() {
                break;
            }
        }
        let stream = outcome?;
        // Without it, each small message waits for the acknowledgement of the one before.
        let _ = stream.set_nodelay(true);
        Ok(stream)
    }

    fn allow(&self, tls: TlsMode, addresses: &[SocketAddr]) -> Result<(), ConnectError> {
        let loopback = addresses.iter().all(|address| address.ip().is_loopback());
        if tls == TlsMode::Verified || loopback || self.settings.allow_plaintext {
            Ok(())
        } else {
            Err(ConnectError::PlaintextRefused)
        }
    }

    async fn shake_hands(
        &self,
        stream: TcpStream,
        login: &Login<'_>,
    ) -> Result<Session, ConnectError> {
        let config = config(login);
        let patience = self.settings.timeouts.statement;
        match login.tls {
            TlsMode::Plaintext => {
                let stream = Guard::new(stream, Terms::Plain);
                let connected = config.connect_raw(stream, NoTls).await;
                let (client, connection) =
                    connected.map_err(|error| ConnectError::of(&error, false))?;
                Ok(Session::new(client, connection, patience))
            }
            TlsMode::Verified => {
                let (tls, started) = GuardedTls::new(self.tls()?, login);
                let connected = config.connect_raw(stream, tls).await;
                let (client, connection) = connected
                    .map_err(|error| ConnectError::of(&error, !started.load(Ordering::Relaxed)))?;
                Ok(Session::new(client, connection, patience))
            }
        }
    }

    fn tls(&self) -> Result<&ClientConfig, ConnectError> {
        self.tls
            .get_or_init(|| self.settings.authorities.client())
            .as_ref()
            .map_err(|error| ConnectError::TlsFailed(error.to_string()))
    }
}

/// By setters only: a text of `key=value` pairs would let a database name smuggle in a host.
pub(crate) fn config(login: &Login<'_>) -> Config {
    let mut config = Config::new();
    config
        .user(login.user)
        .dbname(login.database)
        .application_name("twinkey")
        .channel_binding(login.channel_binding)
        .ssl_mode(match login.tls {
            TlsMode::Verified => SslMode::Require,
            TlsMode::Plaintext => SslMode::Disable,
        });
    if let Some(password) = login.password() {
        config.password(password);
    }
    if let Some(options) = login.options {
        config.options(options);
    }
    config
}

async fn within<T>(
    patience: Duration,
    what: &'static str,
    work: impl Future<Output = T>,
) -> Result<T, ConnectError> {
    timeout(patience, work)
        .await
        .map_err(|_| ConnectError::Timeout(what))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_is_a_host_and_a_port_and_nothing_else() {
        assert_eq!(Address::parse("DB:5432"), Some(Address::new("db", 5432)));
        assert_eq!(Address::parse("[::1]:1"), Some(Address::new("::1", 1)));
        assert_eq!(Address::new("::1", 1).to_string(), "[::1]:1");
        for wrong in [
            "db",
            ":5432",
            "db:",
            "db:0",
            "db:65536",
            "db:+5432",
            "::1:5432",
            "[[db]]:1",
            "a b:1",
            "user@db:1",
        ] {
            assert_eq!(Address::parse(wrong), None, "{wrong}");
        }
    }
}

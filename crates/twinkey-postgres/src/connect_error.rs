//! Why a connection or a login did not come about, told apart by types and codes, never by texts
//! that a server may have translated.

use std::error::Error as _;
use std::io;

use rustls::{AlertDescription, CertificateError};

use crate::authentication_guard::Refusal;
use crate::server_answer::{ServerAnswer, harmless};
use crate::tls::TlsFailure;

/// The driver's own words, the only way to tell: the server offers to bind, and the guard has seen
/// that, so it is the certificate that gives nothing to bind to.
const UNBOUND: &str = "server did not use channel binding";

/// Why there is no session.
#[derive(Clone, Debug, thiserror::Error)]
pub(crate) enum ConnectError {
    #[error("no such host is known")]
    HostNotFound,
    #[error("the connection failed: {0}")]
    Unreachable(io::ErrorKind),
    #[error("the server did not answer in time while waiting for {0}")]
    Timeout(&'static str),
    #[error("the document turns TLS off, which is allowed on loopback only")]
    PlaintextRefused,
    #[error("the server does not offer TLS")]
    TlsRefused,
    #[error("the server's certificate comes from an authority that is not trusted here")]
    UnknownAuthority,
    #[error("the server's certificate is for another host name")]
    WrongHostName,
    #[error("the server's certificate is not valid: {0}")]
    BadCertificate(String),
    #[error("the TLS handshake failed: {0}")]
    TlsFailed(String),
    #[error("the server does not accept the client certificate: {0:?}")]
    ClientCertificateRefused(AlertDescription),
    #[error("the server's certificate allows no channel binding, which the document requires")]
    Unbindable,
    #[error("the server was not given a password: {0}")]
    Authentication(Refusal),
    #[error("{0}")]
    Answer(ServerAnswer),
    #[error("the connection was lost during the login")]
    Lost,
    #[error(
        "the server does not keep to Postgres's protocol, or does not know the password itself"
    )]
    Protocol,
}

impl ConnectError {
    /// Sorts the driver's error. `without_tls`: TLS was wanted and the handshake never began.
    pub(crate) fn of(error: &tokio_postgres::Error, without_tls: bool) -> Self {
        if let Some(answer) = error.as_db_error() {
            return Self::Answer(ServerAnswer::of(answer));
        }
        let Some(source) = error.source() else {
            return Self::Lost;
        };
        if let Some(TlsFailure(failure)) = source.downcast_ref() {
            return Self::of_handshake(failure);
        }
        match source.downcast_ref::<io::Error>() {
            Some(failure) => Self::of_stream(failure),
            None if without_tls => Self::TlsRefused,
            None if source.to_string() == UNBOUND => Self::Unbindable,
            None => Self::Protocol,
        }
    }

    fn of_stream(failure: &io::Error) -> Self {
        let inside = failure.get_ref();
        // With TLS 1.3 the server judges our certificate after our side of the handshake.
        if let Some(failure) = inside.and_then(|error| error.downcast_ref()) {
            return Self::of_tls(failure);
        }
        match inside.and_then(|error| error.downcast_ref::<Refusal>()) {
            Some(refusal) => Self::Authentication(refusal.clone()),
            None if inside.is_none() || failure.kind() == io::ErrorKind::UnexpectedEof => {
                Self::Lost
            }
            // The driver's own objections to what it has read.
            None => Self::Protocol,
        }
    }

    fn of_handshake(failure: &io::Error) -> Self {
        let inside = failure.get_ref().and_then(|error| error.downcast_ref());
        inside.map_or(Self::Lost, Self::of_tls)
    }

    fn of_tls(failure: &rustls::Error) -> Self {
        match failure {
            rustls::Error::InvalidCertificate(certificate) => match certificate {
                CertificateError::UnknownIssuer => Self::UnknownAuthority,
                CertificateError::NotValidForName
                | CertificateError::NotValidForNameContext { .. } => Self::WrongHostName,
                other => Self::BadCertificate(harmless(&other.to_string())),
            },
            rustls::Error::AlertReceived(alert) if is_about_certificate(*alert) => {
                Self::ClientCertificateRefused(*alert)
            }
            other => Self::TlsFailed(harmless(&other.to_string())),
        }
    }
}

/// What a server says of a client's certificate.
/// <https://www.rfc-editor.org/rfc/rfc8446#section-6.2>
fn is_about_certificate(alert: AlertDescription) -> bool {
    [
        AlertDescription::BadCertificate,
        AlertDescription::UnsupportedCertificate,
        AlertDescription::CertificateRevoked,
        AlertDescription::CertificateExpired,
        AlertDescription::CertificateUnknown,
        AlertDescription::UnknownCA,
        AlertDescription::AccessDenied,
        AlertDescription::CertificateRequired,
    ]
    .contains(&alert)
}

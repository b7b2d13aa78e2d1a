//! Why a connection or a login did not come about, told apart by types and codes, never by texts
//! that a server may have translated.

use std::error::Error as _;
use std::fmt;
use std::io;

use rustls::{AlertDescription, CertificateError};
use tokio_postgres::error::{DbError, SqlState};
use twinkey_core::ErrorKind;

use crate::authentication_guard::Refusal;
use crate::sqlstate::{READ_ONLY, meaning};
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

/// An error that a server reported, without any part that may quote a statement.
#[derive(Clone, Debug)]
pub(crate) struct ServerAnswer {
    pub(crate) state: SqlState,
    message: String,
    routine: Option<String>,
}

impl fmt::Display for ServerAnswer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} (SQLSTATE {})", self.message, self.shown_code())
    }
}

impl ServerAnswer {
    pub(crate) fn of(error: &DbError) -> Self {
        Self {
            state: error.code().clone(),
            message: harmless(error.message()),
            routine: error.routine().map(str::to_owned),
        }
    }

    /// A code has five letters and digits; what else a server may send is not repeated.
    /// <https://www.postgresql.org/docs/current/errcodes-appendix.html>
    fn shown_code(&self) -> &str {
        let code = self.state.code();
        let is_one = code.len() == 5 && code.bytes().all(|byte| byte.is_ascii_alphanumeric());
        if is_one { code } else { "malformed" }
    }

    /// Its stable name, and what the caller can do about it.
    pub(crate) fn meaning(&self) -> (&'static str, ErrorKind) {
        if self.is_about_writing() {
            return READ_ONLY;
        }
        meaning(&self.state)
    }

    /// A standby refuses `BEGIN READ WRITE` with a code that says no more than that something is not
    /// supported. It comes from the check of the one setting that we set there.
    fn is_about_writing(&self) -> bool {
        self.state == SqlState::FEATURE_NOT_SUPPORTED
            && self.routine.as_deref() == Some("call_bool_check_hook")
    }

    /// Whether the role is not let in whatever it shows: NOLOGIN, or it is gone. Told by the server's
    /// function from a certificate or a line of `pg_hba.conf` that does not fit.
    pub(crate) fn is_about_role(&self) -> bool {
        self.state == SqlState::INVALID_AUTHORIZATION_SPECIFICATION
            && self.routine.as_deref() == Some("InitializeSessionUserId")
    }

    /// Whether `pg_hba.conf` has no place for this login, whatever its password. The same code
    /// also stands for a role that may not log in; the server's function tells them apart, and
    /// unlike the message it is never translated.
    pub(crate) fn is_host_based(&self) -> bool {
        self.state == SqlState::INVALID_AUTHORIZATION_SPECIFICATION
            && self.routine.as_deref() == Some("ClientAuthentication")
    }
}

/// One line, not endless, and never with a verifier in it: a server quotes what it cannot parse.
fn harmless(message: &str) -> String {
    const LONGEST: usize = 200;
    if message.contains("SCRAM-SHA-256$") {
        return "(message withheld: it quotes a verifier)".into();
    }
    let visible = |character: char| {
        if character.is_control() {
            ' '
        } else {
            character
        }
    };
    message.chars().take(LONGEST).map(visible).collect()
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn p8_a_code_that_is_none_is_not_repeated() {
        for (code, shown) in [
            ("28P01", "28P01"),
            ("\u{1b}[2JX", "malformed"),
            ("", "malformed"),
        ] {
            let answer = ServerAnswer {
                state: SqlState::from_code(code),
                message: "no".into(),
                routine: None,
            };
            assert_eq!(answer.to_string(), format!("no (SQLSTATE {shown})"));
        }
    }

    #[test]
    fn p8_what_a_server_says_is_one_short_line_without_a_verifier() {
        assert_eq!(harmless("role \"a\nb\" exists"), "role \"a b\" exists");
        assert_eq!(harmless(&"x".repeat(1000)).len(), 200);
        let quoted = "syntax error at or near \"SCRAM-SHA-256$4096:abc\"";
        assert!(!harmless(quoted).contains("4096"));
    }
}

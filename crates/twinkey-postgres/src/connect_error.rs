//! Why a connection or a login did not come about, told apart by types and codes, never by texts
//! that a server may have translated.

use std::error::Error as _;
use std::fmt;
use std::io;

use rustls::{AlertDescription, CertificateError};
use tokio_postgres::error::{DbError, SqlState};

use crate::authentication_guard::Refusal;
use crate::sqlstate::is_bad_login;
use crate::tls::TlsFailure;

/// The driver's own words, the only way to tell: the server offers to bind, and the guard has seen
/// that, so it is the certificate that gives nothing to bind to.
const UNBOUND: &str = "server did not use channel binding";

/// PgBouncer's own words for a password that is not the role's, of which it has never had others. It has no
/// code for them, and translates nothing.
/// <https://github.com/pgbouncer/pgbouncer/blob/master/src/client.c>
const POOLER_REFUSED: [&str; 2] = [
    "SASL authentication failed",
    "password authentication failed",
];
/// The same for a role that its `auth_query` does not find.
const POOLER_UNKNOWN: &str = "no such user";

/// What the answer to a login says of the key that was shown.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Refused {
    /// The password is not the role's.
    Password,
    /// The password is right; its role may go no further.
    Role,
    /// The role is refused, and nobody has looked at the password.
    Unread,
}

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

    /// Whether `pg_hba.conf` has no place for this login, whatever its password. The same code
    /// also stands for a role that may not log in; the server's function tells them apart, and
    /// unlike the message it is never translated.
    pub(crate) fn is_host_based(&self) -> bool {
        self.state == SqlState::INVALID_AUTHORIZATION_SPECIFICATION
            && self.routine.as_deref() == Some("ClientAuthentication")
    }
}

impl ServerAnswer {
    /// Whether it is an answer to the key of this role, and which. What `pg_hba.conf` says is none: it would be
    /// the same for every password.
    pub(crate) fn refusal(&self, role: &str) -> Option<Refused> {
        if self.is_poolers() {
            return self.poolers_refusal();
        }
        // A pooler passes on what the server has answered to itself, too.
        if self.is_host_based() || (is_bad_login(&self.state) && !self.is_about(role)) {
            return None;
        }
        match self.state {
            SqlState::INVALID_PASSWORD => Some(Refused::Password),
            SqlState::INVALID_AUTHORIZATION_SPECIFICATION | SqlState::INSUFFICIENT_PRIVILEGE => {
                Some(Refused::Role)
            }
            _ => None,
        }
    }

    /// Whether a pooler speaks for itself. PgBouncer has one code for everything, which is also a server's for
    /// nonsense; but a server says which of its functions complains.
    pub(crate) fn is_poolers(&self) -> bool {
        self.state == SqlState::PROTOCOL_VIOLATION && self.routine.is_none()
    }

    fn poolers_refusal(&self) -> Option<Refused> {
        match self.message.as_str() {
            POOLER_UNKNOWN => Some(Refused::Unread),
            said if POOLER_REFUSED.contains(&said) => Some(Refused::Password),
            _ => None,
        }
    }

    /// A server answers to whoever logs in. What is passed on names whom it is about.
    fn is_about(&self, role: &str) -> bool {
        let within = |character: char| character.is_alphanumeric() || "_-$.".contains(character);
        self.routine.is_some()
            || self.message.match_indices(role).any(|(at, _)| {
                !self.message[..at].ends_with(within)
                    && !self.message[at + role.len()..].starts_with(within)
            })
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

    fn answer(code: &str, message: &str, routine: Option<&str>) -> ServerAnswer {
        ServerAnswer {
            state: SqlState::from_code(code),
            message: message.into(),
            routine: routine.map(str::to_owned),
        }
    }

    #[test]
    fn p7_what_a_pooler_says_of_the_password_is_told_from_what_it_says_of_itself() {
        for (message, refused) in [
            ("SASL authentication failed", Some(Refused::Password)),
            ("password authentication failed", Some(Refused::Password)),
            ("no such user", Some(Refused::Unread)),
            ("query_wait_timeout", None),
            ("no more connections allowed (max_client_conn)", None),
            ("bouncer config error", None),
            ("role \"app\" is not permitted to log in", None),
        ] {
            let said = answer("08P01", message, None);
            assert!(said.is_poolers());
            assert_eq!(said.refusal("app"), refused, "{message}");
        }
        let nonsense = answer("08P01", "no such user", Some("ProcessStartupPacket"));
        assert!(!nonsense.is_poolers());
        assert_eq!(nonsense.refusal("app"), None);
    }

    #[test]
    fn p7_an_answer_to_the_poolers_own_login_is_no_answer_to_ours() {
        let failed = |role: &str| format!("password authentication failed for user \"{role}\"");
        let relayed = |role| answer("28P01", &failed(role), None).refusal("app");
        assert_eq!(relayed("app"), Some(Refused::Password));
        for other in ["pgbouncer", "app_clone", "my-app", "app2"] {
            assert_eq!(relayed(other), None, "{other}");
        }
        let translated = answer("28P01", "Passwort falsch", Some("auth_failed"));
        assert_eq!(translated.refusal("app"), Some(Refused::Password));
    }

    #[test]
    fn p8_a_code_that_is_none_is_not_repeated() {
        for (code, shown) in [
            ("28P01", "28P01"),
            ("\u{1b}[2JX", "malformed"),
            ("", "malformed"),
        ] {
            let answer = answer(code, "no", None);
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

//! A login that did not come about: where, as whom, why, and what to do about it.

use twinkey_core::ErrorKind;

use crate::authentication_guard::Refusal;
use crate::connect_error::ConnectError;
use crate::connection::Address;
use crate::sqlstate::{BUSY, is_bad_login, meaning};

/// One failed login.
#[derive(Clone, Debug, thiserror::Error)]
#[error("logging in at {address} as {user}: {cause}")]
pub(crate) struct FailedLogin {
    pub(crate) whose: Whose,
    pub(crate) address: Address,
    pub(crate) user: String,
    pub(crate) cause: ConnectError,
}

/// Whose login it was.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Whose {
    Admin,
    Consumer,
}

impl FailedLogin {
    pub(crate) fn kind(&self) -> ErrorKind {
        match &self.cause {
            ConnectError::HostNotFound
            | ConnectError::Unreachable(_)
            | ConnectError::Timeout(_)
            | ConnectError::Lost => ErrorKind::Transient,
            ConnectError::Answer(answer) => meaning(&answer.state).1,
            _ => ErrorKind::Unusable,
        }
    }

    pub(crate) fn code(&self) -> &'static str {
        match &self.cause {
            ConnectError::HostNotFound => "HostNotFound",
            ConnectError::Unreachable(_) => "ServerUnreachable",
            ConnectError::Timeout(_) => "ServerTimeout",
            ConnectError::PlaintextRefused => "PlaintextRefused",
            ConnectError::TlsRefused => "TlsRefused",
            ConnectError::UnknownAuthority => "UnknownAuthority",
            ConnectError::WrongHostName => "WrongHostName",
            ConnectError::BadCertificate(_) => "BadCertificate",
            ConnectError::TlsFailed(_) => "TlsFailed",
            ConnectError::Authentication(Refusal::Cleartext) => "CleartextRefused",
            ConnectError::Authentication(Refusal::Md5) => "Md5Refused",
            ConnectError::Authentication(Refusal::Trust) => "TrustRefused",
            ConnectError::Authentication(Refusal::Method(_)) => "MethodRefused",
            ConnectError::Authentication(Refusal::Iterations(_)) => "IterationsRefused",
            ConnectError::Authentication(Refusal::Malformed) | ConnectError::Protocol => {
                "ProtocolViolation"
            }
            ConnectError::Answer(answer) if answer.is_host_based() => "HostBasedRefused",
            ConnectError::Answer(answer) => match &answer.state {
                state if is_bad_login(state) && self.whose == Whose::Admin => "AdminRefused",
                state => meaning(state).0,
            },
            ConnectError::Lost => "ConnectionLost",
        }
    }

    pub(crate) fn hint(&self) -> Option<String> {
        let Address { host, .. } = &self.address;
        Some(match &self.cause {
            ConnectError::HostNotFound => format!("check host in the document: {host}"),
            ConnectError::Unreachable(_) | ConnectError::Timeout(_) => format!(
                "check that the server listens on {}, answers others, and is behind no firewall",
                self.address
            ),
            ConnectError::Authentication(Refusal::Malformed) | ConnectError::Protocol => {
                format!("check that a Postgres server listens on {}", self.address)
            }
            ConnectError::Answer(answer) if answer.is_host_based() => HOST_BASED.into(),
            ConnectError::Answer(answer) if is_bad_login(&answer.state) => match self.whose {
                Whose::Admin => ADMIN_PASSWORD.into(),
                Whose::Consumer => return None,
            },
            ConnectError::Answer(answer) if meaning(&answer.state).0 == "ServerBusy" => BUSY.into(),
            ConnectError::PlaintextRefused => PLAINTEXT.into(),
            ConnectError::TlsRefused => TLS_OFF.into(),
            ConnectError::UnknownAuthority => AUTHORITY.into(),
            ConnectError::WrongHostName => HOST_NAME.into(),
            ConnectError::Authentication(_) => METHOD.into(),
            _ => return None,
        })
    }
}

const HOST_BASED: &str =
    "add a line for this role, database and address to pg_hba.conf, and reload";
const ADMIN_PASSWORD: &str =
    "put the admin's working password into its secret, the one that masterarn names";
const PLAINTEXT: &str = "remove \"sslmode\":\"disable\" or \"ssl\":false; \
    or, at your own risk: TWINKEY_ALLOW_PLAINTEXT=1";
const TLS_OFF: &str = "turn TLS on at the server (ssl = on); \
    on loopback the document may say \"sslmode\":\"disable\"";
const AUTHORITY: &str = "put the authority's certificate into a PEM file and name it: \
    TWINKEY_CA_BUNDLE=/path/to/ca.pem";
const HOST_NAME: &str = "use as host the name that the server's certificate is for";
const METHOD: &str = "let pg_hba.conf ask for scram-sha-256 on this connection";

//! A login that did not come about: where, as whom, why, and what to do about it.

use twinkey_core::ErrorKind;

use crate::authentication_guard::Refusal;
use crate::connect_error::ConnectError;
use crate::connection::Address;
use crate::sqlstate::{answer_kind, is_bad_login, state_code};

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
            ConnectError::Answer(answer) => answer_kind(answer),
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
                state if is_bad_login(state) => "LoginRefused",
                state => state_code(state),
            },
            ConnectError::Lost => "ConnectionLost",
        }
    }

    pub(crate) fn hint(&self) -> Option<String> {
        let address = &self.address;
        Some(match &self.cause {
        ConnectError::HostNotFound => format!("check host in the document: {}", address.host),
        ConnectError::Unreachable(_) => {
            format!("check that a server listens on {address} and that no firewall is between")
        }
        ConnectError::Timeout(_) => {
            "check that the server is up and answers others; firewalls may drop packets silently"
                .into()
        }
        ConnectError::PlaintextRefused => {
            "remove \"sslmode\":\"disable\" or \"ssl\":false; or, at your own risk: \
             TWINKEY_ALLOW_PLAINTEXT=1"
                .into()
        }
        ConnectError::TlsRefused => {
            "turn TLS on at the server (ssl = on); on loopback the document may say \
             \"sslmode\":\"disable\""
                .into()
        }
        ConnectError::UnknownAuthority => {
            "put the authority's certificate into a PEM file and name it: \
             TWINKEY_CA_BUNDLE=/path/to/ca.pem"
                .into()
        }
        ConnectError::WrongHostName => {
            "use as host the name that the server's certificate is for".into()
        }
        ConnectError::Authentication(Refusal::Malformed) | ConnectError::Protocol => {
            format!("check that a Postgres server listens on {address}")
        }
        ConnectError::Authentication(_) => {
            "let pg_hba.conf ask for scram-sha-256 on this connection".into()
        }
        ConnectError::Answer(answer) if answer.is_host_based() => {
            "add a line for this role, database and address to pg_hba.conf, and reload".into()
        }
        ConnectError::Answer(answer) if is_bad_login(&answer.state) && self.whose == Whose::Admin => {
            "put the admin's working password into its secret, the one that masterarn names".into()
        }
        _ => return None,
    })
    }
}

//! A login that did not come about: where, as whom, why, and what to do about it.

use postgres_protocol::escape::escape_identifier;
use tokio_postgres::error::SqlState;
use twinkey_core::ErrorKind;

use crate::authentication_guard::Refusal;
use crate::connect_error::ConnectError;
use crate::connection::Address;
use crate::server_answer::ServerAnswer;
use crate::sqlstate::{hint, is_bad_login};

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
    AdminByCertificate,
    AdminByIam,
    Consumer,
}

impl FailedLogin {
    /// The server says so, or that it knows no such role, which it does not tell apart.
    pub(crate) fn is_wrong_password(&self) -> bool {
        matches!(&self.cause, ConnectError::Answer(answer) if answer.state == SqlState::INVALID_PASSWORD)
    }

    pub(crate) fn kind(&self) -> ErrorKind {
        match &self.cause {
            ConnectError::HostNotFound
            | ConnectError::Unreachable(_)
            | ConnectError::Timeout(_)
            | ConnectError::Lost => ErrorKind::Transient,
            ConnectError::Answer(answer) if answer.is_poolers() => ErrorKind::Transient,
            ConnectError::Answer(answer) => answer.meaning().1,
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
            ConnectError::ClientCertificateRefused(_) => "ClientCertificateRefused",
            ConnectError::Authentication(Refusal::Cleartext) => "CleartextRefused",
            ConnectError::Authentication(Refusal::Md5) => "Md5Refused",
            ConnectError::Authentication(Refusal::Trust) => "TrustRefused",
            ConnectError::Authentication(Refusal::Unbound) | ConnectError::Unbindable => {
                "ChannelBindingRefused"
            }
            ConnectError::Authentication(Refusal::NoPassword) => "PasswordMissing",
            ConnectError::Authentication(Refusal::Method(_)) => "MethodRefused",
            ConnectError::Authentication(Refusal::Iterations(_)) => "IterationsRefused",
            ConnectError::Authentication(Refusal::Malformed) | ConnectError::Protocol => {
                "ProtocolViolation"
            }
            ConnectError::Answer(answer) if answer.is_host_based() => "HostBasedRefused",
            ConnectError::Answer(answer) if answer.is_poolers() => "PoolerRefused",
            ConnectError::Answer(answer)
                if is_bad_login(&answer.state) && self.whose != Whose::Consumer =>
            {
                "AdminRefused"
            }
            ConnectError::Answer(answer) => answer.meaning().0,
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
            ConnectError::Answer(answer) => self.hint_to(answer)?,
            ConnectError::PlaintextRefused => PLAINTEXT.into(),
            ConnectError::TlsRefused => TLS_OFF.into(),
            ConnectError::UnknownAuthority => AUTHORITY.into(),
            ConnectError::WrongHostName => HOST_NAME.into(),
            ConnectError::Authentication(Refusal::Unbound) => UNBOUND.into(),
            ConnectError::Unbindable => UNBINDABLE.into(),
            ConnectError::Authentication(Refusal::NoPassword) => NO_PASSWORD.into(),
            ConnectError::ClientCertificateRefused(_) => CLIENT_CERTIFICATE.into(),
            ConnectError::Authentication(_) => METHOD.into(),
            _ => return None,
        })
    }

    fn hint_to(&self, answer: &ServerAnswer) -> Option<String> {
        if answer.is_poolers() {
            return Some(match self.whose {
                Whose::Consumer => POOLER.into(),
                _ => NO_POOLER.into(),
            });
        }
        let role = escape_identifier(&self.user);
        if answer.is_host_based() {
            let added = format!(
                "add a line for {role}, this database and address to pg_hba.conf, before any that \
                 rejects it, and reload: SELECT pg_reload_conf();"
            );
            return Some(match self.whose {
                Whose::Admin => format!("{added} {CERTIFICATE_WANTED}"),
                _ => added,
            });
        }
        Some(match (answer.meaning().0, self.whose) {
            ("DatabaseMissing", Whose::Consumer) => "correct dbname in the document".into(),
            ("DatabaseMissing", _) => "correct dbname in the admin secret".into(),
            (_, Whose::Consumer) if is_bad_login(&answer.state) => return None,
            (_, _) if answer.is_about_role() => format!(
                "let the admin in again: ALTER ROLE {role} LOGIN; if the role is gone, put another's \
                 document into the secret that masterarn names"
            ),
            (_, Whose::Admin) if is_bad_login(&answer.state) => ADMIN_PASSWORD.into(),
            (_, Whose::AdminByCertificate) if is_bad_login(&answer.state) => {
                ADMIN_CERTIFICATE.into()
            }
            (_, Whose::AdminByIam) if is_bad_login(&answer.state) => ADMIN_IAM.into(),
            ("AdminDenied", _) => format!(
                "let the admin into the database that its secret names in dbname: \
                 GRANT CONNECT ON DATABASE … TO {role};"
            ),
            (name, _) => hint(name)?.into(),
        })
    }
}

const ADMIN_PASSWORD: &str = "put the admin's working password into its secret, the one that masterarn names; if that is right, \
    see whether the role is still there and not expired: SELECT rolname, rolvaliduntil FROM pg_roles;";
const ADMIN_CERTIFICATE: &str = "put a certificate into the admin secret whose common name is the \
    admin's role, or map it in pg_ident.conf; and its working password, if the server wants both";
const ADMIN_IAM: &str = "turn IAM authentication on at the server and GRANT rds_iam to the admin's \
    role; allow these credentials rds-db:connect as it; check region and this machine's clock";
const CERTIFICATE_WANTED: &str =
    "if its line wants a client certificate: put sslcert and sslkey into the admin secret";
const CLIENT_CERTIFICATE: &str = "put a certificate into the admin secret (sslcert, sslkey) that is \
    in force and of an authority in the server's ssl_ca_file";
const UNBOUND: &str = "let pg_hba.conf ask for scram-sha-256 of a role with a SCRAM verifier, with no \
    proxy that ends TLS in between; or remove \"channel_binding\" from the document";
const UNBINDABLE: &str = "give the server a certificate that is signed with SHA-256 or longer (RSA or \
    ECDSA, not Ed25519 or RSA-PSS); or remove \"channel_binding\" from the document";
const NO_PASSWORD: &str = "add password to the admin secret, or let pg_hba.conf ask for cert alone";
const POOLER: &str = "see why in the pooler's log: what it says to its clients is not always the \
    reason, which may be that it cannot log in at the server itself";
const NO_POOLER: &str = "name the server itself in the admin secret and not a pooler, and list the \
    pooler's address: TWINKEY_ADMIN_HOSTS";
const PLAINTEXT: &str = "remove \"sslmode\":\"disable\" or \"ssl\":false; \
    or, at your own risk: TWINKEY_ALLOW_PLAINTEXT=1";
const TLS_OFF: &str = "turn TLS on at the server (ssl = on); \
    on loopback the document may say \"sslmode\":\"disable\"";
const AUTHORITY: &str = "put the authority's certificate into a PEM file and name it: \
    TWINKEY_CA_BUNDLE=/path/to/ca.pem";
const HOST_NAME: &str = "use as host the name that the server's certificate is for";
const METHOD: &str = "let pg_hba.conf ask for scram-sha-256 on this connection";

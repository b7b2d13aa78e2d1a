//! Everything that can go wrong, each with a stable code, a sentence and a way out.

use postgres_protocol::escape::escape_identifier;
use twinkey_core::{
    DocumentError, ErrorKind, ProviderError, SecretAddress, SecretId, StoreError, VersionId,
    escape_control,
};

use crate::connection::Address;
use crate::difference::Difference;
use crate::failed_login::FailedLogin;
use crate::server_answer::ServerAnswer;
use crate::session::StatementError;
use crate::sqlstate::{self, READ_ONLY};
use crate::statement;

const IAM: &str = "give this process AWS credentials, and a region: AWS_REGION=eu-central-1, or region in the \
    admin secret";
/// Whoever waited is gone by now; whoever is waited for is not.
const HOLDERS: &str = "find who holds the roles: SELECT DISTINCT a.pid, a.usename, a.state, a.xact_start, a.query FROM \
    pg_locks l JOIN pg_stat_activity a USING (pid) WHERE l.granted AND (l.locktype = 'advisory' OR l.relation IN \
    ('pg_authid'::regclass, 'pg_shdescription'::regclass)); and end what has been forgotten";
/// What leads to a layout that is not there yet.
pub(crate) const ADOPT: &str = "see what it takes, and let it be done: twinkey adopt NAME";
/// Where the admin may not do itself what adoption takes.
pub(crate) const SCRIPT: &str =
    "hand the script to somebody who has the right: twinkey adopt NAME --sql";

/// What this provider's errors are before the engine sees them.
#[derive(Clone, Debug, thiserror::Error)]
pub(crate) enum PostgresError {
    #[error(transparent)]
    Document(#[from] DocumentError),
    #[error("the admin secret {secret}: {error}")]
    AdminDocument {
        secret: SecretId,
        error: DocumentError,
    },
    #[error("reading the admin secret: {0}")]
    Store(#[from] StoreError),
    #[error("making the admin's IAM token: {0}")]
    IamToken(StoreError),
    #[error("the admin logs in by IAM, and nothing here makes tokens for it")]
    IamUnavailable,
    #[error("the admin secret is for {admin}, this secret for {child}")]
    AdminHostMismatch { admin: Address, child: Address },
    #[error("the admin secret names no host, and {0} is not on the operator's list")]
    AdminHostMissing(Address),
    #[error(transparent)]
    Login(Box<FailedLogin>),
    #[error("{doing}: {cause}")]
    Statement {
        doing: &'static str,
        cause: StatementError,
    },
    #[error("the server takes no changes: it is a standby, or read-only")]
    ServerReadOnly,
    #[error("there is no role {0} at the server")]
    RoleMissing(String),
    #[error("there is no role {0} at the server, the owner that the document names")]
    OwnerMissing(String),
    #[error("there is no role {twin} at the server")]
    TwinMissing { twin: String, original: String },
    #[error("the role {0} may not log in (NOLOGIN)")]
    RoleCannotLogIn(String),
    #[error("the role {0} has expired (VALID UNTIL)")]
    RoleExpired(String),
    #[error("the role {0} may have no connection (CONNECTION LIMIT 0)")]
    RoleWithoutConnections(String),
    #[error("the role {role} acts as {acts_as} and not as {owner}, the owner of the pair")]
    RoleActsAsOther {
        role: String,
        acts_as: String,
        owner: String,
        mend: String,
    },
    #[error("the role {role} may not act as {owner}, the owner of the pair")]
    RoleNotMember { role: String, owner: String },
    #[error(
        "the roles {original} and {twin} are not equal: {}",
        listed(differences)
    )]
    TwinsDiffer {
        original: String,
        twin: String,
        differences: Vec<Difference>,
    },
    #[error("the document's probe failed: {0}")]
    ProbeFailed(ServerAnswer),
    #[error("the role {0} is a superuser, and the admin is not")]
    SuperuserRole(String),
    #[error("what {admin} has to see in the database {database} is closed to it: {reason}")]
    DatabaseUnseen {
        database: String,
        reason: String,
        admin: String,
    },
    #[error("the pair of roles was changed by somebody else meanwhile")]
    PairChanged,
    #[error("psql cannot be told to connect to the database {0:?}: a line ends within its name")]
    DatabaseUnspeakable(String),
    #[error("the admin {admin} lacks a right: {right}; the server refuses {refused}")]
    AdoptionDenied {
        admin: String,
        right: &'static str,
        refused: String,
    },
    #[error("the role {original} may not act as {owner}, so its twin does not get to either")]
    ForeignOwner { original: String, owner: String },
    #[error("the admin {admin} lacks a right: {right}")]
    MissingRight {
        admin: String,
        right: String,
        mend: String,
    },
    #[error(
        "{0} is to change itself, and from PostgreSQL 16 on only a superuser's twin can be made and changed so"
    )]
    AdminOfItself(String),
    #[error("a role {0} exists that twinkey has not made; it was left alone")]
    ForeignTwin(String),
    #[error("twinkey's mark is gone from {twin}, the twin of {original}; both were left alone")]
    MarkMissing {
        original: String,
        twin: String,
        mend: String,
    },
    #[error("the role {role} belongs to {holder}")]
    ForeignMark { role: String, holder: Holder },
    #[error(
        "this secret's keys are in the roles {original} and {twin}, and the document names others"
    )]
    FormerPair { original: String, twin: String },
    #[error("version {version} has taken the place of this one in the role {role}")]
    Superseded { role: String, version: VersionId },
    #[error("{}", .0.message)]
    LastLook(ProviderError),
    #[error("the computed verifier has not the form that a server recognises; nothing was sent")]
    MalformedVerifier,
    #[error("Postgres passwords are not listed, so no listed one can be retired")]
    NotListed,
    #[error("the server still accepts the password that was taken from the role {0}")]
    StillAccepted(String),
}

/// Who has a mark on a role.
#[derive(Clone, Debug, thiserror::Error)]
pub(crate) enum Holder {
    #[error("the secret {0}")]
    Secret(SecretAddress),
    #[error("somebody whose mark cannot be read here (a newer twinkey, or a renamed role)")]
    Unreadable,
}

impl PostgresError {
    /// Whether it may pass by itself.
    pub(crate) fn is_transient(&self) -> bool {
        self.kind() == ErrorKind::Transient
    }

    fn kind(&self) -> ErrorKind {
        match self {
            Self::Store(error) | Self::IamToken(error) => ProviderError::from(error.clone()).kind,
            Self::LastLook(error) => error.kind,
            Self::Login(login) => login.kind(),
            Self::Statement { cause, .. } => statement_kind(cause),
            Self::ServerReadOnly | Self::PairChanged => ErrorKind::Transient,
            Self::RoleCannotLogIn(_)
            | Self::RoleExpired(_)
            | Self::RoleWithoutConnections(_)
            | Self::RoleActsAsOther { .. }
            | Self::RoleNotMember { .. }
            | Self::TwinsDiffer { .. }
            | Self::ProbeFailed(_)
            | Self::SuperuserRole(_)
            | Self::ForeignOwner { .. }
            | Self::DatabaseUnseen { .. }
            | Self::AdoptionDenied { .. }
            | Self::AdminOfItself(_)
            | Self::MissingRight { .. } => ErrorKind::Denied,
            Self::ForeignTwin(_)
            | Self::MarkMissing { .. }
            | Self::ForeignMark { .. }
            | Self::FormerPair { .. }
            | Self::Superseded { .. } => ErrorKind::Conflict,
            _ => ErrorKind::Unusable,
        }
    }

    fn code(&self) -> &'static str {
        match self {
            Self::Document(_) => "InvalidDocument",
            Self::AdminDocument { .. } => "InvalidAdminDocument",
            Self::Store(error) => error.code(),
            Self::IamToken(_) | Self::IamUnavailable => "IamTokenUnavailable",
            Self::LastLook(error) => error.code,
            Self::AdminHostMismatch { .. } => "AdminHostMismatch",
            Self::AdminHostMissing(_) => "AdminHostMissing",
            Self::Login(login) => login.code(),
            Self::Statement { cause, .. } => statement_code(cause),
            Self::ServerReadOnly => READ_ONLY.0,
            Self::RoleMissing(_) | Self::OwnerMissing(_) | Self::TwinMissing { .. } => {
                "RoleMissing"
            }
            Self::RoleCannotLogIn(_) => "RoleCannotLogIn",
            Self::RoleExpired(_) => "RoleExpired",
            Self::RoleWithoutConnections(_) => "RoleWithoutConnections",
            Self::RoleActsAsOther { .. } => "RoleActsAsOther",
            Self::RoleNotMember { .. } => "RoleNotMember",
            Self::TwinsDiffer { .. } => "TwinsDiffer",
            Self::ProbeFailed(_) => "ProbeFailed",
            Self::SuperuserRole(_) => "SuperuserRole",
            Self::ForeignOwner { .. } => "ForeignOwner",
            Self::MissingRight { .. } | Self::AdoptionDenied { .. } => "MissingRight",
            Self::AdminOfItself(_) => "AdminOfItself",
            Self::DatabaseUnseen { .. } => "DatabaseUnseen",
            Self::DatabaseUnspeakable(_) => "DatabaseUnspeakable",
            Self::PairChanged => "ConcurrentChange",
            Self::ForeignTwin(_) => "ForeignTwin",
            Self::MarkMissing { .. } => "MarkMissing",
            Self::ForeignMark { .. } => "ForeignMark",
            Self::FormerPair { .. } => "FormerPair",
            Self::Superseded { .. } => "Superseded",
            Self::MalformedVerifier => "MalformedVerifier",
            Self::NotListed => "NotListed",
            Self::StillAccepted(_) => "StillAccepted",
        }
    }

    fn hint(&self) -> Option<String> {
        Some(match self {
            Self::AdminHostMismatch { child, .. } => format!(
                "if both are the same server: TWINKEY_ADMIN_HOSTS={child}; \
                 else name this server's admin secret in masterarn"
            ),
            Self::AdminHostMissing(child) => format!(
                "if the admin is one of that server: TWINKEY_ADMIN_HOSTS={child}; or add host and port to \
                 the admin secret, if it is yours to change"
            ),
            Self::Login(login) => login.hint()?,
            Self::IamToken(_) => IAM.into(),
            Self::LastLook(error) => return error.hint.clone(),
            Self::Statement { cause, .. } => statement_hint(cause)?,
            Self::ServerReadOnly => sqlstate::hint(READ_ONLY.0)?.into(),
            Self::RoleMissing(role) => format!(
                "correct the name in the document, or make the role: CREATE ROLE {} LOGIN;",
                escape_identifier(role)
            ),
            Self::OwnerMissing(_) => ADOPT.into(),
            Self::TwinMissing { original, .. } => format!(
                "if it was dropped, put the document of the other role, {}, again: AWSPREVIOUS has it, and the \
                 next rotation makes this one anew; else correct the name",
                escape_identifier(original)
            ),
            Self::RoleCannotLogIn(role) => format!("ALTER ROLE {} LOGIN;", escape_identifier(role)),
            Self::RoleExpired(role) => {
                format!(
                    "ALTER ROLE {} VALID UNTIL 'infinity';",
                    escape_identifier(role)
                )
            }
            Self::RoleWithoutConnections(role) => {
                format!(
                    "ALTER ROLE {} CONNECTION LIMIT -1;",
                    escape_identifier(role)
                )
            }
            Self::RoleNotMember { role, owner } => format!(
                "GRANT {} TO {};",
                escape_identifier(owner),
                escape_identifier(role)
            ),
            Self::ProbeFailed(_) => {
                "give the role what it needs for the statement in the field probe, or \
                 correct that: one statement, which may change nothing"
                    .into()
            }
            Self::TwinsDiffer {
                original,
                differences,
                ..
            } => format!(
                "if the change of {original} was meant, do the same to its twin; else undo it: {}",
                mended(differences)
            ),
            Self::SuperuserRole(_) => {
                "name a superuser's secret in masterarn, or rotate a role with fewer rights".into()
            }
            Self::ForeignOwner { original, owner } => format!(
                "correct owner in the document, or, if that is meant: GRANT {} TO {};",
                escape_identifier(owner),
                escape_identifier(original)
            ),
            Self::DatabaseUnseen {
                database, admin, ..
            } => format!(
                "GRANT CONNECT ON DATABASE {} TO {};",
                escape_identifier(database),
                escape_identifier(admin)
            ),
            Self::DatabaseUnspeakable(_) => {
                "see the statements without --sql, and run them with another client".into()
            }
            Self::PairChanged => "do it again: it passes once nobody else is at the pair".into(),
            Self::AdoptionDenied { .. } => SCRIPT.into(),
            Self::MissingRight { mend, .. } | Self::RoleActsAsOther { mend, .. } => mend.clone(),
            Self::AdminOfItself(role) => format!(
                "name another admin's secret in masterarn, such as the master user's, which has been told: \
                 GRANT {} TO <that admin> WITH ADMIN TRUE, INHERIT FALSE, SET FALSE;",
                escape_identifier(role)
            ),
            _ => return self.hint_about_pair(),
        })
    }

    /// Where it is about whose the two roles are.
    fn hint_about_pair(&self) -> Option<String> {
        Some(match self {
            Self::ForeignTwin(role) => format!(
                "add \"twin\" with an unused name to the document, or, if nobody needs that role: \
                 DROP ROLE {};",
                escape_identifier(role)
            ),
            Self::MarkMissing { mend, .. } => format!(
                "if twinkey did not make that role, name an unused one in twin; \
                 if it did, write the mark again: {mend}"
            ),
            Self::ForeignMark { role, .. } => format!(
                "let one secret manage the pair; if the other one is gone for good: COMMENT ON ROLE {} IS NULL;",
                escape_identifier(role)
            ),
            Self::FormerPair { original, twin } => format!(
                "put a document of one of these roles again, or, once nobody logs in as them, \
                 end their keys and the mark: {}",
                statement::end_pair(original, twin)
            ),
            Self::Superseded { .. } => {
                "nothing: a later rotation has passed, and this one must not undo it".into()
            }
            _ => return None,
        })
    }
}

impl From<FailedLogin> for PostgresError {
    fn from(login: FailedLogin) -> Self {
        Self::Login(Box::new(login))
    }
}

impl From<PostgresError> for ProviderError {
    fn from(error: PostgresError) -> Self {
        Self {
            kind: error.kind(),
            code: error.code(),
            // Names are the document's and the server's: none may forge a line of a log. (P8)
            message: escape_control(&error.to_string()),
            hint: error.hint().map(|hint| escape_control(&hint)),
            retry_after: None,
        }
    }
}

fn listed(differences: &[Difference]) -> String {
    let all: Vec<String> = differences.iter().map(ToString::to_string).collect();
    all.join("; ")
}

fn mended(differences: &[Difference]) -> String {
    let all: Vec<&str> = differences.iter().map(|one| one.mend.as_str()).collect();
    all.join(" ")
}

fn statement_kind(cause: &StatementError) -> ErrorKind {
    match cause {
        StatementError::Timeout | StatementError::Lost => ErrorKind::Transient,
        StatementError::Answer(answer) => answer.meaning().1,
        StatementError::Form => ErrorKind::Unusable,
    }
}

fn statement_code(cause: &StatementError) -> &'static str {
    match cause {
        StatementError::Timeout => "ServerTimeout",
        StatementError::Lost => "ConnectionLost",
        StatementError::Answer(answer) => answer.meaning().0,
        StatementError::Form => "ProtocolViolation",
    }
}

fn statement_hint(cause: &StatementError) -> Option<String> {
    Some(match statement_code(cause) {
        "AdminDenied" => "grant the admin the right that the message names".into(),
        "LockTimeout" => HOLDERS.into(),
        name => sqlstate::hint(name)?.into(),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn p8_no_name_forges_a_line_of_a_log() {
        let name = "app\nINFO all is well\u{1b}[2J";
        for error in [
            PostgresError::RoleMissing(name.into()),
            PostgresError::ForeignTwin(name.into()),
            PostgresError::FormerPair {
                original: name.into(),
                twin: name.into(),
            },
        ] {
            let error = ProviderError::from(error);
            let shown = format!("{error} {}", error.hint.as_deref().unwrap_or_default());
            assert!(!shown.contains(char::is_control), "{shown:?}");
            assert!(error.message.contains("app\\nINFO"), "{error}");
        }
    }
}

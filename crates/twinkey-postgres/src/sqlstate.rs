//! What the server's codes mean to us.

use tokio_postgres::error::SqlState;
use twinkey_core::ErrorKind;

use crate::connect_error::ServerAnswer;

/// The password, the role or its right to log in.
pub(crate) fn is_bad_login(state: &SqlState) -> bool {
    *state == SqlState::INVALID_PASSWORD || *state == SqlState::INVALID_AUTHORIZATION_SPECIFICATION
}

pub(crate) fn answer_kind(answer: &ServerAnswer) -> ErrorKind {
    match state_code(&answer.state) {
        "ServerBusy" | "ServerNotReady" | "LockTimeout" | "StatementTimeout" | "ServerReadOnly"
        | "ConcurrentChange" => ErrorKind::Transient,
        "AdminDenied" => ErrorKind::Denied,
        _ if is_bad_login(&answer.state) => ErrorKind::Denied,
        _ => ErrorKind::Unusable,
    }
}

pub(crate) fn state_code(state: &SqlState) -> &'static str {
    match *state {
        SqlState::TOO_MANY_CONNECTIONS
        | SqlState::INSUFFICIENT_RESOURCES
        | SqlState::OUT_OF_MEMORY => "ServerBusy",
        SqlState::CANNOT_CONNECT_NOW | SqlState::ADMIN_SHUTDOWN | SqlState::CRASH_SHUTDOWN => {
            "ServerNotReady"
        }
        SqlState::INVALID_CATALOG_NAME => "DatabaseMissing",
        SqlState::INSUFFICIENT_PRIVILEGE => "AdminDenied",
        SqlState::LOCK_NOT_AVAILABLE => "LockTimeout",
        SqlState::QUERY_CANCELED => "StatementTimeout",
        SqlState::READ_ONLY_SQL_TRANSACTION => "ServerReadOnly",
        _ if is_collision(state) => "ConcurrentChange",
        _ => "ServerError",
    }
}

/// Somebody changed the same role at the same moment: `tuple concurrently updated` comes as an
/// internal error, and the loser of a creation as a duplicate.
pub(crate) fn is_collision(state: &SqlState) -> bool {
    [
        SqlState::INTERNAL_ERROR,
        SqlState::DUPLICATE_OBJECT,
        SqlState::UNIQUE_VIOLATION,
        SqlState::T_R_SERIALIZATION_FAILURE,
        SqlState::T_R_DEADLOCK_DETECTED,
    ]
    .contains(state)
}

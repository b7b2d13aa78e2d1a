//! What the server's codes mean to us.

use tokio_postgres::error::SqlState;
use twinkey_core::ErrorKind;

/// What to do when the server, the database or the role has no connection left, or no memory.
pub(crate) const BUSY: &str = "see who is connected, and raise max_connections or the role's \
    CONNECTION LIMIT if they are right to be: \
    SELECT datname, usename, count(*) FROM pg_stat_activity GROUP BY 1, 2 ORDER BY 3 DESC;";

/// The password, the role or its right to log in.
pub(crate) fn is_bad_login(state: &SqlState) -> bool {
    *state == SqlState::INVALID_PASSWORD || *state == SqlState::INVALID_AUTHORIZATION_SPECIFICATION
}

/// The stable name of a server's error, and what the caller can do about it.
/// <https://www.postgresql.org/docs/current/errcodes-appendix.html>
pub(crate) fn meaning(state: &SqlState) -> (&'static str, ErrorKind) {
    match *state {
        SqlState::INVALID_CATALOG_NAME => ("DatabaseMissing", ErrorKind::Unusable),
        SqlState::INSUFFICIENT_PRIVILEGE => ("AdminDenied", ErrorKind::Denied),
        SqlState::LOCK_NOT_AVAILABLE => ("LockTimeout", ErrorKind::Transient),
        SqlState::QUERY_CANCELED => ("StatementTimeout", ErrorKind::Transient),
        SqlState::READ_ONLY_SQL_TRANSACTION => ("ServerReadOnly", ErrorKind::Transient),
        // The server has ended the session, and the transaction with it.
        SqlState::IDLE_IN_TRANSACTION_SESSION_TIMEOUT => ("ConnectionLost", ErrorKind::Transient),
        _ if is_collision(state) => ("ConcurrentChange", ErrorKind::Transient),
        _ => meaning_of_class(state),
    }
}

fn meaning_of_class(state: &SqlState) -> (&'static str, ErrorKind) {
    match state.code().get(..2) {
        Some("08") => ("ConnectionLost", ErrorKind::Transient),
        Some("28") => ("LoginRefused", ErrorKind::Denied),
        Some("53") => ("ServerBusy", ErrorKind::Transient),
        Some("57") => ("ServerNotReady", ErrorKind::Transient),
        _ => ("ServerError", ErrorKind::Unusable),
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_passes_by_itself_is_told_from_what_a_person_must_mend() {
        for (code, name, kind) in [
            ("53300", "ServerBusy", ErrorKind::Transient),
            ("57P01", "ServerNotReady", ErrorKind::Transient),
            ("57P03", "ServerNotReady", ErrorKind::Transient),
            ("57014", "StatementTimeout", ErrorKind::Transient),
            ("55P03", "LockTimeout", ErrorKind::Transient),
            ("25P03", "ConnectionLost", ErrorKind::Transient),
            ("40P01", "ConcurrentChange", ErrorKind::Transient),
            ("28P01", "LoginRefused", ErrorKind::Denied),
            ("42501", "AdminDenied", ErrorKind::Denied),
            ("3D000", "DatabaseMissing", ErrorKind::Unusable),
            ("42601", "ServerError", ErrorKind::Unusable),
        ] {
            assert_eq!(meaning(&SqlState::from_code(code)), (name, kind));
        }
    }
}

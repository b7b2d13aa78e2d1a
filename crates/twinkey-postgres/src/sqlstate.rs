//! What the server's codes mean to us.

use tokio_postgres::error::SqlState;
use twinkey_core::ErrorKind;

/// A standby, or a server that was told to take no changes.
pub(crate) const READ_ONLY: (&str, ErrorKind) = ("ServerReadOnly", ErrorKind::Transient);

/// What to do when the server, the database or the role has no connection left, or no memory.
const BUSY: &str = "see who is connected, and raise max_connections or the role's \
    CONNECTION LIMIT if they are right to be: \
    SELECT datname, usename, count(*) FROM pg_stat_activity GROUP BY 1, 2 ORDER BY 3 DESC;";

/// What to do about what the server itself is in no state for, by the stable name of the error.
pub(crate) fn hint(name: &str) -> Option<&'static str> {
    Some(match name {
        "ServerBusy" => BUSY,
        "DiskFull" => {
            "free space at the server; an unused replication slot keeps its write-ahead log: \
             SELECT slot_name, active, restart_lsn FROM pg_replication_slots;"
        }
        "ServerReadOnly" => "name the primary in host, or wait for the failover",
        "ServerNotReady" => {
            "wait until it has started, recovered or shut down: its log says which. A standby with \
             hot_standby = off lets nobody in: name the primary in host"
        }
        _ => return None,
    })
}

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
        SqlState::READ_ONLY_SQL_TRANSACTION => READ_ONLY,
        SqlState::DISK_FULL => ("DiskFull", ErrorKind::Transient),
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
            ("53100", "DiskFull", ErrorKind::Transient),
            ("25006", "ServerReadOnly", ErrorKind::Transient),
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

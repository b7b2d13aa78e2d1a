//! The SQLite file: its layout, its settings, and what its errors mean.

use std::fs::{self, OpenOptions};
use std::io;
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;
use std::time::Duration;

use rusqlite::{Connection, ErrorCode, OpenFlags, params};
use twinkey_core::StoreError;

use crate::OpenError;
use crate::keyfile;
use crate::vault::WrappedKey;

/// `twky`, in the file's header.
const APPLICATION: i32 = 0x7477_6b79;
const LAYOUT: i32 = 1;
/// How long one process waits for another's transaction. Transactions take milliseconds.
const PATIENCE: Duration = Duration::from_secs(15);

/// Names stay readable, so that a person can see what a file holds; everything else is sealed.
/// `wrapping` says how the data key is wrapped.
const TABLES: &str = "
    CREATE TABLE store (
        only INTEGER PRIMARY KEY CHECK (only = 1),
        id TEXT NOT NULL, wrapping TEXT NOT NULL, data_key BLOB NOT NULL, root BLOB NOT NULL
    ) STRICT;
    CREATE TABLE secret (name TEXT PRIMARY KEY, state BLOB NOT NULL) STRICT;
    CREATE TABLE version (
        name TEXT NOT NULL, id TEXT NOT NULL, value BLOB NOT NULL, PRIMARY KEY (name, id)
    ) STRICT;
    CREATE TABLE record (
        number INTEGER PRIMARY KEY, name TEXT NOT NULL, token TEXT NOT NULL, record BLOB NOT NULL,
        UNIQUE (name, token)
    ) STRICT;
";

/// Makes a new file and fills it in one transaction.
pub(crate) fn create(path: &Path, key: &WrappedKey, root: &[u8]) -> Result<Connection, OpenError> {
    reserve(path)?;
    let filled = fill(path, key, root).map_err(|error| {
        // It is ours and holds nothing yet.
        let _ = fs::remove_file(path);
        OpenError::from(sql(error))
    })?;
    keyfile::sync_parent(path).map_err(|source| OpenError::File {
        action: "creating",
        path: path.to_owned(),
        source,
    })?;
    Ok(filled)
}

fn fill(path: &Path, key: &WrappedKey, root: &[u8]) -> Result<Connection, rusqlite::Error> {
    let connection = set_up(open_file(path)?)?;
    let transaction = connection.unchecked_transaction()?;
    transaction.pragma_update(None, "application_id", APPLICATION)?;
    transaction.pragma_update(None, "user_version", LAYOUT)?;
    transaction.execute_batch(TABLES)?;
    let row = params![key.store, key.wrapping, key.data_key, root];
    transaction.execute("INSERT INTO store VALUES (1, ?1, ?2, ?3, ?4)", row)?;
    transaction.commit()?;
    Ok(connection)
}

/// Connects to an existing store.
pub(crate) fn open(path: &Path) -> Result<Connection, OpenError> {
    if !path.exists() {
        return Err(OpenError::NoStore(path.to_owned()));
    }
    // Nothing is changed before it is known that the file is ours.
    let connection = open_file(path).map_err(sql)?;
    let header = |name: &str| connection.pragma_query_value(None, name, |row| row.get::<_, i32>(0));
    let not_a_store = |reason: String| OpenError::NotAStore {
        path: path.to_owned(),
        reason,
    };
    if header("application_id").map_err(sql)? != APPLICATION {
        return Err(not_a_store(
            "it was not made by twinkey init, or that was interrupted".into(),
        ));
    }
    match header("user_version").map_err(sql)? {
        LAYOUT => set_up(connection).map_err(|error| sql(error).into()),
        layout => Err(not_a_store(format!(
            "its layout is {layout}, this version knows {LAYOUT}"
        ))),
    }
}

/// The data key, wrapped.
pub(crate) fn wrapped_key(connection: &Connection) -> Result<WrappedKey, StoreError> {
    connection
        .query_row("SELECT id, wrapping, data_key FROM store", [], |row| {
            Ok(WrappedKey {
                store: row.get(0)?,
                wrapping: row.get(1)?,
                data_key: row.get(2)?,
            })
        })
        .map_err(sql)
}

fn reserve(path: &Path) -> Result<(), OpenError> {
    OpenOptions::new()
        .write(true)
        .create_new(true)
        .mode(0o600)
        .open(path)
        .map(|_| ())
        .map_err(|source| match source.kind() {
            io::ErrorKind::AlreadyExists => OpenError::StoreExists(path.to_owned()),
            _ => OpenError::File {
                action: "creating",
                path: path.to_owned(),
                source,
            },
        })
}

/// WAL lets readers pass a writer; FULL means that what was answered survives a power cut.
fn set_up(connection: Connection) -> Result<Connection, rusqlite::Error> {
    connection.pragma_update(None, "journal_mode", "wal")?;
    connection.pragma_update(None, "synchronous", "full")?;
    Ok(connection)
}

fn open_file(path: &Path) -> Result<Connection, rusqlite::Error> {
    let flags = OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    let connection = Connection::open_with_flags(path, flags)?;
    connection.busy_timeout(PATIENCE)?;
    connection.pragma_update(None, "trusted_schema", false)?;
    Ok(connection)
}

/// What an error of SQLite's means to the caller of a store. Its texts hold no bound values.
#[allow(clippy::needless_pass_by_value)] // so that it fits `map_err`
pub(crate) fn sql(error: rusqlite::Error) -> StoreError {
    let reason = error.to_string();
    match error.sqlite_error_code() {
        Some(
            ErrorCode::DatabaseBusy
            | ErrorCode::DatabaseLocked
            | ErrorCode::DiskFull
            | ErrorCode::SystemIoFailure
            | ErrorCode::OutOfMemory
            | ErrorCode::OperationInterrupted,
        ) => StoreError::Transient {
            doing: "using the store file".into(),
            reason,
        },
        Some(ErrorCode::PermissionDenied | ErrorCode::ReadOnly | ErrorCode::CannotOpen) => {
            StoreError::Denied {
                action: "writing the store file".into(),
                reason,
            }
        }
        _ => StoreError::Corrupt {
            what: "the store file".into(),
            reason: format!("it is damaged or not laid out as a store ({reason})"),
        },
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn p11_what_is_no_store_is_told_apart_from_what_is_not_there() {
        let directory = tempfile::tempdir().expect("a directory");
        let path = directory.path().join("store");
        assert!(matches!(open(&path), Err(OpenError::NoStore(_))));
        std::fs::write(
            &path,
            "a text, long enough to be no empty database; ".repeat(40),
        )
        .expect("written");
        let error = open(&path).expect_err("a text");
        assert!(
            matches!(error, OpenError::Store(StoreError::Corrupt { .. })),
            "{error}"
        );
        let other = directory.path().join("other");
        Connection::open(&other)
            .and_then(|c| c.execute_batch("CREATE TABLE t (x)"))
            .expect("a database");
        let error = open(&other).expect_err("another database");
        assert!(matches!(error, OpenError::NotAStore { .. }), "{error}");
    }

    #[test]
    fn p5_a_file_outlives_a_power_cut_and_serves_several_processes() {
        let directory = tempfile::tempdir().expect("a directory");
        let path = directory.path().join("store");
        reserve(&path).expect("a new path");
        let connection = open_file(&path).and_then(set_up).expect("connected");
        let pragma = |name: &str| -> String {
            connection
                .pragma_query_value(None, name, |row| row.get::<_, rusqlite::types::Value>(0))
                .map(|value| format!("{value:?}"))
                .expect("a pragma")
        };
        assert_eq!(pragma("journal_mode"), "Text(\"wal\")");
        assert_eq!(pragma("synchronous"), "Integer(2)");
    }
}

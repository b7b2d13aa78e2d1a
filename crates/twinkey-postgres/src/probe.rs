//! The document's own question to the database: what the role is meant to be able to do.

use tokio_postgres::error::SqlState;
use twinkey_core::ErrorKind;

use crate::error::PostgresError;
use crate::provider::doing;
use crate::session::{Session, StatementError};
use crate::sqlstate::meaning;

/// Asks it as consumers would, in a transaction that can change nothing: one statement, of whose
/// result no more than the first row is awaited. (P6)
pub(crate) async fn ask(session: &Session, probe: &str) -> Result<(), PostgresError> {
    let limit = session.patience().as_millis();
    let begin = format!("BEGIN READ ONLY; SET LOCAL statement_timeout = {limit}");
    let opened = session.execute(&begin).await;
    opened.map_err(doing("opening the probe's transaction"))?;
    match session.first_row(probe).await {
        Ok(()) => Ok(()),
        Err(StatementError::Answer(answer)) if !passes_by_itself(&answer.state) => {
            Err(PostgresError::ProbeFailed(answer))
        }
        Err(cause) => Err(doing("asking the probe")(cause)),
    }
}

/// A probe that writes does not, nor what is broken at the server.
fn passes_by_itself(state: &SqlState) -> bool {
    ![
        SqlState::READ_ONLY_SQL_TRANSACTION,
        SqlState::INTERNAL_ERROR,
    ]
    .contains(state)
        && matches!(meaning(state).1, ErrorKind::Transient | ErrorKind::Busy)
}

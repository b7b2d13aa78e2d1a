//! A session: statements with an end, and a way to hang up.

use std::pin::pin;
use std::time::Duration;

use futures_util::TryStreamExt as _;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::task::JoinHandle;
use tokio::time::timeout;
use tokio_postgres::error::SqlState;
use tokio_postgres::types::{ToSql, Type};
use tokio_postgres::{Client, Connection, Row};

use crate::server_answer::ServerAnswer;

/// How long a server may take to see that we hang up.
const FAREWELL: Duration = Duration::from_secs(1);

/// A logged-in connection. Dropping it hangs up at once, which ends an open transaction.
pub(crate) struct Session {
    client: Client,
    line: Line,
    patience: Duration,
    major_version: u32,
}

/// The task that carries the connection: it ends with its owner, whatever it waits for.
struct Line(JoinHandle<()>);

impl Drop for Line {
    fn drop(&mut self) {
        self.0.abort();
    }
}

/// What became of a statement.
#[derive(Clone, Debug, thiserror::Error)]
pub(crate) enum StatementError {
    #[error("the server did not answer in time")]
    Timeout,
    #[error("the connection was lost")]
    Lost,
    #[error("{0}")]
    Answer(ServerAnswer),
    #[error("the server's answer has another form than expected")]
    Form,
}

impl StatementError {
    pub(crate) fn state(&self) -> Option<&SqlState> {
        match self {
            Self::Answer(answer) => Some(&answer.state),
            _ => None,
        }
    }
}

impl From<tokio_postgres::Error> for StatementError {
    fn from(error: tokio_postgres::Error) -> Self {
        match error.as_db_error() {
            Some(error) => Self::Answer(ServerAnswer::of(error)),
            None => Self::Lost,
        }
    }
}

impl Session {
    pub(crate) fn new<S, T>(
        client: Client,
        connection: Connection<S, T>,
        patience: Duration,
    ) -> Self
    where
        S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
        T: AsyncRead + AsyncWrite + Unpin + Send + 'static,
    {
        let version = connection.parameter("server_version").unwrap_or_default();
        let major_version = major(version);
        let task = tokio::spawn(async move {
            // Whoever waits for an answer is told; nobody else needs to know.
            let _ = connection.await;
        });
        Self {
            client,
            line: Line(task),
            patience,
            major_version,
        }
    }

    /// How long a statement may take.
    pub(crate) fn patience(&self) -> Duration {
        self.patience
    }

    pub(crate) fn major_version(&self) -> u32 {
        self.major_version
    }

    /// One statement in one round trip.
    pub(crate) async fn query(
        &self,
        sql: &str,
        parameters: &[(&(dyn ToSql + Sync), Type)],
    ) -> Result<Vec<Row>, StatementError> {
        self.within(self.client.query_typed(sql, parameters)).await
    }

    /// One statement in the extended protocol, which takes no second one with it. Waits for the first row or
    /// the end, and reads no further.
    pub(crate) async fn first_row(&self, sql: &str) -> Result<(), StatementError> {
        let first = async {
            let none: [(String, Type); 0] = [];
            let rows = self.client.query_typed_raw(sql, none).await?;
            pin!(rows).try_next().await
        };
        self.within(first).await.map(drop)
    }

    /// Statements whose results do not matter, in one round trip.
    pub(crate) async fn execute(&self, sql: &str) -> Result<(), StatementError> {
        self.within(self.client.batch_execute(sql)).await
    }

    async fn within<T>(
        &self,
        work: impl Future<Output = Result<T, tokio_postgres::Error>>,
    ) -> Result<T, StatementError> {
        match timeout(self.patience, work).await {
            Ok(result) => Ok(result?),
            Err(_) => Err(StatementError::Timeout),
        }
    }

    /// Says goodbye and waits until it is said, so that the server does not count us any longer.
    pub(crate) async fn close(self) {
        let Self {
            client, mut line, ..
        } = self;
        drop(client);
        // A server that does not take our leave is left without it.
        let _ = timeout(FAREWELL, &mut line.0).await;
    }
}

/// `15.20 (Debian 15.20-0+deb12u1)`, `18beta1`
fn major(version: &str) -> u32 {
    let end = version
        .find(|character: char| !character.is_ascii_digit())
        .unwrap_or(version.len());
    version[..end].parse().unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_major_version_is_what_the_version_begins_with() {
        assert_eq!(major("15.20 (Debian 15.20-0+deb12u1)"), 15);
        assert_eq!(major("18beta1"), 18);
        assert_eq!(major(""), 0);
    }
}

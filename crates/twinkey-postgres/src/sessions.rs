//! Who is connected as a role, and the end of it.

use chrono::{DateTime, Utc};
use tokio_postgres::error::SqlState;
use tokio_postgres::types::{ToSql, Type};
use twinkey_core::{Consumer, InUse, KeyId};

use crate::session::{Session, StatementError};

/// Everybody sees how many sessions there are and what they call themselves; when they began and from where,
/// only `pg_read_all_stats`, a superuser, or who has the role's own rights. Nulls for all others.
/// <https://www.postgresql.org/docs/current/monitoring-stats.html>
const SESSIONS: &str = "
SELECT a.application_name AS application,
       pg_catalog.host(a.client_addr) AS address,
       pg_catalog.count(*) AS sessions,
       (pg_catalog.date_part('epoch', pg_catalog.max(a.backend_start)) * 1000)::bigint AS newest
  FROM pg_catalog.pg_stat_activity a
 WHERE a.usename = $1::text
   AND a.pid <> pg_catalog.pg_backend_pid()
   AND a.backend_type IS DISTINCT FROM 'parallel worker'
 GROUP BY 1, 2
 ORDER BY 3 DESC, 1, 2";

/// The sessions of a role that are open now, our own apart. `None`: the admin may not look. Read-only.
pub(crate) async fn look(session: &Session, role: &str) -> Result<Option<InUse>, StatementError> {
    let parameters: [(&(dyn ToSql + Sync), Type); 1] = [(&role, Type::TEXT)];
    let rows = match session.query(SESSIONS, &parameters).await {
        Ok(rows) => rows,
        Err(error) if error.state() == Some(&SqlState::INSUFFICIENT_PRIVILEGE) => return Ok(None),
        Err(error) => return Err(error),
    };
    let form = |_| StatementError::Form;
    let mut in_use = InUse {
        key: KeyId::new(role),
        sessions: 0,
        newest_at: None,
        consumers: Vec::new(),
    };
    for row in &rows {
        let sessions: i64 = row.try_get("sessions").map_err(form)?;
        let newest: Option<i64> = row.try_get("newest").map_err(form)?;
        let application: Option<String> = row.try_get("application").map_err(form)?;
        let consumer = Consumer {
            application: application.unwrap_or_default(),
            address: row.try_get("address").map_err(form)?,
            sessions: u64::try_from(sessions).unwrap_or_default(),
        };
        in_use.sessions += consumer.sessions;
        let newest_at = newest.and_then(DateTime::from_timestamp_millis);
        in_use.newest_at = in_use.newest_at.max(newest_at);
        if in_use.consumers.len() < InUse::MOST_CONSUMERS {
            in_use.consumers.push(consumer);
        }
    }
    Ok(Some(in_use))
}

/// By the server's own clock, so that no two are compared.
const END: &str = "
SELECT pg_catalog.count(*) FILTER (WHERE pg_catalog.pg_terminate_backend(a.pid)) AS ended
  FROM pg_catalog.pg_stat_activity a
 WHERE a.usename = $1::text
   AND a.pid <> pg_catalog.pg_backend_pid()
   AND a.backend_start < pg_catalog.to_timestamp($2::float8 / 1000000)";

/// Ends the sessions of a role that began before; returns how many. A session that we may not look at is not
/// ended. Repeatable.
pub(crate) async fn end(
    session: &Session,
    role: &str,
    before: DateTime<Utc>,
) -> Result<u64, StatementError> {
    #[allow(clippy::cast_precision_loss)] // Exact for some centuries.
    let before = before.timestamp_micros() as f64;
    let parameters: [(&(dyn ToSql + Sync), Type); 2] =
        [(&role, Type::TEXT), (&before, Type::FLOAT8)];
    let rows = session.query(END, &parameters).await?;
    let row = rows.first().ok_or(StatementError::Form)?;
    let ended: i64 = row.try_get("ended").map_err(|_| StatementError::Form)?;
    Ok(u64::try_from(ended).unwrap_or_default())
}

//! A pair's turn. A change is one message, and the server makes it only if nobody else is at the pair and
//! the marks are still what was looked at. So no lock is held while somebody else is asked, and none by
//! a process that is frozen.

use std::time::Duration;

use chrono::{DateTime, Utc};
use postgres_protocol::escape::escape_literal;
use tokio_postgres::error::SqlState;

use crate::error::PostgresError;
use crate::provider::doing;
use crate::session::{Session, StatementError};
use crate::snapshot::Snapshot;
use crate::sqlstate::is_collision;

/// How often a change is tried that somebody else's got in the way of.
const ATTEMPTS: u32 = 6;
const FIRST_PAUSE: Duration = Duration::from_millis(20);

/// What the server's log says of a change that came too late. It is no constant to the planner, which would evaluate it
/// where it does not apply: <https://www.postgresql.org/docs/current/functions-conditional.html>
const TOO_LATE: &str = "CAST(pg_catalog.concat('twinkey: another change of these roles came first, \
    or this one too late; it looks again') AS integer)";

/// For how long a look is good, in times that a statement may take: an invocation that was frozen looks again, at the store
/// too, whose labels no mark follows. Longer than a store takes that answers. (P1)
const GOOD_FOR: u32 = 3;

/// Two roles, as they were looked at.
pub(crate) struct Seen<'a> {
    roles: [&'a str; 2],
    marks: Option<String>,
    at: DateTime<Utc>,
}

impl<'a> Seen<'a> {
    pub(crate) fn of(snapshot: &Snapshot, roles: [&'a str; 2]) -> Self {
        let named = roles.map(in_a_mark);
        let mut marks: Vec<&str> = snapshot
            .marked()
            .map(|(_, mark)| mark)
            .filter(|mark| named.iter().any(|name| mark.contains(name)))
            .collect();
        marks.sort_unstable();
        Self {
            roles,
            marks: (!marks.is_empty()).then(|| marks.join("\n")),
            at: snapshot.now,
        }
    }

    /// Makes the change, or none and says [`PostgresError::PairChanged`].
    pub(crate) async fn change(
        &self,
        session: &Session,
        what: &'static str,
        statements: &str,
    ) -> Result<(), PostgresError> {
        let until = self.at + session.patience() * GOOD_FOR;
        match session.execute(&self.message(statements, until)).await {
            Err(StatementError::Answer(answer))
                if answer.state == SqlState::INVALID_TEXT_REPRESENTATION =>
            {
                Err(PostgresError::PairChanged)
            }
            outcome => outcome.map_err(doing(what)),
        }
    }

    /// At a level on which each statement sees what was committed before it, the second what the first has waited for.
    fn message(&self, statements: &str, until: DateTime<Utc>) -> String {
        let [one, other] =
            locks(self.roles).map(|key| format!("pg_catalog.pg_try_advisory_xact_lock({key})"));
        let [a, b] = self.roles.map(|role| escape_literal(&in_a_mark(role)));
        let marks = self.marks.as_deref().map_or("NULL".into(), escape_literal);
        let until = until.timestamp();
        format!(
            "BEGIN ISOLATION LEVEL READ COMMITTED READ WRITE; \
             SELECT CASE WHEN pg_catalog.clock_timestamp() < pg_catalog.to_timestamp({until}) \
             AND {one} AND {other} THEN 0 ELSE {TOO_LATE} END; \
             SELECT CASE WHEN (\
             SELECT pg_catalog.string_agg(d.description, E'\\n' ORDER BY d.description COLLATE \"C\") \
             FROM pg_catalog.pg_shdescription d \
             WHERE d.classoid = 'pg_catalog.pg_authid'::pg_catalog.regclass \
             AND pg_catalog.starts_with(d.description, 'twinkey:') \
             AND (pg_catalog.strpos(d.description, {a}) > 0 OR pg_catalog.strpos(d.description, {b}) > 0)\
             ) IS NOT DISTINCT FROM {marks} THEN 0 ELSE {TOO_LATE} END; \
             {statements} COMMIT;"
        )
    }
}

/// Tries again what somebody else got in the way of, in turns.
pub(crate) struct Turns<'a> {
    session: &'a Session,
    roles: [&'a str; 2],
    taken: u32,
    pause: Duration,
}

impl<'a> Turns<'a> {
    pub(crate) fn new(session: &'a Session, roles: [&'a str; 2]) -> Self {
        Self {
            session,
            roles,
            taken: 1,
            pause: FIRST_PAUSE,
        }
    }

    /// Whether this is not the first one.
    pub(crate) fn is_another(&self) -> bool {
        self.taken > 1
    }

    /// Waits until nobody is at the pair, or gives back an error that another turn would not mend.
    pub(crate) async fn wait_after(&mut self, error: PostgresError) -> Result<(), PostgresError> {
        if self.taken == ATTEMPTS || !is_in_the_way(&error) {
            return Err(error);
        }
        self.taken += 1;
        tokio::time::sleep(self.pause).await;
        self.pause *= 2;
        let [one, other] =
            locks(self.roles).map(|key| format!("pg_catalog.pg_advisory_xact_lock({key})"));
        // The locks end with the message.
        let waited = format!("ROLLBACK; SELECT {one}, {other};");
        let waited = self.session.execute(&waited).await;
        waited.map_err(doing("waiting for the roles' turn"))
    }
}

fn is_in_the_way(error: &PostgresError) -> bool {
    match error {
        PostgresError::PairChanged => true,
        PostgresError::Statement { cause, .. } => cause.state().is_some_and(is_collision),
        _ => false,
    }
}

/// Opens a transaction that waits for its turn at both roles, for changes of more than one message. At a level on which
/// what follows sees what others did while it waited.
pub(crate) fn begin(roles: [&str; 2]) -> String {
    let [one, other] = locks(roles).map(|key| format!("pg_catalog.pg_advisory_xact_lock({key})"));
    format!("BEGIN ISOLATION LEVEL READ COMMITTED READ WRITE; SELECT {one}, {other};")
}

/// The keys of both roles' locks, in one order for everybody.
fn locks(mut roles: [&str; 2]) -> [String; 2] {
    roles.sort_unstable();
    roles.map(|role| {
        let name = escape_literal(&format!("twinkey:{role}"));
        format!("pg_catalog.hashtextextended({name}, 0)")
    })
}

/// How a mark names a role: as a value, not as a key.
fn in_a_mark(role: &str) -> String {
    format!(":{}", serde_json::Value::from(role))
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use twinkey_core::{SecretAddress, SecretId};

    use super::*;
    use crate::mark::Mark;
    use crate::snapshot::{Role, of_roles, plain_role};

    fn marked(twin: &str, original: &str) -> Role {
        let address = SecretAddress {
            store: "store".into(),
            secret: SecretId::new(original),
        };
        let mark = Mark::new(address, original, twin, original);
        Role {
            comment: Some(mark.render()),
            ..plain_role(twin)
        }
    }

    #[test]
    fn both_orders_of_a_pair_wait_in_the_same_order() {
        assert_eq!(begin(["a", "b"]), begin(["b", "a"]));
    }

    #[test]
    fn p5_whatever_mark_names_one_of_the_two_counts_and_no_other() {
        let marks = |roles: Vec<Role>| Seen::of(&of_roles(15, roles), ["a\"p", "twin"]).marks;
        assert_eq!(
            marks(vec![plain_role("a\"p"), marked("twins", "app")]),
            None
        );
        let ours = marked("twin", "a\"p");
        let theirs = marked("blue", "a\"p");
        let mut both = [
            ours.comment.clone().unwrap(),
            theirs.comment.clone().unwrap(),
        ];
        both.sort();
        assert_eq!(
            marks(vec![ours, theirs, marked("x", "y")]),
            Some(both.join("\n"))
        );
    }

    #[test]
    fn hostile_names_stay_names() {
        let seen = Seen::of(&of_roles(15, Vec::new()), ["'; DROP ROLE a; --", "b"]);
        let message = seen.message("", DateTime::UNIX_EPOCH);
        assert!(message.contains("':\"''; DROP ROLE a; --\"'"), "{message}");
        assert!(message.contains("IS NOT DISTINCT FROM NULL"));
    }
}

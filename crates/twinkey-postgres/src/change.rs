//! One change of one role, in one transaction, fenced by the mark that it reads after the lock.

use std::time::Duration;

use chrono::{DateTime, Utc};
use twinkey_core::{DocumentError, Fence, KeyId, LastLook, Retired, RetiredKey, VersionStamp};

use crate::document::PostgresSecret;
use crate::error::PostgresError;
use crate::mark::Mark;
use crate::pair::Pairing;
use crate::provider::doing;
use crate::rights;
use crate::session::{Session, StatementError};
use crate::sessions;
use crate::snapshot::Snapshot;
use crate::sqlstate::is_collision;
use crate::statement;
use crate::verifier::Verifier;

/// How often a change is tried that somebody else's got in the way of.
const ATTEMPTS: u32 = 6;
const FIRST_PAUSE: Duration = Duration::from_millis(20);

/// The statements, whose place the new key takes, and since when it has it.
type Planned = (String, Option<VersionStamp>, DateTime<Utc>);

/// Makes the server accept a pending password.
pub(crate) struct Change<'a> {
    pending: &'a PostgresSecret,
    twin: &'a str,
    owner: &'a str,
    verifier: Verifier,
    fence: &'a Fence,
    last_look: &'a dyn LastLook,
}

impl<'a> Change<'a> {
    pub(crate) fn new(
        pending: &'a PostgresSecret,
        fence: &'a Fence,
        last_look: &'a dyn LastLook,
    ) -> Result<Self, PostgresError> {
        let twin = pending
            .twin()
            .ok_or_else(|| DocumentError::new("twin", "is missing"))?;
        Ok(Self {
            pending,
            twin,
            owner: pending.owner().unwrap_or(twin),
            verifier: Verifier::of(pending.password())?,
            fence,
            last_look,
        })
    }

    /// Our own changes wait for each other; another's of the same role makes ours fail, and
    /// tried again it passes or finds out why not.
    pub(crate) async fn make_despite_collisions(
        &self,
        session: &Session,
    ) -> Result<Option<RetiredKey>, PostgresError> {
        let mut pause = FIRST_PAUSE;
        for _ in 1..ATTEMPTS {
            match self.make(session).await {
                Err(error) if collided(&error) => {}
                outcome => return outcome,
            }
            let undone = session.execute("ROLLBACK").await;
            undone.map_err(doing("undoing a change that collided"))?;
            tokio::time::sleep(pause).await;
            pause *= 2;
        }
        self.make(session).await
    }

    async fn make(&self, session: &Session) -> Result<Option<RetiredKey>, PostgresError> {
        let begin = statement::begin([self.pending.username(), self.twin]);
        let locked = session.execute(&begin).await;
        locked.map_err(doing("waiting for the roles' turn"))?;
        let names = [self.pending.username(), self.twin, self.owner];
        let taken = Snapshot::take(session, self.twin, &names).await;
        let snapshot = taken.map_err(doing("looking at the roles"))?;
        let (sql, replaced, changed_at) = self.sql(&snapshot)?;
        let in_time = self.last_look.take(replaced.as_ref()).await;
        in_time.map_err(PostgresError::LastLook)?;
        let changed = session.execute(&sql).await;
        changed.map_err(doing("changing the role"))?;
        if self.pending.ends_sessions() {
            let ended = sessions::end(session, self.pending.username(), changed_at).await;
            ended.map_err(doing("ending the sessions of the retired key"))?;
        }
        Ok(replaced.map(|there| RetiredKey {
            key: KeyId::new(self.pending.username()),
            version: Some(there.id),
            how: Retired::Replaced,
        }))
    }

    /// What to do, by what the server says now, and whose place the new key takes.
    fn sql(&self, snapshot: &Snapshot) -> Result<Planned, PostgresError> {
        let role = self.pending.username();
        match Pairing::find(snapshot, self.twin, role, &self.fence.address)? {
            Pairing::First => Ok((self.creation(snapshot)?, None, snapshot.now)),
            Pairing::Marked(mark) => {
                if let Some(later) = mark.later_than(role, &self.fence.pending) {
                    return Err(PostgresError::Superseded {
                        role: role.into(),
                        version: later.id.clone(),
                    });
                }
                let replaced = mark.other_than(role, &self.fence.pending).cloned();
                let mark = mark.advanced(role, self.fence, snapshot.now);
                let changed_at = mark.changed_at(role).unwrap_or(snapshot.now);
                let sql = statement::replace(role, &self.verifier, &mark);
                Ok((sql, replaced, changed_at))
            }
        }
    }

    fn creation(&self, snapshot: &Snapshot) -> Result<String, PostgresError> {
        let role = self.pending.username();
        let original = snapshot.existing(self.twin)?;
        rights::check_owner(original, snapshot.existing(self.owner)?)?;
        let Some(admin) = snapshot.admin() else {
            return Err(doing("looking at the roles")(StatementError::Form));
        };
        let address = self.fence.address.clone();
        let mark = Mark::new(address, self.twin, role, self.owner).advanced(
            role,
            self.fence,
            snapshot.now,
        );
        Ok(statement::create_twin(
            original,
            admin,
            snapshot.major_version,
            &self.verifier,
            &mark,
        ))
    }
}

fn collided(error: &PostgresError) -> bool {
    matches!(error, PostgresError::Statement { cause, .. }
        if cause.state().is_some_and(is_collision))
}

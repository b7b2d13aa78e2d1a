//! One change of one role, in one message, fenced by the marks: they are read before, and must still be the same.

use std::time::Instant;

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
use crate::statement;
use crate::turn::{Seen, Turns};
use crate::verifier::Verifier;

/// What to do by what the server says now.
enum Plan {
    /// Nothing: another delivery of the same has just done it, and since when the key is there.
    Made(Option<DateTime<Utc>>),
    /// The role is made.
    Create,
    /// The role gets another password, in the place of this version's.
    Replace(Box<Mark>, Option<VersionStamp>),
}

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

    /// Our own changes take turns; another's of the same role makes ours fail, and tried again it passes or finds out
    /// why not.
    pub(crate) async fn make_despite_others(
        &self,
        session: &Session,
    ) -> Result<Option<RetiredKey>, PostgresError> {
        let mut turns = Turns::new(session, [self.pending.username(), self.twin]);
        loop {
            match self.make(session, turns.is_another()).await {
                Err(error) => turns.wait_after(error).await?,
                made => return made,
            }
        }
    }

    async fn make(
        &self,
        session: &Session,
        is_another: bool,
    ) -> Result<Option<RetiredKey>, PostgresError> {
        let role = self.pending.username();
        let names = [role, self.twin, self.owner];
        let taken = Snapshot::take(session, self.twin, &names).await;
        let snapshot = taken.map_err(doing("looking at the roles"))?;
        let looked_at = Instant::now();
        let plan = self.plan(&snapshot, is_another)?;
        let replaced = match &plan {
            Plan::Made(changed_at) => {
                self.end_sessions(session, *changed_at).await?;
                return Ok(None);
            }
            Plan::Create => None,
            Plan::Replace(_, replaced) => replaced.clone(),
        };
        let in_time = self.last_look.take(replaced.as_ref()).await;
        in_time.map_err(PostgresError::LastLook)?;
        // By the server's clock, and never later than it is there.
        let now = snapshot.now + looked_at.elapsed();
        let (sql, changed_at) = self.statements(&snapshot, &plan, now)?;
        let seen = Seen::of(&snapshot, [role, self.twin]);
        seen.change(session, "changing the role", &sql).await?;
        self.end_sessions(session, changed_at).await?;
        Ok(replaced.map(|there| RetiredKey {
            key: KeyId::new(role),
            version: Some(there.id),
            how: Retired::Replaced,
        }))
    }

    /// Those that began before the role's key was there, if the document wants that. Repeatable.
    async fn end_sessions(
        &self,
        session: &Session,
        changed_at: Option<DateTime<Utc>>,
    ) -> Result<(), PostgresError> {
        let Some(changed_at) = changed_at.filter(|_| self.pending.ends_sessions()) else {
            return Ok(());
        };
        let ended = sessions::end(session, self.pending.username(), changed_at).await;
        ended
            .map(drop)
            .map_err(doing("ending the sessions of the retired key"))
    }

    fn plan(&self, snapshot: &Snapshot, is_another: bool) -> Result<Plan, PostgresError> {
        let role = self.pending.username();
        match Pairing::find(snapshot, self.twin, role, &self.fence.address)? {
            Pairing::First => Ok(Plan::Create),
            Pairing::Marked(mark) => {
                if let Some(later) = mark.later_than(role, &self.fence.pending) {
                    return Err(PostgresError::Superseded {
                        role: role.into(),
                        version: later.id.clone(),
                    });
                }
                // The first turn does it again: somebody may have changed the password by hand.
                if is_another && mark.holds(role, &self.fence.pending) {
                    return Ok(Plan::Made(mark.changed_at(role)));
                }
                let replaced = mark.other_than(role, &self.fence.pending).cloned();
                Ok(Plan::Replace(mark, replaced))
            }
        }
    }

    /// The statements, and since when the new key is there.
    fn statements(
        &self,
        snapshot: &Snapshot,
        plan: &Plan,
        now: DateTime<Utc>,
    ) -> Result<(String, Option<DateTime<Utc>>), PostgresError> {
        let role = self.pending.username();
        let Plan::Replace(mark, _) = plan else {
            return Ok((self.creation(snapshot, now)?, None));
        };
        let mark = mark.advanced(role, self.fence, now);
        let sql = statement::replace(role, &self.verifier, &mark);
        Ok((sql, mark.changed_at(role)))
    }

    fn creation(&self, snapshot: &Snapshot, now: DateTime<Utc>) -> Result<String, PostgresError> {
        let role = self.pending.username();
        let original = snapshot.existing(self.twin)?;
        rights::check_owner(original, snapshot.existing(self.owner)?)?;
        let Some(admin) = snapshot.admin() else {
            return Err(doing("looking at the roles")(StatementError::Form));
        };
        let address = self.fence.address.clone();
        let mark = Mark::new(address, self.twin, role, self.owner).advanced(role, self.fence, now);
        Ok(statement::create_twin(
            original,
            admin,
            snapshot.major_version,
            &self.verifier,
            &mark,
        ))
    }
}

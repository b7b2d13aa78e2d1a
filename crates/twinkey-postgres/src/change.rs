//! One change of one role, in one message, fenced by the marks: they are read before, and must still be the same.

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
use crate::turn::{Turn, Turns};
use crate::verifier::Verifier;

/// What to do by what the server says now.
enum Plan {
    /// Another delivery of the same has just done it.
    Made,
    /// The statements, whose place the new key takes, and since when it has it.
    Make(String, Option<VersionStamp>, DateTime<Utc>),
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
        let Plan::Make(sql, replaced, changed_at) = self.plan(&snapshot, is_another)? else {
            return Ok(None);
        };
        let in_time = self.last_look.take(replaced.as_ref()).await;
        in_time.map_err(PostgresError::LastLook)?;
        let turn = Turn::of(&snapshot, [role, self.twin]);
        turn.change(session, "changing the role", &sql).await?;
        if self.pending.ends_sessions() {
            let ended = sessions::end(session, role, changed_at).await;
            ended.map_err(doing("ending the sessions of the retired key"))?;
        }
        Ok(replaced.map(|there| RetiredKey {
            key: KeyId::new(role),
            version: Some(there.id),
            how: Retired::Replaced,
        }))
    }

    fn plan(&self, snapshot: &Snapshot, is_another: bool) -> Result<Plan, PostgresError> {
        let role = self.pending.username();
        match Pairing::find(snapshot, self.twin, role, &self.fence.address)? {
            Pairing::First => Ok(Plan::Make(self.creation(snapshot)?, None, snapshot.now)),
            Pairing::Marked(mark) => {
                if let Some(later) = mark.later_than(role, &self.fence.pending) {
                    return Err(PostgresError::Superseded {
                        role: role.into(),
                        version: later.id.clone(),
                    });
                }
                // The first turn does it again: somebody may have changed the password by hand.
                if is_another && mark.holds(role, &self.fence.pending) {
                    return Ok(Plan::Made);
                }
                let replaced = mark.other_than(role, &self.fence.pending).cloned();
                let mark = mark.advanced(role, self.fence, snapshot.now);
                let changed_at = mark.changed_at(role).unwrap_or(snapshot.now);
                let sql = statement::replace(role, &self.verifier, &mark);
                Ok(Plan::Make(sql, replaced, changed_at))
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

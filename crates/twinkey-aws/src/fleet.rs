//! Rotates what is due, over all managed secrets of a region: one tick of an outside clock.

mod abandon;
mod attempt;
mod limits;
mod listing;
mod managed;
mod pace;
mod region;
mod report;
mod row;
mod versions;

use chrono::{DateTime, Utc};
use twinkey_core::{Clock, StoreError, VersionId};

pub use abandon::Abandon;
pub use limits::Limits;
pub use pace::{Pause, TokioPause};
pub use region::{Page, Region};
pub use report::{Action, Figures, Reason, Report, SecretReport};
pub use versions::DatedVersion;

use crate::asking::Answer;
use attempt::Attempts;
use listing::Listing;
use managed::{Due, Managed};
use pace::Pace;
use row::Row;

/// The managed secrets of a region, and what is needed to rotate those that are due. It keeps nothing
/// between two ticks.
pub struct Fleet<'a> {
    /// Where the secrets are.
    pub store: &'a dyn Region,
    /// Who ends a rotation that is stuck.
    pub abandon: &'a dyn Abandon,
    /// What time it is.
    pub clock: &'a dyn Clock,
    /// How to wait, by that clock.
    pub pause: &'a dyn Pause,
    /// What a tick may cost.
    pub limits: Limits,
}

/// One tick.
struct Tick<'a> {
    fleet: &'a Fleet<'a>,
    now: DateTime<Utc>,
    deadline: DateTime<Utc>,
}

impl Fleet<'_> {
    /// Asks Secrets Manager for the rotation of every managed secret that is due, as far as it comes before
    /// `deadline`. Repeatable, also at the same time: the same slot of the same secret is the same token.
    ///
    /// Those whose next slot is nearest come first, so that a key that lives for an hour does not wait behind a hundred
    /// thousand that live for a day; and those that may have to be abandoned after all others, for that takes
    /// time. What one tick does not reach comes nearer to the front with each that follows. An error only if no secret
    /// could be listed; whatever else fails is told of the secret it is about.
    pub async fn rotate_due(&self, deadline: DateTime<Utc>) -> Result<Report, StoreError> {
        let now = self.clock.now();
        let tick = Tick {
            fleet: self,
            now,
            deadline,
        };
        let listing = Listing::of(self.store, self.clock, deadline).await?;
        let (look, rest): (Vec<_>, Vec<_>) = listing
            .managed
            .into_iter()
            .partition(|managed| tick.deserves_a_look(managed));
        let mut rows: Vec<Row> = rest.into_iter().map(|it| tick.at_a_glance(it)).collect();
        rows.extend(tick.work(look).await);
        Ok(row::report(rows, listing.incomplete))
    }
}

impl Tick<'_> {
    /// A secret that is not due costs no call of its own. The list's date is never later than the truth, so
    /// neither is what it says is due.
    fn deserves_a_look(&self, managed: &Managed) -> bool {
        if managed.is_foreign || managed.description.versions.is_empty() {
            return false;
        }
        let due = self.due(managed).is_none_or(|due| due.at <= self.now);
        managed.pending().is_some() || (managed.skip.is_none() && due)
    }

    fn due(&self, managed: &Managed) -> Option<Due> {
        let address = self.fleet.store.address(&managed.arn);
        managed.due(self.now, |slot| VersionId::scheduled(&address, slot))
    }

    async fn work(&self, mut look: Vec<Managed>) -> Vec<Row> {
        let fleet = self.fleet;
        look.sort_by_cached_key(|managed| {
            let missed = self.due(managed).and_then(|due| managed.missed(due));
            (managed.skip.is_some(), managed.pending().is_some(), missed)
        });
        let mut pace = Pace::new(fleet.clock, fleet.pause, fleet.limits.per_second);
        let mut rows = Vec::new();
        for managed in look {
            if self.has_left(fleet.limits.for_asking) {
                pace.turn().await;
                rows.push(self.attend(managed).await);
            } else {
                rows.push(self.not_reached(managed));
            }
        }
        rows
    }

    fn has_left(&self, time: chrono::TimeDelta) -> bool {
        self.fleet.clock.now() + time <= self.deadline
    }

    async fn attend(&self, mut managed: Managed) -> Row {
        let versions = match self.fleet.store.versions(&managed.arn).await {
            Ok(versions) => versions,
            Err(error) => return self.not_seen(managed, &error),
        };
        managed.look_closer(&versions);
        let due = self.due(&managed);
        let row = self.row(&managed, due, managed.pending_since(&versions));
        if let Some(reason) = managed.skip {
            return row.with(Action::Skipped).because(reason);
        }
        let due = due.filter(|due| due.at <= self.now);
        match (managed.pending(), due) {
            (Some(pending), Some(due)) if row.is_stuck => {
                self.begin_anew(row, pending, due, &managed, &versions)
                    .await
            }
            (Some(pending), _) => row.with(Action::InProgress).by(pending.clone()).or_stuck(),
            (None, Some(due)) => self.begin(row, due, &managed, &versions).await,
            (None, None) => row.with(Action::NotDue),
        }
    }

    async fn begin(&self, row: Row, due: Due, managed: &Managed, versions: &[DatedVersion]) -> Row {
        let attempts = self.attempts(due, managed, versions, None);
        match attempts.not_before() {
            Some(moment) if moment > self.now => {
                let message =
                    format!("this slot's last attempt has failed; the next one is at {moment}");
                row.with(Action::NotDue)
                    .because(Reason::new("WaitsForRetry", message))
            }
            _ => self.ask(row, Action::Asked, attempts.token()).await,
        }
    }

    /// The key that a stuck rotation left dies before a new one is asked for.
    async fn begin_anew(
        &self,
        row: Row,
        pending: &VersionId,
        due: Due,
        managed: &Managed,
        versions: &[DatedVersion],
    ) -> Row {
        let row = row.by(pending.clone());
        if !self.has_left(self.fleet.limits.for_abandoning) {
            return row.with(Action::NotReached).or_stuck();
        }
        match self.fleet.abandon.abandon(&managed.arn, pending).await {
            Ok(retired) => {
                let token = self.attempts(due, managed, versions, Some(pending)).token();
                let row = row.having_retired(retired);
                self.ask(row, Action::AbandonedAndAsked, token).await
            }
            Err(failure) => {
                let message = format!("the rotation in flight could not be abandoned: {failure}");
                row.with(Action::Failed)
                    .because(Reason::new(failure.error_type(), message))
            }
        }
    }

    fn attempts<'a>(
        &self,
        due: Due,
        managed: &Managed,
        versions: &'a [DatedVersion],
        abandoned: Option<&'a VersionId>,
    ) -> Attempts<'a> {
        Attempts {
            address: self.fleet.store.address(&managed.arn),
            slot: due.slot,
            versions,
            abandoned,
            changed: managed.changed(),
        }
    }

    async fn ask(&self, row: Row, action: Action, token: VersionId) -> Row {
        match self.fleet.store.ask(row.arn(), &token).await {
            Ok(Answer::Begun) => row.with(action).by(token),
            // Somebody else asked since we looked.
            Ok(Answer::PreviousIncomplete) => row.with(Action::InProgress).by_somebody(),
            Err(error) => row
                .with(Action::Failed)
                .by(token)
                .because(Reason::from(&error)),
        }
    }

    fn at_a_glance(&self, managed: Managed) -> Row {
        let row = self.row(&managed, self.due(&managed), None);
        match managed.skip {
            Some(reason) => row.with(Action::Skipped).because(reason),
            None => row.with(Action::NotDue),
        }
    }

    fn not_reached(&self, managed: Managed) -> Row {
        let row = self.unseen(&managed);
        match managed.skip {
            Some(reason) => row.with(Action::Skipped).because(reason),
            None => row.with(Action::NotReached),
        }
    }

    fn not_seen(&self, managed: Managed, error: &StoreError) -> Row {
        let row = self.unseen(&managed);
        match managed.skip {
            Some(reason) => row.with(Action::Skipped).because(reason),
            None => row.with(Action::Failed).because(Reason::from(error)),
        }
    }

    /// Without the dates of its versions.
    fn unseen(&self, managed: &Managed) -> Row {
        self.row(managed, self.due(managed), managed.pending_since(&[]))
    }

    fn row(&self, managed: &Managed, due: Option<Due>, pending: Option<DateTime<Utc>>) -> Row {
        let limits = &self.fleet.limits;
        let late = due.is_some_and(|due| due.at + limits.overdue_after <= self.now);
        let stuck = pending.is_some_and(|since| since + limits.longest_rotation <= self.now);
        Row::new(managed, due.map(|due| due.at), self.now)
            .overdue(late && !managed.is_foreign)
            .stuck(stuck && !managed.is_foreign)
    }
}

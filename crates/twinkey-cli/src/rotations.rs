//! What each store knows of a secret's rotations: when one is due, whether one is in flight, the last one.

use chrono::{DateTime, Utc};
use twinkey_aws::{SecretsManagerStore, Seen};
use twinkey_core::{
    Clock, Kinds, Policy, Record, SecretId, Selector, Stage, Store, due_at, overlap_ends,
};
use twinkey_local::{Due, LocalStore, Service, Standing};

use crate::place::{At, Opened};
use crate::problem::Problem;

/// A secret's rotations.
#[derive(Default)]
pub(crate) struct Rotations {
    pub(crate) due_at: Option<DateTime<Utc>>,
    pub(crate) overlap_ends: Option<DateTime<Utc>>,
    pub(crate) in_flight: Option<String>,
    pub(crate) last: Option<Record>,
    /// When the last one finished, where there is no record of it.
    pub(crate) rotated_at: Option<DateTime<Utc>>,
    pub(crate) notes: Vec<String>,
}

impl Rotations {
    /// Where the document is `foreign`, of no kind that we know, it is not due and that is no mistake.
    pub(crate) async fn of(
        opened: &Opened,
        secret: &SecretId,
        foreign: bool,
    ) -> Result<Self, Problem> {
        let kinds = opened.kinds().await?;
        match &opened.at {
            At::Embedded(store) => {
                embedded(&Service::new(store.clone(), kinds), store, secret, foreign).await
            }
            At::Aws(aws) => {
                let seen = aws.store.look(secret).await?;
                let mut rotations = on_aws(&seen);
                match due_on_aws(&aws.store, &seen, kinds.as_ref(), opened.clock.as_ref()).await {
                    Ok(due) => rotations.set_due(&due),
                    Err(_) if foreign => {}
                    Err(Problem(error)) => rotations.note_unscheduled(&error.message),
                }
                Ok(rotations)
            }
        }
    }

    fn set_due(&mut self, due: &Due) {
        self.due_at = due.at;
        self.overlap_ends = due.overlap_ends;
    }

    fn note_unscheduled(&mut self, why: &str) {
        self.notes.push(format!("it cannot be scheduled: {why}"));
    }
}

async fn embedded(
    service: &Service,
    store: &LocalStore,
    secret: &SecretId,
    foreign: bool,
) -> Result<Rotations, Problem> {
    let mut rotations = Rotations::default();
    match service.due(secret).await {
        Ok(due) => rotations.set_due(&due),
        Err(_) if foreign => {}
        Err(error) => rotations.note_unscheduled(&error.to_string()),
    }
    rotations.in_flight = match service.standing(secret).await? {
        Standing::Idle => None,
        Standing::Running(token) => Some(format!("{token} is running")),
        Standing::Interrupted { token, .. } => Some(format!(
            "{token} was interrupted; the next rotation finishes it first"
        )),
    };
    rotations.last = store.records(secret).await?.pop();
    Ok(rotations)
}

/// Secrets Manager keeps no record of a rotation, only labels and dates.
fn on_aws(seen: &Seen) -> Rotations {
    let description = &seen.description;
    let pending = description.holder(&Stage::Pending);
    let pending = pending.filter(|id| !description.carries(id, &Stage::Current));
    let mut notes = Vec::new();
    match &seen.function {
        _ if description.rotation_enabled => {}
        None => notes.push("no rotation function is configured".into()),
        Some(_) => notes.push("rotation is turned off".into()),
    }
    if let Some(next) = seen.next_rotation {
        let schedule = "Secrets Manager rotates it by its own schedule, at the latest at";
        notes.push(format!("{schedule} {}", next.to_rfc3339()));
    }
    Rotations {
        in_flight: pending.map(|token| format!("{token}, which Secrets Manager drives")),
        rotated_at: description.rotated_at,
        notes,
        ..Rotations::default()
    }
}

/// By the tag, as the tick judges it that rotates what is due.
async fn due_on_aws(
    store: &SecretsManagerStore,
    seen: &Seen,
    kinds: &dyn Kinds,
    clock: &dyn Clock,
) -> Result<Due, Problem> {
    let policy = Policy::parse(&seen.description.tags)?;
    let at = Selector::Stage(Stage::Current);
    let current = store.read(&seen.arn, &at).await?;
    let rotator = kinds.open(&current.value)?;
    let overlap = policy.min_overlap.unwrap_or_else(|| rotator.min_overlap());
    let description = seen.description.clone().dated_by(Some(current.created_at));
    let now = clock.now();
    let schedule = policy.schedule.as_ref();
    Ok(Due {
        slot: None,
        at: schedule.and_then(|schedule| due_at(schedule, &description, overlap, now)),
        overlap_ends: overlap_ends(&description, overlap, now),
    })
}

//! The service: begins rotations, delivers their steps, and finishes what was interrupted.
//! It plays the part that Secrets Manager's rotation service plays on AWS.

use std::sync::Arc;
use std::time::Duration;

use chrono::{DateTime, TimeDelta, Utc};
use twinkey_core::{
    Clock, Description, Kinds, Policy, Record, RotationFailure, SecretId, Selector, Stage, Store,
    SystemClock, VersionId, due_at, due_slot, overlap_ends,
};

use crate::errand::Errand;
use crate::lease::Lease;
use crate::{LocalStore, ServiceError, Standing, Watch};

const LEASE: TimeDelta = TimeDelta::seconds(10);
const RENEWAL: Duration = Duration::from_secs(3);

/// Rotates the secrets of one store. Clones are the same service.
#[derive(Clone)]
pub struct Service {
    pub(crate) store: LocalStore,
    pub(crate) kinds: Arc<dyn Kinds>,
    pub(crate) renewal: Duration,
    machine_clock: Arc<dyn Clock>,
}

/// A request to rotate.
#[derive(Clone, Debug)]
pub struct Ask {
    /// The new version's id; it says who asks, and whether the minimum overlap is waived.
    pub token: VersionId,
    /// Why, in the words of the one who asks.
    pub reason: Option<String>,
}

/// A rotation that came about.
#[derive(Clone, Debug)]
pub struct Rotation {
    /// What happened.
    pub record: Record,
    /// The request was answered by a rotation that was in flight already.
    pub joined: bool,
    /// This call finished a rotation that had been interrupted.
    pub resumed: bool,
}

/// When a secret rotates by itself, and when it may be rotated at the earliest.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Due {
    /// The schedule's next slot, from which the scheduled rotation's token is derived.
    pub slot: Option<DateTime<Utc>>,
    /// When the scheduler starts it: the slot, but not within the minimum overlap.
    pub at: Option<DateTime<Utc>>,
    /// When the minimum overlap is over; `None` where nothing needs to wait.
    pub overlap_ends: Option<DateTime<Utc>>,
}

impl Service {
    /// Rotates the secrets of `store` whose documents are of these kinds, by the store's clock.
    #[must_use]
    pub fn new(store: LocalStore, kinds: Arc<dyn Kinds>) -> Self {
        Self {
            store,
            kinds,
            renewal: RENEWAL,
            machine_clock: Arc::new(SystemClock),
        }
    }

    /// Leases are about living processes, so they go by the machine's clock; tests hand in their own.
    #[must_use]
    pub fn with_machine_clock(mut self, clock: Arc<dyn Clock>) -> Self {
        self.machine_clock = clock;
        self
    }

    /// The store.
    #[must_use]
    pub fn store(&self) -> &LocalStore {
        &self.store
    }

    /// Rotates a secret: awaits or finishes the rotation in flight, if any, then runs the four
    /// steps, unless what was in flight answers the request.
    ///
    /// Dropping the returned future releases the lease; the next request goes on from there.
    pub async fn rotate(
        &self,
        secret: &SecretId,
        ask: Ask,
        watch: &dyn Watch,
    ) -> Result<Rotation, ServiceError> {
        Errand::new(self, secret, Some(&ask), watch).run().await
    }

    /// Finishes an interrupted rotation, if there is one. `None`: there is nothing to finish,
    /// or another process is at it.
    pub async fn resume(
        &self,
        secret: &SecretId,
        watch: &dyn Watch,
    ) -> Result<Option<Rotation>, ServiceError> {
        match self.standing(secret).await? {
            Standing::Interrupted { token, has_value } => {
                let mut errand = Errand::new(self, secret, None, watch);
                errand.resume(&token, has_value).await
            }
            Standing::Idle | Standing::Running(_) => Ok(None),
        }
    }

    /// Where the secret's rotation stands.
    pub async fn standing(&self, secret: &SecretId) -> Result<Standing, ServiceError> {
        Ok(self
            .store
            .standing(secret, self.machine_clock.now())
            .await?)
    }

    /// When a secret is due. Read-only; asks no server.
    pub async fn due(&self, secret: &SecretId) -> Result<Due, ServiceError> {
        let description = self.store.describe(secret).await?;
        self.due_as_described(secret, &description).await
    }

    /// When a secret is due that looks like this. Everything is judged by the one description:
    /// a value put meanwhile must not lend its overlap to the one it replaced.
    pub(crate) async fn due_as_described(
        &self,
        secret: &SecretId,
        description: &Description,
    ) -> Result<Due, ServiceError> {
        let policy = policy(secret, description)?;
        let min_overlap = match policy.min_overlap {
            Some(length) => length,
            None => self.default_overlap(secret, description).await?,
        };
        let schedule = policy.schedule.as_ref();
        let now = self.store.clock().now();
        Ok(Due {
            slot: schedule.and_then(|schedule| due_slot(schedule, description, now)),
            at: schedule.and_then(|schedule| due_at(schedule, description, min_overlap, now)),
            overlap_ends: overlap_ends(description, min_overlap, now),
        })
    }

    /// Shows that a rotation may begin: the tags and the document are understood, and, unless
    /// it is forced, the minimum overlap is over. Says for which AWSCURRENT that holds.
    pub(crate) async fn check(
        &self,
        secret: &SecretId,
        forced: bool,
    ) -> Result<Option<VersionId>, ServiceError> {
        let description = self.store.describe(secret).await?;
        let policy = policy(secret, &description)?;
        let default = self.default_overlap(secret, &description).await?;
        let now = self.store.clock().now();
        let ends = overlap_ends(&description, policy.min_overlap.unwrap_or(default), now);
        match ends {
            Some(end) if end > now && !forced => Err(ServiceError::Overlap {
                secret: secret.clone(),
                wait: end - now,
            }),
            _ => Ok(description.holder(&Stage::Current).cloned()),
        }
    }

    pub(crate) fn new_lease(&self) -> Lease {
        Lease::new(self.machine_clock.now(), LEASE)
    }

    pub(crate) fn renewed(&self, lease: &Lease) -> Lease {
        lease.renewed(self.machine_clock.now())
    }

    pub(crate) fn machine_now(&self) -> DateTime<Utc> {
        self.machine_clock.now()
    }

    async fn default_overlap(
        &self,
        secret: &SecretId,
        description: &Description,
    ) -> Result<TimeDelta, ServiceError> {
        let selector = match description.holder(&Stage::Current) {
            Some(version) => Selector::Version(version.clone()),
            None => Selector::Stage(Stage::Current),
        };
        let current = self.store.read(secret, &selector).await?;
        let rotator = self.kinds.open(&current.value).map_err(|error| {
            let whose = "current";
            not_begun(secret, RotationFailure::Document { whose, error })
        })?;
        Ok(rotator.min_overlap())
    }
}

fn not_begun(secret: &SecretId, cause: RotationFailure) -> ServiceError {
    ServiceError::NotBegun {
        secret: secret.clone(),
        cause: Box::new(cause),
    }
}

fn policy(secret: &SecretId, description: &Description) -> Result<Policy, ServiceError> {
    Policy::parse(&description.tags).map_err(|error| not_begun(secret, error.into()))
}

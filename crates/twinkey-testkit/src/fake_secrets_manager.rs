//! A store in memory with Secrets Manager's documented semantics, judged strictly: where the
//! documentation is silent, the harsher of two answers.

mod dates;
mod rotation_service;
mod secret;
mod store;

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use chrono::{DateTime, Utc};
use twinkey_core::{Clock, SecretId, SecretValue, Selector, Stage, StoreError, VersionId};

use crate::FakeClock;
pub use dates::SecretDates;
pub use rotation_service::{RotationEnd, RotationService};
use secret::Secret;

/// Secrets Manager in memory. Clones are the same store.
///
/// [`twinkey_core::Store`] is what a rotation function may call; the methods here are what persons and the
/// service do, and what a test wants to know. A secret is created by the first value or tag
/// that is put by hand, with a rotation function configured and rotation turned on.
#[derive(Clone, Debug)]
pub struct FakeSecretsManager {
    state: Arc<Mutex<State>>,
    clock: FakeClock,
}

#[derive(Clone, Debug, Default)]
struct State {
    secrets: BTreeMap<SecretId, Kept>,
    /// How many calls are still refused.
    throttled: usize,
    /// How many reads of a secret are behind after each write to it.
    lag: usize,
}

/// A secret as it is, and as some reads still see it.
#[derive(Clone, Debug)]
struct Kept {
    truth: Secret,
    before: Option<Secret>,
    stale_reads: usize,
}

/// A version as it is kept.
#[derive(Clone, Debug)]
pub struct StoredVersion {
    /// Its id.
    pub id: VersionId,
    /// Its labels.
    pub stages: BTreeSet<Stage>,
    /// Its value, and when that was stored, by the store's clock.
    pub value: Option<(SecretValue, DateTime<Utc>)>,
}

impl FakeSecretsManager {
    /// A store without secrets. Its versions are dated by `clock`.
    #[must_use]
    pub fn new(clock: FakeClock) -> Self {
        Self {
            state: Arc::default(),
            clock,
        }
    }

    /// A copy that goes its own way from here, by another clock.
    #[must_use]
    pub fn fork(&self, clock: FakeClock) -> Self {
        Self {
            state: Arc::new(Mutex::new(self.lock().clone())),
            clock,
        }
    }

    /// The secrets that there are, by name.
    #[must_use]
    pub fn secrets(&self) -> Vec<SecretId> {
        self.lock().secrets.keys().cloned().collect()
    }

    /// Every version of a secret as it is now, those without a label too, the oldest value first and
    /// those without one last.
    #[must_use]
    pub fn versions(&self, secret: &SecretId) -> Vec<StoredVersion> {
        let state = self.lock();
        let kept = state.secrets.get(secret).into_iter();
        let versions = kept.flat_map(|kept| &kept.truth.versions);
        let mut all: Vec<StoredVersion> = versions
            .map(|(id, entry)| StoredVersion {
                id: id.clone(),
                stages: entry.stages.clone(),
                value: entry.value.clone(),
            })
            .collect();
        all.sort_by_key(|version| {
            version
                .value
                .as_ref()
                .map_or(DateTime::<Utc>::MAX_UTC, |(_, created)| *created)
        });
        all
    }

    /// The dates of a secret, as `DescribeSecret` and `ListSecrets` tell them; none if there is no such secret.
    #[must_use]
    pub fn dates(&self, secret: &SecretId) -> Option<SecretDates> {
        let state = self.lock();
        state.secrets.get(secret).map(|kept| kept.truth.dates)
    }

    /// The value under a label as it is now; none if no version carries it, or that one has no value.
    #[must_use]
    pub fn value(&self, secret: &SecretId, stage: &Stage) -> Option<SecretValue> {
        let all = self.lock();
        let at = Selector::Stage(stage.clone());
        let (_, entry) = all.secrets.get(secret)?.truth.find(&at)?;
        entry.value.as_ref().map(|(value, _)| value.clone())
    }

    /// Sets a tag.
    pub fn tag(&self, secret: &SecretId, key: &str, value: &str) {
        self.write_or_create(secret, |it| {
            it.tags.insert(key.into(), value.into());
        });
    }

    /// Removes a tag. Nothing happens if it is not there.
    pub fn untag(&self, secret: &SecretId, key: &str) {
        let _ = self.write(secret, |it| Ok(it.tags.remove(key)));
    }

    /// A person puts a value: it becomes AWSCURRENT, and a rotation in flight is abandoned.
    ///
    /// # Panics
    ///
    /// If the version has another value already, or the value is empty or above 65,536 bytes.
    pub fn put_by_hand(&self, secret: &SecretId, version: &VersionId, value: &SecretValue) {
        let now = self.clock.now();
        self.write_or_create(secret, |it| {
            it.put(version, value, &[Stage::Current], now)
                .expect("a value that the vendor would take");
        });
    }

    /// A person takes AWSPENDING off, wherever it is: `UpdateSecretVersionStage` without
    /// `MoveToVersionId`. Rotation stays on. Nothing happens if no version carries it.
    pub fn remove_pending(&self, secret: &SecretId) {
        let _ = self.write(secret, |it| Ok(it.detach(&Stage::Pending)));
    }

    /// `CancelRotateSecret`: turns rotation off, and returns the version that a rotation in flight
    /// leaves behind. AWSPENDING stays on it: "We recommend that you remove the `VersionStage` value
    /// AWSPENDING from this version", which is [`Self::remove_pending`], and until then no other
    /// rotation can begin. [`Self::rotate_secret`] turns rotation on again.
    pub fn cancel_rotate_secret(&self, secret: &SecretId) -> Result<Option<VersionId>, StoreError> {
        self.write(secret, |it| {
            it.rotation_enabled = false;
            let current = it.holder(&Stage::Current);
            Ok(it
                .holder(&Stage::Pending)
                .filter(|pending| Some(pending) != current.as_ref()))
        })
    }

    /// Nobody has configured a rotation function for this secret: rotation is off, and
    /// [`Self::rotate_secret`] is refused.
    pub fn remove_rotation_function(&self, secret: &SecretId) {
        self.write_or_create(secret, |it| {
            it.has_function = false;
            it.rotation_enabled = false;
        });
    }

    /// Starts a rotation, as `RotateSecret` does before it sends the first step: rotation is on, and
    /// the version of the token carries AWSPENDING and has no value.
    ///
    /// Repeatable: with the token that is pending or current already, nothing changes.
    /// [`StoreError::Conflict`] if AWSPENDING is on a version of another token, unless that
    /// one is AWSCURRENT, or if the token has been used up. [`StoreError::Invalid`] if no
    /// rotation function is configured.
    pub fn rotate_secret(&self, secret: &SecretId, token: &VersionId) -> Result<(), StoreError> {
        let now = self.clock.now();
        self.write(secret, |it| it.begin(token, now))
    }

    /// The service that sends a rotation function its steps.
    #[must_use]
    pub fn service(&self) -> RotationService {
        RotationService::new(self.clone())
    }

    /// Refuses the next `calls` calls of [`twinkey_core::Store`] without effect, as [`StoreError::Transient`].
    pub fn throttle_next(&self, calls: usize) {
        self.lock().throttled = calls;
    }

    /// From now on the next `reads` calls of `describe` and `read` after each write
    /// to a secret still see it as it was before that write. Zero, as in a new store, is no lag.
    ///
    /// Writes are judged by what is true, and so is what this type's own methods tell. The write
    /// that creates a secret is seen at once.
    pub fn lag_reads(&self, reads: usize) {
        self.lock().lag = reads;
    }

    /// Changes a secret, or nothing if `work` fails or the secret would break a quota.
    fn write<T>(
        &self,
        secret: &SecretId,
        work: impl FnOnce(&mut Secret) -> Result<T, StoreError>,
    ) -> Result<T, StoreError> {
        let now = self.clock.now();
        let mut state = self.lock();
        let lag = state.lag;
        let kept = state
            .secrets
            .get_mut(secret)
            .ok_or_else(|| StoreError::NoSecret(secret.clone()))?;
        let mut next = kept.truth.clone();
        let result = work(&mut next)?;
        next.check_labels()?;
        next.prune(now);
        kept.turn_into(next, lag, now);
        Ok(result)
    }

    fn write_or_create(&self, secret: &SecretId, work: impl FnOnce(&mut Secret)) {
        let now = self.clock.now();
        self.lock()
            .secrets
            .entry(secret.clone())
            .or_insert_with(|| Kept {
                truth: Secret::new(secret, now),
                before: None,
                stale_reads: 0,
            });
        let written = self.write(secret, |it| {
            work(it);
            Ok(())
        });
        written.expect("within the vendor's quotas");
    }

    /// What a read sees: once in a while not yet the last write.
    fn see<T>(
        &self,
        secret: &SecretId,
        look: impl FnOnce(&Secret) -> Result<T, StoreError>,
    ) -> Result<T, StoreError> {
        let mut state = self.lock();
        let kept = state
            .secrets
            .get_mut(secret)
            .ok_or_else(|| StoreError::NoSecret(secret.clone()))?;
        look(kept.seen())
    }

    /// "`ThrottlingException`: Rate exceeded".
    fn pass_throttle(&self, doing: &str) -> Result<(), StoreError> {
        let mut state = self.lock();
        if state.throttled == 0 {
            return Ok(());
        }
        state.throttled -= 1;
        Err(StoreError::Transient {
            doing: doing.into(),
            reason: "rate exceeded".into(),
        })
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Kept {
    fn turn_into(&mut self, mut next: Secret, lag: usize, now: DateTime<Utc>) {
        if next == self.truth {
            return;
        }
        next.dates.changed = now;
        let before = std::mem::replace(&mut self.truth, next);
        let visible = !before.versions.is_empty();
        self.before = (lag > 0 && visible).then_some(before);
        self.stale_reads = lag;
    }

    fn seen(&mut self) -> &Secret {
        match &self.before {
            Some(before) if self.stale_reads > 0 => {
                self.stale_reads -= 1;
                before
            }
            _ => &self.truth,
        }
    }
}

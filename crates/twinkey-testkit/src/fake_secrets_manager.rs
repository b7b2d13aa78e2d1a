//! A store in memory with Secrets Manager's documented semantics.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use async_trait::async_trait;
use chrono::{DateTime, TimeDelta, Utc};
use twinkey_core::{
    Clock, Description, SecretAddress, SecretId, SecretValue, Selector, Stage, Store, StoreError,
    Version, VersionId,
};

use crate::FakeClock;

/// Secrets Manager in memory. Clones are the same store.
#[derive(Clone, Debug)]
pub struct FakeSecretsManager {
    secrets: Arc<Mutex<BTreeMap<SecretId, Secret>>>,
    clock: FakeClock,
}

#[derive(Clone, Debug, Default)]
struct Secret {
    tags: BTreeMap<String, String>,
    versions: BTreeMap<VersionId, Entry>,
    current_since: Option<DateTime<Utc>>,
    last_created: Option<DateTime<Utc>>,
}

#[derive(Clone, Debug, Default)]
struct Entry {
    value: Option<(SecretValue, DateTime<Utc>)>,
    stages: BTreeSet<Stage>,
}

/// A version as it is kept.
#[derive(Clone, Debug)]
pub struct StoredVersion {
    /// Its id.
    pub id: VersionId,
    /// Its labels.
    pub stages: BTreeSet<Stage>,
    /// Its value, and when that was stored.
    pub value: Option<(SecretValue, DateTime<Utc>)>,
}

impl FakeSecretsManager {
    /// A store without secrets.
    #[must_use]
    pub fn new(clock: FakeClock) -> Self {
        Self {
            secrets: Arc::default(),
            clock,
        }
    }

    /// A copy that goes its own way from here, by another clock.
    #[must_use]
    pub fn fork(&self, clock: FakeClock) -> Self {
        Self {
            secrets: Arc::new(Mutex::new(self.lock().clone())),
            clock,
        }
    }

    /// Every version of a secret, those without a label too, the oldest value first and those
    /// without one last.
    #[must_use]
    pub fn versions(&self, secret: &SecretId) -> Vec<StoredVersion> {
        let secrets = self.lock();
        let versions = secrets.get(secret).into_iter().flat_map(|it| &it.versions);
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

    /// Sets a tag.
    pub fn tag(&self, secret: &SecretId, key: &str, value: &str) {
        self.lock()
            .entry(secret.clone())
            .or_default()
            .tags
            .insert(key.into(), value.into());
    }

    /// Removes a tag.
    pub fn untag(&self, secret: &SecretId, key: &str) {
        self.lock()
            .entry(secret.clone())
            .or_default()
            .tags
            .remove(key);
    }

    /// A person takes AWSPENDING off, wherever it is.
    pub fn cancel(&self, secret: &SecretId) {
        self.lock()
            .entry(secret.clone())
            .or_default()
            .detach(&Stage::Pending);
    }

    /// A person puts a value: it becomes AWSCURRENT, and a rotation in flight is abandoned.
    pub fn put_by_hand(&self, secret: &SecretId, version: &VersionId, value: &SecretValue) {
        let now = self.clock.now();
        let mut secrets = self.lock();
        let entry = secrets.entry(secret.clone()).or_default();
        entry.versions.values_mut().for_each(|version| {
            version.stages.remove(&Stage::Pending);
        });
        entry.store(version, value, now);
        entry.attach(&Stage::Current, version, now);
    }

    /// Starts a rotation, as `RotateSecret` does: a version with AWSPENDING and no value.
    pub fn rotate_secret(&self, secret: &SecretId, token: &VersionId) -> Result<(), StoreError> {
        let now = self.clock.now();
        let mut secrets = self.lock();
        let entry = secrets
            .get_mut(secret)
            .ok_or_else(|| StoreError::NoSecret(secret.clone()))?;
        let elsewhere = entry
            .holder(&Stage::Pending)
            .is_some_and(|id| Some(&id) != entry.holder(&Stage::Current).as_ref());
        if elsewhere {
            return Err(conflict(
                secret,
                "A previous rotation isn't complete. That rotation will be reattempted.",
            ));
        }
        entry.attach(&Stage::Pending, token, now);
        Ok(())
    }

    /// The value under a label, as a consumer reads it.
    #[must_use]
    pub fn value(&self, secret: &SecretId, stage: &Stage) -> Option<SecretValue> {
        let secrets = self.lock();
        let entry = secrets.get(secret)?;
        let id = entry.holder(stage)?;
        entry.versions[&id]
            .value
            .as_ref()
            .map(|(value, _)| value.clone())
    }

    fn lock(&self) -> MutexGuard<'_, BTreeMap<SecretId, Secret>> {
        self.secrets.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Secret {
    fn holder(&self, stage: &Stage) -> Option<VersionId> {
        self.versions
            .iter()
            .find_map(|(id, entry)| entry.stages.contains(stage).then(|| id.clone()))
    }

    fn store(&mut self, version: &VersionId, value: &SecretValue, now: DateTime<Utc>) {
        let created = self
            .last_created
            .map_or(now, |last| now.max(last + TimeDelta::microseconds(1)));
        self.last_created = Some(created);
        self.versions.entry(version.clone()).or_default().value = Some((value.clone(), created));
    }

    /// Moves a label to a version; AWSPREVIOUS follows AWSCURRENT.
    fn attach(&mut self, stage: &Stage, to: &VersionId, now: DateTime<Utc>) {
        let from = self.detach(stage);
        self.versions
            .entry(to.clone())
            .or_default()
            .stages
            .insert(stage.clone());
        if *stage == Stage::Current {
            self.current_since = Some(now);
            if let Some(from) = from.filter(|from| from != to) {
                self.attach(&Stage::Previous, &from, now);
            }
        }
    }

    fn detach(&mut self, stage: &Stage) -> Option<VersionId> {
        let holder = self.holder(stage)?;
        self.versions.get_mut(&holder)?.stages.remove(stage);
        Some(holder)
    }

    fn select(&self, at: &Selector) -> Option<VersionId> {
        match at {
            Selector::Stage(stage) => self.holder(stage),
            Selector::Version(id) => Some(id.clone()),
            Selector::VersionAt(id, stage) => self.holder(stage).filter(|holder| holder == id),
        }
    }
}

fn conflict(secret: &SecretId, reason: &str) -> StoreError {
    StoreError::Conflict {
        secret: secret.clone(),
        reason: reason.into(),
    }
}

#[async_trait]
impl Store for FakeSecretsManager {
    fn address(&self, secret: &SecretId) -> SecretAddress {
        SecretAddress {
            store: "fake".into(),
            secret: secret.clone(),
        }
    }

    async fn describe(&self, secret: &SecretId) -> Result<Description, StoreError> {
        let secrets = self.lock();
        let entry = secrets
            .get(secret)
            .ok_or_else(|| StoreError::NoSecret(secret.clone()))?;
        let labelled = entry
            .versions
            .iter()
            .filter(|(_, version)| !version.stages.is_empty());
        Ok(Description {
            tags: entry.tags.clone(),
            versions: labelled
                .map(|(id, version)| (id.clone(), version.stages.clone()))
                .collect(),
            rotation_enabled: true,
            current_since: entry.current_since,
        })
    }

    async fn read(&self, secret: &SecretId, at: &Selector) -> Result<Version, StoreError> {
        let secrets = self.lock();
        let entry = secrets
            .get(secret)
            .ok_or_else(|| StoreError::NoSecret(secret.clone()))?;
        let found = entry.select(at).and_then(|id| {
            let version = entry.versions.get(&id)?;
            let (value, created_at) = version.value.clone()?;
            Some(Version {
                id,
                value,
                created_at,
                stages: version.stages.clone(),
            })
        });
        found.ok_or_else(|| StoreError::NoVersion {
            secret: secret.clone(),
            at: at.clone(),
        })
    }

    async fn put(
        &self,
        secret: &SecretId,
        version: &VersionId,
        value: &SecretValue,
        stages: &[Stage],
    ) -> Result<(), StoreError> {
        let now = self.clock.now();
        let mut secrets = self.lock();
        let entry = secrets
            .get_mut(secret)
            .ok_or_else(|| StoreError::NoSecret(secret.clone()))?;
        match entry
            .versions
            .get(version)
            .and_then(|version| version.value.as_ref())
        {
            Some((stored, _)) if stored == value => Ok(()),
            Some(_) => Err(conflict(secret, "this version already has another value")),
            None => {
                entry.store(version, value, now);
                for stage in stages {
                    entry.attach(stage, version, now);
                }
                Ok(())
            }
        }
    }

    async fn move_stage(
        &self,
        secret: &SecretId,
        stage: &Stage,
        from: Option<&VersionId>,
        to: Option<&VersionId>,
    ) -> Result<(), StoreError> {
        let now = self.clock.now();
        let mut secrets = self.lock();
        let entry = secrets
            .get_mut(secret)
            .ok_or_else(|| StoreError::NoSecret(secret.clone()))?;
        if entry.holder(stage).as_ref() != from {
            return Err(conflict(secret, "the label is on another version"));
        }
        if to.is_some_and(|to| !entry.versions.contains_key(to)) {
            return Err(conflict(secret, "there is no such version"));
        }
        match to {
            Some(to) => entry.attach(stage, to, now),
            None => {
                entry.detach(stage);
            }
        }
        Ok(())
    }
}

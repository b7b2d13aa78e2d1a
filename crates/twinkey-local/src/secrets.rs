//! What a person does with secrets: put, tag, look.

use std::collections::{BTreeMap, BTreeSet};

use chrono::{DateTime, Utc};
use twinkey_core::{Description, Record, SecretId, SecretValue, Stage, StoreError, VersionId};

use crate::LocalStore;
use crate::limits;
use crate::store::store_value;

/// One secret, without a value.
#[derive(Clone, Debug)]
pub struct SecretSummary {
    /// Its name.
    pub secret: SecretId,
    /// Its tags, labels and dates.
    pub description: Description,
}

/// One version, without its value.
#[derive(Clone, Debug)]
pub struct VersionSummary {
    /// Its id.
    pub id: VersionId,
    /// The labels on it.
    pub stages: BTreeSet<Stage>,
    /// When its value was stored; for a version without one, when its rotation began.
    pub created_at: DateTime<Utc>,
    /// Whether it has a value yet.
    pub has_value: bool,
}

impl LocalStore {
    /// Stores a value as AWSCURRENT, creating the secret if need be, and adds `tags` to the
    /// secret's. A rotation in flight is abandoned, as in Secrets Manager. Repeatable with the same id
    /// and value.
    pub async fn put_value(
        &self,
        secret: &SecretId,
        id: &VersionId,
        value: &SecretValue,
        tags: &BTreeMap<String, String>,
    ) -> Result<(), StoreError> {
        limits::check_name(secret)?;
        limits::check_value(value)?;
        let (secret, id, value, tags) = (secret.clone(), id.clone(), value.clone(), tags.clone());
        self.write_ledger(move |ledger| {
            let mut state = ledger.find_state(&secret)?.unwrap_or_default();
            state.tags.extend(tags);
            limits::check_tags(&state.tags)?;
            store_value(ledger, &secret, state, (&id, &value), &[Stage::Current])
        })
        .await
    }

    /// Adds tags, or gives them new values. Nothing is stored unless all are understood.
    pub async fn tag(
        &self,
        secret: &SecretId,
        tags: &BTreeMap<String, String>,
    ) -> Result<(), StoreError> {
        let tags = tags.clone();
        self.change_tags(secret, move |all| {
            all.extend(tags);
            limits::check_tags(all)
        })
        .await
    }

    /// Removes tags. One that is not there is no error.
    pub async fn untag(&self, secret: &SecretId, keys: &[String]) -> Result<(), StoreError> {
        let keys = keys.to_vec();
        self.change_tags(secret, move |all| {
            all.retain(|key, _| !keys.contains(key));
            Ok(())
        })
        .await
    }

    /// Every secret, in the order of their names.
    pub async fn list(&self) -> Result<Vec<SecretSummary>, StoreError> {
        self.read_ledger(|ledger| {
            let summary = |secret: SecretId| {
                let description = ledger.state(&secret)?.describe();
                Ok(SecretSummary {
                    secret,
                    description,
                })
            };
            ledger.secrets().into_iter().map(summary).collect()
        })
        .await
    }

    /// The names of all secrets. Unlike [`Self::list`] it does not fail if one of them is damaged.
    pub async fn names(&self) -> Result<Vec<SecretId>, StoreError> {
        self.read_ledger(|ledger| Ok(ledger.secrets())).await
    }

    /// Every version of a secret, oldest first.
    pub async fn versions(&self, secret: &SecretId) -> Result<Vec<VersionSummary>, StoreError> {
        let secret = secret.clone();
        self.read_ledger(move |ledger| {
            let versions = ledger.state(&secret)?.versions;
            let mut summaries: Vec<VersionSummary> = versions
                .into_iter()
                .map(|(id, version)| VersionSummary {
                    id,
                    stages: version.stages,
                    created_at: version.created_at,
                    has_value: version.has_value,
                })
                .collect();
            summaries.sort_by(|a, b| (a.created_at, &a.id).cmp(&(b.created_at, &b.id)));
            Ok(summaries)
        })
        .await
    }

    /// Every rotation of a secret, oldest first.
    pub async fn records(&self, secret: &SecretId) -> Result<Vec<Record>, StoreError> {
        let secret = secret.clone();
        self.read_ledger(move |ledger| {
            ledger.state(&secret)?;
            ledger.records(&secret)
        })
        .await
    }

    /// One rotation of a secret, if there is one with this token.
    pub async fn record(
        &self,
        secret: &SecretId,
        token: &VersionId,
    ) -> Result<Option<Record>, StoreError> {
        let (secret, token) = (secret.clone(), token.clone());
        self.read_ledger(move |ledger| ledger.record(&secret, &token))
            .await
    }

    async fn change_tags(
        &self,
        secret: &SecretId,
        change: impl FnOnce(&mut BTreeMap<String, String>) -> Result<(), StoreError> + Send + 'static,
    ) -> Result<(), StoreError> {
        let secret = secret.clone();
        self.write_ledger(move |ledger| {
            let mut state = ledger.state(&secret)?;
            change(&mut state.tags)?;
            ledger.save_state(&secret, state)
        })
        .await
    }
}

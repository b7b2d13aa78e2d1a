//! Secrets Manager to the engine and to the tick: the strict fake, behind the quotas.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use async_trait::async_trait;
use aws_sdk_secretsmanager::primitives::DateTime as SdkDateTime;
use aws_sdk_secretsmanager::types::{SecretListEntry, Tag};
use chrono::{DateTime, Utc};
use tokio::sync::mpsc::UnboundedSender;
use twinkey_aws::{Answer, DatedVersion, Page, Region};
use twinkey_core::{
    Description, SecretAddress, SecretId, SecretValue, Selector, Stage, Store, StoreError, Version,
    VersionId,
};
use twinkey_testkit::FakeSecretsManager;

use crate::account::Account;
use crate::quota::Quota;

const PAGE: usize = 100;

/// A rotation that has been asked for.
pub(crate) type Begun = (SecretId, VersionId);

/// The fake behind the quotas.
pub(crate) struct Secrets {
    pub(crate) fake: FakeSecretsManager,
    pub(crate) account: Arc<Account>,
    names: Vec<SecretId>,
    /// What was listed of a secret last, and of which change: most have not changed since.
    listed: Mutex<BTreeMap<SecretId, (DateTime<Utc>, SecretListEntry)>>,
    in_flight: Mutex<BTreeSet<Begun>>,
    begun: UnboundedSender<Begun>,
}

impl Secrets {
    pub(crate) fn new(
        fake: FakeSecretsManager,
        account: Arc<Account>,
        begun: UnboundedSender<Begun>,
    ) -> Self {
        Self {
            names: fake.secrets(),
            fake,
            account,
            listed: Mutex::default(),
            in_flight: Mutex::default(),
            begun,
        }
    }

    /// A rotation is over.
    pub(crate) fn ended(&self, rotation: &Begun) {
        lock(&self.in_flight).remove(rotation);
    }

    async fn entry(&self, secret: &SecretId) -> Result<SecretListEntry, StoreError> {
        let dates = self.fake.dates(secret);
        let dates = dates.ok_or_else(|| StoreError::NoSecret(secret.clone()))?;
        let as_before = |(changed, _): &&(DateTime<Utc>, _)| *changed == dates.changed;
        if let Some((_, entry)) = lock(&self.listed).get(secret).filter(as_before) {
            return Ok(entry.clone());
        }
        let description = self.fake.describe(secret).await?;
        let tags = description.tags.iter();
        let tags = tags.map(|(key, value)| Tag::builder().key(key).value(value).build());
        let versions = description.versions.iter().map(|(id, stages)| {
            let stages = stages.iter().map(|stage| stage.as_str().to_owned());
            (id.as_str().to_owned(), stages.collect())
        });
        let entry = SecretListEntry::builder()
            .arn(secret.as_str())
            .name(secret.as_str())
            .rotation_enabled(description.rotation_enabled)
            .created_date(date(dates.created))
            .last_changed_date(date(dates.changed))
            .set_last_rotated_date(dates.rotated.map(date))
            .set_tags(Some(tags.collect()))
            .set_secret_versions_to_stages(Some(versions.collect()))
            .build();
        let kept = (dates.changed, entry.clone());
        lock(&self.listed).insert(secret.clone(), kept);
        Ok(entry)
    }
}

#[async_trait]
impl Region for Secrets {
    /// As the product's store says it: a token is made of it.
    fn address(&self, secret: &SecretId) -> SecretAddress {
        SecretAddress {
            store: "aws".into(),
            secret: secret.clone(),
        }
    }

    async fn page(&self, token: Option<String>) -> Result<Page, StoreError> {
        self.account.call(Quota::ListSecrets).await?;
        let from: usize = token
            .map_or(Ok(0), |token| token.parse())
            .unwrap_or_default();
        let mut page = Page::default();
        for name in self.names.iter().skip(from).take(PAGE) {
            page.secrets.push(self.entry(name).await?);
        }
        let next = from + PAGE;
        page.next = (next < self.names.len()).then(|| next.to_string());
        Ok(page)
    }

    async fn versions(&self, secret: &SecretId) -> Result<Vec<DatedVersion>, StoreError> {
        let versions = self.fake.versions(secret);
        for _ in 0..versions.len().div_ceil(PAGE) {
            self.account.call(Quota::ListSecretVersionIds).await?;
        }
        let dated = |version: twinkey_testkit::StoredVersion| DatedVersion {
            id: version.id,
            stages: version.stages,
            created: version.value.map(|(_, created)| created),
        };
        Ok(self.fake.versions(secret).into_iter().map(dated).collect())
    }

    async fn ask(&self, secret: &SecretId, token: &VersionId) -> Result<Answer, StoreError> {
        self.account.call(Quota::RotateSecret).await?;
        match self.fake.rotate_secret(secret, token) {
            Ok(()) => {}
            Err(StoreError::Conflict { reason, .. }) if reason.contains("previous rotation") => {
                return Ok(Answer::PreviousIncomplete);
            }
            Err(error) => return Err(error),
        }
        let rotation = (secret.clone(), token.clone());
        if lock(&self.in_flight).insert(rotation.clone()) {
            // Nobody listens only after the end.
            let _ = self.begun.send(rotation);
        }
        Ok(Answer::Begun)
    }
}

#[async_trait]
impl Store for Secrets {
    fn address(&self, secret: &SecretId) -> SecretAddress {
        Region::address(self, secret)
    }

    async fn describe(&self, secret: &SecretId) -> Result<Description, StoreError> {
        self.account.call(Quota::DescribeSecret).await?;
        let description = self.fake.describe(secret).await?;
        // What `DescribeSecret` tells is the date of the last rotation, not of the move.
        let rotated_at = self.fake.dates(secret).and_then(|dates| dates.rotated);
        Ok(Description {
            current_since: None,
            rotated_at,
            ..description
        })
    }

    async fn read(&self, secret: &SecretId, at: &Selector) -> Result<Version, StoreError> {
        self.account.call(Quota::GetSecretValue).await?;
        self.fake.read(secret, at).await
    }

    async fn put(
        &self,
        secret: &SecretId,
        version: &VersionId,
        value: &SecretValue,
        stages: &[Stage],
    ) -> Result<(), StoreError> {
        self.account.call(Quota::Writes).await?;
        self.fake.put(secret, version, value, stages).await
    }

    async fn move_stage(
        &self,
        secret: &SecretId,
        stage: &Stage,
        from: Option<&VersionId>,
        to: Option<&VersionId>,
    ) -> Result<(), StoreError> {
        self.account.call(Quota::Writes).await?;
        self.fake.move_stage(secret, stage, from, to).await
    }
}

fn date(date: DateTime<Utc>) -> SdkDateTime {
    SdkDateTime::from_millis(date.timestamp_millis())
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

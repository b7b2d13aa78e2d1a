//! The calls of a rotation function, each named by the vendor's word for it.

use async_trait::async_trait;
use twinkey_core::{
    Clock, Description, SecretAddress, SecretId, SecretValue, Selector, Stage, Store, StoreError,
    Version, VersionId,
};

use crate::FakeSecretsManager;

#[async_trait]
impl Store for FakeSecretsManager {
    fn address(&self, secret: &SecretId) -> SecretAddress {
        SecretAddress {
            store: "fake".into(),
            secret: secret.clone(),
        }
    }

    async fn describe(&self, secret: &SecretId) -> Result<Description, StoreError> {
        self.pass_throttle("DescribeSecret")?;
        self.see(secret, |it| Ok(it.describe()))
    }

    async fn read(&self, secret: &SecretId, at: &Selector) -> Result<Version, StoreError> {
        self.pass_throttle("GetSecretValue")?;
        self.see(secret, |it| {
            let found = it.find(at).and_then(|(id, entry)| {
                let (value, created_at) = entry.value.clone()?;
                Some(Version {
                    id,
                    value,
                    created_at,
                    stages: entry.stages.clone(),
                })
            });
            found.ok_or_else(|| StoreError::NoVersion {
                secret: secret.clone(),
                at: at.clone(),
            })
        })
    }

    async fn put(
        &self,
        secret: &SecretId,
        version: &VersionId,
        value: &SecretValue,
        stages: &[Stage],
    ) -> Result<(), StoreError> {
        self.pass_throttle("PutSecretValue")?;
        let now = self.clock.now();
        self.write(secret, |it| it.put(version, value, stages, now))
    }

    async fn move_stage(
        &self,
        secret: &SecretId,
        stage: &Stage,
        from: Option<&VersionId>,
        to: Option<&VersionId>,
    ) -> Result<(), StoreError> {
        self.pass_throttle("UpdateSecretVersionStage")?;
        let now = self.clock.now();
        self.write(secret, |it| it.move_stage(stage, from, to, now))
    }
}

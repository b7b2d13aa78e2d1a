//! A store whose every call passes the injector.

use async_trait::async_trait;
use twinkey_core::{
    Description, SecretAddress, SecretId, SecretValue, Selector, Stage, Store, StoreError, Version,
    VersionId,
};

use crate::Injector;
use crate::injector::{Effect, Injected};

/// A store whose every call passes the injector.
#[derive(Clone, Debug)]
pub struct FaultyStore<S> {
    inner: S,
    injector: Injector,
}

impl<S> FaultyStore<S> {
    /// Wraps a store.
    pub fn new(inner: S, injector: Injector) -> Self {
        Self { inner, injector }
    }
}

#[async_trait]
impl<S: Store + Clone + 'static> Store for FaultyStore<S> {
    fn address(&self, secret: &SecretId) -> SecretAddress {
        self.inner.address(secret)
    }

    async fn describe(&self, secret: &SecretId) -> Result<Description, StoreError> {
        self.injector
            .call("describe", self.inner.describe(secret), None)
            .await
    }

    async fn read(&self, secret: &SecretId, at: &Selector) -> Result<Version, StoreError> {
        self.injector
            .call("read", self.inner.read(secret, at), None)
            .await
    }

    async fn put(
        &self,
        secret: &SecretId,
        version: &VersionId,
        value: &SecretValue,
        stages: &[Stage],
    ) -> Result<(), StoreError> {
        let late = || -> Effect {
            let (inner, secret, version) = (self.inner.clone(), secret.clone(), version.clone());
            let (value, stages) = (value.clone(), stages.to_vec());
            Box::pin(async move {
                let _ = inner.put(&secret, &version, &value, &stages).await;
            })
        };
        let work = self.inner.put(secret, version, value, stages);
        self.injector.call("put", work, Some(Box::new(late))).await
    }

    async fn move_stage(
        &self,
        secret: &SecretId,
        stage: &Stage,
        from: Option<&VersionId>,
        to: Option<&VersionId>,
    ) -> Result<(), StoreError> {
        let late = || -> Effect {
            let (inner, secret, stage) = (self.inner.clone(), secret.clone(), stage.clone());
            let (from, to) = (from.cloned(), to.cloned());
            Box::pin(async move {
                let _ = inner
                    .move_stage(&secret, &stage, from.as_ref(), to.as_ref())
                    .await;
            })
        };
        let work = self.inner.move_stage(secret, stage, from, to);
        self.injector
            .call("move_stage", work, Some(Box::new(late)))
            .await
    }
}

impl Injected for StoreError {
    fn no_answer() -> Self {
        Self::Transient {
            doing: "an outside call".into(),
            reason: "no answer (injected)".into(),
        }
    }

    fn denied() -> Self {
        Self::Denied {
            action: "an outside call".into(),
            reason: "no right (injected)".into(),
        }
    }
}

//! The real engine and the real provider over a store in memory.

use std::sync::Arc;

use chrono::TimeDelta;
use rand::SeedableRng;
use rand::rngs::StdRng;
use serde_json::Value;
use twinkey_core::{
    DocumentError, Engine, Kinds, MIN_OVERLAP_TAG, RotationError, RotationFailure, Rotator,
    SecretId, SecretValue, Stage, Step, StepReport, StepRequest, Store, VersionId,
};
use twinkey_postgres::PostgresProvider;
use twinkey_testkit::{FakeClock, FakeSecretsManager};

use crate::scene::Scene;

/// A store, and the function that rotates what is in it. Clones are the same.
#[derive(Clone)]
pub(crate) struct Vault {
    pub(crate) store: FakeSecretsManager,
    clock: FakeClock,
    provider: Arc<PostgresProvider>,
}

impl Kinds for Vault {
    fn open(&self, _: &SecretValue) -> Result<Box<dyn Rotator>, DocumentError> {
        Ok(Box::new(PostgresProvider::clone(&self.provider)))
    }
}

impl Vault {
    pub(crate) fn at(scene: &Scene) -> Self {
        let clock = FakeClock::default();
        Self {
            store: FakeSecretsManager::new(clock.clone()),
            clock,
            provider: scene.provider.clone(),
        }
    }

    /// A copy that goes its own way, at the same server.
    fn fork(&self) -> Self {
        let clock = self.clock.fork();
        Self {
            store: self.store.fork(clock.clone()),
            clock,
            provider: self.provider.clone(),
        }
    }

    /// A person puts a document.
    pub(crate) fn put(&self, name: &str, document: &Value) {
        self.clock.advance(TimeDelta::seconds(1));
        let value = SecretValue::new(document.to_string());
        let secret = SecretId::new(name);
        let id = VersionId::random(&mut rand::rng());
        self.store.put_by_hand(&secret, &id, &value);
        self.store.tag(&secret, MIN_OVERLAP_TAG, "0s");
    }

    pub(crate) fn begin(&self, name: &str) -> VersionId {
        self.clock.advance(TimeDelta::seconds(1));
        let token = VersionId::random(&mut rand::rng());
        self.store
            .rotate_secret(&SecretId::new(name), &token)
            .unwrap();
        token
    }

    pub(crate) async fn step(
        &self,
        name: &str,
        token: &VersionId,
        step: Step,
    ) -> Result<StepReport, RotationError> {
        let request = StepRequest {
            step,
            secret: SecretId::new(name),
            token: token.clone(),
        };
        let mut random = StdRng::from_rng(&mut rand::rng());
        self.engine().step(&request, &mut random).await
    }

    pub(crate) async fn abandon(
        &self,
        name: &str,
        token: &VersionId,
    ) -> Result<(), RotationFailure> {
        let secret = SecretId::new(name);
        self.engine().abandon(&secret, token).await.map(drop)
    }

    fn engine(&self) -> Engine<'_> {
        Engine {
            store: &self.store,
            kinds: self,
            clock: &self.clock,
        }
    }

    /// The four steps of one rotation.
    pub(crate) async fn deliver(&self, name: &str, token: &VersionId) -> Result<(), RotationError> {
        for step in Step::ALL {
            self.step(name, token, step).await?;
        }
        Ok(())
    }

    pub(crate) fn document(&self, name: &str, stage: &Stage) -> Value {
        let value = self.store.value(&SecretId::new(name), stage).unwrap();
        serde_json::from_str(value.expose()).unwrap()
    }

    /// What createSecret would store.
    pub(crate) async fn successor(&self, name: &str, token: &VersionId) -> (Value, Vec<Stage>) {
        let fork = self.fork();
        fork.step(name, token, Step::CreateSecret).await.unwrap();
        let versions = fork.store.versions(&SecretId::new(name));
        let version = versions.into_iter().find(|version| version.id == *token);
        let stages = version.unwrap().stages.into_iter().collect();
        (fork.document(name, &Stage::Pending), stages)
    }

    /// A version with a label of somebody's own.
    pub(crate) async fn store_aside(&self, name: &str, label: &str, document: &Value) -> VersionId {
        self.clock.advance(TimeDelta::seconds(1));
        let id = VersionId::random(&mut rand::rng());
        let (secret, value) = (SecretId::new(name), SecretValue::new(document.to_string()));
        let labels = [Stage::Custom(label.into())];
        let stored = self.store.put(&secret, &id, &value, &labels);
        stored.await.unwrap();
        id
    }

    /// A person moves AWSCURRENT, and leaves a rotation in flight as it is.
    pub(crate) async fn make_current(&self, name: &str, version: &VersionId) {
        let secret = SecretId::new(name);
        let described = self.store.describe(&secret).await.unwrap();
        let from = described.holder(&Stage::Current);
        let moved = self
            .store
            .move_stage(&secret, &Stage::Current, from, Some(version));
        moved.await.unwrap();
    }

    /// What somebody else has stored as pending.
    pub(crate) async fn store_pending(
        &self,
        name: &str,
        token: &VersionId,
        text: &str,
        stages: &[Stage],
    ) {
        let (secret, value) = (SecretId::new(name), SecretValue::new(text.into()));
        self.store
            .put(&secret, token, &value, stages)
            .await
            .unwrap();
    }
}

//! A server of its own for each test, and a store that talks to it.

use std::time::Duration;

use aws_config::{BehaviorVersion, Region, SdkConfig};
use aws_sdk_secretsmanager::config::{Credentials, SharedCredentialsProvider};
use twinkey_aws::{Patience, SecretsManagerStore};
use twinkey_core::{SecretId, SecretValue, Slot, Stage, Store, StoreError, VersionId};
use twinkey_test_aws::SecretsManagerServer;
use twinkey_testkit::{CurrentSince, FakeClock, FakeSecretsManager, StoreUnderTest};

use crate::person::Person;

pub(crate) const PENDING: [Stage; 2] = [Stage::Pending, Stage::Slot(Slot::B)];
/// What no error may show, whole or in part.
pub(crate) const VALUE: &str = r#"{"password":"TEST-4711\"ä"}"#;
pub(crate) const PARTS: [&str; 2] = ["TEST-4711", "VEVTVC00NzEx"];

pub(crate) struct World {
    pub(crate) server: SecretsManagerServer,
    pub(crate) store: SecretsManagerStore,
    pub(crate) person: Person,
    pub(crate) secret: SecretId,
}

impl World {
    pub(crate) async fn new() -> Self {
        Self::patient(Duration::from_secs(20)).await
    }

    /// A call ends after `patience`, an attempt a little earlier.
    pub(crate) async fn patient(patience: Duration) -> Self {
        let clock = FakeClock::default();
        let fake = FakeSecretsManager::new(clock.clone());
        let server = SecretsManagerServer::start(fake, clock).await;
        let patience = Patience {
            connect: patience,
            attempt: patience,
            call: patience,
        };
        let config = config(&server.endpoint());
        Self {
            store: SecretsManagerStore::new(&config, patience),
            person: Person::new(&config),
            server,
            secret: SecretId::new("db/app"),
        }
    }

    /// Version `a` is current, and the rotation `b` of it in flight.
    pub(crate) async fn begun() -> Self {
        let world = Self::new().await;
        world.begin();
        world
    }

    pub(crate) fn begin(&self) {
        let fake = self.server.fake();
        fake.put_by_hand(&self.secret, &id('a'), &value());
        fake.rotate_secret(&self.secret, &id('b')).expect("begun");
    }

    pub(crate) async fn put(&self) -> Result<(), StoreError> {
        self.put_as_pending(&value()).await
    }

    pub(crate) async fn put_as_pending(&self, value: &SecretValue) -> Result<(), StoreError> {
        self.store
            .put(&self.secret, &id('b'), value, &PENDING)
            .await
    }

    pub(crate) async fn promote(&self) -> Result<(), StoreError> {
        let (from, to) = (id('a'), id('b'));
        self.store
            .move_stage(&self.secret, &Stage::Current, Some(&from), Some(&to))
            .await
    }
}

pub(crate) fn config(endpoint: &str) -> SdkConfig {
    let credentials = Credentials::new("TEST-key", "TEST-secret", None, None, "test");
    SdkConfig::builder()
        .behavior_version(BehaviorVersion::v2026_01_12())
        .credentials_provider(SharedCredentialsProvider::new(credentials))
        .endpoint_url(endpoint)
        .http_client(aws_smithy_http_client::Builder::new().build_http())
        .region(Region::new("eu-central-1"))
        .build()
}

pub(crate) fn id(name: char) -> VersionId {
    VersionId::parse(name.to_string().repeat(32)).expect("32 characters")
}

pub(crate) fn value() -> SecretValue {
    SecretValue::new(VALUE.into())
}

impl StoreUnderTest for World {
    fn store(&self) -> &dyn Store {
        &self.store
    }

    async fn put_by_hand(&self, secret: &SecretId, version: &VersionId, value: &SecretValue) {
        self.person.put(secret, version, value).await;
    }

    async fn tag(&self, secret: &SecretId, key: &str, value: &str) {
        self.person.tag(secret, key, value).await;
    }

    async fn begin(&self, secret: &SecretId, token: &VersionId) -> Result<(), StoreError> {
        self.person.rotate(secret, token).await
    }

    fn keeps_current_since(&self) -> CurrentSince {
        CurrentSince::ByRotations
    }
}

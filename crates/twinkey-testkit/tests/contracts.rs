//! The fakes keep the contracts that the real ones keep.

use twinkey_core::{SecretId, SecretValue, Store, StoreError, VersionId};
use twinkey_testkit::{
    FakeClock, FakeKind, FakeProvider, FakeSecret, FakeSecretsManager, FakeServer,
    ProviderUnderTest, StoreUnderTest, provider_contract, store_contract,
};

struct Fake(FakeSecretsManager);

impl StoreUnderTest for Fake {
    fn store(&self) -> &dyn Store {
        &self.0
    }

    async fn put_by_hand(&self, secret: &SecretId, version: &VersionId, value: &SecretValue) {
        self.0.put_by_hand(secret, version, value);
    }

    async fn tag(&self, secret: &SecretId, key: &str, value: &str) {
        self.0.tag(secret, key, value);
    }

    async fn begin(&self, secret: &SecretId, token: &VersionId) -> Result<(), StoreError> {
        self.0.rotate_secret(secret, token)
    }
}

#[tokio::test]
async fn the_fake_secrets_manager_keeps_the_store_contract() {
    store_contract(async || Fake(FakeSecretsManager::new(FakeClock::default()))).await;
}

#[tokio::test]
async fn every_fake_provider_keeps_the_provider_contract() {
    for kind in FakeKind::ALL {
        let clock = FakeClock::default();
        let provider = FakeProvider::new(kind, FakeServer::new(clock.clone()), clock);
        let current = provider.first_document();
        let wrong = FakeSecret {
            value: Some("TEST-wrong".into()),
            ..current.clone()
        };
        let elsewhere = FakeSecret {
            server: "elsewhere".into(),
            ..current.clone()
        };
        provider_contract(ProviderUnderTest {
            provider,
            current,
            wrong,
            elsewhere: vec![elsewhere],
        })
        .await;
    }
}

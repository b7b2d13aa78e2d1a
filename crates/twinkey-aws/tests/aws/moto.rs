//! The same store against moto, which others wrote: it reads what we send, and where it differs from the
//! vendor's pages, that is said here. What it does not play is shown on the strict fake.

use std::sync::atomic::{AtomicUsize, Ordering};

use aws_config::{Region, SdkConfig};
use twinkey_aws::{Patience, SecretsManagerStore};
use twinkey_core::{SecretId, SecretValue, Store, StoreError, VersionId};
use twinkey_test_aws::Moto;
use twinkey_testkit::{Deviation, StoreUnderTest, store_contract_but};

use crate::person::Person;
use crate::world::config;

/// Of moto 5.2.5. A case that passes after all fails the test.
const DEVIATIONS: [Deviation; 0] = [];

/// An account in a region of its own: moto keeps regions apart.
struct Account {
    store: SecretsManagerStore,
    person: Person,
}

impl Account {
    fn new(moto: &Moto) -> Self {
        let config = own_region(moto);
        Self {
            store: SecretsManagerStore::new(&config, Patience::default()),
            person: Person::new(&config),
        }
    }
}

fn own_region(moto: &Moto) -> SdkConfig {
    static NEXT: AtomicUsize = AtomicUsize::new(1);
    let number = NEXT.fetch_add(1, Ordering::Relaxed);
    let region = Region::new(format!("test-{number}"));
    config(moto.endpoint())
        .into_builder()
        .region(region)
        .build()
}

impl StoreUnderTest for Account {
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

    fn keeps_current_since(&self) -> bool {
        false
    }
}

#[tokio::test]
async fn moto_agrees_with_the_contract_but_where_it_is_known_not_to() {
    let moto = Moto::start();
    store_contract_but(&DEVIATIONS, async || Account::new(&moto)).await;
}

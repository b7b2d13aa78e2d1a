//! The same store against moto, which others wrote: it reads what we send, and where it differs from the
//! vendor's pages, that is said here. What it does not play is shown on the strict fake.

use std::sync::atomic::{AtomicUsize, Ordering};

use aws_config::{Region, SdkConfig};
use twinkey_aws::{Patience, SecretsManagerStore};
use twinkey_core::{SecretId, SecretValue, Store, StoreError, VersionId};
use twinkey_test_aws::Moto;
use twinkey_testkit::{CurrentSince, Deviation, StoreUnderTest, store_contract_but};

use crate::person::Person;
use crate::world::config;

/// Of moto 5.2.5. A case that passes after all fails the test.
const DEVIATIONS: [Deviation; 11] = [
    Deviation {
        case: "a_description_shows_labelled_versions_tags_and_when_current_moved",
        why: "a value put by hand leaves AWSPENDING where it was, so the rotation is not abandoned",
    },
    Deviation {
        case: "an_unknown_version_and_a_label_on_none_have_no_value",
        why: "a label on no version is answered as if the secret were unknown",
    },
    Deviation {
        case: "a_stored_value_is_immutable",
        why: "another value with the same token replaces the one that is pending; AWS: ResourceExistsException",
    },
    Deviation {
        case: "a_value_that_is_there_already_moves_no_label",
        why: "the same value with the same token moves the labels again while it is pending; AWS ignores the request",
    },
    Deviation {
        case: "values_are_dated_in_strict_order",
        why: "dates are whole seconds; AWS's have milliseconds",
    },
    Deviation {
        case: "a_slot_label_moves_by_compare_and_swap",
        why: "a label other than AWSCURRENT moves without RemoveFromVersionId, onto a second version; AWS refuses",
    },
    Deviation {
        case: "other_labels_stay_when_current_moves",
        why: "a new AWSCURRENT takes every custom label off the version that was current",
    },
    Deviation {
        case: "current_never_goes_to_a_version_without_a_value_nor_nowhere",
        why: "AWSCURRENT moves to a version without a value",
    },
    Deviation {
        case: "a_label_cannot_go_to_an_unknown_version",
        why: "the label is taken off before the version is found to be unknown",
    },
    Deviation {
        case: "a_second_rotation_is_refused_while_one_is_pending",
        why: "RotateSecret refuses only where AWSPENDING is on AWSCURRENT's version, the reverse of AWS's rule",
    },
    Deviation {
        case: "a_manual_put_abandons_the_rotation",
        why: "a value put by hand leaves AWSPENDING where it was",
    },
];

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

    fn keeps_current_since(&self) -> CurrentSince {
        CurrentSince::Never
    }
}

#[tokio::test]
async fn moto_agrees_with_the_contract_but_where_it_is_known_not_to() {
    let moto = Moto::start();
    store_contract_but(&DEVIATIONS, async || Account::new(&moto)).await;
}

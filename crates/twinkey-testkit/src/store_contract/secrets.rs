//! A secret as a whole: its name, its description, its neighbours.

use std::collections::BTreeSet;

use twinkey_core::{SecretId, Selector, Slot, Stage, StoreError};

use super::{
    CurrentSince, PENDING_IN_B, StoreUnderTest, begun, described, id, secret, shift, stored, value,
};

pub(super) async fn an_unknown_secret_is_said_to_be_unknown<S: StoreUnderTest>(test: &S) {
    test.put_by_hand(&secret(), &id('a'), &value("first")).await;
    let (store, missing) = (test.store(), SecretId::new("contract/missing"));
    let (at, a) = (Selector::Stage(Stage::Current), id('a'));
    let errors = [
        store.describe(&missing).await.err(),
        store.read(&missing, &at).await.err(),
        store
            .put(&missing, &a, &value("first"), &PENDING_IN_B)
            .await
            .err(),
        store
            .move_stage(&missing, &Stage::Pending, None, Some(&a))
            .await
            .err(),
        test.begin(&missing, &a).await.err(),
    ];
    for error in errors {
        let refused = matches!(error, Some(StoreError::NoSecret(_)));
        assert!(refused, "NoSecret was expected: {error:?}");
    }
}

pub(super) fn an_address_tells_secrets_apart<S: StoreUnderTest>(test: &S) {
    let (store, other) = (test.store(), SecretId::new("contract/other"));
    let address = store.address(&secret());
    assert_eq!(address, store.address(&secret()), "an address is constant");
    assert_eq!(address.secret, secret());
    assert_ne!(address, store.address(&other));
    assert_eq!(address.store, store.address(&other).store);
}

pub(super) async fn two_secrets_do_not_affect_each_other<S: StoreUnderTest>(test: &S) {
    let (store, other) = (test.store(), SecretId::new("contract/other"));
    test.put_by_hand(&other, &id('a'), &value("theirs")).await;
    stored(test).await;
    shift(store, &Stage::Current, Some('a'), Some('b'))
        .await
        .expect("promoted");
    test.tag(&secret(), "team", "ours").await;
    let description = store.describe(&other).await.expect("described");
    assert_eq!(description.versions.len(), 1, "{description:?}");
    assert_eq!(description.holder(&Stage::Current), Some(&id('a')));
    assert!(description.tags.is_empty(), "{description:?}");
    let at = Selector::Version(id('a'));
    let theirs = store.read(&other, &at).await.expect("a value");
    assert_eq!(theirs.value, value("theirs"));
    test.begin(&other, &id('b'))
        .await
        .expect("its own rotation");
}

pub(super) async fn a_description_shows_labelled_versions_tags_and_when_current_moved<
    S: StoreUnderTest,
>(
    test: &S,
) {
    begun(test).await;
    let store = test.store();
    test.tag(&secret(), "team", "payments").await;
    let at_first = described(store).await;
    assert_eq!(
        at_first.tags.get("team").map(String::as_str),
        Some("payments")
    );
    assert!(at_first.rotation_enabled, "a rotation has begun");
    let since = at_first.current_since;
    for version in ['c', 'd'] {
        test.put_by_hand(&secret(), &id(version), &value("later"))
            .await;
    }
    let description = described(store).await;
    let labels = |version| description.versions.get(&id(version)).cloned();
    assert_eq!(labels('a'), None, "it has lost its labels");
    assert_eq!(labels('c'), Some(BTreeSet::from([Stage::Previous])));
    assert_eq!(labels('d'), Some(BTreeSet::from([Stage::Current])));
    assert_eq!(description.versions.len(), 2, "{description:?}");
    assert_eq!(description.slot(&id('d')), None);
    let moved = description.current_since;
    if test.keeps_current_since() == CurrentSince::Always {
        let since = since.expect("AWSCURRENT has been put");
        let moved = moved.expect("AWSCURRENT has moved");
        assert!(since <= moved, "it moved later, not earlier");
    } else {
        assert_eq!((since, moved), (None, None), "no rotation has moved it");
    }
    shift(store, &Stage::Slot(Slot::A), None, Some('d'))
        .await
        .expect("the label was on no version");
    let labelled = described(store).await;
    assert_eq!(labelled.slot(&id('d')), Some(Slot::A));
    assert_eq!(labelled.current_since, moved, "another label moved");
}

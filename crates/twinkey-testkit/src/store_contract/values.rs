//! Values: put once, read by version, by label, or by both.

use std::collections::BTreeSet;

use twinkey_core::{SecretValue, Selector, Slot, Stage};

use super::{
    PENDING_IN_B, StoreUnderTest, begun, described, has_no_version, id, is_conflict, is_invalid,
    read, secret, shift, stored, value,
};

const LONGEST_VALUE: usize = 65_536;
const MOST_LABELS: usize = 20;

pub(super) async fn an_unknown_version_and_a_label_on_none_have_no_value<S: StoreUnderTest>(
    test: &S,
) {
    test.put_by_hand(&secret(), &id('a'), &value("first")).await;
    for at in [
        Selector::Version(id('x')),
        Selector::VersionAt(id('x'), Stage::Current),
        Selector::VersionAt(id('a'), Stage::Pending),
        Selector::Stage(Stage::Pending),
        Selector::Stage(Stage::Custom("theirs".into())),
    ] {
        has_no_version(&read(test.store(), at).await);
    }
}

pub(super) async fn a_pending_version_has_no_value_until_it_is_put<S: StoreUnderTest>(test: &S) {
    begun(test).await;
    let store = test.store();
    let selectors = [
        Selector::Version(id('b')),
        Selector::VersionAt(id('b'), Stage::Pending),
        Selector::Stage(Stage::Pending),
    ];
    for at in selectors.clone() {
        has_no_version(&read(store, at).await);
    }
    let description = described(store).await;
    assert!(description.carries(&id('b'), &Stage::Pending) && description.slot(&id('b')).is_none());
    store
        .put(&secret(), &id('b'), &value("second"), &PENDING_IN_B)
        .await
        .expect("stored");
    for at in selectors {
        let version = read(store, at).await.expect("a value");
        assert_eq!((version.id, version.value), (id('b'), value("second")));
        assert_eq!(version.stages, BTreeSet::from(PENDING_IN_B));
    }
    assert_eq!(described(store).await.slot(&id('b')), Some(Slot::B));
    has_no_version(&read(store, Selector::VersionAt(id('b'), Stage::Current)).await);
}

pub(super) async fn a_stored_value_is_immutable<S: StoreUnderTest>(test: &S) {
    stored(test).await;
    let (store, b) = (test.store(), id('b'));
    store
        .put(&secret(), &b, &value("second"), &PENDING_IN_B)
        .await
        .expect("repeatable");
    is_conflict(
        &store
            .put(&secret(), &b, &value("other"), &PENDING_IN_B)
            .await,
    );
    let pending = read(store, Selector::VersionAt(b, Stage::Pending)).await;
    assert_eq!(pending.expect("a value").value, value("second"));
}

pub(super) async fn a_value_that_is_there_already_moves_no_label<S: StoreUnderTest>(test: &S) {
    stored(test).await;
    let store = test.store();
    let slot = Stage::Slot(Slot::B);
    shift(store, &slot, Some('b'), Some('a'))
        .await
        .expect("moved");
    store
        .put(&secret(), &id('b'), &value("second"), &PENDING_IN_B)
        .await
        .expect("repeatable");
    assert_eq!(described(store).await.holder(&slot), Some(&id('a')));
}

/// For a day at least: a server's mark may name it.
pub(super) async fn a_version_without_labels_is_still_read_by_its_id<S: StoreUnderTest>(test: &S) {
    for (version, text) in [('a', "first"), ('b', "second"), ('c', "third")] {
        test.put_by_hand(&secret(), &id(version), &value(text))
            .await;
    }
    let version = read(test.store(), Selector::Version(id('a'))).await;
    let version = version.expect("still there");
    assert_eq!((version.id, version.value), (id('a'), value("first")));
    assert_eq!(version.stages, BTreeSet::new());
}

/// Fences at servers rely on the order, however fast two values follow each other.
pub(super) async fn values_are_dated_in_strict_order<S: StoreUnderTest>(test: &S) {
    stored(test).await;
    test.put_by_hand(&secret(), &id('c'), &value("third")).await;
    let mut dates = Vec::new();
    for version in ['a', 'b', 'c'] {
        let at = Selector::Version(id(version));
        let first = read(test.store(), at.clone()).await.expect("stored");
        let again = read(test.store(), at).await.expect("stored");
        assert_eq!(first.created_at, again.created_at, "a date is constant");
        dates.push(first.created_at);
    }
    let in_order = dates.is_sorted_by(|earlier, later| earlier < later);
    assert!(in_order, "fences need a strict order: {dates:?}");
}

pub(super) async fn a_put_that_could_never_be_right_is_invalid<S: StoreUnderTest>(test: &S) {
    begun(test).await;
    let (store, b) = (test.store(), id('b'));
    let too_many: Vec<Stage> = (0..MOST_LABELS)
        .map(|number| Stage::Custom(format!("label-{number}")))
        .chain(PENDING_IN_B)
        .collect();
    let too_long = [Stage::Pending, Stage::Custom("l".repeat(257))];
    for stages in [&[][..], &too_many, &too_long] {
        let put = store.put(&secret(), &b, &value("second"), stages).await;
        is_invalid(&put);
    }
    for length in [0, LONGEST_VALUE + 1] {
        let value = SecretValue::new("v".repeat(length));
        let put = store.put(&secret(), &b, &value, &PENDING_IN_B).await;
        is_invalid(&put);
        let told = put.expect_err("invalid").to_string();
        assert!(!told.contains("vv"), "an error shows no value: {told}");
    }
    has_no_version(&read(store, Selector::Version(b.clone())).await);
    let longest = SecretValue::new("v".repeat(LONGEST_VALUE));
    store
        .put(&secret(), &b, &longest, &PENDING_IN_B)
        .await
        .expect("the longest value fits");
}

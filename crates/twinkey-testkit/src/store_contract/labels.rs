//! Labels: moved by compare-and-swap.

use twinkey_core::{Selector, Slot, Stage};

use super::{
    CurrentSince, StoreUnderTest, begun, described, has_no_version, id, is_conflict, is_invalid,
    read, secret, shift, stored, value,
};

pub(super) async fn a_label_moves_only_from_where_it_is<S: StoreUnderTest>(test: &S) {
    stored(test).await;
    let store = test.store();
    for wrong in [None, Some('b'), Some('x')] {
        is_conflict(&shift(store, &Stage::Current, wrong, Some('b')).await);
    }
    let current = read(store, Selector::Stage(Stage::Current)).await;
    assert_eq!(current.expect("current").id, id('a'));
    shift(store, &Stage::Pending, Some('b'), None)
        .await
        .expect("detached");
    is_conflict(&shift(store, &Stage::Pending, Some('b'), None).await);
    assert_eq!(described(store).await.holder(&Stage::Pending), None);
}

pub(super) async fn a_slot_label_moves_by_compare_and_swap<S: StoreUnderTest>(test: &S) {
    stored(test).await;
    let (store, slot) = (test.store(), Stage::Slot(Slot::B));
    is_conflict(&shift(store, &slot, None, Some('a')).await);
    shift(store, &slot, Some('b'), Some('a'))
        .await
        .expect("moved");
    is_conflict(&shift(store, &slot, Some('b'), Some('a')).await);
    let description = described(store).await;
    assert_eq!(description.slot(&id('a')), Some(Slot::B));
    assert_eq!(
        description.slot(&id('b')),
        None,
        "a label is on one version"
    );
    shift(store, &slot, Some('a'), None)
        .await
        .expect("detached");
    shift(store, &slot, None, Some('b'))
        .await
        .expect("it was on no version");
    assert_eq!(described(store).await.slot(&id('b')), Some(Slot::B));
}

pub(super) async fn previous_follows_current_forth_and_back<S: StoreUnderTest>(test: &S) {
    stored(test).await;
    let store = test.store();
    for (from, to) in [('a', 'b'), ('b', 'a'), ('a', 'b')] {
        shift(store, &Stage::Current, Some(from), Some(to))
            .await
            .expect("moved");
        let description = described(store).await;
        assert_eq!(description.holder(&Stage::Current), Some(&id(to)));
        assert_eq!(description.holder(&Stage::Previous), Some(&id(from)));
        assert!(!description.carries(&id(to), &Stage::Previous));
        assert!(
            description.current_since.is_some()
                == (test.keeps_current_since() != CurrentSince::Never),
            "the store keeps when AWSCURRENT moved"
        );
        // The compare-and-swap whose reply was lost, once more.
        is_conflict(&shift(store, &Stage::Current, Some(from), Some(to)).await);
    }
}

pub(super) async fn other_labels_stay_when_current_moves<S: StoreUnderTest>(test: &S) {
    stored(test).await;
    let (store, theirs) = (test.store(), Stage::Custom("theirs".into()));
    for label in [&Stage::Slot(Slot::A), &theirs] {
        shift(store, label, None, Some('a'))
            .await
            .expect("it was on no version");
    }
    shift(store, &Stage::Current, Some('a'), Some('b'))
        .await
        .expect("promoted");
    test.put_by_hand(&secret(), &id('c'), &value("third")).await;
    let description = described(store).await;
    assert_eq!(description.slot(&id('a')), Some(Slot::A));
    assert_eq!(description.slot(&id('b')), Some(Slot::B));
    assert_eq!(description.holder(&theirs), Some(&id('a')));
}

pub(super) async fn current_never_goes_to_a_version_without_a_value_nor_nowhere<
    S: StoreUnderTest,
>(
    test: &S,
) {
    begun(test).await;
    let store = test.store();
    is_conflict(&shift(store, &Stage::Current, Some('a'), Some('b')).await);
    is_invalid(&shift(store, &Stage::Current, Some('a'), None).await);
    let current = read(store, Selector::Stage(Stage::Current)).await;
    assert_eq!(current.expect("current").id, id('a'));
}

pub(super) async fn a_label_cannot_go_to_an_unknown_version<S: StoreUnderTest>(test: &S) {
    stored(test).await;
    let store = test.store();
    for (stage, from) in [
        (Stage::Current, Some('a')),
        (Stage::Slot(Slot::B), Some('b')),
        (Stage::Slot(Slot::A), None),
    ] {
        has_no_version(&shift(store, &stage, from, Some('x')).await);
        let from = from.map(id);
        assert_eq!(described(store).await.holder(&stage), from.as_ref());
    }
}

//! Rotations: how they begin, and what ends them.

use twinkey_core::{Selector, Slot, Stage, StoreError};

use super::{
    PENDING_IN_B, StoreUnderTest, begun, described, has_no_version, id, is_conflict, read, secret,
    shift, value,
};

pub(super) async fn a_second_rotation_is_refused_while_one_is_pending<S: StoreUnderTest>(test: &S) {
    begun(test).await;
    is_conflict(&test.begin(&secret(), &id('c')).await);
    let description = described(test.store()).await;
    assert_eq!(description.holder(&Stage::Pending), Some(&id('b')));
    assert!(!description.versions.contains_key(&id('c')));
}

pub(super) async fn a_manual_put_abandons_the_rotation<S: StoreUnderTest>(test: &S) {
    begun(test).await;
    test.put_by_hand(&secret(), &id('d'), &value("by hand"))
        .await;
    let description = described(test.store()).await;
    assert_eq!(description.holder(&Stage::Pending), None);
    assert_eq!(description.holder(&Stage::Current), Some(&id('d')));
    assert_eq!(description.holder(&Stage::Previous), Some(&id('a')));
    test.begin(&secret(), &id('e'))
        .await
        .expect("no rotation is in flight any more");
}

/// A frozen invocation puts its value after a person has taken AWSPENDING off. Secrets Manager takes
/// the value and moves the labels, the embedded store refuses it: nothing in between is right.
pub(super) async fn an_ended_rotation_comes_back_wholly_or_not_at_all<S: StoreUnderTest>(test: &S) {
    begun(test).await;
    let (store, b) = (test.store(), id('b'));
    shift(store, &Stage::Pending, Some('b'), None)
        .await
        .expect("detached");
    let put = store
        .put(&secret(), &b, &value("late"), &PENDING_IN_B)
        .await;
    let description = described(store).await;
    let at = Selector::Version(b.clone());
    match put {
        Ok(()) => {
            let version = read(store, at).await.expect("a value");
            assert_eq!(version.value, value("late"));
            assert_eq!(description.holder(&Stage::Pending), Some(&b));
            assert_eq!(description.slot(&b), Some(Slot::B));
        }
        Err(StoreError::Conflict { .. }) => {
            has_no_version(&read(store, at).await);
            assert_eq!(description.holder(&Stage::Pending), None);
            assert_eq!(description.holder(&Stage::Slot(Slot::B)), None);
        }
        Err(error) => panic!("Conflict was expected: {error:?}"),
    }
    assert_eq!(description.holder(&Stage::Current), Some(&id('a')));
}

//! What every store must do, in one suite.

use std::future::Future;

use twinkey_core::{SecretId, SecretValue, Selector, Slot, Stage, Store, StoreError, VersionId};

/// A store that the suite can use as a person and as the rotation service would.
pub trait StoreUnderTest {
    /// The store.
    fn store(&self) -> &dyn Store;
    /// A person puts a value: it becomes AWSCURRENT, and a rotation in flight is abandoned.
    fn put_by_hand(
        &self,
        secret: &SecretId,
        version: &VersionId,
        value: &SecretValue,
    ) -> impl Future<Output = ()>;
    /// The service begins a rotation: AWSPENDING on a version without a value.
    fn begin(
        &self,
        secret: &SecretId,
        token: &VersionId,
    ) -> impl Future<Output = Result<(), StoreError>>;
}

/// Runs the whole suite; each case has a store of its own. Panics at the first thing that does
/// not hold.
pub async fn store_contract<S: StoreUnderTest>(build: impl AsyncFn() -> S) {
    an_unknown_secret_is_said_to_be_unknown(&build().await).await;
    a_pending_version_has_no_value_until_it_is_put(&build().await).await;
    a_stored_value_is_immutable(&build().await).await;
    a_label_moves_only_from_where_it_is(&build().await).await;
    previous_follows_current(&build().await).await;
    a_second_rotation_is_refused_while_one_is_pending(&build().await).await;
    a_manual_put_abandons_the_rotation(&build().await).await;
    versions_are_created_in_strict_order(&build().await).await;
}

fn secret() -> SecretId {
    SecretId::new("contract/secret")
}

fn id(name: char) -> VersionId {
    VersionId::parse(name.to_string().repeat(32)).expect("32 characters")
}

fn value(text: &str) -> SecretValue {
    SecretValue::new(format!("TEST-{text}"))
}

const PENDING_IN_B: [Stage; 2] = [Stage::Pending, Stage::Slot(Slot::B)];

async fn begun<S: StoreUnderTest>(test: &S) {
    test.put_by_hand(&secret(), &id('a'), &value("first")).await;
    test.begin(&secret(), &id('b'))
        .await
        .expect("no rotation is in flight");
}

async fn pending_value(store: &dyn Store) -> Result<SecretValue, StoreError> {
    let at = Selector::VersionAt(id('b'), Stage::Pending);
    store
        .read(&secret(), &at)
        .await
        .map(|version| version.value)
}

async fn an_unknown_secret_is_said_to_be_unknown<S: StoreUnderTest>(test: &S) {
    let missing = SecretId::new("contract/missing");
    let error = test
        .store()
        .describe(&missing)
        .await
        .expect_err("an unknown secret");
    assert!(matches!(error, StoreError::NoSecret(_)), "{error}");
}

async fn a_pending_version_has_no_value_until_it_is_put<S: StoreUnderTest>(test: &S) {
    begun(test).await;
    let error = pending_value(test.store()).await.expect_err("no value yet");
    assert!(matches!(error, StoreError::NoVersion { .. }), "{error}");
    let description = test.store().describe(&secret()).await.expect("described");
    assert!(description.carries(&id('b'), &Stage::Pending) && description.slot(&id('b')).is_none());
    test.store()
        .put(&secret(), &id('b'), &value("second"), &PENDING_IN_B)
        .await
        .expect("stored");
    assert_eq!(
        pending_value(test.store()).await.expect("a value"),
        value("second")
    );
    let description = test.store().describe(&secret()).await.expect("described");
    assert_eq!(description.slot(&id('b')), Some(Slot::B));
    let at = Selector::VersionAt(id('b'), Stage::Current);
    let error = test
        .store()
        .read(&secret(), &at)
        .await
        .expect_err("not current");
    assert!(matches!(error, StoreError::NoVersion { .. }), "{error}");
}

async fn a_stored_value_is_immutable<S: StoreUnderTest>(test: &S) {
    begun(test).await;
    for _ in 0..2 {
        test.store()
            .put(&secret(), &id('b'), &value("second"), &PENDING_IN_B)
            .await
            .expect("repeatable");
    }
    let again = test
        .store()
        .put(&secret(), &id('b'), &value("other"), &PENDING_IN_B)
        .await;
    assert!(
        matches!(again, Err(StoreError::Conflict { .. })),
        "{again:?}"
    );
    assert_eq!(
        pending_value(test.store()).await.expect("a value"),
        value("second")
    );
}

async fn a_label_moves_only_from_where_it_is<S: StoreUnderTest>(test: &S) {
    begun(test).await;
    test.store()
        .put(&secret(), &id('b'), &value("second"), &PENDING_IN_B)
        .await
        .expect("stored");
    for wrong in [None, Some(&id('b'))] {
        let moved = test
            .store()
            .move_stage(&secret(), &Stage::Current, wrong, Some(&id('b')))
            .await;
        assert!(
            matches!(moved, Err(StoreError::Conflict { .. })),
            "{moved:?}"
        );
    }
    let current = test
        .store()
        .read(&secret(), &Selector::Stage(Stage::Current))
        .await
        .expect("current");
    assert_eq!(current.id, id('a'));
    test.store()
        .move_stage(&secret(), &Stage::Pending, Some(&id('b')), None)
        .await
        .expect("detached");
    let again = test
        .store()
        .move_stage(&secret(), &Stage::Pending, Some(&id('b')), None)
        .await;
    assert!(
        matches!(again, Err(StoreError::Conflict { .. })),
        "{again:?}"
    );
}

async fn previous_follows_current<S: StoreUnderTest>(test: &S) {
    begun(test).await;
    test.store()
        .put(&secret(), &id('b'), &value("second"), &PENDING_IN_B)
        .await
        .expect("stored");
    test.store()
        .move_stage(&secret(), &Stage::Current, Some(&id('a')), Some(&id('b')))
        .await
        .expect("promoted");
    let description = test.store().describe(&secret()).await.expect("described");
    assert_eq!(description.holder(&Stage::Current), Some(&id('b')));
    assert_eq!(description.holder(&Stage::Previous), Some(&id('a')));
    assert!(
        description.current_since.is_some(),
        "the store keeps when AWSCURRENT moved"
    );
}

async fn a_second_rotation_is_refused_while_one_is_pending<S: StoreUnderTest>(test: &S) {
    begun(test).await;
    let second = test.begin(&secret(), &id('c')).await;
    assert!(second.is_err(), "a second rotation began");
    let description = test.store().describe(&secret()).await.expect("described");
    assert_eq!(description.holder(&Stage::Pending), Some(&id('b')));
}

async fn a_manual_put_abandons_the_rotation<S: StoreUnderTest>(test: &S) {
    begun(test).await;
    test.put_by_hand(&secret(), &id('d'), &value("by hand"))
        .await;
    let description = test.store().describe(&secret()).await.expect("described");
    assert_eq!(description.holder(&Stage::Pending), None);
    assert_eq!(description.holder(&Stage::Current), Some(&id('d')));
    assert_eq!(description.holder(&Stage::Previous), Some(&id('a')));
}

async fn versions_are_created_in_strict_order<S: StoreUnderTest>(test: &S) {
    begun(test).await;
    test.store()
        .put(&secret(), &id('b'), &value("second"), &PENDING_IN_B)
        .await
        .expect("stored");
    let mut created = Vec::new();
    for version in [id('a'), id('b')] {
        let read = test
            .store()
            .read(&secret(), &Selector::Version(version))
            .await
            .expect("stored");
        created.push(read.created_at);
    }
    assert!(
        created[0] < created[1],
        "fences need a strict order: {created:?}"
    );
}

//! One secret, and what a person or the service does with it.

use twinkey_core::{SecretId, SecretValue, Slot, Stage, Store, StoreError, VersionId};
use twinkey_testkit::{FakeClock, FakeSecretsManager, StoredVersion};

pub(crate) const PENDING_IN_B: [Stage; 2] = [Stage::Pending, Stage::Slot(Slot::B)];

pub(crate) fn secret() -> SecretId {
    SecretId::new("app/key")
}

pub(crate) fn id(name: char) -> VersionId {
    VersionId::parse(name.to_string().repeat(32)).expect("32 characters")
}

pub(crate) fn value(text: &str) -> SecretValue {
    SecretValue::new(format!("TEST-{text}"))
}

/// A secret with version `a`.
pub(crate) fn store() -> FakeSecretsManager {
    let store = FakeSecretsManager::new(FakeClock::default());
    store.put_by_hand(&secret(), &id('a'), &value("a"));
    store
}

/// The same with the rotation `b` of it in flight.
pub(crate) fn rotating() -> FakeSecretsManager {
    let store = store();
    store.rotate_secret(&secret(), &id('b')).expect("begun");
    store
}

pub(crate) async fn put(
    store: &FakeSecretsManager,
    version: char,
    stages: &[Stage],
) -> Result<(), StoreError> {
    let text = value(&version.to_string());
    store.put(&secret(), &id(version), &text, stages).await
}

pub(crate) async fn shift(
    store: &FakeSecretsManager,
    stage: Stage,
    from: Option<char>,
    to: Option<char>,
) -> Result<(), StoreError> {
    let (from, to) = (from.map(id), to.map(id));
    store
        .move_stage(&secret(), &stage, from.as_ref(), to.as_ref())
        .await
}

/// Who carries a label now.
pub(crate) fn holder(store: &FakeSecretsManager, stage: &Stage) -> Option<VersionId> {
    let carries = |version: &StoredVersion| version.stages.contains(stage);
    let mut holders = store.versions(&secret()).into_iter().filter(carries);
    let holder = holders.next().map(|version| version.id);
    assert!(holders.next().is_none(), "{stage} is on two versions");
    holder
}

pub(crate) fn is_conflict<T: std::fmt::Debug>(result: &Result<T, StoreError>) {
    let refused = matches!(result, Err(StoreError::Conflict { .. }));
    assert!(refused, "{result:?}");
}

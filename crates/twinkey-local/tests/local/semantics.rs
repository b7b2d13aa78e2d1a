//! Versions and labels behave as Secrets Manager's do, or more strictly.

use std::collections::BTreeMap;

use crate::world::{World, id, is_conflict, value};
use chrono::TimeDelta;
use twinkey_core::{
    Clock, Outcome, SecretId, SecretValue, Selector, Slot, Stage, Store, StoreError, Trigger,
    VersionId,
};
use twinkey_local::Standing;
use twinkey_testkit::{FakeKind, StoreUnderTest, store_contract};

impl StoreUnderTest for World {
    fn store(&self) -> &dyn Store {
        &self.store
    }

    async fn put_by_hand(&self, secret: &SecretId, version: &VersionId, value: &SecretValue) {
        self.store
            .put_value(secret, version, value, &BTreeMap::new())
            .await
            .expect("stored");
    }

    async fn tag(&self, secret: &SecretId, key: &str, value: &str) {
        let tags = BTreeMap::from([(key.to_owned(), value.to_owned())]);
        self.store.tag(secret, &tags).await.expect("tagged");
    }

    async fn begin(&self, secret: &SecretId, token: &VersionId) -> Result<(), StoreError> {
        self.store
            .begin_rotation(secret, token, None, &self.lease())
            .await
    }
}

const PENDING: [Stage; 2] = [Stage::Pending, Stage::Slot(Slot::B)];

/// A secret `a`, and the rotation `b` of it in flight.
async fn begun() -> World {
    let world = World::empty(FakeKind::Password);
    world
        .store
        .put_value(&world.secret, &id('a'), &value("a"), &BTreeMap::new())
        .await
        .expect("stored");
    begin(&world, 'b').await.expect("begun");
    world
}

async fn begin(world: &World, token: char) -> Result<(), StoreError> {
    world
        .store
        .begin_rotation(&world.secret, &id(token), Some("a test"), &world.lease())
        .await
}

async fn put(world: &World, version: char, text: &str) -> Result<(), StoreError> {
    world
        .store
        .put(&world.secret, &id(version), &value(text), &PENDING)
        .await
}

async fn promote(world: &World, from: char, to: char) -> Result<(), StoreError> {
    let (from, to) = (id(from), id(to));
    world
        .store
        .move_stage(&world.secret, &Stage::Current, Some(&from), Some(&to))
        .await
}

#[tokio::test]
async fn the_embedded_store_keeps_the_contract_of_every_store() {
    store_contract(async || World::empty(FakeKind::Password)).await;
}

#[tokio::test]
async fn what_was_stored_is_there_for_the_next_process() {
    let world = begun().await;
    put(&world, 'b', "b").await.expect("stored");
    let other = world.reopen();
    assert_eq!(other.id(), world.store.id());
    let at = Selector::Stage(Stage::Pending);
    let version = other.read(&world.secret, &at).await.expect("stored");
    assert_eq!((version.id, version.value), (id('b'), value("b")));
    assert_eq!(version.stages, PENDING.into_iter().collect());
}

#[tokio::test]
async fn p5_a_frozen_invocation_cannot_bring_an_ended_rotation_back() {
    let world = begun().await;
    put(&world, 'b', "b").await.expect("stored");
    promote(&world, 'a', 'b').await.expect("promoted");
    let pending = id('b');
    world
        .store
        .move_stage(&world.secret, &Stage::Pending, Some(&pending), None)
        .await
        .expect("ended");
    let before = world
        .store
        .describe(&world.secret)
        .await
        .expect("described");
    put(&world, 'b', "b")
        .await
        .expect("the value is stored: that is the truth");
    assert!(is_conflict(&put(&world, 'b', "other").await));
    assert!(is_conflict(&put(&world, 'c', "never begun").await));
    let after = world
        .store
        .describe(&world.secret)
        .await
        .expect("described");
    assert_eq!(before.versions, after.versions, "no label moved");
}

#[tokio::test]
async fn p5_a_rotation_that_ended_without_a_value_takes_none_any_more() {
    let world = begun().await;
    world.put_by_hand("TEST-by-hand").await;
    assert!(is_conflict(&put(&world, 'b', "late").await));
    let at = Selector::Version(id('b'));
    let read = world.store.read(&world.secret, &at).await;
    assert!(matches!(read, Err(StoreError::NoVersion { .. })));
}

#[tokio::test]
async fn p1_awscurrent_is_never_moved_to_a_version_without_a_value() {
    let world = begun().await;
    assert!(is_conflict(&promote(&world, 'a', 'b').await));
    assert_eq!(world.holder(&Stage::Current).await, Some(id('a')));
}

#[tokio::test]
async fn a_label_is_on_one_version_at_most() {
    let world = begun().await;
    put(&world, 'b', "b").await.expect("stored");
    let slot = Stage::Slot(Slot::B);
    let (a, b) = (id('a'), id('b'));
    world
        .store
        .move_stage(&world.secret, &slot, Some(&b), Some(&a))
        .await
        .expect("moved");
    let description = world
        .store
        .describe(&world.secret)
        .await
        .expect("described");
    let carriers = description
        .versions
        .values()
        .filter(|stages| stages.contains(&slot));
    assert_eq!(carriers.count(), 1);
    let nowhere = world
        .store
        .move_stage(&world.secret, &slot, Some(&a), Some(&id('x')))
        .await;
    assert!(matches!(nowhere, Err(StoreError::NoVersion { .. })));
}

#[tokio::test]
async fn p5_values_are_in_strict_order_though_the_clock_stands_and_goes_back() {
    let world = begun().await;
    put(&world, 'b', "b").await.expect("stored");
    world.clock.advance(TimeDelta::hours(-5));
    let by_hand = world.put_by_hand("TEST-c").await;
    let versions = world.store.versions(&world.secret).await.expect("listed");
    let order: Vec<_> = versions.iter().map(|version| &version.id).collect();
    assert_eq!(order, [&id('a'), &id('b'), &by_hand]);
    assert!(versions.is_sorted_by(|a, b| a.created_at < b.created_at));
}

#[tokio::test]
async fn a_manual_put_abandons_the_rotation_and_its_record_says_so() {
    let world = begun().await;
    put(&world, 'b', "b").await.expect("stored");
    let by_hand = world.put_by_hand("TEST-by-hand").await;
    assert_eq!(world.holder(&Stage::Current).await, Some(by_hand));
    assert_eq!(world.holder(&Stage::Previous).await, Some(id('a')));
    assert_eq!(world.holder(&Stage::Pending).await, None);
    assert_eq!(
        world.holder(&Stage::Slot(Slot::B)).await,
        Some(id('b')),
        "its key stays known (P4)"
    );
    let now = world.machine.now();
    let standing = world
        .store
        .standing(&world.secret, now)
        .await
        .expect("read");
    assert_eq!(standing, Standing::Idle);
    let records = world.store.records(&world.secret).await.expect("listed");
    let [record] = records.as_slice() else {
        panic!("one rotation, one record");
    };
    assert_eq!(record.reason.as_deref(), Some("a test"));
    assert_eq!(record.trigger, Trigger::SecretsManager);
    let Outcome::Failed(failure) = &record.outcome else {
        panic!("{:?}", record.outcome);
    };
    assert_eq!(failure.error_type, "RotationAbandoned");
}

#[tokio::test]
async fn a_manual_put_may_be_repeated_and_never_changed() {
    let world = begun().await;
    let none = BTreeMap::new();
    let again = |text| {
        let (store, secret) = (world.store.clone(), world.secret.clone());
        let none = none.clone();
        async move {
            store
                .put_value(&secret, &id('a'), &value(text), &none)
                .await
        }
    };
    again("a").await.expect("the same value");
    assert_eq!(
        world.holder(&Stage::Pending).await,
        Some(id('b')),
        "nothing moved"
    );
    assert!(is_conflict(&again("other").await));
    let version = world
        .store
        .read(&world.secret, &Selector::Version(id('a')))
        .await
        .expect("unchanged");
    assert_eq!(version.value, value("a"));
}

#[tokio::test]
async fn p11_a_wrong_tag_or_value_or_name_stores_nothing() {
    let world = World::empty(FakeKind::Password);
    let tags = |key: &str, value: &str| BTreeMap::from([(key.to_owned(), value.to_owned())]);
    let long = SecretValue::new("x".repeat(65_537));
    for (name, value, tags) in [
        ("db", &value("v"), tags("twinkey:shedule", "rate(1 day)")),
        ("db", &value("v"), tags("aws:owner", "x")),
        ("db", &long, BTreeMap::new()),
        ("", &value("v"), BTreeMap::new()),
        ("d\nb", &value("v"), BTreeMap::new()),
    ] {
        let put = world
            .store
            .put_value(&SecretId::new(name), &id('a'), value, &tags)
            .await;
        assert!(matches!(put, Err(StoreError::Invalid { .. })), "{put:?}");
    }
    assert_eq!(world.store.names().await.expect("listed"), []);
    let no_labels = world
        .store
        .put(&world.secret, &id('a'), &value("v"), &[])
        .await;
    assert!(matches!(no_labels, Err(StoreError::Invalid { .. })));
}

#[tokio::test]
async fn tags_come_and_go_and_a_wrong_one_changes_none() {
    let world = begun().await;
    world.tag("team", "payments").await;
    world.tag("twinkey:min-overlap", "0s").await;
    let wrong = BTreeMap::from([
        ("team".to_owned(), "other".to_owned()),
        ("twinkey:min-overlap".to_owned(), "soon".to_owned()),
    ]);
    assert!(world.store.tag(&world.secret, &wrong).await.is_err());
    let keys = ["twinkey:min-overlap".to_owned(), "not there".to_owned()];
    world
        .store
        .untag(&world.secret, &keys)
        .await
        .expect("untagged");
    let listed = world.store.list().await.expect("listed");
    let tags = &listed[0].description.tags;
    assert_eq!(
        tags,
        &BTreeMap::from([("team".to_owned(), "payments".to_owned())])
    );
}

#[tokio::test]
async fn a_secret_carries_at_most_twenty_labels() {
    let world = begun().await;
    let label = |number: usize| Stage::Custom(format!("label-{number}"));
    let mut attached = 0;
    let refusal = loop {
        let to = id('a');
        let moved = world
            .store
            .move_stage(&world.secret, &label(attached), None, Some(&to))
            .await;
        match moved {
            Ok(()) => attached += 1,
            Err(error) => break error,
        }
    };
    assert_eq!(attached, 18, "AWSCURRENT and AWSPENDING are the other two");
    assert!(matches!(refusal, StoreError::Invalid { .. }), "{refusal}");
}

#[tokio::test]
async fn versions_without_labels_are_pruned_with_their_values() {
    let world = begun().await;
    for number in 0..110 {
        world.put_by_hand(&format!("TEST-{number}")).await;
    }
    assert_eq!(
        world
            .store
            .versions(&world.secret)
            .await
            .expect("listed")
            .len(),
        111
    );
    world.clock.advance(TimeDelta::hours(25));
    world.put_by_hand("TEST-last").await;
    let versions = world.store.versions(&world.secret).await.expect("listed");
    assert_eq!(
        versions.len(),
        102,
        "a hundred without labels, current and previous"
    );
    let rows: i64 = rusqlite::Connection::open(world.file())
        .and_then(|file| file.query_row("SELECT count(*) FROM version", [], |row| row.get(0)))
        .expect("counted");
    assert_eq!(rows, 102);
}

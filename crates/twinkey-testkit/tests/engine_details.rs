//! What the engine does in corners that no promise names by itself.

use async_trait::async_trait;
use chrono::{DateTime, TimeDelta, Utc};
use rand::SeedableRng;
use rand::rngs::StdRng;
use twinkey_core::*;
use twinkey_testkit::*;

const BESIDE_EACH_OTHER: [FakeKind; 3] = [
    FakeKind::KeyPair,
    FakeKind::Token { listable: true },
    FakeKind::Token { listable: false },
];

/// A scene with both keys in place.
async fn warm(kind: FakeKind) -> Scene {
    let scene = Scene::new(kind);
    for _ in 0..2 {
        let token = scene.begin();
        scene.rotate(&token).await.expect("a quiet rotation");
    }
    scene
}

/// A warm scene with a rotation begun and every step before this one delivered.
async fn before(step: Step, kind: FakeKind) -> (Scene, VersionId) {
    let scene = warm(kind).await;
    let token = scene.begin();
    for earlier in Step::ALL.into_iter().filter(|earlier| *earlier < step) {
        scene.step(earlier, &token).await.expect("passed");
    }
    scene.injector.disarm();
    (scene, token)
}

/// Which outside call of a step has this name.
async fn number(name: &str, step: Step, kind: FakeKind) -> usize {
    let (scene, token) = before(step, kind).await;
    scene.step(step, &token).await.expect("a quiet step");
    let calls = scene.injector.calls();
    let found = calls.iter().position(|call| call.name == name);
    found.unwrap_or_else(|| panic!("{step} does not call {name}"))
}

async fn version(scene: &Scene, stage: Stage) -> Version {
    let at = Selector::Stage(stage);
    scene.store.read(&scene.secret, &at).await.expect("stored")
}

fn unknown() -> VersionId {
    VersionId::parse("f".repeat(32)).expect("32 characters")
}

#[tokio::test]
async fn p5_late_steps_find_a_published_rotation_done_after_its_label_was_taken_off() {
    for kind in FakeKind::ALL {
        let (scene, token) = before(Step::FinishSecret, kind).await;
        scene
            .step(Step::FinishSecret, &token)
            .await
            .expect("finished");
        scene.store.remove_pending(&scene.secret);
        for step in Step::ALL {
            let report = scene.step(step, &token).await.expect("a late delivery");
            assert_eq!(report.result, StepResult::AlreadyDone, "{kind:?}: {step}");
        }
    }
}

#[tokio::test]
async fn p5_the_slower_of_two_finish_secrets_finds_it_done() {
    let kind = FakeKind::Password;
    let call = number("move_stage", Step::FinishSecret, kind).await;
    let (scene, token) = before(Step::FinishSecret, kind).await;
    scene.injector.freeze_at(call);
    let mut slower = Box::pin(scene.step(Step::FinishSecret, &token));
    assert!(scene.injector.until_frozen(slower.as_mut()).await);
    scene
        .step(Step::FinishSecret, &token)
        .await
        .expect("the quicker");
    scene.injector.thaw();
    let report = slower.await.expect("the label is where it belongs");
    assert_eq!(report.result, StepResult::AlreadyDone);
}

#[tokio::test]
async fn p6_finish_secret_does_not_publish_over_a_label_that_was_moved_meanwhile() {
    let kind = FakeKind::Password;
    let call = number("move_stage", Step::FinishSecret, kind).await;
    let (scene, token) = before(Step::FinishSecret, kind).await;
    scene.injector.freeze_at(call);
    let mut slower = Box::pin(scene.step(Step::FinishSecret, &token));
    assert!(scene.injector.until_frozen(slower.as_mut()).await);
    let (current, previous) = (
        version(&scene, Stage::Current).await.id,
        version(&scene, Stage::Previous).await.id,
    );
    let moved = scene.store.move_stage(
        &scene.secret,
        &Stage::Current,
        Some(&current),
        Some(&previous),
    );
    moved.await.expect("moved by hand");
    scene.injector.thaw();
    let error = slower.await.expect_err("AWSCURRENT has moved");
    assert_eq!(error.cause.error_type(), "StoreConflict");
    assert_eq!(version(&scene, Stage::Current).await.id, previous);
}

/// A password provider whose server holds a mark: the version of the key about to be replaced.
struct Marked {
    inner: FakeProvider,
    mark: VersionStamp,
}

#[async_trait]
impl Provider for Marked {
    type Secret = FakeSecret;

    fn origin(&self) -> Origin<'_, FakeSecret> {
        Origin::Chosen(self)
    }

    async fn ready(
        &self,
        current: &FakeSecret,
        address: &SecretAddress,
    ) -> Result<Ready<FakeSecret>, ProviderError> {
        self.inner.ready(current, address).await
    }

    async fn verify(&self, secret: &FakeSecret) -> Result<Verdict, ProviderError> {
        self.inner.verify(secret).await
    }

    async fn retire(&self, key: Retiring<'_, FakeSecret>) -> Result<Retired, ProviderError> {
        self.inner.retire(key).await
    }

    async fn list(
        &self,
        current: &FakeSecret,
        address: &SecretAddress,
    ) -> Result<Listing, ProviderError> {
        self.inner.list(current, address).await
    }
}

#[async_trait]
impl Choose<FakeSecret> for Marked {
    fn choose(
        &self,
        current: &FakeSecret,
        label: &KeyLabel,
        random: &mut Random,
    ) -> Result<FakeSecret, DocumentError> {
        self.inner.choose(current, label, random)
    }

    async fn apply(
        &self,
        pending: &FakeSecret,
        fence: &Fence,
        last_look: &dyn LastLook,
    ) -> Result<Option<RetiredKey>, ProviderError> {
        last_look.take(Some(&self.mark)).await?;
        self.inner.apply(pending, fence, last_look).await
    }
}

struct OneKind(FakeProvider, VersionStamp);

impl Kinds for OneKind {
    fn open(&self, _: &SecretValue) -> Result<Box<dyn Rotator>, DocumentError> {
        Ok(Box::new(Marked {
            inner: self.0.clone(),
            mark: self.1.clone(),
        }))
    }
}

/// setSecret where the server's mark names this version as the one about to be replaced.
async fn set_over(
    scene: &Scene,
    token: &VersionId,
    mark: VersionStamp,
) -> Result<StepReport, RotationError> {
    let engine = Engine {
        store: &scene.store,
        kinds: &OneKind(scene.provider.clone(), mark),
        clock: &scene.clock,
    };
    let request = StepRequest {
        step: Step::SetSecret,
        secret: scene.secret.clone(),
        token: token.clone(),
    };
    engine.step(&request, &mut StdRng::seed_from_u64(1)).await
}

#[tokio::test]
async fn p1_an_old_copy_of_a_store_replaces_no_key_that_is_later_than_its_own() {
    let (scene, token) = before(Step::SetSecret, FakeKind::Password).await;
    let current = version(&scene, Stage::Current).await;
    let mark = VersionStamp {
        id: unknown(),
        created_at: current.created_at + TimeDelta::microseconds(1),
    };
    let error = set_over(&scene, &token, mark).await.expect_err("stale");
    assert_eq!(error.cause.error_type(), "StaleStore");
    assert!(error.cause.hint().is_some());
    assert!(scene.works(&Stage::Current) && scene.works(&Stage::Previous));
}

#[tokio::test]
async fn p1_a_key_that_is_no_later_than_awscurrent_or_known_to_the_store_is_replaced() {
    let (scene, token) = before(Step::SetSecret, FakeKind::Password).await;
    let current = version(&scene, Stage::Current).await;
    let previous = version(&scene, Stage::Previous).await;
    for (id, after) in [(unknown(), -1), (unknown(), 0), (previous.id, 1)] {
        let created_at = current.created_at + TimeDelta::microseconds(after);
        let mark = VersionStamp { id, created_at };
        set_over(&scene, &token, mark).await.expect("no later key");
    }
    assert!(scene.works(&Stage::Current) && scene.works(&Stage::Pending));
}

#[test]
fn a_rotator_tells_the_key_of_a_document_and_refuses_what_is_none() {
    let scene = Scene::new(FakeKind::Password);
    let document = scene.document(&Stage::Current).expect("a document");
    let key = Rotator::parse(&scene.provider, &document.render()).expect("a document");
    assert_eq!(key, Some(KeyId::new("TEST-first")));
    Rotator::parse(&scene.provider, &SecretValue::new("garbage".into())).expect_err("no document");
}

#[tokio::test]
async fn p10_a_key_is_inspected_only_at_the_server_that_current_names() {
    let scene = Scene::new(FakeKind::Token { listable: false });
    scene.rotate(&scene.begin()).await.expect("rotated");
    let current = scene.document(&Stage::Current).expect("a document");
    let rendered = current.render();
    let seen = Rotator::inspect(&scene.provider, &rendered, &rendered)
        .await
        .expect("the same server");
    let expected = Inspection {
        key: current.key_id(),
        expires_at: current.expires_at,
        last_used: None,
        in_use: None,
        verdict: Verdict::Accepted,
    };
    assert_eq!(seen, expected);
    let elsewhere = elsewhere(&current, current.expires_at);
    Rotator::inspect(&scene.provider, &elsewhere.render(), &rendered)
        .await
        .expect_err("another server");
}

/// The same key, at a server that current does not name.
fn elsewhere(document: &FakeSecret, expires_at: Option<DateTime<Utc>>) -> FakeSecret {
    FakeSecret {
        server: "elsewhere".into(),
        expires_at,
        ..document.clone()
    }
}

#[tokio::test]
async fn p10_an_older_key_of_another_server_is_sent_nowhere_even_if_no_other_works() {
    for kind in BESIDE_EACH_OTHER {
        for breaks in [false, true] {
            let scene = warm(kind).await;
            let current = scene.document(&Stage::Current).expect("a document");
            let mut foreign = elsewhere(&current, None);
            foreign.value = Some("TEST-elsewhere".into());
            scene.put_by_hand(&foreign);
            scene.put_by_hand(&current);
            if breaks {
                break_all(&scene);
            }
            // A server that accepts whatever it is asked for.
            scene.server.add_by_hand("shared", "TEST-elsewhere");
            let error = scene
                .step(Step::CreateSecret, &scene.begin())
                .await
                .expect_err("the older key is elsewhere");
            let RotationFailure::Document { whose, error } = error.cause else {
                panic!("{kind:?}: {error}")
            };
            assert_eq!((whose, error.field.as_str()), ("previous", "server"));
            assert!(scene.server.accepts("TEST-elsewhere"), "{kind:?}");
        }
    }
}

fn break_all(scene: &Scene) -> Vec<String> {
    let keys = scene.server.live_values();
    for key in &keys {
        scene.server.break_by_hand(key);
    }
    keys
}

#[tokio::test]
async fn p7_a_key_of_another_server_is_gone_once_it_has_expired() {
    let kind = FakeKind::Token { listable: false };
    for (seconds, gone) in [(-1, true), (0, true), (1, false)] {
        let scene = warm(kind).await;
        let current = scene.document(&Stage::Current).expect("a document");
        let mut older = elsewhere(&current, Some(scene.now() + TimeDelta::seconds(seconds)));
        older.value = Some("TEST-elsewhere".into());
        scene.put_by_hand(&older);
        scene.put_by_hand(&current);
        let result = scene.step(Step::CreateSecret, &scene.begin()).await;
        let retired = match result {
            Ok(report) => report.retired,
            Err(error) => error.retired,
        };
        let told = retired
            .iter()
            .find(|key| key.key.as_str() == "TEST-elsewhere");
        assert_eq!(
            told.map(|key| key.how),
            gone.then_some(Retired::AlreadyGone),
            "{seconds} s"
        );
    }
}

#[tokio::test]
async fn p7_where_no_key_works_any_more_every_death_is_told() {
    for kind in BESIDE_EACH_OTHER {
        let scene = warm(kind).await;
        let mut expected = break_all(&scene);
        let report = scene
            .step(Step::CreateSecret, &scene.begin())
            .await
            .expect("a fresh key");
        let told = report.retired.iter().map(|key| key.key.to_string());
        let mut told: Vec<String> = told.collect();
        told.sort();
        expected.sort();
        assert_eq!(told, expected, "{kind:?}");
        assert!(
            report
                .retired
                .iter()
                .all(|key| key.how == Retired::AlreadyGone)
        );
    }
}

#[tokio::test]
async fn p4_a_document_in_a_slot_that_cannot_be_read_stops_the_rotation() {
    for kind in BESIDE_EACH_OTHER {
        let scene = warm(kind).await;
        let token = scene.begin();
        let garbage = SecretValue::new("garbage".into());
        scene.put_pending(&token, &garbage).await;
        scene.store.remove_pending(&scene.secret);
        let error = scene
            .step(Step::CreateSecret, &scene.begin())
            .await
            .expect_err("a key may be lost in it");
        let RotationFailure::Document { whose, .. } = error.cause else {
            panic!("{kind:?}: {error}")
        };
        assert_eq!(whose, "previous");
    }
}

/// createSecret, with a deed of a person at the moment in which the server is asked.
async fn create_with(
    kind: FakeKind,
    name: &str,
    deed: impl AsyncFnOnce(&Scene),
) -> (Scene, Result<StepReport, RotationError>) {
    let call = number(name, Step::CreateSecret, kind).await;
    let (scene, token) = before(Step::CreateSecret, kind).await;
    scene.injector.freeze_at(call);
    let mut frozen = Box::pin(scene.step(Step::CreateSecret, &token));
    assert!(scene.injector.until_frozen(frozen.as_mut()).await);
    deed(&scene).await;
    scene.injector.thaw();
    let result = frozen.await;
    (scene, result)
}

async fn move_by_hand(scene: &Scene, stage: &Stage, to: Option<&VersionId>) {
    let from = version(scene, stage.clone()).await.id;
    scene
        .store
        .move_stage(&scene.secret, stage, Some(&from), to)
        .await
        .expect("moved by hand");
}

#[tokio::test]
async fn p1_no_key_is_retired_by_labels_that_have_moved_since() {
    for kind in BESIDE_EACH_OTHER {
        let (scene, result) = create_with(kind, "verify", async |scene| {
            let previous = version(scene, Stage::Previous).await.id;
            move_by_hand(scene, &Stage::Current, Some(&previous)).await;
        })
        .await;
        let error = result.expect_err("AWSCURRENT has moved");
        assert_eq!(error.cause.error_type(), "OutOfOrder", "{kind:?}");
        assert_eq!(scene.server.live(), 2, "{kind:?}");
    }
}

#[tokio::test]
async fn p1_no_key_is_retired_if_another_key_has_lost_its_labels_since() {
    for kind in BESIDE_EACH_OTHER {
        let (scene, result) = create_with(kind, "verify", async |scene| {
            let previous = version(scene, Stage::Previous).await;
            for stage in &previous.stages {
                move_by_hand(scene, stage, None).await;
            }
        })
        .await;
        let error = result.expect_err("AWSPREVIOUS and its slot are gone");
        assert_eq!(error.cause.error_type(), "OutOfOrder", "{kind:?}");
        assert_eq!(scene.server.live(), 2, "{kind:?}");
    }
}

#[tokio::test]
async fn a_version_that_carries_somebody_elses_label_alone_is_none_of_ours() {
    for kind in BESIDE_EACH_OTHER {
        let scene = warm(kind).await;
        let current = scene.document(&Stage::Current).expect("a document");
        let mut foreign = elsewhere(&current, None);
        foreign.value = Some("TEST-elsewhere".into());
        scene.put_by_hand(&foreign);
        let id = version(&scene, Stage::Current).await.id;
        let theirs = Stage::Custom("theirs".into());
        scene
            .store
            .move_stage(&scene.secret, &theirs, None, Some(&id))
            .await
            .expect("labelled");
        scene.put_by_hand(&current);
        scene.put_by_hand(&current);
        scene.rotate(&scene.begin()).await.expect("a rotation");
        assert_eq!(version(&scene, theirs).await.id, id, "{kind:?}");
    }
}

#[tokio::test]
async fn where_current_is_refused_a_key_in_a_slot_is_kept_before_one_that_was_put_by_hand() {
    for kind in BESIDE_EACH_OTHER {
        let scene = warm(kind).await;
        let current = scene.document(&Stage::Current).expect("a document");
        let in_a_slot = scene.key(&Stage::Previous).expect("a key");
        let mut by_hand = current.clone();
        by_hand.value = Some("TEST-by-hand".into());
        scene.server.add_by_hand("shared", "TEST-by-hand");
        scene.put_by_hand(&by_hand);
        scene.put_by_hand(&current);
        let broken = current.value.as_deref().expect("a key");
        scene.server.break_by_hand(broken);
        scene
            .step(Step::CreateSecret, &scene.begin())
            .await
            .expect("created");
        assert!(scene.server.accepts(&in_a_slot), "{kind:?}");
        assert!(!scene.server.accepts("TEST-by-hand"), "{kind:?}");
    }
}

#[tokio::test]
async fn a_store_that_does_not_answer_is_no_store_without_the_value() {
    let (scene, token) = before(Step::SetSecret, FakeKind::Password).await;
    scene.injector.fail_every("read");
    let error = scene
        .step(Step::SetSecret, &token)
        .await
        .expect_err("no answer");
    assert_eq!(error.cause.error_type(), "StoreUnavailable");
    assert!(error.cause.is_transient());
}

/// A scene whose key is too young to be rotated.
async fn young() -> (Scene, VersionId) {
    let (scene, token) = before(Step::CreateSecret, FakeKind::Password).await;
    scene.store.tag(&scene.secret, MIN_OVERLAP_TAG, "1h");
    (scene, token)
}

#[tokio::test]
async fn p9_a_refusal_that_finds_awspending_gone_already_is_still_one() {
    let (scene, token) = young().await;
    scene.injector.freeze_at(2); // describe, read, and then the label comes off
    let mut frozen = Box::pin(scene.step(Step::CreateSecret, &token));
    assert!(scene.injector.until_frozen(frozen.as_mut()).await);
    scene.store.remove_pending(&scene.secret);
    scene.injector.thaw();
    let error = frozen.await.expect_err("too young");
    assert_eq!(error.cause.error_type(), "MinimumOverlap");
}

#[tokio::test]
async fn p9_a_refusal_that_cannot_take_awspending_off_comes_again() {
    let (scene, token) = young().await;
    scene.injector.fail_every("move_stage");
    let error = scene
        .step(Step::CreateSecret, &token)
        .await
        .expect_err("too young");
    assert_eq!(error.cause.error_type(), "StoreUnavailable");
    assert_eq!(version_pending(&scene).await, Some(token));
}

async fn version_pending(scene: &Scene) -> Option<VersionId> {
    let description = scene.store.describe(&scene.secret).await.expect("a secret");
    description.holder(&Stage::Pending).cloned()
}

/// A store that does not keep when AWSCURRENT moved, and says this of when the last rotation finished.
struct Forgetful(FakeSecretsManager, Option<DateTime<Utc>>);

#[async_trait]
impl Store for Forgetful {
    fn address(&self, secret: &SecretId) -> SecretAddress {
        self.0.address(secret)
    }

    async fn describe(&self, secret: &SecretId) -> Result<Description, StoreError> {
        let mut description = self.0.describe(secret).await?;
        description.current_since = None;
        description.rotated_at = self.1;
        Ok(description)
    }

    async fn read(&self, secret: &SecretId, at: &Selector) -> Result<Version, StoreError> {
        self.0.read(secret, at).await
    }

    async fn put(
        &self,
        secret: &SecretId,
        version: &VersionId,
        value: &SecretValue,
        stages: &[Stage],
    ) -> Result<(), StoreError> {
        self.0.put(secret, version, value, stages).await
    }

    async fn move_stage(
        &self,
        secret: &SecretId,
        stage: &Stage,
        from: Option<&VersionId>,
        to: Option<&VersionId>,
    ) -> Result<(), StoreError> {
        self.0.move_stage(secret, stage, from, to).await
    }
}

struct Faulty(FaultyProvider<FakeProvider>);

impl Kinds for Faulty {
    fn open(&self, _: &SecretValue) -> Result<Box<dyn Rotator>, DocumentError> {
        Ok(Box::new(self.0.clone()))
    }
}

/// createSecret over another store, with an injector around the provider alone.
async fn create_over(
    store: &dyn Store,
    scene: &Scene,
    provider: Injector,
) -> Result<StepReport, RotationError> {
    let engine = Engine {
        store,
        kinds: &Faulty(FaultyProvider::new(scene.provider.clone(), provider)),
        clock: &scene.clock,
    };
    let request = StepRequest {
        step: Step::CreateSecret,
        secret: scene.secret.clone(),
        token: scene.begin(),
    };
    engine.step(&request, &mut StdRng::seed_from_u64(1)).await
}

#[tokio::test]
async fn p9_where_a_store_forgets_when_awscurrent_moved_its_value_tells_its_age() {
    // The last rotation does not count where a person has put a value since.
    for rotated_at in [None, Some(DateTime::UNIX_EPOCH)] {
        let scene = warm(FakeKind::Password).await;
        scene.store.tag(&scene.secret, MIN_OVERLAP_TAG, "1h");
        let store = Forgetful(scene.store.clone(), rotated_at);
        let error = create_over(&store, &scene, Injector::default())
            .await
            .expect_err("too young");
        assert_eq!(error.cause.error_type(), "MinimumOverlap");
        // The fake's values are a microsecond apart at least.
        scene.clock.advance(TimeDelta::minutes(61));
        create_over(&store, &scene, Injector::default())
            .await
            .expect("old enough");
    }
}

#[tokio::test]
async fn p9_a_value_that_was_published_long_after_it_was_stored_has_its_time_from_then_on() {
    let scene = warm(FakeKind::Password).await;
    scene.store.tag(&scene.secret, MIN_OVERLAP_TAG, "1h");
    scene.clock.advance(TimeDelta::minutes(61));
    let store = Forgetful(scene.store.clone(), Some(scene.now()));
    let error = create_over(&store, &scene, Injector::default())
        .await
        .expect_err("too young");
    assert_eq!(error.cause.error_type(), "MinimumOverlap");
}

#[tokio::test]
async fn p4_a_key_that_can_be_neither_stored_nor_retired_is_told_with_its_deadline() {
    let scene = warm(FakeKind::Token { listable: false }).await;
    let older = scene.key(&Stage::Previous).expect("a key");
    scene.server.break_by_hand(&older);
    let (at_store, at_server) = (Injector::default(), Injector::default());
    at_store.fail_every("put");
    let store = FaultyStore::new(scene.store.clone(), at_store);
    // The older key is retired before the mint: only what comes after that is refused.
    at_server.arm(5, Fault::FailOnce);
    let error = create_over(&store, &scene, at_server.clone())
        .await
        .expect_err("neither");
    let calls: Vec<_> = at_server.calls().iter().map(|call| call.name).collect();
    assert_eq!(calls[4..6], ["mint", "retire"], "{calls:?}");
    assert_eq!(error.cause.error_type(), "PossibleStray");
}

#[tokio::test]
async fn p5_a_put_whose_reply_is_lost_is_repeated() {
    for kind in FakeKind::ALL {
        let call = number("put", Step::CreateSecret, kind).await;
        for fault in [Fault::LoseReply, Fault::FailOnce] {
            let (scene, token) = before(Step::CreateSecret, kind).await;
            scene.injector.arm(call, fault);
            let report = scene
                .step(Step::CreateSecret, &token)
                .await
                .unwrap_or_else(|error| panic!("{kind:?} {fault:?}: {error}"));
            assert_eq!(report.result, StepResult::Done, "{kind:?} {fault:?}");
            let declared = usize::from(matches!(kind, FakeKind::Token { .. }));
            assert!(scene.server.most_live() <= 2 + declared, "{kind:?}");
        }
    }
}

#[tokio::test]
async fn p5_the_slower_of_two_first_create_secrets_finds_the_slot_given_and_the_value_stored() {
    for kind in [FakeKind::Password, FakeKind::KeyPair] {
        for name in ["move_stage", "put"] {
            let (scene, token, slower) = slower_first_create(kind, name, async |_| {}).await;
            let report = slower.expect("the quicker has done it");
            assert_eq!(report.result, StepResult::AlreadyDone, "{kind:?}: {name}");
            scene.rotate(&token).await.expect("the rest");
            assert_eq!(scene.server.live(), 2, "{kind:?}: {name}");
        }
    }
}

#[tokio::test]
async fn p5_the_slower_of_two_create_secrets_is_refused_if_its_rotation_has_ended() {
    for kind in [FakeKind::Password, FakeKind::KeyPair] {
        let end = async |scene: &Scene| scene.store.remove_pending(&scene.secret);
        let (_, _, slower) = slower_first_create(kind, "put", end).await;
        let error = slower.expect_err("nothing is pending");
        assert_eq!(error.cause.error_type(), "OutOfOrder", "{kind:?}");
    }
}

/// The first createSecret of all, frozen at a call while another delivery passes and a person acts.
async fn slower_first_create(
    kind: FakeKind,
    name: &str,
    deed: impl AsyncFnOnce(&Scene),
) -> (Scene, VersionId, Result<StepReport, RotationError>) {
    let undisturbed = Scene::new(kind);
    let first = undisturbed.begin();
    undisturbed.injector.disarm();
    undisturbed
        .step(Step::CreateSecret, &first)
        .await
        .expect("created");
    let calls = undisturbed.injector.calls();
    let call = calls.iter().position(|call| call.name == name);
    let scene = Scene::new(kind);
    let token = scene.begin();
    scene.injector.freeze_at(call.expect("such a call"));
    let mut slower = Box::pin(scene.step(Step::CreateSecret, &token));
    assert!(scene.injector.until_frozen(slower.as_mut()).await);
    scene
        .step(Step::CreateSecret, &token)
        .await
        .expect("the quicker");
    deed(&scene).await;
    scene.injector.thaw();
    let result = slower.await;
    (scene, token, result)
}

#[tokio::test]
async fn p7_a_new_key_that_died_before_it_was_published_is_told() {
    let kind = FakeKind::Token { listable: false };
    let (scene, token) = before(Step::TestSecret, kind).await;
    let dead = scene.key(&Stage::Pending).expect("a key");
    scene.server.break_by_hand(&dead);
    let error = scene
        .step(Step::TestSecret, &token)
        .await
        .expect_err("refused");
    assert_eq!(error.cause.error_type(), "PendingDead");
    let told: Vec<_> = error.retired.iter().map(|key| key.key.as_str()).collect();
    assert_eq!(told, [dead.as_str()]);
    assert_eq!(error.retired[0].version, Some(token));
    assert_eq!(version_pending(&scene).await, None);
}

#[tokio::test]
async fn p6_a_pending_document_without_a_key_is_never_published() {
    for (kind, name) in [
        (FakeKind::KeyPair, "PendingRefused"),
        (FakeKind::Token { listable: true }, "PendingDead"),
    ] {
        let (scene, token) = before(Step::CreateSecret, kind).await;
        let mut keyless = scene.document(&Stage::Current).expect("a document");
        (keyless.value, keyless.expires_at) = (None, None);
        scene.put_pending(&token, &keyless.render()).await;
        let error = scene
            .step(Step::TestSecret, &token)
            .await
            .expect_err("no key");
        assert_eq!(error.cause.error_type(), name);
    }
}

#[tokio::test]
async fn where_rotation_is_turned_off_no_step_changes_anything() {
    for step in [Step::CreateSecret, Step::SetSecret, Step::FinishSecret] {
        let (scene, token) = before(step, FakeKind::Password).await;
        let cancelled = scene.store.cancel_rotate_secret(&scene.secret);
        assert_eq!(cancelled.expect("rotation is off"), Some(token.clone()));
        let error = scene.step(step, &token).await.expect_err("off");
        assert_eq!(error.cause.error_type(), "RotationOff", "{step}");
    }
}

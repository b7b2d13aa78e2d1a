//! Safeguards of the engine, each with the one moment in which it counts.

use std::pin::pin;
use std::sync::atomic::{AtomicUsize, Ordering};

use async_trait::async_trait;
use chrono::TimeDelta;
use rand::SeedableRng;
use rand::rngs::StdRng;
use twinkey_core::*;
use twinkey_testkit::*;

const LISTED: FakeKind = FakeKind::Token { listable: true };
const UNLISTED: FakeKind = FakeKind::Token { listable: false };
const BESIDE_EACH_OTHER: [FakeKind; 3] = [FakeKind::KeyPair, LISTED, UNLISTED];

/// A scene with both keys in place, a rotation begun, and every step before this one delivered.
async fn before(step: Step, kind: FakeKind) -> (Scene, VersionId) {
    let scene = Scene::new(kind);
    for _ in 0..2 {
        rotate(&scene).await;
    }
    let token = scene.begin();
    for earlier in Step::ALL.into_iter().filter(|earlier| *earlier < step) {
        scene.step(earlier, &token).await.expect("passed");
    }
    scene.injector.disarm();
    (scene, token)
}

async fn rotate(scene: &Scene) {
    let token = scene.begin();
    scene.rotate(&token).await.expect("a quiet rotation");
}

/// The names of a quiet step's outside calls.
async fn calls(step: Step, kind: FakeKind) -> Vec<&'static str> {
    let (scene, token) = before(step, kind).await;
    scene.step(step, &token).await.expect("a quiet step");
    let calls = scene.injector.calls().into_iter();
    calls.map(|call| call.name).collect()
}

fn position(calls: &[&str], name: &str) -> usize {
    let found = calls.iter().position(|call| *call == name);
    found.unwrap_or_else(|| panic!("no {name} in {calls:?}"))
}

/// createSecret does something else first, frozen before this call.
async fn frozen_at(call: usize, kind: FakeKind, meanwhile: impl AsyncFn(&Scene)) -> Scene {
    let (scene, token) = before(Step::CreateSecret, kind).await;
    scene.injector.freeze_at(call);
    let mut frozen = Box::pin(scene.step(Step::CreateSecret, &token));
    assert!(scene.injector.until_frozen(frozen.as_mut()).await);
    meanwhile(&scene).await;
    scene.injector.thaw();
    // Refused or not: what counts is which keys are left.
    let _ = frozen.await;
    scene
}

#[tokio::test]
async fn p1_a_key_that_a_person_publishes_while_the_server_is_asked_is_not_retired() {
    for kind in BESIDE_EACH_OTHER {
        let calls = calls(Step::CreateSecret, kind).await;
        let before_room = calls.iter().take(position(&calls, "retire"));
        for (call, name) in before_room.enumerate() {
            let scene = frozen_at(call, kind, async |scene| {
                scene.put_by_hand(&scene.document(&Stage::Previous).expect("a document"));
            })
            .await;
            assert!(scene.works(&Stage::Current), "{kind}: {name}");
        }
    }
}

#[tokio::test]
async fn p1_a_late_create_secret_retires_no_newer_key() {
    for kind in BESIDE_EACH_OTHER {
        let calls = calls(Step::CreateSecret, kind).await;
        let before_room = calls.iter().take(position(&calls, "retire"));
        for (call, name) in before_room.enumerate() {
            let scene = frozen_at(call, kind, async |scene| {
                scene.store.remove_pending(&scene.secret);
                rotate(scene).await;
                rotate(scene).await;
            })
            .await;
            let both = scene.works(&Stage::Current) && scene.works(&Stage::Previous);
            assert!(both, "{kind}: {name}");
        }
    }
}

#[tokio::test]
async fn p1_a_pending_password_for_the_role_that_awscurrent_is_in_is_never_applied() {
    let (scene, token) = before(Step::SetSecret, FakeKind::Password).await;
    let (current, previous) = (
        scene.version(&Stage::Current).expect("a version"),
        scene.version(&Stage::Previous).expect("a version"),
    );
    let by_hand = scene.store.move_stage(
        &scene.secret,
        &Stage::Current,
        Some(&current),
        Some(&previous),
    );
    by_hand.await.expect("moved");
    let error = scene
        .step(Step::SetSecret, &token)
        .await
        .expect_err("its place is taken");
    assert_eq!(error.cause.error_type(), "PendingDead");
    assert!(scene.works(&Stage::Current));
}

#[tokio::test]
async fn p4_a_key_that_could_not_be_retired_is_not_forgotten() {
    let (scene, _) = before(Step::FinishSecret, UNLISTED).await;
    // Nothing but its slot tells of the key of a rotation that was ended by hand.
    scene.store.remove_pending(&scene.secret);
    let token = scene.begin();
    scene.injector.fail_every("retire");
    scene
        .step(Step::CreateSecret, &token)
        .await
        .expect_err("the server does not answer");
    assert_eq!(scene.judge().strays(), Vec::<String>::new());
}

#[tokio::test]
async fn p4_the_key_that_was_current_keeps_its_slot_when_awss_labels_move_on() {
    for kind in [LISTED, UNLISTED] {
        let (scene, _) = before(Step::SetSecret, kind).await;
        let kept = scene.key(&Stage::Current).expect("a key");
        // A person puts a key of their own, and corrects a field of it.
        let by_hand = scene.make_by_hand("TEST-by-hand");
        scene.put_by_hand(&by_hand);
        scene.put_by_hand(&by_hand);
        assert!(scene.server.accepts(&kept), "{kind}");
        assert_eq!(scene.judge().strays(), Vec::<String>::new(), "{kind}");
    }
}

#[tokio::test]
async fn p4_a_key_whose_mint_was_not_heard_of_is_found_and_retired() {
    let mint = position(&calls(Step::CreateSecret, LISTED).await, "mint");
    let (scene, token) = before(Step::CreateSecret, LISTED).await;
    scene.injector.arm(mint, Fault::LoseReply);
    scene
        .step(Step::CreateSecret, &token)
        .await
        .expect_err("the reply is lost");
    scene.injector.disarm();
    scene.rotate(&token).await.expect("delivered again");
    assert_eq!((scene.server.live(), scene.server.most_live()), (2, 2));
}

#[tokio::test]
async fn p5_a_put_that_was_not_heard_of_is_repeated() {
    for kind in FakeKind::ALL {
        for fault in [Fault::LoseReply, Fault::FailOnce] {
            let put = position(&calls(Step::CreateSecret, kind).await, "put");
            let (scene, token) = before(Step::CreateSecret, kind).await;
            scene.injector.arm(put, fault);
            let repeated = scene.step(Step::CreateSecret, &token).await;
            repeated.unwrap_or_else(|error| panic!("{kind}, {fault:?}: {error}"));
            scene.injector.disarm();
            scene.rotate(&token).await.expect("it goes on");
            assert!(scene.works(&Stage::Current) && scene.works(&Stage::Previous));
        }
    }
}

#[tokio::test]
async fn p7_a_pending_key_that_is_given_up_is_dead_even_if_our_clock_is_ahead() {
    for step in [Step::SetSecret, Step::TestSecret] {
        let (scene, token) = before(step, UNLISTED).await;
        let given_up = scene.key(&Stage::Pending).expect("a key");
        let ahead = scene.clock.fork();
        ahead.advance(TimeDelta::minutes(61));
        let error = step_by(&ahead, &scene, step, &token).await;
        assert_eq!(error.cause.error_type(), "PendingDead");
        assert!(!scene.server.accepts(&given_up), "{step}");
        let told = error.retired.iter().map(|key| key.key.as_str());
        assert_eq!(told.collect::<Vec<_>>(), [given_up], "{step}");
    }
}

#[tokio::test]
async fn p4_a_mint_that_was_denied_has_left_nothing_behind() {
    let (scene, token) = before(Step::CreateSecret, UNLISTED).await;
    let mint = number_of("mint").await;
    scene.injector.arm(mint, Fault::Deny);
    let error = scene.step(Step::CreateSecret, &token).await;
    let cause = error.expect_err("denied").cause;
    assert!(matches!(cause, RotationFailure::Provider(_)), "{cause:?}");
    assert_eq!(scene.judge().strays(), Vec::<String>::new());
}

#[tokio::test]
async fn p4_a_key_whose_put_was_not_heard_of_is_retired_if_another_value_is_stored() {
    let (scene, token) = before(Step::CreateSecret, UNLISTED).await;
    let put = number_of("put").await;
    scene.injector.freeze_at(put);
    let mut step = Box::pin(scene.step(Step::CreateSecret, &token));
    assert!(scene.injector.until_frozen(step.as_mut()).await);
    let mut other = scene.document(&Stage::Current).expect("a document");
    other.value = Some("TEST-of-another-delivery".into());
    scene.put_pending(&token, &other.render()).await;
    scene.injector.fail_every("put");
    scene.injector.thaw();
    let error = step.await.expect_err("its outcome is unknown");
    assert_eq!(error.cause.error_type(), "StoreUnavailable");
    assert_eq!(scene.judge().strays(), Vec::<String>::new());
}

/// The first put is stored and not heard of; the second is refused, as when a right was taken away
/// in between. Meanwhile another delivery may have published the key.
#[tokio::test]
async fn p1_a_key_whose_put_may_have_been_stored_is_kept_if_the_next_is_refused() {
    for published in [false, true] {
        let (scene, token) = before(Step::CreateSecret, UNLISTED).await;
        let store = HeardOfOnce {
            store: scene.store.clone(),
            published,
            puts: AtomicUsize::new(0),
        };
        let engine = Engine {
            store: &store,
            kinds: &OneKind(scene.provider.clone()),
            clock: &scene.clock,
        };
        let request = StepRequest {
            step: Step::CreateSecret,
            secret: scene.secret.clone(),
            token: token.clone(),
        };
        let created = engine.step(&request, &mut StdRng::seed_from_u64(1)).await;
        created.expect("it is stored");
        let label = if published {
            Stage::Current
        } else {
            Stage::Pending
        };
        assert!(scene.works(&label), "published: {published}");
    }
}

/// A store that takes the first put without an answer, and refuses every other.
struct HeardOfOnce {
    store: FakeSecretsManager,
    published: bool,
    puts: AtomicUsize,
}

#[async_trait]
impl Store for HeardOfOnce {
    fn address(&self, secret: &SecretId) -> SecretAddress {
        self.store.address(secret)
    }

    async fn describe(&self, secret: &SecretId) -> Result<Description, StoreError> {
        self.store.describe(secret).await
    }

    async fn read(&self, secret: &SecretId, at: &Selector) -> Result<Version, StoreError> {
        self.store.read(secret, at).await
    }

    async fn put(
        &self,
        secret: &SecretId,
        version: &VersionId,
        value: &SecretValue,
        stages: &[Stage],
    ) -> Result<(), StoreError> {
        if self.puts.fetch_add(1, Ordering::Relaxed) > 0 {
            return Err(StoreError::Denied {
                action: "PutSecretValue".into(),
                reason: "the right is gone".into(),
            });
        }
        self.store.put(secret, version, value, stages).await?;
        if self.published {
            let description = self.store.describe(secret).await?;
            let current = description.holder(&Stage::Current);
            let moved = self
                .store
                .move_stage(secret, &Stage::Current, current, Some(version));
            moved.await?;
        }
        Err(StoreError::Transient {
            doing: "storing".into(),
            reason: "no answer".into(),
        })
    }

    async fn move_stage(
        &self,
        secret: &SecretId,
        stage: &Stage,
        from: Option<&VersionId>,
        to: Option<&VersionId>,
    ) -> Result<(), StoreError> {
        self.store.move_stage(secret, stage, from, to).await
    }
}

#[tokio::test]
async fn p6_a_key_that_is_stored_while_test_secret_looks_does_not_pass_as_tested() {
    let (scene, token) = before(Step::CreateSecret, UNLISTED).await;
    // The pending value has been asked for, and was not there; the labels come next.
    scene.injector.freeze_at(1);
    let mut test = Box::pin(scene.step(Step::TestSecret, &token));
    assert!(scene.injector.until_frozen(test.as_mut()).await);
    let created = scene.step(Step::CreateSecret, &token).await;
    created.expect("another delivery");
    scene.injector.thaw();
    let error = test.await.expect_err("it was not used");
    assert_eq!(error.cause.error_type(), "OutOfOrder");
}

/// Which outside call of a quiet createSecret of a token that cannot be listed has this name.
async fn number_of(name: &str) -> usize {
    let (scene, token) = before(Step::CreateSecret, UNLISTED).await;
    let passed = scene.step(Step::CreateSecret, &token).await;
    passed.expect("a quiet step");
    let calls = scene.injector.calls();
    let found = calls.iter().position(|call| call.name == name);
    found.expect("createSecret makes this call")
}

#[tokio::test]
async fn p1_a_key_that_a_person_publishes_is_not_given_up_any_more() {
    let (scene, token) = before(Step::TestSecret, UNLISTED).await;
    let ahead = scene.clock.fork();
    ahead.advance(TimeDelta::minutes(61));
    let store = FaultyStore::new(scene.store.clone(), scene.injector.clone());
    let engine = Engine {
        store: &store,
        kinds: &OneKind(scene.provider.clone()),
        clock: &ahead,
    };
    let request = StepRequest {
        step: Step::TestSecret,
        secret: scene.secret.clone(),
        token: token.clone(),
    };
    // Both documents have been read; the last look comes next.
    scene.injector.freeze_at(2);
    let mut random = StdRng::seed_from_u64(1);
    let mut step = pin!(engine.step(&request, &mut random));
    assert!(scene.injector.until_frozen(step.as_mut()).await);
    let current = scene.version(&Stage::Current);
    let stage = Stage::Current;
    let published = scene
        .store
        .move_stage(&scene.secret, &stage, current.as_ref(), Some(&token));
    published.await.expect("published by hand");
    scene.injector.thaw();
    let error = step.await.expect_err("no longer pending");
    assert_eq!(error.cause.error_type(), "OutOfOrder");
    assert!(scene.works(&Stage::Current));
}

/// A step by another clock than the server's.
async fn step_by(clock: &FakeClock, scene: &Scene, step: Step, token: &VersionId) -> RotationError {
    let engine = Engine {
        store: &scene.store,
        kinds: &OneKind(scene.provider.clone()),
        clock,
    };
    let request = StepRequest {
        step,
        secret: scene.secret.clone(),
        token: token.clone(),
    };
    let delivered = engine.step(&request, &mut StdRng::seed_from_u64(1)).await;
    delivered.expect_err("given up")
}

struct OneKind(FakeProvider);

impl Kinds for OneKind {
    fn open(&self, _: &SecretValue) -> Result<Box<dyn Rotator>, DocumentError> {
        Ok(Box::new(self.0.clone()))
    }
}

#[tokio::test]
async fn p11_what_is_not_ready_is_told_before_anything_is_retired_or_stored() {
    for kind in FakeKind::ALL {
        let (scene, token) = before(Step::CreateSecret, kind).await;
        let before = scene.picture();
        scene.injector.fail_every("ready");
        scene
            .step(Step::CreateSecret, &token)
            .await
            .expect_err("a right is missing");
        assert_eq!(scene.picture(), before, "{kind}");
    }
}

/// createSecret stores its key, never hears of it, and is then throttled this often.
async fn unheard_put(
    kind: FakeKind,
    throttled: usize,
) -> (Scene, Result<StepReport, RotationError>) {
    let put = position(&calls(Step::CreateSecret, kind).await, "put");
    let (scene, token) = before(Step::CreateSecret, kind).await;
    let (store, secret) = (scene.store.clone(), scene.secret.clone());
    let once = std::sync::Once::new();
    scene.injector.judge_every_call(move || {
        if store.value(&secret, &Stage::Pending).is_some() {
            once.call_once(|| store.throttle_next(throttled));
        }
    });
    scene.injector.arm(put, Fault::LoseReply);
    let result = scene.step(Step::CreateSecret, &token).await;
    (scene, result)
}

#[tokio::test]
async fn p1_a_key_whose_put_was_not_heard_of_is_kept_for_it_may_be_published_by_now() {
    for kind in [LISTED, UNLISTED] {
        // The two repeats are throttled; the read that follows finds the key.
        let (scene, result) = unheard_put(kind, 2).await;
        assert_eq!(result.expect("stored").result, StepResult::Done, "{kind}");
        assert!(scene.works(&Stage::Pending), "{kind}");
        // The read is throttled too: nobody can say, and the key is not retired.
        let (scene, result) = unheard_put(kind, 3).await;
        result.expect_err("nobody can say");
        assert!(scene.works(&Stage::Pending), "{kind}");
        scene.injector.disarm();
        let token = scene.version(&Stage::Pending).expect("a version");
        scene.rotate(&token).await.expect("the redelivery goes on");
        assert_eq!(scene.server.live(), 2, "{kind}");
    }
}

//! What a kind of key tells the engine besides its calls: how long a key lives, when it was last used, and what
//! is to be given back at the end of a step.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use async_trait::async_trait;
use chrono::{DateTime, TimeDelta, Utc};
use rand::SeedableRng;
use rand::rngs::StdRng;
use twinkey_core::*;
use twinkey_testkit::*;

const TOKEN: FakeKind = FakeKind::Token { listable: false };

fn scheduled(schedule: &str) -> Scene {
    let scene = Scene::new(TOKEN);
    scene.store.tag(&scene.secret, SCHEDULE_TAG, schedule);
    scene
}

#[tokio::test]
async fn p2_a_schedule_too_slow_for_two_keys_is_refused_before_the_first_one_is_made() {
    let scene = scheduled("rate(30 minutes)");
    let error = scene.rotate(&scene.begin()).await.expect_err("too slow");
    assert_eq!(error.cause.error_type(), "InvalidPolicy");
    assert!(error.to_string().contains("2 × 30m"), "{error}");
    assert_eq!(scene.server.live(), 0, "none was made");
    let scene = scheduled("rate(29 minutes)");
    scene.rotate(&scene.begin()).await.expect("often enough");
}

#[tokio::test]
async fn p2_a_test_of_the_configuration_alone_refuses_it_too() {
    let scene = scheduled("rate(30 minutes)");
    let token = scene.begin();
    let error = scene.step(Step::TestSecret, &token).await;
    let error = error.expect_err("too slow").cause;
    assert_eq!(error.error_type(), "InvalidPolicy");
    scene.store.untag(&scene.secret, SCHEDULE_TAG);
    let report = scene.step(Step::TestSecret, &token).await.expect("a check");
    assert_eq!(report.result, StepResult::OnlyChecked);
}

#[tokio::test]
async fn a_kind_whose_keys_do_not_die_by_themselves_has_any_schedule() {
    let scene = Scene::new(FakeKind::KeyPair);
    scene
        .store
        .tag(&scene.secret, SCHEDULE_TAG, "rate(365 days)");
    assert_eq!(Rotator::lifetime(&scene.provider), None);
    scene.rotate(&scene.begin()).await.expect("rotated");
    let told = Session {
        inner: scene.provider.clone(),
        closed: Arc::default(),
    };
    assert_eq!(
        Rotator::lifetime(&told),
        None,
        "nor does one that says nothing"
    );
}

#[tokio::test]
async fn p1_keys_in_use_are_rotated_even_on_a_schedule_that_is_too_slow() {
    let scene = scheduled("rate(29 minutes)");
    scene.rotate(&scene.begin()).await.expect("often enough");
    scene.clock.advance(TimeDelta::minutes(29));
    scene
        .store
        .tag(&scene.secret, SCHEDULE_TAG, "rate(30 minutes)");
    scene
        .rotate(&scene.begin())
        .await
        .expect("better than none");
}

/// Counts how often it is closed.
#[derive(Clone)]
struct Session {
    inner: FakeProvider,
    closed: Arc<AtomicUsize>,
}

#[async_trait]
impl Provider for Session {
    type Secret = FakeSecret;

    fn origin(&self) -> Origin<'_, FakeSecret> {
        self.inner.origin()
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

    async fn last_used(
        &self,
        _secret: &FakeSecret,
    ) -> Result<Option<DateTime<Utc>>, ProviderError> {
        Ok(Some(DateTime::UNIX_EPOCH))
    }

    async fn close(&self) {
        self.closed.fetch_add(1, Ordering::Relaxed);
    }
}

impl Kinds for Session {
    fn open(&self, _: &SecretValue) -> Result<Box<dyn Rotator>, DocumentError> {
        Ok(Box::new(self.clone()))
    }
}

/// A server that mints nothing now: its limit is exceeded.
#[derive(Clone)]
struct Exhausted(FakeProvider);

#[async_trait]
impl Provider for Exhausted {
    type Secret = FakeSecret;

    fn origin(&self) -> Origin<'_, FakeSecret> {
        Origin::Issued(self)
    }

    async fn ready(
        &self,
        current: &FakeSecret,
        address: &SecretAddress,
    ) -> Result<Ready<FakeSecret>, ProviderError> {
        self.0.ready(current, address).await
    }

    async fn verify(&self, secret: &FakeSecret) -> Result<Verdict, ProviderError> {
        self.0.verify(secret).await
    }

    async fn retire(&self, key: Retiring<'_, FakeSecret>) -> Result<Retired, ProviderError> {
        self.0.retire(key).await
    }

    async fn list(
        &self,
        current: &FakeSecret,
        address: &SecretAddress,
    ) -> Result<Listing, ProviderError> {
        self.0.list(current, address).await
    }
}

#[async_trait]
impl Issue<FakeSecret> for Exhausted {
    async fn mint(&self, _: &FakeSecret, _: &KeyLabel) -> Result<FakeSecret, ProviderError> {
        Err(ProviderError {
            kind: ErrorKind::Busy,
            code: "RateLimited",
            message: "too many requests".into(),
            hint: None,
            retry_after: Some(TimeDelta::minutes(1)),
        })
    }
}

impl Kinds for Exhausted {
    fn open(&self, _: &SecretValue) -> Result<Box<dyn Rotator>, DocumentError> {
        Ok(Box::new(self.clone()))
    }
}

#[tokio::test]
async fn p4_a_server_that_is_busy_has_made_no_key_and_none_is_told() {
    let scene = Scene::new(TOKEN);
    let engine = Engine {
        store: &scene.store,
        kinds: &Exhausted(scene.provider.clone()),
        clock: &scene.clock,
    };
    let request = StepRequest {
        step: Step::CreateSecret,
        secret: scene.secret.clone(),
        token: scene.begin(),
    };
    let random = &mut StdRng::seed_from_u64(1);
    let error = engine.step(&request, random).await.expect_err("busy");
    assert_eq!(error.cause.error_type(), "RateLimited");
    assert!(error.cause.is_transient());
    assert_eq!(Failure::from(&error).retry_after_seconds, Some(60));
}

/// Which steps were closed, and whether the last one passed.
async fn closed(scene: &Scene, steps: &[Step]) -> (usize, bool) {
    let session = Session {
        inner: scene.provider.clone(),
        closed: Arc::default(),
    };
    let engine = Engine {
        store: &scene.store,
        kinds: &session,
        clock: &scene.clock,
    };
    let token = scene.begin();
    let mut passed = false;
    for step in steps {
        let request = StepRequest {
            step: *step,
            secret: scene.secret.clone(),
            token: token.clone(),
        };
        let random = &mut StdRng::seed_from_u64(1);
        passed = engine.step(&request, random).await.is_ok();
    }
    if !passed {
        engine.abandon(&scene.secret, &token).await.expect("ended");
    }
    (session.closed.load(Ordering::Relaxed), passed)
}

#[tokio::test]
async fn a_session_is_closed_at_the_end_of_every_step_that_opened_one_passed_or_not() {
    for kind in FakeKind::ALL {
        // finishSecret asks no server.
        let scene = Scene::new(kind);
        assert_eq!(closed(&scene, &Step::ALL).await, (3, true), "{kind}");
        let scene = Scene::new(kind);
        assert_eq!(closed(&scene, &[Step::TestSecret]).await, (1, true));
    }
    // createSecret passes, testSecret fails, and what it left is ended.
    let scene = Scene::new(FakeKind::KeyPair);
    let steps = [Step::CreateSecret, Step::TestSecret];
    assert_eq!(closed(&scene, &steps).await, (3, false));
}

#[tokio::test]
async fn an_inspection_tells_when_a_live_key_was_last_used() {
    let scene = Scene::new(FakeKind::Password);
    let session = Session {
        inner: scene.provider.clone(),
        closed: Arc::default(),
    };
    let live = scene.document(&Stage::Current).expect("a document");
    let inspect = |document: &FakeSecret| {
        let (session, document) = (session.clone(), document.render());
        async move { Rotator::inspect(&session, &document, &document).await }
    };
    let seen = inspect(&live).await.expect("asked");
    assert_eq!(seen.last_used, Some(DateTime::UNIX_EPOCH));
    let dead = FakeSecret {
        value: Some("TEST-dead".into()),
        ..live
    };
    let seen = inspect(&dead).await.expect("asked");
    assert_eq!(seen.last_used, None);
    assert_eq!(session.closed.load(Ordering::Relaxed), 2);
}

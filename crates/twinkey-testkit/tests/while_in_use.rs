//! What becomes of a rotation while the key that it would replace is still used.
//!
//! The provider in memory says of itself what a server would: how sessions are counted at a real server is in
//! the tests of twinkey-postgres.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use async_trait::async_trait;
use chrono::TimeDelta;
use rand::SeedableRng;
use rand::rngs::StdRng;
use twinkey_core::*;
use twinkey_testkit::*;

/// Tells of sessions of the key that is replaced.
#[derive(Clone)]
struct Used {
    inner: FakeProvider,
    sessions: Arc<AtomicU64>,
}

#[async_trait]
impl Provider for Used {
    type Secret = FakeSecret;

    fn origin(&self) -> Origin<'_, FakeSecret> {
        self.inner.origin()
    }

    async fn ready(
        &self,
        current: &FakeSecret,
        address: &SecretAddress,
    ) -> Result<Ready<FakeSecret>, ProviderError> {
        let ready = self.inner.ready(current, address).await?;
        Ok(Ready {
            in_use: self.in_use(current).await?,
            ..ready
        })
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

    async fn in_use(&self, _: &FakeSecret) -> Result<Option<InUse>, ProviderError> {
        let sessions = self.sessions.load(Ordering::Relaxed);
        Ok(Some(InUse {
            key: KeyId::new("older"),
            sessions,
            newest_at: None,
            consumers: vec![Consumer {
                application: "billing".into(),
                address: None,
                sessions,
            }],
        }))
    }
}

impl Kinds for Used {
    fn open(&self, _: &SecretValue) -> Result<Box<dyn Rotator>, DocumentError> {
        Ok(Box::new(self.clone()))
    }
}

struct Rotated {
    scene: Scene,
    used: Used,
}

impl Rotated {
    /// Rotated once, a day ago, with these tags; the older key has two sessions.
    async fn new(tags: &[(&str, &str)]) -> Self {
        let scene = Scene::new(FakeKind::Password);
        for (tag, value) in tags {
            scene.store.tag(&scene.secret, tag, value);
        }
        let used = Used {
            inner: scene.provider.clone(),
            sessions: Arc::new(AtomicU64::new(2)),
        };
        let stage = Self { scene, used };
        let first = stage.scene.begin();
        stage
            .rotate(&first)
            .await
            .expect("nothing of ours is replaced yet");
        stage.scene.clock.advance(TimeDelta::days(1));
        stage
    }

    async fn rotate(&self, token: &VersionId) -> Result<Vec<StepReport>, RotationError> {
        let engine = Engine {
            store: &self.scene.store,
            kinds: &self.used,
            clock: &self.scene.clock,
        };
        let random = &mut StdRng::from_rng(&mut rand::rng());
        let mut reports = Vec::new();
        for step in Step::ALL {
            let request = StepRequest {
                step,
                secret: self.scene.secret.clone(),
                token: token.clone(),
            };
            reports.push(engine.step(&request, random).await?);
        }
        Ok(reports)
    }

    fn begin_forced(&self) -> VersionId {
        let token = VersionId::manual(&mut rand::rng(), true);
        let begun = self.scene.store.rotate_secret(&self.scene.secret, &token);
        begun.expect("no rotation is in flight");
        token
    }

    /// The labels that consumers read, and how many keys are live.
    fn standing(&self) -> (Option<VersionId>, Option<VersionId>, usize) {
        let version = |stage| self.scene.version(&stage);
        (
            version(Stage::Current),
            version(Stage::Previous),
            self.scene.server.live(),
        )
    }

    async fn is_held(&self) -> RotationFailure {
        let before = self.standing();
        let token = self.scene.begin();
        let error = self.rotate(&token).await.expect_err("held");
        assert_eq!(error.step, Step::CreateSecret);
        assert_eq!(error.cause.error_type(), "KeyInUse");
        assert_eq!(self.standing(), before);
        assert_eq!(self.scene.version(&Stage::Pending), None);
        let at = Selector::Version(token);
        let stored = self.scene.store.read(&self.scene.secret, &at).await;
        assert!(stored.is_err(), "no value was stored");
        error.cause
    }
}

const HOLD: (&str, &str) = (IN_USE_TAG, "hold");

#[tokio::test]
async fn without_a_tag_it_is_told_and_the_rotation_goes_on() {
    for tags in [&[][..], &[(IN_USE_TAG, "report")]] {
        let stage = Rotated::new(tags).await;
        let token = stage.scene.begin();
        let reports = stage.rotate(&token).await.expect("rotated");
        let told = reports[0].in_use.as_ref().expect("createSecret tells");
        assert_eq!(told.to_string(), "2 sessions: billing (2)");
        assert!(reports[1..].iter().all(|report| report.in_use.is_none()));
    }
}

#[tokio::test]
async fn p9_a_key_that_is_still_used_is_held_before_anything_is_stored_until_nobody_uses_it() {
    let stage = Rotated::new(&[HOLD]).await;
    for _ in 0..2 {
        let held = stage.is_held().await;
        assert!(held.is_transient(), "it passes by itself");
        assert!(held.to_string().contains("billing (2)"), "{held}");
        assert!(held.to_string().contains("in 6d"), "{held}");
        assert!(held.hint().is_some_and(|hint| hint.contains("--force")));
    }
    stage.used.sessions.store(0, Ordering::Relaxed);
    let token = stage.scene.begin();
    stage.rotate(&token).await.expect("nobody uses it");
}

#[tokio::test]
async fn p9_it_is_held_no_longer_than_the_limit_from_when_the_current_key_came() {
    let stage = Rotated::new(&[HOLD, (HOLD_LIMIT_TAG, "2d")]).await;
    stage.is_held().await;
    stage.scene.clock.advance(TimeDelta::hours(23));
    stage.is_held().await;
    stage.scene.clock.advance(TimeDelta::hours(1));
    let token = stage.scene.begin();
    let reports = stage.rotate(&token).await.expect("the limit has passed");
    assert_eq!(
        reports[0].in_use.as_ref().map(|told| told.sessions),
        Some(2)
    );
}

#[tokio::test]
async fn p9_a_person_who_forces_it_is_not_held() {
    let stage = Rotated::new(&[HOLD]).await;
    let token = stage.begin_forced();
    stage.rotate(&token).await.expect("forced");
}

#[tokio::test]
async fn p11_a_kind_that_cannot_tell_is_not_held_by_a_tag_that_means_nothing_there() {
    let scene = Scene::new(FakeKind::KeyPair);
    scene.rotate(&scene.begin()).await.expect("rotated");
    scene.store.tag(&scene.secret, IN_USE_TAG, "hold");
    scene.clock.advance(TimeDelta::days(1));
    let error = scene
        .rotate(&scene.begin())
        .await
        .expect_err("it cannot tell");
    assert_eq!(error.cause.error_type(), "InvalidPolicy");
    assert!(error.to_string().contains(IN_USE_TAG), "{error}");
}

#[tokio::test]
async fn a_test_of_the_configuration_alone_tells_it_too() {
    let stage = Rotated::new(&[HOLD]).await;
    let engine = Engine {
        store: &stage.scene.store,
        kinds: &stage.used,
        clock: &stage.scene.clock,
    };
    let request = StepRequest {
        step: Step::TestSecret,
        secret: stage.scene.secret.clone(),
        token: stage.scene.begin(),
    };
    let random = &mut StdRng::seed_from_u64(1);
    let report = engine.step(&request, random).await.expect("a check");
    assert_eq!(report.result, StepResult::OnlyChecked);
    assert_eq!(report.in_use.map(|told| told.sessions), Some(2));
}

#[tokio::test]
async fn an_inspection_tells_of_an_older_key_and_not_of_the_current_one() {
    let stage = Rotated::new(&[]).await;
    let current = stage.scene.document(&Stage::Current).expect("a document");
    let previous = stage.scene.document(&Stage::Previous).expect("a document");
    let inspect = |document: FakeSecret| {
        let (used, current) = (stage.used.clone(), current.clone());
        async move { Rotator::inspect(&used, &document.render(), &current.render()).await }
    };
    let seen = inspect(previous).await.expect("asked");
    assert_eq!(seen.in_use.map(|told| told.sessions), Some(2));
    let seen = inspect(current.clone()).await.expect("asked");
    assert_eq!(seen.in_use, None);
}

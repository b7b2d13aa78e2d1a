//! Rotations that never end, and a server that is down.

use async_trait::async_trait;
use twinkey_aws::{Abandon, Action};
use twinkey_core::{
    RetiredKey, RotationFailure, SCHEDULE_TAG, SecretId, Slot, Stage, Step, Store, VersionId,
};
use twinkey_testkit::{Allowance, FakeKind, Scene};

use super::region::{Region, code, only};
use crate::world::id;

/// The engine, as the rotation function calls it.
struct Function<'a>(&'a Scene);

#[async_trait]
impl Abandon for Function<'_> {
    async fn abandon(
        &self,
        _: &SecretId,
        token: &VersionId,
    ) -> Result<Vec<RetiredKey>, RotationFailure> {
        self.0.abandon(token).await
    }
}

/// One rotation has passed; the next is due every hour.
async fn company(kind: FakeKind) -> (Scene, Region) {
    let scene = Scene::new(kind);
    scene.store.tag(&scene.secret, SCHEDULE_TAG, "rate 1 hour");
    let first = scene.begin();
    scene.rotate(&first).await.expect("a quiet rotation");
    let region = Region::over(scene.store.clone(), scene.clock.clone()).await;
    (scene, region)
}

#[tokio::test]
async fn p5_the_server_is_down_for_fifty_minutes_and_up_again() {
    let (scene, region) = company(FakeKind::Password).await;
    region.pass(61);
    scene.injector.fail_every("ready");
    let first = region.tick_by(&Function(&scene)).await;
    let token = only(&first).token.clone().expect("asked");
    assert_eq!(only(&first).action, Action::Asked);
    for minute in (5..60).step_by(5) {
        let _ = scene.rotate(&token).await.expect_err("the server is down");
        region.pass(5);
        let report = region.tick_by(&Function(&scene)).await;
        assert_eq!(only(&report).action, Action::InProgress, "minute {minute}");
        let figures = report.figures;
        assert_eq!(
            figures.secrets_overdue,
            usize::from(minute >= 10),
            "minute {minute}"
        );
        assert_eq!(figures.stuck_pending, 0, "minute {minute}");
        if minute == 50 {
            scene.injector.disarm();
            break;
        }
    }
    region.pass(11);
    let report = region.tick_by(&Function(&scene)).await;
    assert_eq!(only(&report).action, Action::AbandonedAndAsked);
    assert_eq!(report.figures.stuck_pending, 1);
    let anew = only(&report).token.clone().expect("asked anew");
    assert_ne!(anew, token);
    scene.rotate(&anew).await.expect("the server is up");
    let report = region.tick_by(&Function(&scene)).await;
    assert_eq!(only(&report).action, Action::NotDue);
    let figures = (report.figures.secrets_overdue, report.figures.stuck_pending);
    assert_eq!(figures, (0, 0));
    assert_eq!(scene.server.live(), 2);
    let verdict = scene.judge().verdict(&Allowance::default());
    assert!(verdict.is_ok(), "{verdict:?}");
    assert_eq!(region.server.count("RotateSecret"), 2);
}

#[tokio::test]
async fn p5_secrets_managers_own_retry_needs_no_second_request() {
    let (scene, region) = company(FakeKind::Password).await;
    region.pass(61);
    scene.injector.fail_every("ready");
    let first = region.tick_by(&Function(&scene)).await;
    let token = only(&first).token.clone().expect("asked");
    let _ = scene.rotate(&token).await.expect_err("the server is down");
    region.pass(50);
    scene.injector.disarm();
    scene.rotate(&token).await.expect("retried");
    let report = region.tick_by(&Function(&scene)).await;
    assert_eq!(only(&report).action, Action::NotDue);
    assert_eq!(region.server.count("RotateSecret"), 1);
}

#[tokio::test]
async fn p4_a_stuck_key_is_dead_before_another_is_asked_for() {
    let (scene, region) = company(FakeKind::KeyPair).await;
    let pending = scene.begin();
    for step in [Step::CreateSecret, Step::SetSecret] {
        scene.step(step, &pending).await.expect("passed");
    }
    let stuck = scene.key(&Stage::Pending).expect("a key");
    assert!(scene.server.accepts(&stuck));
    region.pass(121);
    let report = region.tick_by(&Function(&scene)).await;
    assert_eq!(only(&report).action, Action::AbandonedAndAsked);
    assert_eq!(only(&report).retired.len(), 1);
    assert!(!scene.server.accepts(&stuck));
    let anew = only(&report).token.clone().expect("asked anew");
    scene.rotate(&anew).await.expect("passed");
    assert_eq!(scene.server.live(), 2);
}

#[tokio::test]
async fn p11_where_abandoning_fails_nothing_is_asked_for() {
    let (scene, region) = company(FakeKind::KeyPair).await;
    let pending = scene.begin();
    scene
        .step(Step::CreateSecret, &pending)
        .await
        .expect("passed");
    region.pass(121);
    scene.injector.fail_every("retire");
    let report = region.tick_by(&Function(&scene)).await;
    assert_eq!(only(&report).action, Action::Failed, "{report:?}");
    assert_eq!(region.server.count("RotateSecret"), 0);
    scene.injector.disarm();
    // The label is off, so the next rotation makes the key dead, before its own appears.
    let report = region.tick_by(&Function(&scene)).await;
    assert_eq!(only(&report).action, Action::Asked);
    let anew = only(&report).token.clone().expect("asked anew");
    scene.rotate(&anew).await.expect("passed");
    assert_eq!(scene.server.live(), 2);
}

#[tokio::test]
async fn a_stuck_rotation_of_a_secret_that_is_not_due_is_counted_and_left_alone() {
    let region = Region::new().await;
    region.secret("db/app", "rate 1 day");
    region.pending("db/app", 'b').await;
    region.pass(61);
    let report = region.tick().await;
    assert_eq!(only(&report).action, Action::InProgress);
    assert_eq!(code(only(&report)), Some("StuckPending"));
    assert_eq!(report.figures.stuck_pending, 1);
}

/// Ends the stuck rotation, and somebody begins another at that moment.
struct Rival<'a>(&'a Region);

#[async_trait]
impl Abandon for Rival<'_> {
    async fn abandon(
        &self,
        secret: &SecretId,
        token: &VersionId,
    ) -> Result<Vec<RetiredKey>, RotationFailure> {
        let store = &self.0.store;
        store
            .move_stage(secret, &Stage::Pending, Some(token), None)
            .await?;
        let fake = self.0.server.fake();
        fake.rotate_secret(&SecretId::new("db/app"), &id('z'))?;
        Ok(Vec::new())
    }
}

#[tokio::test]
async fn p5_a_previous_rotation_that_is_not_complete_is_in_progress_and_no_failure() {
    let region = Region::new().await;
    region.secret("db/app", "rate 1 hour");
    region.pending("db/app", 'b').await;
    region.pass(121);
    let report = region.tick_by(&Rival(&region)).await;
    assert_eq!(only(&report).action, Action::InProgress);
    assert_eq!(code(only(&report)), Some("PreviousIncomplete"));
    assert_eq!(region.server.count("RotateSecret"), 1);
}

#[tokio::test]
async fn p1_an_hour_of_pending_is_counted_from_its_value_and_not_from_the_tick() {
    let region = Region::new().await;
    region.secret("db/app", "rate 1 hour");
    region.pass(100);
    region.pending("db/app", 'b').await;
    region.pass(59);
    assert_eq!(only(&region.tick().await).action, Action::InProgress);
    let holder = region.store.describe(&SecretId::new("db/app")).await;
    let holder = holder.expect("described");
    assert_eq!(holder.slot(&id('b')), Some(Slot::B));
    assert_eq!(region.server.count("RotateSecret"), 0);
}

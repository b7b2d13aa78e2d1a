//! Rotations as the service runs them: calm, refused, failing.

use chrono::TimeDelta;
use twinkey_core::{Outcome, Stage, Step, StepOutcome};
use twinkey_local::{ServiceError, Unwatched};
use twinkey_testkit::FakeKind;

use crate::watching::Notes;
use crate::world::{World, outcomes, rotate};

#[tokio::test]
async fn p3_after_each_rotation_two_keys_live_and_the_record_tells_how_it_went() {
    let world = World::new(FakeKind::Password).await;
    let notes = Notes::default();
    for round in 1..=3 {
        let ask = world.forced();
        let rotation = world
            .service()
            .rotate(&world.secret, ask.clone(), &notes)
            .await;
        let rotation = rotation.expect("a calm rotation");
        assert!(!rotation.joined && !rotation.resumed);
        world.judge_at_rest("after a calm rotation").await;
        assert_eq!(world.holder(&Stage::Current).await, Some(ask.token));
        let records = world.store.records(&world.secret).await.expect("listed");
        assert_eq!(records.len(), round);
        assert_eq!(records.last(), Some(&rotation.record));
        let steps: Vec<Step> = rotation.record.steps.iter().map(|step| step.step).collect();
        assert_eq!(steps, Step::ALL);
        assert_eq!(rotation.record.outcome, Outcome::Succeeded);
        assert_eq!(rotation.record.reason.as_deref(), Some("it leaked"));
        assert!(rotation.record.finished_at.is_some());
    }
    assert_eq!(notes.all().len(), 3 * 9);
    assert_eq!(
        notes.all()[..3],
        ["beginning", "before createSecret", "after createSecret"]
    );
}

#[tokio::test]
async fn p9_within_the_minimum_overlap_nothing_is_begun_unless_a_person_forces_it() {
    let world = World::empty(FakeKind::Password);
    world.put_first(&world.secret, "1h").await;
    rotate(&world)
        .await
        .expect("a first rotation retires nothing, so it never waits");
    world.clock.advance(TimeDelta::minutes(20));
    let error = rotate(&world).await.expect_err("too early");
    let ServiceError::Overlap { wait, .. } = &error else {
        panic!("{error:?}");
    };
    assert_eq!(
        (*wait, error.error_type()),
        (TimeDelta::minutes(40), "MinimumOverlap")
    );
    assert!(error.hint().is_some());
    assert_eq!(
        outcomes(&world).await,
        [Outcome::Succeeded],
        "nothing was begun"
    );
    let forced = world
        .service()
        .rotate(&world.secret, world.forced(), &Unwatched)
        .await;
    forced.expect("a person's word");
    world.judge_at_rest("after a forced rotation").await;
    world.clock.advance(TimeDelta::hours(1));
    rotate(&world).await.expect("the hour is over");
}

#[tokio::test]
async fn p9_without_a_tag_the_kind_of_key_says_how_long() {
    let world = World::new(FakeKind::Password).await;
    let tag = [twinkey_core::MIN_OVERLAP_TAG.to_owned()];
    world
        .store
        .untag(&world.secret, &tag)
        .await
        .expect("untagged");
    rotate(&world).await.expect("the first");
    let due = world.service().due(&world.secret).await.expect("computed");
    let since = twinkey_core::Clock::now(&world.clock);
    assert_eq!(due.overlap_ends, Some(since + TimeDelta::hours(1)));
    assert_eq!((due.slot, due.at), (None, None), "it has no schedule");
    world
        .tag(twinkey_core::SCHEDULE_TAG, "rate(20 minutes)")
        .await;
    let due = world.service().due(&world.secret).await.expect("computed");
    assert_eq!(due.slot, Some(since + TimeDelta::minutes(20)));
    assert_eq!(due.at, Some(since + TimeDelta::hours(1)));
}

#[tokio::test]
async fn p11_a_document_that_no_kind_knows_begins_nothing() {
    let world = World::new(FakeKind::Password).await;
    world.put_by_hand("TEST-not-a-document").await;
    for ask in [world.ask(), world.forced()] {
        let error = world.service().rotate(&world.secret, ask, &Unwatched).await;
        let error = error.expect_err("no document");
        assert_eq!(error.error_type(), "InvalidDocument");
        assert!(!format!("{error} {error:?}").contains("TEST-"), "{error:?}");
    }
    assert_eq!(outcomes(&world).await, []);
    assert_eq!(world.holder(&Stage::Pending).await, None);
}

#[tokio::test]
async fn p11_a_rotation_that_failed_before_it_made_anything_is_over() {
    let world = World::new(FakeKind::Password).await;
    world.injector.fail_every("ready");
    let error = rotate(&world)
        .await
        .expect_err("the server does not answer");
    assert!(
        matches!(error, ServiceError::Step { pending: false, .. }),
        "{error:?}"
    );
    assert_eq!(world.holder(&Stage::Pending).await, None);
    let record = error.record().expect("recorded");
    assert!(matches!(record.outcome, Outcome::Failed(_)), "{record:?}");
    assert!(matches!(record.steps[0].outcome, StepOutcome::Failed(_)));
    world.injector.disarm();
    rotate(&world).await.expect("the server answers again");
    world.judge_at_rest("after a failure").await;
    assert_eq!(outcomes(&world).await.len(), 2);
}

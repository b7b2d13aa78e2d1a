//! Several requests for one secret: joined, forced, late, at once; and a person who puts a value.

use twinkey_core::{Outcome, Stage};
use twinkey_local::{ServiceError, Unwatched};
use twinkey_testkit::{FakeKind, Fault};

use crate::watching::Notes;
use crate::world::{World, outcomes, rotate};

#[tokio::test]
async fn p5_a_late_duplicate_of_a_served_request_changes_nothing() {
    let world = World::new(FakeKind::Password).await;
    let ask = world.ask();
    for joined in [false, true, true] {
        let rotation = world
            .service()
            .rotate(&world.secret, ask.clone(), &Unwatched)
            .await;
        assert_eq!(rotation.expect("served").joined, joined);
        if joined {
            assert_eq!(world.holder(&Stage::Pending).await, None);
        } else {
            rotate(&world).await.expect("a later rotation passes");
        }
    }
    assert_eq!(outcomes(&world).await.len(), 2);
    world.judge_at_rest("after duplicates").await;
}

#[tokio::test]
async fn a_request_joins_the_rotation_of_another_process() {
    let world = World::new(FakeKind::Password).await;
    world.injector.freeze_at(3);
    let (first, ask) = (world.service(), world.ask());
    let mut running = Box::pin(first.rotate(&world.secret, ask.clone(), &Unwatched));
    assert!(world.injector.until_frozen(running.as_mut()).await);
    let (second, notes) = (world.service(), Notes::default());
    let joining = second.rotate(&world.secret, world.ask(), &notes);
    let thaw = async {
        while notes.all().is_empty() {
            tokio::task::yield_now().await;
        }
        world.injector.thaw();
    };
    let (ran, joined, ()) = tokio::join!(running, joining, thaw);
    let (ran, joined) = (ran.expect("it ran"), joined.expect("it joined"));
    assert!(!ran.joined && joined.joined);
    assert_eq!(ran.record, joined.record);
    assert_eq!(notes.all(), ["waiting"]);
    assert_eq!(outcomes(&world).await, [Outcome::Succeeded]);
}

#[tokio::test]
async fn a_request_that_joins_a_failure_fails_and_a_forced_one_goes_on() {
    for forced in [false, true] {
        let world = World::new(FakeKind::Password).await;
        world.injector.freeze_at(0);
        let first = world.service();
        let mut running = Box::pin(first.rotate(&world.secret, world.ask(), &Unwatched));
        assert!(world.injector.until_frozen(running.as_mut()).await);
        let (second, notes) = (world.service(), Notes::default());
        let ask = if forced { world.forced() } else { world.ask() };
        let joining = second.rotate(&world.secret, ask, &notes);
        let fail_once = async {
            while notes.all().is_empty() {
                tokio::task::yield_now().await;
            }
            world.injector.arm(0, Fault::FailOnce);
            world.injector.thaw();
        };
        let failing = async {
            let failed = running.await;
            world.injector.disarm();
            failed
        };
        let (ran, joined, ()) = tokio::join!(failing, joining, fail_once);
        assert!(matches!(ran, Err(ServiceError::Step { .. })), "{ran:?}");
        match joined {
            Err(ServiceError::Joined { failure, .. }) if !forced => {
                assert_eq!(failure.error_type, "Injected");
            }
            Ok(rotation) if forced => assert!(!rotation.joined),
            other => panic!("forced: {forced}, {other:?}"),
        }
    }
}

#[tokio::test]
async fn p9_a_forced_request_detaches_an_interrupted_rotation_that_made_nothing() {
    let world = World::new(FakeKind::Password).await;
    let stuck = world.ask().token;
    world
        .store
        .begin_rotation(&world.secret, &stuck, None, &world.lease())
        .await
        .expect("begun");
    world.outlive_leases();
    let (ask, notes) = (world.forced(), Notes::default());
    let rotation = world
        .service()
        .rotate(&world.secret, ask.clone(), &notes)
        .await;
    assert_eq!(rotation.expect("forced").record.token, ask.token);
    assert_eq!(
        notes.all()[0],
        "beginning",
        "the stuck one was not finished"
    );
    let outcomes = outcomes(&world).await;
    assert!(matches!(outcomes[0], Outcome::Failed(_)), "{outcomes:?}");
    assert_eq!(outcomes[1], Outcome::Succeeded);
    world.judge_at_rest("after a forced rotation").await;
}

#[tokio::test]
async fn p9_a_forced_request_finishes_an_interrupted_rotation_that_has_a_value() {
    let world = World::empty(FakeKind::Password);
    world.put_first(&world.secret, "1h").await;
    world.injector.fail_every("apply");
    rotate(&world)
        .await
        .expect_err("the server does not answer");
    world.injector.disarm();
    let ask = world.forced();
    let rotation = world
        .service()
        .rotate(&world.secret, ask.clone(), &Unwatched)
        .await;
    assert_eq!(rotation.expect("forced").record.token, ask.token);
    assert_eq!(
        outcomes(&world).await,
        [Outcome::Succeeded, Outcome::Succeeded]
    );
    world.judge_at_rest("after two").await;
}

#[tokio::test]
async fn a_value_put_by_hand_ends_the_rotation_that_runs() {
    let world = World::new(FakeKind::Password).await;
    world.injector.freeze_at(4);
    let service = world.service();
    let mut running = Box::pin(service.rotate(&world.secret, world.ask(), &Unwatched));
    assert!(world.injector.until_frozen(running.as_mut()).await);
    let by_hand = world.put_by_hand("TEST-by-hand").await;
    world.injector.thaw();
    let error = running.await.expect_err("it was abandoned");
    assert_eq!(error.error_type(), "RotationAbandoned");
    assert_eq!(world.holder(&Stage::Current).await, Some(by_hand));
    assert_eq!(world.holder(&Stage::Pending).await, None);
    assert!(matches!(outcomes(&world).await[..], [Outcome::Failed(_)]));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn p2_ten_requests_at_once_are_served_by_one_rotation() {
    let world = World::empty(FakeKind::Password);
    world.put_first(&world.secret, "1h").await;
    let requests: Vec<_> = (0..10)
        .map(|_| {
            let (service, secret, ask) = (world.service(), world.secret.clone(), world.ask());
            tokio::spawn(async move { service.rotate(&secret, ask, &Unwatched).await })
        })
        .collect();
    let mut ran = 0;
    for request in requests {
        match request.await.expect("no panic") {
            Ok(rotation) => ran += u32::from(!rotation.joined),
            Err(ServiceError::Overlap { .. }) => {}
            Err(error) => panic!("{error}"),
        }
    }
    assert_eq!(ran, 1);
    assert_eq!(outcomes(&world).await, [Outcome::Succeeded]);
    world.judge_at_rest("after ten requests").await;
}

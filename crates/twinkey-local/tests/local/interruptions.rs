//! Processes that die, freeze, give up or take long, and those that go on after them.

use std::time::Duration;

use chrono::TimeDelta;
use twinkey_core::{Outcome, Stage, StepOutcome, StepRecord, StepResult, Store};
use twinkey_local::{ServiceError, Standing, Unwatched};
use twinkey_testkit::{FakeKind, Fault};

use crate::watching::{Notes, StopAt};
use crate::world::{World, outcomes, rotate};

#[tokio::test]
async fn p5_a_rotation_that_failed_with_a_stored_value_goes_on_with_its_own_token() {
    let world = World::empty(FakeKind::Password);
    world.put_first(&world.secret, "1h").await;
    world.injector.fail_every("apply");
    let first = world.ask();
    let failed = world
        .service()
        .rotate(&world.secret, first.clone(), &Unwatched)
        .await;
    let error = failed.expect_err("the server does not answer");
    assert!(
        matches!(error, ServiceError::Step { pending: true, .. }),
        "{error:?}"
    );
    assert_eq!(
        world.holder(&Stage::Pending).await,
        Some(first.token.clone())
    );
    let standing = world.service().standing(&world.secret).await.expect("read");
    assert!(
        matches!(
            standing,
            Standing::Interrupted {
                has_value: true,
                ..
            }
        ),
        "{standing:?}"
    );
    world.injector.disarm();
    let notes = Notes::default();
    let rotation = world
        .service()
        .rotate(&world.secret, world.ask(), &notes)
        .await;
    let rotation = rotation.expect("the server answers again");
    assert!(
        rotation.joined && rotation.resumed,
        "within the overlap, another would be refused"
    );
    assert_eq!(rotation.record.token, first.token);
    assert_eq!(
        rotation.record.steps.len(),
        6,
        "two of the first attempt, four of the second"
    );
    assert_eq!(notes.all()[0], "resuming");
    assert_eq!(outcomes(&world).await, [Outcome::Succeeded]);
    world.judge_at_rest("after a resumed rotation").await;
}

#[tokio::test]
async fn p5_what_was_resumed_does_not_serve_a_request_that_would_be_granted_another() {
    let world = World::new(FakeKind::Password).await;
    world.injector.fail_every("apply");
    rotate(&world)
        .await
        .expect_err("the server does not answer");
    world.injector.disarm();
    let ask = world.ask();
    let rotation = world
        .service()
        .rotate(&world.secret, ask.clone(), &Unwatched)
        .await;
    let rotation = rotation.expect("two rotations");
    assert_eq!((rotation.record.token, rotation.joined), (ask.token, false));
    assert_eq!(
        outcomes(&world).await,
        [Outcome::Succeeded, Outcome::Succeeded]
    );
    world.judge_at_rest("after two").await;
}

#[tokio::test]
async fn p5_whoever_gives_up_gives_the_lease_back() {
    let world = World::new(FakeKind::Password).await;
    world.injector.freeze_at(5);
    let service = world.service();
    let mut cancelled = Box::pin(service.rotate(&world.secret, world.ask(), &Unwatched));
    assert!(world.injector.until_frozen(cancelled.as_mut()).await);
    let standing = world.service().standing(&world.secret).await.expect("read");
    assert!(matches!(standing, Standing::Running(_)), "{standing:?}");
    drop(cancelled);
    let standing = world.service().standing(&world.secret).await.expect("read");
    assert!(
        matches!(standing, Standing::Interrupted { .. }),
        "{standing:?}"
    );
    rotate(&world).await.expect("nobody has to wait");
    world.judge_at_rest("after giving up").await;
}

/// A process dies before and after each outside call, as by `kill -9`: it never gives its lease back.
async fn die_at_every_call(kind: FakeKind) -> usize {
    let mut deaths = 0;
    for call in 0.. {
        for fault in [Fault::StopBefore, Fault::StopAfter] {
            let world = World::new(kind).await;
            for _ in 0..2 {
                rotate(&world).await.expect("calm");
            }
            let (service, ask) = (world.service(), world.ask());
            world.injector.arm(call, fault);
            let mut dying = Box::pin(service.rotate(&world.secret, ask.clone(), &Unwatched));
            if world.injector.run(dying.as_mut()).await.is_some() {
                return deaths;
            }
            world.injector.disarm();
            deaths += 1;
            let what = format!("{kind:?}, call {call}, {fault:?}");
            assert!(world.works(Stage::Current).await, "P1: {what}");
            world.outlive_leases();
            let rotation = rotate(&world)
                .await
                .unwrap_or_else(|error| panic!("{what}: {error}"));
            assert_eq!(rotation.record.outcome, Outcome::Succeeded, "{what}");
            world.judge_at_rest(&what).await;
            let open = outcomes(&world)
                .await
                .into_iter()
                .filter(|outcome| *outcome == Outcome::InProgress);
            assert_eq!(open.count(), 0, "{what}");
            drop(dying);
            world.judge_at_rest(&what).await;
        }
    }
    deaths
}

#[tokio::test]
async fn p5_a_process_dies_at_each_outside_call_and_a_plain_rotate_mends_it() {
    for kind in [
        FakeKind::Password,
        FakeKind::KeyPair,
        FakeKind::Token { listable: true },
    ] {
        let deaths = die_at_every_call(kind).await;
        assert!(deaths >= 8, "{kind:?}: only {deaths} deaths");
    }
}

#[tokio::test]
async fn p5_a_process_that_freezes_at_each_outside_call_wakes_to_a_rotation_done_without_it() {
    for call in 0.. {
        let world = World::new(FakeKind::Password).await;
        rotate(&world).await.expect("calm");
        world.injector.freeze_at(call);
        let (service, ask) = (world.service(), world.ask());
        let mut frozen = Box::pin(service.rotate(&world.secret, ask.clone(), &Unwatched));
        if !world.injector.until_frozen(frozen.as_mut()).await {
            assert!(call >= 6, "only {call} calls");
            break;
        }
        world.outlive_leases();
        for _ in 0..2 {
            rotate(&world).await.expect("others go on");
        }
        let before = world
            .store
            .describe(&world.secret)
            .await
            .expect("described");
        world.injector.thaw();
        let woken = frozen.await.expect("its rotation came about");
        assert_eq!(
            (woken.record.token, woken.joined),
            (ask.token, true),
            "call {call}"
        );
        let after = world
            .store
            .describe(&world.secret)
            .await
            .expect("described");
        assert_eq!(before.versions, after.versions, "call {call}");
        world.judge_at_rest(&format!("frozen at call {call}")).await;
    }
}

#[tokio::test]
async fn p5_a_process_dies_between_any_two_steps_and_a_plain_rotate_mends_it() {
    for moment in 0..9 {
        let world = World::new(FakeKind::Password).await;
        rotate(&world).await.expect("calm");
        let (service, stop) = (world.service(), StopAt::new(moment));
        let mut dying = Box::pin(service.rotate(&world.secret, world.ask(), &stop));
        tokio::select! {
            ended = &mut dying => panic!("moment {moment}: {ended:?}"),
            () = stop.reached.notified() => world.outlive_leases(),
        }
        rotate(&world).await.expect("it goes on");
        let what = format!("moment {moment}");
        assert_eq!(
            outcomes(&world).await,
            vec![Outcome::Succeeded; 3],
            "{what}"
        );
        world.judge_at_rest(&what).await;
    }
}

#[tokio::test]
async fn a_process_that_died_between_publishing_and_closing_leaves_only_the_label_to_take_off() {
    let world = World::new(FakeKind::Password).await;
    let (service, ask, stop) = (world.service(), world.ask(), StopAt::new(8));
    let mut dying = Box::pin(service.rotate(&world.secret, ask.clone(), &stop));
    tokio::select! {
        ended = &mut dying => panic!("{ended:?}"),
        () = stop.reached.notified() => world.outlive_leases(),
    }
    for stage in [Stage::Pending, Stage::Current] {
        assert_eq!(world.holder(&stage).await, Some(ask.token.clone()));
    }
    let resumed = world.service().resume(&world.secret, &Unwatched).await;
    let resumed = resumed
        .expect("closed")
        .expect("there was something to finish");
    assert_eq!(resumed.record.token, ask.token);
    let nothing_done = |step: &StepRecord| matches!(&step.outcome, StepOutcome::Passed(report) if report.result == StepResult::AlreadyDone);
    assert!(resumed.record.steps[4..].iter().all(nothing_done));
    world.judge_at_rest("closed").await;
    let nothing = world.service().resume(&world.secret, &Unwatched).await;
    assert!(nothing.expect("looked").is_none());
}

#[tokio::test(start_paused = true)]
async fn a_lease_is_renewed_while_a_step_takes_long() {
    let world = World::new(FakeKind::Password).await;
    world.injector.freeze_at(3);
    let service = world.service();
    let mut slow = Box::pin(service.rotate(&world.secret, world.ask(), &Unwatched));
    assert!(world.injector.until_frozen(slow.as_mut()).await);
    for _ in 0..3 {
        world.machine.advance(TimeDelta::seconds(8));
        tokio::time::sleep(Duration::from_secs(4)).await;
    }
    let standing = world.service().standing(&world.secret).await.expect("read");
    assert!(matches!(standing, Standing::Running(_)), "{standing:?}");
    world.injector.thaw();
    assert!(!slow.await.expect("slow, but sure").joined);
}

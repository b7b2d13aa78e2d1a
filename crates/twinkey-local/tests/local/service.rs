//! Rotations as the service runs them: calm, refused, failing, joined, resumed, forced.

use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use async_trait::async_trait;
use chrono::TimeDelta;
use tokio::sync::Notify;
use twinkey_core::{
    Outcome, SecretId, Stage, Step, StepOutcome, StepRecord, StepResult, Store, VersionId,
};
use twinkey_local::{Rotation, ServiceError, Standing, Unwatched, Watch};
use twinkey_testkit::{FakeKind, Fault};

use crate::world::World;

/// Writes down what it is told.
#[derive(Default)]
struct Notes(Mutex<Vec<String>>);

impl Notes {
    fn add(&self, note: impl Into<String>) {
        self.0.lock().expect("no panic").push(note.into());
    }

    fn all(&self) -> Vec<String> {
        self.0.lock().expect("no panic").clone()
    }
}

#[async_trait]
impl Watch for Notes {
    async fn waiting(&self, _: &SecretId, _: &VersionId) {
        self.add("waiting");
    }

    async fn resuming(&self, _: &SecretId, _: &VersionId) {
        self.add("resuming");
    }

    async fn beginning(&self, _: &SecretId, _: &VersionId) {
        self.add("beginning");
    }

    async fn before(&self, _: &SecretId, step: Step) {
        self.add(format!("before {step}"));
    }

    async fn after(&self, _: &SecretId, step: &StepRecord) {
        self.add(format!("after {}", step.step));
    }
}

async fn rotate(world: &World) -> Result<Rotation, ServiceError> {
    world
        .service()
        .rotate(&world.secret, world.ask(), &Unwatched)
        .await
}

async fn outcomes(world: &World) -> Vec<Outcome> {
    let records = world.store.records(&world.secret).await.expect("listed");
    records.into_iter().map(|record| record.outcome).collect()
}

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
    world.injector.refuse_every("ready");
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

#[tokio::test]
async fn p5_a_rotation_that_failed_with_a_stored_value_goes_on_with_its_own_token() {
    let world = World::empty(FakeKind::Password);
    world.put_first(&world.secret, "1h").await;
    world.injector.refuse_every("apply");
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
    world.injector.refuse_every("apply");
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
            world.injector.arm(0, Fault::RefuseOnce);
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
    world.injector.refuse_every("apply");
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

/// Never comes back from the `n`th thing it is told.
struct StopAt {
    left: AtomicUsize,
    reached: Notify,
}

impl StopAt {
    fn new(left: usize) -> Self {
        let (left, reached) = (AtomicUsize::new(left), Notify::new());
        Self { left, reached }
    }

    async fn pass(&self) {
        if self.left.fetch_sub(1, Ordering::Relaxed) == 0 {
            self.reached.notify_one();
            std::future::pending::<()>().await;
        }
    }
}

#[async_trait]
impl Watch for StopAt {
    async fn beginning(&self, _: &SecretId, _: &VersionId) {
        self.pass().await;
    }

    async fn before(&self, _: &SecretId, _: Step) {
        self.pass().await;
    }

    async fn after(&self, _: &SecretId, _: &StepRecord) {
        self.pass().await;
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

//! The scheduler, by a clock that the tests move. Tokio's own time is paused: nothing is slept.

use std::collections::BTreeMap;
use std::time::Duration;

use chrono::TimeDelta;
use tokio::sync::{mpsc, oneshot};
use tokio::task::JoinHandle;
use twinkey_core::{
    Clock, Credential, Description, MIN_OVERLAP_TAG, SCHEDULE_TAG, SecretId, SecretValue, Stage,
    Store, VersionId,
};
use twinkey_local::{Event, Rotation, Scheduler, ServiceError};
use twinkey_testkit::{FakeKind, FakeSecret};

use crate::world::World;

const TICK: Duration = Duration::from_secs(1);

/// A scheduler at work in a process of its own.
struct Running {
    events: mpsc::UnboundedReceiver<Event>,
    stop: oneshot::Sender<()>,
    task: JoinHandle<()>,
}

impl Running {
    fn start(world: &World) -> Self {
        let (send, events) = mpsc::unbounded_channel();
        let (stop, stopped) = oneshot::channel();
        let scheduler = Scheduler::new(world.service(), TICK, move |event| {
            let _ = send.send(event.clone());
        });
        let shutdown = async {
            let _ = stopped.await;
        };
        Self {
            events,
            stop,
            task: tokio::spawn(scheduler.run(shutdown)),
        }
    }

    async fn event(&mut self) -> Event {
        let event = tokio::time::timeout(Duration::from_hours(1), self.events.recv()).await;
        event.expect("something happens").expect("it runs")
    }

    async fn rotated(&mut self) -> Rotation {
        match self.event().await {
            Event::Rotated(rotation) => *rotation,
            other => panic!("{other:?}"),
        }
    }

    async fn failed(&mut self) -> (SecretId, ServiceError, chrono::DateTime<chrono::Utc>) {
        match self.event().await {
            Event::Failed {
                secret,
                error,
                retry_at,
            } => (secret, *error, retry_at),
            other => panic!("{other:?}"),
        }
    }

    async fn problem(&mut self) -> (Option<SecretId>, ServiceError) {
        match self.event().await {
            Event::Problem { secret, error } => (secret, *error),
            other => panic!("{other:?}"),
        }
    }

    /// Some ticks pass, and nothing happens.
    async fn is_quiet(&mut self) {
        tokio::time::sleep(TICK * 10).await;
        assert!(self.events.is_empty(), "{:?}", self.events.try_recv());
    }

    async fn stop(self) {
        let _ = self.stop.send(());
        self.task.await.expect("it stops cleanly");
    }
}

async fn scheduled(kind: FakeKind) -> World {
    let world = World::new(kind).await;
    world.tag(SCHEDULE_TAG, "rate(20 minutes)").await;
    world
}

fn minutes(count: i64) -> TimeDelta {
    TimeDelta::minutes(count)
}

fn slot_token(world: &World, description: &Description) -> VersionId {
    let since = description.current_since.expect("it moved");
    VersionId::scheduled(&world.store.address(&world.secret), since + minutes(20))
}

#[tokio::test(start_paused = true)]
async fn a_secret_rotates_when_it_is_due_and_not_before() {
    let world = scheduled(FakeKind::Password).await;
    let mut scheduler = Running::start(&world);
    scheduler.is_quiet().await;
    for _ in 0..3 {
        let description = world
            .store
            .describe(&world.secret)
            .await
            .expect("described");
        world.clock.advance(minutes(19));
        scheduler.is_quiet().await;
        world.clock.advance(minutes(1));
        let rotation = scheduler.rotated().await;
        assert_eq!(rotation.record.token, slot_token(&world, &description));
        world.judge_at_rest("after a scheduled rotation").await;
    }
    scheduler.is_quiet().await;
    scheduler.stop().await;
}

#[tokio::test(start_paused = true)]
async fn a_schedule_missed_many_times_is_caught_up_once() {
    let world = scheduled(FakeKind::Password).await;
    world.clock.advance(TimeDelta::days(3));
    let mut scheduler = Running::start(&world);
    scheduler.rotated().await;
    scheduler.is_quiet().await;
    scheduler.stop().await;
    assert_eq!(
        world
            .store
            .records(&world.secret)
            .await
            .expect("listed")
            .len(),
        1
    );
}

#[tokio::test(start_paused = true)]
async fn p5_two_schedulers_ask_for_the_same_rotation() {
    let world = scheduled(FakeKind::Password).await;
    let (one, other) = (Running::start(&world), Running::start(&world));
    for round in 1..=3 {
        world.clock.advance(minutes(20));
        tokio::time::sleep(TICK * 20).await;
        let records = world.store.records(&world.secret).await.expect("listed");
        assert_eq!(records.len(), round);
    }
    one.stop().await;
    other.stop().await;
    world.judge_at_rest("after three slots").await;
}

#[tokio::test(start_paused = true)]
async fn p9_the_scheduler_waits_out_the_minimum_overlap() {
    let world = scheduled(FakeKind::Password).await;
    world.tag(MIN_OVERLAP_TAG, "1h").await;
    let mut scheduler = Running::start(&world);
    world.clock.advance(minutes(20));
    scheduler.rotated().await;
    world.clock.advance(minutes(59));
    scheduler.is_quiet().await;
    world.clock.advance(minutes(1));
    scheduler.rotated().await;
    scheduler.stop().await;
}

/// Puts a document whose key the server refuses.
async fn put_broken(world: &World, name: &str) -> SecretId {
    let secret = SecretId::new(name);
    let document = FakeSecret {
        server: "fake".into(),
        account: name.into(),
        value: Some("TEST-unknown".into()),
        expires_at: None,
    };
    let tags = BTreeMap::from([(SCHEDULE_TAG.to_owned(), "rate(20 minutes)".to_owned())]);
    world
        .store
        .put_value(&secret, &world.id(), &document.render(), &tags)
        .await
        .expect("stored");
    secret
}

#[tokio::test(start_paused = true)]
async fn one_failing_secret_holds_up_no_other_and_is_tried_again_ever_later() {
    let world = scheduled(FakeKind::Password).await;
    let broken = put_broken(&world, "a-broken-one").await;
    world.clock.advance(minutes(20));
    let mut scheduler = Running::start(&world);
    let (mut rotated, mut failed) = (0, 0);
    for _ in 0..2 {
        match scheduler.event().await {
            Event::Rotated(rotation) if rotation.record.secret == world.secret => rotated += 1,
            Event::Failed {
                secret, retry_at, ..
            } if secret == broken => {
                assert_eq!(retry_at, world.clock.now() + minutes(1));
                failed += 1;
            }
            other => panic!("{other:?}"),
        }
    }
    assert_eq!((rotated, failed), (1, 1));
    world
        .store
        .untag(&world.secret, &[SCHEDULE_TAG.to_owned()])
        .await
        .expect("untagged");
    for pause in [1, 2, 4, 8, 15, 15] {
        world.clock.advance(minutes(pause) - TimeDelta::seconds(1));
        scheduler.is_quiet().await;
        world.clock.advance(TimeDelta::seconds(1));
        let (secret, error, _) = scheduler.failed().await;
        assert_eq!(
            (secret, error.error_type()),
            (broken.clone(), "CurrentRefused")
        );
    }
    scheduler.stop().await;
    let records = world.store.records(&broken).await.expect("listed");
    assert_eq!(records.len(), 1, "one slot, one token, one record");
    assert_eq!(records[0].steps.len(), 7);
}

#[tokio::test(start_paused = true)]
async fn p11_a_problem_is_told_once_and_the_secret_rotates_when_it_is_mended() {
    let world = scheduled(FakeKind::Password).await;
    world
        .store
        .untag(&world.secret, &[MIN_OVERLAP_TAG.to_owned()])
        .await
        .expect("untagged");
    world.put_by_hand("TEST-no-document").await;
    world.clock.advance(minutes(20));
    let mut scheduler = Running::start(&world);
    let (secret, error) = scheduler.problem().await;
    assert_eq!(
        (secret, error.error_type()),
        (Some(world.secret.clone()), "InvalidDocument")
    );
    scheduler.is_quiet().await;
    world.put_first(&world.secret, "0s").await;
    scheduler.is_quiet().await;
    world.clock.advance(minutes(20));
    scheduler.rotated().await;
    scheduler.stop().await;
}

#[tokio::test(start_paused = true)]
async fn a_damaged_secret_is_told_and_holds_up_no_other() {
    let world = scheduled(FakeKind::Password).await;
    let damaged = put_broken(&world, "a-damaged-one").await;
    rusqlite::Connection::open(world.file())
        .and_then(|file| {
            file.execute(
                "UPDATE secret SET state = x'00' WHERE name = 'a-damaged-one'",
                [],
            )
        })
        .expect("changed");
    world.clock.advance(minutes(20));
    let mut scheduler = Running::start(&world);
    let (secret, error) = scheduler.problem().await;
    assert_eq!(
        (secret, error.error_type()),
        (Some(damaged), "StoreCorrupt")
    );
    let rotation = scheduler.rotated().await;
    assert_eq!(rotation.record.secret, world.secret);
    scheduler.stop().await;
}

#[tokio::test(start_paused = true)]
async fn p5_the_retry_of_a_failed_rotation_goes_on_with_its_token() {
    let world = scheduled(FakeKind::Password).await;
    world.injector.fail_every("apply");
    world.clock.advance(minutes(20));
    let mut scheduler = Running::start(&world);
    let (_, error, _) = scheduler.failed().await;
    assert!(
        matches!(error, ServiceError::Step { pending: true, .. }),
        "{error:?}"
    );
    let token = error.record().expect("recorded").token.clone();
    scheduler.is_quiet().await;
    world.injector.disarm();
    world.clock.advance(minutes(1));
    let rotation = scheduler.rotated().await;
    assert!(rotation.resumed);
    assert_eq!(rotation.record.token, token);
    scheduler.stop().await;
    world.judge_at_rest("after a retry").await;
}

#[tokio::test(start_paused = true)]
async fn p5_an_interrupted_rotation_is_finished_even_if_nothing_is_due() {
    let world = World::new(FakeKind::Password).await;
    let token = world.ask().token;
    world
        .store
        .begin_rotation(&world.secret, &token, None, &world.lease())
        .await
        .expect("begun");
    let mut scheduler = Running::start(&world);
    scheduler.is_quiet().await;
    world.outlive_leases();
    let rotation = scheduler.rotated().await;
    assert_eq!((rotation.record.token, rotation.resumed), (token, true));
    scheduler.is_quiet().await;
    scheduler.stop().await;
    world.judge_at_rest("after finishing").await;
}

#[tokio::test(start_paused = true)]
async fn p5_a_slot_whose_key_died_before_it_was_published_gets_another_token() {
    let world = scheduled(FakeKind::Token { listable: true }).await;
    world.clock.advance(minutes(20));
    let mut scheduler = Running::start(&world);
    let first = scheduler.rotated().await.record.token;
    world.clock.advance(minutes(20));
    let dead = failing_after_mint(&world, &mut scheduler).await;
    world.clock.advance(minutes(61));
    let (_, error, _) = scheduler.failed().await;
    assert_eq!(error.error_type(), "PendingDead");
    assert_eq!(world.holder(&Stage::Pending).await, None);
    world.clock.advance(minutes(2));
    let rotation = scheduler.rotated().await;
    assert!(rotation.record.token != dead && rotation.record.token != first);
    assert!(world.works(Stage::Current).await);
    scheduler.stop().await;
}

/// The next rotation mints, stores, and then cannot reach the server.
async fn failing_after_mint(world: &World, scheduler: &mut Running) -> VersionId {
    world.injector.disarm();
    while !world
        .injector
        .calls()
        .iter()
        .any(|call| call.name == "mint")
    {
        tokio::task::yield_now().await;
    }
    world.injector.fail_every("verify");
    let (_, error, _) = scheduler.failed().await;
    assert!(
        matches!(error, ServiceError::Step { pending: true, .. }),
        "{error:?}"
    );
    world.injector.disarm();
    error.record().expect("recorded").token.clone()
}

#[tokio::test(start_paused = true)]
async fn told_to_stop_it_lets_the_rotation_that_runs_finish() {
    let world = scheduled(FakeKind::Password).await;
    world.injector.freeze_at(3);
    world.clock.advance(minutes(20));
    let mut scheduler = Running::start(&world);
    let mut never = Box::pin(std::future::pending::<()>());
    assert!(world.injector.until_frozen(never.as_mut()).await);
    let stopping = async {
        let _ = scheduler.stop.send(());
        tokio::time::sleep(TICK * 5).await;
        assert!(!scheduler.task.is_finished(), "it waits for the step");
        world.injector.thaw();
        scheduler.task.await.expect("it stops cleanly");
    };
    stopping.await;
    assert!(matches!(
        scheduler.events.recv().await,
        Some(Event::Rotated(_))
    ));
    world.judge_at_rest("after stopping").await;
}

#[tokio::test(start_paused = true)]
async fn secrets_without_a_schedule_may_be_anything() {
    let world = World::new(FakeKind::Password).await;
    let value = SecretValue::new("TEST-a-licence-key".into());
    world
        .store
        .put_value(
            &SecretId::new("licence"),
            &world.id(),
            &value,
            &BTreeMap::new(),
        )
        .await
        .expect("stored");
    world.clock.advance(TimeDelta::days(1));
    let mut scheduler = Running::start(&world);
    scheduler.is_quiet().await;
    scheduler.stop().await;
}

//! A person asks for one rotation.

use rand::SeedableRng;
use rand::rngs::StdRng;
use twinkey_aws::{Asked, ManualAsk, NotAsked};
use twinkey_core::{MIN_OVERLAP_TAG, SecretId, Slot, Stage, Store, Trigger};
use twinkey_testkit::FakeClock;

use crate::world::{World, id, value};

async fn ask(world: &World, reason: Option<&str>, force: bool) -> Result<Asked, NotAsked> {
    let ask = ManualAsk {
        secret: world.secret.clone(),
        reason: reason.map(str::to_owned),
        force,
    };
    let mut random = StdRng::seed_from_u64(5);
    let clock = FakeClock::default();
    world.store.rotate_one(&ask, &clock, &mut random).await
}

/// Version `b` has replaced `a` just now.
async fn rotated() -> World {
    let world = World::begun().await;
    world.put().await.expect("stored");
    world.promote().await.expect("moved");
    let fake = world.server.fake();
    fake.tag(&world.secret, MIN_OVERLAP_TAG, "1h");
    let _ = world.server.take_calls();
    world
}

#[tokio::test]
async fn a_manual_rotation_is_two_calls_by_a_token_that_says_so() {
    let world = World::new().await;
    world
        .server
        .fake()
        .put_by_hand(&world.secret, &id('a'), &value());
    let asked = ask(&world, Some(" leaver\n"), false).await.expect("asked");
    assert_eq!(
        world.server.take_calls(),
        ["DescribeSecret", "RotateSecret"]
    );
    assert_eq!(asked.secret, world.server.arn("db/app"));
    assert_eq!(asked.reason.as_deref(), Some("leaver"));
    assert_eq!(asked.token.trigger(), Trigger::Manual);
    assert!(!asked.token.is_forced());
    let again = ask(&world, None, false).await.expect_err("in flight");
    assert_eq!(again.error_type(), "RotationInProgress");
    assert!(again.to_string().contains(asked.token.as_str()), "{again}");
}

#[tokio::test]
async fn p9_the_overlap_is_checked_before_asking_unless_a_person_forces_it_with_a_reason() {
    let world = rotated().await;
    let error = ask(&world, None, false).await.expect_err("too early");
    assert_eq!(error.error_type(), "MinimumOverlap");
    let error = ask(&world, Some("  "), true).await.expect_err("no reason");
    assert_eq!(error.error_type(), "ReasonMissing");
    assert_eq!(world.server.count("RotateSecret"), 0);
    let asked = ask(&world, Some("leaked"), true).await.expect("asked");
    assert!(asked.token.is_forced());
}

#[tokio::test]
async fn p9_a_forced_rotation_detaches_a_pending_version_that_has_no_value_and_no_other() {
    let world = World::begun().await;
    let error = ask(&world, Some("leaked"), false)
        .await
        .expect_err("in flight");
    assert_eq!(error.error_type(), "RotationInProgress");
    let asked = ask(&world, Some("leaked"), true).await.expect("asked");
    let described = world
        .store
        .describe(&world.secret)
        .await
        .expect("described");
    assert_eq!(described.holder(&Stage::Pending), Some(&asked.token));

    let world = World::begun().await;
    world.put().await.expect("stored");
    let error = ask(&world, Some("leaked"), true)
        .await
        .expect_err("in flight");
    assert_eq!(error.error_type(), "RotationInProgress");
    let described = world
        .store
        .describe(&world.secret)
        .await
        .expect("described");
    assert_eq!(described.slot(&id('b')), Some(Slot::B));
}

#[tokio::test]
async fn p11_what_cannot_be_rotated_is_refused_before_it_is_asked_for() {
    let world = rotated().await;
    let fake = world.server.fake();
    fake.cancel_rotate_secret(&world.secret).expect("cancelled");
    let error = ask(&world, None, false).await.expect_err("off");
    assert_eq!(error.error_type(), "RotationOff");
    let missing = World {
        secret: SecretId::new("db/missing"),
        ..world
    };
    let error = ask(&missing, None, false).await.expect_err("unknown");
    assert_eq!(error.error_type(), "SecretNotFound");
    assert_eq!(missing.server.count("RotateSecret"), 0);
}

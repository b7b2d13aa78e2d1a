//! Lost replies and refusals for a moment: what the SDK repeats, and what it leaves to the caller.

use serde_json::json;
use twinkey_aws::RotationToken;
use twinkey_core::{Selector, Slot, Stage, Store, StoreError};
use twinkey_test_aws::Trouble;

use crate::world::{World, id, value};

const PASSING: [Trouble; 4] = [
    Trouble::Throttle,
    Trouble::Break,
    Trouble::DropBefore,
    Trouble::DropAfter,
];

#[tokio::test]
async fn p5_a_read_is_repeated_whatever_became_of_it() {
    for trouble in PASSING {
        let world = World::begun().await;
        world.server.next("DescribeSecret", trouble);
        world.server.next("GetSecretValue", trouble);
        let described = world.store.describe(&world.secret).await;
        assert!(described.is_ok(), "{trouble:?}: {described:?}");
        let at = Selector::Version(id('a'));
        let read = world.store.read(&world.secret, &at).await;
        assert_eq!(read.expect("read").value, value(), "{trouble:?}");
        assert_eq!(world.server.take_calls().len(), 4, "{trouble:?}");
    }
}

#[tokio::test]
async fn p5_a_put_is_transient_where_it_was_not_heard_of_and_may_be_repeated_as_it_was() {
    for trouble in PASSING {
        let world = World::begun().await;
        world.server.next("PutSecretValue", trouble);
        if trouble != Trouble::Throttle {
            let error = world.put().await.expect_err("its outcome is unknown");
            let transient = matches!(error, StoreError::Transient { .. });
            assert!(transient, "{trouble:?}: {error:?}");
        }
        world.put().await.expect("stored");
        let [first, second] = &world.server.requests("PutSecretValue")[..] else {
            panic!("two attempts");
        };
        assert_eq!(first, second, "{trouble:?}");
        let described = world.store.describe(&world.secret).await;
        let slot = described.expect("described").slot(&id('b'));
        assert_eq!(slot, Some(Slot::B), "{trouble:?}");
    }
}

#[tokio::test]
async fn p5_a_compare_and_swap_whose_reply_was_lost_is_transient_and_not_a_conflict() {
    for trouble in [Trouble::Break, Trouble::DropBefore, Trouble::DropAfter] {
        let world = World::begun().await;
        world.put().await.expect("stored");
        world.server.next("UpdateSecretVersionStage", trouble);
        let error = world.promote().await.expect_err("its outcome is unknown");
        let transient = matches!(error, StoreError::Transient { .. });
        assert!(transient, "{trouble:?}: {error:?}");
        assert_eq!(world.server.count("UpdateSecretVersionStage"), 1);
        let at = Selector::Stage(Stage::Current);
        let current = world.store.read(&world.secret, &at).await.expect("read");
        let moved = trouble == Trouble::DropAfter;
        assert_eq!(current.id == id('b'), moved, "{trouble:?}");
    }
}

#[tokio::test]
async fn a_compare_and_swap_is_repeated_where_it_was_throttled() {
    let world = World::begun().await;
    world.put().await.expect("stored");
    world
        .server
        .next("UpdateSecretVersionStage", Trouble::Throttle);
    world.promote().await.expect("moved");
    assert_eq!(world.server.count("UpdateSecretVersionStage"), 2);
}

/// After a throttled attempt too: only the last outcome counts.
#[tokio::test]
async fn p5_a_compare_and_swap_is_not_repeated_after_a_repetition_was_lost() {
    let world = World::begun().await;
    world.put().await.expect("stored");
    for trouble in [Trouble::Throttle, Trouble::DropAfter] {
        world.server.next("UpdateSecretVersionStage", trouble);
    }
    let error = world.promote().await.expect_err("its outcome is unknown");
    assert!(matches!(error, StoreError::Transient { .. }), "{error:?}");
    assert_eq!(world.server.count("UpdateSecretVersionStage"), 2);
}

#[tokio::test]
async fn p5_a_value_that_another_attempt_stored_is_a_conflict() {
    let world = World::begun().await;
    world.put().await.expect("stored");
    let other = twinkey_core::SecretValue::new("TEST-other".into());
    let error = world
        .put_as_pending(&other)
        .await
        .expect_err("another value");
    assert!(matches!(error, StoreError::Conflict { .. }), "{error:?}");
    let at = Selector::Version(id('b'));
    let stored = world.store.read(&world.secret, &at).await.expect("read");
    assert_eq!(stored.value, value());
}

const ROTATION_TOKEN: &str = "TEST-5c0e8c35-7e0f-4d0b-8a52-5f3a0e9b0d11";

#[tokio::test]
async fn p8_a_rotation_token_goes_back_with_the_put_and_nowhere_else() {
    let world = World::begun().await;
    let token = RotationToken::parse(ROTATION_TOKEN).expect("a token");
    let store = world.store.clone().with_rotation_token(token);
    let world = World { store, ..world };
    world
        .store
        .describe(&world.secret)
        .await
        .expect("described");
    let at = Selector::Stage(Stage::Current);
    world.store.read(&world.secret, &at).await.expect("read");
    world.put().await.expect("stored");
    world.promote().await.expect("moved");
    let with_token = |operation: &str| {
        let asked = world.server.requests(operation);
        asked[0].get("RotationToken").cloned()
    };
    assert_eq!(with_token("PutSecretValue"), Some(json!(ROTATION_TOKEN)));
    for operation in [
        "DescribeSecret",
        "GetSecretValue",
        "UpdateSecretVersionStage",
    ] {
        assert_eq!(with_token(operation), None, "{operation}");
    }
    world.server.next("PutSecretValue", Trouble::Quote);
    let error = world.put().await.expect_err("refused");
    let shown = format!("{error} {error:?} {:?}", world.store);
    assert!(!shown.contains("5c0e8c35"), "{shown}");
}

//! What every store must do, and how many calls that takes.

use serde_json::json;
use twinkey_core::{SecretId, Selector, Stage, Store, StoreError};
use twinkey_testkit::store_contract;

use crate::world::{PENDING, World, id, value};

#[tokio::test]
async fn secrets_manager_keeps_the_contract_of_every_store() {
    store_contract(World::new).await;
}

#[tokio::test]
async fn each_method_is_one_call() {
    let world = World::begun().await;
    let (store, secret) = (&world.store, &world.secret);
    store.describe(secret).await.expect("described");
    assert_eq!(world.server.take_calls(), ["DescribeSecret"]);
    for at in [
        Selector::Stage(Stage::Current),
        Selector::Version(id('a')),
        Selector::VersionAt(id('a'), Stage::Current),
    ] {
        store.read(secret, &at).await.expect("read");
        assert_eq!(world.server.take_calls(), ["GetSecretValue"]);
    }
    world.put().await.expect("stored");
    assert_eq!(world.server.take_calls(), ["PutSecretValue"]);
    world.promote().await.expect("moved");
    assert_eq!(world.server.take_calls(), ["UpdateSecretVersionStage"]);
    store.address(secret);
    assert!(world.server.take_calls().is_empty());
}

#[tokio::test]
async fn p10_a_value_is_asked_for_by_an_explicit_version_or_label() {
    let world = World::begun().await;
    let both = Selector::VersionAt(id('a'), Stage::Current);
    let cases = [
        (
            Selector::Stage(Stage::Current),
            json!({"VersionStage": "AWSCURRENT"}),
        ),
        (Selector::Version(id('a')), json!({"VersionId": id('a')})),
        (
            both,
            json!({"VersionId": id('a'), "VersionStage": "AWSCURRENT"}),
        ),
    ];
    for (at, mut asked) in cases {
        asked["SecretId"] = world.secret.as_str().into();
        world.store.read(&world.secret, &at).await.expect("read");
        assert_eq!(world.server.requests("GetSecretValue"), [asked]);
        let _ = world.server.take_calls();
    }
}

#[tokio::test]
async fn p5_the_token_of_the_rotation_is_the_id_of_the_version() {
    let world = World::begun().await;
    world.put().await.expect("stored");
    let asked = world.server.requests("PutSecretValue");
    assert_eq!(asked[0]["ClientRequestToken"], id('b').as_str());
    assert_eq!(
        asked[0]["VersionStages"],
        json!(["AWSPENDING", "twinkey-b"])
    );
    assert_eq!(asked[0].get("RotationToken"), None);
}

#[tokio::test]
async fn p11_what_could_be_right_in_no_state_is_refused_before_any_call() {
    let world = World::begun().await;
    let (store, secret, b) = (&world.store, &world.secret, id('b'));
    let unnamed = SecretId::new("");
    let current = Stage::Current;
    let refused = [
        store.describe(&unnamed).await.err(),
        store.put(secret, &b, &value(), &[]).await.err(),
        store.put(&unnamed, &b, &value(), &PENDING).await.err(),
        store
            .move_stage(secret, &current, Some(&b), None)
            .await
            .err(),
        store
            .move_stage(secret, &Stage::Pending, None, None)
            .await
            .err(),
    ];
    for error in refused {
        assert!(
            matches!(error, Some(StoreError::Invalid { .. })),
            "{error:?}"
        );
    }
    assert!(world.server.take_calls().is_empty());
}

#[tokio::test]
async fn a_name_becomes_an_arn_in_one_call_and_an_arn_is_one_already() {
    let world = World::begun().await;
    let arn = world.store.arn(&world.secret).await.expect("an ARN");
    assert_eq!(arn, world.server.arn("db/app"));
    assert_eq!(world.server.take_calls(), ["DescribeSecret"]);
    assert_eq!(world.store.arn(&arn).await.expect("an ARN"), arn);
    assert!(world.server.take_calls().is_empty());
    assert_eq!(
        world.store.address(&arn).to_string(),
        format!("{arn} in store aws")
    );
    let by_arn = world.store.describe(&arn).await.expect("described");
    assert!(by_arn.carries(&id('a'), &Stage::Current));
}

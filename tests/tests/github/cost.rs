//! What one rotation by the function costs: exact counts, so that a further call is a decision.

use std::sync::Arc;

use serde_json::{Value, json};
use twinkey_core::{SecretId, SecretValue, SystemClock, VersionId};
use twinkey_test_github::{AppKey, GithubStub};
use twinkey_tests::{Counts, GithubCost};

use crate::rotation_function::{World, kms};
use crate::{deploy_key_document, token_document};

fn counts<const N: usize>(expected: [(&str, usize); N]) -> Counts {
    expected.map(|(name, count)| (name.into(), count)).into()
}

/// Of a later rotation, with the App's key in KMS; and how often it signs: where the key is a PEM in a secret, the secret is read
/// so often.
async fn cost(name: &str, document: impl Fn(&GithubStub, &Value) -> Value) -> (GithubCost, usize) {
    let mut world = World::new().await;
    let key = AppKey::generate();
    let other = GithubStub::start(Arc::new(SystemClock), key.public_der()).await;
    let both = format!("{},{}", world.stub.base(), other.base());
    world.function.set("TWINKEY_GITHUB_API", both);
    world.put(name, &document(&world.stub, &kms()));
    let by_kms = of_a_rotation(&mut world, name).await;
    let pem = SecretValue::new(key.pem());
    let version = VersionId::random(&mut rand::rng());
    let fake = world.account.aws.fake();
    fake.put_by_hand(&SecretId::new("app/pem"), &version, &pem);
    world.stub = other;
    let app_key = json!({"secret": world.account.aws.arn("app/pem")});
    world.put("other", &document(&world.stub, &app_key));
    let by_pem = of_a_rotation(&mut world, "other").await;
    let reads = |cost: &GithubCost| cost.calls["GetSecretValue"];
    let signatures = reads(&by_pem) - reads(&by_kms);
    (by_kms, signatures)
}

async fn of_a_rotation(world: &mut World, name: &str) -> GithubCost {
    // Two keys are in place.
    for _ in 0..2 {
        world.rotate(name).await;
    }
    GithubCost::of_a_rotation(&world.account, &world.stub, &mut world.function, name).await
}

#[tokio::test]
async fn a_rotation_of_a_token_makes_so_many_calls_and_requests_and_no_more() {
    let (cost, signatures) = cost("ci/token", token_document).await;
    let calls = [
        ("DescribeSecret", 3),
        ("GetSecretValue", 6),
        ("PutSecretValue", 1),
        ("UpdateSecretVersionStage", 1),
    ];
    assert_eq!(cost.calls, counts(calls));
    assert_eq!(
        cost.requests,
        counts([("GET", 5), ("DELETE", 1), ("POST", 1)])
    );
    assert_eq!(signatures, 1);
}

#[tokio::test]
async fn a_rotation_of_a_deploy_key_makes_so_many_calls_and_requests_and_no_more() {
    let (cost, signatures) = cost("ci/key", deploy_key_document).await;
    let calls = [
        ("DescribeSecret", 6),
        ("GetSecretValue", 7),
        ("PutSecretValue", 1),
        ("UpdateSecretVersionStage", 1),
    ];
    assert_eq!(cost.calls, counts(calls));
    assert_eq!(
        cost.requests,
        counts([("GET", 11), ("DELETE", 4), ("POST", 4)])
    );
    assert_eq!(signatures, 3);
}

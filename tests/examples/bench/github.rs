//! Both kinds at GitHub, with the App's key as a PEM in a secret: what signs is then the function itself.

use std::sync::Arc;

use serde_json::json;
use twinkey_core::{MIN_OVERLAP_TAG, SecretId, SecretValue, SystemClock, VersionId};
use twinkey_test_github::{AppKey, GithubStub};
use twinkey_tests::{Account, Function, GithubCost, deploy_key_document, token_document};

use crate::measure::{Rotations, warm_rotations};

/// One kind.
pub(crate) struct Kind {
    pub(crate) name: &'static str,
    pub(crate) cost: GithubCost,
    pub(crate) rotations: Rotations,
}

/// Each kind by a process of its own.
pub(crate) async fn measure(account: &Account, mut function: Function) -> [Kind; 2] {
    let key = AppKey::generate();
    let stub = GithubStub::start(Arc::new(SystemClock), key.public_der()).await;
    let pem = VersionId::random(&mut rand::rng());
    let fake = account.aws.fake();
    fake.put_by_hand(
        &SecretId::new("app/pem"),
        &pem,
        &SecretValue::new(key.pem()),
    );
    let app_key = json!({"secret": account.aws.arn("app/pem")});
    account.put("ci/token", &token_document(&stub, &app_key));
    account.put("ci/key", &deploy_key_document(&stub, &app_key));
    function.set("TWINKEY_GITHUB_API", stub.base());
    [
        kind(
            "installation token",
            "ci/token",
            account,
            &stub,
            &mut function,
        )
        .await,
        kind("deploy key", "ci/key", account, &stub, &mut function).await,
    ]
}

async fn kind(
    name: &'static str,
    secret: &str,
    account: &Account,
    stub: &GithubStub,
    function: &mut Function,
) -> Kind {
    function.end().await;
    let fake = account.aws.fake();
    fake.tag(&SecretId::new(secret), MIN_OVERLAP_TAG, "0s");
    for _ in 0..2 {
        let token = account.begin(secret);
        let rotated = function.rotate(&account.aws.arn(secret), &token).await;
        rotated.expect("nothing disturbs it");
    }
    Kind {
        name,
        cost: GithubCost::of_a_rotation(account, stub, function, secret).await,
        rotations: warm_rotations(account, function, secret).await,
    }
}

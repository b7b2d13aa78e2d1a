//! The real `bootstrap`: Secrets Manager by the strict fake, KMS by moto, GitHub by our stub, which knows the App's
//! public key alone.

use std::sync::Arc;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Value, json};
use twinkey_core::{MIN_OVERLAP_TAG, SecretId, Stage, SystemClock};
use twinkey_test_aws::{Moto, boto3};
use twinkey_test_github::{GithubStub, Trouble};
use twinkey_tests::{Account, Function, forms};

use crate::{deploy_key_document, token_document};

const ALIAS: &str = "alias/TEST-github-app";
/// A key for signing, its alias, and its public half.
const PREPARE: &str = r#"
import base64, boto3, os
kms = boto3.client("kms", endpoint_url=os.environ["ENDPOINT"])
key = kms.create_key(KeyUsage="SIGN_VERIFY", KeySpec="RSA_2048")["KeyMetadata"]["KeyId"]
kms.create_alias(AliasName="ALIAS", TargetKeyId=key)
print(base64.b64encode(kms.get_public_key(KeyId=key)["PublicKey"]).decode())
"#;

pub(crate) struct World {
    pub(crate) account: Account,
    pub(crate) stub: GithubStub,
    pub(crate) function: Function,
    _moto: Moto,
}

impl World {
    pub(crate) async fn new() -> Self {
        let moto = Moto::start();
        let (endpoint, script) = (moto.endpoint().to_owned(), PREPARE.replace("ALIAS", ALIAS));
        let prepared = tokio::task::spawn_blocking(move || boto3(&endpoint, &script));
        let public = prepared.await.expect("prepared");
        let public = STANDARD.decode(public.trim()).expect("base64");
        let account = Account::open().await;
        let stub = GithubStub::start(Arc::new(SystemClock), public).await;
        let mut function = account.function();
        function.set("TWINKEY_GITHUB_API", stub.base());
        function.set("AWS_ENDPOINT_URL_KMS", moto.endpoint());
        Self {
            account,
            stub,
            function,
            _moto: moto,
        }
    }

    pub(crate) fn put(&self, name: &str, document: &Value) -> SecretId {
        self.account.put(name, document);
        self.account
            .aws
            .fake()
            .tag(&SecretId::new(name), MIN_OVERLAP_TAG, "0s");
        self.account.aws.arn(name)
    }

    pub(crate) async fn rotate(&mut self, name: &str) {
        let arn = self.account.aws.arn(name);
        let token = self.account.begin(name);
        let rotated = self.function.rotate(&arn, &token).await;
        rotated.unwrap_or_else(|answer| panic!("{answer:?}"));
    }

    fn field(&self, name: &str, stage: &Stage, field: &str) -> String {
        let document = self.account.at(name, stage).expect("a document");
        document[field].as_str().expect("a text").to_owned()
    }
}

pub(crate) fn kms() -> Value {
    json!({"kms": ALIAS})
}

#[tokio::test]
async fn a_token_signed_for_by_kms_is_rotated_and_both_work() {
    let mut world = World::new().await;
    world.put("ci/token", &token_document(&world.stub, &kms()));
    for _ in 0..3 {
        world.rotate("ci/token").await;
    }
    for stage in [Stage::Current, Stage::Previous] {
        assert!(
            world
                .stub
                .accepts(&world.field("ci/token", &stage, "token"))
        );
    }
    assert_eq!(world.stub.live_tokens(), 2);
}

#[tokio::test]
async fn a_deploy_key_signed_for_by_kms_is_rotated_and_both_are_registered() {
    let mut world = World::new().await;
    world.put("ci/key", &deploy_key_document(&world.stub, &kms()));
    for _ in 0..3 {
        world.rotate("ci/key").await;
    }
    let keys = world.stub.keys("acme/widgets");
    assert_eq!(keys.len(), 2);
    assert_eq!(world.stub.live_work_tokens(), 0);
}

#[tokio::test]
async fn p4_a_token_for_a_step_whose_mint_is_lost_is_told() {
    const TOLD: &str = "a token for this step may live on, for an hour at most";
    let mut world = World::new().await;
    world.put("ci/key", &deploy_key_document(&world.stub, &kms()));
    world.rotate("ci/key").await;
    let written = |world: &World| {
        let streams = world.function.streams();
        [streams.stdout(), streams.stderr()].concat()
    };
    assert!(!written(&world).contains(TOLD), "a calm rotation");
    // The first request of every step is the mint.
    world.stub.trouble(0, Trouble::LosesReply);
    let (arn, token) = (
        world.account.aws.arn("ci/key"),
        world.account.begin("ci/key"),
    );
    let refused = world.function.rotate(&arn, &token).await;
    refused.expect_err("the step fails");
    assert_eq!(world.stub.live_work_tokens(), 1);
    assert!(written(&world).contains(TOLD), "{}", written(&world));
}

#[tokio::test]
async fn p8_no_token_and_no_key_is_in_what_the_function_writes_at_its_loudest() {
    let mut world = World::new().await;
    world.function.set("RUST_LOG", "trace");
    world.put("ci/token", &token_document(&world.stub, &kms()));
    world.put("ci/key", &deploy_key_document(&world.stub, &kms()));
    for _ in 0..2 {
        world.rotate("ci/token").await;
        world.rotate("ci/key").await;
    }
    let streams = world.function.streams();
    let written = [streams.stdout(), streams.stderr()].concat();
    // What is found, if it is there: the secret's name, in each of the same forms.
    assert!(written.contains("ci/token"), "nothing was written");
    assert!(written.len() > 10_000, "it is not at its loudest");
    for (name, field) in [("ci/token", "token"), ("ci/key", "private_key")] {
        for stage in [Stage::Current, Stage::Previous] {
            let secret = world.field(name, &stage, field);
            for form in forms(&secret) {
                assert!(!written.contains(&form), "{field} of {name} is written");
            }
        }
    }
    // Nor what signs: the third part of a web token is as good as a password for nine minutes.
    assert!(
        !written.contains("eyJhbGciOiJSUzI1NiI"),
        "a web token is written"
    );
}

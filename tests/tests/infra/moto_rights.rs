//! A rotation of a token under moto's IAM, which checks who signs and which action is asked for.
//!
//! What moto 5.2.5 does not do: for Secrets Manager and KMS, a statement whose resource is not `*` never matches, and conditions are
//! ignored. So the actions stand here alone; resources and conditions are in tests/infra.

use std::sync::Arc;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Value, json};
use twinkey_core::{SecretId, SystemClock, VersionId};
use twinkey_test_aws::{Moto, boto3};
use twinkey_test_github::GithubStub;
use twinkey_tests::{Function, token_document};

use crate::story::{dependent, failed, rights};

/// A person who may do everything, the function's user, and the App's key. From then on rights are checked.
const PREPARE: &str = r#"
import base64, boto3, json, os, urllib.request
at = {"endpoint_url": os.environ["ENDPOINT"]}
iam, kms = boto3.client("iam", **at), boto3.client("kms", **at)
def user(name, actions):
    iam.create_user(UserName=name)
    document = {"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Action": actions, "Resource": "*"}]}
    iam.put_user_policy(UserName=name, PolicyName="rights", PolicyDocument=json.dumps(document))
    key = iam.create_access_key(UserName=name)["AccessKey"]
    return [key["AccessKeyId"], key["SecretAccessKey"]]
person, function = user("TEST-person", "*"), user("TEST-function", json.loads('ACTIONS'))
key = kms.create_key(KeyUsage="SIGN_VERIFY", KeySpec="RSA_2048")["KeyMetadata"]["KeyId"]
kms.create_alias(AliasName="alias/TEST-app", TargetKeyId=key)
public = base64.b64encode(kms.get_public_key(KeyId=key)["PublicKey"]).decode()
reset = urllib.request.Request(at["endpoint_url"] + "/moto-api/reset-auth", b"0", {"Content-Type": "text/plain"})
urllib.request.urlopen(reset).read()
print(json.dumps({"person": person, "function": function, "public": public}))
"#;
/// Puts the document, if it is not there yet, and begins a rotation, as moto lets it begin: with a function that it does not find.
const BEGIN: &str = r#"
import boto3, os
from botocore.exceptions import ClientError
client = boto3.client("secretsmanager", endpoint_url=os.environ["ENDPOINT"], aws_access_key_id="ACCESS_KEY", aws_secret_access_key="PASSPHRASE")
try:
    client.create_secret(Name="ci/token", SecretString='''DOCUMENT''', Tags=[{"Key": "twinkey:min-overlap", "Value": "0s"}])
except ClientError as error:
    assert error.response["Error"]["Code"] == "ResourceExistsException", error
for version, stages in client.describe_secret(SecretId="ci/token")["VersionIdsToStages"].items():
    # Both labels on one version are a rotation that has ended; moto takes them for one in flight.
    if {"AWSCURRENT", "AWSPENDING"} <= set(stages):
        client.update_secret_version_stage(SecretId="ci/token", VersionStage="AWSPENDING", RemoveFromVersionId=version)
try:
    client.rotate_secret(SecretId="ci/token", ClientRequestToken="TOKEN", RotationRules={"AutomaticallyAfterDays": 30},
        RotationLambdaARN="arn:aws:lambda:eu-central-1:123456789012:function:TEST-missing")
except ClientError as error:
    assert error.response["Error"]["Code"] == "ResourceNotFoundException", error
print(client.describe_secret(SecretId="ci/token")["ARN"])
"#;

async fn person(moto: &Moto, script: String) -> String {
    let endpoint = moto.endpoint().to_owned();
    let told = tokio::task::spawn_blocking(move || boto3(&endpoint, &script));
    told.await.expect("told").trim().to_owned()
}

struct World {
    moto: Moto,
    stub: GithubStub,
    function: Function,
    person: [String; 2],
}

impl World {
    async fn open(actions: &[String]) -> Self {
        let moto = Moto::start();
        let script = PREPARE.replace("ACTIONS", &json!(actions).to_string());
        let told: Value = serde_json::from_str(&person(&moto, script).await).expect("JSON");
        let text = |value: &Value| value.as_str().expect("a text").to_owned();
        let key = |who: &str| [0, 1].map(|at| text(&told[who][at]));
        let public = STANDARD.decode(text(&told["public"])).expect("base64");
        let stub = GithubStub::start(Arc::new(SystemClock), public).await;
        let [id, secret] = key("function");
        let function = Function::new(&[
            ("AWS_ENDPOINT_URL", moto.endpoint()),
            ("AWS_REGION", "eu-central-1"),
            ("AWS_ACCESS_KEY_ID", &id),
            ("AWS_SECRET_ACCESS_KEY", &secret),
            ("TWINKEY_GITHUB_API", &stub.base()),
        ]);
        Self {
            person: key("person"),
            moto,
            stub,
            function,
        }
    }

    async fn rotate(&mut self) -> Result<(), twinkey_tests::Answer> {
        let document = token_document(&self.stub, &json!({"kms": "alias/TEST-app"}));
        let token = VersionId::random(&mut rand::rng());
        let script = BEGIN
            .replace("DOCUMENT", &document.to_string())
            .replace("TOKEN", token.as_str())
            .replace("ACCESS_KEY", &self.person[0])
            .replace("PASSPHRASE", &self.person[1]);
        let arn = SecretId::new(person(&self.moto, script).await);
        self.function.rotate(&arn, &token).await
    }
}

fn actions() -> Vec<String> {
    [rights("github"), dependent("github")].concat()
}

#[tokio::test]
async fn under_motos_iam_a_token_is_rotated_with_the_rights_of_its_role() {
    let mut world = World::open(&actions()).await;
    for _ in 0..2 {
        world.rotate().await.expect("every step passes");
    }
    assert_eq!(world.stub.live_tokens(), 2);
}

/// Without one of Secrets Manager's, `rights.rs` shows.
#[tokio::test]
async fn under_motos_iam_without_the_right_to_sign_it_is_refused() {
    let others = actions().into_iter().filter(|it| *it != "kms:Sign");
    let mut world = World::open(&others.collect::<Vec<_>>()).await;
    let refused = world.rotate().await;
    let (error_type, message) = failed(refused.expect_err("a step is refused"));
    assert_eq!(error_type, "AppNotSigned", "{message}");
    assert_eq!(world.stub.minted_tokens(), 0);
}

//! A rotation that moto's own `RotateSecret` drives: not our idea of the order and the form of the events.
//!
//! What moto 5.2.5 does there and AWS does not, and which test stands for what AWS does:
//!
//! | moto | AWS | stands for it |
//! | --- | --- | --- |
//! | sends the secret's name | sends its ARN | `deliveries.rs` |
//! | goes on after a step that failed, answers that all is well, repeats nothing | stops, and repeats the rotation | `killed.rs` |
//! | reads without a label read the token's version from then on, whatever the labels say | they read AWSCURRENT | the strict fake; we always name a label |
//! | refuses a rotation after one that has ended, as if it were in flight | begins another | `deliveries.rs` |
//! | takes the slot's label off the key that AWSCURRENT leaves | leaves it | `twinkey-aws`'s contract on the strict fake |
//! | knows a function by its ARN only: no policy of the function is looked at | refuses without one | nothing: not played by anybody |

use serde_json::{Value, json};
use twinkey_test_aws::Moto;
use twinkey_test_postgres::SUPERUSER;
use twinkey_tests::{FIRST_PASSWORD, Site};

use crate::watch::{READ, Runtime, function, person};

/// The function's entry in moto's Lambda, and the two secrets.
const PREPARE: &str = r#"
import boto3, io, json, os, zipfile
what = json.loads('''DOCUMENTS''')
at = {"endpoint_url": os.environ["ENDPOINT"]}
role = boto3.client("iam", **at).create_role(RoleName="TEST-role", AssumeRolePolicyDocument="{}")
code = io.BytesIO()
zipfile.ZipFile(code, "w").writestr("bootstrap", "TEST")
entry = boto3.client("lambda", **at).create_function(FunctionName="TEST-rotation", Runtime="provided.al2023",
    Handler="bootstrap", Role=role["Role"]["Arn"], Code={"ZipFile": code.getvalue()})
client = boto3.client("secretsmanager", **at)
admin = client.create_secret(Name="db/admin", SecretString=json.dumps(what["admin"]))
what["app"]["masterarn"] = admin["ARN"]
client.create_secret(Name="db/app", SecretString=json.dumps(what["app"]),
    Tags=[{"Key": "twinkey:min-overlap", "Value": "0s"}])
print(entry["FunctionArn"])
"#;
const ROTATE: &str = r#"
import boto3, os
client = boto3.client("secretsmanager", endpoint_url=os.environ["ENDPOINT"])
for version, stages in client.describe_secret(SecretId="db/app")["VersionIdsToStages"].items():
    # Both labels on one version are a rotation that has ended; moto takes them for one in flight.
    if {"AWSCURRENT", "AWSPENDING"} <= set(stages):
        client.update_secret_version_stage(SecretId="db/app", VersionStage="AWSPENDING", RemoveFromVersionId=version)
print(client.rotate_secret(SecretId="db/app", ClientRequestToken="TOKEN", RotationLambdaARN="FUNCTION",
    RotationRules={"AutomaticallyAfterDays": 30})["VersionId"])
"#;

async fn two_live_keys(site: &Site, moto: &Moto) {
    let read = person(moto, READ.into()).await;
    let keys: [Value; 2] = serde_json::from_str(&read).expect("two documents");
    for key in &keys {
        assert!(site.accepts(key).await, "P1 and P3");
    }
    assert_ne!(keys[0]["username"], keys[1]["username"]);
}

#[tokio::test]
async fn two_rotations_that_moto_drives_leave_two_keys_and_one_that_fails_leaves_them_too() {
    let site = Site::default();
    site.create_role("app").await;
    let runtime = Runtime::start().await;
    let moto = Moto::with_function(&runtime.invoke_url("bootstrap"));
    let function = function(&site, &moto);
    let mut process = function.start(&runtime.runtime_api("bootstrap"));
    let documents = json!({
        "admin": site.document(SUPERUSER, site.cluster.password()),
        "app": site.document("app", FIRST_PASSWORD),
    });
    let entry = person(&moto, PREPARE.replace("DOCUMENTS", &documents.to_string())).await;
    let rotate = |token: &str| ROTATE.replace("FUNCTION", &entry).replace("TOKEN", token);
    for (number, token) in ["a".repeat(32), "b".repeat(32)].iter().enumerate() {
        assert_eq!(person(&moto, rotate(token)).await, *token);
        two_live_keys(&site, &moto).await;
        let steps = function.streams().records("step");
        let steps: Vec<&Value> = steps
            .iter()
            .skip(4 * number)
            .map(|it| &it["step"])
            .collect();
        assert_eq!(
            steps,
            ["createSecret", "setSecret", "testSecret", "finishSecret"]
        );
        let rotations = function.streams().records("rotation");
        assert_eq!(rotations.len(), number + 1, "{rotations:?}");
        assert_eq!(rotations[number]["state"], "succeeded");
        // AWS would send the ARN.
        assert_eq!(rotations[number]["secret"], "db/app");
    }
    site.cluster.stop().expect("stopped");
    let token = "c".repeat(32);
    // AWS would stop after the first step, and would not say that a rotation has ended well.
    assert_eq!(person(&moto, rotate(&token)).await, token);
    site.cluster.resume().expect("resumed");
    let steps = function.streams().records("step").split_off(8);
    assert_eq!(steps.len(), 4, "{steps:?}");
    assert!(
        steps.iter().all(|step| step["outcome"] == "failed"),
        "{steps:?}"
    );
    two_live_keys(&site, &moto).await;
    process.kill().await.expect("ended");
}

//! Secrets Manager's part in a rotation that a person has asked for.

use serde_json::json;
use twinkey_core::{SecretId, Stage, Step, Store, VersionId};
use twinkey_tests::{Account, Answer, Function};

/// The log group that Lambda gives the function.
pub(crate) const LOG: &str = "/aws/lambda/TEST-function";

/// A secret that a function rotates, and nobody has rotated yet.
pub(crate) async fn secret(account: &Account, name: &str) -> SecretId {
    let arn = account.secret(name).await;
    let function = json!({
        "RotationLambdaARN": "arn:aws:lambda:eu-central-1:123456789012:function:TEST-function",
    });
    let fields = function.as_object().expect("an object").clone();
    account.aws.describe_as(name, fields);
    account.aws.log(LOG, &[]);
    arn
}

/// The token of the rotation that the command line has asked for: when it looks next, it has its answer.
pub(crate) async fn asked(account: &Account, name: &str) -> VersionId {
    let looked = |calls: &[&str]| {
        let mut calls = calls.iter().skip_while(|call| **call != "RotateSecret");
        calls.any(|call| *call == "DescribeSecret")
    };
    account.aws.until(looked).await;
    pending(account, name).await.expect("a rotation in flight")
}

/// The version with AWSPENDING.
pub(crate) async fn pending(account: &Account, name: &str) -> Option<VersionId> {
    let description = account.aws.fake().describe(&SecretId::new(name)).await;
    let description = description.expect("a secret");
    description.holder(&Stage::Pending).cloned()
}

/// Sends the function the four steps, up to one that fails. What it writes gets to its log group step by step.
pub(crate) async fn drive(
    account: &Account,
    function: &mut Function,
    arn: &SecretId,
    token: &VersionId,
) -> Result<(), Answer> {
    for step in Step::ALL {
        let before = function.streams().stdout().len();
        let answer = function.step(step, arn, token).await;
        let written = function.streams().stdout().split_off(before);
        account.aws.log(LOG, &written.lines().collect::<Vec<_>>());
        match answer {
            Answer::Passed(_) => {}
            other => return Err(other),
        }
    }
    Ok(())
}

//! rotate: Secrets Manager is asked, its function rotates, and the command line follows to the end.

use serde_json::{Value, json};
use std::process::{Output, Stdio};

use tokio::process::Child;
use twinkey_core::{MIN_OVERLAP_TAG, SecretId};
use twinkey_test_aws::Trouble;
use twinkey_test_postgres::SUPERUSER;
use twinkey_tests::{Account, text};

use crate::driver::{LOG, asked, drive, pending, secret};

fn start(account: &Account, arguments: &[&str]) -> Child {
    let mut command = account.command(arguments);
    command.stdout(Stdio::piped()).stderr(Stdio::piped());
    command.spawn().expect("the program starts")
}

async fn end(child: Child) -> Output {
    child.wait_with_output().await.expect("it ends")
}

#[tokio::test]
async fn a_rotation_is_followed_to_its_end_and_told_step_by_step() {
    let account = Account::open().await;
    let arn = secret(&account, "app").await;
    let child = start(&account, &["rotate", "app", "--json", "--reason", "a test"]);
    let token = asked(&account, "app").await;
    let driven = drive(&account, &mut account.function(), &arn, &token).await;
    driven.expect("a calm rotation");
    let output = end(child).await;
    let said = text(&output.stderr);
    assert!(output.status.success(), "{said}");
    for step in ["createSecret", "setSecret", "testSecret", "finishSecret"] {
        assert!(said.contains(step), "{step} is not shown: {said}");
    }
    let told: Value = serde_json::from_slice(&output.stdout).expect("JSON");
    assert_eq!((&told["live"], &told["joined"]), (&json!(2), &json!(false)));
    let record = &told["record"];
    assert_eq!(record["token"], token.as_str());
    assert_eq!(record["trigger"], "manual");
    assert_eq!(record["reason"], "a test");
    assert_eq!(record["outcome"]["state"], "succeeded");
    assert_eq!(record["steps"].as_array().map(Vec::len), Some(4));
    account
        .assert_two_keys("app", "after a rotation by hand")
        .await;
}

#[tokio::test]
async fn a_look_that_is_older_than_the_request_is_no_end() {
    let account = Account::open().await;
    let arn = secret(&account, "app").await;
    account.aws.fake().lag_reads(3);
    let child = start(&account, &["rotate", "app"]);
    account
        .aws
        .until(|calls| calls.contains(&"RotateSecret"))
        .await;
    let read = |calls: &[&str]| {
        calls
            .iter()
            .filter(|call| **call == "FilterLogEvents")
            .count()
            > 2
    };
    account.aws.until(read).await;
    account.aws.fake().lag_reads(0);
    let token = pending(&account, "app")
        .await
        .expect("a rotation in flight");
    let driven = drive(&account, &mut account.function(), &arn, &token).await;
    driven.expect("a calm rotation");
    let output = end(child).await;
    assert!(output.status.success(), "{}", text(&output.stderr));
}

#[tokio::test]
async fn why_a_step_failed_is_told_from_the_functions_log() {
    let account = Account::open().await;
    let arn = secret(&account, "app").await;
    account.put("db/admin", &account.document(SUPERUSER, "TEST-wrong"));
    let child = start(&account, &["rotate", "app"]);
    let token = asked(&account, "app").await;
    let driven = drive(&account, &mut account.function(), &arn, &token).await;
    driven.expect_err("a wrong admin password");
    let output = end(child).await;
    let said = text(&output.stderr);
    assert_eq!(output.status.code(), Some(1));
    assert!(
        said.contains("createSecret of arn:") && said.contains("[AdminRefused]"),
        "{said}"
    );
    assert!(
        said.contains("hint: ") && said.contains("still in flight"),
        "{said}"
    );
}

#[tokio::test]
async fn a_rotation_that_create_secret_refuses_and_ends_is_no_longer_in_flight() {
    let account = Account::open().await;
    let arn = secret(&account, "app").await;
    account.set_clock();
    let name = SecretId::new("app");
    account.aws.fake().untag(&name, MIN_OVERLAP_TAG);
    let token = account.begin("app");
    let rotated = account.function().rotate(&arn, &token).await;
    rotated.expect("a calm rotation");
    // Without a tag, only the function knows the minimum overlap of this kind.
    let child = start(&account, &["rotate", "app"]);
    let token = asked(&account, "app").await;
    let driven = drive(&account, &mut account.function(), &arn, &token).await;
    driven.expect_err("the current key is young");
    let output = end(child).await;
    let said = text(&output.stderr);
    assert_eq!(output.status.code(), Some(1));
    assert!(said.contains("[MinimumOverlap]"), "{said}");
    assert!(said.contains("--force --reason"), "{said}");
    assert!(pending(&account, "app").await.is_none());
}

#[tokio::test]
async fn without_the_right_to_the_log_the_labels_tell_and_the_command_is_printed() {
    let account = Account::open().await;
    let arn = secret(&account, "app").await;
    account.aws.next("FilterLogEvents", Trouble::Deny);
    let child = start(&account, &["rotate", "app"]);
    let token = asked(&account, "app").await;
    let driven = drive(&account, &mut account.function(), &arn, &token).await;
    driven.expect("a calm rotation");
    let output = end(child).await;
    let said = text(&output.stderr);
    assert!(output.status.success(), "{said}");
    for part in [
        "logs:FilterLogEvents was denied",
        "aws logs filter-log-events --log-group-name /aws/lambda/TEST-function",
        token.as_str(),
        "finishSecret",
    ] {
        assert!(said.contains(part), "{part}: {said}");
    }
    assert_eq!(account.aws.count("FilterLogEvents"), 1, "it asks again");
    assert!(text(&output.stdout).contains("2 keys live"));
}

#[tokio::test]
async fn a_rotation_that_hangs_is_given_up_after_the_timeout_with_what_to_do() {
    let account = Account::open().await;
    secret(&account, "app").await;
    let said = account.fail(&["rotate", "app", "--timeout", "2s"]).await;
    for part in [
        "[RotationUnfinished]",
        "within 2s",
        "no step is known to have passed",
        "twinkey --store aws status app",
        "aws logs filter-log-events",
    ] {
        assert!(said.contains(part), "{part}: {said}");
    }
    // It is left as it is, and the next request follows it.
    assert!(pending(&account, "app").await.is_some());
    let status = account.json(&["status", "app"]).await;
    assert!(status[0]["in_flight"].is_string(), "{status}");
}

#[tokio::test]
async fn p5_a_rotation_in_flight_is_joined_and_what_failed_before_is_no_news() {
    let account = Account::open().await;
    let arn = secret(&account, "app").await;
    let token = account.begin("app");
    let mut function = account.function();
    account.put("db/admin", &account.document(SUPERUSER, "TEST-wrong"));
    let driven = drive(&account, &mut function, &arn, &token).await;
    driven.expect_err("a wrong admin password");
    let child = start(&account, &["rotate", "app", "--json"]);
    // It has read the log to its end when it looks at the labels again.
    let read = |calls: &[&str]| {
        let mut calls = calls.iter().skip_while(|call| **call != "FilterLogEvents");
        calls.any(|call| *call == "DescribeSecret")
    };
    account.aws.until(read).await;
    let password = account.site.cluster.password();
    account.put("db/admin", &account.document(SUPERUSER, password));
    let driven = drive(&account, &mut function, &arn, &token).await;
    driven.expect("what failed is repeated");
    let output = end(child).await;
    let said = text(&output.stderr);
    assert!(output.status.success(), "{said}");
    assert!(
        said.contains("is in flight") && said.contains("[AdminRefused]"),
        "{said}"
    );
    let told: Value = serde_json::from_slice(&output.stdout).expect("JSON");
    assert_eq!(told["joined"], true);
    assert_eq!(
        account.aws.count("RotateSecret"),
        0,
        "it was not asked for again"
    );
}

#[tokio::test]
async fn a_rotation_that_a_person_ends_is_told_as_ended() {
    let account = Account::open().await;
    secret(&account, "app").await;
    account.aws.next("FilterLogEvents", Trouble::Deny);
    let child = start(&account, &["rotate", "app"]);
    asked(&account, "app").await;
    account.aws.fake().remove_pending(&SecretId::new("app"));
    let output = end(child).await;
    let said = text(&output.stderr);
    assert_eq!(output.status.code(), Some(1));
    assert!(said.contains("[RotationAbandoned]"), "{said}");
}

#[tokio::test]
async fn p9_the_minimum_overlap_is_checked_before_anything_is_asked_for() {
    let account = Account::open().await;
    account.set_clock();
    let arn = secret(&account, "app").await;
    let token = account.begin("app");
    let rotated = account.function().rotate(&arn, &token).await;
    rotated.expect("a calm rotation");
    let name = SecretId::new("app");
    account.aws.fake().tag(&name, MIN_OVERLAP_TAG, "1h");
    let said = account.fail(&["rotate", "app"]).await;
    assert!(said.contains("[MinimumOverlap]"), "{said}");
    assert!(
        said.contains("twinkey --store aws rotate app --force --reason"),
        "{said}"
    );
    assert_eq!(account.aws.count("RotateSecret"), 0);
    let child = start(
        &account,
        &["rotate", "app", "--force", "--reason", "it leaked"],
    );
    let token = asked(&account, "app").await;
    assert!(token.is_forced());
    let driven = drive(&account, &mut account.function(), &arn, &token).await;
    driven.expect("a forced rotation");
    assert!(end(child).await.status.success());
}

#[tokio::test]
async fn a_secret_without_rotation_and_a_function_that_may_not_be_called_are_told() {
    let account = Account::open().await;
    account.secret("plain").await;
    let name = SecretId::new("plain");
    account.aws.fake().remove_rotation_function(&name);
    let said = account.fail(&["rotate", "plain"]).await;
    assert!(
        said.contains("[RotationOff]") && said.contains("--here"),
        "{said}"
    );
    secret(&account, "app").await;
    account.aws.next("RotateSecret", Trouble::Deny);
    let said = account.fail(&["rotate", "app"]).await;
    assert!(
        said.contains("secretsmanager:RotateSecret was denied"),
        "{said}"
    );
    assert!(pending(&account, "app").await.is_none());
    // A line of somebody else's in the log changes nothing.
    account.aws.log(LOG, &["START", "{}"]);
}

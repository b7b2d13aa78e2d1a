//! rotate --here: the engine in the caller's process, where no function rotates the secret.

use serde_json::json;
use twinkey_core::{MIN_OVERLAP_TAG, SecretId, SecretValue, Stage, Store, VersionId};
use twinkey_test_aws::Trouble;
use twinkey_tests::Account;

use crate::driver::{pending, secret};

async fn without_function(account: &Account, name: &str) {
    account.secret(name).await;
    let fake = account.aws.fake();
    fake.remove_rotation_function(&SecretId::new(name));
}

#[tokio::test]
async fn p3_a_secret_without_a_function_is_rotated_by_the_callers_rights() {
    let account = Account::open().await;
    without_function(&account, "app").await;
    for turn in 1..=3 {
        let told = account
            .json(&["rotate", "app", "--here", "--reason", "a test"])
            .await;
        assert_eq!(told["live"], 2, "{told}");
        assert_eq!(told["record"]["steps"].as_array().map(Vec::len), Some(4));
        assert_eq!(told["record"]["reason"], "a test");
        assert_eq!(pending(&account, "app").await, None, "AWSPENDING stays");
        let when = format!("after rotation {turn}");
        account.assert_two_keys("app", &when).await;
    }
    assert_eq!(account.aws.count("RotateSecret"), 0);
}

#[tokio::test]
async fn p11_a_secret_with_a_function_of_its_own_is_refused_before_anything_is_done() {
    let account = Account::open().await;
    secret(&account, "app").await;
    let said = account.fail(&["rotate", "app", "--here"]).await;
    assert!(said.contains("[RotationFunction]"), "{said}");
    assert!(said.contains("function:TEST-function"), "{said}");
    assert!(
        said.contains("hint: have it rotated: twinkey --store aws rotate app"),
        "{said}"
    );
    // One that is turned off is a function all the same.
    let name = SecretId::new("app");
    let cancelled = account.aws.fake().cancel_rotate_secret(&name);
    cancelled.expect("no rotation is in flight");
    let said = account.fail(&["rotate", "app", "--here"]).await;
    assert!(said.contains("[RotationFunction]"), "{said}");
    assert_eq!(
        account.aws.take_calls(),
        ["DescribeSecret", "DescribeSecret"]
    );
}

#[tokio::test]
async fn p11_a_pending_version_that_is_somebody_elses_is_left_alone() {
    let account = Account::open().await;
    without_function(&account, "app").await;
    let (name, theirs) = (SecretId::new("app"), VersionId::random(&mut rand::rng()));
    let value = SecretValue::new("TEST-theirs".into());
    let put = account
        .aws
        .fake()
        .put(&name, &theirs, &value, &[Stage::Pending])
        .await;
    put.expect("stored");
    let said = account.fail(&["rotate", "app", "--here"]).await;
    assert!(said.contains("[RotationInProgress]"), "{said}");
    let command = format!("--version-stage AWSPENDING --remove-from-version-id {theirs}");
    assert!(said.contains(&command), "{said}");
    assert_eq!(account.aws.take_calls(), ["DescribeSecret"]);
    assert_eq!(pending(&account, "app").await, Some(theirs));
}

#[tokio::test]
async fn p5_what_was_interrupted_is_finished_by_the_next() {
    for (operation, trouble) in [
        ("UpdateSecretVersionStage", Trouble::Deny),
        ("UpdateSecretVersionStage", Trouble::DropBefore),
        ("PutSecretValue", Trouble::DropAfter),
        ("PutSecretValue", Trouble::Break),
    ] {
        let account = Account::open().await;
        without_function(&account, "app").await;
        for _ in 0..3 {
            account.aws.next(operation, trouble);
        }
        drop(account.run(&["rotate", "app", "--here"]).await);
        assert!(
            account.current_works("app").await,
            "P1 {operation} {trouble:?}"
        );
        assert!(account.live("app").await <= 2, "P2 {operation} {trouble:?}");
        // What of the trouble has not come yet must not meet the next.
        let mut told = account.run(&["rotate", "app", "--here"]).await;
        for _ in 0..3 {
            if !told.status.success() {
                told = account.run(&["rotate", "app", "--here"]).await;
            }
        }
        assert!(told.status.success(), "{operation} {trouble:?}");
        account
            .assert_two_keys("app", &format!("{operation} {trouble:?}"))
            .await;
    }
}

#[tokio::test]
async fn a_rotation_that_was_interrupted_goes_on_with_its_own_token() {
    let account = Account::open().await;
    without_function(&account, "app").await;
    // From the second on, the only label that moves by itself is AWSCURRENT.
    account.succeed(&["rotate", "app", "--here"]).await;
    account.aws.next("UpdateSecretVersionStage", Trouble::Deny);
    let said = account.fail(&["rotate", "app", "--here"]).await;
    assert!(said.contains("hint: see who is asking"), "{said}");
    assert!(
        said.contains("finishSecret") && said.contains("[StoreDenied]"),
        "{said}"
    );
    let token = pending(&account, "app").await.expect("it stays pending");
    let told = account.json(&["rotate", "app", "--here"]).await;
    assert_eq!(
        (&told["resumed"], &told["joined"]),
        (&json!(true), &json!(true))
    );
    assert_eq!(told["record"]["token"], token.as_str());
    // A forced request is not answered by what was left behind.
    account.aws.next("UpdateSecretVersionStage", Trouble::Deny);
    drop(account.fail(&["rotate", "app", "--here"]).await);
    let left = pending(&account, "app").await.expect("it stays pending");
    let told = account
        .json(&[
            "rotate",
            "app",
            "--here",
            "--force",
            "--reason",
            "it leaked",
        ])
        .await;
    assert_eq!(told["resumed"], false);
    assert_ne!(told["record"]["token"], left.as_str());
    account
        .assert_two_keys("app", "after a forced rotation")
        .await;
}

#[tokio::test]
async fn p2_of_two_at_once_neither_harms_the_other() {
    let account = Account::open().await;
    without_function(&account, "app").await;
    account.succeed(&["rotate", "app", "--here"]).await;
    for _ in 0..3 {
        let arguments = ["rotate", "app", "--here"];
        drop(tokio::join!(
            account.run(&arguments),
            account.run(&arguments)
        ));
        assert!(account.current_works("app").await, "P1");
        assert!(account.live("app").await <= 2, "P2");
        account.succeed(&arguments).await;
        account.assert_two_keys("app", "after two at once").await;
    }
}

#[tokio::test]
async fn p9_a_refusal_stores_nothing_and_leaves_nothing_pending() {
    let account = Account::open().await;
    account.set_clock();
    without_function(&account, "app").await;
    account.succeed(&["rotate", "app", "--here"]).await;
    let name = SecretId::new("app");
    account.aws.fake().tag(&name, MIN_OVERLAP_TAG, "1h");
    let before = account.at("app", &Stage::Current);
    drop(account.aws.take_calls());
    let said = account.fail(&["rotate", "app", "--here"]).await;
    assert!(said.contains("[MinimumOverlap]"), "{said}");
    let changes = ["PutSecretValue", "UpdateSecretVersionStage"];
    for change in changes {
        assert_eq!(account.aws.count(change), 0, "{change}");
    }
    assert_eq!(account.at("app", &Stage::Current), before);
}

//! A person asks for a rotation, or ends one.

use std::time::Duration;

use serde_json::json;
use twinkey_core::{MIN_OVERLAP_TAG, SecretId, Stage, Step, Trigger, VersionId};
use twinkey_test_aws::Trouble;
use twinkey_tests::{Account, Answer, FIRST_PASSWORD};

use crate::requests::{SCHEDULER, abandon_event, failed, passed, rotate_event, token};

#[tokio::test]
async fn a_person_asks_by_name_and_the_rotation_passes_with_the_reason_in_its_line() {
    let account = Account::open().await;
    let arn = account.secret("app").await;
    let mut function = account.function();
    let event = rotate_event(&SecretId::new("app"), Some("a leaver\n"), false);
    let answer = passed(function.invoke(event.as_bytes()).await);
    let asked = token(&answer);
    let expected = json!({"result": "asked", "secret": arn, "token": asked, "reason": "a leaver"});
    assert_eq!(answer, expected);
    assert_eq!(asked.trigger(), Trigger::Manual);
    let lines = function.streams().records("request");
    assert_eq!(lines[0]["reason"], "a leaver");
    assert_eq!(
        (&lines[0]["secret"], &lines[0]["token"]),
        (&json!(arn), &json!(asked))
    );
    assert_eq!(
        (&lines[0]["trigger"], &lines[0]["forced"]),
        (&json!("manual"), &json!(false))
    );
    function.rotate(&arn, &asked).await.expect("passed");
    account.assert_two_keys("app", "asked by a person").await;
}

#[tokio::test]
async fn p9_within_the_overlap_only_a_forced_request_with_a_reason_is_heeded() {
    let account = Account::open().await;
    let arn = account.secret("app").await;
    let mut function = account.function();
    for _ in 0..2 {
        let token = account.begin("app");
        function.rotate(&arn, &token).await.expect("calm");
    }
    let fake = account.aws.fake();
    fake.tag(&SecretId::new("app"), MIN_OVERLAP_TAG, "1h");
    for (reason, force, expected) in [
        (None, false, "MinimumOverlap"),
        (Some("impatience"), false, "MinimumOverlap"),
        (None, true, "ReasonMissing"),
        (Some(" "), true, "ReasonMissing"),
    ] {
        let event = rotate_event(&arn, reason, force);
        let (error_type, message) = failed(function.invoke(event.as_bytes()).await);
        assert_eq!(error_type, expected, "{message}");
        assert!(message.contains("\nhint: "), "{message}");
    }
    assert_eq!(account.aws.count("RotateSecret"), 0);
    let refused = function.streams().records("request");
    assert!(
        refused.iter().all(|line| line["outcome"] == "failed"),
        "{refused:?}"
    );
    assert_eq!(refused[1]["reason"], "impatience");
    let event = rotate_event(&arn, Some("leaked"), true);
    let forced = token(&passed(function.invoke(event.as_bytes()).await));
    assert!(forced.is_forced());
    function.rotate(&arn, &forced).await.expect("passed");
    account.assert_two_keys("app", "by force").await;
}

#[tokio::test]
async fn p4_an_abandoned_key_is_dead_and_doing_it_again_changes_nothing() {
    let account = Account::open().await;
    let arn = account.secret("app").await;
    let mut function = account.function();
    let first = account.begin("app");
    function.rotate(&arn, &first).await.expect("calm");
    let half = account.begin("app");
    for step in [Step::CreateSecret, Step::SetSecret] {
        passed(function.step(step, &arn, &half).await);
    }
    let key = account.at("app", &Stage::Pending).expect("a key");
    assert!(account.site.accepts(&key).await);
    let event = abandon_event(&SecretId::new("app"), &half);
    let ended = passed(function.invoke(event.as_bytes()).await);
    assert_eq!(ended["retired"][0]["key"], key["username"], "{ended}");
    assert_eq!(
        (&ended["result"], &ended["secret"]),
        (&json!("ended"), &json!(arn))
    );
    assert!(!account.site.accepts(&key).await, "P7");
    assert!(account.current_works("app").await, "P1");
    assert_eq!(account.at("app", &Stage::Pending), None);
    let again = passed(function.invoke(event.as_bytes()).await);
    assert_eq!(again["retired"][0]["how"], "already_gone", "{again}");
    let lines = function.streams().records("abandon");
    assert_eq!(lines.len(), 2);
    assert_eq!(lines[0]["retired"][0]["key"], key["username"]);
    assert_eq!(lines[0]["token"], half.as_str());
    let anew = account.begin("app");
    function.rotate(&arn, &anew).await.expect("passed");
    account
        .assert_two_keys("app", "after an abandoned one")
        .await;
}

#[tokio::test]
async fn p1_a_published_rotation_and_one_of_nobody_are_left_alone() {
    let account = Account::open().await;
    let arn = account.secret("app").await;
    let mut function = account.function();
    let published = account.begin("app");
    function.rotate(&arn, &published).await.expect("calm");
    let event = abandon_event(&arn, &published);
    let (error_type, message) = failed(function.invoke(event.as_bytes()).await);
    assert_eq!(error_type, "OutOfOrder", "{message}");
    account.assert_two_keys("app", "after all").await;
    let nobodys = VersionId::random(&mut rand::rng());
    let event = abandon_event(&arn, &nobodys);
    let ended = passed(function.invoke(event.as_bytes()).await);
    assert_eq!(ended["retired"], json!([]));
    account.assert_two_keys("app", "after that").await;
}

#[tokio::test]
async fn p11_what_cannot_be_asked_for_is_refused_and_nothing_is_changed() {
    let account = Account::open().await;
    let arn = account.secret("app").await;
    let missing = SecretId::new(arn.as_str().replace("app", "missing"));
    let mut function = account.function();
    let token = VersionId::random(&mut rand::rng());
    for event in [
        rotate_event(&missing, None, false),
        abandon_event(&missing, &token),
        abandon_event(&SecretId::new("missing"), &token),
    ] {
        let (error_type, message) = failed(function.invoke(event.as_bytes()).await);
        assert_eq!(error_type, "SecretNotFound", "{message}");
    }
    let off = account
        .aws
        .fake()
        .cancel_rotate_secret(&SecretId::new("app"));
    off.expect("turned off");
    let event = rotate_event(&arn, None, false);
    let (error_type, _) = failed(function.invoke(event.as_bytes()).await);
    assert_eq!(error_type, "RotationOff");
    let mut wrong = account.function();
    wrong.set("TWINKEY_ADMIN_HOSTS", "no-port");
    let _ = account.aws.take_calls();
    for event in [event, abandon_event(&arn, &token), SCHEDULER.to_owned()] {
        let (error_type, _) = failed(wrong.invoke(event.as_bytes()).await);
        assert_eq!(error_type, "InvalidEnvironment", "{event}");
    }
    assert_eq!(account.aws.take_calls(), [""; 0]);
    let document = account.at("app", &Stage::Current).expect("a document");
    assert_eq!(document["password"], FIRST_PASSWORD);
    assert_eq!(account.live("app").await, 1);
}

/// The Runtime API is ours, and ends what does not answer at the deadline.
#[tokio::test]
async fn what_hangs_is_told_by_its_call_before_the_deadline_and_the_same_event_goes_on() {
    let account = Account::open().await;
    let arn = account.secret("app").await;
    let mut function = account.function();
    let first = account.begin("app");
    function.rotate(&arn, &first).await.expect("calm");
    let half = account.begin("app");
    for step in [Step::CreateSecret, Step::SetSecret] {
        passed(function.step(step, &arn, &half).await);
    }
    let abandon = abandon_event(&arn, &half);
    let rotate = rotate_event(&arn, None, false);
    for (event, call) in [
        (&abandon, "DescribeSecret"),
        (&abandon, "GetSecretValue"),
        (&abandon, "UpdateSecretVersionStage"),
        (&rotate, "DescribeSecret"),
    ] {
        function.time = Duration::from_millis(2500);
        account.aws.next(call, Trouble::Hang);
        let answer = function.invoke(event.as_bytes()).await;
        assert!(!matches!(answer, Answer::TimedOut), "{call}");
        let (error_type, message) = failed(answer);
        assert_eq!(error_type, "DeadlineExceeded", "{call}: {message}");
        assert!(message.contains(call), "{message}");
    }
    function.time = Duration::from_mins(1);
    // The key had died before the call that hung: whoever repeats is told so.
    let ended = passed(function.invoke(abandon.as_bytes()).await);
    assert_eq!(
        ended["retired"].as_array().map(Vec::len),
        Some(1),
        "{ended}"
    );
    let asked = token(&passed(function.invoke(rotate.as_bytes()).await));
    function.rotate(&arn, &asked).await.expect("passed");
    account.assert_two_keys("app", "after hanging").await;
}

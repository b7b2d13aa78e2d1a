//! Our error comes before Lambda ends the process. The Runtime API is ours, and ends it at the deadline.

use std::time::Duration;

use twinkey_core::Step;
use twinkey_test_aws::Trouble;
use twinkey_tests::{Account, Answer};

/// Shorter than any single call may take.
const TIME: Duration = Duration::from_millis(2500);

fn assert_told_in_time(answer: &Answer, call: &str) {
    let Answer::Failed(name, error) = answer else {
        panic!("{answer:?}")
    };
    assert_eq!(name, "DeadlineExceeded", "{error}");
    let message = error["errorMessage"].as_str().expect("a message");
    assert!(message.contains(call), "{message}");
}

#[tokio::test]
async fn a_secrets_manager_that_hangs_is_told_before_the_deadline() {
    let account = Account::open().await;
    let arn = account.secret("app").await;
    let token = account.begin("app");
    let mut function = account.function();
    for operation in ["DescribeSecret", "GetSecretValue", "PutSecretValue"] {
        function.time = TIME;
        account.aws.next(operation, Trouble::Hang);
        let answer = function.step(Step::CreateSecret, &arn, &token).await;
        assert_told_in_time(&answer, operation);
    }
    let failed = function.streams().records("rotation");
    assert_eq!(failed.len(), 3);
    assert!(
        failed
            .iter()
            .all(|line| line["error_type"] == "DeadlineExceeded")
    );
    function.time = Duration::from_mins(1);
    function
        .rotate(&arn, &token)
        .await
        .expect("the next delivery goes on");
    account.assert_two_keys("app", "after hanging").await;
}

#[tokio::test]
async fn a_database_that_takes_connections_and_says_nothing_is_told_before_the_deadline() {
    let account = Account::open().await;
    let arn = account.secret("app").await;
    let mut function = account.function();
    let first = account.begin("app");
    function.rotate(&arn, &first).await.expect("calm");
    let token = account.begin("app");
    account.site.cluster.freeze().expect("frozen");
    function.time = TIME;
    let answer = function.step(Step::CreateSecret, &arn, &token).await;
    account.site.cluster.thaw().expect("thawed");
    assert_told_in_time(&answer, "the key's server");
    function.time = Duration::from_mins(1);
    function
        .rotate(&arn, &token)
        .await
        .expect("the next delivery goes on");
    account
        .assert_two_keys("app", "after a frozen server")
        .await;
}

/// The Runtime API does end what does not answer: else the tests above would show nothing.
#[tokio::test]
async fn a_function_that_never_answers_is_ended_at_the_deadline_and_the_next_event_starts_another()
{
    let account = Account::open().await;
    let arn = account.secret("app").await;
    let token = account.begin("app");
    let mut function = account.function();
    let calm = function.step(Step::CreateSecret, &arn, &token).await;
    assert!(matches!(calm, Answer::Passed(_)), "{calm:?}");
    function.freeze().await;
    function.time = Duration::from_millis(300);
    let answer = function.step(Step::SetSecret, &arn, &token).await;
    assert_eq!(answer, Answer::TimedOut);
    function.time = Duration::from_mins(1);
    function
        .rotate(&arn, &token)
        .await
        .expect("another process");
}

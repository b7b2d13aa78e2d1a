//! Deliveries as Secrets Manager makes them: in order, again, twice at once, all over again.

use serde_json::Value;
use twinkey_core::{SecretId, Stage, Step};
use twinkey_tests::{Account, Answer};

fn result(answer: Answer) -> String {
    match answer {
        Answer::Passed(report) => report["result"].as_str().expect("a result").to_owned(),
        other => panic!("{other:?}"),
    }
}

#[tokio::test]
async fn two_rotations_leave_two_keys_and_a_line_for_each_step_and_each_rotation() {
    let account = Account::open().await;
    let arn = account.secret("app").await;
    let mut function = account.function();
    for rotation in 1..=2 {
        let token = account.begin("app");
        for step in Step::ALL {
            assert_eq!(result(function.step(step, &arn, &token).await), "done");
        }
        account
            .assert_two_keys("app", &format!("after rotation {rotation}"))
            .await;
        let steps = function.streams().records("step");
        assert_eq!(steps.len(), 4 * rotation);
        for line in &steps[steps.len() - 4..] {
            assert_eq!(line["secret"], arn.as_str());
            assert_eq!(line["token"], token.as_str());
            assert_eq!(line["trigger"], "secrets-manager");
            assert_eq!(line["outcome"], "passed");
            assert!(line["StepMilliseconds"].is_u64(), "{line}");
        }
        let rotations = function.streams().records("rotation");
        assert_eq!(rotations.len(), rotation);
        assert_eq!(rotations[rotation - 1]["RotationSucceeded"], 1);
    }
    // The second put a new password in the place of the oldest. (P7)
    let retired: Vec<Value> = retired(&function.streams().records("step"));
    assert_eq!(retired.len(), 1, "{retired:?}");
    assert_eq!(retired[0]["key"], "app");
    assert_eq!(retired[0]["how"], "replaced");
    assert_eq!(function.streams().stderr(), "", "nothing to warn of");
}

fn retired(steps: &[Value]) -> Vec<Value> {
    let keys = steps.iter().filter_map(|line| line["retired"].as_array());
    keys.flatten().cloned().collect()
}

#[tokio::test]
async fn p5_each_step_twice_and_then_the_whole_rotation_again_end_as_the_calm_run() {
    let account = Account::open().await;
    let arn = account.secret("app").await;
    let mut function = account.function();
    for _ in 0..2 {
        let token = account.begin("app");
        for step in Step::ALL {
            result(function.step(step, &arn, &token).await);
            result(function.step(step, &arn, &token).await);
        }
        let current = account.at("app", &Stage::Current);
        for step in Step::ALL {
            assert_eq!(
                result(function.step(step, &arn, &token).await),
                "already_done"
            );
        }
        assert_eq!(account.at("app", &Stage::Current), current);
        account
            .assert_two_keys("app", "after a whole rotation again")
            .await;
    }
}

#[tokio::test]
async fn p5_two_deliveries_of_each_step_at_once_end_as_the_calm_run() {
    let account = Account::open().await;
    let arn = account.secret("app").await;
    let (mut one, mut other) = (account.function(), account.function());
    for _ in 0..2 {
        let token = account.begin("app");
        for step in Step::ALL {
            let (first, second) =
                tokio::join!(one.step(step, &arn, &token), other.step(step, &arn, &token));
            let passed = [&first, &second].map(|it| matches!(it, Answer::Passed(_)));
            if passed != [true, true] {
                // One lost the race and says so; delivered again, it finds the other's work.
                assert!(passed.contains(&true), "{step}: {first:?} {second:?}");
                result(one.step(step, &arn, &token).await);
            }
            assert!(account.current_works("app").await, "P1 after {step}");
        }
        account
            .assert_two_keys("app", "after deliveries at once")
            .await;
    }
}

#[tokio::test]
async fn p11_a_step_out_of_order_and_one_of_another_secret_change_nothing() {
    let account = Account::open().await;
    let arn = account.secret("app").await;
    let mut function = account.function();
    let token = account.begin("app");
    for step in [Step::SetSecret, Step::FinishSecret] {
        let answer = function.step(step, &arn, &token).await;
        let Answer::Failed(error_type, error) = answer else {
            panic!("{answer:?}")
        };
        assert_eq!(error_type, "OutOfOrder", "{error}");
        let message = error["errorMessage"].as_str().expect("a text");
        assert!(message.contains("\nhint: "), "{message}");
    }
    let missing = SecretId::new(arn.as_str().replace("app", "missing"));
    let answer = function.step(Step::CreateSecret, &missing, &token).await;
    assert!(
        matches!(&answer, Answer::Failed(name, _) if name == "SecretNotFound"),
        "{answer:?}"
    );
    let failed = function.streams().records("rotation");
    let types: Vec<&Value> = failed.iter().map(|line| &line["error_type"]).collect();
    assert_eq!(types, ["OutOfOrder", "OutOfOrder", "SecretNotFound"]);
    assert!(failed.iter().all(|line| line["RotationFailed"] == 1));
    assert_eq!(account.live("app").await, 1);
    function.rotate(&arn, &token).await.expect("in order");
    account.assert_two_keys("app", "after all").await;
}

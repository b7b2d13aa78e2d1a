//! Ticks: what they ask for, answer and measure. The clocks of the function and of Secrets Manager go together and
//! as the test says: a library moves the function's.

use std::time::Duration;

use serde_json::{Value, json};
use twinkey_core::{SCHEDULE_TAG, SecretId, Stage, Step, Trigger};
use twinkey_test_aws::Trouble;
use twinkey_tests::Answer;

use crate::requests::{SCHEDULER, World, failed, only, passed, rotate_event, token};

const RULE: &str = include_str!("../../../crates/twinkey-lambda/events/rule.json");

fn actions(report: &Value) -> Vec<(&str, &str)> {
    let secrets = report["secrets"].as_array().expect("a list");
    secrets
        .iter()
        .map(|it| {
            let text = |name: &str| it[name].as_str().expect("a text");
            (text("name"), text("action"))
        })
        .collect()
}

#[tokio::test]
async fn a_tick_asks_for_what_is_due_and_says_what_it_did_and_skipped_and_why() {
    let mut world = World::open().await;
    let arn = world.hourly("due").await;
    world.hourly("off").await;
    world.hourly("wrong").await;
    let fake = world.account.aws.fake();
    let off = fake.cancel_rotate_secret(&SecretId::new("off"));
    off.expect("turned off");
    fake.tag(&SecretId::new("wrong"), SCHEDULE_TAG, "weekly");
    world.pass(61);
    world.hourly("young").await;

    let report = passed(world.function.invoke(RULE.as_bytes()).await);

    let told = [
        ("due", "asked"),
        ("off", "skipped"),
        ("wrong", "skipped"),
        ("young", "not_due"),
    ];
    assert_eq!(actions(&report), told);
    assert_eq!(report["secrets"][1]["reason"]["code"], "RotationOff");
    assert_eq!(report["secrets"][2]["reason"]["code"], "InvalidPolicy");
    let asked = token(&report["secrets"][0]);
    assert_eq!(asked.trigger(), Trigger::Schedule);
    let pending = world.account.aws.requests("RotateSecret");
    assert_eq!(pending.len(), 1);
    assert_eq!(pending[0]["SecretId"], arn.as_str());
    world.rotate(&arn, &asked).await;
    world
        .account
        .assert_two_keys("due", "asked by a tick")
        .await;
    let steps = world.function.streams().records("step");
    assert_eq!(steps.last().expect("a step")["trigger"], "schedule");
    assert_eq!(world.tick().await["secrets"][0]["action"], "not_due");
}

#[tokio::test]
async fn a_tick_is_one_line_with_its_metrics_over_all_managed_secrets() {
    let mut world = World::open().await;
    world.hourly("due").await;
    world.pass(75);
    world.hourly("young").await;
    let _ = world.account.aws.take_calls();
    world.tick().await;
    // The one that is not due costs no call of its own.
    let calls = ["ListSecrets", "ListSecretVersionIds", "RotateSecret"];
    assert_eq!(world.account.aws.take_calls(), calls);
    let lines = world.function.streams().records("tick");
    let [line] = &lines[..] else {
        panic!("one line: {lines:?}")
    };
    assert_eq!(
        (&line["outcome"], &line["SecretsOverdue"]),
        (&json!("passed"), &json!(1))
    );
    assert_eq!(
        (&line["figures"]["managed"], &line["StuckPending"]),
        (&json!(2), &json!(0))
    );
    let age = line["OldestKeyAgeSeconds"].as_i64().expect("a number");
    assert!((75 * 60..80 * 60).contains(&age), "{age}");
    // Nothing is to be told of the one that is not due.
    assert_eq!(actions(line), [("due", "asked")]);
    let directive = &line["_aws"]["CloudWatchMetrics"][0];
    assert_eq!(directive["Dimensions"], json!([["function"]]));
    let rotations = world.function.streams().records("rotation");
    assert_eq!(rotations[0]["LiveKeys"], 2, "{rotations:?}");
}

/// A tick every five minutes; Secrets Manager repeats the rotation at each of them.
#[tokio::test]
async fn p5_the_server_is_down_for_fifty_minutes_and_up_again() {
    let mut world = World::open().await;
    let arn = world.hourly("app").await;
    world.pass(61);
    world.account.site.cluster.stop().expect("stopped");
    let asked = token(only(&world.tick().await));
    for minute in (5..=50).step_by(5) {
        let answer = world.function.step(Step::CreateSecret, &arn, &asked).await;
        assert_eq!(failed(answer).0, "ServerUnreachable");
        world.pass(5);
        let report = world.tick().await;
        assert_eq!(only(&report)["action"], "in_progress", "minute {minute}");
        let overdue = usize::from(minute >= 10);
        assert_eq!(
            report["figures"]["secrets_overdue"], overdue,
            "minute {minute}"
        );
        assert_eq!(report["figures"]["stuck_pending"], 0, "minute {minute}");
    }
    world.account.site.cluster.resume().expect("resumed");
    // Secrets Manager has given up by now: how often it repeats, no page says.
    world.pass(11);
    let report = world.tick().await;
    assert_eq!(only(&report)["action"], "abandoned_and_asked", "{report}");
    assert_eq!(report["figures"]["stuck_pending"], 1);
    let anew = token(only(&report));
    assert_ne!(anew, asked);
    world.rotate(&arn, &anew).await;
    world
        .account
        .assert_two_keys("app", "after fifty minutes")
        .await;
    let report = world.tick().await;
    assert_eq!(only(&report)["action"], "not_due");
    let figures = &report["figures"];
    assert_eq!(
        (&figures["secrets_overdue"], &figures["stuck_pending"]),
        (&json!(0), &json!(0))
    );
    assert_eq!(world.account.aws.count("RotateSecret"), 2);
}

#[tokio::test]
async fn p5_both_triggers_in_the_same_minute_and_a_duplicate_tick_make_one_rotation() {
    let mut world = World::open().await;
    let arn = world.hourly("app").await;
    world.pass(61);
    // Two environments of the function: one for the rule's event, one for the scheduler's.
    let mut other = world.account.function();
    other.go_by(&world.machine);
    let (one, two) = tokio::join!(
        other.invoke(RULE.as_bytes()),
        world.function.invoke(SCHEDULER.as_bytes())
    );
    let (one, two) = (passed(one), passed(two));
    let tokens = [token(only(&one)), token(only(&two))];
    assert_eq!(tokens[0], tokens[1], "{one} {two}");
    let again = world.tick().await;
    assert_eq!(only(&again)["action"], "in_progress");
    // A person in the same minute is told whose rotation it is.
    let person = rotate_event(&arn, None, false);
    let (error_type, message) = failed(world.function.invoke(person.as_bytes()).await);
    assert_eq!(error_type, "RotationInProgress");
    assert!(message.contains(tokens[0].as_str()), "{message}");
    world.rotate(&arn, &tokens[0]).await;
    world
        .account
        .assert_two_keys("app", "by both triggers")
        .await;
    assert_eq!(only(&world.tick().await)["action"], "not_due");
    let begun = world.account.documents("app").len();
    assert_eq!(begun, 3, "the first value and two rotations");
}

/// Secrets Manager's own schedule was quicker by a moment.
#[tokio::test]
async fn p5_a_tick_leaves_a_rotation_of_secrets_managers_own_alone() {
    let mut world = World::open().await;
    let arn = world.hourly("app").await;
    world.pass(61);
    let own = world.account.begin("app");
    let report = world.tick().await;
    assert_eq!(only(&report)["action"], "in_progress");
    assert_eq!(token(only(&report)), own);
    world.rotate(&arn, &own).await;
    assert_eq!(only(&world.tick().await)["action"], "not_due");
    assert_eq!(world.account.aws.count("RotateSecret"), 0);
}

#[tokio::test]
async fn p4_a_stuck_key_is_dead_before_another_is_asked_for() {
    let mut world = World::open().await;
    let arn = world.hourly("app").await;
    let stuck = world.account.begin("app");
    for step in [Step::CreateSecret, Step::SetSecret] {
        passed(world.function.step(step, &arn, &stuck).await);
    }
    let key = world.account.at("app", &Stage::Pending).expect("a key");
    assert!(world.account.site.accepts(&key).await);
    world.pass(61);
    let report = world.tick().await;
    assert_eq!(only(&report)["action"], "abandoned_and_asked", "{report}");
    assert_eq!(only(&report)["retired"][0]["key"], key["username"]);
    assert!(!world.account.site.accepts(&key).await, "P7");
    assert!(world.account.current_works("app").await, "P1");
    let anew = token(only(&report));
    assert_ne!(anew, stuck);
    let line = &world.function.streams().records("tick")[0];
    assert_eq!(line["StuckPending"], 1);
    assert_eq!(line["secrets"][0]["retired"][0]["key"], key["username"]);
    world.rotate(&arn, &anew).await;
    world.account.assert_two_keys("app", "asked anew").await;
}

#[tokio::test]
async fn p11_where_the_server_is_down_a_stuck_rotation_fails_to_end_and_nothing_is_asked_for() {
    let mut world = World::open().await;
    let arn = world.hourly("app").await;
    let stuck = world.account.begin("app");
    for step in [Step::CreateSecret, Step::SetSecret] {
        passed(world.function.step(step, &arn, &stuck).await);
    }
    world.pass(61);
    world.account.site.cluster.stop().expect("stopped");
    let report = world.tick().await;
    assert_eq!(only(&report)["action"], "failed", "{report}");
    assert_eq!(only(&report)["reason"]["code"], "ServerUnreachable");
    world.account.site.cluster.resume().expect("resumed");
    assert_eq!(world.account.aws.count("RotateSecret"), 0);
    // AWSPENDING is off by now: the rotation that is asked for makes the key dead.
    assert_eq!(only(&world.tick().await)["action"], "asked");
}

#[tokio::test]
async fn a_tick_that_cannot_list_says_which_right_is_missing_and_measures_nothing() {
    let mut world = World::open().await;
    world.hourly("app").await;
    world.account.aws.next("ListSecrets", Trouble::Deny);
    let answer = world.function.invoke(RULE.as_bytes()).await;
    let (error_type, message) = failed(answer);
    assert_eq!(error_type, "StoreDenied");
    assert!(message.contains("secretsmanager:ListSecrets"), "{message}");
    let line = &world.function.streams().records("tick")[0];
    assert_eq!(
        (&line["outcome"], &line["error_type"]),
        (&json!("failed"), &json!("StoreDenied"))
    );
    assert!(line.get("_aws").is_none(), "{line}");
}

/// The Runtime API is ours, and ends what does not answer at the deadline.
#[tokio::test]
async fn a_tick_whose_calls_hang_tells_what_it_did_before_the_deadline() {
    let mut world = World::open().await;
    world.hourly("app1").await;
    world.hourly("app2").await;
    world.pass(61);
    world.function.time = Duration::from_secs(9);
    for _ in 0..3 {
        world.account.aws.next("RotateSecret", Trouble::Hang);
    }
    let answer = world.function.invoke(RULE.as_bytes()).await;
    assert!(!matches!(answer, Answer::TimedOut), "{answer:?}");
    let report = passed(answer);
    let told = actions(&report);
    assert_eq!(told[0], ("app1", "failed"), "{report}");
    assert_eq!(report["secrets"][0]["reason"]["code"], "StoreUnavailable");
}

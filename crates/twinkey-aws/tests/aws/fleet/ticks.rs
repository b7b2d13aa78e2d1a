//! What a tick asks for, how often it calls, and what it leaves alone.

use std::collections::BTreeSet;

use chrono::TimeDelta;
use serde_json::json;
use twinkey_aws::Action;
use twinkey_core::{Clock, MIN_OVERLAP_TAG, SCHEDULE_TAG, SecretId};
use twinkey_test_aws::Trouble;

use super::region::{Region, actions, code, only};
use crate::world::{id, value};

const HOURLY: &str = "rate 1 hour";

#[tokio::test]
async fn a_hundred_and_one_due_secrets_are_two_pages_and_two_calls_each_spread_over_ten_seconds() {
    let region = Region::new().await;
    for number in 0..101 {
        region.secret(&format!("db/{number:03}"), HOURLY);
    }
    let fake = region.server.fake();
    fake.tag(&SecretId::new("db/007"), SCHEDULE_TAG, "weekly");
    region.pass(61);
    region.server.next("RotateSecret", Trouble::Deny);
    let start = region.clock.now();
    let report = region.tick().await;
    assert!(region.clock.now() - start >= TimeDelta::milliseconds(9900));
    for (operation, calls) in [
        ("ListSecrets", 2),
        ("ListSecretVersionIds", 100),
        ("RotateSecret", 100),
    ] {
        assert_eq!(region.server.count(operation), calls, "{operation}");
    }
    assert_eq!(region.server.take_calls().len(), 202);
    let count = |action| actions(&report).iter().filter(|it| **it == action).count();
    assert_eq!(count(Action::Asked), 99);
    assert_eq!(count(Action::Failed), 1);
    assert_eq!(count(Action::Skipped), 1);
    assert_eq!(code(&report.secrets[7]), Some("InvalidPolicy"));
    let failed = report.secrets.iter().find(|it| it.action == Action::Failed);
    assert_eq!(code(failed.expect("one")), Some("StoreDenied"));
    assert_eq!(report.figures.managed, 101);
}

#[tokio::test]
async fn secrets_that_are_not_due_cost_no_call_but_the_lists() {
    let region = Region::new().await;
    for number in 0..101 {
        region.secret(&format!("db/{number:03}"), HOURLY);
    }
    region.pass(58);
    let report = region.tick().await;
    assert_eq!(region.server.take_calls(), ["ListSecrets", "ListSecrets"]);
    assert_eq!(actions(&report), [Action::NotDue; 101]);
    assert_eq!(report.figures.oldest_key_age_seconds, 58 * 60);
    assert_eq!(report.figures.secrets_overdue, 0);
}

#[tokio::test]
async fn p5_a_duplicate_tick_asks_for_the_same_rotation() {
    let region = Region::new().await;
    region.secret("db/app", HOURLY);
    region.pass(61);
    let twin = region.fork().await;
    let (one, other) = (region.tick().await, twin.tick().await);
    let token = only(&one).token.clone().expect("asked");
    assert_eq!(only(&other).token.as_ref(), Some(&token));
    assert_eq!(only(&other).action, Action::Asked);
    let asked = region.server.requests("RotateSecret");
    assert_eq!(asked[0]["SecretId"], region.server.arn("db/app").as_str());
    let again = region
        .server
        .fake()
        .rotate_secret(&SecretId::new("db/app"), &token);
    again.expect("the same rotation");
    let later = region.tick().await;
    assert_eq!(only(&later).action, Action::InProgress);
    assert_eq!(only(&later).token.as_ref(), Some(&token));
    assert_eq!(region.server.count("RotateSecret"), 1);
}

#[tokio::test]
async fn p5_two_ticks_at_once_ask_for_one_rotation() {
    let region = Region::new().await;
    region.secret("db/app", HOURLY);
    region.pass(61);
    tokio::join!(region.tick(), region.tick());
    let asked = region.server.requests("RotateSecret");
    let tokens: BTreeSet<String> = asked
        .iter()
        .map(|asked| asked["ClientRequestToken"].to_string())
        .collect();
    assert_eq!(tokens.len(), 1, "{asked:?}");
}

#[tokio::test]
async fn p5_a_request_whose_reply_was_lost_is_repeated_with_the_same_token() {
    let region = Region::new().await;
    region.secret("db/app", HOURLY);
    region.pass(61);
    region.server.next("RotateSecret", Trouble::DropAfter);
    assert_eq!(only(&region.tick().await).action, Action::Asked);
    let asked = region.server.requests("RotateSecret");
    assert_eq!(asked.len(), 2);
    assert_eq!(asked[0], asked[1]);
}

/// `ListSecrets` may be minutes behind: it does not know of the rotation that has just passed.
#[tokio::test]
async fn p5_a_list_that_is_behind_makes_nobody_ask_twice() {
    let region = Region::new().await;
    region.secret("db/app", HOURLY);
    region.pass(61);
    region.rotated("db/app", 'a', 'b').await;
    let behind = json!({
        "LastRotatedDate": null,
        "SecretVersionsToStages": {id('a').as_str(): ["AWSCURRENT"], id('b').as_str(): ["AWSPENDING"]},
    });
    let behind = behind.as_object().cloned().expect("fields");
    region.server.describe_as("db/app", behind);
    assert_eq!(only(&region.tick().await).action, Action::NotDue);
    assert_eq!(region.server.count("RotateSecret"), 0);
}

#[tokio::test]
async fn p5_both_triggers_in_the_same_minute_make_one_rotation() {
    let region = Region::new().await;
    region.secret("db/app", HOURLY);
    region.rotated("db/app", 'a', 'b').await;
    region.pass(61);
    region.pending("db/app", 'c').await;
    let report = region.tick().await;
    assert_eq!(only(&report).action, Action::InProgress);
    assert_eq!(only(&report).token, Some(id('c')));
    region.rotated("db/app", 'b', 'c').await;
    let report = region.tick().await;
    assert_eq!(only(&report).action, Action::NotDue);
    assert_eq!(region.server.count("RotateSecret"), 0);
}

#[tokio::test]
async fn p9_a_tagged_overlap_is_waited_out_before_anybody_is_asked() {
    let region = Region::new().await;
    region.secret("db/app", "rate 20 minutes");
    let secret = SecretId::new("db/app");
    region.server.fake().tag(&secret, MIN_OVERLAP_TAG, "2h");
    region.rotated("db/app", 'a', 'b').await;
    region.pass(30);
    let report = region.tick().await;
    assert_eq!(only(&report).action, Action::NotDue);
    assert_eq!(region.server.take_calls(), ["ListSecrets"]);
    region.pass(91);
    assert_eq!(only(&region.tick().await).action, Action::Asked);
}

#[tokio::test]
async fn p9_a_value_put_by_hand_gets_its_whole_interval() {
    let region = Region::new().await;
    region.secret("db/app", HOURLY);
    region.rotated("db/app", 'a', 'b').await;
    region.pass(50);
    let secret = SecretId::new("db/app");
    region
        .server
        .fake()
        .put_by_hand(&secret, &id('d'), &value());
    region.pass(50);
    let report = region.tick().await;
    assert_eq!(only(&report).action, Action::NotDue);
    let calls = region.server.take_calls();
    assert_eq!(calls, ["ListSecrets", "ListSecretVersionIds"]);
    assert_eq!(report.figures.oldest_key_age_seconds, 50 * 60);
    region.pass(11);
    assert_eq!(only(&region.tick().await).action, Action::Asked);
}

/// After a minute, then after two: as the one-machine scheduler.
#[tokio::test]
async fn p9_a_refused_attempt_leaves_a_pause_and_the_next_has_another_token() {
    let region = Region::new().await;
    region.secret("db/app", HOURLY);
    region.pass(61);
    let fake = region.server.fake();
    let mut tokens = BTreeSet::new();
    for pause in [1, 2, 4] {
        let report = region.tick().await;
        assert_eq!(only(&report).action, Action::Asked);
        assert!(tokens.insert(only(&report).token.clone().expect("asked")));
        fake.remove_pending(&SecretId::new("db/app"));
        let report = region.tick().await;
        assert_eq!(only(&report).action, Action::NotDue);
        assert_eq!(code(only(&report)), Some("WaitsForRetry"));
        region.pass(pause);
    }
}

#[tokio::test]
async fn p11_what_is_not_ours_to_rotate_is_skipped_with_the_reason() {
    for (fields, reason) in [
        (json!({"OwningService": "rds"}), "OwnedByService"),
        (json!({"Type": "TEST-partner"}), "ManagedExternal"),
        (json!({"PrimaryRegion": "us-east-1"}), "Replica"),
        (json!({"RotationEnabled": false}), "RotationOff"),
        (json!({"SecretVersionsToStages": {}}), "NoCurrent"),
        (
            json!({"SecretVersionsToStages": {"short": ["AWSCURRENT"]}}),
            "InvalidRequest",
        ),
        (
            json!({"Tags": [{"Key": "twinkey:shedule", "Value": "rate 1 hour"}]}),
            "InvalidPolicy",
        ),
    ] {
        let region = Region::new().await;
        region.secret("db/app", HOURLY);
        let fields = fields.as_object().cloned().expect("fields");
        region.server.describe_as("db/app", fields);
        region.pass(600);
        let report = region.tick().await;
        assert_eq!(only(&report).action, Action::Skipped, "{reason}");
        assert_eq!(code(only(&report)), Some(reason));
        assert_eq!(region.server.take_calls(), ["ListSecrets"], "{reason}");
        let overdue = usize::from(["RotationOff", "NoCurrent", "InvalidRequest"].contains(&reason));
        assert_eq!(report.figures.secrets_overdue, overdue, "{reason}");
    }
}

#[tokio::test]
async fn a_secret_without_a_schedule_is_nobodys_but_persons() {
    let region = Region::new().await;
    let secret = SecretId::new("db/app");
    region
        .server
        .fake()
        .put_by_hand(&secret, &id('a'), &value());
    region.server.fake().tag(&secret, MIN_OVERLAP_TAG, "2h");
    region.pass(600);
    assert!(region.tick().await.secrets.is_empty());
}

#[tokio::test]
async fn a_shorter_schedule_of_secrets_managers_own_is_reported() {
    for (rules, warns) in [
        (json!({"AutomaticallyAfterDays": 1}), true),
        (json!({"ScheduleExpression": "rate(4 hours)"}), true),
        (json!({"AutomaticallyAfterDays": 7}), false),
        (
            json!({"AutomaticallyAfterDays": 1, "ScheduleExpression": "rate(30 days)"}),
            false,
        ),
    ] {
        let region = Region::new().await;
        region.secret("db/app", "rate 7 days");
        let fields = json!({"RotationRules": rules});
        let fields = fields.as_object().cloned().expect("fields");
        region.server.describe_as("db/app", fields);
        let report = region.tick().await;
        let warning = only(&report).warning.as_ref().map(|warning| warning.code);
        assert_eq!(warning, warns.then_some("ShorterOwnSchedule"), "{rules}");
        assert_eq!(only(&report).action, Action::NotDue);
    }
}

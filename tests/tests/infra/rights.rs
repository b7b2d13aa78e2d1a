//! Every right of Secrets Manager's that a role has is used, and none that it has not is asked for.

use serde_json::{Value, json};
use twinkey_core::{SecretId, Stage, Step, VersionId};
use twinkey_tests::{Answer, Function, deploy_key_document, token_document};

use crate::story::{Story, failed, of_secrets_manager, passed, rights};

const TICK: &str = include_str!("../../../crates/twinkey-lambda/events/scheduler.json");

/// All of them but one, for each.
fn each_missing(rights: &[String]) -> impl Iterator<Item = (String, Vec<String>)> {
    rights.iter().map(|missing| {
        let others = rights.iter().filter(|it| *it != missing);
        (missing.clone(), others.cloned().collect())
    })
}

fn assert_told(answer: Answer, missing: &str) {
    let (error_type, message) = failed(answer);
    assert_eq!(error_type, "StoreDenied", "without {missing}: {message}");
    assert!(message.contains(missing), "without {missing}: {message}");
}

fn rotate_event(arn: &SecretId) -> String {
    json!({"rotate": {"secretId": arn, "reason": "a leaver"}}).to_string()
}

fn only(report: &Value) -> &Value {
    let secrets = report["secrets"].as_array().expect("a list");
    assert_eq!(secrets.len(), 1, "{report}");
    &secrets[0]
}

fn token(told: &Value) -> VersionId {
    VersionId::parse(told["token"].as_str().expect("a token")).expect("a version's id")
}

#[tokio::test]
async fn postgres_rotates_and_abandons_with_the_rights_of_its_role_and_uses_each() {
    let story = Story::open().await;
    let rights = rights("postgres");
    let mut function = story.function("postgres", &rights);
    let arn = story.account.secret("app").await;
    for _ in 0..2 {
        let rotated = story.rotate(&mut function, "app").await;
        rotated.expect("every step passes");
    }
    story.account.assert_two_keys("app", "under its role").await;
    let begun = story.account.begin("app");
    passed(function.step(Step::CreateSecret, &arn, &begun).await);
    let abandon = json!({"abandon": {"secretId": arn, "token": begun}}).to_string();
    passed(function.invoke(abandon.as_bytes()).await);
    assert_eq!(story.called("postgres"), rights);
}

#[tokio::test]
async fn without_any_one_of_them_the_rotation_of_a_password_is_refused_and_the_right_is_named() {
    let story = Story::open().await;
    for (number, (missing, others)) in each_missing(&rights("postgres")).enumerate() {
        let name = format!("app{number}");
        story.account.secret(&name).await;
        let mut function = story.function(&format!("postgres-{number}"), &others);
        let refused = story.rotate(&mut function, &name).await;
        assert_told(refused.expect_err("a step is refused"), &missing);
        assert!(story.account.current_works(&name).await, "P1");
    }
}

#[tokio::test]
async fn github_rotates_both_kinds_with_the_rights_of_its_role_and_uses_each() {
    let story = Story::open().await;
    let rights = of_secrets_manager(&rights("github"));
    let mut function = story.function("github", &rights);
    let (stub, app_key) = story.github().await;
    function.set("TWINKEY_GITHUB_API", stub.base());
    story.put("ci/token", &token_document(&stub, &app_key));
    story.put("ci/key", &deploy_key_document(&stub, &app_key));
    for name in ["ci/token", "ci/key"] {
        for _ in 0..3 {
            let rotated = story.rotate(&mut function, name).await;
            rotated.expect("every step passes");
        }
    }
    assert_eq!(
        (stub.live_tokens(), stub.keys("acme/widgets").len()),
        (2, 2)
    );
    assert_eq!(story.called("github"), rights);
}

async fn due(story: &Story, rotator: &mut Function, name: &str) -> SecretId {
    let arn = story.hourly(name).await;
    let rotated = story.rotate(rotator, name).await;
    rotated.expect("every step passes");
    story.pass(61);
    arn
}

#[tokio::test]
async fn the_tick_and_a_person_ask_with_the_rights_of_the_ticks_role_and_use_each() {
    let story = Story::open().await;
    let mut rotator = story.function("postgres", &rights("postgres"));
    let tick_rights = rights("tick");
    let mut tick = story.function("tick", &tick_rights);
    let arn = due(&story, &mut rotator, "app").await;
    let report = passed(tick.invoke(TICK.as_bytes()).await);
    assert_eq!(only(&report)["action"], "asked", "{report}");
    let asked = token(only(&report));
    let rotated = rotator.rotate(&arn, &asked).await;
    rotated.expect("every step passes");
    let answer = passed(tick.invoke(rotate_event(&arn).as_bytes()).await);
    let rotated = rotator.rotate(&arn, &token(&answer)).await;
    rotated.expect("every step passes");
    story
        .account
        .assert_two_keys("app", "asked for twice")
        .await;
    assert_eq!(story.called("tick"), tick_rights);
    assert_eq!(story.called("postgres"), rights("postgres"));
}

#[tokio::test]
async fn without_any_one_of_them_the_tick_or_the_person_is_told_which() {
    let story = Story::open().await;
    let mut rotator = story.function("postgres", &rights("postgres"));
    let arn = due(&story, &mut rotator, "app").await;
    for (number, (missing, others)) in each_missing(&rights("tick")).enumerate() {
        let mut tick = story.function(&format!("tick-{number}"), &others);
        if missing.ends_with(":DescribeSecret") {
            assert_told(tick.invoke(rotate_event(&arn).as_bytes()).await, &missing);
            continue;
        }
        let answer = tick.invoke(TICK.as_bytes()).await;
        if missing.ends_with(":ListSecrets") {
            assert_told(answer, &missing);
            continue;
        }
        let report = passed(answer);
        let told = only(&report);
        assert_eq!(told["action"], "failed", "without {missing}: {report}");
        assert_eq!(told["reason"]["code"], "StoreDenied", "{report}");
        assert!(told["reason"].to_string().contains(&missing), "{report}");
    }
}

/// It may not read a value, so it cannot make the key dead that a stuck rotation has left; the rotation function can.
#[tokio::test]
async fn p4_the_tick_tells_of_a_stuck_rotation_and_changes_nothing_until_the_rotator_has_ended_it()
{
    let story = Story::open().await;
    let mut rotator = story.function("postgres", &rights("postgres"));
    let mut tick = story.function("tick", &rights("tick"));
    let arn = due(&story, &mut rotator, "app").await;
    let stuck = story.account.begin("app");
    for step in [Step::CreateSecret, Step::SetSecret] {
        passed(rotator.step(step, &arn, &stuck).await);
    }
    let key = story.account.at("app", &Stage::Pending).expect("a key");
    story.pass(61);
    for _ in 0..2 {
        let report = passed(tick.invoke(TICK.as_bytes()).await);
        assert_eq!(only(&report)["action"], "failed", "{report}");
        assert_eq!(only(&report)["reason"]["code"], "StoreDenied", "{report}");
        assert_eq!(report["figures"]["stuck_pending"], 1);
        assert_eq!(story.account.at("app", &Stage::Pending), Some(key.clone()));
    }
    let abandon = json!({"abandon": {"secretId": arn, "token": stuck}}).to_string();
    passed(rotator.invoke(abandon.as_bytes()).await);
    assert!(!story.account.site.accepts(&key).await, "P7");
    let report = passed(tick.invoke(TICK.as_bytes()).await);
    assert_eq!(only(&report)["action"], "asked", "{report}");
}

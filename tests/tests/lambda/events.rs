//! Events of others, and a function that is not set up well.

use serde_json::json;
use twinkey_core::{SecretId, Step, VersionId};
use twinkey_tests::{Account, Answer, FIRST_PASSWORD};

fn error_type(answer: &Answer) -> &str {
    match answer {
        Answer::Failed(error_type, _) => error_type,
        other => panic!("{other:?}"),
    }
}

#[tokio::test]
async fn p11_an_event_of_somebody_elses_is_named_and_nothing_is_done() {
    let account = Account::open().await;
    let mut function = account.function();
    let rule = r#"{"source":"TEST-planted","detail-type":"Scheduled Event"}"#;
    let request = r#"{"rotate":{"secretId":"a","TEST-planted":1}}"#;
    let ending = r#"{"abandon":{"secretId":"a","token":"TEST-planted"}}"#;
    let due = r#"{"rotateDue":"TEST-planted"}"#;
    let document = r#"{"engine":"postgres","password":"TEST-planted"}"#;
    let step = r#"{"Step":"TEST-planted","SecretId":"a"}"#;
    let twice = r#"{"Step":"createSecret","Step":"TEST-planted"}"#;
    for (event, expected, named) in [
        (rule, "UnknownEvent", "an EventBridge event"),
        (request, "InvalidEvent", "secretId, reason, force"),
        (ending, "InvalidEvent", "field token"),
        (due, "InvalidEvent", "must be an object"),
        (document, "UnknownEvent", "the document of a secret"),
        ("[\"TEST-planted\"]", "UnknownEvent", "no JSON object"),
        ("\"TEST-planted\"", "UnknownEvent", "no JSON object"),
        (step, "InvalidEvent", "ClientRequestToken"),
        (twice, "InvalidEvent", "each field once"),
    ] {
        let answer = function.invoke(event.as_bytes()).await;
        assert_eq!(error_type(&answer), expected, "{event}");
        assert!(format!("{answer:?}").contains(named), "{answer:?}");
        assert!(
            !format!("{answer:?}").contains("TEST-planted"),
            "{answer:?}"
        );
    }
    assert_eq!(function.streams().records("event").len(), 9);
    // Lambda delivers JSON only; what is none is refused by the runtime, without being shown.
    let answer = function.invoke(b"TEST-planted").await;
    assert!(matches!(&answer, Answer::Failed(..)), "{answer:?}");
    assert!(!format!("{answer:?}").contains("planted"), "{answer:?}");
    assert!(!function.streams().stdout().contains("planted"));
    assert!(!function.streams().stderr().contains("planted"));
    assert_eq!(account.aws.take_calls(), [""; 0]);
}

/// In the order in which they make sense: a step, the same again from another account, its end, and what persons
/// and schedules send.
#[tokio::test]
async fn every_fixture_is_heeded() {
    let account = Account::open().await;
    account.site.create_role("app").await;
    let name = "TEST-app-a1b2c3";
    account.put(name, &account.document("app", FIRST_PASSWORD));
    let token = VersionId::parse("5c0e8c35-7e0f-4d0b-8a52-5f3a0e9b0d11").expect("a token");
    let fake = account.aws.fake();
    let begun = fake.rotate_secret(&SecretId::new(name), &token);
    begun.expect("no other is in flight");
    let mut function = account.function();
    let fixtures = [
        (
            include_str!("../../../crates/twinkey-lambda/events/create-secret.json"),
            json!({"result": "done", "key": "app_clone"}),
        ),
        (
            include_str!(
                "../../../crates/twinkey-lambda/events/create-secret-another-account.json"
            ),
            json!({"result": "already_done"}),
        ),
        (
            include_str!("../../../crates/twinkey-lambda/events/abandon.json"),
            json!({"result": "ended", "token": token}),
        ),
        (
            include_str!("../../../crates/twinkey-lambda/events/rotate.json"),
            json!({"result": "asked", "reason": "the key was in a log"}),
        ),
        (
            include_str!("../../../crates/twinkey-lambda/events/scheduler.json"),
            json!({"secrets": []}),
        ),
        (
            include_str!("../../../crates/twinkey-lambda/events/rule.json"),
            json!({"secrets": []}),
        ),
    ];
    for (event, expected) in fixtures {
        let answer = function.invoke(event.as_bytes()).await;
        let Answer::Passed(answer) = answer else {
            panic!("{event}: {answer:?}")
        };
        for (field, value) in expected.as_object().expect("fields") {
            assert_eq!(&answer[field], value, "{event}: {answer}");
        }
    }
    let files = std::fs::read_dir(concat!(
        env!("CARGO_MANIFEST_DIR"),
        "/../crates/twinkey-lambda/events"
    ));
    assert_eq!(
        files.expect("the fixtures").count(),
        6,
        "one is not sent here"
    );
}

#[tokio::test]
async fn p11_a_wrong_variable_is_named_by_each_invocation_and_nothing_is_done() {
    let account = Account::open().await;
    let arn = account.secret("app").await;
    let token = account.begin("app");
    for (name, value) in [
        ("TWINKEY_CA_BUNDLE", "/nowhere/TEST.pem"),
        ("TWINKEY_ALLOW_PLAINTEXT", "perhaps"),
        ("TWINKEY_ADMIN_HOSTS", "no-port"),
    ] {
        let mut function = account.function();
        function.set(name, value);
        for _ in 0..2 {
            let answer = function.step(Step::CreateSecret, &arn, &token).await;
            assert_eq!(error_type(&answer), "InvalidEnvironment");
            assert!(format!("{answer:?}").contains(name), "{answer:?}");
        }
    }
    assert_eq!(account.aws.take_calls(), [""; 0]);
    assert_eq!(account.live("app").await, 1);
}

#[tokio::test]
async fn a_listener_that_cannot_be_read_does_not_stop_the_function() {
    let account = Account::open().await;
    let arn = account.secret("app").await;
    let token = account.begin("app");
    let mut function = account.function();
    function.set("RUST_LOG", "warn=what=");
    function.rotate(&arn, &token).await.expect("rotated");
    assert!(function.streams().stderr().contains("RUST_LOG"));
}

#[tokio::test]
async fn the_token_of_another_accounts_rotation_goes_back_with_the_put_and_nowhere_else() {
    let account = Account::open().await;
    let arn = account.secret("app").await;
    let token = account.begin("app");
    let proof = "TEST-rotation-token-5c0e8c35-7e0f-4d0b";
    let mut function = account.function();
    function.set("RUST_LOG", "trace");
    let event = json!({
        "Step": "create_secret", "SecretId": arn, "ClientRequestToken": token, "RotationToken": proof,
    });
    let answer = function.invoke(event.to_string().as_bytes()).await;
    assert!(matches!(answer, Answer::Passed(_)), "{answer:?}");
    let puts = account.aws.requests("PutSecretValue");
    assert_eq!(puts[0]["RotationToken"], proof);
    for (stream, text) in [
        ("stdout", function.streams().stdout()),
        ("stderr", function.streams().stderr()),
        ("answer", format!("{answer:?}")),
    ] {
        assert!(format!("{text}{proof}").contains(proof));
        assert!(
            !text.contains(proof),
            "{stream}: {:?}",
            text.lines().find(|line| line.contains(proof))
        );
    }
}

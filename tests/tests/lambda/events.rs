//! Events of others, and a function that is not set up well.

use serde_json::json;
use twinkey_core::Step;
use twinkey_tests::{Account, Answer};

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
    let rule = include_str!("../../../crates/twinkey-lambda/events/rule.json");
    let document = r#"{"engine":"postgres","password":"TEST-planted"}"#;
    let step = r#"{"Step":"TEST-planted","SecretId":"a"}"#;
    let twice = r#"{"Step":"createSecret","Step":"TEST-planted"}"#;
    for (event, expected, named) in [
        (rule, "UnknownEvent", "scheduled event"),
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
    assert_eq!(function.streams().records("event").len(), 6);
    // Lambda delivers JSON only; what is none is refused by the runtime, without being shown.
    let answer = function.invoke(b"TEST-planted").await;
    assert!(matches!(&answer, Answer::Failed(..)), "{answer:?}");
    assert!(!format!("{answer:?}").contains("planted"), "{answer:?}");
    assert!(!function.streams().stdout().contains("planted"));
    assert!(!function.streams().stderr().contains("planted"));
    assert_eq!(account.aws.take_calls(), [""; 0]);
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

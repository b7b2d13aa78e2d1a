//! What GitHub answers instead, and what becomes of it.

use std::sync::Arc;

use chrono::TimeDelta;
use serde_json::json;
use twinkey_core::{Credential, Failure, Provider, SecretValue, Stage, Step, Store};
use twinkey_github::{API, Github, Settings, TokenSecret};
use twinkey_test_github::Trouble;

use crate::scene::{Kms, Pem, Scene, app_key};

fn answers(status: u16, headers: &[(&'static str, &str)], message: &'static str) -> Trouble {
    Trouble::Answers {
        status,
        headers: headers
            .iter()
            .map(|(name, value)| (*name, (*value).to_owned()))
            .collect(),
        message,
    }
}

/// What the first request of a first createSecret comes to.
async fn first(trouble: Trouble) -> Failure {
    let scene = Scene::tokens().await;
    scene.stub.trouble(0, trouble);
    let error = scene.step(Step::CreateSecret, &scene.begin()).await;
    Failure::from(&error.expect_err("trouble"))
}

#[tokio::test]
async fn each_meaning_of_a_status_has_a_name_of_its_own() {
    let secondary =
        "You have exceeded a secondary rate limit. Please wait a few minutes before you try again.";
    for (trouble, name, wait) in [
        (
            answers(401, &[], "A JSON web token could not be decoded"),
            "AppRefused",
            None,
        ),
        (
            answers(403, &[], "This installation has been suspended"),
            "InstallationSuspended",
            None,
        ),
        (
            answers(403, &[], "Resource not accessible by integration"),
            "Forbidden",
            None,
        ),
        (
            answers(
                403,
                &[],
                "Although you appear to have the correct authorization credentials, the organization has an IP allow list enabled",
            ),
            "Forbidden",
            None,
        ),
        (
            answers(403, &[("retry-after", "42")], secondary),
            "RateLimited",
            Some(42),
        ),
        (answers(403, &[], secondary), "RateLimited", Some(60)),
        (
            answers(429, &[("retry-after", "7")], secondary),
            "RateLimited",
            Some(7),
        ),
        (
            answers(429, &[], "Too Many Requests"),
            "RateLimited",
            Some(60),
        ),
        (answers(404, &[], "Not Found"), "InstallationMissing", None),
        (
            answers(422, &[], "Validation Failed"),
            "PermissionMissing",
            None,
        ),
        (answers(500, &[], "Server Error"), "ServerFailed", None),
        (answers(503, &[], "Unavailable"), "ServerFailed", None),
        (
            answers(418, &[], "I'm a teapot"),
            "UnintelligibleAnswer",
            None,
        ),
        (
            answers(301, &[("location", "https://evil.example/app")], "Moved"),
            "Moved",
            None,
        ),
        (Trouble::Babbles, "UnintelligibleAnswer", None),
        (Trouble::LosesReply, "ServerUnreachable", None),
    ] {
        let told = format!("{trouble:?}");
        let failure = first(trouble).await;
        assert_eq!(failure.error_type, name, "{told}");
        assert_eq!(failure.retry_after_seconds, wait, "{told}");
    }
}

#[tokio::test]
async fn a_primary_limit_is_waited_out_until_the_hour_begins_anew() {
    let scene = Scene::tokens().await;
    let reset = (scene.stub.now() + TimeDelta::minutes(13))
        .timestamp()
        .to_string();
    let headers = [
        ("x-ratelimit-remaining", "0"),
        ("x-ratelimit-reset", reset.as_str()),
    ];
    scene.stub.trouble(
        0,
        answers(
            403,
            &headers,
            "API rate limit exceeded for installation ID 678.",
        ),
    );
    let error = scene
        .step(Step::CreateSecret, &scene.begin())
        .await
        .expect_err("limited");
    assert_eq!(error.cause.retry_after(), Some(TimeDelta::minutes(13)));
    assert!(error.cause.is_transient());
}

#[tokio::test]
async fn p4_a_mint_that_is_limited_is_no_possible_stray_and_one_that_is_lost_is() {
    for (trouble, name) in [
        (
            answers(403, &[("retry-after", "9")], "secondary rate limit"),
            "RateLimited",
        ),
        (
            answers(
                422,
                &[],
                "The permissions requested are not granted to this installation.",
            ),
            "PermissionMissing",
        ),
        (answers(502, &[], "Bad Gateway"), "PossibleStray"),
        (Trouble::LosesReply, "PossibleStray"),
        (Trouble::Babbles, "PossibleStray"),
    ] {
        let scene = Scene::tokens().await;
        scene.stub.trouble(2, trouble);
        let error = scene
            .step(Step::CreateSecret, &scene.begin())
            .await
            .expect_err(name);
        assert_eq!(error.cause.error_type(), name);
        if name == "PossibleStray" {
            assert!(scene.stub.live_tokens() <= 1);
            let hour = scene.stub.now() + TimeDelta::minutes(61);
            assert!(error.to_string().contains(&hour.to_string()), "{error}");
        }
    }
}

#[tokio::test]
async fn a_clock_that_differs_is_made_up_for_once() {
    for ahead in [TimeDelta::minutes(15), TimeDelta::minutes(-15)] {
        let scene = Scene::tokens().await;
        scene.stub.set_clock_ahead(ahead);
        scene
            .step(Step::CreateSecret, &scene.begin())
            .await
            .expect("by its clock");
        let statuses: Vec<_> = scene.stub.seen().iter().map(|seen| seen.status).collect();
        let refused = statuses
            .iter()
            .filter(|status| **status == Some(401))
            .count();
        assert_eq!(refused, 1, "the signature is used again: {statuses:?}");
    }
}

#[tokio::test]
async fn p10_a_poisoned_document_sends_nothing_anywhere() {
    let scene = Scene::tokens().await;
    scene.rotate().await.expect("rotated");
    scene.put_by_hand("api_base", json!("https://evil.example"));
    scene.stub.take_calls();
    let error = scene.rotate().await.expect_err("not allowed");
    assert_eq!(error.cause.error_type(), "ApiBaseNotAllowed");
    let hint = error.cause.hint().expect("a hint");
    assert!(
        hint.contains("TWINKEY_GITHUB_API=https://evil.example"),
        "{hint}"
    );
    assert!(scene.stub.take_calls().is_empty());
}

#[tokio::test]
async fn p10_an_older_token_of_another_host_is_not_sent_to_this_one() {
    let scene = Scene::tokens().await;
    for _ in 0..2 {
        scene.rotate().await.expect("rotated");
    }
    let old = scene.field(&Stage::Current, "token");
    scene.put_by_hand("app_id", json!("12345"));
    // Same server, but the document of the older key names another App.
    let error = scene.rotate().await.expect_err("another target");
    assert_eq!(error.cause.error_type(), "InvalidDocument");
    assert!(scene.stub.accepts(&old));
}

#[tokio::test]
async fn an_app_key_that_cannot_sign_is_told_with_its_secret_and_nothing_else() {
    for (app_key, name) in [
        (json!({"secret": "app/missing"}), "AppKeyUnread"),
        (json!({"kms": "alias/missing"}), "AppNotSigned"),
    ] {
        let scene = Scene::tokens().await;
        scene.put_by_hand("app_key", app_key);
        let error = scene.rotate().await.expect_err(name);
        assert_eq!(error.cause.error_type(), name);
        assert!(error.to_string().contains("missing"), "{error}");
        assert!(scene.stub.seen().is_empty());
    }
}

#[tokio::test]
async fn p8_words_of_githubs_with_the_token_in_them_are_not_passed_on() {
    let scene = Scene::tokens().await;
    scene.rotate().await.expect("rotated");
    let token = scene.field(&Stage::Current, "token");
    let message: &'static str = Box::leak(format!("no {token} here").into_boxed_str());
    // Two looks, then the use of current, which is not so young that it is used again.
    scene.clock.advance(TimeDelta::minutes(2));
    scene.stub.trouble(2, answers(403, &[], message));
    let error = scene.rotate().await.expect_err("forbidden");
    assert_eq!(error.cause.error_type(), "Forbidden");
    assert!(!error.to_string().contains(&token), "{error}");
}

#[tokio::test]
async fn p10_a_host_without_a_proof_of_its_name_is_told_nothing() {
    // The stub speaks no TLS.
    let scene = Scene::tokens().await;
    let base = scene.stub.base().replace("http://", "https://");
    scene.put_by_hand("api_base", json!(base));
    let settings = Settings::from_env(|name| (name == API).then(|| base.clone()));
    let pem = Arc::new(Pem(app_key().pem()));
    let github = Github::new(settings.expect("settings"), pem, Arc::new(Kms));
    let provider = github.with_clock(Arc::new(scene.clock.clone())).tokens();
    let value = SecretValue::new(scene.document(&Stage::Current).to_string());
    let secret = TokenSecret::parse(&value).expect("a document");
    let address = scene.store.address(&scene.secret);
    let error = provider.ready(&secret, &address).await.expect_err("no TLS");
    assert_eq!(error.code, "TlsFailed", "{error}");
    assert!(scene.stub.seen().is_empty());
}

//! GitHub's own description of its API judges what twinkey asks and what the stub answers.

use std::collections::BTreeSet;
use std::sync::Arc;

use serde_json::{Value, json};
use twinkey_core::SystemClock;
use twinkey_test_github::{AppKey, DESCRIPTION, GithubStub, Trouble};
use twinkey_tests::Place;

use crate::one_machine::{World, pem};
use crate::prism::{Exchange, Prism, counts, operations};
use crate::{deploy_key_document, token_document};

/// Answers of GitHub that its description does not have, and who says that they come.
const BEYOND: [(&str, u16, &str); 4] = [
    ("delete /installation/token", 401, REVOKED_TWICE),
    (
        "get /app/installations/{installation_id}",
        401,
        FAILED_LOGIN,
    ),
    ("get /app/installations/{installation_id}", 429, LIMITS),
    ("get /repos/{owner}/{repo}/keys", 429, LIMITS),
];
const REVOKED_TWICE: &str = "https://github.com/github/gh-aw/issues/36548";
const FAILED_LOGIN: &str = "https://docs.github.com/en/rest/authentication/authenticating-to-the-rest-api#failed-login-limit";
const LIMITS: &str = "https://docs.github.com/en/rest/using-the-rest-api/rate-limits-for-the-rest-api#exceeding-the-rate-limit";

const MIN_OVERLAP: [&str; 2] = ["--tag", "twinkey:min-overlap=0s"];

/// A world whose GitHub is behind Prism.
async fn world() -> (World, Prism) {
    let mut world = World::new().await;
    let prism = Prism::before(&world.stub).await;
    world.api = prism.base();
    (world, prism)
}

fn at(api: &str, mut document: Value) -> Value {
    document["api_base"] = api.into();
    document
}

/// A store with the document of each kind, and of a token that is asked for without saying what for.
fn place(world: &World) -> Place<'_> {
    let place = world.place("store");
    let token = at(&world.api, token_document(&world.stub, &pem()));
    place.put("token", &token, &MIN_OVERLAP);
    let mut any = token;
    for field in ["permissions", "repositories"] {
        any.as_object_mut().expect("fields").remove(field);
    }
    place.put("any token", &any, &[]);
    let key = at(&world.api, deploy_key_document(&world.stub, &pem()));
    place.put("key", &key, &MIN_OVERLAP);
    place
}

fn refuse(world: &World, place: &Place<'_>, name: &str, code: &str) {
    let output = world.run(place, &["rotate", name]);
    let told = String::from_utf8_lossy(&output.stderr);
    assert!(!output.status.success() && told.contains(code), "{told}");
}

/// No exchange is other than described, but for those beyond the description.
fn assert_described(exchanges: &[Exchange]) {
    for exchange in exchanges {
        assert!(exchange.violations.is_empty(), "{exchange:?}");
    }
    let undescribed = exchanges.iter().filter(|it| it.is_undescribed);
    let undescribed: BTreeSet<_> = undescribed
        .map(|it| (it.operation.as_str(), it.status.unwrap_or_default()))
        .collect();
    let beyond: BTreeSet<_> = BEYOND
        .iter()
        .map(|(operation, status, _)| (*operation, *status))
        .collect();
    assert_eq!(undescribed, beyond);
}

fn tell(exchanges: &[Exchange]) {
    for ((operation, status), count) in counts(exchanges) {
        eprintln!("{count:4}  {status}  {operation}");
    }
}

fn rate_limited() -> Trouble {
    Trouble::Answers {
        status: 429,
        headers: vec![("retry-after", "30".into())],
        message: "You have exceeded a secondary rate limit",
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn every_request_and_every_answer_is_as_github_describes_it() {
    let (world, prism) = world().await;
    let place = place(&world);
    for name in ["token", "key"] {
        for _ in 0..3 {
            world.rotate(&place, name);
        }
        world.json(&place, &["status", name]);
    }
    world.stub.mint_stateless_tokens();
    for name in ["token", "any token"] {
        world.rotate(&place, name);
    }
    refusals(&world, &place);
    // As for a token that is dead. For a young one, twinkey would try for ten seconds.
    assert_eq!(prism.ask("DELETE", "/installation/token", "").await, 401);
    let exchanges = prism.exchanges().await;
    tell(&exchanges);
    assert_described(&exchanges);
    let seen: BTreeSet<_> = exchanges.into_iter().map(|it| it.operation).collect();
    assert_eq!(seen, operations().into_iter().collect());
}

/// What GitHub refuses while keys are in place.
fn refusals(world: &World, place: &Place<'_>) {
    let stub = &world.stub;
    stub.suspend(true);
    refuse(world, place, "token", "[InstallationSuspended]");
    refuse(world, place, "key", "[InstallationSuspended]");
    stub.suspend(false);
    stub.set_permissions(json!({"contents": "write", "metadata": "read"}));
    refuse(world, place, "key", "[PermissionMissing]");
    stub.set_permissions(json!({"contents": "write", "administration": "write"}));
    stub.set_repositories(&["gadgets"]);
    refuse(world, place, "token", "[RepositoryMissing]");
    stub.set_repositories(&["widgets", "gadgets"]);
    stub.allow_deploy_keys(false);
    refuse(world, place, "key", "[DeployKeysDisabled]");
    stub.allow_deploy_keys(true);
    stub.trouble(0, rate_limited());
    refuse(world, place, "token", "[RateLimited]");
    // After the mint.
    stub.trouble(1, rate_limited());
    refuse(world, place, "key", "[RateLimited]");
    world.rotate(place, "key");
    let other = AppKey::generate();
    let put = place.try_put("app/pem", &other.pem(), &[]);
    assert!(put.status.success());
    refuse(world, place, "token", "[AppRefused]");
}

#[tokio::test]
async fn a_request_and_an_answer_that_github_does_not_describe_are_objected_to() {
    let key = AppKey::generate();
    let stub = GithubStub::start(Arc::new(SystemClock), key.public_der()).await;
    let prism = Prism::before(&stub).await;
    let keys = "/repos/acme/widgets/keys";
    assert_eq!(prism.ask("POST", keys, r#"{"title": "TEST"}"#).await, 422);
    assert_eq!(prism.ask("PUT", keys, "{}").await, 405);
    assert!(stub.seen().is_empty());
    let answered = answered_with_a_body();
    assert!(!answered.is_empty());
    for (method, path, status) in answered {
        let bare = Trouble::Answers {
            status,
            headers: Vec::new(),
            message: "TEST",
        };
        stub.trouble(0, bare);
        let request = match method.as_str() {
            "POST" => r#"{"key": "TEST"}"#,
            _ => "",
        };
        assert_eq!(
            prism.ask(&method, &path, request).await,
            500,
            "{method} {path}"
        );
    }
    for exchange in prism.exchanges().await {
        assert!(!exchange.violations.is_empty(), "{exchange:?}");
    }
}

/// A request for each operation whose success has a body, and the status of that success.
fn answered_with_a_body() -> Vec<(String, String, u16)> {
    let description: Value = serde_json::from_str(DESCRIPTION).expect("JSON");
    let mut answered = Vec::new();
    for operation in operations() {
        let (method, path) = operation.split_once(' ').expect("a method and a path");
        let responses = description["paths"][path][method]["responses"].as_object();
        for (status, response) in responses.expect("responses") {
            if status.starts_with('2') && response.get("content").is_some() {
                let status = status.parse().expect("a status");
                answered.push((method.to_uppercase(), some(path), status));
            }
        }
    }
    answered
}

/// A path with something in each place that is to be filled.
fn some(path: &str) -> String {
    let parts = path.split('/');
    let filled: Vec<&str> = parts
        .map(|it| if it.starts_with('{') { "1" } else { it })
        .collect();
    filled.join("/")
}

//! `twinkey put`, `rotate`, `status` and `get` with the embedded store.

use std::process::Output;
use std::sync::Arc;

use serde_json::{Value, json};
use twinkey_core::SystemClock;
use twinkey_test_github::{AppKey, GithubStub};
use twinkey_tests::{Place, Site, text};

use crate::{deploy_key_document, token_document};

pub(crate) struct World {
    pub(crate) stub: GithubStub,
    pub(crate) key: AppKey,
    pub(crate) site: Site,
    /// Where the program finds GitHub: the stub, or what is in front of it.
    pub(crate) api: String,
}

impl World {
    pub(crate) async fn new() -> Self {
        let key = AppKey::generate();
        let stub = GithubStub::start(Arc::new(SystemClock), key.public_der()).await;
        Self {
            api: stub.base(),
            stub,
            key,
            site: Site::default(),
        }
    }

    /// A store with the App's private key in it.
    pub(crate) fn place(&self, name: &str) -> Place<'_> {
        let place = self.site.place(name);
        let put = place.try_put("app/pem", &self.key.pem(), &[]);
        assert!(put.status.success(), "{}", text(&put.stderr));
        place
    }

    pub(crate) fn run(&self, place: &Place<'_>, arguments: &[&str]) -> Output {
        let mut command = place.command(arguments);
        command.env("TWINKEY_GITHUB_API", &self.api);
        command.output().expect("the program starts")
    }

    pub(crate) fn json(&self, place: &Place<'_>, arguments: &[&str]) -> Value {
        let arguments = [arguments, &["--json"]].concat();
        let output = self.run(place, &arguments);
        assert!(output.status.success(), "{}", text(&output.stderr));
        serde_json::from_slice(&output.stdout).expect("JSON")
    }

    pub(crate) fn rotate(&self, place: &Place<'_>, name: &str) {
        let output = self.run(place, &["rotate", name]);
        assert!(output.status.success(), "{}", text(&output.stderr));
    }
}

pub(crate) fn pem() -> Value {
    json!({"secret": "app/pem"})
}

#[tokio::test(flavor = "multi_thread")]
async fn a_token_is_put_rotated_read_and_both_work() {
    let world = World::new().await;
    let place = world.place("tokens");
    let document = token_document(&world.stub, &pem());
    place.put("ci/token", &document, &["--tag", "twinkey:min-overlap=0s"]);
    let status = world.json(&place, &["status", "ci/token"]);
    assert_eq!(status[0]["live"], 0, "{status}");
    for _ in 0..3 {
        world.rotate(&place, "ci/token");
    }
    let token = place.succeed(&["get", "ci/token", "--field", "token"]);
    assert!(world.stub.accepts(token.trim_end()));
    let previous = place.get("ci/token", "AWSPREVIOUS");
    assert!(
        world
            .stub
            .accepts(previous["token"].as_str().expect("a token"))
    );
    assert_eq!(world.stub.live_tokens(), 2);
    let status = world.json(&place, &["status", "ci/token"]);
    assert_eq!(status[0]["live"], 2, "{status}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_deploy_key_is_put_rotated_read_and_both_are_registered() {
    let world = World::new().await;
    let place = world.place("keys");
    let document = deploy_key_document(&world.stub, &pem());
    place.put("ci/key", &document, &["--tag", "twinkey:min-overlap=0s"]);
    for _ in 0..3 {
        world.rotate(&place, "ci/key");
    }
    let keys = world.stub.keys("acme/widgets");
    assert_eq!(keys.len(), 2);
    for stage in ["AWSCURRENT", "AWSPREVIOUS"] {
        let document = place.get("ci/key", stage);
        assert!(
            keys.iter()
                .any(|key| document["public_key"] == key.key.as_str())
        );
    }
    world
        .stub
        .change_keys(|key| key.last_used = Some(key.last_used.unwrap_or_default()));
    let status = world.json(&place, &["status", "ci/key"]);
    assert_eq!(status[0]["live"], 2, "{status}");
    assert_eq!(
        status[0]["keys"][0]["last_used"], "1970-01-01T00:00:00Z",
        "{status}"
    );
    assert_eq!(world.stub.live_work_tokens(), 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn p10_a_host_that_the_operator_has_not_listed_is_asked_nothing() {
    let world = World::new().await;
    let place = world.place("poisoned");
    place.put("ci/token", &token_document(&world.stub, &pem()), &[]);
    let refusal = place.fail(&["rotate", "ci/token"]);
    assert!(refusal.contains("[ApiBaseNotAllowed]"), "{refusal}");
    assert!(refusal.contains("TWINKEY_GITHUB_API="), "{refusal}");
    assert!(world.stub.seen().is_empty());
}

#[tokio::test(flavor = "multi_thread")]
async fn p2_a_schedule_too_slow_for_two_tokens_is_refused_when_it_is_made() {
    let world = World::new().await;
    let place = world.place("slow");
    let document = token_document(&world.stub, &pem());
    let options = ["--tag", "twinkey:schedule=rate(30 minutes)"];
    let refused = place.try_put("ci/token", &document.to_string(), &options);
    let told = text(&refused.stderr);
    assert!(
        !refused.status.success() && told.contains("2 × 30m"),
        "{told}"
    );
    let options = ["--tag", "twinkey:schedule=rate(20 minutes)"];
    place.put("ci/token", &document, &options);
    let refusal = place.fail(&["tag", "ci/token", "twinkey:schedule=rate(1 hour)"]);
    assert!(refusal.contains("2 × 1h"), "{refusal}");
    let status = world.json(&place, &["status", "ci/token"]);
    assert_eq!(status[0]["tags"]["twinkey:schedule"], "rate(20 minutes)");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_token_rotates_every_20_minutes_where_nobody_says_otherwise() {
    let world = World::new().await;
    let place = world.place("default");
    let schedule = |name| {
        let status = world.json(&place, &["status", name]);
        status[0]["tags"]["twinkey:schedule"].clone()
    };
    let token = token_document(&world.stub, &pem());
    place.put("ci/token", &token, &[]);
    assert_eq!(schedule("ci/token"), "rate 20 minutes");
    place.succeed(&["tag", "ci/token", "twinkey:schedule=rate(10 minutes)"]);
    place.put("ci/token", &token, &[]);
    assert_eq!(schedule("ci/token"), "rate(10 minutes)", "it has been said");
    let other = ["--tag", "twinkey:schedule=rate(15 minutes)"];
    place.put("ci/other", &token, &other);
    assert_eq!(schedule("ci/other"), "rate(15 minutes)");
    // A key that does not expire waits until somebody says when.
    let key = deploy_key_document(&world.stub, &pem());
    place.put("ci/key", &key, &[]);
    assert_eq!(schedule("ci/key"), Value::Null);
}

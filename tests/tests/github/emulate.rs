//! emulate, another program that plays GitHub: it checks our web token by a library of its own.

use serde_json::json;
use tempfile::TempDir;
use twinkey_test_github::{AppKey, GithubStub};
use twinkey_tests::{Place, Server, node, text};

use crate::one_machine::{World, pem};
use crate::token_document;

const READY: &str = "emulate is at ";
/// One App, installed once; its key is a PEM of ours.
const EMULATE: &str = r#"
import { readFileSync } from "node:fs";
import { createEmulator } from "emulate";

const { APP, INSTALLATION, PEM } = process.env;
const permissions = { contents: "write", metadata: "read" };
const installation = { installation_id: Number(INSTALLATION), account: "acme", permissions, repository_selection: "all" };
const private_key = readFileSync(PEM, "utf8");
const app = { app_id: Number(APP), slug: "test-app", name: "TEST", private_key, permissions, installations: [installation] };
const seed = { github: { users: [{ login: "acme" }], repos: [{ owner: "acme", name: "widgets" }], apps: [app] } };
const github = await createEmulator({ service: "github", port: 0, seed });
console.log(`emulate is at ${github.url}`);
"#;

/// Where it is.
async fn emulate(key: &AppKey) -> (Server, String) {
    let folder = TempDir::new().expect("a folder");
    let pem = folder.path().join("app.pem");
    std::fs::write(&pem, key.pem()).expect("written");
    let mut command = node();
    command
        .args(["--input-type=module", "--eval", EMULATE])
        .env("INSTALLATION", GithubStub::INSTALLATION)
        .env("APP", GithubStub::APP_ID)
        .env("PEM", &pem);
    let mut server = Server::start(command);
    let told = server.until(READY).await;
    let last = told.last().and_then(|line| line.split_once(READY));
    let (_, url) = last.expect("a URL");
    let base = url.trim().replace("localhost", "127.0.0.1");
    (server, base)
}

fn put(world: &World, place: &Place<'_>) {
    let mut document = token_document(&world.stub, &pem());
    document["api_base"] = world.api.as_str().into();
    // It knows no client ids.
    document["app_id"] = GithubStub::APP_ID.into();
    place.put("token", &document, &[]);
}

/// Rotates, and returns what it says of why it did not end.
fn rotate(world: &World, place: &Place<'_>) -> String {
    let output = world.run(place, &["rotate", "token"]);
    assert!(!output.status.success());
    text(&output.stderr)
}

#[tokio::test(flavor = "multi_thread")]
async fn emulate_accepts_our_signature_and_mints() {
    let mut world = World::new().await;
    let (_server, base) = emulate(&world.key).await;
    world.api = base;
    let place = world.place("store");
    put(&world, &place);
    // It serves neither /installation/repositories nor /installation/token, so a rotation gets as far as the mint.
    let told = rotate(&world, &place);
    assert!(
        told.contains("testSecret of token") && told.contains("[NotFound]"),
        "{told}"
    );
    let minted = place.get("token", "AWSPENDING");
    let token = minted["token"].as_str().expect("a token");
    assert!(token.starts_with("ghs_") && minted["expires_at"].is_string());
    assert_eq!(minted["permissions"], json!({"contents": "read"}));
}

#[tokio::test(flavor = "multi_thread")]
async fn emulate_refuses_another_keys_signature() {
    let mut world = World::new().await;
    let (_server, base) = emulate(&AppKey::generate()).await;
    world.api = base;
    let place = world.place("store");
    put(&world, &place);
    let told = rotate(&world, &place);
    assert!(
        told.contains("A JSON web token could not be decoded"),
        "{told}"
    );
    assert!(
        told.contains("createSecret of token") && told.contains("[AppRefused]"),
        "{told}"
    );
}

//! A pending document that is not what follows from the current one. (P10)

use serde_json::{Value, json};
use twinkey_core::{RotationFailure, SecretId, Stage, Step};

use crate::fake_server::{FakeServer, Manner};
use crate::mishap::assert_clean;
use crate::scene::{ADMIN, ADMIN_PASSWORD, Scene};
use crate::vault::Vault;

const NAME: &str = "app/db";

/// A secret that has rotated once, and a server that waits for a password to come by.
async fn trapped() -> (Scene, Vault, FakeServer) {
    let scene = Scene::start().await;
    let trap = FakeServer::start(Manner::WithoutTls);
    let lure = json!({
        "host": "127.0.0.1", "port": trap.port, "username": ADMIN, "password": ADMIN_PASSWORD,
    });
    scene.memory.put("other", &lure);
    let vault = Vault::at(&scene);
    vault.put(NAME, &scene.document("app"));
    let token = vault.begin(NAME);
    vault.deliver(NAME, &token).await.unwrap();
    (scene, vault, trap)
}

/// One change of each field that another rotation, or a person, could have written there.
fn changes(trap: u16) -> Vec<(&'static str, Value, &'static str)> {
    let target = "InvalidDocument";
    let place = "PendingDead";
    vec![
        ("host", json!("localhost"), target),
        ("port", json!(trap), target),
        ("dbname", json!("template1"), target),
        ("masterarn", json!("other"), target),
        ("sslmode", json!("disable"), target),
        ("channel_binding", json!("require"), target),
        ("username", json!("postgres"), place),
        ("twin", json!("postgres"), place),
        ("owner", json!("postgres"), place),
        ("probe", json!("SELECT 1"), place),
        ("end_sessions", json!(true), place),
    ]
}

/// What is no document of ours at all.
fn broken() -> Vec<(&'static str, Value, &'static str)> {
    let document = "InvalidDocument";
    vec![
        ("engine", json!("mysql"), document),
        ("port", json!("5432x"), document),
        ("username", json!(["app"]), document),
    ]
}

fn connections(scene: &Scene) -> usize {
    scene.cluster.log().matches("connection received").count()
}

fn assert_refused(failure: &RotationFailure, error_type: &str, field: &str) {
    assert_eq!(failure.error_type(), error_type, "{failure}");
    let message = failure.to_string();
    assert!(message.contains(&format!("field {field}: ")), "{message}");
    assert_clean(&message);
    assert_clean(&failure.hint().unwrap_or_default());
    assert!(error_type == "PendingDead" || failure.hint().is_some());
}

#[tokio::test]
async fn p10_a_pending_document_with_any_field_changed_is_refused_by_each_step_and_nobody_is_asked()
{
    let (scene, vault, trap) = trapped().await;
    let (fingerprint, before) = (scene.fingerprint().await, connections(&scene));
    let current = vault.document(NAME, &Stage::Current);
    let token = vault.begin(NAME);
    let (good, stages) = vault.successor(NAME, &token).await;
    vault.store.remove_pending(&SecretId::new(NAME));
    let asked_for_the_successor = connections(&scene);
    assert!(asked_for_the_successor > before, "connections are counted");
    for (field, value, error_type) in changes(trap.port).into_iter().chain(broken()) {
        let mut altered = good.clone();
        altered[field] = value;
        for step in [Step::SetSecret, Step::TestSecret] {
            let token = vault.begin(NAME);
            let text = altered.to_string();
            vault.store_pending(NAME, &token, &text, &stages).await;
            let refused = vault.step(NAME, &token, step).await.unwrap_err();
            assert_refused(&refused.cause, error_type, field);
            // A person ends it.
            let abandoned = vault.abandon(NAME, &token).await;
            assert_eq!(abandoned.is_err(), error_type == "InvalidDocument");
            vault.store.remove_pending(&SecretId::new(NAME));
        }
    }
    assert_eq!(connections(&scene), asked_for_the_successor);
    assert!(trap.heard().is_empty());
    assert_eq!(scene.fingerprint().await, fingerprint);
    assert_eq!(vault.document(NAME, &Stage::Current), current);
    let token = vault.begin(NAME);
    vault.deliver(NAME, &token).await.unwrap();
}

#[tokio::test]
async fn p10_a_current_document_that_points_elsewhere_since_does_not_take_the_pending_key_there() {
    let (scene, vault, trap) = trapped().await;
    let current = vault.document(NAME, &Stage::Current);
    let right = vault.store_aside(NAME, "right", &current).await;
    let mut moved = Vec::new();
    for (field, value, error_type) in changes(trap.port) {
        let mut document = current.clone();
        document[field] = value;
        if error_type == "InvalidDocument" {
            moved.push((field, vault.store_aside(NAME, field, &document).await));
        }
    }
    let token = vault.begin(NAME);
    vault.step(NAME, &token, Step::CreateSecret).await.unwrap();
    let (fingerprint, before) = (scene.fingerprint().await, connections(&scene));
    for (field, elsewhere) in &moved {
        vault.make_current(NAME, elsewhere).await;
        for step in [Step::SetSecret, Step::TestSecret] {
            let refused = vault.step(NAME, &token, step).await.unwrap_err();
            assert_refused(&refused.cause, "InvalidDocument", field);
        }
    }
    assert_eq!(moved.len(), 6);
    assert_eq!(connections(&scene), before);
    assert!(trap.heard().is_empty());
    assert_eq!(scene.fingerprint().await, fingerprint);
    // The person moves it back: the same rotation goes on.
    vault.make_current(NAME, &right).await;
    vault.deliver(NAME, &token).await.unwrap();
    let published = vault.document(NAME, &Stage::Current);
    assert_eq!(published["username"], current["twin"]);
}

//! The document's own question: what the role is meant to do, asked before a key is published. (P6)

use serde_json::json;
use twinkey_core::{Credential, ErrorKind, Provider};

use crate::scene::{Scene, Stored, impatient, path, settings, soon};
use twinkey_postgres::PostgresProvider;

const READING: &str = "SELECT price FROM goods";

async fn scene_with(probe: &str) -> (Scene, Stored) {
    let mut scene = Scene::start().await;
    scene
        .sql(
            "CREATE TABLE goods (price int); INSERT INTO goods SELECT generate_series(1, 3);
             GRANT SELECT ON goods TO app;",
        )
        .await;
    let mut document = scene.document("app");
    document["probe"] = json!(probe);
    let first = scene.put(&document);
    (scene, first)
}

#[tokio::test]
async fn p6_a_role_that_can_what_its_probe_asks_is_published_and_each_version_keeps_the_probe() {
    let (mut scene, mut current) = scene_with(READING).await;
    for _ in 0..3 {
        current = scene.rotate(&current).await.unwrap();
        assert_eq!(current.document()["probe"], READING);
    }
    let log = scene.cluster.log();
    assert!(
        log.contains("BEGIN READ ONLY"),
        "asked where nothing can be changed"
    );
}

#[tokio::test]
async fn p6_a_probe_that_fails_stops_a_rotation_before_anything_is_changed_or_published() {
    let (mut scene, first) = scene_with(READING).await;
    let second = scene.rotate(&first).await.unwrap();
    let pending = scene.create(&second).await.unwrap();
    scene.apply(&second, &pending).await.unwrap();
    scene.sql("REVOKE SELECT ON goods FROM app").await;
    for key in [&second, &pending] {
        let error = scene.provider.verify(&key.secret).await.unwrap_err();
        assert_eq!((error.kind, error.code), (ErrorKind::Denied, "ProbeFailed"));
        assert!(error.message.contains("permission denied"), "{error}");
        assert!(error.hint.unwrap().contains("probe"));
    }
    scene.sql("GRANT SELECT ON goods TO app").await;
    scene.provider.verify(&pending.secret).await.unwrap();
}

#[tokio::test]
async fn p10_a_probe_changes_nothing_and_is_one_statement() {
    for probe in [
        "INSERT INTO goods VALUES (4)",
        "CREATE TABLE mine ()",
        "SELECT 1; DROP TABLE goods",
        "COMMIT; DROP TABLE goods",
        "SELECT price FROM nothing",
        "SELECT",
        "no SQL at all",
    ] {
        let (scene, first) = scene_with(probe).await;
        scene.sql("GRANT INSERT ON goods TO app").await;
        let before = scene
            .ask("SELECT count(*)::text FROM pg_class, goods")
            .await;
        let verified = scene.provider.verify(&first.secret).await;
        if probe != "SELECT" {
            assert_eq!(verified.unwrap_err().code, "ProbeFailed", "{probe}");
        }
        let after = scene
            .ask("SELECT count(*)::text FROM pg_class, goods")
            .await;
        assert_eq!(after, before, "{probe}");
    }
}

#[tokio::test]
async fn p11_a_probe_without_end_ends_and_one_with_many_rows_is_not_read_to_the_end() {
    let many =
        "SELECT repeat('x', 1000) FROM generate_series(1, 9999) a, generate_series(1, 9999) b";
    let (scene, first) = scene_with(many).await;
    soon(scene.provider.verify(&first.secret)).await.unwrap();
    let (scene, first) = scene_with("SELECT pg_sleep(3600)").await;
    let bundle = path(scene.cluster.ca_path());
    let settings = settings(&[("TWINKEY_CA_BUNDLE", &bundle)]).with_timeouts(impatient());
    let provider = PostgresProvider::new(settings, scene.memory.clone());
    let error = soon(provider.verify(&first.secret)).await.unwrap_err();
    assert_eq!(error.kind, ErrorKind::Transient, "{error}");
}

#[tokio::test]
async fn p10_a_pending_document_has_the_probe_of_the_current_one() {
    let (mut scene, first) = scene_with(READING).await;
    let pending = scene.create(&first).await.unwrap();
    let mut other = pending.document();
    other["probe"] = json!("SELECT 1");
    let other = scene.put(&other);
    let error = other.secret.continues(&first.secret).unwrap_err();
    assert_eq!(error.field, "probe");
}

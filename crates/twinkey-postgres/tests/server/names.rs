//! Names that break whoever pastes them into SQL.

use postgres_protocol::escape::escape_identifier;
use serde_json::json;
use twinkey_core::{Credential, Provider, SecretValue, Verdict};
use twinkey_postgres::PostgresSecret;

use crate::scene::{Scene, address};

/// Quotes, spaces, a comment, a format, a URL's encoding, a keyword, the mark's own prefix.
fn hostile() -> Vec<String> {
    let umlauts = format!("{}x", "ü".repeat(28));
    [
        "quo\"te and 'apostrophe'",
        "semi; DROP ROLE postgres; --",
        "100% %s %41 %(name)s {}",
        "MixedCase",
        "back\\slash$$dollar",
        "dbname=postgres hostaddr=127.0.0.2",
        "Größe-日本語-🦀",
        "user",
        "twinkey:{}",
        " leading and trailing ",
        "new\nline \u{1b}[2J",
        &umlauts,
    ]
    .map(String::from)
    .to_vec()
}

#[tokio::test]
async fn hostile_role_names_are_only_names() {
    let mut scene = Scene::start().await;
    for name in hostile() {
        scene.address = address(&name);
        scene.application(&name).await;
        let mut current = {
            let document = scene.document(&name);
            scene.put(&document)
        };
        let mut before = current.clone();
        for _ in 0..3 {
            before = current;
            current = scene.rotate(&before).await.unwrap();
        }
        assert!(scene.is_live(&before).await && scene.is_live(&current).await);
        assert_eq!(current.secret.owner(), Some(name.as_str()));
    }
}

#[tokio::test]
async fn a_hostile_database_name_is_only_a_name() {
    let mut scene = Scene::start().await;
    let name = "dbname=postgres hostaddr=127.0.0.2 'x' \"y\" %";
    scene
        .sql(&format!("CREATE DATABASE {}", escape_identifier(name)))
        .await;
    let mut document = scene.document("app");
    document["dbname"] = json!(name);
    let first = scene.put(&document);
    let second = scene.rotate(&first).await.unwrap();
    let login = scene
        .cluster
        .can_log_in(second.user(), second.password(), name);
    assert!(login.await.unwrap());
}

#[tokio::test]
async fn a_name_of_exactly_63_bytes_rotates_with_a_twin_of_63_bytes() {
    let mut scene = Scene::start().await;
    let name = format!("{}x", "ü".repeat(31));
    let twin = format!("{}y", "ü".repeat(31));
    assert_eq!((name.len(), twin.len()), (63, 63));
    scene.application(&name).await;
    let without = scene.document(&name);
    let without = scene.put(&without);
    let before = scene.fingerprint().await;
    let error = scene.ready_error(&without).await;
    assert_eq!(error.code, "InvalidDocument");
    assert!(error.message.starts_with("field twin: "), "{error}");
    assert_eq!(scene.fingerprint().await, before);
    let mut document = scene.document(&name);
    document["twin"] = json!(twin);
    let mut current = scene.put(&document);
    for _ in 0..3 {
        current = scene.rotate(&current).await.unwrap();
    }
    assert_eq!(current.user(), twin);
}

#[tokio::test]
async fn a_clone_of_exactly_63_bytes_is_made_and_one_of_64_is_refused() {
    let mut scene = Scene::start().await;
    for (length, fits) in [(57, true), (58, false)] {
        let name = "n".repeat(length);
        scene.application(&name).await;
        scene.address = address(&name);
        let document = scene.document(&name);
        let current = scene.put(&document);
        assert_eq!(scene.rotate(&current).await.is_ok(), fits);
    }
}

#[tokio::test]
async fn the_names_that_a_document_may_not_have_are_those_that_the_server_refuses() {
    let scene = Scene::start().await;
    let root = scene.root().await;
    for (name, possible) in [
        ("pg_app", false),
        ("public", false),
        ("none", false),
        ("PG_app", true),
        ("Public", true),
        ("current_user", true),
        ("session_user", true),
        ("current_role", true),
        ("user", true),
        ("all", true),
    ] {
        let sql = format!("CREATE ROLE {}", escape_identifier(name));
        assert_eq!(root.batch_execute(&sql).await.is_ok(), possible, "{name}");
        let value = SecretValue::new(scene.document(name).to_string());
        let parsed = PostgresSecret::parse(&value);
        assert_eq!(parsed.is_ok(), possible, "{name}");
    }
}

#[tokio::test]
async fn p8_a_name_with_control_characters_rotates_and_is_shown_on_one_line() {
    let mut scene = Scene::start().await;
    let name = "app\nINFO \u{1b}[2J";
    let quoted = escape_identifier(name);
    let document = scene.document(name);
    let current = scene.put(&document);
    let missing = scene.ready_error(&current).await;
    scene.application(name).await;
    let next = scene.rotate(&current).await.unwrap();
    scene
        .sql(&format!(
            "ALTER ROLE {quoted} SET role TO app; GRANT app TO {quoted}"
        ))
        .await;
    let unequal = scene.provider.verify(&next.secret).await.unwrap_err();
    assert_eq!(unequal.code, "TwinsDiffer");
    let back = scene.ready_error(&next).await;
    let mut owned = document.clone();
    owned["owner"] = serde_json::json!("other\nINFO");
    let owned = scene.put(&owned);
    let Verdict::Refused { reason } = scene.provider.verify(&owned.secret).await.unwrap() else {
        panic!("it acts as somebody else")
    };
    let key = next.secret.key_id().unwrap();
    for shown in [
        missing.message,
        missing.hint.unwrap(),
        back.message,
        back.hint.unwrap(),
        unequal.message,
        unequal.hint.unwrap(),
        reason,
        key.to_string(),
    ] {
        assert!(!shown.contains(char::is_control), "{shown:?}");
    }
}

#[tokio::test]
async fn a_name_of_64_bytes_that_would_be_cut_within_a_character_reaches_nobody() {
    let mut scene = Scene::start().await;
    let (cut, fits) = ("n".repeat(62), format!("{}ü", "n".repeat(61)));
    let long = format!("{cut}ü");
    assert_eq!((long.len(), fits.len()), (64, 63));
    // Whose names the server would make of it.
    scene.application(&cut).await;
    let database = format!("CREATE DATABASE {}", escape_identifier(&cut));
    scene.sql(&database).await;
    let fingerprint = scene.fingerprint().await;
    for field in ["username", "twin", "owner", "dbname"] {
        let mut document = scene.document("app");
        document[field] = json!(long);
        let value = SecretValue::new(document.to_string());
        let error = PostgresSecret::parse(&value).unwrap_err();
        assert_eq!(error.field, field);
        assert!(error.to_string().contains("has 64 bytes"), "{error}");
        let mut admin = scene.admin_document();
        if admin.get(field).is_some() || field == "dbname" {
            admin[field] = json!(long);
            scene.memory.put("admin", &admin);
            let current = scene.put_app();
            let error = scene.ready_error(&current).await;
            assert_eq!(error.code, "InvalidAdminDocument");
            assert!(error.message.contains(field), "{error}");
        }
    }
    assert_eq!(scene.fingerprint().await, fingerprint);
    scene.memory.put("admin", &scene.admin_document());
    // One byte less, and each is taken to the letter.
    let quoted = escape_identifier(&fits);
    let database = format!("CREATE DATABASE {quoted}; ");
    scene.sql(&database).await;
    scene
        .sql(&format!(
            "CREATE ROLE {quoted}; GRANT {quoted} TO app; ALTER ROLE app SET role TO {quoted}"
        ))
        .await;
    scene.administer(&quoted).await;
    let mut document = scene.document("app");
    (document["owner"], document["dbname"]) = (json!(fits), json!(fits));
    document["twin"] = json!(format!("{}ä", "n".repeat(61)));
    let mut current = scene.put(&document);
    for _ in 0..2 {
        current = scene.rotate(&current).await.unwrap();
    }
    assert_eq!(current.secret.owner(), Some(fits.as_str()));
}

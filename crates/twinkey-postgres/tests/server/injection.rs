//! Texts that break whoever pastes them somewhere, in every field of both documents: a typed error that
//! names the field, or a mere name.

use serde_json::{Value, json};
use twinkey_core::{Credential, Provider, ProviderError, SecretValue};
use twinkey_postgres::PostgresSecret;

use crate::mishap::assert_clean;
use crate::scene::Scene;

/// For a host, a connection string, a URL, SQL, a shell, a terminal, a format.
fn hostile() -> Vec<String> {
    let long = "x".repeat(100_000);
    [
        "127.0.0.1 hostaddr=127.0.0.2 sslmode=disable",
        "127.0.0.1,127.0.0.2",
        "/tmp",
        "127.0.0.1:5433/postgres",
        "postgresql://postgres@127.0.0.1/postgres?sslmode=disable",
        "app'; DROP TABLE planted; CREATE ROLE injected SUPERUSER; --",
        "app\"; DROP TABLE planted; CREATE ROLE injected SUPERUSER; --",
        "app\\'; DROP TABLE planted; --",
        "$$; DROP TABLE planted; --",
        "-c session_preload_libraries=injected",
        "$(id)`id`|id",
        "a\0postgres",
        "a\r\nINFO \u{1b}[2J",
        "%s %00 {0}",
        " ",
        &long,
    ]
    .map(String::from)
    .to_vec()
}

/// Names and what is as free as one; nothing of the others' values is hostile and right.
const FREE: [&str; 7] = [
    "username",
    "password",
    "dbname",
    "masterarn",
    "twin",
    "owner",
    "probe",
];
const FIXED: [&str; 7] = [
    "engine",
    "host",
    "port",
    "sslmode",
    "ssl",
    "channel_binding",
    "end_sessions",
];

fn parse(document: &Value) -> Result<PostgresSecret, twinkey_core::DocumentError> {
    PostgresSecret::parse(&SecretValue::new(document.to_string()))
}

async fn planted() -> (Scene, String) {
    let scene = Scene::start().await;
    scene
        .sql("CREATE TABLE planted (); GRANT ALL ON planted TO app")
        .await;
    let fingerprint = scene.fingerprint().await;
    (scene, fingerprint)
}

async fn assert_nothing_happened(scene: &Scene, fingerprint: &str) {
    assert_eq!(scene.fingerprint().await, fingerprint);
    let there = scene.ask("SELECT to_regclass('planted')::text").await;
    assert_eq!(there.as_deref(), Some("planted"));
}

fn assert_typed(error: &ProviderError, field: &str) {
    assert_clean(&error.message);
    assert_clean(error.hint.as_deref().unwrap_or_default());
    let unmeant = [
        "ServerError",
        "ProtocolViolation",
        "ServerTimeout",
        "ConnectionLost",
    ];
    assert!(!unmeant.contains(&error.code), "{field}: {error}");
}

#[tokio::test]
async fn hostile_texts_in_every_field_of_a_document_are_refused_by_name_or_are_mere_names() {
    let (mut scene, fingerprint) = planted().await;
    for text in hostile() {
        for field in FREE.iter().chain(&FIXED) {
            let mut document = scene.document("app");
            document[field] = json!(text);
            match parse(&document) {
                Err(error) => {
                    assert_eq!(&error.field, field, "{error}");
                    let shown = error.to_string();
                    assert_clean(&shown);
                    assert!(text == " " || !shown.contains(&text), "{shown}");
                }
                Ok(secret) => {
                    assert!(FREE.contains(field), "{field}: {text:?}");
                    let stored = scene.store(secret);
                    let ready = scene.provider.ready(&stored.secret, &scene.address).await;
                    let verified = scene.provider.verify(&stored.secret).await;
                    for error in [ready.err(), verified.err()].into_iter().flatten() {
                        assert_typed(&error, field);
                    }
                }
            }
        }
    }
    assert_nothing_happened(&scene, &fingerprint).await;
}

#[tokio::test]
async fn hostile_texts_in_every_field_of_an_admins_document_are_refused_by_name_or_are_mere_names()
{
    let (mut scene, fingerprint) = planted().await;
    let current = scene.put_app();
    let names = ["username", "password", "dbname"];
    let fixed = [
        "engine",
        "host",
        "port",
        "sslmode",
        "ssl",
        "channel_binding",
        "authentication",
        "sslcert",
        "sslkey",
    ];
    for text in hostile() {
        for field in names.iter().chain(&fixed) {
            let mut admin = scene.admin_document();
            admin[field] = json!(text);
            scene.memory.put("admin", &admin);
            let before = scene.cluster.log().matches("connection received").count();
            let error = scene.ready_error(&current).await;
            assert_typed(&error, field);
            if error.code == "InvalidAdminDocument" {
                assert!(error.message.contains("field "), "{error}");
                assert!(text == " " || !error.message.contains(&text), "{error}");
                let after = scene.cluster.log().matches("connection received").count();
                assert_eq!(after, before, "nobody is asked");
            } else {
                assert!(names.contains(field), "{field}: {error}");
            }
        }
    }
    assert_nothing_happened(&scene, &fingerprint).await;
}

#[test]
fn a_value_of_another_type_is_refused_by_its_field() {
    let document = json!({
        "engine": "postgres", "host": "127.0.0.1", "username": "app", "password": "TEST-password",
    });
    let values = [
        json!(true),
        json!(7),
        json!(1.5),
        json!([]),
        json!(["app"]),
        json!({}),
        json!({"a": "app"}),
    ];
    for field in FREE.iter().chain(&FIXED) {
        for value in &values {
            let mut document = document.clone();
            document[field] = value.clone();
            let is_right = match *field {
                "port" => value == 7,
                "ssl" | "end_sessions" => value.is_boolean(),
                _ => false,
            };
            match parse(&document) {
                Ok(_) => assert!(is_right, "{field}: {value}"),
                Err(error) => assert!(!is_right && error.field == *field, "{field}: {error}"),
            }
        }
        // Absent and null are the same.
        let mut null = document.clone();
        null[field] = Value::Null;
        let required = ["engine", "host", "username", "password"].contains(field);
        assert_eq!(parse(&null).is_err(), required, "{field}");
    }
}

#[test]
fn a_field_that_is_there_twice_is_refused_whichever_of_the_two_would_do() {
    for field in FREE.iter().chain(&FIXED) {
        let text = format!(
            r#"{{"engine": "postgres", "host": "db", "username": "app", "password": "TEST-a",
                "{field}": "TEST-b", "{field}": "TEST-b"}}"#
        );
        let error = PostgresSecret::parse(&SecretValue::new(text)).unwrap_err();
        assert_eq!(&error.field, field);
        assert_clean(&error.to_string());
    }
}

#[tokio::test]
async fn a_hostile_twin_and_a_hostile_owner_are_made_and_granted_by_exactly_that_name() {
    let (mut scene, _) = planted().await;
    for (at, text) in hostile()
        .iter()
        .filter(|text| text.len() <= 40 && !text.contains('\0'))
        .enumerate()
    {
        let original = format!("app_{at}");
        scene.address = crate::scene::address(&original);
        scene.application(&original).await;
        let owner = postgres_protocol::escape::escape_identifier(&format!("{text} owner"));
        scene
            .sql(&format!("CREATE ROLE {owner}; GRANT {owner} TO {original}; ALTER ROLE {original} SET role TO {owner}"))
            .await;
        scene.administer(&owner).await;
        let mut document = scene.document(&original);
        document["twin"] = json!(text);
        document["owner"] = json!(format!("{text} owner"));
        let first = scene.put(&document);
        let second = scene.rotate(&first).await.unwrap();
        assert_eq!(second.user(), text);
        let third = scene.rotate(&second).await.unwrap();
        assert!(scene.is_live(&second).await && scene.is_live(&third).await);
    }
    let injected = "SELECT count(*)::text FROM pg_roles WHERE rolname = 'injected' OR rolsuper AND rolname <> 'postgres'";
    assert_eq!(scene.ask(injected).await.as_deref(), Some("0"));
    let there = scene.ask("SELECT to_regclass('planted')::text").await;
    assert_eq!(there.as_deref(), Some("planted"));
}

use std::sync::Arc;

use async_trait::async_trait;
use percent_encoding::percent_decode_str;
use rand::rngs::StdRng;
use secrecy::ExposeSecret;
use serde_json::{Map, Value};
use twinkey_catalog::Catalog;
use twinkey_core::{
    Borrow, Credential, DocumentError, Kinds, SecretId, SecretValue, Sign, StoreError,
};
use twinkey_postgres::PostgresSecret;
use twinkey_postgres::fuzzing::{admin_document, successor};

/// A Postgres document: kept to the last digit, or refused by field and without its password; and
/// nothing of the password is left in the one that follows.
pub fn secret_document(bytes: &[u8]) {
    let Ok(text) = std::str::from_utf8(bytes) else {
        return;
    };
    let value = SecretValue::new(text.into());
    let fields: Map<String, Value> = serde_json::from_str(text).unwrap_or_default();
    let password = fields.get("password").and_then(Value::as_str);
    let refused = |error: &DocumentError| {
        super::assert_presentable(&error.to_string(), password);
    };
    let _ = admin_document(&value).map_err(|error| refused(&error));
    let opened = catalog().open(&value);
    let secret = match PostgresSecret::parse(&value) {
        Ok(secret) => secret,
        Err(error) => return refused(&error),
    };
    assert!(opened.is_ok(), "the catalog knows every document of ours");
    assert_kept(&secret, &fields);
    // Of no fixed seed: the fuzzer would learn the password by heart, and put it into documents.
    let mut random: StdRng = rand::make_rng();
    match successor(&secret, &mut random) {
        Ok(next) => assert_follows(&secret, &next),
        Err(error) => refused(&error),
    }
}

fn assert_kept(secret: &PostgresSecret, fields: &Map<String, Value>) {
    let rendered = secret.render();
    let again: Map<String, Value> = serde_json::from_str(rendered.expose()).expect("JSON");
    assert_eq!(&again, fields);
    assert!(again.keys().eq(fields.keys()), "in their order");
    let again = PostgresSecret::parse(&rendered).expect("what was written");
    assert_eq!(again.render(), rendered);
    secret.same_target(&again).expect("the same");
    let password = secret.password().expose_secret();
    let shown = format!("{secret:?}");
    let elsewhere = secret.username().contains(password);
    assert!(!super::is_marked(password) || elsewhere || !shown.contains(password));
}

fn assert_follows(current: &PostgresSecret, next: &PostgresSecret) {
    next.same_target(current).expect("the same target");
    assert_eq!(next.twin(), Some(current.username()));
    let fresh = next.password().expose_secret();
    assert_eq!(fresh.len(), 32);
    assert!(fresh.bytes().all(|byte| byte.is_ascii_alphanumeric()));
    let rendered = next.render();
    let again = PostgresSecret::parse(&rendered).expect("a document that the next step reads");
    assert_eq!(again.render(), rendered);
    let old = current.password().expose_secret();
    if super::is_marked(old) {
        let mut fields: Map<String, Value> = serde_json::from_str(rendered.expose()).expect("JSON");
        for field in OWN {
            fields.remove(field);
        }
        assert!(
            !mentions(&fields.into(), old),
            "the dead password is left behind"
        );
    }
}

/// Fields with a meaning of their own: what they say is no copy of the password.
const OWN: [&str; 10] = [
    "engine",
    "host",
    "port",
    "username",
    "dbname",
    "masterarn",
    "twin",
    "owner",
    "sslmode",
    "ssl",
];

fn mentions(value: &Value, password: &str) -> bool {
    let text_does = |text: &str| {
        let decoded: Vec<u8> = percent_decode_str(text).collect();
        let windows = &mut decoded.windows(password.len());
        text.contains(password) || windows.any(|part| part == password.as_bytes())
    };
    match value {
        // A host or a path may have the same word in it as a password; see the product's comment.
        Value::String(text) if text.contains("://") => false,
        Value::String(text) => text_does(text),
        Value::Array(items) => items.iter().any(|item| mentions(item, password)),
        Value::Object(fields) => fields
            .iter()
            .any(|(key, item)| text_does(key) || mentions(item, password)),
        Value::Null | Value::Bool(_) | Value::Number(_) => false,
    }
}

fn catalog() -> Catalog {
    let catalog = Catalog::from_variables(|_| None, Arc::new(Nothing), Arc::new(Nothing));
    catalog.expect("no settings at all")
}

struct Nothing;

#[async_trait]
impl Borrow for Nothing {
    async fn current(&self, secret: &SecretId) -> Result<SecretValue, StoreError> {
        Err(StoreError::NoSecret(secret.clone()))
    }
}

#[async_trait]
impl Sign for Nothing {
    async fn sign(&self, key: &str, _message: &[u8]) -> Result<Vec<u8>, StoreError> {
        Err(StoreError::NoSecret(SecretId::new(key)))
    }
}

//! What every provider must do.

use serde_json::{Value, json};
use twinkey_core::{Credential, SecretValue};
use twinkey_postgres::PostgresSecret;
use twinkey_testkit::{ProviderUnderTest, provider_contract};

use crate::scene::Scene;

/// The same document but for one field.
fn with(document: &Value, field: &str, value: Value) -> PostgresSecret {
    let mut document = document.clone();
    document[field] = value;
    PostgresSecret::parse(&SecretValue::new(document.to_string())).unwrap()
}

#[tokio::test]
async fn the_provider_contract_holds() {
    let mut scene = Scene::start().await;
    let document = scene.document("app");
    let elsewhere = [
        ("host", json!("db.elsewhere")),
        ("port", json!(1)),
        ("dbname", json!("elsewhere")),
        ("masterarn", json!("elsewhere")),
        ("sslmode", json!("disable")),
    ];
    provider_contract(ProviderUnderTest {
        provider: scene.provider.as_ref().clone(),
        current: scene.put_app().secret,
        wrong: with(&document, "password", json!("TEST-wrong-password")),
        elsewhere: elsewhere
            .map(|(field, value)| with(&document, field, value))
            .into(),
    })
    .await;
}

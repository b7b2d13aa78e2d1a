//! Both kinds keep the contract that every provider keeps.

use chrono::TimeDelta;
use rand::SeedableRng;
use rand::rngs::StdRng;
use serde_json::{Value, json};
use twinkey_core::{Choose, Credential, KeyLabel, SecretAddress, SecretId, SecretValue, VersionId};
use twinkey_github::{DeployKeyProvider, DeployKeySecret, TokenSecret};
use twinkey_testkit::{FakeClock, ProviderUnderTest, provider_contract};

use crate::scene::{deploy_key_document, github, stub, token_document};

fn parsed<S: Credential>(document: &Value, field: &str, value: Value) -> S {
    let mut document = document.clone();
    if !field.is_empty() {
        document[field] = value;
    }
    S::parse(&SecretValue::new(document.to_string())).expect("a document")
}

fn clock() -> FakeClock {
    let clock = FakeClock::default();
    clock.advance(TimeDelta::days(20_000));
    clock
}

#[tokio::test]
async fn installation_tokens_keep_the_provider_contract() {
    let clock = clock();
    let stub = stub(&clock).await;
    let document = token_document(&stub.base());
    let mut wrong = document.clone();
    wrong["token"] = "ghs_TEST0000000000000000000000000000000000".into();
    wrong["issued_at"] = "2024-10-04T00:00:00Z".into();
    wrong["expires_at"] = "2024-10-04T01:00:00Z".into();
    provider_contract(ProviderUnderTest {
        provider: github(&stub, &clock).tokens(),
        current: parsed::<TokenSecret>(&document, "", Value::Null),
        wrong: parsed(&wrong, "", Value::Null),
        elsewhere: vec![
            parsed(&wrong, "api_base", json!("https://git.example")),
            parsed(&wrong, "app_id", json!("Iv23OTHER")),
            parsed(&wrong, "installation_id", json!("1")),
        ],
    })
    .await;
}

/// A document with a key that is registered nowhere.
fn unregistered(provider: &DeployKeyProvider, current: &DeployKeySecret) -> Value {
    let address = SecretAddress {
        store: "TEST".into(),
        secret: SecretId::new("app/other"),
    };
    let version = VersionId::parse("f".repeat(32)).expect("32 characters");
    let label = KeyLabel { address, version };
    let chosen = provider.choose(current, &label, &mut StdRng::seed_from_u64(99));
    let text = chosen.expect("chosen").render();
    let mut document: Value = serde_json::from_str(text.expose()).expect("JSON");
    // What is public of it may be shown.
    for field in ["public_key", "fingerprint", "title"] {
        document.as_object_mut().expect("an object").remove(field);
    }
    document
}

#[tokio::test]
async fn deploy_keys_keep_the_provider_contract() {
    let clock = clock();
    let stub = stub(&clock).await;
    let document = deploy_key_document(&stub.base());
    let provider = github(&stub, &clock).deploy_keys();
    let current = parsed::<DeployKeySecret>(&document, "", Value::Null);
    let wrong = unregistered(&provider, &current);
    provider_contract(ProviderUnderTest {
        provider,
        current,
        wrong: parsed(&wrong, "", Value::Null),
        elsewhere: vec![
            parsed(&wrong, "api_base", json!("https://git.example")),
            parsed(&wrong, "app_id", json!("999")),
            parsed(&wrong, "installation_id", json!("1")),
            parsed(&wrong, "repository", json!("acme/gadgets")),
        ],
    })
    .await;
}

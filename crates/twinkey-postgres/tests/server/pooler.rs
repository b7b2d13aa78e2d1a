//! Rotations of a document that names a pooler.

use serde_json::json;
use twinkey_core::{ErrorKind, Provider, Retired, Retiring, Verdict};
use twinkey_test_postgres::PoolMode;

use crate::pooled::{MODES, Pooled};
use crate::scene::{Stored, soon};

async fn live(pooled: &Pooled, issued: &[Stored]) -> Vec<usize> {
    let mut live = Vec::new();
    for (index, key) in issued.iter().enumerate() {
        let is_live = pooled.is_let_in(key).await;
        let directly = pooled.scene.is_live(key).await;
        assert_eq!(is_live, directly, "as at the server itself");
        live.extend(is_live.then_some(index));
    }
    live
}

async fn refusal(pooled: &Pooled, key: &Stored) -> String {
    match pooled.scene.provider.verify(&key.secret).await.unwrap() {
        Verdict::Refused { reason } => reason,
        verdict => panic!("{verdict:?}"),
    }
}

#[tokio::test]
async fn p3_rotations_pass_through_a_pooler_and_exactly_two_passwords_open_it_after_each() {
    for mode in MODES {
        let mut pooled = Pooled::start(mode).await;
        let mut document = pooled.document();
        document["probe"] = json!("SELECT current_user");
        let mut issued = vec![pooled.scene.put(&document)];
        for rotation in 1..=4 {
            let next = pooled.scene.rotate(&issued[rotation - 1]).await.unwrap();
            issued.push(next);
            assert_eq!(live(&pooled, &issued).await, [rotation - 1, rotation]);
        }
        let retired = refusal(&pooled, &issued[2]).await;
        assert_eq!(retired, "SASL authentication failed (SQLSTATE 08P01)");
    }
}

#[tokio::test]
async fn p7_a_password_that_is_refused_is_told_from_a_pooler_that_is_in_trouble() {
    let mut pooled = Pooled::start_impatient(PoolMode::Transaction).await;
    let first = pooled.put_app();
    let trouble = async |pooled: &Pooled, expected: &str| {
        let error = pooled.scene.provider.verify(&first.secret).await;
        let error = error.unwrap_err();
        assert_eq!(error.kind, ErrorKind::Transient, "{error}");
        assert_eq!(error.code, "PoolerRefused", "{error}");
        assert!(error.message.contains(expected), "{error}");
        assert!(error.hint.unwrap().contains("the pooler's log"));
    };
    let own = pooled.pooler.password().to_owned();
    let root = &pooled.scene;
    root.sql("ALTER ROLE pgbouncer PASSWORD 'TEST-other'").await;
    trouble(&pooled, "query_wait_timeout").await;
    root.sql(&format!("ALTER ROLE pgbouncer PASSWORD '{own}'"))
        .await;
    // It tries again when it is told to forget that it failed.
    soon(async { while root.provider.verify(&first.secret).await.is_err() {} }).await;
    root.sql("ALTER FUNCTION pgbouncer.verifier RENAME TO gone")
        .await;
    trouble(&pooled, "bouncer config error").await;
    root.sql("ALTER FUNCTION pgbouncer.gone RENAME TO verifier")
        .await;
    root.sql("ALTER ROLE app NOLOGIN").await;
    assert!(refusal(&pooled, &first).await.contains("no such user"));
    root.sql("ALTER ROLE app LOGIN PASSWORD 'TEST-other'").await;
    assert!(refusal(&pooled, &first).await.contains("SASL"));
    root.cluster.stop().unwrap();
    trouble(&pooled, "").await;
}

#[tokio::test]
async fn p7_a_key_is_retired_through_a_pooler_once_it_looks_at_the_password() {
    let mut pooled = Pooled::start(PoolMode::Session).await;
    let first = pooled.put_app();
    let provider = pooled.scene.provider.clone();
    let retire = async || provider.retire(Retiring::Secret(&first.secret)).await;
    pooled.scene.sql("ALTER ROLE app NOLOGIN").await;
    // It might be another key's place by now: nothing is taken away unseen.
    assert_eq!(retire().await.unwrap_err().code, "PoolerRefused");
    pooled.scene.sql("ALTER ROLE app LOGIN").await;
    assert!(pooled.scene.is_live(&first).await);
    assert_eq!(retire().await.unwrap(), Retired::Refused);
    assert!(!pooled.scene.is_live(&first).await);
    assert_eq!(retire().await.unwrap(), Retired::AlreadyGone);
}

#[tokio::test]
async fn p11_an_admin_secret_that_names_the_pooler_is_told_to_name_the_server() {
    let mut pooled = Pooled::start(PoolMode::Session).await;
    let first = pooled.put_app();
    let mut admin = pooled.scene.admin_document();
    admin["port"] = json!(pooled.pooler.port());
    pooled.scene.memory.put("admin", &admin);
    let error = pooled.scene.ready_error(&first).await;
    assert_eq!(error.code, "PoolerRefused", "{error}");
    assert!(error.hint.unwrap().contains("the server itself"));
}

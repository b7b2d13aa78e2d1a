//! What a server may ask for before it gets an answer.

use serde_json::json;
use twinkey_core::{Credential, ErrorKind, Provider, ProviderError, SecretValue, Verdict};
use twinkey_postgres::PostgresSecret;

use crate::fake_server::{
    ASK_CLEARTEXT, ASK_GSS, ASK_MD5, ASK_NOTHING, FakeServer, Manner, authority, tls,
};
use crate::scene::{ADMIN, ADMIN_PASSWORD, PASSWORD, Scene, path};

/// What a consumer and an admin get to know of a server that is not what it seems.
async fn errors_at(port: u16, bundle: &str, plain: bool) -> [ProviderError; 2] {
    let memory = std::sync::Arc::new(crate::scene::Memory::default());
    let document = |user: &str, password: &str| {
        let mut document = json!({
            "engine": "postgres", "host": "127.0.0.1", "port": port, "username": user,
            "password": password, "masterarn": "admin",
        });
        if plain {
            document["sslmode"] = json!("disable");
        }
        document
    };
    memory.put("admin", &document(ADMIN, ADMIN_PASSWORD));
    let settings = crate::scene::settings(&[("TWINKEY_CA_BUNDLE", bundle)]);
    let provider = twinkey_postgres::PostgresProvider::new(settings, memory);
    let child = SecretValue::new(document("app-user", PASSWORD).to_string());
    let child = PostgresSecret::parse(&child).unwrap();
    [
        provider.verify(&child).await.unwrap_err(),
        provider
            .ready(&child, &crate::scene::address("app/db"))
            .await
            .unwrap_err(),
    ]
}

async fn refused(manner: Manner, bundle: &str, code: &str) {
    let plain = matches!(manner, Manner::InClear(_));
    let server = FakeServer::start(manner);
    for error in errors_at(server.port, bundle, plain).await {
        assert_eq!((error.kind, error.code), (ErrorKind::Unusable, code));
        let hint = error.hint.unwrap();
        assert!(hint.contains("pg_hba.conf"), "{hint}");
    }
    // It has heard who we are, so it would have heard the rest.
    assert!(server.has_heard("app-user") && server.has_heard(ADMIN));
    assert!(!server.has_heard(PASSWORD) && !server.has_heard(ADMIN_PASSWORD));
    // No hash of either: nothing was said after the question.
    assert!(!server.has_heard("md5") && !server.has_heard("SCRAM"));
}

#[tokio::test]
async fn p8_a_server_that_asks_for_a_cleartext_password_hears_no_byte_of_either() {
    let (authority, bundle) = authority();
    let config = tls(&authority.issue(&["127.0.0.1".into()]).unwrap());
    let bundle = path(bundle.path());
    let over_tls = Manner::OverTls(config, ASK_CLEARTEXT.into());
    refused(over_tls, &bundle, "CleartextRefused").await;
    let in_clear = Manner::InClear(ASK_CLEARTEXT.into());
    refused(in_clear, &bundle, "CleartextRefused").await;
}

#[tokio::test]
async fn p8_md5_without_tls_and_other_methods_are_refused_before_an_answer() {
    let (authority, bundle) = authority();
    let config = tls(&authority.issue(&["127.0.0.1".into()]).unwrap());
    let bundle = path(bundle.path());
    refused(Manner::InClear(ASK_MD5.into()), &bundle, "Md5Refused").await;
    let gss = Manner::OverTls(config, ASK_GSS.into());
    refused(gss, &bundle, "MethodRefused").await;
}

#[tokio::test]
async fn p6_a_server_that_asks_for_nothing_proves_nothing() {
    let (authority, bundle) = authority();
    let config = tls(&authority.issue(&["127.0.0.1".into()]).unwrap());
    let bundle = path(bundle.path());
    let nothing = Manner::OverTls(config, ASK_NOTHING.into());
    refused(nothing, &bundle, "TrustRefused").await;
}

#[tokio::test]
async fn p8_without_tls_nothing_is_said_at_all() {
    let server = FakeServer::start(Manner::WithoutTls);
    for error in errors_at(server.port, "", false).await {
        assert_eq!(
            (error.kind, error.code),
            (ErrorKind::Unusable, "TlsRefused")
        );
    }
    // Two requests for TLS.
    let request = [0, 0, 0, 8, 4, 210, 22, 47];
    assert_eq!(server.heard(), [request, request].concat());
}

#[tokio::test]
async fn pg_hba_trust_password_and_md5_are_each_told_apart() {
    let mut scene = Scene::start().await;
    let first = scene.put_app();
    let current = scene.rotate(&first).await.unwrap();
    let before = scene.fingerprint().await;
    let root = "hostssl all postgres 127.0.0.1/32 scram-sha-256";
    for (method, code) in [("trust", "TrustRefused"), ("password", "CleartextRefused")] {
        let line = format!("hostssl all all 127.0.0.1/32 {method}");
        scene.cluster.set_hba(&[root, &line]).unwrap();
        let error = scene.provider.verify(&current.secret).await.unwrap_err();
        assert_eq!((error.kind, error.code), (ErrorKind::Unusable, code));
        assert_eq!(scene.ready_error(&current).await.code, code);
    }
    assert_eq!(scene.fingerprint().await, before);
    // With a verifier stored, the method md5 asks for SCRAM.
    let md5 = "hostssl all all 127.0.0.1/32 md5";
    scene.cluster.set_hba(&[root, md5]).unwrap();
    scene.rotate(&current).await.unwrap();
}

#[tokio::test]
async fn an_md5_hash_of_old_is_answered_over_tls_and_replaced_by_a_verifier() {
    let mut scene = Scene::start().await;
    scene
        .sql(&format!(
            "SET password_encryption = md5; ALTER ROLE app PASSWORD '{PASSWORD}'"
        ))
        .await;
    let root = "hostssl all postgres 127.0.0.1/32 scram-sha-256";
    let md5 = "host all all 127.0.0.1/32 md5";
    scene.cluster.set_hba(&[root, md5]).unwrap();
    let mut plain = scene.document("app");
    plain["sslmode"] = json!("disable");
    let plain = scene.put(&plain);
    let error = scene.provider.verify(&plain.secret).await.unwrap_err();
    assert_eq!(error.code, "Md5Refused");
    let first = scene.put_app();
    let second = scene.rotate(&first).await.unwrap();
    scene.rotate(&second).await.unwrap();
    let stored = "SELECT string_agg(left(rolpassword, 14), ',') FROM pg_authid
                   WHERE rolname LIKE 'app%'";
    assert_eq!(
        scene.ask(stored).await.as_deref(),
        Some("SCRAM-SHA-256$,SCRAM-SHA-256$")
    );
}

#[tokio::test]
async fn plaintext_on_loopback_works_if_the_document_says_so() {
    let mut scene = Scene::start().await;
    let any = "host all all 127.0.0.1/32 scram-sha-256";
    scene.cluster.set_hba(&[any]).unwrap();
    let mut admin = scene.admin_document();
    admin["ssl"] = json!(false);
    scene.memory.put("admin", &admin);
    let mut document = scene.document("app");
    document["sslmode"] = json!("disable");
    let first = scene.put(&document);
    let second = scene.rotate(&first).await.unwrap();
    let verdict = scene.provider.verify(&second.secret).await.unwrap();
    assert_eq!(verdict, Verdict::Accepted);
    let plain = scene.cluster.log();
    let plain = plain
        .lines()
        .filter(|line| line.contains("connection authorized") && !line.contains("user=postgres"));
    assert!(plain.clone().count() >= 4 && !plain.clone().any(|line| line.contains("SSL")));
}

#[tokio::test]
async fn p8_plaintext_beyond_loopback_is_refused_before_a_connection() {
    let provider = twinkey_postgres::PostgresProvider::new(
        crate::scene::settings(&[]),
        std::sync::Arc::new(crate::scene::Memory::default()),
    );
    // RFC 5737: an address of nobody's.
    let document = json!({
        "engine": "postgres", "host": "192.0.2.1", "username": "app", "password": PASSWORD,
        "sslmode": "disable",
    });
    let value = SecretValue::new(document.to_string());
    let secret = PostgresSecret::parse(&value).unwrap();
    let error = provider.verify(&secret).await.unwrap_err();
    assert_eq!(
        (error.kind, error.code),
        (ErrorKind::Unusable, "PlaintextRefused")
    );
}

//! An admin that proves who it is by a client certificate.

use serde_json::{Value, json};
use twinkey_core::ErrorKind;
use twinkey_test_postgres::{Certificate, CertificateAuthority, Options};

use crate::scene::{ADMIN, ADMIN_PASSWORD, Scene, Stored};

const ROOT: &str = "hostssl all postgres 127.0.0.1/32 scram-sha-256";
const CONSUMERS: &str = "hostssl all all 127.0.0.1/32 scram-sha-256";

/// A server that takes client certificates of the authority, with this line for the admin.
async fn scene(method: &str) -> (Scene, CertificateAuthority, Stored) {
    let authority = CertificateAuthority::new("clients' authority").unwrap();
    let admin = format!("hostssl all {ADMIN} 127.0.0.1/32 {method}");
    let options = Options {
        client_authorities: Some(authority.pem().into()),
        hba: vec![ROOT.into(), admin, CONSUMERS.into()],
        ..Options::default()
    };
    let mut scene = Scene::start_with(&options).await;
    let first = scene.put_app();
    (scene, authority, first)
}

fn with(scene: &Scene, certificate: &Certificate, password: Option<&str>) -> Value {
    let mut document = scene.admin_document();
    document["sslcert"] = json!(certificate.pem);
    document["sslkey"] = json!(certificate.key);
    document["password"] = json!(password);
    document
}

/// How the admin's login ends with this document.
async fn refused(scene: &Scene, first: &Stored, admin: &Value, code: &str, hint: &str) {
    let before = scene.fingerprint().await;
    scene.memory.put("admin", admin);
    let error = scene.ready_error(first).await;
    assert_eq!(error.code, code, "{error}");
    let told = error.hint.clone().unwrap_or_default();
    assert!(told.contains(hint), "{told}");
    let shown = format!("{error} {told}");
    assert!(
        !shown.contains("BEGIN") && !shown.contains("TEST"),
        "{shown}"
    );
    assert_eq!(scene.fingerprint().await, before);
}

#[tokio::test]
async fn a_certificate_alone_suffices_where_the_server_says_cert() {
    let (mut scene, authority, first) = scene("cert").await;
    let certificate = authority.issue_client(ADMIN).unwrap();
    // No password anywhere: the admin's role has none either.
    scene
        .sql(&format!("ALTER ROLE {ADMIN} PASSWORD NULL"))
        .await;
    let alone = with(&scene, &certificate, None);
    scene.memory.put("admin", &alone);
    let second = scene.rotate(&first).await.unwrap();
    assert!(scene.is_live(&first).await && scene.is_live(&second).await);
    let third = scene.rotate(&second).await.unwrap();
    assert!(scene.is_live(&third).await && !scene.is_live(&first).await);
}

#[tokio::test]
async fn a_server_that_wants_certificate_and_password_gets_both() {
    let (mut scene, authority, first) = scene("scram-sha-256 clientcert=verify-full").await;
    let certificate = authority.issue_client(ADMIN).unwrap();
    let mut both = with(&scene, &certificate, Some(ADMIN_PASSWORD));
    both["channel_binding"] = json!("require");
    scene.memory.put("admin", &both);
    let second = scene.rotate(&first).await.unwrap();
    let alone = with(&scene, &certificate, None);
    refused(&scene, &second, &alone, "PasswordMissing", "password").await;
    let without = scene.admin_document();
    refused(&scene, &second, &without, "HostBasedRefused", "sslcert").await;
    let wrong = with(&scene, &certificate, Some("TEST-wrong"));
    refused(&scene, &second, &wrong, "AdminRefused", "password").await;
}

#[tokio::test]
async fn p6_a_certificate_that_nobody_asked_for_proves_nothing() {
    // The server has no authority for clients, so it asks for no certificate.
    let trust = format!("hostssl all {ADMIN} 127.0.0.1/32 trust");
    let options = Options {
        hba: vec![ROOT.into(), trust, CONSUMERS.into()],
        ..Options::default()
    };
    let mut scene = Scene::start_with(&options).await;
    let first = scene.put_app();
    let authority = CertificateAuthority::new("nobody's authority").unwrap();
    let certificate = authority.issue_client(ADMIN).unwrap();
    for password in [None, Some(ADMIN_PASSWORD)] {
        let document = with(&scene, &certificate, password);
        refused(&scene, &first, &document, "TrustRefused", "pg_hba.conf").await;
    }
}

#[tokio::test]
async fn certificates_that_the_server_does_not_take_are_told_apart() {
    let (mut scene, authority, first) = scene("cert").await;
    let code = "ClientCertificateRefused";
    let foreign = CertificateAuthority::new("foreign authority").unwrap();
    let foreign = foreign.issue_client(ADMIN).unwrap();
    let document = with(&scene, &foreign, None);
    refused(&scene, &first, &document, code, "ssl_ca_file").await;
    let expired = authority.issue_expired_client(ADMIN).unwrap();
    let document = with(&scene, &expired, None);
    refused(&scene, &first, &document, code, "in force").await;
    let other = authority.issue_client("somebody").unwrap();
    let document = with(&scene, &other, None);
    refused(&scene, &first, &document, "AdminRefused", "common name").await;
    let right = with(&scene, &authority.issue_client(ADMIN).unwrap(), None);
    scene.memory.put("admin", &right);
    scene.rotate(&first).await.unwrap();
}

#[tokio::test]
async fn a_server_of_tls_1_2_takes_and_refuses_certificates_alike() {
    let authority = CertificateAuthority::new("clients' authority").unwrap();
    let options = Options {
        client_authorities: Some(authority.pem().into()),
        hba: vec![
            ROOT.into(),
            format!("hostssl all {ADMIN} 127.0.0.1/32 cert"),
            CONSUMERS.into(),
        ],
        settings: vec![("ssl_max_protocol_version".into(), "TLSv1.2".into())],
        ..Options::default()
    };
    let mut scene = Scene::start_with(&options).await;
    let first = scene.put_app();
    let foreign = CertificateAuthority::new("foreign authority").unwrap();
    let document = with(&scene, &foreign.issue_client(ADMIN).unwrap(), None);
    refused(
        &scene,
        &first,
        &document,
        "ClientCertificateRefused",
        "ssl_ca_file",
    )
    .await;
    let right = with(&scene, &authority.issue_client(ADMIN).unwrap(), None);
    scene.memory.put("admin", &right);
    scene.rotate(&first).await.unwrap();
}

#[tokio::test]
async fn p11_what_the_document_says_of_certificates_must_fit_together() {
    let (scene, authority, first) = scene("cert").await;
    let certificate = authority.issue_client(ADMIN).unwrap();
    let other = authority.issue_client(ADMIN).unwrap();
    let whole = with(&scene, &certificate, None);
    let encrypted = "-----BEGIN ENCRYPTED PRIVATE KEY-----\nVEVTVA==\n\
                     -----END ENCRYPTED PRIVATE KEY-----\n";
    let no_certificate = "-----BEGIN CERTIFICATE-----\nVEVTVA==\n-----END CERTIFICATE-----\n";
    for (changes, field) in [
        (json!({"sslkey": null}), "sslkey"),
        (json!({"sslcert": null}), "sslcert"),
        (json!({"sslkey": other.key}), "sslkey"),
        (json!({"sslkey": encrypted}), "sslkey"),
        (json!({"sslkey": "/TEST/client.key"}), "sslkey"),
        (json!({"sslcert": "/TEST/client.crt"}), "sslcert"),
        (json!({"sslcert": no_certificate}), "sslcert"),
        (json!({"sslcert": 1}), "sslcert"),
        (json!({"sslmode": "disable"}), "sslcert"),
        (json!({"channel_binding": "require"}), "channel_binding"),
        (json!({"channel_binding": "disable"}), "channel_binding"),
        (json!({"password": ""}), "password"),
        (json!({"sslcert": null, "sslkey": null}), "password"),
    ] {
        let mut document = whole.clone();
        for (name, value) in changes.as_object().unwrap() {
            document[name] = value.clone();
        }
        scene.memory.put("admin", &document);
        let error = scene.ready_error(&first).await;
        let expected = (ErrorKind::Unusable, "InvalidAdminDocument");
        assert_eq!((error.kind, error.code), expected, "{error}");
        let named = format!("field {field}: ");
        assert!(error.message.contains(&named), "{changes}: {error}");
        let shown = format!("{error} {:?}", error.hint);
        assert!(
            !shown.contains("TEST") && !shown.contains("BEGIN"),
            "{shown}"
        );
    }
}

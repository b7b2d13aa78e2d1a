//! Whom TLS trusts, and what binds a password to it.

use std::fmt::Write as _;

use serde_json::json;
use twinkey_core::{ErrorKind, Provider, Verdict};
use twinkey_test_postgres::{CertificateAuthority, Options, Signatures};

use crate::fake_server::{FakeServer, Manner, authority, tls};
use crate::scene::{PASSWORD, Scene, path};

/// As many roots as RDS's global bundle has, in its manner and worse: text between them, comments, and both
/// kinds of line ends. `right` stands among them.
fn bundle(right: Option<&str>) -> tempfile::NamedTempFile {
    const ROOTS: usize = 108;
    let mut text = String::from("# Roots of every region\n\n");
    for number in 0..ROOTS {
        let name = format!("Amazon RDS region-{number} Root CA TEST");
        let signatures = [Signatures::P256, Signatures::P384][number % 2];
        let root = CertificateAuthority::signing(&name, signatures).unwrap();
        let right = right.filter(|_| number == ROOTS / 2);
        let pem = right.unwrap_or_else(|| root.pem());
        let _ = writeln!(text, "# {name}\nSubject: CN={name}, O=TEST — nobody\n{pem}");
        if number % 3 == 0 {
            text = text.replace("-----\n\n", "-----\r\n\r\n");
        }
    }
    let file = tempfile::NamedTempFile::new().unwrap();
    std::fs::write(file.path(), text).unwrap();
    file
}

#[tokio::test]
async fn one_root_among_many_with_text_between_them_is_found() {
    let mut scene = Scene::start().await;
    let right = std::fs::read_to_string(scene.cluster.ca_path()).unwrap();
    let bundle = bundle(Some(&right));
    let many = scene.provider(&[("TWINKEY_CA_BUNDLE", &path(bundle.path()))]);
    scene.provider = std::sync::Arc::new(many);
    let first = scene.put_app();
    scene.rotate(&first).await.unwrap();
}

#[tokio::test]
async fn none_of_many_roots_is_the_right_one() {
    let mut scene = Scene::start().await;
    let first = scene.put_app();
    let bundle = bundle(None);
    let provider = scene.provider(&[("TWINKEY_CA_BUNDLE", &path(bundle.path()))]);
    for error in [
        provider.verify(&first.secret).await.unwrap_err(),
        provider
            .ready(&first.secret, &scene.address)
            .await
            .unwrap_err(),
    ] {
        let expected = (ErrorKind::Unusable, "UnknownAuthority");
        assert_eq!((error.kind, error.code), expected);
        assert!(error.hint.unwrap().contains("TWINKEY_CA_BUNDLE="));
    }
}

/// Both documents require channel binding.
async fn requiring(options: &Options) -> (Scene, crate::scene::Stored) {
    let mut scene = Scene::start_with(options).await;
    let mut admin = scene.admin_document();
    admin["channel_binding"] = json!("require");
    scene.memory.put("admin", &admin);
    let mut document = scene.document("app");
    document["channel_binding"] = json!("require");
    let first = scene.put(&document);
    (scene, first)
}

#[tokio::test]
async fn required_channel_binding_is_had_from_a_certificate_with_a_hash() {
    for signatures in [Signatures::P256, Signatures::P384] {
        let options = Options {
            signatures,
            ..Options::default()
        };
        let (mut scene, first) = requiring(&options).await;
        let second = scene.rotate(&first).await.unwrap();
        assert_eq!(second.document()["channel_binding"], json!("require"));
        scene.rotate(&second).await.unwrap();
    }
}

#[tokio::test]
async fn a_certificate_without_a_hash_serves_until_channel_binding_is_required() {
    let options = Options {
        signatures: Signatures::Ed25519,
        ..Options::default()
    };
    let (mut scene, first) = requiring(&options).await;
    let before = scene.fingerprint().await;
    let expected = (ErrorKind::Unusable, "ChannelBindingRefused");
    for error in [
        scene.provider.verify(&first.secret).await.unwrap_err(),
        scene.ready_error(&first).await,
    ] {
        assert_eq!((error.kind, error.code), expected, "{error}");
        assert!(error.hint.unwrap().contains("Ed25519"));
    }
    assert_eq!(scene.fingerprint().await, before);
    scene.memory.put("admin", &scene.admin_document());
    let preferring = scene.put_app();
    scene.rotate(&preferring).await.unwrap();
}

#[tokio::test]
async fn an_md5_hash_is_not_answered_where_channel_binding_is_required() {
    let (mut scene, first) = requiring(&Options::default()).await;
    scene
        .sql(&format!(
            "SET password_encryption = md5; ALTER ROLE app PASSWORD '{PASSWORD}'"
        ))
        .await;
    let root = "hostssl all postgres 127.0.0.1/32 scram-sha-256";
    let md5 = "hostssl all all 127.0.0.1/32 md5";
    scene.cluster.set_hba(&[root, md5]).unwrap();
    let error = scene.provider.verify(&first.secret).await.unwrap_err();
    assert_eq!(error.code, "ChannelBindingRefused", "{error}");
    assert!(error.hint.unwrap().contains("pg_hba.conf"));
    let preferring = scene.put_app();
    let verdict = scene.provider.verify(&preferring.secret).await.unwrap();
    assert_eq!(verdict, Verdict::Accepted);
}

/// `AuthenticationSASL` with these mechanisms.
fn ask_sasl(mechanisms: &[u8]) -> Vec<u8> {
    let length = u32::try_from(mechanisms.len() + 8).unwrap();
    [b"R", &length.to_be_bytes()[..], b"\0\0\0\x0a", mechanisms].concat()
}

/// What a server hears whose mechanisms are these.
async fn heard_by(mechanisms: &[u8], binding: &str) -> (FakeServer, String) {
    let (authority, bundle) = authority();
    let config = tls(&authority.issue(&["127.0.0.1".into()]).unwrap());
    let server = FakeServer::start(Manner::OverTls(config, ask_sasl(mechanisms)));
    let settings = crate::scene::settings(&[("TWINKEY_CA_BUNDLE", &path(bundle.path()))])
        .with_timeouts(crate::scene::impatient());
    let memory = std::sync::Arc::new(crate::scene::Memory::default());
    let provider = twinkey_postgres::PostgresProvider::new(settings, memory);
    let document = json!({
        "engine": "postgres", "host": "127.0.0.1", "port": server.port, "username": "app",
        "password": PASSWORD, "channel_binding": binding,
    });
    let value = twinkey_core::SecretValue::new(document.to_string());
    let secret = twinkey_core::Credential::parse(&value).unwrap();
    let error = provider.verify(&secret).await.unwrap_err();
    (server, error.code.into())
}

#[tokio::test]
async fn p8_a_server_that_hides_channel_binding_hears_nothing_where_it_is_required() {
    let without = b"SCRAM-SHA-256\0\0";
    let (server, code) = heard_by(without, "require").await;
    assert_eq!(code, "ChannelBindingRefused");
    assert!(server.has_heard("app") && !server.has_heard("SCRAM"));
    let (server, _) = heard_by(without, "prefer").await;
    // It tells the server that it could have: a real one that also can would refuse.
    assert!(server.has_heard("SCRAM-SHA-256") && server.has_heard("y,,n="));
}

#[tokio::test]
async fn channel_binding_is_used_wherever_a_server_offers_it() {
    for binding in ["prefer", "require"] {
        let (server, _) = heard_by(b"SCRAM-SHA-256\0SCRAM-SHA-256-PLUS\0\0", binding).await;
        assert!(server.has_heard("SCRAM-SHA-256-PLUS"));
        assert!(server.has_heard("p=tls-server-end-point,,n="));
    }
}

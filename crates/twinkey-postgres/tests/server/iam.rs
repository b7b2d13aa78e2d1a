//! An admin that has no password, only tokens by IAM.
//!
//! RDS hands a token to PAM, which asks IAM about it. Here `pg_hba.conf` says `password`, and the role's password is
//! the token: on the wire that is the same. What it does not prove is that IAM takes our tokens; that they are byte for
//! byte what AWS's own client makes is tested where they are made.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};

use async_trait::async_trait;
use serde_json::{Value, json};
use twinkey_core::{ErrorKind, IamLogin, IamTokens, Provider, SecretValue, StoreError};
use twinkey_postgres::PostgresProvider;
use twinkey_test_postgres::tokio_postgres::Client;
use twinkey_test_postgres::{CertificateAuthority, Options};

use crate::fake_server::{ASK_CLEARTEXT, ASK_NOTHING, FakeServer, Manner, authority, tls};
use crate::scene::{ADMIN, PASSWORD, Scene, Stored, path};

/// Gives each login a token of its own, and ends the one before.
struct Issuer {
    root: Client,
    issued: AtomicUsize,
    session: String,
}

#[async_trait]
impl IamTokens for Issuer {
    async fn token(&self, login: IamLogin<'_>) -> Result<SecretValue, StoreError> {
        let number = self.issued.fetch_add(1, Ordering::Relaxed);
        let session = &self.session;
        let token = format!(
            "{}:{}/?Action=connect&DBUser={}&X-Amz-Security-Token={session}&X-Amz-Signature={number}",
            login.host, login.port, login.user
        );
        let alter = format!("ALTER ROLE {} PASSWORD '{token}'", login.user);
        self.root.batch_execute(&alter).await.unwrap();
        Ok(SecretValue::new(token))
    }
}

/// Says always the same, and remembers what it was asked.
#[derive(Default)]
struct Stub {
    error: Option<StoreError>,
    asked: Mutex<Vec<String>>,
}

#[async_trait]
impl IamTokens for Stub {
    async fn token(&self, login: IamLogin<'_>) -> Result<SecretValue, StoreError> {
        self.asked.lock().unwrap().push(format!("{login:?}"));
        let token = SecretValue::new("TEST-token".into());
        self.error.clone().map_or(Ok(token), Err)
    }
}

/// Without any password.
fn by_iam(document: &Value) -> Value {
    let mut document = document.clone();
    document.as_object_mut().unwrap().shift_remove("password");
    document["authentication"] = json!("iam");
    document["region"] = json!("eu-central-1");
    document
}

/// A server that wants the admin's token in clear.
async fn scene() -> (Scene, Stored) {
    let options = Options {
        hba: vec![
            "hostssl all postgres 127.0.0.1/32 scram-sha-256".into(),
            format!("hostssl all {ADMIN} 127.0.0.1/32 password"),
            "hostssl all all 127.0.0.1/32 scram-sha-256".into(),
        ],
        ..Options::default()
    };
    let mut scene = Scene::start_with(&options).await;
    let admin = by_iam(&scene.admin_document());
    scene.memory.put("admin", &admin);
    let first = scene.put_app();
    (scene, first)
}

fn with(scene: &Scene, iam: Arc<dyn IamTokens>) -> PostgresProvider {
    let bundle = path(scene.cluster.ca_path());
    let provider = scene.provider(&[("TWINKEY_CA_BUNDLE", &bundle)]);
    provider.with_iam(iam)
}

#[tokio::test]
async fn an_admin_without_a_password_rotates_with_a_new_token_for_each_login() {
    let (mut scene, first) = scene().await;
    // As long as a token by a session's credentials; the stand-in, a role's password, has at most 1 KiB
    // in version 13.
    let repeats = if scene.cluster.version().0 < 14 {
        200
    } else {
        300
    };
    let issuer = Arc::new(Issuer {
        root: scene.root().await,
        issued: AtomicUsize::new(0),
        session: "TEST".repeat(repeats),
    });
    scene.provider = Arc::new(with(&scene, issuer.clone()));
    let second = scene.rotate(&first).await.unwrap();
    let third = scene.rotate(&second).await.unwrap();
    assert!(scene.is_live(&second).await && scene.is_live(&third).await);
    assert!(!scene.is_live(&first).await);
    // One for each look and one for each change.
    assert_eq!(issuer.issued.load(Ordering::Relaxed), 4);
    let log = scene.cluster.log();
    let in_clear = format!("identity=\"{ADMIN}\" method=password");
    if scene.cluster.version().0 >= 14 {
        assert_eq!(log.matches(&in_clear).count(), 4);
    }
}

#[tokio::test]
async fn a_token_that_the_server_does_not_take() {
    let (scene, first) = scene().await;
    let before = scene.fingerprint().await;
    let stub = Arc::new(Stub::default());
    let provider = with(&scene, stub.clone());
    let refused = provider.ready(&first.secret, &scene.address).await;
    let error = refused.unwrap_err();
    assert_eq!(
        (error.kind, error.code),
        (ErrorKind::Denied, "AdminRefused")
    );
    assert!(error.hint.unwrap().contains("GRANT rds_iam"));
    let (host, port) = (scene.cluster.host(), scene.cluster.port());
    let asked = IamLogin {
        host,
        port,
        user: ADMIN,
        region: Some("eu-central-1"),
    };
    assert_eq!(*stub.asked.lock().unwrap(), [format!("{asked:?}")]);
    assert_eq!(scene.fingerprint().await, before);
}

#[tokio::test]
async fn without_tokens_the_admin_is_refused_before_the_server_hears_of_it() {
    let (mut scene, first) = scene().await;
    let error = scene.ready_error(&first).await;
    let code = "IamTokenUnavailable";
    assert_eq!((error.kind, error.code), (ErrorKind::Unusable, code));
    let denied = StoreError::Denied {
        action: "rds-db:connect".into(),
        reason: "no AWS credentials were found".into(),
    };
    let late = StoreError::Transient {
        doing: "looking for AWS credentials".into(),
        reason: "no answer in time".into(),
    };
    for (error, kind) in [(denied, ErrorKind::Denied), (late, ErrorKind::Transient)] {
        let stub = Stub {
            error: Some(error),
            ..Stub::default()
        };
        scene.provider = Arc::new(with(&scene, Arc::new(stub)));
        let error = scene.ready_error(&first).await;
        assert_eq!((error.kind, error.code), (kind, code));
        assert!(error.hint.unwrap().contains("AWS_REGION"));
    }
    assert!(!scene.cluster.log().contains(&format!("user={ADMIN} ")));
}

#[tokio::test]
async fn p10_no_token_is_made_for_another_server_than_the_admins() {
    let (mut scene, _) = scene().await;
    let mut elsewhere = scene.document("app");
    elsewhere["host"] = json!("localhost");
    let elsewhere = scene.put(&elsewhere);
    let stub = Arc::new(Stub::default());
    scene.provider = Arc::new(with(&scene, stub.clone()));
    assert_eq!(
        scene.ready_error(&elsewhere).await.code,
        "AdminHostMismatch"
    );
    assert!(stub.asked.lock().unwrap().is_empty());
}

/// How the admin's login by IAM ends at a server that is not what it seems, and what it has heard.
async fn at(manner: Manner, bundle: &str) -> (FakeServer, &'static str) {
    let server = FakeServer::start(manner);
    let memory = Arc::new(crate::scene::Memory::default());
    let document = json!({
        "engine": "postgres", "host": "127.0.0.1", "port": server.port, "username": "app",
        "password": PASSWORD, "masterarn": "admin",
    });
    let mut admin = by_iam(&document);
    admin["username"] = json!(ADMIN);
    memory.put("admin", &admin);
    let settings = crate::scene::settings(&[("TWINKEY_CA_BUNDLE", bundle)])
        .with_timeouts(crate::scene::impatient());
    let provider = PostgresProvider::new(settings, memory).with_iam(Arc::new(Stub::default()));
    let value = SecretValue::new(document.to_string());
    let secret = twinkey_core::Credential::parse(&value).unwrap();
    let looked = provider
        .ready(&secret, &crate::scene::address("app/db"))
        .await;
    (server, looked.unwrap_err().code)
}

#[tokio::test]
async fn p8_a_token_goes_to_nobody_but_a_verified_server_that_asks_for_it() {
    let (authority, bundle) = authority();
    let bundle = path(bundle.path());
    let right = tls(&authority.issue(&["127.0.0.1".into()]).unwrap());
    let foreign = CertificateAuthority::new("foreign authority").unwrap();
    let wrong = tls(&foreign.issue(&["127.0.0.1".into()]).unwrap());
    let asking = |config| Manner::OverTls(config, ASK_CLEARTEXT.into());
    for (manner, code) in [
        (asking(wrong), "UnknownAuthority"),
        (Manner::WithoutTls, "TlsRefused"),
        (
            Manner::OverTls(right.clone(), ASK_NOTHING.into()),
            "TrustRefused",
        ),
    ] {
        let (server, refused) = at(manner, &bundle).await;
        assert_eq!(refused, code);
        assert!(!server.has_heard("TEST-token"));
    }
    let (server, _) = at(asking(right), &bundle).await;
    assert!(server.has_heard("TEST-token"));
}

#[tokio::test]
async fn p11_what_the_document_says_of_iam_must_fit_together() {
    let (scene, first) = scene().await;
    let whole = by_iam(&scene.admin_document());
    for (changes, field) in [
        (json!({"password": "TEST"}), "password"),
        (json!({"sslcert": "TEST"}), "sslcert"),
        (json!({"sslkey": "TEST"}), "sslkey"),
        (json!({"sslmode": "disable"}), "authentication"),
        (json!({"channel_binding": "require"}), "channel_binding"),
        (json!({"region": "eu-central-1/TEST"}), "region"),
        (json!({"region": 1}), "region"),
        (json!({"authentication": "TEST"}), "authentication"),
        (json!({"authentication": true}), "authentication"),
        (json!({"authentication": "password"}), "password"),
        (json!({"authentication": null}), "password"),
    ] {
        let mut document = whole.clone();
        for (name, value) in changes.as_object().unwrap() {
            document[name] = value.clone();
        }
        scene.memory.put("admin", &document);
        let stub = Arc::new(Stub::default());
        let provider = with(&scene, stub.clone());
        let looked = provider.ready(&first.secret, &scene.address).await;
        let error = looked.unwrap_err();
        assert_eq!(error.code, "InvalidAdminDocument", "{changes}");
        let named = format!("field {field}: ");
        assert!(error.message.contains(&named), "{changes}: {error}");
        assert!(!format!("{error} {:?}", error.hint).contains("TEST"));
        assert!(stub.asked.lock().unwrap().is_empty());
    }
}

//! Broken servers and missing rights: each its own error, in time, and nothing changed.

use serde_json::json;
use twinkey_core::{Choose, ErrorKind, Provider};
use twinkey_postgres::PostgresProvider;
use twinkey_test_postgres::Options;
use twinkey_testkit::NothingChanged;

use crate::fake_server::{FakeServer, Manner, authority, tls};
use crate::scene::{Scene, Stored, impatient, path, settings, soon};

/// A pair that has rotated once, and what the next rotation would apply.
async fn rotated(scene: &mut Scene) -> (Stored, Stored) {
    let first = scene.put_app();
    let current = scene.rotate(&first).await.unwrap();
    let pending = scene.create(&current).await.unwrap();
    (current, pending)
}

/// Each of the provider's calls gives this error, and soon.
async fn all_give(
    scene: &Scene,
    provider: &PostgresProvider,
    (current, pending): (&Stored, &Stored),
    expected: (ErrorKind, &str),
) {
    let fence = scene.fence(current, pending);
    for error in [
        soon(provider.verify(&current.secret)).await.unwrap_err(),
        soon(provider.ready(&current.secret, &scene.address))
            .await
            .unwrap_err(),
        soon(provider.apply(&pending.secret, &fence, &NothingChanged))
            .await
            .unwrap_err(),
    ] {
        assert_eq!((error.kind, error.code), expected, "{error}");
    }
}

#[tokio::test]
async fn p11_a_server_that_refuses_connections() {
    let mut scene = Scene::start().await;
    let (current, pending) = rotated(&mut scene).await;
    let before = scene.fingerprint().await;
    scene.cluster.stop().unwrap();
    let expected = (ErrorKind::Transient, "ServerUnreachable");
    all_give(&scene, &scene.provider, (&current, &pending), expected).await;
    scene.cluster.resume().unwrap();
    assert_eq!(scene.fingerprint().await, before);
    scene.apply(&current, &pending).await.unwrap();
}

#[tokio::test]
async fn p11_a_server_that_accepts_and_never_answers() {
    let mut scene = Scene::start().await;
    let (current, pending) = rotated(&mut scene).await;
    let before = scene.fingerprint().await;
    let bundle = path(scene.cluster.ca_path());
    let settings = settings(&[("TWINKEY_CA_BUNDLE", &bundle)]).with_timeouts(impatient());
    let provider = PostgresProvider::new(settings, scene.memory.clone());
    scene.cluster.freeze().unwrap();
    let expected = (ErrorKind::Transient, "ServerTimeout");
    all_give(&scene, &provider, (&current, &pending), expected).await;
    scene.cluster.thaw().unwrap();
    assert_eq!(scene.fingerprint().await, before);
    scene.apply(&current, &pending).await.unwrap();
}

#[tokio::test]
async fn p11_somebody_who_holds_the_role_and_does_not_let_go() {
    let mut scene = Scene::start().await;
    let (current, pending) = rotated(&mut scene).await;
    let bundle = path(scene.cluster.ca_path());
    let settings = settings(&[("TWINKEY_CA_BUNDLE", &bundle)]).with_timeouts(impatient());
    let provider = PostgresProvider::new(settings, scene.memory.clone());
    let before = scene.fingerprint().await;
    let other = scene.root().await;
    other
        .batch_execute("BEGIN; ALTER ROLE app CONNECTION LIMIT 9")
        .await
        .unwrap();
    let fence = scene.fence(&current, &pending);
    let error = provider
        .apply(&pending.secret, &fence, &NothingChanged)
        .await
        .unwrap_err();
    assert_eq!(
        (error.kind, error.code),
        (ErrorKind::Transient, "LockTimeout")
    );
    // The hint finds whoever it is.
    let hint = error.hint.unwrap();
    let (_, sql) = hint.split_once("find who holds the roles: ").unwrap();
    let sql = sql.split_once(';').unwrap().0;
    let holders = scene.root().await.query(sql, &[]).await.unwrap();
    let queries: Vec<String> = holders.iter().map(|holder| holder.get("query")).collect();
    assert!(
        queries
            .iter()
            .any(|query| query.contains("CONNECTION LIMIT 9")),
        "{queries:?}"
    );
    other.batch_execute("ROLLBACK").await.unwrap();
    assert_eq!(scene.fingerprint().await, before);
}

#[tokio::test]
async fn p11_a_server_without_tls_is_not_spoken_to() {
    let options = Options {
        tls: false,
        hba: vec!["host all all 127.0.0.1/32 scram-sha-256".into()],
        ..Options::default()
    };
    let cluster = twinkey_test_postgres::Cluster::start(&options).unwrap();
    let memory = std::sync::Arc::new(crate::scene::Memory::default());
    let document = json!({
        "engine": "postgres", "host": "127.0.0.1", "port": cluster.port(),
        "username": "postgres", "password": cluster.password(), "masterarn": "admin",
    });
    let provider = PostgresProvider::new(settings(&[]), memory);
    let value = twinkey_core::SecretValue::new(document.to_string());
    let secret = twinkey_core::Credential::parse(&value).unwrap();
    let error = provider.verify(&secret).await.unwrap_err();
    assert_eq!(
        (error.kind, error.code),
        (ErrorKind::Unusable, "TlsRefused")
    );
    assert!(!cluster.log().contains("connection authorized"));
}

#[tokio::test]
async fn p11_a_certificate_of_an_authority_that_is_not_trusted() {
    let mut scene = Scene::start().await;
    let (current, pending) = rotated(&mut scene).await;
    let before = scene.fingerprint().await;
    let foreign = path(scene.cluster.foreign_ca_path());
    for variables in [&[("TWINKEY_CA_BUNDLE", foreign.as_str())][..], &[]] {
        let provider = scene.provider(variables);
        let expected = (ErrorKind::Unusable, "UnknownAuthority");
        all_give(&scene, &provider, (&current, &pending), expected).await;
        let error = provider.verify(&current.secret).await.unwrap_err();
        assert!(error.hint.unwrap().contains("TWINKEY_CA_BUNDLE="));
    }
    assert_eq!(scene.fingerprint().await, before);
}

#[tokio::test]
async fn p11_a_certificate_for_another_host_name() {
    let (authority, bundle) = authority();
    let certificate = authority.issue(&["db.internal".into()]).unwrap();
    let server = FakeServer::start(Manner::OverTls(tls(&certificate), Vec::new()));
    certificate_error(server.port, &path(bundle.path()), "WrongHostName").await;
}

#[tokio::test]
async fn p11_a_certificate_whose_time_is_over() {
    let (authority, bundle) = authority();
    let certificate = authority.issue_expired(&["127.0.0.1".into()]).unwrap();
    let server = FakeServer::start(Manner::OverTls(tls(&certificate), Vec::new()));
    certificate_error(server.port, &path(bundle.path()), "BadCertificate").await;
}

async fn certificate_error(port: u16, bundle: &str, code: &str) {
    let memory = std::sync::Arc::new(crate::scene::Memory::default());
    let provider = PostgresProvider::new(settings(&[("TWINKEY_CA_BUNDLE", bundle)]), memory);
    let document = json!({
        "engine": "postgres", "host": "127.0.0.1", "port": port,
        "username": "app", "password": "TEST-password",
    });
    let value = twinkey_core::SecretValue::new(document.to_string());
    let secret = twinkey_core::Credential::parse(&value).unwrap();
    let error = provider.verify(&secret).await.unwrap_err();
    assert_eq!((error.kind, error.code), (ErrorKind::Unusable, code));
}

#[tokio::test]
async fn p11_something_that_is_no_postgres_server() {
    for (manner, code) in [
        (
            Manner::Says(b"HTTP/1.1 400 Bad Request\r\n\r\n"),
            "TlsRefused",
        ),
        (Manner::Says(b"S not a handshake at all"), "TlsFailed"),
        (Manner::Silent, "ServerTimeout"),
    ] {
        let server = FakeServer::start(manner);
        let memory = std::sync::Arc::new(crate::scene::Memory::default());
        let provider = PostgresProvider::new(settings(&[]).with_timeouts(impatient()), memory);
        let document = json!({
            "engine": "postgres", "host": "127.0.0.1", "port": server.port,
            "username": "app", "password": "TEST-password",
        });
        let value = twinkey_core::SecretValue::new(document.to_string());
        let secret = twinkey_core::Credential::parse(&value).unwrap();
        let error = provider.verify(&secret).await.unwrap_err();
        assert_eq!(error.code, code);
    }
}

#[tokio::test]
async fn p11_a_host_that_nobody_knows() {
    let mut scene = Scene::start().await;
    let mut document = scene.document("app");
    document["host"] = json!("no-such-host.invalid");
    let current = scene.put(&document);
    let error = scene.provider.verify(&current.secret).await.unwrap_err();
    assert_eq!(
        (error.kind, error.code),
        (ErrorKind::Transient, "HostNotFound")
    );
}

#[tokio::test]
async fn p11_an_admin_whose_password_is_wrong() {
    let mut scene = Scene::start().await;
    let (current, pending) = rotated(&mut scene).await;
    let before = scene.fingerprint().await;
    let mut admin = scene.admin_document();
    admin["password"] = json!("TEST-wrong");
    scene.memory.put("admin", &admin);
    let apply = scene.apply(&current, &pending).await.unwrap_err();
    for error in [scene.ready_error(&current).await, apply] {
        assert_eq!(
            (error.kind, error.code),
            (ErrorKind::Denied, "AdminRefused")
        );
        assert!(error.hint.unwrap().contains("masterarn"));
    }
    assert_eq!(scene.fingerprint().await, before);
}

#[tokio::test]
async fn p11_an_admin_that_lacks_a_right_learns_the_sql_that_mends_it() {
    let mut scene = Scene::start().await;
    scene.sql("ALTER ROLE rotator NOCREATEROLE").await;
    let first = scene.put_app();
    let before = scene.fingerprint().await;
    let error = scene.ready_error(&first).await;
    assert_eq!(
        (error.kind, error.code),
        (ErrorKind::Denied, "MissingRight")
    );
    assert_eq!(scene.fingerprint().await, before);
    scene.sql(&error.hint.unwrap()).await;
    let second = scene.rotate(&first).await.unwrap();
    // Which right is needed for which role has changed with version 16.
    let (breaking, right) = if scene.cluster.version().0 >= 16 {
        ("REVOKE app_clone FROM rotator", "ADMIN OPTION on app_clone")
    } else {
        (
            "ALTER ROLE app REPLICATION",
            "SUPERUSER, because app has REPLICATION",
        )
    };
    scene.sql(breaking).await;
    let error = scene.ready_error(&second).await;
    assert_eq!(error.code, "MissingRight");
    assert!(error.message.contains(right), "{error}");
    scene.sql(&error.hint.unwrap()).await;
    if scene.cluster.version().0 < 16 {
        scene.sql("ALTER ROLE app_clone REPLICATION").await;
    }
    scene.rotate(&second).await.unwrap();
}

#[tokio::test]
async fn p11_a_login_that_pg_hba_does_not_allow_is_no_verdict_on_the_password() {
    let mut scene = Scene::start().await;
    let (current, _) = rotated(&mut scene).await;
    for lines in [
        &["hostssl all postgres,rotator 127.0.0.1/32 scram-sha-256"][..],
        &[
            "hostssl all app_clone 127.0.0.1/32 reject",
            "hostssl all all 127.0.0.1/32 scram-sha-256",
        ],
    ] {
        scene.cluster.set_hba(lines).unwrap();
        let error = scene.provider.verify(&current.secret).await.unwrap_err();
        assert_eq!(
            (error.kind, error.code),
            (ErrorKind::Denied, "HostBasedRefused")
        );
    }
}

#[tokio::test]
async fn p11_a_database_that_does_not_exist_and_a_role_without_a_free_connection() {
    let mut scene = Scene::start().await;
    let mut document = scene.document("app");
    document["dbname"] = json!("nowhere");
    let nowhere = scene.put(&document);
    let error = scene.provider.verify(&nowhere.secret).await.unwrap_err();
    assert_eq!(
        (error.kind, error.code),
        (ErrorKind::Unusable, "DatabaseMissing")
    );
    let current = scene.put_app();
    scene.sql("ALTER ROLE app CONNECTION LIMIT 0").await;
    let error = scene.provider.verify(&current.secret).await.unwrap_err();
    assert_eq!(
        (error.kind, error.code),
        (ErrorKind::Transient, "ServerBusy")
    );
    assert!(error.hint.unwrap().contains("CONNECTION LIMIT"));
}

#[tokio::test]
async fn p11_a_server_that_takes_no_changes() {
    let mut scene = Scene::start().await;
    let (current, _) = rotated(&mut scene).await;
    let home = scene.ask("SHOW data_directory").await.unwrap();
    scene.cluster.stop().unwrap();
    std::fs::write(format!("{home}/standby.signal"), "").unwrap();
    scene.cluster.resume().unwrap();
    let error = scene.ready_error(&current).await;
    assert_eq!(
        (error.kind, error.code),
        (ErrorKind::Transient, "ServerReadOnly")
    );
}

#[tokio::test]
async fn an_admin_whose_sessions_only_read_by_default_still_rotates() {
    let mut scene = Scene::start().await;
    scene
        .sql("ALTER ROLE rotator SET default_transaction_read_only TO on")
        .await;
    let (current, pending) = rotated(&mut scene).await;
    scene.apply(&current, &pending).await.unwrap();
}

#[tokio::test]
async fn p10_the_admin_password_goes_only_where_its_own_secret_says() {
    let mut scene = Scene::start().await;
    let trap = FakeServer::start(Manner::WithoutTls);
    let mut document = scene.document("app");
    document["port"] = json!(trap.port);
    let lured = scene.put(&document);
    let error = scene.ready_error(&lured).await;
    assert_eq!(
        (error.kind, error.code),
        (ErrorKind::Unusable, "AdminHostMismatch")
    );
    assert!(
        error
            .hint
            .unwrap()
            .contains(&format!("127.0.0.1:{}", trap.port))
    );
    assert!(trap.heard().is_empty());
    // Listed by the operator, it is another address of the admin's own server: the admin's
    // password still goes to that one.
    let bundle = path(scene.cluster.ca_path());
    let listed = format!("127.0.0.1:{}", trap.port);
    let variables = [
        ("TWINKEY_CA_BUNDLE", bundle.as_str()),
        ("TWINKEY_ADMIN_HOSTS", &listed),
    ];
    let provider = scene.provider(&variables);
    provider.ready(&lured.secret, &scene.address).await.unwrap();
    assert!(trap.heard().is_empty());
}

#[tokio::test]
async fn p11_an_admin_secret_that_is_missing_or_wrong_is_named() {
    let mut scene = Scene::start().await;
    let mut document = scene.document("app");
    document["masterarn"] = json!("nowhere");
    let current = scene.put(&document);
    let error = scene.ready_error(&current).await;
    assert_eq!(
        (error.kind, error.code),
        (ErrorKind::Unusable, "SecretNotFound")
    );
    assert_eq!(
        error.message,
        "reading the admin secret: there is no secret nowhere"
    );
    document.as_object_mut().unwrap().remove("masterarn");
    let current = scene.put(&document);
    let error = scene.ready_error(&current).await;
    assert_eq!(error.code, "InvalidDocument");
    assert!(error.message.contains("field masterarn"));
    let mut admin = scene.admin_document();
    admin["host"] = json!("");
    scene.memory.put("admin", &admin);
    let current = scene.put_app();
    let error = scene.ready_error(&current).await;
    assert_eq!(error.code, "InvalidAdminDocument");
    assert!(error.message.contains("admin") && error.message.contains("field host"));
}

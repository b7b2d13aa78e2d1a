//! What must not be found anywhere. Every search first finds something planted.

use secrecy::ExposeSecret;
use twinkey_core::Provider;

use crate::scene::{ADMIN_PASSWORD, PASSWORD, Scene};

#[tokio::test]
async fn p8_the_server_log_with_all_statements_holds_no_password() {
    let mut scene = Scene::start().await;
    let mut issued = vec![scene.put_app()];
    for at in 0..4 {
        let next = scene.rotate(&issued[at]).await.unwrap();
        issued.push(next);
    }
    // Failures are logged with their statements even where others are not.
    let frozen = scene.apply(&issued[0], &issued[1]).await;
    assert!(frozen.is_err());
    scene.sql("SELECT 'TEST-planted' AS password").await;
    let log = scene.cluster.log();
    assert!(log.contains("TEST-planted"));
    assert!(log.contains("ALTER ROLE \"app\" PASSWORD 'SCRAM-SHA-256$4096:"));
    // The set-up's own statement holds the first one, and the admin's.
    let ours: Vec<&str> = log
        .lines()
        .skip_while(|line| !line.contains("user=rotator"))
        .collect();
    let ours = ours.join("\n");
    assert!(ours.contains("TEST-planted") && ours.contains("CREATE ROLE \"app_clone\""));
    for password in issued
        .iter()
        .map(|key| key.secret.password().expose_secret())
        .chain([ADMIN_PASSWORD])
    {
        assert!(!ours.contains(password));
    }
}

#[tokio::test]
async fn p7_a_healthy_rotation_makes_no_failing_login() {
    let mut scene = Scene::start().await;
    let mut current = scene.put_app();
    for _ in 0..3 {
        current = scene.rotate(&current).await.unwrap();
    }
    let wrong = |log: &str| log.matches("password authentication failed").count();
    assert_eq!(wrong(&scene.cluster.log()), 0);
    let planted = scene.cluster.can_log_in("app", "TEST-wrong", "postgres");
    assert!(!planted.await.unwrap());
    assert_eq!(wrong(&scene.cluster.log()), 1);
}

#[tokio::test]
async fn p8_no_error_shows_a_password_or_a_verifier() {
    let mut scene = Scene::start().await;
    let first = scene.put_app();
    let pending = scene.create(&first).await.unwrap();
    // A failing statement, whose text holds the verifier.
    scene
        .sql("ALTER ROLE rotator NOCREATEROLE; COMMENT ON ROLE app IS 'x'")
        .await;
    let error = scene.apply(&first, &pending).await.unwrap_err();
    assert_eq!(error.code, "AdminDenied");
    let shown = format!("{error:?} {error} {:?}", pending.secret);
    assert!(shown.contains("permission denied to create role"));
    for value in [
        pending.password(),
        PASSWORD,
        ADMIN_PASSWORD,
        "SCRAM-SHA-256",
    ] {
        assert!(!shown.contains(value), "{value}");
    }
}

#[tokio::test]
async fn a_rotation_costs_five_connections_and_few_statements() {
    let mut scene = Scene::start().await;
    let first = scene.put_app();
    let second = scene.rotate(&first).await.unwrap();
    let count = |log: &str, what: &str| log.matches(what).count();
    let before = scene.cluster.log();
    let pending = scene.create(&second).await.unwrap();
    // As the engine does: the current key is used again before the change.
    scene.provider.verify(&second.secret).await.unwrap();
    scene.apply(&second, &pending).await.unwrap();
    scene.provider.verify(&pending.secret).await.unwrap();
    let log = scene.cluster.log();
    let connections =
        count(&log, "connection authorized") - count(&before, "connection authorized");
    assert_eq!(connections, 5);
    let statements = count(&log, "LOG:  execute") - count(&before, "LOG:  execute")
        + count(&log, "LOG:  statement")
        - count(&before, "LOG:  statement");
    // ready 2, verify 1, verify 1, apply 2, verify 1
    assert_eq!(statements, 7);
}

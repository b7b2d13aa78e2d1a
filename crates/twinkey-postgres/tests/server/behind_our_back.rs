//! What persons do to the roles between two rotations: said in so many words, or mended by the next one.

use twinkey_core::{ErrorKind, Provider, Verdict};

use crate::mishap::{Underway, assert_told};
use crate::scene::{ADMIN, ADMIN_PASSWORD, Scene, Stored};

/// Does what each hint says until nothing is in the way any more, and tells what was.
async fn heed_hints(scene: &Scene, current: &Stored) -> Vec<&'static str> {
    const ENOUGH: usize = 8;
    let mut heeded = Vec::new();
    for _ in 0..ENOUGH {
        let ready = scene.provider.ready(&current.secret, &scene.address).await;
        let Err(error) = ready else { return heeded };
        heeded.push(error.code);
        let hint = error.hint.unwrap_or_else(|| panic!("{}", error.message));
        let starts = ["CREATE ROLE", "ALTER ROLE", "GRANT", "COMMENT ON"];
        let sql = starts.iter().filter_map(|start| hint.find(start)).min();
        scene.sql(&hint[sql.expect(&hint)..]).await;
    }
    panic!("no end to it: {heeded:?}")
}

async fn refusal(scene: &Scene, key: &Stored) -> String {
    match scene.provider.verify(&key.secret).await.unwrap() {
        Verdict::Refused { reason } => reason,
        verdict => panic!("{verdict:?}"),
    }
}

#[tokio::test]
async fn p11_an_original_that_was_dropped_is_missed_and_each_hint_leads_on_until_the_twin_rotates()
{
    let mut scene = Scene::start().await;
    let first = scene.put_app();
    // Current is the twin.
    let rotation = Underway::after(&mut scene, &first, 1).await;
    scene.sql("DROP OWNED BY app; DROP ROLE app").await;
    let before = scene.fingerprint().await;
    for error in rotation.fails(&scene).await {
        let expected = (ErrorKind::Unusable, "RoleMissing");
        assert_told(
            &error,
            expected,
            "no role app",
            "CREATE ROLE \"app\" LOGIN;",
        );
    }
    // It logs in, but is nobody's twin any more: that is not published as if it were.
    let reason = refusal(&scene, &rotation.current).await;
    assert_eq!(
        reason,
        "the login is app_clone and acts as app_clone, not as app"
    );
    assert_eq!(scene.fingerprint().await, before);
    assert!(scene.is_live(&rotation.current).await);
    let heeded = heed_hints(&scene, &rotation.current).await;
    assert!(heeded.starts_with(&["RoleMissing"]), "{heeded:?}");
    scene
        .apply(&rotation.current, &rotation.pending)
        .await
        .unwrap();
    assert!(scene.is_live(&rotation.current).await && scene.is_live(&rotation.pending).await);
    scene.rotate(&rotation.pending).await.unwrap();
}

#[tokio::test]
async fn a_twin_that_was_dropped_is_made_anew_by_the_rotation_that_was_to_give_it_a_password() {
    let mut scene = Scene::start().await;
    let rotation = Underway::begin(&mut scene).await;
    scene.sql("DROP ROLE app_clone").await;
    assert!(scene.is_live(&rotation.current).await);
    rotation.finish(&scene).await;
    let next = scene.rotate(&rotation.pending).await.unwrap();
    assert!(scene.is_live(&rotation.pending).await && scene.is_live(&next).await);
    // And so it is if no rotation was in flight.
    let next = scene.rotate(&next).await.unwrap();
    let next = scene.rotate(&next).await.unwrap();
    assert_eq!(next.user(), "app");
    scene.sql("DROP ROLE app_clone").await;
    let twin = scene.rotate(&next).await.unwrap();
    assert!(scene.is_live(&next).await && scene.is_live(&twin).await);
}

#[tokio::test]
async fn p11_a_current_role_that_was_dropped_leaves_the_previous_key_to_go_on_from() {
    let mut scene = Scene::start().await;
    let first = scene.put_app();
    let rotation = Underway::after(&mut scene, &first, 1).await;
    assert_eq!(rotation.current.user(), "app_clone");
    scene.sql("DROP ROLE app_clone").await;
    let before = scene.fingerprint().await;
    for error in rotation.fails(&scene).await {
        let expected = (ErrorKind::Unusable, "RoleMissing");
        assert_told(&error, expected, "no role app_clone", "other role");
    }
    assert!(refusal(&scene, &rotation.current).await.contains("28P01"));
    assert_eq!(scene.fingerprint().await, before);
    assert!(scene.is_live(&rotation.previous).await);
    // The hint: AWSPREVIOUS's document is put again, and the twin made anew.
    let document = rotation.previous.document();
    let again = scene.put(&document);
    let next = scene.rotate(&again).await.unwrap();
    assert_eq!(next.user(), "app_clone");
    assert!(scene.is_live(&again).await && scene.is_live(&next).await);
}

#[tokio::test]
async fn p11_a_current_password_that_was_changed_is_refused_and_the_previous_key_is_left_alone() {
    let mut scene = Scene::start().await;
    let mut rotation = Underway::begin(&mut scene).await;
    let user = rotation.current.user().to_owned();
    scene
        .sql(&format!("ALTER ROLE {user} PASSWORD 'TEST-by-hand'"))
        .await;
    rotation.look_again(&scene).await;
    // The engine stops at this verdict, before anything is stored or applied.
    assert!(refusal(&scene, &rotation.current).await.contains("28P01"));
    assert!(scene.is_live(&rotation.previous).await);
    let password = rotation.current.password();
    scene
        .sql(&format!("ALTER ROLE {user} PASSWORD '{password}'"))
        .await;
    rotation.look_again(&scene).await;
    rotation.assert_untouched(&scene).await;
    rotation.finish(&scene).await;
}

#[tokio::test]
async fn a_previous_or_pending_password_that_was_changed_is_set_right_by_the_same_rotation() {
    let mut scene = Scene::start().await;
    let rotation = Underway::begin(&mut scene).await;
    let role = rotation.pending.user().to_owned();
    let by_hand = format!("ALTER ROLE {role} PASSWORD 'TEST-by-hand'");
    scene.sql(&by_hand).await;
    scene
        .apply(&rotation.current, &rotation.pending)
        .await
        .unwrap();
    // And between setSecret and testSecret.
    scene.sql(&by_hand).await;
    assert!(refusal(&scene, &rotation.pending).await.contains("28P01"));
    rotation.finish(&scene).await;
    let login = scene.cluster.can_log_in(&role, "TEST-by-hand", "postgres");
    assert!(!login.await.unwrap());
}

#[tokio::test]
async fn p11_an_admin_that_is_locked_out_learns_how_to_be_let_in_and_the_rotation_goes_on() {
    let mut scene = Scene::start().await;
    let mut rotation = Underway::begin(&mut scene).await;
    let refused = (ErrorKind::Denied, "AdminRefused");
    let denied = (ErrorKind::Denied, "AdminDenied");
    let busy = (ErrorKind::Transient, "ServerBusy");
    let password = format!("ALTER ROLE {ADMIN} PASSWORD '{ADMIN_PASSWORD}'");
    for (broken, mended, expected, what, to_do) in [
        (
            "ALTER ROLE rotator PASSWORD 'TEST-by-hand'",
            password.as_str(),
            refused,
            "28P01",
            "masterarn",
        ),
        (
            "ALTER ROLE rotator PASSWORD NULL",
            &password,
            refused,
            "28P01",
            "masterarn",
        ),
        (
            "ALTER ROLE rotator NOLOGIN",
            "ALTER ROLE rotator LOGIN",
            refused,
            "not permitted to log in",
            "ALTER ROLE \"rotator\" LOGIN;",
        ),
        (
            "ALTER ROLE rotator VALID UNTIL '2001-01-01'",
            "ALTER ROLE rotator VALID UNTIL 'infinity'",
            refused,
            "28P01",
            "rolvaliduntil",
        ),
        (
            "ALTER ROLE rotator RENAME TO elsewhere",
            "ALTER ROLE elsewhere RENAME TO rotator",
            refused,
            "28P01",
            "rolvaliduntil",
        ),
        (
            "ALTER ROLE rotator CONNECTION LIMIT 0",
            "ALTER ROLE rotator CONNECTION LIMIT -1",
            busy,
            "too many connections for role",
            "CONNECTION LIMIT",
        ),
        (
            "REVOKE CONNECT ON DATABASE postgres FROM PUBLIC; GRANT CONNECT ON DATABASE postgres TO app",
            "GRANT CONNECT ON DATABASE postgres TO PUBLIC",
            denied,
            "permission denied for database \"postgres\"",
            "GRANT CONNECT ON DATABASE",
        ),
    ] {
        scene.sql(broken).await;
        rotation.look_again(&scene).await;
        for error in rotation.fails(&scene).await {
            assert_told(&error, expected, what, to_do);
            assert!(error.message.contains("as rotator"), "{error}");
        }
        rotation.assert_untouched(&scene).await;
        scene.sql(mended).await;
        scene
            .provider
            .ready(&rotation.current.secret, &scene.address)
            .await
            .unwrap();
    }
    rotation.finish(&scene).await;
}

#[tokio::test]
async fn p11_an_admin_that_was_dropped_is_made_again_and_the_hints_give_it_its_rights_back() {
    let mut scene = Scene::start().await;
    let rotation = Underway::begin(&mut scene).await;
    scene.sql("DROP OWNED BY rotator; DROP ROLE rotator").await;
    for error in rotation.fails(&scene).await {
        let expected = (ErrorKind::Denied, "AdminRefused");
        assert_told(
            &error,
            expected,
            "as rotator",
            "whether the role is still there",
        );
    }
    rotation.assert_live(&scene).await;
    scene
        .sql(&format!(
            "CREATE ROLE {ADMIN} LOGIN PASSWORD '{ADMIN_PASSWORD}'"
        ))
        .await;
    let heeded = heed_hints(&scene, &rotation.current).await;
    assert!(heeded.contains(&"MissingRight"), "{heeded:?}");
    rotation.finish(&scene).await;
}

#[tokio::test]
async fn who_has_granted_a_membership_may_have_been_dropped_since() {
    let mut scene = Scene::start().await;
    // Since version 16 it counts as the first superuser's grant.
    scene
        .sql(
            "CREATE ROLE readers; CREATE ROLE departed SUPERUSER; SET ROLE departed;
             GRANT readers TO app; RESET ROLE; DROP ROLE departed",
        )
        .await;
    let rotation = Underway::begin(&mut scene).await;
    rotation.finish(&scene).await;
}

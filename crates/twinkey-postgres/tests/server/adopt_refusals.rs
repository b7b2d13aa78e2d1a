//! What adoption does not do, and says so.

use serde_json::json;
use twinkey_core::{ErrorKind, SecretValue};
use twinkey_postgres::adoption::MendedBy;

use crate::adopting::sql;
use crate::scene::{Scene, address};

#[tokio::test]
async fn a_role_that_does_not_exist_is_no_role_to_look_at() {
    let scene = Scene::start().await;
    let adoption = scene.adoption(&scene.document("nobody"));
    for error in [
        adoption.look().await.unwrap_err(),
        adoption.script().await.unwrap_err(),
        adoption.apply().await.unwrap_err(),
    ] {
        assert_eq!(error.code, "RoleMissing");
        assert!(error.message.contains("nobody"), "{error}");
    }
}

#[tokio::test]
async fn a_document_that_cannot_be_read_is_refused_by_field() {
    let scene = Scene::start().await;
    let mut document = scene.document("app");
    document["port"] = json!("many");
    let value = SecretValue::new(document.to_string());
    let refused = scene.provider.adoption(&value, scene.address.clone());
    let Err(error) = refused else {
        panic!("a port is no word")
    };
    assert_eq!(error.field, "port");
}

#[tokio::test]
async fn a_superuser_and_a_closed_login_are_for_a_person_to_decide() {
    let scene = Scene::start().await;
    let document = scene.document("app");
    for (breaking, code) in [
        ("ALTER ROLE app NOLOGIN", "RoleCannotLogIn"),
        ("ALTER ROLE app LOGIN SUPERUSER", "SuperuserRole"),
    ] {
        scene.sql(breaking).await;
        let before = scene.fingerprint().await;
        let report = scene.report(&document).await;
        let obstacle = &report.in_the_way[0];
        assert_eq!(
            (obstacle.error_type, obstacle.mended_by),
            (code, MendedBy::Hand)
        );
        let error = scene.adoption(&document).apply().await.unwrap_err();
        assert_eq!((error.kind, error.code), (ErrorKind::Denied, code));
        assert_eq!(scene.fingerprint().await, before);
    }
}

#[tokio::test]
async fn another_secrets_pair_is_not_adopted() {
    let mut scene = Scene::start().await;
    let first = scene.put_app();
    scene.rotate(&first).await.unwrap();
    scene.address = address("another/secret");
    let document = scene.document("app");
    let report = scene.report(&document).await;
    assert_eq!(report.in_the_way[0].error_type, "ForeignMark");
    assert_eq!((sql(&report).len(), report.first_rotation.len()), (0, 0));
    let error = scene.adoption(&document).apply().await.unwrap_err();
    assert_eq!(
        (error.kind, error.code),
        (ErrorKind::Conflict, "ForeignMark")
    );
}

#[tokio::test]
async fn a_right_that_the_admin_lacks_is_in_the_way_and_in_the_script() {
    let scene = Scene::start().await;
    let (taken, mend) = if scene.is_before_16() {
        (
            "ALTER ROLE rotator NOCREATEROLE",
            "ALTER ROLE \"rotator\" CREATEROLE;",
        )
    } else {
        (
            "REVOKE app FROM rotator",
            "GRANT \"app\" TO \"rotator\" WITH ADMIN TRUE, INHERIT FALSE, SET FALSE;",
        )
    };
    scene.sql(taken).await;
    let document = scene.document("app");
    let report = scene.report(&document).await;
    let obstacle = &report.in_the_way[0];
    assert_eq!(
        (
            obstacle.error_type,
            obstacle.mended_by,
            obstacle.hint.as_deref()
        ),
        ("MissingRight", MendedBy::Script, Some(mend))
    );
    let adoption = scene.adoption(&document);
    let error = adoption.apply().await.unwrap_err();
    assert_eq!(error.code, "MissingRight");
    let hint = error.hint.unwrap();
    assert!(hint.contains(mend) && hint.contains("--sql"), "{hint}");
    let script = adoption.script().await.unwrap();
    assert!(script.contains(mend), "{script}");
}

#[tokio::test]
async fn a_pair_that_lost_its_ways_is_mended_and_then_rotates() {
    let mut scene = Scene::start().await;
    let first = scene.put_app();
    let mut current = scene.rotate(&first).await.unwrap();
    for breaking in [
        "ALTER ROLE app_clone RESET role",
        "COMMENT ON ROLE app_clone IS NULL",
    ] {
        scene.sql(breaking).await;
        assert!(scene.create(&current).await.is_err());
        let document = current.document();
        scene.adoption(&document).apply().await.unwrap();
        assert!(scene.report(&document).await.in_the_way.is_empty());
        current = scene.rotate(&current).await.unwrap();
    }
}

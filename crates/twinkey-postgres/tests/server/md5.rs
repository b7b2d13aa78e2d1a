//! Servers that still hash passwords with MD5.

use serde_json::json;
use twinkey_core::{Provider, Verdict};
use twinkey_test_postgres::Options;

use crate::scene::{ADMIN, ADMIN_PASSWORD, Scene};

const ROOT: &str = "hostssl all postgres 127.0.0.1/32 scram-sha-256";
const MD5: &str = "hostssl all all 127.0.0.1/32 md5";
const SCRAM: &str = "hostssl all all 127.0.0.1/32 scram-sha-256";
const STORED: &str = "SELECT string_agg(left(rolpassword, 3), ' ' ORDER BY rolname) FROM pg_authid
    WHERE rolname LIKE 'app%' OR rolname = 'rotator'";

async fn old_fashioned() -> Scene {
    let options = Options {
        hba: vec![ROOT.into(), MD5.into()],
        settings: vec![("password_encryption".into(), "md5".into())],
        ..Options::default()
    };
    Scene::start_with(&options).await
}

async fn stored(scene: &Scene) -> String {
    scene.ask(STORED).await.unwrap()
}

#[tokio::test]
async fn a_server_that_hashes_with_md5_gets_verifiers_from_every_rotation_and_can_then_be_closed_to_md5()
 {
    let mut scene = old_fashioned().await;
    assert_eq!(stored(&scene).await, "md5 md5", "the fixture");
    let first = scene.put_app();
    let second = scene.rotate(&first).await.unwrap();
    let third = scene.rotate(&second).await.unwrap();
    let fourth = scene.rotate(&third).await.unwrap();
    assert!(scene.is_live(&third).await && scene.is_live(&fourth).await);
    assert_eq!(stored(&scene).await, "SCR SCR md5");
    // Where it is the admin's own sessions that hash so, too.
    scene
        .sql(&format!(
            "ALTER ROLE {ADMIN} SET password_encryption TO 'md5'"
        ))
        .await;
    let fifth = scene.rotate(&fourth).await.unwrap();
    scene
        .sql(&format!(
            "SET password_encryption = 'scram-sha-256'; ALTER ROLE {ADMIN} PASSWORD '{ADMIN_PASSWORD}'"
        ))
        .await;
    assert_eq!(stored(&scene).await, "SCR SCR SCR");
    scene.cluster.set_hba(&[SCRAM]).unwrap();
    scene.rotate(&fifth).await.unwrap();
}

#[tokio::test]
async fn p11_an_md5_hash_where_pg_hba_wants_scram_is_a_refused_key_and_nothing_is_changed() {
    let mut scene = old_fashioned().await;
    scene.cluster.set_hba(&[SCRAM]).unwrap();
    let first = scene.put_app();
    let before = scene.fingerprint().await;
    let verdict = scene.provider.verify(&first.secret).await.unwrap();
    assert!(
        matches!(&verdict, Verdict::Refused { reason } if reason.contains("28P01")),
        "{verdict:?}"
    );
    assert_eq!(scene.ready_error(&first).await.code, "AdminRefused");
    assert_eq!(scene.fingerprint().await, before);
    scene.cluster.set_hba(&[ROOT, MD5]).unwrap();
    scene.rotate(&first).await.unwrap();
}

#[tokio::test]
async fn p11_who_requires_channel_binding_is_not_served_md5() {
    let mut scene = old_fashioned().await;
    let mut document = scene.document("app");
    document["channel_binding"] = json!("require");
    let first = scene.put(&document);
    let error = scene.provider.verify(&first.secret).await.unwrap_err();
    assert_eq!(error.code, "ChannelBindingRefused");
}

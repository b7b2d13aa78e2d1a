//! A `pg_hba.conf` that knows one of the two logins by name.

use twinkey_core::{ErrorKind, Provider, Verdict};

use crate::mishap::{Underway, assert_told};
use crate::scene::{Scene, Stored};

const OTHERS: &str = "hostssl all postgres,rotator 127.0.0.1/32 scram-sha-256";
const APP: &str = "hostssl postgres app 127.0.0.1/32 scram-sha-256";
const REFUSED: (ErrorKind, &str) = (ErrorKind::Denied, "HostBasedRefused");

async fn is_refused(scene: &Scene, key: &Stored, to_do: &str) {
    let error = scene.provider.verify(&key.secret).await.unwrap_err();
    let what = format!("as {}: ", key.user());
    assert_told(&error, REFUSED, &what, to_do);
}

/// Consumers get in with it.
async fn works(scene: &Scene, key: &Stored) {
    let verdict = scene.provider.verify(&key.secret).await.unwrap();
    assert_eq!(verdict, Verdict::Accepted, "current (P1)");
}

#[tokio::test]
async fn p11_a_twin_that_pg_hba_does_not_know_is_not_published_and_once_it_is_the_same_rotation_passes()
 {
    let mut scene = Scene::start().await;
    scene.cluster.set_hba(&[OTHERS, APP]).unwrap();
    let first = scene.put_app();
    let pending = scene.create(&first).await.unwrap();
    for _ in 0..2 {
        scene.apply(&first, &pending).await.unwrap();
        is_refused(&scene, &pending, "add a line for \"app_clone\"").await;
        works(&scene, &first).await;
    }
    let twin = APP.replace("app", "app_clone");
    scene.cluster.set_hba(&[OTHERS, APP, &twin]).unwrap();
    works(&scene, &pending).await;
    works(&scene, &first).await;
    let next = scene.rotate(&pending).await.unwrap();
    works(&scene, &next).await;
}

#[tokio::test]
async fn a_line_for_the_original_as_a_group_lets_the_twin_in_from_the_first_rotation_on() {
    let mut scene = Scene::start().await;
    let group = APP.replace("app", "+app");
    scene.cluster.set_hba(&[OTHERS, &group]).unwrap();
    let mut current = scene.put_app();
    for _ in 0..2 {
        current = scene.rotate(&current).await.unwrap();
    }
}

#[tokio::test]
async fn p11_a_later_rotation_whose_next_login_pg_hba_rejects_waits_and_passes_when_it_does_not() {
    let mut scene = Scene::start().await;
    let rotation = Underway::begin(&mut scene).await;
    let everybody = "hostssl all all 127.0.0.1/32 scram-sha-256";
    let reject = "hostssl all app_clone 127.0.0.1/32 reject";
    scene.cluster.set_hba(&[reject, everybody]).unwrap();
    scene
        .apply(&rotation.current, &rotation.pending)
        .await
        .unwrap();
    is_refused(&scene, &rotation.pending, "before any that rejects it").await;
    works(&scene, &rotation.current).await;
    scene.cluster.set_hba(&[everybody]).unwrap();
    rotation.finish(&scene).await;
}

#[tokio::test]
async fn p11_where_pg_hba_rejects_current_nothing_is_stored_and_no_key_is_thought_dead() {
    let mut scene = Scene::start().await;
    let rotation = Underway::begin(&mut scene).await;
    let everybody = "hostssl all all 127.0.0.1/32 scram-sha-256";
    let reject = "hostssl all app 127.0.0.1/32 reject";
    scene.cluster.set_hba(&[reject, everybody]).unwrap();
    is_refused(&scene, &rotation.current, "\"app\"").await;
    scene.cluster.set_hba(&[everybody]).unwrap();
    rotation.assert_untouched(&scene).await;
    rotation.finish(&scene).await;
}

#[tokio::test]
async fn p11_an_admin_that_pg_hba_does_not_know_learns_what_to_add() {
    let mut scene = Scene::start().await;
    let rotation = Underway::begin(&mut scene).await;
    let others = "hostssl all postgres,app,app_clone 127.0.0.1/32 scram-sha-256";
    scene.cluster.set_hba(&[others]).unwrap();
    for error in rotation.fails(&scene).await {
        assert_told(
            &error,
            REFUSED,
            "as rotator: ",
            "add a line for \"rotator\"",
        );
    }
    rotation.assert_untouched(&scene).await;
    scene.cluster.set_hba(&[others, OTHERS]).unwrap();
    rotation.finish(&scene).await;
}

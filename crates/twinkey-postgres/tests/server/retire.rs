//! Making one key dead.

use twinkey_core::{Provider, Retired, Retiring};

use crate::scene::{Scene, Stored};

async fn retire(scene: &Scene, key: &Stored) -> Retired {
    let retiring = Retiring::Secret(&key.secret);
    scene.provider.retire(retiring).await.unwrap()
}

#[tokio::test]
async fn p7_a_retired_password_is_seen_to_be_refused_and_the_other_one_works() {
    let mut scene = Scene::start().await;
    let first = scene.put_app();
    let second = scene.rotate(&first).await.unwrap();
    assert_eq!(retire(&scene, &first).await, Retired::Refused);
    assert!(!scene.is_live(&first).await && scene.is_live(&second).await);
    assert_eq!(retire(&scene, &first).await, Retired::AlreadyGone);
    assert_eq!(retire(&scene, &second).await, Retired::Refused);
    assert!(!scene.is_live(&second).await);
}

#[tokio::test]
async fn p7_retiring_an_old_password_does_not_touch_the_newer_one_in_its_place() {
    let mut scene = Scene::start().await;
    let first = scene.put_app();
    let second = scene.rotate(&first).await.unwrap();
    let third = scene.rotate(&second).await.unwrap();
    assert_eq!(retire(&scene, &first).await, Retired::AlreadyGone);
    assert!(scene.is_live(&second).await && scene.is_live(&third).await);
}

#[tokio::test]
async fn p7_a_password_that_opens_the_role_but_not_the_database_is_still_retired() {
    let mut scene = Scene::start().await;
    let first = scene.put_app();
    scene
        .sql(
            "REVOKE CONNECT ON DATABASE postgres FROM PUBLIC;
             GRANT CONNECT ON DATABASE postgres TO rotator",
        )
        .await;
    assert_eq!(retire(&scene, &first).await, Retired::Refused);
    scene
        .sql("GRANT CONNECT ON DATABASE postgres TO PUBLIC")
        .await;
    assert!(!scene.is_live(&first).await);
}

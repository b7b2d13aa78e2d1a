//! Whole rotations.

use serde_json::json;
use twinkey_core::{ErrorKind, Provider, Retiring, Verdict};

use crate::scene::{PASSWORD, Scene, Stored};

async fn live(scene: &Scene, issued: &[Stored]) -> Vec<usize> {
    let mut live = Vec::new();
    for (index, key) in issued.iter().enumerate() {
        if scene.is_live(key).await {
            live.push(index);
        }
    }
    live
}

#[tokio::test]
async fn p3_after_each_of_20_rotations_exactly_two_of_all_passwords_ever_issued_log_in() {
    let mut scene = Scene::start().await;
    let mut issued = vec![scene.put_app()];
    for rotation in 1..=20 {
        let next = scene.rotate(&issued[rotation - 1]).await.unwrap();
        issued.push(next);
        assert_eq!(live(&scene, &issued).await, [rotation - 1, rotation]);
    }
    assert!(issued[1..].iter().all(|key| key.password() != PASSWORD));
}

#[tokio::test]
async fn p1_p2_between_every_two_calls_the_current_password_works_and_never_a_third() {
    let mut scene = Scene::start().await;
    let mut issued = vec![scene.put_app()];
    for rotation in 1..=4 {
        let current = issued[rotation - 1].clone();
        let before: Vec<usize> = (rotation.saturating_sub(2)..rotation).collect();
        scene
            .provider
            .ready(&current.secret, &scene.address)
            .await
            .unwrap();
        assert_eq!(live(&scene, &issued).await, before);
        issued.push(scene.create(&current).await.unwrap());
        assert_eq!(live(&scene, &issued).await, before);
        scene.apply(&current, &issued[rotation]).await.unwrap();
        let after = [rotation - 1, rotation];
        assert_eq!(live(&scene, &issued).await, after);
        let pending = &issued[rotation].secret;
        let verdict = scene.provider.verify(pending).await.unwrap();
        assert_eq!(verdict, Verdict::Accepted);
        assert_eq!(live(&scene, &issued).await, after);
    }
}

#[tokio::test]
async fn a_document_put_by_hand_without_our_fields_goes_on_with_the_same_pair() {
    let mut scene = Scene::start().await;
    let first = scene.put_app();
    let second = scene.rotate(&first).await.unwrap();
    let mut by_hand = scene.document("app_clone");
    by_hand["password"] = json!(second.password());
    let by_hand = scene.put(&by_hand);
    let third = scene.rotate(&by_hand).await.unwrap();
    assert_eq!(third.user(), "app");
    assert_eq!(third.secret.owner(), Some("app"));
    let fourth = scene.rotate(&third).await.unwrap();
    assert_eq!(fourth.user(), "app_clone");
    assert_eq!(live(&scene, &[first, second, third, fourth]).await, [2, 3]);
}

#[tokio::test]
async fn an_unmarked_role_whose_name_ends_like_a_clone_is_an_original_like_any_other() {
    let mut scene = Scene::start().await;
    scene.application("app_clone").await;
    let document = scene.document("app_clone");
    let first = scene.put(&document);
    let second = scene.rotate(&first).await.unwrap();
    assert_eq!(second.user(), "app_clone_clone");
    assert_eq!(second.secret.owner(), Some("app_clone"));
}

#[tokio::test]
async fn p6_a_password_that_logs_in_as_somebody_less_is_not_accepted() {
    let mut scene = Scene::start().await;
    let first = scene.put_app();
    let second = scene.rotate(&first).await.unwrap();
    scene.sql("ALTER ROLE app_clone RESET role").await;
    let verdict = scene.provider.verify(&second.secret).await.unwrap();
    let Verdict::Refused { reason } = verdict else {
        panic!("{verdict:?}")
    };
    assert_eq!(
        reason,
        "the login is app_clone and acts as app_clone, not as app"
    );
}

#[tokio::test]
async fn p11_a_current_password_that_is_refused_is_an_answer_with_a_reason() {
    let mut scene = Scene::start().await;
    let first = scene.put_app();
    for (change, state) in [
        ("ALTER ROLE app PASSWORD 'TEST-other'", "28P01"),
        ("ALTER ROLE app NOLOGIN", "28000"),
        (
            "ALTER ROLE app LOGIN; REVOKE CONNECT ON DATABASE postgres FROM PUBLIC",
            "42501",
        ),
    ] {
        scene.sql(change).await;
        let verdict = scene.provider.verify(&first.secret).await.unwrap();
        let Verdict::Refused { reason } = verdict else {
            panic!("{verdict:?}")
        };
        assert!(reason.contains(state), "{reason}");
        scene
            .sql(&format!("ALTER ROLE app PASSWORD '{PASSWORD}'"))
            .await;
    }
}

#[tokio::test]
async fn fixed_slots_are_told_without_a_call_and_nothing_is_listed() {
    let mut scene = Scene::start().await;
    let first = scene.put_app();
    scene.cluster.stop().unwrap();
    let listing = scene.provider.list(&first.secret, &scene.address).await;
    assert!(matches!(listing, Ok(twinkey_core::Listing::FixedSlots)));
    let key = twinkey_core::ListedKey {
        key_id: twinkey_core::KeyId::new("app"),
        handle: "app".into(),
    };
    let listed = Retiring::Listed {
        key: &key,
        current: &first.secret,
    };
    let error = scene.provider.retire(listed).await.unwrap_err();
    assert_eq!((error.kind, error.code), (ErrorKind::Unusable, "NotListed"));
}

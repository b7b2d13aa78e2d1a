//! Deliveries that come again, late, many at once, or are cut off.

use std::time::Duration;

use twinkey_core::{Choose, ErrorKind, Provider, Verdict};
use twinkey_testkit::NothingChanged;

use crate::scene::Scene;

#[tokio::test]
async fn p5_the_same_apply_may_come_again_at_every_point() {
    let mut scene = Scene::start().await;
    let mut current = scene.put_app();
    for _ in 0..3 {
        let pending = scene.create(&current).await.unwrap();
        for _ in 0..3 {
            scene.apply(&current, &pending).await.unwrap();
            assert!(scene.is_live(&current).await && scene.is_live(&pending).await);
            let verdict = scene.provider.verify(&pending.secret).await.unwrap();
            assert_eq!(verdict, Verdict::Accepted);
        }
        // createSecret, too: the redelivery finds the pair made, and changes nothing.
        let ready = scene.provider.ready(&current.secret, &scene.address).await;
        assert_eq!(ready.unwrap().secret.twin(), Some(pending.user()));
        current = pending;
    }
    // Published, and then once more.
    let next = scene.create(&current).await.unwrap();
    scene.apply(&current, &next).await.unwrap();
}

#[tokio::test]
async fn p5_an_apply_frozen_while_two_rotations_passed_changes_nothing() {
    let mut scene = Scene::start().await;
    let first = scene.put_app();
    let frozen = scene.create(&first).await.unwrap();
    // Its rotation was abandoned; others passed.
    let second = scene.rotate(&first).await.unwrap();
    let third = scene.rotate(&second).await.unwrap();
    let before = scene.fingerprint().await;
    let error = scene.apply(&first, &frozen).await.unwrap_err();
    assert_eq!(
        (error.kind, error.code),
        (ErrorKind::Conflict, "Superseded")
    );
    assert!(error.message.contains(second.stamp.id.as_str()));
    assert_eq!(scene.fingerprint().await, before);
    assert!(scene.is_live(&second).await && scene.is_live(&third).await);
}

#[tokio::test]
async fn p5_every_old_apply_delivered_again_leaves_the_two_live_keys_alone() {
    let mut scene = Scene::start().await;
    let mut versions = vec![scene.put_app()];
    for at in 0..5 {
        let next = scene.rotate(&versions[at]).await.unwrap();
        versions.push(next);
    }
    for at in 1..versions.len() {
        let again = scene.apply(&versions[at - 1], &versions[at]).await;
        // The last of each role is a plain redelivery.
        assert_eq!(again.is_ok(), at >= versions.len() - 2, "{at}");
        for (index, key) in versions.iter().enumerate() {
            assert_eq!(scene.is_live(key).await, index >= versions.len() - 2);
        }
    }
    // Even after redeliveries with an outdated idea of the other role.
    let error = scene.apply(&versions[2], &versions[3]).await.unwrap_err();
    assert_eq!(error.code, "Superseded");
}

#[tokio::test]
async fn rotations_within_the_stores_resolution_of_time_pass() {
    let mut scene = Scene::start().await;
    let mut current = scene.put_app();
    let at = current.stamp.created_at;
    for _ in 0..4 {
        let mut pending = scene.create(&current).await.unwrap();
        pending.stamp.created_at = at;
        scene.apply(&current, &pending).await.unwrap();
        assert!(scene.is_live(&current).await && scene.is_live(&pending).await);
        current = pending;
    }
}

#[tokio::test]
async fn p5_many_deliveries_at_once_end_as_one_and_nobody_sees_an_error() {
    let mut scene = Scene::start().await;
    let mut current = scene.put_app();
    for _ in 0..3 {
        let pending = scene.create(&current).await.unwrap();
        let fence = scene.fence(&current, &pending);
        let mut deliveries = tokio::task::JoinSet::new();
        for _ in 0..12 {
            let (provider, secret, fence) = (
                scene.provider.clone(),
                pending.secret.clone(),
                fence.clone(),
            );
            deliveries.spawn(async move { provider.apply(&secret, &fence, &NothingChanged).await });
        }
        for outcome in deliveries.join_all().await {
            outcome.unwrap();
        }
        assert!(scene.is_live(&current).await && scene.is_live(&pending).await);
        current = pending;
    }
}

#[tokio::test]
async fn p5_rivals_for_one_place_leave_the_latest_and_the_others_are_told() {
    let mut scene = Scene::start().await;
    let first = scene.put_app();
    let mut rivals = Vec::new();
    for _ in 0..4 {
        rivals.push(scene.create(&first).await.unwrap());
    }
    let fences: Vec<_> = rivals
        .iter()
        .map(|rival| scene.fence(&first, rival))
        .collect();
    let apply = |at: usize| {
        scene
            .provider
            .apply(&rivals[at].secret, &fences[at], &NothingChanged)
    };
    let (a, b, c, d) = tokio::join!(apply(3), apply(0), apply(2), apply(1));
    a.unwrap();
    for outcome in [b, c, d] {
        assert!(outcome.is_ok() || outcome.unwrap_err().code == "Superseded");
    }
    for (at, rival) in rivals.iter().enumerate() {
        assert_eq!(scene.is_live(rival).await, at == 3);
    }
}

#[tokio::test]
async fn somebody_elses_change_of_the_same_role_at_the_same_moment_is_got_over() {
    let mut scene = Scene::start().await;
    let first = scene.put_app();
    let second = scene.rotate(&first).await.unwrap();
    let pending = scene.create(&second).await.unwrap();
    let other = scene.root().await;
    other
        .batch_execute("BEGIN; ALTER ROLE app CONNECTION LIMIT 9")
        .await
        .unwrap();
    let apply = scene.apply(&second, &pending);
    let release = async {
        // Until ours waits for it: its statement then fails with XX000 and is tried again.
        wait_until_blocked(&scene).await;
        other.batch_execute("COMMIT").await.unwrap();
    };
    let (applied, ()) = tokio::join!(apply, release);
    applied.unwrap();
    assert!(scene.is_live(&pending).await);
    assert!(scene.cluster.log().contains("tuple concurrently updated"));
}

#[tokio::test]
async fn p5_an_admin_connection_lost_within_the_transaction_changes_nothing_and_may_be_repeated() {
    let mut scene = Scene::start().await;
    let first = scene.put_app();
    let second = scene.rotate(&first).await.unwrap();
    let pending = scene.create(&second).await.unwrap();
    let before = scene.fingerprint().await;
    let other = scene.root().await;
    other
        .batch_execute("BEGIN; ALTER ROLE app CONNECTION LIMIT 9")
        .await
        .unwrap();
    let apply = scene.apply(&second, &pending);
    let cut = async {
        wait_until_blocked(&scene).await;
        scene
            .sql("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE usename = 'rotator'")
            .await;
    };
    let (applied, ()) = tokio::join!(apply, cut);
    let error = applied.unwrap_err();
    assert_eq!(error.kind, ErrorKind::Transient, "{error:?}");
    other.batch_execute("ROLLBACK").await.unwrap();
    assert_eq!(scene.fingerprint().await, before);
    assert!(scene.is_live(&first).await && scene.is_live(&second).await);
    scene.apply(&second, &pending).await.unwrap();
    assert!(scene.is_live(&second).await && scene.is_live(&pending).await);
}

#[tokio::test]
async fn p5_an_apply_dropped_at_any_moment_leaves_the_old_or_the_new_password() {
    let mut scene = Scene::start().await;
    let mut current = scene.put_app();
    for milliseconds in [1, 3, 6, 9, 12, 15, 20, 30] {
        let pending = scene.create(&current).await.unwrap();
        let apply = scene.apply(&current, &pending);
        let _ = tokio::time::timeout(Duration::from_millis(milliseconds), apply).await;
        assert!(scene.is_live(&current).await);
        scene.apply(&current, &pending).await.unwrap();
        assert!(scene.is_live(&current).await && scene.is_live(&pending).await);
        current = pending;
    }
}

async fn wait_until_blocked(scene: &Scene) {
    const BLOCKED: &str = "SELECT count(*)::text FROM pg_stat_activity
        WHERE usename = 'rotator' AND wait_event_type = 'Lock'";
    while scene.ask(BLOCKED).await.as_deref() != Some("1") {
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
}

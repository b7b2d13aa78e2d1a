//! Deploy keys, rotation after rotation.

use chrono::{DateTime, TimeDelta, Utc};
use twinkey_core::{Kinds, SecretValue, Slot, Stage, Step, Store};
use twinkey_test_github::DeployKey;

use crate::scene::{REPOSITORY, Scene};

fn keys(scene: &Scene) -> Vec<DeployKey> {
    scene.stub.keys(REPOSITORY)
}

#[tokio::test]
async fn p2_the_first_rotation_makes_the_first_key_and_the_second_completes_the_pair() {
    let scene = Scene::deploy_keys().await;
    scene.rotate().await.expect("rotated");
    assert_eq!(keys(&scene).len(), 1);
    for _ in 0..3 {
        scene.rotate().await.expect("rotated");
        assert_eq!(keys(&scene).len(), 2);
    }
    for stage in [Stage::Current, Stage::Previous] {
        let document = scene.document(&stage);
        let registered = keys(&scene)
            .into_iter()
            .find(|key| document["public_key"] == key.key.as_str());
        let registered = registered.expect("registered");
        assert_eq!(document["title"], registered.title.as_str());
        assert!(registered.read_only);
    }
    assert_eq!(
        scene.stub.live_work_tokens(),
        0,
        "each step has given its token back"
    );
}

#[tokio::test]
async fn a_rotation_makes_just_these_calls() {
    let scene = Scene::deploy_keys().await;
    for _ in 0..2 {
        scene.rotate().await.expect("rotated");
    }
    scene.stub.take_calls();
    let token = scene.begin();
    let mint = "POST /app/installations/678/access_tokens";
    let (list, revoke) = ("GET /repos/acme/widgets/keys", "DELETE /installation/token");
    let gone = "GET /installation/repositories";
    for (step, expected) in [
        // Ours, current's, the older one's; that one goes and is seen gone.
        (
            Step::CreateSecret,
            vec![
                mint,
                list,
                list,
                list,
                "DELETE key",
                "GET key",
                revoke,
                gone,
            ],
        ),
        (
            Step::SetSecret,
            vec![
                mint,
                list,
                list,
                // Once more under AWSPREVIOUS: it has gone already.
                list,
                "POST /repos/acme/widgets/keys",
                revoke,
                gone,
            ],
        ),
        (Step::TestSecret, vec![mint, list, revoke, gone]),
        (Step::FinishSecret, vec![]),
    ] {
        scene.step(step, &token).await.expect("passed");
        let calls = scene.stub.take_calls().into_iter().map(|call| {
            match call.split_once(" /repos/acme/widgets/keys/") {
                Some((method, _)) => format!("{method} key"),
                None => call,
            }
        });
        assert_eq!(calls.collect::<Vec<_>>(), expected, "{step}");
    }
}

#[tokio::test]
async fn p4_a_sweep_takes_ours_and_only_ours() {
    let scene = Scene::deploy_keys().await;
    for _ in 0..2 {
        scene.rotate().await.expect("rotated");
    }
    let title = scene.field(&Stage::Current, "title");
    let (ours, _) = title.rsplit_once('/').expect("a title of ours");
    let stray = format!("{ours}/{}", "a".repeat(32));
    scene
        .stub
        .add_key_by_hand(REPOSITORY, &stray, "ssh-ed25519 AAAATEST1");
    for (number, foreign) in ["ci@example", "twinkey/other/x", ours]
        .into_iter()
        .enumerate()
    {
        scene.stub.add_key_by_hand(
            REPOSITORY,
            foreign,
            &format!("ssh-ed25519 AAAATESTx{number}"),
        );
    }
    scene.rotate().await.expect("rotated");
    let titles: Vec<String> = keys(&scene).into_iter().map(|key| key.title).collect();
    assert!(!titles.contains(&stray), "{titles:?}");
    assert_eq!(titles.len(), 3 + 2, "{titles:?}");
}

#[tokio::test]
async fn p5_a_key_that_is_registered_already_is_recognised_as_our_own() {
    let scene = Scene::deploy_keys().await;
    let token = scene.begin();
    scene
        .step(Step::CreateSecret, &token)
        .await
        .expect("stored");
    for _ in 0..2 {
        scene
            .step(Step::SetSecret, &token)
            .await
            .expect("registered");
        assert_eq!(keys(&scene).len(), 1);
    }
}

#[tokio::test]
async fn a_key_that_is_registered_elsewhere_is_a_conflict() {
    let scene = Scene::deploy_keys().await;
    let token = scene.begin();
    scene
        .step(Step::CreateSecret, &token)
        .await
        .expect("stored");
    let public = scene.field(&Stage::Pending, "public_key");
    scene
        .stub
        .add_key_by_hand("acme/gadgets", "by hand", &public);
    let error = scene
        .step(Step::SetSecret, &token)
        .await
        .expect_err("elsewhere");
    assert_eq!(error.cause.error_type(), "KeyInUse");
}

#[tokio::test]
async fn p6_a_key_that_a_policy_disables_is_never_published() {
    let scene = Scene::deploy_keys().await;
    let token = scene.begin();
    for step in [Step::CreateSecret, Step::SetSecret] {
        scene.step(step, &token).await.expect("passed");
    }
    scene.stub.change_keys(|key| key.enabled = false);
    let error = scene
        .step(Step::TestSecret, &token)
        .await
        .expect_err("disabled");
    assert_eq!(error.cause.error_type(), "PendingRefused");
    assert!(error.to_string().contains("policy"), "{error}");
    scene
        .stub
        .change_keys(|key| (key.enabled, key.read_only) = (true, false));
    let error = scene
        .step(Step::TestSecret, &token)
        .await
        .expect_err("another right");
    assert!(error.to_string().contains("read_only"), "{error}");
}

#[tokio::test]
async fn an_organization_without_deploy_keys_is_told_with_what_to_do() {
    let scene = Scene::deploy_keys().await;
    scene.stub.allow_deploy_keys(false);
    let error = scene.rotate().await.expect_err("not allowed");
    assert_eq!(error.cause.error_type(), "DeployKeysDisabled");
    assert!(
        error
            .cause
            .hint()
            .expect("a hint")
            .contains("installation token")
    );
    assert_eq!(
        scene.stub.live_work_tokens(),
        0,
        "given back after a failure too"
    );
}

#[tokio::test]
async fn a_key_that_a_person_had_registered_is_taken_over_and_goes_in_its_turn() {
    let scene = Scene::deploy_keys().await;
    scene.rotate().await.expect("rotated");
    // The same key under a title of somebody's own.
    scene.stub.change_keys(|key| key.title = "deploy@ci".into());
    for _ in 0..2 {
        scene.rotate().await.expect("rotated");
    }
    let titles: Vec<String> = keys(&scene).into_iter().map(|key| key.title).collect();
    assert_eq!(titles.len(), 2);
    assert!(!titles.contains(&"deploy@ci".into()), "{titles:?}");
}

#[tokio::test]
async fn more_keys_than_one_page_holds_are_all_seen() {
    let scene = Scene::deploy_keys().await;
    for number in 0..250 {
        scene.stub.add_key_by_hand(
            REPOSITORY,
            "by hand",
            &format!("ssh-ed25519 AAAATEST{number}"),
        );
    }
    for _ in 0..3 {
        scene.rotate().await.expect("rotated");
    }
    assert_eq!(keys(&scene).len(), 252);
}

#[tokio::test]
async fn a_repository_that_was_renamed_is_found_where_it_is_now() {
    let scene = Scene::deploy_keys().await;
    scene.rotate().await.expect("rotated");
    scene.stub.set_repositories(&["widgets", "gears"]);
    // The token is asked for by the old name, as GitHub lets it; the keys are at the new one.
    scene.stub.move_repository("acme/widgets", "acme/gears");
    let error = scene
        .rotate()
        .await
        .expect_err("the token reaches the old name alone here");
    assert_eq!(error.cause.error_type(), "NotFound");
    let seen = scene.stub.seen();
    assert!(
        seen.iter()
            .any(|it| it.path.starts_with("/repos/acme/gears/keys")),
        "followed"
    );
}

#[tokio::test]
async fn last_use_is_told_of_a_live_key() {
    let scene = Scene::deploy_keys().await;
    scene.rotate().await.expect("rotated");
    let used: DateTime<Utc> = DateTime::UNIX_EPOCH + TimeDelta::days(19_999);
    scene.stub.change_keys(|key| key.last_used = Some(used));
    let value = SecretValue::new(scene.document(&Stage::Current).to_string());
    let rotator = scene.kinds.open(&value).expect("a kind");
    let seen = rotator.inspect(&value, &value).await.expect("asked");
    assert_eq!(seen.last_used, Some(used));
    assert_eq!(scene.stub.live_work_tokens(), 0);
}

#[tokio::test]
async fn p10_a_pending_document_of_another_repository_is_never_registered() {
    let scene = Scene::deploy_keys().await;
    let token = scene.begin();
    let mut poisoned = scene.document(&Stage::Current);
    poisoned["repository"] = "acme/gadgets".into();
    let value = SecretValue::new(poisoned.to_string());
    let stages = [Stage::Pending, Stage::Slot(Slot::A)];
    let put = scene.store.put(&scene.secret, &token, &value, &stages);
    put.await.expect("stored");
    let error = scene.step(Step::SetSecret, &token).await;
    let error = error.expect_err("another target");
    assert_eq!(error.cause.error_type(), "InvalidDocument");
    assert!(scene.stub.seen().is_empty());
}

#[tokio::test]
async fn a_list_that_does_not_end_is_given_up() {
    let scene = Scene::deploy_keys().await;
    for number in 0..10_000 {
        let key = format!("ssh-ed25519 AAAATEST{number}");
        scene.stub.add_key_by_hand(REPOSITORY, "by hand", &key);
    }
    let error = scene.rotate().await.expect_err("too many");
    assert_eq!(error.cause.error_type(), "UnintelligibleAnswer");
    assert!(error.to_string().contains("does not end"), "{error}");
}

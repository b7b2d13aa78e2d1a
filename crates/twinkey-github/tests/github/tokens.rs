//! Installation tokens, rotation after rotation.

use chrono::{DateTime, TimeDelta};
use serde_json::json;
use twinkey_core::{SCHEDULE_TAG, Stage, Step};
use twinkey_test_github::Trouble;

use crate::scene::Scene;

#[tokio::test]
async fn p2_the_first_rotation_makes_the_first_token_and_the_second_completes_the_pair() {
    let scene = Scene::tokens().await;
    scene.rotate().await.expect("rotated");
    assert_eq!(scene.stub.live_tokens(), 1);
    let first = scene.field(&Stage::Current, "token");
    scene.rotate().await.expect("rotated");
    assert_eq!(scene.field(&Stage::Previous, "token"), first);
    assert_eq!(scene.stub.live_tokens(), 2);
    for _ in 0..3 {
        scene.rotate().await.expect("rotated");
        assert_eq!(scene.stub.live_tokens(), 2);
    }
    assert!(!scene.stub.accepts(&first));
    let document = scene.document(&Stage::Current);
    assert_eq!(document["username"], "x-access-token");
    let moment = |field: &str| -> DateTime<chrono::Utc> {
        document[field]
            .as_str()
            .expect("a string")
            .parse()
            .expect("a moment")
    };
    assert_eq!(
        moment("expires_at") - moment("issued_at"),
        TimeDelta::hours(1)
    );
}

#[tokio::test]
async fn a_rotation_makes_just_these_calls() {
    let scene = Scene::tokens().await;
    for _ in 0..2 {
        scene.rotate().await.expect("rotated");
    }
    scene.stub.take_calls();
    scene.rotate().await.expect("rotated");
    let expected = [
        // createSecret: is it possible, does current work, the older one goes and is seen gone, the new one.
        "GET /app/installations/678",
        "GET /repos/acme/widgets/installation",
        "GET /installation/repositories",
        "DELETE /installation/token",
        "GET /installation/repositories",
        "POST /app/installations/678/access_tokens",
        // testSecret
        "GET /installation/repositories",
    ];
    assert_eq!(scene.stub.take_calls(), expected);
}

#[tokio::test]
async fn what_github_wants_of_every_request_is_sent() {
    let scene = Scene::tokens().await;
    scene.rotate().await.expect("rotated");
    for seen in scene.stub.seen() {
        assert!(
            seen.headers["user-agent"].starts_with("twinkey/"),
            "{seen:?}"
        );
        assert_eq!(seen.headers["x-github-api-version"], "2022-11-28");
        assert!(seen.headers["accept"].contains("application/vnd.github+json"));
    }
}

#[tokio::test]
async fn a_token_that_github_does_not_know_everywhere_yet_is_waited_for() {
    let scene = Scene::tokens().await;
    scene.stub.lag(4);
    scene.rotate().await.expect("patient");
    scene.stub.lag(5);
    let error = scene.rotate().await.expect_err("not for ever");
    assert_eq!(error.cause.error_type(), "PendingDead");
    assert_eq!(scene.stub.live_tokens(), 1, "the new one was revoked");
    scene.stub.lag(0);
    scene.rotate().await.expect("the next one");
    assert_eq!(scene.stub.live_tokens(), 2);
}

#[tokio::test]
async fn a_suspension_is_not_taken_for_a_token_that_is_too_young() {
    let scene = Scene::tokens().await;
    let token = scene.begin();
    for step in [Step::CreateSecret, Step::SetSecret] {
        scene.step(step, &token).await.expect("a calm step");
    }
    scene.stub.suspend(true);
    scene.stub.take_calls();
    let refused = scene.step(Step::TestSecret, &token).await;
    let error = refused.expect_err("a refusal");
    assert_eq!(error.cause.error_type(), "InstallationSuspended");
    let expected = ["GET /installation/repositories"];
    assert_eq!(scene.stub.take_calls(), expected, "it is asked once");
}

#[tokio::test]
async fn a_token_that_is_old_is_not_waited_for() {
    let scene = Scene::tokens().await;
    for _ in 0..2 {
        scene.rotate().await.expect("rotated");
        scene.clock.advance(TimeDelta::minutes(20));
    }
    scene
        .stub
        .revoke_by_hand(&scene.field(&Stage::Current, "token"));
    scene.stub.take_calls();
    scene.rotate().await.expect("rotated");
    let expected = [
        "GET /app/installations/678",
        "GET /repos/acme/widgets/installation",
        // Current does not work, the other one does and is kept; current is made sure to be dead.
        "GET /installation/repositories",
        "GET /installation/repositories",
        "DELETE /installation/token",
        "POST /app/installations/678/access_tokens",
        "GET /installation/repositories",
    ];
    assert_eq!(scene.stub.take_calls(), expected, "each is asked once");
}

#[tokio::test]
async fn tokens_of_the_new_form_are_as_good() {
    let scene = Scene::tokens().await;
    scene.rotate().await.expect("rotated");
    scene.stub.mint_stateless_tokens();
    for _ in 0..3 {
        scene.rotate().await.expect("rotated");
    }
    assert!(scene.field(&Stage::Previous, "token").len() > 480);
    assert_eq!(scene.stub.live_tokens(), 2);
}

#[tokio::test]
async fn p6_a_token_that_may_do_more_than_was_asked_is_revoked_and_never_stored() {
    let scene = Scene::tokens().await;
    scene.stub.also_grant("issues", "read");
    let error = scene.rotate().await.expect_err("too much");
    assert_eq!(error.cause.error_type(), "GrantDiffers");
    assert_eq!(
        (scene.stub.minted_tokens(), scene.stub.live_tokens()),
        (1, 0)
    );
    let scene = Scene::tokens().await;
    scene.stub.also_grant("contents", "write");
    let error = scene.rotate().await.expect_err("a higher level");
    assert_eq!(error.cause.error_type(), "GrantDiffers");
}

#[tokio::test]
async fn p4_a_token_that_may_do_more_and_cannot_be_revoked_is_told_as_a_possible_stray() {
    let scene = Scene::tokens().await;
    scene.stub.also_grant("issues", "read");
    // Two looks, the mint, then the revocation.
    let failed = Trouble::Answers {
        status: 502,
        headers: Vec::new(),
        message: "Bad Gateway",
    };
    scene.stub.trouble(3, failed);
    let error = scene.rotate().await.expect_err("too much");
    assert_eq!(error.cause.error_type(), "PossibleStray");
    assert_eq!(scene.stub.live_tokens(), 1);
}

#[tokio::test]
async fn a_document_may_leave_open_what_the_token_may_do() {
    let scene = Scene::tokens().await;
    scene.put_by_hand("permissions", json!(null));
    scene.put_by_hand("repositories", json!(null));
    scene.stub.take_calls();
    scene.rotate().await.expect("rotated");
    let calls = scene.stub.take_calls();
    assert!(
        !calls.iter().any(|call| call.contains("/repos/")),
        "{calls:?}"
    );
}

#[tokio::test]
async fn p1_nothing_is_revoked_before_it_is_clear_that_a_new_one_can_be_had() {
    for trouble in 0..4 {
        let scene = Scene::tokens().await;
        for _ in 0..2 {
            scene.rotate().await.expect("rotated");
        }
        let expected = match trouble {
            0 => {
                scene.stub.suspend(true);
                "InstallationSuspended"
            }
            1 => {
                scene.stub.set_permissions(json!({"issues": "write"}));
                "PermissionMissing"
            }
            2 => {
                scene.stub.set_repositories(&["gadgets"]);
                "RepositoryMissing"
            }
            _ => {
                scene.put_by_hand("installation_id", json!("1"));
                "InstallationMissing"
            }
        };
        let error = scene.rotate().await.expect_err(expected);
        assert_eq!(error.cause.error_type(), expected);
        assert!(error.cause.hint().is_some(), "{expected}");
        scene.stub.suspend(false);
        assert_eq!(scene.stub.live_tokens(), 2, "{expected}");
    }
}

#[tokio::test]
async fn p2_where_the_older_one_cannot_be_revoked_no_new_one_is_minted_unless_it_has_expired() {
    let scene = Scene::tokens().await;
    for _ in 0..2 {
        scene.rotate().await.expect("rotated");
    }
    let failed = || Trouble::Answers {
        status: 500,
        headers: Vec::new(),
        message: "Server Error",
    };
    scene.stub.trouble(3, failed());
    let token = scene.begin();
    let error = scene
        .step(Step::CreateSecret, &token)
        .await
        .expect_err("not revoked");
    assert_eq!(error.cause.error_type(), "ServerFailed");
    assert_eq!(scene.stub.minted_tokens(), 2);
    // It has died by itself since, and GitHub still does not answer that.
    scene.clock.advance(TimeDelta::minutes(62));
    // Current has too: two looks, both used in vain, then they are revoked.
    scene.stub.trouble(4, failed());
    scene
        .step(Step::CreateSecret, &token)
        .await
        .expect("minted");
    assert_eq!(scene.stub.minted_tokens(), 3);
}

#[tokio::test]
async fn p2_a_schedule_too_slow_for_two_tokens_is_refused_with_the_arithmetic() {
    let scene = Scene::tokens().await;
    scene
        .store
        .tag(&scene.secret, SCHEDULE_TAG, "rate(30 minutes)");
    let error = scene.rotate().await.expect_err("too slow");
    assert_eq!(error.cause.error_type(), "InvalidPolicy");
    assert!(error.to_string().contains("2 × 30m"), "{error}");
    assert_eq!(scene.stub.minted_tokens(), 0);
}

#[tokio::test]
async fn p7_a_half_done_rotation_is_ended_and_its_token_is_dead() {
    let scene = Scene::tokens().await;
    scene.rotate().await.expect("rotated");
    let token = scene.begin();
    scene
        .step(Step::CreateSecret, &token)
        .await
        .expect("minted");
    assert_eq!(scene.stub.live_tokens(), 2);
    scene.abandon(&token).await;
    assert_eq!(scene.stub.live_tokens(), 1);
    assert!(!scene.pending().await);
}

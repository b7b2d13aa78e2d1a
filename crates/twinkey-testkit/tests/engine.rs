//! The engine over fakes: each promise once in the calm, then at every point where it can break.

use chrono::TimeDelta;
use twinkey_core::{
    Credential, MIN_OVERLAP_TAG, Retired, RotationFailure, SecretValue, Stage, Step, StepReport,
    StepResult, VersionId,
};
use twinkey_testkit::*;

fn scene(kind: FakeKind) -> Scene {
    Scene::new(kind)
}

async fn rotate(scene: &Scene) -> Vec<StepReport> {
    let token = scene.begin();
    scene.rotate(&token).await.expect("a quiet rotation")
}

/// A scene with both keys in place.
async fn warm(kind: FakeKind) -> Scene {
    let scene = scene(kind);
    rotate(&scene).await;
    rotate(&scene).await;
    scene
}

#[tokio::test]
async fn p3_two_keys_are_live_at_rest_for_every_kind() {
    for kind in FakeKind::ALL {
        let scene = warm(kind).await;
        for _ in 0..5 {
            rotate(&scene).await;
            assert_eq!(scene.server.live(), 2, "{kind:?}");
            assert!(
                scene.works(&Stage::Current) && scene.works(&Stage::Previous),
                "{kind:?}"
            );
        }
        assert_eq!(scene.server.most_live(), 2, "{kind:?}");
    }
}

#[tokio::test]
async fn p3_a_first_rotation_of_a_live_key_makes_two() {
    for kind in [FakeKind::Password, FakeKind::KeyPair] {
        let scene = scene(kind);
        rotate(&scene).await;
        assert_eq!(scene.key(&Stage::Previous).as_deref(), Some("TEST-first"));
        assert!(
            scene.works(&Stage::Current) && scene.works(&Stage::Previous),
            "{kind:?}"
        );
    }
}

#[tokio::test]
async fn p5_every_step_may_arrive_any_number_of_times() {
    for kind in FakeKind::ALL {
        let scene = warm(kind).await;
        let token = scene.begin();
        for step in Step::ALL {
            for _ in 0..3 {
                scene
                    .step(step, &token)
                    .await
                    .unwrap_or_else(|error| panic!("{kind:?}: {error}"));
            }
        }
        for step in Step::ALL {
            let report = scene.step(step, &token).await.expect("a late delivery");
            assert_eq!(report.result, StepResult::AlreadyDone);
        }
        assert_eq!(
            (scene.server.live(), scene.server.most_live()),
            (2, 2),
            "{kind:?}"
        );
    }
}

#[tokio::test]
async fn p5_a_step_before_its_turn_is_refused_and_changes_nothing() {
    let scene = warm(FakeKind::Password).await;
    let token = scene.begin();
    for step in [Step::SetSecret, Step::FinishSecret] {
        let error = scene
            .step(step, &token)
            .await
            .expect_err("createSecret has not run");
        assert!(
            matches!(error.cause, RotationFailure::OutOfOrder(_)),
            "{error}"
        );
    }
    let stranger = VersionId::parse("0".repeat(32)).expect("32 characters");
    for step in Step::ALL {
        let error = scene
            .step(step, &stranger)
            .await
            .expect_err("no such rotation");
        assert_eq!(error.cause.error_type(), "OutOfOrder");
    }
    assert!(scene.works(&Stage::Current) && scene.works(&Stage::Previous));
}

#[tokio::test]
async fn a_test_alone_checks_and_changes_nothing() {
    let scene = warm(FakeKind::Password).await;
    let token = scene.begin();
    let report = scene
        .step(Step::TestSecret, &token)
        .await
        .expect("RotateImmediately=false");
    assert_eq!(report.result, StepResult::OnlyChecked);
    scene
        .server
        .break_by_hand(&scene.key(&Stage::Current).expect("a key"));
    let error = scene
        .step(Step::TestSecret, &token)
        .await
        .expect_err("current is broken");
    assert_eq!(error.cause.error_type(), "CurrentRefused");
}

#[tokio::test]
async fn p6_a_key_that_the_server_refuses_is_never_published() {
    let scene = warm(FakeKind::Password).await;
    let before = scene.key(&Stage::Current);
    let token = scene.begin();
    scene
        .step(Step::CreateSecret, &token)
        .await
        .expect("created");
    scene.step(Step::SetSecret, &token).await.expect("set");
    scene
        .server
        .break_by_hand(&scene.key(&Stage::Pending).expect("a pending key"));
    let error = scene
        .step(Step::TestSecret, &token)
        .await
        .expect_err("refused");
    assert_eq!(error.cause.error_type(), "PendingRefused");
    assert_eq!(scene.key(&Stage::Current), before);
    // The service delivers the whole rotation again, and it heals.
    scene.rotate(&token).await.expect("applied again");
    assert!(scene.works(&Stage::Current));
}

#[tokio::test]
async fn p7_the_record_says_how_a_death_is_known() {
    let scene = warm(FakeKind::Token { listable: false }).await;
    let doomed = scene.key(&Stage::Previous).expect("a key");
    let reports = rotate(&scene).await;
    assert_eq!(reports[0].retired.len(), 1);
    assert_eq!(reports[0].retired[0].key.as_str(), doomed);
    assert_eq!(reports[0].retired[0].how, Retired::Refused);
    assert!(!scene.server.accepts(&doomed));
}

#[tokio::test]
async fn p9_a_young_key_is_not_rotated_and_nothing_stays_pending() {
    let scene = warm(FakeKind::Password).await;
    scene.store.tag(&scene.secret, MIN_OVERLAP_TAG, "1h");
    scene.clock.advance(TimeDelta::minutes(40));
    let token = scene.begin();
    let error = scene.rotate(&token).await.expect_err("too young");
    assert!(
        matches!(error.cause, RotationFailure::Overlap { wait } if wait == TimeDelta::minutes(20)),
        "{error}"
    );
    assert_eq!(scene.key(&Stage::Pending), None);
    // The refusal left nothing pending: another rotation may begin, and passes when its time has come.
    scene.clock.advance(TimeDelta::minutes(20));
    rotate(&scene).await;
}

#[tokio::test]
async fn p9_a_forced_rotation_and_a_first_one_do_not_wait() {
    let scene = scene(FakeKind::Password);
    scene.store.tag(&scene.secret, MIN_OVERLAP_TAG, "1h");
    rotate(&scene).await;
    let forced =
        VersionId::parse(format!("twinkey-manual-forced-{}", "0".repeat(32))).expect("a token");
    scene
        .store
        .rotate_secret(&scene.secret, &forced)
        .expect("begun");
    scene.rotate(&forced).await.expect("forced");
}

#[tokio::test]
async fn p9_the_default_overlap_is_an_hour_for_chosen_kinds_and_five_minutes_for_issued_ones() {
    for (kind, minutes) in [
        (FakeKind::Password, 60),
        (FakeKind::Token { listable: false }, 5),
    ] {
        let scene = warm(kind).await;
        scene.store.untag(&scene.secret, MIN_OVERLAP_TAG);
        scene
            .clock
            .advance(TimeDelta::minutes(minutes) - TimeDelta::seconds(1));
        let error = scene.rotate(&scene.begin()).await.expect_err("too young");
        assert!(
            matches!(error.cause, RotationFailure::Overlap { .. }),
            "{error}"
        );
        scene.clock.advance(TimeDelta::seconds(1));
        rotate(&scene).await;
    }
}

#[tokio::test]
async fn p10_a_pending_document_that_points_elsewhere_is_refused() {
    for kind in FakeKind::ALL {
        let scene = warm(kind).await;
        let token = scene.begin();
        let mut foreign = scene.document(&Stage::Current).expect("a document");
        foreign.server = "elsewhere".into();
        foreign.value = Some("TEST-foreign".into());
        scene.put_pending(&token, &foreign.render()).await;
        for step in [Step::SetSecret, Step::TestSecret] {
            let error = scene.step(step, &token).await.expect_err("elsewhere");
            assert!(
                error.to_string().contains("field server"),
                "{kind:?}: {error}"
            );
        }
        assert!(!scene.server.accepts("TEST-foreign"), "{kind:?}");
    }
}

#[tokio::test]
async fn p11_a_broken_document_or_tag_is_refused_before_anything_is_stored() {
    let scene = warm(FakeKind::Password).await;
    scene
        .store
        .tag(&scene.secret, "twinkey:shedule", "rate(1 day)");
    let token = scene.begin();
    let error = scene.rotate(&token).await.expect_err("an unknown tag");
    assert_eq!(error.cause.error_type(), "InvalidPolicy");
    let scene = warm(FakeKind::Password).await;
    let id = VersionId::parse("9".repeat(32)).expect("32 characters");
    scene
        .store
        .put_by_hand(&scene.secret, &id, &SecretValue::new("not JSON".into()));
    let token = scene.begin();
    let error = scene.rotate(&token).await.expect_err("not a document");
    assert_eq!(error.cause.error_type(), "InvalidDocument");
    assert_eq!(scene.key(&Stage::Pending), None);
    assert_eq!(scene.server.live(), 2);
}

#[tokio::test]
async fn p11_a_refused_current_key_stops_a_fixed_slot_before_the_last_working_key_is_lost() {
    let scene = warm(FakeKind::Password).await;
    scene
        .server
        .break_by_hand(&scene.key(&Stage::Current).expect("a key"));
    let token = scene.begin();
    let error = scene.rotate(&token).await.expect_err("current is broken");
    assert_eq!(error.cause.error_type(), "CurrentRefused");
    assert!(error.cause.hint().is_some());
    assert_eq!(scene.key(&Stage::Pending), None, "nothing was stored");
    assert!(scene.works(&Stage::Previous));
}

#[tokio::test]
async fn p11_a_current_key_that_breaks_after_create_stops_set() {
    let scene = warm(FakeKind::Password).await;
    let token = scene.begin();
    scene
        .step(Step::CreateSecret, &token)
        .await
        .expect("created");
    scene
        .server
        .break_by_hand(&scene.key(&Stage::Current).expect("a key"));
    let error = scene
        .step(Step::SetSecret, &token)
        .await
        .expect_err("current is broken");
    assert_eq!(error.cause.error_type(), "CurrentRefused");
    assert!(scene.works(&Stage::Previous));
}

#[tokio::test]
async fn a_current_key_that_died_does_not_block_its_own_renewal() {
    for kind in [
        FakeKind::KeyPair,
        FakeKind::Token { listable: true },
        FakeKind::Token { listable: false },
    ] {
        let scene = warm(kind).await;
        scene
            .server
            .break_by_hand(&scene.key(&Stage::Current).expect("a key"));
        let survivor = scene.key(&Stage::Previous).expect("a key");
        rotate(&scene).await;
        assert!(scene.works(&Stage::Current), "{kind:?}");
        assert!(
            scene.server.accepts(&survivor),
            "{kind:?}: what lived was not touched"
        );
        assert_eq!(scene.server.most_live(), 2, "{kind:?}");
        rotate(&scene).await;
        assert_eq!(scene.server.live(), 2, "{kind:?}");
        assert!(
            scene.works(&Stage::Current) && scene.works(&Stage::Previous),
            "{kind:?}"
        );
    }
}

#[tokio::test]
async fn a_current_key_that_dies_twice_never_costs_the_last_one_that_works() {
    for kind in [
        FakeKind::KeyPair,
        FakeKind::Token { listable: true },
        FakeKind::Token { listable: false },
    ] {
        let scene = warm(kind).await;
        let survivor = scene.key(&Stage::Previous).expect("a key");
        for _ in 0..2 {
            scene
                .server
                .break_by_hand(&scene.key(&Stage::Current).expect("a key"));
            rotate(&scene).await;
            assert!(scene.works(&Stage::Current), "{kind:?}");
            assert!(
                scene.server.accepts(&survivor),
                "{kind:?}: the last key that worked was retired"
            );
        }
        rotate(&scene).await;
        assert_eq!(
            (scene.server.live(), scene.server.most_live()),
            (2, 2),
            "{kind:?}"
        );
    }
}

#[tokio::test]
async fn p1_a_key_that_is_put_again_is_not_retired_under_its_older_version() {
    for kind in [
        FakeKind::KeyPair,
        FakeKind::Token { listable: true },
        FakeKind::Token { listable: false },
    ] {
        for stage in [Stage::Current, Stage::Previous] {
            let scene = warm(kind).await;
            let document = scene.document(&stage).expect("a document");
            scene.put_by_hand(&document);
            scene.judge_every_call(Allowance::default());
            rotate(&scene).await;
            assert!(
                scene.works(&Stage::Current) && scene.works(&Stage::Previous),
                "{kind:?} {stage}"
            );
            assert_eq!(scene.server.live(), 2, "{kind:?} {stage}");
        }
    }
}

#[tokio::test]
async fn p7_a_death_is_told_even_if_the_step_fails_later() {
    let scene = warm(FakeKind::Token { listable: false }).await;
    let doomed = scene.key(&Stage::Previous).expect("a key");
    let token = scene.begin();
    scene.injector.fail_every("mint");
    let error = scene
        .step(Step::CreateSecret, &token)
        .await
        .expect_err("the mint fails");
    assert_eq!(error.retired.len(), 1);
    assert_eq!(
        (error.retired[0].key.as_str(), error.retired[0].how),
        (doomed.as_str(), Retired::Refused)
    );
}

#[tokio::test]
async fn p7_a_key_replaced_in_its_place_is_told_as_replaced() {
    let scene = warm(FakeKind::Password).await;
    let doomed = scene.key(&Stage::Previous).expect("a key");
    let reports = rotate(&scene).await;
    assert_eq!(reports[1].retired.len(), 1);
    assert_eq!(
        (
            reports[1].retired[0].key.as_str(),
            reports[1].retired[0].how
        ),
        (doomed.as_str(), Retired::Replaced)
    );
}

#[tokio::test]
async fn p1_awscurrent_moved_by_hand_during_set_secret_is_not_overwritten() {
    let scene = warm(FakeKind::Password).await;
    let token = scene.begin();
    scene
        .step(Step::CreateSecret, &token)
        .await
        .expect("created");
    let previous = scene.document(&Stage::Previous).expect("a document");
    let apply = {
        let calm = warm(FakeKind::Password).await;
        let token = calm.begin();
        calm.step(Step::CreateSecret, &token)
            .await
            .expect("created");
        calm.injector.disarm();
        calm.step(Step::SetSecret, &token).await.expect("set");
        calm.injector
            .calls()
            .iter()
            .rposition(|call| call.name == "describe")
            .expect("a last look")
    };
    scene.injector.freeze_at(apply);
    let mut frozen = Box::pin(scene.step(Step::SetSecret, &token));
    assert!(scene.injector.until_frozen(frozen.as_mut()).await);
    scene.put_by_hand(&previous);
    scene.injector.thaw();
    frozen.await.expect_err("AWSCURRENT has moved");
    assert!(scene.works(&Stage::Current));
}

#[tokio::test]
async fn p9_two_values_put_by_hand_before_the_first_rotation_make_nobody_wait() {
    let scene = scene(FakeKind::Password);
    scene.store.untag(&scene.secret, MIN_OVERLAP_TAG);
    scene.put_by_hand(&scene.document(&Stage::Current).expect("a document"));
    rotate(&scene).await;
    assert_eq!(scene.server.live(), 2);
}

#[tokio::test]
async fn garbage_that_was_put_by_hand_and_corrected_blocks_nothing() {
    for kind in FakeKind::ALL {
        let scene = warm(kind).await;
        let right = scene.document(&Stage::Current).expect("a document");
        let id = VersionId::parse("9".repeat(32)).expect("32 characters");
        scene
            .store
            .put_by_hand(&scene.secret, &id, &SecretValue::new("garbage".into()));
        scene.put_by_hand(&right);
        rotate(&scene).await;
        rotate(&scene).await;
        assert_eq!(
            (scene.server.live(), scene.server.most_live()),
            (2, 2),
            "{kind:?}"
        );
    }
}

#[tokio::test]
async fn an_expired_pending_key_is_buried_and_the_next_rotation_starts_afresh() {
    let scene = warm(FakeKind::Token { listable: false }).await;
    for step in [Step::SetSecret, Step::TestSecret] {
        let token = scene.begin();
        scene
            .step(Step::CreateSecret, &token)
            .await
            .expect("minted");
        scene.clock.advance(TimeDelta::minutes(61));
        let error = scene.step(step, &token).await.expect_err("expired");
        assert_eq!(error.cause.error_type(), "PendingDead");
        assert_eq!(scene.key(&Stage::Pending), None);
    }
    rotate(&scene).await;
    rotate(&scene).await;
    assert_eq!((scene.server.live(), scene.server.most_live()), (2, 2));
}

#[tokio::test]
async fn p4_a_value_put_by_hand_is_given_a_slot_and_the_third_key_dies_first() {
    for kind in [
        FakeKind::KeyPair,
        FakeKind::Token { listable: true },
        FakeKind::Token { listable: false },
    ] {
        let scene = warm(kind).await;
        scene
            .server
            .break_by_hand(&scene.key(&Stage::Previous).expect("a key"));
        scene.server.add_by_hand("shared", "TEST-by-hand");
        let mut by_hand = scene.document(&Stage::Current).expect("a document");
        by_hand.value = Some("TEST-by-hand".into());
        scene.put_by_hand(&by_hand);
        rotate(&scene).await;
        assert_eq!(
            (scene.server.live(), scene.server.most_live()),
            (2, 2),
            "{kind:?}"
        );
        assert_eq!(scene.key(&Stage::Previous).as_deref(), Some("TEST-by-hand"));
    }
}

#[tokio::test]
async fn p4_a_rotation_abandoned_after_its_mint_leaves_nothing_behind() {
    for kind in [
        FakeKind::KeyPair,
        FakeKind::Token { listable: true },
        FakeKind::Token { listable: false },
    ] {
        let scene = warm(kind).await;
        let token = scene.begin();
        scene
            .step(Step::CreateSecret, &token)
            .await
            .expect("created");
        scene.step(Step::SetSecret, &token).await.expect("set");
        scene.store.remove_pending(&scene.secret);
        rotate(&scene).await;
        rotate(&scene).await;
        assert_eq!(
            (scene.server.live(), scene.server.most_live()),
            (2, 2),
            "{kind:?}"
        );
    }
}

#[tokio::test]
async fn p2_a_key_that_could_not_be_stored_is_retired_before_we_return() {
    let scene = warm(FakeKind::Token { listable: false }).await;
    let token = scene.begin();
    scene.injector.fail_every("put");
    let error = scene
        .step(Step::CreateSecret, &token)
        .await
        .expect_err("the store is down");
    assert_eq!(error.cause.error_type(), "StoreUnavailable");
    assert!(scene.server.live() <= 2, "a key that nobody knows is live");
    scene.injector.disarm();
    scene.rotate(&token).await.expect("delivered again");
    assert_eq!((scene.server.live(), scene.server.most_live()), (2, 2));
}

#[tokio::test]
async fn p4_a_lost_mint_is_told_with_its_deadline() {
    let scene = warm(FakeKind::Token { listable: false }).await;
    let token = scene.begin();
    scene.injector.disarm();
    let mint = mint_call().await;
    scene.injector.arm(mint, Fault::LoseReply);
    let error = scene
        .step(Step::CreateSecret, &token)
        .await
        .expect_err("the reply is lost");
    let RotationFailure::PossibleStray { dead_by, .. } = error.cause else {
        panic!("{error}")
    };
    scene.injector.disarm();
    scene.rotate(&token).await.expect("delivered again");
    assert_eq!(scene.server.live(), 3, "two, and the declared stray");
    assert!(scene.works(&Stage::Current));
    scene.clock.advance(dead_by - scene.now());
    assert!(scene.server.live() <= 2);
}

async fn mint_call() -> usize {
    let scene = warm(FakeKind::Token { listable: false }).await;
    scene.injector.disarm();
    rotate(&scene).await;
    scene
        .injector
        .calls()
        .iter()
        .position(|call| call.name == "mint")
        .expect("a mint")
}
